public import StackFile

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
