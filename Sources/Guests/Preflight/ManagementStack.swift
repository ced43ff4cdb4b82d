/// The program that started a guest, as far as its command line shows; remedies use its commands.
enum ManagementStack: Sendable, Hashable {
    case libvirt, proxmox, incus, kata, plain

    init(arguments: [String]) {
        func mentions(_ folders: String...) -> Bool {
            arguments.contains { argument in folders.contains { argument.contains($0) } }
        }
        if mentions("/var/lib/libvirt/qemu/", "/run/libvirt/qemu/", "/.config/libvirt/qemu/") {
            self = .libvirt
        } else if mentions("/var/run/qemu-server/", "/run/qemu-server/") {
            self = .proxmox
        } else if mentions("/incus/", "/lxd/") {
            self = .incus
        } else if mentions("/run/vc/", "/run/kata") {
            self = .kata
        } else {
            self = .plain
        }
    }

    /// Returns how to give a guest memory that a second QEMU can map.
    func sharedMemoryRemedy(name: String) -> String {
        let once = "then restart the guest, or migrate it once to a QEMU started like this"
        switch self {
        case .libvirt:
            return "virsh edit \(name): <memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>, "
                + "with memory_backing_dir in /etc/libvirt/qemu.conf on tmpfs; \(once)."
        case .proxmox:
            return
                "qm set VMID --args '-object memory-backend-file,id=ram0,size=SIZE,mem-path=/dev/shm/vm-VMID,share=on "
                + "-machine memory-backend=ram0'; \(once)."
        case .incus:
            return "incus config set \(name) raw.qemu.conf='[object \"mem0\"] qom-type = \"memory-backend-file\", "
                + "mem-path = \"FILE\", share = \"on\"' (one line each); \(once)."
        case .kata:
            return
                "Kata gives QEMU a directory for its memory, so the file has no name: the guest cannot be refreshed."
        case .plain:
            return "-object memory-backend-file,id=ram0,size=SIZE,mem-path=FILE,share=on -machine memory-backend=ram0; "
                + "\(once)."
        }
    }

    /// How to reach a monitor that another client holds.
    var monitorRemedy: String {
        switch self {
        case .libvirt:
            "libvirt holds the guest's only monitor; add one of your own: <qemu:commandline> with "
                + "-qmp unix:/run/NAME.qmp,server=on,wait=off, and restart the guest."
        case .proxmox:
            "Another client (qm monitor, qmeventd, a backup) holds it; wait until it disconnects, or add a monitor: "
                + "qm set VMID --args '-qmp unix:/run/qemu-server/VMID.hf,server=on,wait=off'."
        default:
            "Close the other client (`ss -xp | grep SOCKET` shows it), or start the guest with a second monitor: "
                + "-qmp unix:PATH,server=on,wait=off."
        }
    }
}
