internal import JSON
internal import QEMUCommandLine
public import StackFile

/// The command line of the QEMU that runs a guest inside a hypervisor.
///
/// It is the same in each hypervisor that runs the guest, except for the DAX device's number and the options that make
/// the new side wait.
public struct InnerCommandLine: Sendable, Hashable {
    /// The program.
    public var executable: String
    /// Its arguments, without the program itself.
    public var arguments: [String]

    /// Creates the command line.
    ///
    /// - Parameters:
    ///   - guest: The guest.
    ///   - dax: The DAX device with its memory, such as `/dev/dax0.0`.
    ///   - isIncoming: Whether to wait for the guest's state from another hypervisor instead of booting the guest.
    ///   - executable: The QEMU binary inside the hypervisor.
    public init(
        _ guest: InnerGuestSpec, dax: String, isIncoming: Bool, executable: String = "/usr/bin/qemu-system-x86_64"
    ) {
        let files = InnerGuestFiles(guest: guest.name)
        self.executable = executable
        arguments = Self.machine(guest, dax: dax, files: files)
        arguments += Self.boot(guest, files: files)
        for (index, disk) in guest.disks.enumerated() {
            let bootIndex = guest.boot == .disk && index == 0 ? 1 : nil
            arguments += Self.disk(disk, of: guest, bootIndex: bootIndex, files: files)
        }
        for (index, card) in guest.networks.enumerated() {
            arguments += Self.card(card, of: guest, index: index, files: files)
        }
        arguments += guest.extraArguments
        // -S: the guest may not run before the commit, even if its incoming state is "running".
        if isIncoming { arguments += ["-S", "-incoming", "defer"] }
    }

    /// Disables features that no guest uses here and that would lengthen each handoff's downtime.
    ///
    /// These are controllers without devices, a second address space for SMM, and a description of the state that no
    /// program reads.
    private static let lean = "sata=off,smbus=off,smm=off,suppress-vmdesc=on"

    private static func machine(_ guest: InnerGuestSpec, dax: String, files: InnerGuestFiles) -> [String] {
        let ram: [String: JSONValue] = [
            "qom-type": "memory-backend-file", "id": "ram0", "size": JSONValue(guest.memory), "mem-path": .string(dax),
            "share": true, "align": JSONValue(MemoryFileShape.alignment),
        ]
        return [
            "-name", OptionText.make(nil, [("guest", guest.name), ("debug-threads", "on")]),
            "-no-user-config", "-nodefaults", "-display", "none",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny",
            "-accel", "kvm",
            "-machine", "\(guest.machine),memory-backend=ram0,\(lean)",
            "-cpu", guest.cpuModel, "-smp", "\(guest.cpus)", "-m", "\(guest.memory >> 20)M",
            "-object", OptionText.make(kind: "qom-type", ram),
            "-qmp", OptionText.make("unix:\(files.qmp)", [("server", "on"), ("wait", "off")]),
            "-chardev", OptionText.make("file", [("id", "console"), ("path", files.console), ("append", "on")]),
        ] + console(guest.console)
    }

    private static func console(_ console: InnerGuestSpec.Console) -> [String] {
        switch console {
        case .serial: ["-device", "isa-serial,chardev=console"]
        // One console needs one port; the default is 31. disable-modern: a modern device has more state to hand over
        // and is not faster.
        case .virtio:
            [
                "-device", "virtio-serial-pci,id=consoles,max_ports=1,disable-modern=on",
                "-device", "virtconsole,bus=consoles.0,chardev=console",
            ]
        }
    }

    private static func boot(_ guest: InnerGuestSpec, files: InnerGuestFiles) -> [String] {
        guard case .kernel(_, let initramfs, let words) = guest.boot else { return [] }
        return ["-kernel", files.kernel] + (initramfs == nil ? [] : ["-initrd", files.initramfs])
            + (words.isEmpty ? [] : ["-append", words])
    }

    private static func disk(
        _ disk: DiskSpec, of guest: InnerGuestSpec, bootIndex: Int?, files: InnerGuestFiles
    ) -> [String] {
        // cache.direct: the other hypervisor's kernel would not see data in this kernel's page cache.
        let node: [String: JSONValue] = [
            "driver": .string(disk.format.rawValue), "node-name": .string("disk-\(disk.name)"),
            "read-only": .bool(disk.isReadOnly), "discard": "unmap", "cache": ["direct": true, "no-flush": false],
            "file": [
                "driver": "host_device", "filename": .string(files.device(disk.name)), "discard": "unmap",
                "cache": ["direct": true, "no-flush": false],
            ],
        ]
        var device: [String: JSONValue] = [
            "driver": "virtio-blk-pci", "id": .string("disk-\(disk.name)-card"),
            "drive": .string("disk-\(disk.name)"), "serial": .string(disk.name),
        ]
        device["bootindex"] = bootIndex.map { .integer(Int64($0)) }
        if guest.virtio == .legacy { device["disable-modern"] = true }
        return [
            "-blockdev", OptionText.make(kind: "driver", node),
            "-device", OptionText.make(kind: "driver", device),
        ]
    }

    private static func card(
        _ card: CardSpec, of guest: InnerGuestSpec, index: Int, files: InnerGuestFiles
    ) -> [String] {
        let device = [("id", "card\(index)"), ("netdev", "net\(index)"), ("mac", card.mac)]
        return [
            "-netdev",
            OptionText.make(
                "tap", [("id", "net\(index)"), ("ifname", files.tap(index)), ("script", "no"), ("downscript", "no")]),
            "-device",
            OptionText.make("virtio-net-pci", device + (guest.virtio == .legacy ? [("disable-modern", "on")] : [])),
        ]
    }
}

