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

/// Lets a thread run on one core of this host only.
///
/// - Parameters:
///   - thread: its number, which may be one of another process.
///   - core: the core's number, from 0.
/// - Throws: `SystemError` from `sched_setaffinity`: EINVAL when there is no such core or this host does not let it be used,
///   ESRCH, EPERM.
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
