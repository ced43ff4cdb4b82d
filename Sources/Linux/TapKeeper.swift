internal import Glibc
internal import Synchronization

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
