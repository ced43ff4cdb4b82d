internal import CLinux

/// The length of the header that a tap device puts before each packet, kept to be set again.
///
/// It belongs to the interface, not to a descriptor: a QEMU that starts on a tap sets its own default, and every packet of
/// the QEMU that still uses the interface would be misread until it is set back. See TUNSETVNETHDRSZ in the kernel's
/// include/uapi/linux/if_tun.h.
public final class TapHeader: Sendable {
    private let tap: Descriptor
    private let length: Int32

    /// Reads what is set now.
    ///
    /// - Parameter descriptor: One of the tap's; a second one of the same is kept.
    /// - Throws: `SystemError` from `ioctl`; ENOTTY when it is no tap.
    public init(of descriptor: borrowing Descriptor) throws(SystemError) {
        let tap = try descriptor.duplicate()
        var length: Int32 = 0
        let number = tap.number
        _ = try retrying("ioctl", "descriptor \(number)") { hf_tap_header(number, &length, 0) }
        self.tap = tap
        self.length = length
    }

    /// Sets again what was set when this was made.
    ///
    /// - Throws: `SystemError` from `ioctl`.
    public func restore() throws(SystemError) {
        var length = length
        let number = tap.number
        _ = try retrying("ioctl", "descriptor \(number)") { hf_tap_header(number, &length, 1) }
    }
}
