internal import JSON
internal import QEMUCommandLine
package import StackFile

/// The command line of the QEMU that runs a hypervisor on this host.
///
/// ``machineDefinition`` contains what is common to all hypervisors; the command line adds the differences. It contains
/// nothing for guests: their devices are plugged in while the hypervisor runs (``HotPlug``), in the first hypervisor as
/// in each later one.
package struct OuterCommandLine: Sendable, Hashable {
    /// Properties of the host that the command line depends on.
    package struct Host: Sendable, Hashable {
        /// Whether the hypervisor runs on KVM; otherwise TCG emulates it.
        package var usesKVM: Bool
        /// The frequency of this host's time stamp counter in kHz, for a hypervisor under TCG.
        package var tscKilohertz: Int?

        /// Describes a host.
        ///
        /// - Parameters:
        ///   - usesKVM: Whether the hypervisor runs on KVM; otherwise TCG emulates it.
        ///   - tscKilohertz: The frequency of this host's time stamp counter in kHz, for TCG.
        package init(usesKVM: Bool, tscKilohertz: Int? = nil) {
            self.usesKVM = usesKVM
            self.tscKilohertz = tscKilohertz
        }
    }

    /// The program.
    package var executable: String
    /// Its arguments, without the program itself.
    package var arguments: [String]

    /// The machine definition common to all hypervisors, in QEMU's `-readconfig` format; write it to
    /// ``InstanceFolder/machineFile`` before QEMU starts.
    package static var machineDefinition: [UInt8] { PackageResources.hypervisor_cfg }

    /// Creates the command line.
    ///
    /// - Parameters:
    ///   - hypervisor: The hypervisor.
    ///   - stack: The stack that it belongs to.
    ///   - image: The image that it boots.
    ///   - instance: This run of it.
    ///   - host: Properties of this host.
    package init(
        _ hypervisor: HypervisorSpec, in stack: Stack, image: HypervisorImage, instance: HypervisorInstance, host: Host
    ) {
        executable = stack.hyperplexor.qemu
        arguments = Self.machine(hypervisor, in: stack, instance: instance, host: host)
        if hypervisor.kind == .os { arguments += Self.shares(hypervisor, in: stack) }
        arguments += Self.boot(hypervisor, image: image, instance: instance, host: host)
        arguments += Self.endpoints(instance)
        for network in stack.networks(of: hypervisor) { arguments += Self.card(network, instance: instance) }
        for (index, function) in hypervisor.functions.enumerated() {
            arguments += ["-device", OptionText.make("vfio-pci", [("id", "function\(index)"), ("host", function)])]
        }
        arguments += hypervisor.extraArguments
    }

    /// The CPU model for TCG, with workarounds for QEMU 7.2.
    ///
    /// cx16=off: emulated CMPXCHG16B leaves wrong flags, and kernels crash at random. erms=off, fsrm=off: with these
    /// flags, kernels and programs copy memory with `rep movsb`, which TCG emulates byte by byte.
    private static let emulatedCPU = "max,cx16=off,erms=off,fsrm=off"

    private static func machine(
        _ hypervisor: HypervisorSpec, in stack: Stack, instance: HypervisorInstance, host: Host
    ) -> [String] {
        let memory = MemoryPlan(hypervisor, in: stack)
        return [
            "-name", OptionText.make(nil, [("guest", instance.id), ("debug-threads", "on")]),
            "-no-user-config", "-nodefaults", "-display", "none",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny",
            // A rebooted hypervisor would come back without its guests: exit instead, so that it is noticed.
            "-no-reboot",
            "-readconfig", instance.folder.machineFile,
            "-accel", host.usesKVM ? "kvm" : "tcg,thread=multi", "-cpu", host.usesKVM ? "host" : emulatedCPU,
            "-smp", "\(hypervisor.cpus)",
            "-m", "\(memory.own >> 20)M,slots=\(memory.slots),maxmem=\(memory.most >> 20)M",
            "-uuid", instance.uuid,
        ] + (hypervisor.keepsCores ? ["-overcommit", "cpu-pm=on"] : [])
    }

    /// Returns the options for virtiofs: shared memory, and a free root port for each container's share.
    private static func shares(_ system: HypervisorSpec, in stack: Stack) -> [String] {
        let ram: [String: JSONValue] = [
            "qom-type": "memory-backend-memfd", "id": "ram", "size": JSONValue(system.memory), "share": true,
            // Preallocated: a container is restored into memory that was never touched, and the host would fault in and
            // clear each page while the container is stopped.
            "prealloc": true,
        ]
        return ["-object", OptionText.make(kind: "qom-type", ram), "-machine", "memory-backend=ram"]
            + (0..<stack.containers.count + MemoryPlan.spareContainers).flatMap { index in
                // Eight functions to a slot. The root bus has 31 slots for all devices; use the last ones.
                let place = "0x" + String(Self.firstShareSlot + index / 8, radix: 16) + ".\(index % 8)"
                return [
                    "-device",
                    OptionText.make(
                        "pcie-root-port",
                        [
                            ("id", "\(HotPlug.Share.portPrefix)\(index)"), ("bus", "pcie.0"), ("addr", place),
                            ("multifunction", "on"), ("chassis", "\(Self.firstShareChassis + index)"),
                        ]),
                ]
            }
    }

    /// The first slot for shares: slot 31 is the chip set's, and the four before it hold ``StackReader/containerLimit``
    /// and spare ports.
    private static let firstShareSlot = 0x1b
    /// The first chassis number for shares; the machine definition uses low numbers.
    private static let firstShareChassis = 32

    private static func boot(
        _ hypervisor: HypervisorSpec, image: HypervisorImage, instance: HypervisorInstance, host: Host
    ) -> [String] {
        var words = [image.kernelArguments, "panic=-1", "systemd.hostname=\(instance.hostname)"]
        // On a busy host, an emulated hypervisor mismeasures its TSC (which is this host's) by orders of magnitude.
        // Guests keep that rate when they move, and hang where the rate differs.
        if !host.usesKVM, let rate = host.tscKilohertz { words += ["tsc=reliable", "tsc_early_khz=\(rate)"] }
        // Under QEMU 7.2's TCG, a program is translated again for each load address: with random addresses, a program
        // takes three times as long to start.
        if !host.usesKVM { words.append("norandmaps") }
        if let nanoseconds = hypervisor.haltPolling { words.append("kvm.halt_poll_ns=\(nanoseconds)") }
        // locking=off: several hypervisors read this file, and nothing writes it.
        let root: [String: JSONValue] = [
            "driver": "raw", "node-name": "root", "read-only": true,
            "file": ["driver": "file", "filename": .string(image.root), "locking": "off", "read-only": true],
        ]
        return [
            "-kernel", image.kernel, "-initrd", image.initramfs, "-append", words.joined(separator: " "),
            "-blockdev", OptionText.make(kind: "driver", root),
            "-device", "virtio-blk-pci,id=rootdisk,drive=root,serial=hfroot",
        ]
    }

    private static func endpoints(_ instance: HypervisorInstance) -> [String] {
        [
            "-qmp", OptionText.make("unix:\(instance.folder.qmpSocket)", [("server", "on"), ("wait", "off")]),
            "-chardev",
            OptionText.make(
                "socket", [("id", "agent"), ("path", instance.folder.agentSocket), ("server", "on"), ("wait", "off")]),
            "-chardev",
            OptionText.make("file", [("id", "console"), ("path", instance.folder.consoleLog), ("append", "on")]),
            "-pidfile", instance.folder.pidFile,
        ]
    }

    private static func card(_ network: NetworkSpec, instance: HypervisorInstance) -> [String] {
        var device = [
            ("id", "card-\(network.name)"), ("netdev", "net-\(network.name)"),
            ("mac", HardwareAddress.derived(instance: instance.id, network: network.name)),
        ]
        var backend = [("id", "net-\(network.name)")]
        switch network.kind {
        case .bridge:
            backend += [
                ("ifname", instance.taps[network.name] ?? ""), ("script", "no"), ("downscript", "no"),
                ("vhost", network.usesVhost ? "on" : "off"),
            ]
            if network.queues > 1 {
                backend.append(("queues", "\(network.queues)"))
                // One vector for each direction of each queue, one for configuration changes, one for the control
                // queue.
                device += [("mq", "on"), ("vectors", "\(2 * network.queues + 2)")]
            }
            return ["-netdev", OptionText.make("tap", backend), "-device", OptionText.make("virtio-net-pci", device)]
        case .segment(let group, let port):
            backend += [("mcast", "\(group):\(port)"), ("localaddr", "127.0.0.1")]
            return [
                "-netdev", OptionText.make("socket", backend), "-device", OptionText.make("virtio-net-pci", device),
            ]
        }
    }
}