/// Names of a guest's files, devices and units inside a hypervisor.
public struct InnerGuestFiles: Sendable, Hashable {
    /// The guest's name.
    public let guest: String

    /// Names a guest's files.
    ///
    /// - Parameter guest: The guest's name.
    public init(guest: String) {
        self.guest = guest
    }

    /// The folder for all guests' files.
    public static let directory = "/run/hyperfresh"
    /// The folder for guests' kernels.
    public static let bootDirectory = "/run/hyperfresh/boot"

    /// The socket of its monitor.
    public var qmp: String { "\(Self.directory)/\(guest).qmp" }
    /// The device to which QEMU writes the output of the guest's console.
    public var console: String { "/dev/virtio-ports/\(consolePort)" }
    /// The name of the virtio-serial port of ``console``.
    public var consolePort: String { "hyperfresh.console.\(guest)" }
    /// Its kernel, copied here by the host.
    public var kernel: String { "\(Self.bootDirectory)/\(guest).kernel" }
    /// Its initramfs.
    public var initramfs: String { "\(Self.bootDirectory)/\(guest).initramfs" }
    /// The transient systemd unit that runs its QEMU.
    public var unit: String { "hyperfresh-guest-\(guest).service" }
    /// The unit that connects its monitor to the port ``relayPort``; started for each session.
    public var relayUnit: String { "hyperfresh-relay@\(guest).service" }
    /// The name of the virtio-serial port through which this host reaches its monitor.
    public var relayPort: String { "hyperfresh.\(guest)" }

    /// Returns the serial number of one of its disks, GUEST.DISK; SCSI shows up to 36 characters.
    ///
    /// - Parameter disk: The disk's name.
    /// - Returns: GUEST.DISK.
    public func serial(_ disk: String) -> String { "\(guest).\(disk)" }

    /// Returns the device of one of its disks.
    ///
    /// - Parameter disk: The disk's name.
    /// - Returns: A path under /dev/disk/by-id.
    public func device(_ disk: String) -> String { "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_\(serial(disk))" }

    /// Returns the tap interface of one of its cards, at most 15 characters.
    ///
    /// - Parameter index: The card's index, from 0.
    /// - Returns: The interface's name.
    public func tap(_ index: Int) -> String {
        let name = "\(guest)_\(index)"
        if name.utf8.count <= 15 { return name }
        let hash = String(StableHash.value(of: "tap/\(guest)") >> 44, radix: 36).prefix(4)
        return "\(guest.prefix(7))_\(hash)_\(index)"
    }

    /// Returns the bridge of a network.
    ///
    /// - Parameter network: The network's name.
    /// - Returns: The interface's name.
    public static func bridge(_ network: String) -> String { "br-\(network)" }
}

/// Shell functions for systemd units and bridges inside a hypervisor or OS VM.
public enum InnerFunctions {
    /// Scripts/units.sh and Scripts/network.sh, to prepend to scripts.
    public static let script = [PackageResources.units_sh, PackageResources.network_sh]
        .map { String(decoding: $0, as: UTF8.self) }.joined()
}

/// Prepares a hypervisor for a guest before the guest's QEMU starts.
///
/// All steps are one script: each call of the agent is a round trip through two kernels.
public enum InnerPreparation {
    /// A file that the guest's QEMU reads when it starts.
    public struct BootFile: Sendable, Hashable {
        /// Its name: `kernel` or `initramfs`.
        public let name: String
        /// Its size in bytes; the disk that carries it is larger.
        public let size: Int64

        /// Describes a file.
        ///
        /// - Parameters:
        ///   - name: `kernel` or `initramfs`.
        ///   - size: In bytes.
        public init(name: String, size: Int64) {
            self.name = name
            self.size = size
        }
    }

    /// Copies boot files, makes bridges, and finds the guest's memory.
    ///
    /// - Parameters:
    ///   - guest: The guest.
    ///   - bootFiles: The files that were attached for it as disks.
    ///   - address: The physical address of its memory in the hypervisor.
    ///   - hypervisor: The hypervisor to prepare.
    /// - Returns: The memory's device.
    /// - Throws: ``HypervisorError``.
    public static func run(
        for guest: InnerGuestSpec, bootFiles: [BootFile], memoryAt address: UInt64, in hypervisor: Hypervisor
    ) async throws(HypervisorError) -> MemoryDevice {
        let files = InnerGuestFiles(guest: guest.name)
        var things: [String] = []
        for file in bootFiles {
            things += [
                "boot", files.device(file.name), "\(file.size)",
                "\(InnerGuestFiles.bootDirectory)/\(guest.name).\(file.name)",
            ]
        }
        for disk in guest.disks { things += ["disk", files.device(disk.name)] }
        for card in guest.networks {
            things += [
                "bridge", InnerGuestFiles.bridge(card.network),
                HardwareAddress.derived(instance: hypervisor.record.runName, network: card.network), card.network,
            ]
        }
        things += ["memory", CoMapping.place(of: address)]
        let text = try await hypervisor.agent.run(
            verb: "prepare", things, to: "prepare guest \(guest.name)", within: .seconds(90))
        return try CoMapping.device(in: text, at: address)
    }
}
