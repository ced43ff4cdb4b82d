internal import CLinux

/// Saves and restores the length of the header that a tap device puts before each packet.
///
/// The length belongs to the interface, not to a descriptor: a QEMU that starts on a tap sets its own default, and the
/// QEMU that still uses the interface would misread every packet until the length is restored. See TUNSETVNETHDRSZ in
/// the kernel's include/uapi/linux/if_tun.h.
public final class TapHeader: Sendable {
    private let tap: Descriptor
    private let length: Int32

    /// Saves the current length.
    ///
    /// - Parameter descriptor: A descriptor of the tap; it is duplicated.
    /// - Throws: `SystemError` from `ioctl`; ENOTTY if it is no tap.
    public init(of descriptor: borrowing Descriptor) throws(SystemError) {
        let tap = try descriptor.duplicate()
        var length: Int32 = 0
        let number = tap.number
        _ = try retrying("ioctl", "descriptor \(number)") { hf_tap_header(number, &length, 0) }
        self.tap = tap
        self.length = length
    }

    /// Restores the saved length.
    ///
    /// - Throws: `SystemError` from `ioctl`.
    public func restore() throws(SystemError) {
        var length = length
        let number = tap.number
        _ = try retrying("ioctl", "descriptor \(number)") { hf_tap_header(number, &length, 1) }
    }
}
