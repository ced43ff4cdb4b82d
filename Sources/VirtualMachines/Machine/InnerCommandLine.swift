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
