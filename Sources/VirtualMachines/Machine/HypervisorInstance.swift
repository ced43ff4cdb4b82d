public import StackFile

/// One run of a hypervisor on this host; during a refresh there are two, the old and the new one.
public struct HypervisorInstance: Sendable, Hashable {
    /// A name that is unique on this host, such as `alpha-2`.
    public var id: String
    /// The folder with its sockets, console log and machine definition.
    public var folder: InstanceFolder
    /// The machine's SMBIOS UUID: unique for each run, because management stacks refuse to migrate to "the same host".
    public var uuid: String
    /// The host name inside it.
    public var hostname: String
    /// Tap interface names by network, for networks on a bridge; its QEMU creates the taps.
    public var taps: [String: String]

    /// Describes a run.
    ///
    /// - Parameters:
    ///   - id: A name that is unique on this host.
    ///   - folder: Its folder.
    ///   - uuid: The machine's SMBIOS UUID.
    ///   - hostname: The host name inside it.
    ///   - networks: The networks that it joins; those on a bridge get a tap named by ``tapName(instance:network:)``.
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

    /// Returns the tap interface of a network's card: `hf-` and twelve hexadecimal digits derived from both names.
    ///
    /// - Parameters:
    ///   - instance: The run's id.
    ///   - network: The network's name.
    /// - Returns: A name of 15 characters, the most that Linux allows.
    public static func tapName(instance: String, network: String) -> String {
        let digits = String(StableHash.value(of: "tap/\(instance)/\(network)") >> 16, radix: 16)
        return "hf-" + String(repeating: "0", count: 12 - digits.count) + digits
    }

    /// Returns the hardware address of every tap on a bridge of this host; all hypervisors use the same one.
    ///
    /// A bridge without a configured address takes the lowest address of its ports, so its own address changes when
    /// taps come and go. Guests would then send to a stale address until they resolve this host's address again. This
    /// tap address sorts after those of all cards, as that of libvirt's taps does, and is the same for all taps.
    ///
    /// - Parameter bridge: The bridge's name.
    /// - Returns: An address in lower case with colons.
    public static func tapAddress(on bridge: String) -> String { HardwareAddress.derived(bridge: bridge) }
}
