/// The names by which a guest's things are known within a hypervisor.
public struct InnerGuestFiles: Sendable, Hashable {
    /// The guest's name.
    public let guest: String

    /// Makes the names.
    ///
    /// - Parameter guest: The guest's name.
    public init(guest: String) {
        self.guest = guest
    }

    /// The folder of all guests' files.
    public static let directory = "/run/hyperfresh"
    /// The folder of guests' kernels.
    public static let bootDirectory = "/run/hyperfresh/boot"

    /// Where its monitor listens.
    public var qmp: String { "\(Self.directory)/\(guest).qmp" }
    /// Where what it writes to its first serial port leaves the hypervisor.
    public var console: String { "/dev/virtio-ports/\(consolePort)" }
    /// The name of the virtio-serial port behind it.
    public var consolePort: String { "hyperfresh.console.\(guest)" }
    /// Its kernel, brought here by the hyperplexor.
    public var kernel: String { "\(Self.bootDirectory)/\(guest).kernel" }
    /// Its initramfs.
    public var initramfs: String { "\(Self.bootDirectory)/\(guest).initramfs" }
    /// The transient systemd unit of its QEMU.
    public var unit: String { "hyperfresh-guest-\(guest).service" }
    /// The unit that joins its monitor with the port ``relayPort``, started for each session.
    public var relayUnit: String { "hyperfresh-relay@\(guest).service" }
    /// The name of the virtio-serial port by which its monitor is reached from this host.
    public var relayPort: String { "hyperfresh.\(guest)" }

    /// The serial number of one of its disks, GUEST.DISK; SCSI shows up to 36 characters.
    ///
    /// - Parameter disk: The disk's name.
    /// - Returns: GUEST.DISK.
    public func serial(_ disk: String) -> String { "\(guest).\(disk)" }

    /// The device of one of its disks.
    ///
    /// - Parameter disk: The disk's name.
    /// - Returns: A path below /dev/disk/by-id.
    public func device(_ disk: String) -> String { "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_\(serial(disk))" }

    /// The tap interface of one of its cards, 15 characters at most.
    ///
    /// - Parameter index: Which card, from 0.
    /// - Returns: The interface's name.
    public func tap(_ index: Int) -> String {
        let name = "\(guest)_\(index)"
        if name.utf8.count <= 15 { return name }
        let hash = String(StableHash.value(of: "tap/\(guest)") >> 44, radix: 36).prefix(4)
        return "\(guest.prefix(7))_\(hash)_\(index)"
    }

    /// The bridge of a network.
    ///
    /// - Parameter network: The network's name.
    /// - Returns: The interface's name.
    public static func bridge(_ network: String) -> String { "br-\(network)" }
}
