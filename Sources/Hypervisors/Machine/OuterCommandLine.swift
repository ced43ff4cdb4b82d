internal import JSON

/// The command line of the QEMU that runs a hypervisor on this host.
///
/// What every hypervisor has is in ``machineDefinition``; the command line adds what tells one from another. Nothing of its
/// guests is in it: that is plugged in while it runs (``HotPlug``), in a first hypervisor as in one that follows.
public struct OuterCommandLine: Sendable, Hashable {
    /// What the command line is made for.
    public struct Host: Sendable, Hashable {
        /// Whether KVM runs the hypervisor; else TCG emulates it.
        public var usesKVM: Bool
        /// The rate of this host's time stamp counter in kHz, for a hypervisor that TCG emulates.
        public var tscKilohertz: Int?

        /// Makes the description of a host.
        ///
        /// - Parameters:
        ///   - usesKVM: Whether KVM runs the hypervisor; else TCG emulates it.
        ///   - tscKilohertz: The rate of this host's time stamp counter, for TCG.
        public init(usesKVM: Bool, tscKilohertz: Int? = nil) {
            self.usesKVM = usesKVM
            self.tscKilohertz = tscKilohertz
        }
    }

    /// The program.
    public var executable: String
    /// Its arguments, without the program itself.
    public var arguments: [String]

    /// The machine that every hypervisor has, in QEMU's `-readconfig` format; to be written to
    /// ``InstanceFolder/machineFile`` before QEMU starts.
    public static var machineDefinition: [UInt8] { PackageResources.hypervisor_cfg }

    /// Makes the command line.
    ///
    /// - Parameters:
    ///   - hypervisor: The hypervisor.
    ///   - stack: The stack that it belongs to.
    ///   - image: What it boots.
    ///   - instance: This run of it.
    ///   - host: What has to be known of this host.
    public init(
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

    /// The CPU of a hypervisor that is emulated by QEMU 7.2.
    ///
    /// With CMPXCHG16B, kernels crash at random: it leaves wrong flags. With the flags of fast string operations, kernels and
    /// programs copy memory by `rep movsb`, which is emulated byte by byte.
    private static let emulatedCPU = "max,cx16=off,erms=off,fsrm=off"

    private static func machine(
        _ hypervisor: HypervisorSpec, in stack: Stack, instance: HypervisorInstance, host: Host
    ) -> [String] {
        let memory = MemoryPlan(hypervisor, in: stack)
        return [
            "-name", OptionText.make(nil, [("guest", instance.id), ("debug-threads", "on")]),
            "-no-user-config", "-nodefaults", "-display", "none",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny",
            // A hypervisor that starts over comes back without its guests: it had better end, and be seen to.
            "-no-reboot",
            "-readconfig", instance.folder.machineFile,
            "-accel", host.usesKVM ? "kvm" : "tcg,thread=multi", "-cpu", host.usesKVM ? "host" : emulatedCPU,
            "-smp", "\(hypervisor.cpus)",
            "-m", "\(memory.own >> 20)M,slots=\(memory.slots),maxmem=\(memory.most >> 20)M",
            "-uuid", instance.uuid,
        ] + (hypervisor.keepsCores ? ["-overcommit", "cpu-pm=on"] : [])
    }

    /// What virtiofs needs: memory that another process can map, and a free root port for each container's share.
    private static func shares(_ system: HypervisorSpec, in stack: Stack) -> [String] {
        let ram: [String: JSONValue] = [
            "qom-type": "memory-backend-memfd", "id": "ram", "size": JSONValue(system.memory), "share": true,
            // All of it at once: what is restored in a fresh OS VM lands in memory that was never touched, and the hyperplexor
            // would find and clear it page by page while the container stands still.
            "prealloc": true,
        ]
        return ["-object", OptionText.make(kind: "qom-type", ram), "-machine", "memory-backend=ram"]
            + (0..<stack.containers.count + MemoryPlan.spareContainers).flatMap { index in
                // Eight to a slot of the root bus, of which there are 31 for everything; the last ones, which nobody else takes.
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

    /// The last slot, 31, is the chip set's; the four before it hold ``StackReader/containerLimit`` and spare ports.
    private static let firstShareSlot = 0x1b
    /// The machine definition has some with low numbers.
    private static let firstShareChassis = 32

    private static func boot(
        _ hypervisor: HypervisorSpec, image: HypervisorImage, instance: HypervisorInstance, host: Host
    ) -> [String] {
        var words = [image.kernelArguments, "panic=-1", "systemd.hostname=\(instance.hostname)"]
        // An emulated hypervisor on a busy host measures its counter, which is this host's, wrong by orders of magnitude;
        // guests take that rate along, and hang where it is another.
        if !host.usesKVM, let rate = host.tscKilohertz { words += ["tsc=reliable", "tsc_early_khz=\(rate)"] }
        // QEMU 7.2 translates a program anew for each address that it is loaded at: to start one takes three times as long
        // where addresses are random.
        if !host.usesKVM { words.append("norandmaps") }
        if let nanoseconds = hypervisor.haltPolling { words.append("kvm.halt_poll_ns=\(nanoseconds)") }
        // locking=off: many hypervisors read this file, and nobody writes it.
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
                // One vector for each direction of each queue, one for changes, one for the control queue.
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
