internal import Glibc
internal import Synchronization

/// Holds taps as they are while a second QEMU starts on them.
///
/// That QEMU resets the header length at some moment that cannot be foreseen, and until it is set back the first one misreads
/// every packet: 40 to 190 ms without network when it is set back only after the start. Looked at every 0.1 ms, the
/// guest notices nothing.
public final class TapKeeper: Sendable {
    private let isStopped = Atomic(false)

    /// Begins to hold; a thread of its own does it until ``stop()``.
    ///
    /// - Parameter taps: What is to stay as it is; none needs no thread.
    /// - Throws: `SystemError` when no thread can be had.
    public init(_ taps: [TapHeader]) throws(SystemError) {
        guard !taps.isEmpty else { return }
        try startThread(name: "tap-keeper") { [self] in
            while !isStopped.load(ordering: .acquiring) {
                for tap in taps { try? tap.restore() }
                usleep(100)
            }
        }
    }

    /// Lets go.
    public func stop() { isStopped.store(true, ordering: .releasing) }
}
