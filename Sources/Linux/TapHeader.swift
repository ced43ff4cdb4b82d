internal import CLinux
internal import Glibc
internal import Synchronization

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

/// Keeps restoring taps' header lengths while a second QEMU starts on them.
///
/// That QEMU resets the length at an unpredictable moment, and the first QEMU misreads every packet until it is
/// restored: 40 to 190 ms without network if it is restored only after the start. With a check every 0.1 ms, the guest
/// notices nothing.
public final class TapKeeper: Sendable {
    private let isStopped = Atomic(false)

    /// Starts a thread that restores the lengths until ``stop()``.
    ///
    /// - Parameter taps: The taps; if empty, no thread is started.
    /// - Throws: `SystemError` if no thread can be started.
    public init(_ taps: [TapHeader]) throws(SystemError) {
        guard !taps.isEmpty else { return }
        try startThread(name: "tap-keeper") { [self] in
            while !isStopped.load(ordering: .acquiring) {
                for tap in taps { try? tap.restore() }
                usleep(100)
            }
        }
    }

    /// Stops restoring the lengths.
    public func stop() { isStopped.store(true, ordering: .releasing) }
}
