internal import CLinux

/// Runs `body` in a new detached thread.
///
/// The thread has a stack of 512 KiB and blocks every signal, so that signals stay with the threads that wait for them.
/// - Parameters:
///   - name: shown by ps and gdb; at most 15 bytes of it.
///   - body: what the thread does; the thread ends with it.
/// - Throws: `SystemError` from `pthread_create`: EAGAIN when the user may have no more threads.
public func startThread(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let context = Unmanaged.passRetained(ThreadBody(body))
    let code = hf_start_thread(
        name,
        { context in
            guard let context else { return }
            Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
        },
        context.toOpaque()
    )
    if code != 0 {
        context.release()
        throw SystemError(operation: "pthread_create", subject: name, code: code)
    }
}

private final class ThreadBody {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}
