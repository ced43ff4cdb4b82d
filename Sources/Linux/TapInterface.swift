internal import CLinux
internal import Glibc

/// The tap device that an open descriptor belongs to, see TUNGETIFF in the kernel's tuntap documentation.
public struct TapInterface: Sendable, Hashable {
    /// The name of the interface: `tap0`.
    public let name: String
    /// IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE and others.
    public let flags: UInt16

    /// Asks a descriptor of /dev/net/tun which interface it serves.
    ///
    /// - Throws: `SystemError` from `ioctl`; ENOTTY when it is no such descriptor, EBADFD when it serves none yet.
    public init(of descriptor: borrowing Descriptor) throws(SystemError) {
        var flags: UInt16 = 0
        let number = descriptor.number
        var name = [CChar](repeating: 0, count: 16)
        _ = try retrying("ioctl", "descriptor \(number)") {
            hf_tap_interface(number, &name, name.count, &flags)
        }
        self.name = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        self.flags = flags
    }
}
