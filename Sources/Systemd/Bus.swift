internal import CGLib

/// A connection to one service, through a message bus or directly; only the thread that created it may use it.
final class Bus {
    /// The way to reach a service.
    enum Route: Sendable, Hashable {
        /// By its name, through the bus at this address.
        case bus(String)
        /// Directly, at this address.
        case peer(String)
    }

    private let context = MainContext()
    private let connection: OpaquePointer
    private let deadline: Int64
    /// The unique name of the service's owner; nil for a direct connection.
    private var owner: String?

    /// Connects to a running service; never activates it through the bus.
    ///
    /// - Parameters:
    ///   - name: the service's name.
    ///   - route: the way to reach it, with a D-Bus address: `unix:path=...`.
    ///   - deadline: the deadline for all operations on this connection, on the clock of `MainContext.now()`.
    ///     Connecting may take half of the time, so that another route can be tried.
    /// - Throws: `SystemdError` `unavailable`.
    init(to name: String, route: Route, deadline: Int64) throws(SystemdError) {
        let now = MainContext.now()
        let half = now + max(0, deadline - now) / 2
        self.deadline = deadline
        switch route {
        case .bus(let address):
            connection = try ConnectionAttempt.connect(address, isBus: true, context: context, deadline: half)
            // From here on, `deinit` cleans up.
            owner = try Self.owner(of: name, connection, half)
        case .peer(let address):
            connection = try ConnectionAttempt.connect(address, isBus: false, context: context, deadline: half)
            try awaken(until: half)
        }
    }

    /// How long to wait for the connection to close, in microseconds; otherwise the context and a descriptor would
    /// leak.
    private static let closingTime: Int64 = 1_000_000

    private final class Closing {
        var isDone = false
    }

    deinit {
        let closing = Closing()
        g_dbus_connection_close(
            connection, nil,
            { connection, result, closing in
                _ = g_dbus_connection_close_finish(OpaquePointer(connection), result, nil)
                if let closing { Unmanaged<Closing>.fromOpaque(closing).takeRetainedValue().isDone = true }
            },
            Unmanaged.passRetained(closing).toOpaque())
        _ = context.wait(until: MainContext.now() + Self.closingTime) { closing.isDone ? true : nil }
        g_object_unref(gpointer(connection))
    }

    /// Calls a method of the service and waits for the reply.
    func call(
        _ path: String, _ interface: String, _ method: String, _ arguments: [Variant] = []
    ) throws(SystemdError) -> [Variant] {
        try Self.call(connection, owner, path, interface, method, arguments, deadline)
    }

    private static func call(
        _ connection: OpaquePointer, _ name: String?, _ path: String, _ interface: String, _ method: String,
        _ arguments: [Variant], _ deadline: Int64
    ) throws(SystemdError) -> [Variant] {
        var failure: UnsafeMutablePointer<GError>?
        let body = Variant.tuple(arguments)
        let milliseconds = Int32(clamping: max(1, (deadline - MainContext.now()) / 1000))
        let reply = withExtendedLifetime(body) {
            g_dbus_connection_call_sync(
                connection, name, path, interface, method, body.raw, nil, G_DBUS_CALL_FLAGS_NONE, milliseconds, nil,
                &failure
            )
        }
        guard let reply else { throw SystemdError(taking: failure, .refused, doing: "\(interface).\(method)") }
        defer { g_variant_unref(reply) }
        return Variant(reply).children
    }

    /// Makes sure that a directly connected service processes messages.
    ///
    /// systemd 252 does not process a first message that arrives together with the end of the authentication until the
    /// next message arrives.
    private func awaken(until deadline: Int64) throws(SystemdError) {
        while true {
            do throws(SystemdError) {
                let soon = min(deadline, MainContext.now() + 50_000)
                _ = try Self.call(connection, nil, "/", "org.freedesktop.DBus.Peer", "Ping", [], soon)
                return
            } catch  where error.code == .timeout && MainContext.now() < deadline {
                continue
            } catch {
                throw SystemdError(.unavailable, error.message, busName: error.busName)
            }
        }
    }

    private static func owner(
        of name: String, _ connection: OpaquePointer, _ deadline: Int64
    ) throws(SystemdError) -> String {
        let bus = "org.freedesktop.DBus"
        do throws(SystemdError) {
            let reply = try call(
                connection, bus, "/org/freedesktop/DBus", bus, "GetNameOwner", [.string(name)], deadline
            )
            if let owner = reply.first?.text { return owner }
        } catch {
            throw SystemdError(.unavailable, error.message, busName: error.busName)
        }
        throw SystemdError(.unavailable, "no service owns the name \(name)")
    }

    /// Signals of one kind, collected since the subscription.
    final class Inbox {
        fileprivate(set) var arrived: [[Variant]] = []
    }

    /// Subscribes to a signal; call it before the method that causes the signal.
    func subscribe(path: String, interface: String, signal: String) -> Inbox {
        let inbox = Inbox()
        g_dbus_connection_signal_subscribe(
            connection, owner, interface, signal, path, nil, G_DBUS_SIGNAL_FLAGS_NONE,
            { _, _, _, _, _, parameters, inbox in
                guard let parameters, let inbox else { return }
                Unmanaged<Inbox>.fromOpaque(inbox).takeUnretainedValue().arrived.append(Variant(parameters).children)
            },
            Unmanaged.passRetained(inbox).toOpaque(),
            { inbox in
                if let inbox { Unmanaged<Inbox>.fromOpaque(inbox).release() }
            }
        )
        return inbox
    }

    /// Dispatches incoming messages until `found` returns a value.
    func wait<Result>(_ what: String, until found: () -> Result?) throws(SystemdError) -> Result {
        guard let result = context.wait(until: deadline, for: found) else {
            throw SystemdError(.timeout, "\(what): no answer in time")
        }
        return result
    }
}

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

/// A failed request to systemd.
package struct SystemdError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure.
    package enum Code: Sendable, Hashable {
        /// No systemd runs here, or its bus does not answer.
        case unavailable
        /// systemd refused the request.
        case refused
        /// systemd accepted the request but failed to carry it out.
        case failed
        /// No answer arrived in time; the request may or may not have been carried out.
        case timeout
    }

    /// The kind of failure.
    package let code: Code

    /// The description of the failure, with systemd's message.
    package let message: String

    /// The D-Bus name of the error, such as `org.freedesktop.systemd1.NoSuchUnit`; nil if there is none.
    package let busName: String?

    /// The message.
    package var description: String { message }

    init(_ code: Code, _ message: String, busName: String? = nil) {
        self.code = code
        self.message = message
        self.busName = busName
    }
}
