internal import CGLib

/// GLib's main context for one thread; callbacks run only during ``wait(until:for:)``.
final class MainContext {
    private let raw: OpaquePointer

    init() {
        raw = g_main_context_new()
        g_main_context_push_thread_default(raw)
    }

    deinit {
        g_main_context_pop_thread_default(raw)
        g_main_context_unref(raw)
    }

    /// GLib's monotonic clock in microseconds.
    static func now() -> Int64 { Int64(g_get_monotonic_time()) }

    /// Dispatches callbacks until `found` returns a value; returns nil if the deadline passes first.
    func wait<Result>(until deadline: Int64, for found: () -> Result?) -> Result? {
        let milliseconds = max(0, deadline - Self.now()) / 1000 + 1
        let alarm = g_timeout_source_new(guint(clamping: milliseconds))
        // The callback does nothing: the source only has to wake the context.
        g_source_set_callback(alarm, { _ in 1 }, nil, nil)
        g_source_attach(alarm, raw)
        defer {
            g_source_destroy(alarm)
            g_source_unref(alarm)
        }
        while true {
            if let result = found() { return result }
            if Self.now() >= deadline { return nil }
            g_main_context_iteration(raw, 1)
        }
    }
}

/// A connection attempt in progress.
final class ConnectionAttempt {
    private var outcome: Result<OpaquePointer, SystemdError>?

    /// Connects and authenticates; sends Hello to a message bus.
    ///
    /// - Throws: `SystemdError` `unavailable`, also if the peer does not answer.
    static func connect(
        _ address: String, isBus: Bool, context: MainContext, deadline: Int64
    ) throws(SystemdError) -> OpaquePointer {
        let attempt = ConnectionAttempt()
        let client = G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT.rawValue
        let hello = G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION.rawValue
        let stop = g_cancellable_new()
        defer { g_object_unref(stop) }
        g_dbus_connection_new_for_address(
            address, GDBusConnectionFlags(isBus ? client | hello : client), nil, stop,
            { _, result, attempt in
                guard let attempt else { return }
                Unmanaged<ConnectionAttempt>.fromOpaque(attempt).takeRetainedValue().finish(result)
            },
            Unmanaged.passRetained(attempt).toOpaque()
        )
        if context.wait(until: deadline, for: { attempt.outcome }) == nil {
            g_cancellable_cancel(stop)
            // The callback runs in any case, and its data must exist until then.
            _ = context.wait(until: .max / 2, for: { attempt.outcome })
            if case .failure = attempt.outcome {
                throw SystemdError(.unavailable, "connecting to \(address): no answer in time")
            }
        }
        switch attempt.outcome {
        case .success(let connection): return connection
        case .failure(let error): throw SystemdError(.unavailable, "connecting to \(address): \(error.message)")
        case nil: throw SystemdError(.unavailable, "connecting to \(address)")
        }
    }

    private func finish(_ result: OpaquePointer?) {
        var failure: UnsafeMutablePointer<GError>?
        if let connection = g_dbus_connection_new_for_address_finish(result, &failure) {
            outcome = .success(connection)
        } else {
            outcome = .failure(SystemdError(taking: failure, .unavailable))
        }
    }
}

extension SystemdError {
    /// Converts and frees a GLib error.
    init(taking failure: UnsafeMutablePointer<GError>?, _ code: Code, doing what: String? = nil) {
        guard let failure else {
            self.init(code, what ?? "unknown error")
            return
        }
        defer { g_error_free(failure) }
        let name = g_dbus_error_get_remote_error(failure)
        defer { g_free(name) }
        let isTimeout = g_error_matches(failure, g_io_error_quark(), Int32(G_IO_ERROR_TIMED_OUT.rawValue)) != 0
        // The text begins with the error's name, which is stored separately.
        g_dbus_error_strip_remote_error(failure)
        let text = String(cString: failure.pointee.message)
        self.init(
            isTimeout ? .timeout : code, what.map { "\($0): \(text)" } ?? text,
            busName: name.map { String(cString: $0) }
        )
    }
}
