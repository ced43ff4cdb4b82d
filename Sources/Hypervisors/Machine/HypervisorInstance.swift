/// One run of a hypervisor on this host: during a refresh there are two, the old one and the new one.
public struct HypervisorInstance: Sendable, Hashable {
    /// What tells it from every other on this host, such as `alpha-2`.
    public var id: String
    /// Its sockets, the console's log, the machine definition.
    public var folder: InstanceFolder
    /// The machine's SMBIOS UUID: another for each run, because management stacks refuse "the same host".
    public var uuid: String
    /// The name of the host that its system has.
    public var hostname: String
    /// The tap interface for each network on a bridge, which its QEMU makes.
    public var taps: [String: String]

    /// Makes the description of a run.
    ///
    /// - Parameters:
    ///   - id: What tells it from every other on this host.
    ///   - folder: Its folder.
    ///   - uuid: The machine's SMBIOS UUID.
    ///   - hostname: The name of the host that its system has.
    ///   - networks: The networks that it joins; those on a bridge get a tap with ``tapName(instance:network:)``.
    public init(id: String, folder: InstanceFolder, uuid: String, hostname: String, networks: [NetworkSpec]) {
        self.id = id
        self.folder = folder
        self.uuid = uuid
        self.hostname = hostname
        taps = [:]
        for network in networks {
            guard case .bridge = network.kind else { continue }
            taps[network.name] = Self.tapName(instance: id, network: network.name)
        }
    }

    /// The tap interface of a network's card: `hf-` and twelve digits that depend on both names only.
    ///
    /// - Parameters:
    ///   - instance: The run's id.
    ///   - network: The network's name.
    /// - Returns: A name of 15 characters, as many as Linux allows.
    public static func tapName(instance: String, network: String) -> String {
        let digits = String(StableHash.value(of: "tap/\(instance)/\(network)") >> 16, radix: 16)
        return "hf-" + String(repeating: "0", count: 12 - digits.count) + digits
    }

    /// The hardware address of every tap on a bridge of this host, whichever hypervisor it belongs to.
    ///
    /// A bridge that was not given an address has the lowest of its ports', and so another one when taps come and go: guests would send
    /// into the void until they ask for this host's address again. So taps come after all cards, as libvirt's do, and are alike.
    ///
    /// - Parameter bridge: The bridge's name.
    /// - Returns: An address in lower case with colons.
    public static func tapAddress(on bridge: String) -> String { HardwareAddress.derived(bridge: bridge) }
}
