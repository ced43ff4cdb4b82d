internal import CLinux

/// Runs `body` in a new detached thread.
///
/// The thread has a stack of 512 KiB and blocks every signal, so that signals reach the threads that wait for them.
///
/// - Parameters:
///   - name: the name shown by ps and gdb, truncated to 15 bytes.
///   - body: the thread's code; the thread ends when it returns.
/// - Throws: `SystemError` from `pthread_create`: EAGAIN if the user's thread limit is reached.
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

/// Pins a thread to one core of this host.
///
/// - Parameters:
///   - thread: the thread's number; it may belong to another process.
///   - core: the core's number, from 0.
/// - Throws: `SystemError` from `sched_setaffinity`: EINVAL if the core does not exist or may not be used, ESRCH,
///   EPERM.
public func pinThread(_ thread: Int32, to core: Int) throws(SystemError) {
    _ = try retrying("sched_setaffinity", "thread \(thread), core \(core)") {
        Int32(exactly: core).map { hf_pin_thread(thread, $0) } ?? hf_pin_thread(thread, -1)
    }
}

private final class ThreadBody {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}
