internal import JSON
internal import Linux
internal import Synchronization

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