/// Sizes a hypervisor's machine: its own memory, and room for the memory that is plugged in later.
struct MemoryPlan {
    /// Its own memory in bytes.
    let own: UInt64
    /// The number of NVDIMM slots.
    let slots: Int
    /// The maximum memory in bytes, its own included.
    let most: UInt64

    /// The number of containers that can be added to a stack while its OS VMs run.
    static let spareContainers = 2

    init(_ hypervisor: HypervisorSpec, in stack: Stack) {
        let stores = hypervisor.kind == .os ? stack.containers.map { StoreFileShape(memory: $0.memory).fileSize } : []
        let sizes = stores + hypervisor.guests.map { MemoryFileShape(memory: $0.memory).fileSize }
        let spares = hypervisor.kind == .os ? Self.spareContainers : hypervisor.spareGuests
        // A spare guest or container may be as large as the largest named one, and at least 4 GiB; unused room costs
        // nothing.
        let spare = max(sizes.max() ?? 0, 4 << 30)
        own = hypervisor.memory
        slots = sizes.count + spares
        most = own + sizes.reduce(0, +) + UInt64(spares) * spare
    }
}

/// One run of a hypervisor on this host; during a refresh there are two, the old and the new one.
package struct HypervisorInstance: Sendable, Hashable {
    /// A name that is unique on this host, such as `alpha-2`.
    package var id: String
    /// The folder with its sockets, console log and machine definition.
    package var folder: InstanceFolder
    /// The machine's SMBIOS UUID: unique for each run, because management stacks refuse to migrate to "the same host".
    package var uuid: String
    /// The host name inside it.
    package var hostname: String
    /// Tap interface names by network, for networks on a bridge; its QEMU creates the taps.
    package var taps: [String: String]

    /// Describes a run.
    ///
    /// - Parameters:
    ///   - id: A name that is unique on this host.
    ///   - folder: Its folder.
    ///   - uuid: The machine's SMBIOS UUID.
    ///   - hostname: The host name inside it.
    ///   - networks: The networks that it joins; those on a bridge get a tap named by ``tapName(instance:network:)``.
    package init(id: String, folder: InstanceFolder, uuid: String, hostname: String, networks: [NetworkSpec]) {
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
    package static func tapName(instance: String, network: String) -> String {
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
    package static func tapAddress(on bridge: String) -> String { HardwareAddress.derived(bridge: bridge) }
}
