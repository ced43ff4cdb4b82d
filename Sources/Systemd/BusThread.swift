internal import CGLib

/// Runs `body` in its own thread, where it may wait for the bus.
func onBusThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws(SystemdError) -> Result
) async throws(SystemdError) -> Result {
    let result: Swift.Result<Result, SystemdError> = await withCheckedContinuation { continuation in
        let work = Work { continuation.resume(returning: Swift.Result { () throws(SystemdError) in try body() }) }
        let thread = g_thread_new(
            "systemd",
            { work in
                if let work { Unmanaged<Work>.fromOpaque(work).takeRetainedValue().body() }
                return nil
            },
            Unmanaged.passRetained(work).toOpaque()
        )
        g_thread_unref(thread)
    }
    return try result.get()
}

private final class Work {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}
