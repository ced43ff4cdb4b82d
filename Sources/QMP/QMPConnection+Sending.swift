internal import Glibc
internal import JSON
internal import Linux
internal import Synchronization

extension QMPConnection {
    /// The maximum nesting that is sent; QEMU accepts at most 1024 levels, and needs a reset after more.
    private static var deepestArguments: Int { 128 }

    /// Writes a command at once, in the calling thread, without ever blocking it.
    ///
    /// If the socket has no room for a command because the peer does not read, a separate thread writes it and keeps
    /// the order. Its deadline applies all the same.
    func submit(
        _ name: String,
        arguments: [String: JSONValue],
        descriptors: [Int32],
        isOutOfBand: Bool,
        deadline: Duration
    ) throws(QMPError) -> QMPPendingReply {
        var command: [String: JSONValue] = [isOutOfBand ? "exec-oob" : "execute": .string(name)]
        if !arguments.isEmpty { command["arguments"] = .object(arguments) }
        guard JSONValue.object(arguments).depth <= Self.deepestArguments else {
            throw located(QMPError(.invalidCommand, "the arguments of '\(name)' nest too deeply; nothing was sent"))
        }
        // The lock is held until the bytes are written: replies without id are matched by the order of the commands.
        let outcome: Result<QMPPendingReply, QMPError> = outbox.withLock { outbox in
            do throws(QMPError) {
                let pending = try register(.object(command), isOutOfBand: isOutOfBand, deadline: deadline)
                command["id"] = JSONValue(pending.id)
                let bytes = JSONValue.object(command).encodedBytes(terminator: [0x0A])
                var entry = Outbox.Entry(
                    id: pending.id,
                    bytes: bytes,
                    descriptors: descriptors,
                    deadline: .now + deadline
                )
                if outbox.entries.isEmpty, !outbox.isBeingEmptied { try sendNow(&entry) }
                if entry.sent < bytes.count { try enqueue(entry, &outbox) }
                log?.append(.sent(name))
                return .success(pending)
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    private func register(
        _ command: JSONValue,
        isOutOfBand: Bool,
        deadline: Duration
    ) throws(QMPError) -> QMPPendingReply {
        let slot = ReplySlot()
        let outcome: Result<UInt64, QMPError> = state.withLock { state in
            do throws(QMPError) {
                let id = try state.session.issue(isOutOfBand: isOutOfBand)
                enlist(slot, as: id, command: command, patience: deadline, &state)
                return .success(id)
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let id):
            return QMPPendingReply(id: id, slot: slot, connection: self)
        case .failure(let error):
            var error = located(error, command: command)
            error.isUnsent = true
            throw error
        }
    }

    /// Sends as much of an entry as the socket has room for.
    private func sendNow(_ entry: inout Outbox.Entry) throws(QMPError) {
        // Set before sending: the connection may end before the next line, when the peer may have read everything.
        state.withLock { $0.waiters[entry.id]?.isSent = true }
        do throws(SystemError) {
            let outcome = entry.bytes.withUnsafeBytes { bytes in
                Result { () throws(SystemError) in try stream.sendNow(bytes, descriptors: entry.descriptors) }
            }
            entry.sent = try outcome.get()
            if entry.sent == 0 { state.withLock { $0.waiters[entry.id]?.isSent = false } }
        } catch {
            throw withdraw(entry.id, because: error)
        }
    }

    /// Removes a command that could not be written.
    ///
    /// - Parameters:
    ///   - id: The command's id.
    ///   - error: The reason.
    ///   - isUnsent: Whether no byte of it was sent; otherwise the peer may have read all that it needed.
    /// - Returns: The failure, with which the waiting call ends.
    private func withdraw(_ id: UInt64, because error: SystemError, isUnsent: Bool = true) -> QMPError {
        let waiter = state.withLock { state in
            state.session.withdraw(id)
            return state.waiters.removeValue(forKey: id)
        }
        let isGone = error.isPeerGone
        var failure = systemError(
            error,
            isGone ? "the peer closed the connection" : "cannot send the command",
            code: isGone ? .disconnected : .system
        )
        failure.command = waiter?.command
        failure.isUnsent = isUnsent
        waiter?.slot.fill(.failure(failure))
        return failure
    }

    private func enqueue(_ entry: Outbox.Entry, _ outbox: inout Outbox) throws(QMPError) {
        outbox.entries.append(entry)
        if outbox.isBeingEmptied { return }
        do throws(SystemError) {
            try startThread(name: "qmp-writer") { self.emptyOutbox() }
            outbox.isBeingEmptied = true
        } catch {
            outbox.entries.removeLast()
            throw withdraw(entry.id, because: error)
        }
    }

    /// Writes the queued commands as the socket gets room for them, and returns when none is left.
    private func emptyOutbox() {
        while let entry = nextEntry() {
            // A command without a waiting caller must not be executed; but a partly sent one must be completed, or the
            // peer could not separate it from the next.
            let isWanted = state.withLock { state in
                state.waiters[entry.id]?.isSent = true
                return state.waiters[entry.id] != nil || entry.sent > 0
            }
            if isWanted { send(entry) }
        }
    }

    private func send(_ entry: Outbox.Entry) {
        do throws(SystemError) {
            try stream.send(
                Array(entry.bytes.dropFirst(entry.sent)),
                descriptors: entry.sent > 0 ? [] : entry.descriptors,
                within: entry.deadline - .now
            )
        } catch {
            if error.isTimeout {
                expire(entry.id)
                if entry.sent > 0 {
                    end(QMPError(.disconnected, "the peer stopped reading in the middle of a command"))
                }
            } else {
                _ = withdraw(entry.id, because: error, isUnsent: false)
            }
        }
    }

    private func nextEntry() -> Outbox.Entry? {
        outbox.withLock { outbox in
            outbox.isBeingEmptied = !outbox.entries.isEmpty
            return outbox.entries.isEmpty ? nil : outbox.entries.removeFirst()
        }
    }
}

// MARK: - Waiting

extension QMPConnection {
    /// Starts the reader; the wait for the greeting starts with it.
    func start(greetingWithin patience: Duration) throws(QMPError) -> QMPPendingReply {
        let slot = ReplySlot()
        state.withLock { state in
            enlist(slot, as: QMPSession.greetingID, command: nil, patience: patience, &state)
        }
        do throws(SystemError) {
            // The thread keeps the connection alive until the stream ends.
            try startThread(name: "qmp-reader") { self.read() }
        } catch {
            throw systemError(error, "cannot read from the monitor")
        }
        return QMPPendingReply(id: QMPSession.greetingID, slot: slot, connection: self)
    }

    /// Adds a waiter and makes sure that a timer checks its deadline.
    func enlist(_ slot: ReplySlot, as id: UInt64, command: JSONValue?, patience: Duration, _ state: inout State) {
        let deadline = ContinuousClock.now + patience
        state.waiters[id] = Waiter(slot: slot, command: command, deadline: deadline, patience: patience)
        if state.alarm.map({ deadline < $0 }) ?? true { setAlarm(deadline, &state) }
    }

    /// Ends a wait because its task was cancelled.
    func cancel(_ id: UInt64) {
        giveUp(id) { waiter in
            QMPError(.cancelled, "the wait for \(self.subject(waiter.command)) was cancelled; QEMU may still run it")
        }
    }

    /// Ends a wait because its deadline has passed.
    func expire(_ id: UInt64) {
        giveUp(id) { self.lateness(of: $0) }
    }

    private func giveUp(_ id: UInt64, _ reason: (Waiter) -> QMPError) {
        let waiter = state.withLock { state in
            state.session.abandon(id)
            return state.waiters.removeValue(forKey: id)
        }
        guard let waiter else { return }
        var error = located(reason(waiter), command: waiter.command)
        error.isUnsent = !waiter.isSent
        waiter.slot.fill(.failure(error))
    }

    /// One timer serves all commands: it sleeps until the earliest deadline.
    private func setAlarm(_ moment: ContinuousClock.Instant, _ state: inout State) {
        state.alarm = moment
        Task { [weak self] in
            try? await Task.sleep(until: moment, clock: .continuous)
            self?.ring(moment)
        }
    }

    private func ring(_ moment: ContinuousClock.Instant) {
        let due = state.withLock { state -> [UInt64] in
            // A later command had an earlier deadline, and its own timer.
            guard state.alarm == moment else { return [] }
            state.alarm = nil
            let now = ContinuousClock.now
            if let next = state.waiters.values.lazy.map(\.deadline).filter({ $0 > now }).min() {
                setAlarm(next, &state)
            }
            return state.waiters.filter { $0.value.deadline <= now }.map(\.key)
        }
        for id in due { expire(id) }
    }

    private func lateness(of waiter: Waiter) -> QMPError {
        guard waiter.command == nil else {
            return QMPError(
                .timeout,
                "no reply to \(subject(waiter.command)) within \(waiter.patience)"
                    + (waiter.isSent ? "" : " (it could not be sent)")
                    + "; \(peerName) may hang, for example because a disk does not respond"
            )
        }
        return state.withLock { state in
            if state.receivedAnything { return state.session.notQMP("its greeting is incomplete") }
            return QMPError(
                .busy,
                "no greeting within \(waiter.patience): another client holds this monitor of \(peerName), which serves "
                    + "one client at a time (or that process is stopped); close that client, or start QEMU with one "
                    + "more -qmp socket"
            )
        }
    }

    private var peerName: String {
        peer.map { "process \($0.pid) (user \($0.uid))" } ?? "the peer"
    }

    private func subject(_ command: JSONValue?) -> String {
        command == nil ? "the greeting" : "'\(name(of: command))'"
    }
}

// MARK: - Errors

extension QMPConnection {
    /// Returns the error with the socket, and with the command if it is known.
    func located(_ error: QMPError, command: JSONValue? = nil) -> QMPError {
        var error = error
        if error.endpoint.isEmpty { error.endpoint = endpoint }
        if let command { error.command = command }
        return error
    }

    /// Returns the error for a caller that waits for a reply when the connection ends.
    func unanswered(_ command: JSONValue?, because reason: QMPError) -> QMPError {
        guard let command else { return located(reason) }
        return QMPError(
            reason.code,
            "no reply to '\(name(of: command))': \(reason.message)",
            endpoint: reason.endpoint.isEmpty ? endpoint : reason.endpoint,
            command: command,
            systemError: reason.systemError
        )
    }

    func name(of command: JSONValue?) -> String {
        command?["execute"]?.string ?? command?["exec-oob"]?.string ?? "?"
    }

    func refused(_ refusal: QMPError.Refusal, command: JSONValue?) -> QMPError {
        QMPError(
            .refused,
            "QEMU refused '\(name(of: command))': \(refusal.text) (\(refusal.errorClass))",
            endpoint: endpoint,
            command: command,
            refusal: refusal
        )
    }

    func systemError(_ error: SystemError, _ what: String, code: QMPError.Code = .system) -> QMPError {
        QMPError(code, "\(what): \(error)", endpoint: endpoint, systemError: error)
    }
}

extension SystemError {
    var isTimeout: Bool { code == ETIMEDOUT }

    var isPeerGone: Bool { code == EPIPE || code == ECONNRESET || code == ENOTCONN }
}
