import Glibc
import Synchronization

/// Turns SIGINT, SIGTERM and SIGHUP into a function call, so that an interrupted command rolls back.
///
/// A signal handler may only call async-signal-safe functions, so it writes a byte to a pipe; a thread reads the pipe
/// and makes the call.
enum InterruptSignals {
    /// The write end of the pipe; a signal handler can reach only globals.
    private static let pipe = Atomic<Int32>(-1)

    /// Calls `interrupted` at each of the signals until the process exits.
    static func handle(_ interrupted: @escaping @Sendable () -> Void) {
        // If the reader of our output exits, the handoff must continue.
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return }
        pipe.store(ends[1], ordering: .releasing)
        startThread { [end = ends[0]] in
            var byte: UInt8 = 0
            while read(end, &byte, 1) == 1 { interrupted() }
        }
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { _ in
                var byte: UInt8 = 1
                _ = write(InterruptSignals.pipe.load(ordering: .acquiring), &byte, 1)
            }
        }
    }

    private static func startThread(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let boxed = Unmanaged.passRetained(Body(body))
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, boxed.toOpaque())
        if status == 0 { pthread_detach(thread) } else { boxed.release() }
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
