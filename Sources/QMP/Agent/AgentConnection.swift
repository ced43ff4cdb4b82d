internal import Glibc
internal import JSON
internal import Linux
internal import Synchronization

/// One connection to a guest agent: the session, its socket, its reader thread and the queued commands.
final class AgentConnection: Sendable {
    /// A command that was submitted.
    struct Job {
        let id: UInt64
        let command: JSONValue
        let expectsReply: Bool
        let patience: Duration
        let slot: ReplySlot
        var isSent = false

        var name: String { command["execute"]?.string ?? "?" }
    }

    private struct State: ~Copyable {
        var session: AgentSession
        var active: Job?
        var queue: [Job] = []
        var nextID: UInt64 = 1
        var failure: QMPError?
    }

    let endpoint: String
    private let stream: UnixStream
    private let state: Mutex<State>

    init(_ stream: UnixStream, endpoint: String, limits: JSONLimits) {
        self.stream = stream
        self.endpoint = endpoint
        state = Mutex(State(session: AgentSession(limits: limits)))
    }

    func start() throws(QMPError) {
        do throws(SystemError) {
            try startThread(name: "qga-reader") { self.read() }
        } catch {
            throw QMPError(
                .system, "cannot read from the guest agent: \(error)", endpoint: endpoint, systemError: error)
        }
    }

    /// Sends a command in turn, and waits for its reply.
    func execute(
        _ command: JSONValue,
        expectsReply: Bool,
        within patience: Duration
    ) async throws(QMPError) -> JSONValue {
        let slot = ReplySlot()
        let id = state.withLock { state in
            let job = Job(
                id: state.nextID, command: command, expectsReply: expectsReply, patience: patience, slot: slot
            )
            state.nextID += 1
            if let failure = state.failure {
                slot.fill(.failure(Self.located(failure, job)))
            } else {
                state.queue.append(job)
                if state.active == nil { startNext(&state) }
            }
            return job.id
        }
        let timer = Task {
            guard (try? await Task.sleep(for: patience)) != nil else { return }
            self.giveUp(id) { self.lateness($0) }
        }
        defer { timer.cancel() }
        let outcome = await withTaskCancellationHandler {
            await slot.outcome()
        } onCancel: {
            giveUp(id) { QMPError(.cancelled, "the wait for '\($0.name)' was cancelled; the guest may still run it") }
        }
        return try outcome.get()
    }

    /// Returns the error with the socket and the command.
    func located(_ error: QMPError, command: JSONValue) -> QMPError {
        var error = error
        error.endpoint = endpoint
        error.command = command
        return error
    }

    /// Ends the connection; all waiting commands fail with the reason.
    func end(_ reason: QMPError) {
        var reason = reason
        if reason.endpoint.isEmpty { reason.endpoint = endpoint }
        let jobs = state.withLock { state in
            if state.failure == nil { state.failure = reason }
            defer {
                state.active = nil
                state.queue = []
            }
            return (state.active.map { [$0] } ?? []) + state.queue
        }
        stream.shutdown()
        for job in jobs { job.slot.fill(.failure(Self.located(reason, job))) }
    }

    private static func located(_ error: QMPError, _ job: Job) -> QMPError {
        var error = error
        error.command = job.command
        error.isUnsent = !job.isSent
        return error
    }

    /// Sends the next command, or first `guest-sync-delimited` if the session is not synchronised.
    private func startNext(_ state: inout State) {
        guard state.active == nil, !state.queue.isEmpty else { return }
        let job = state.queue.removeFirst()
        state.active = job
        if state.session.isSynchronised {
            sendActive(&state)
        } else {
            let id = Int64.random(in: 1...(1 << 52))
            let sync: JSONValue = ["execute": "guest-sync-delimited", "arguments": ["id": .integer(id)]]
            state.session.synchronise(as: id)
            send([AgentSession.delimiter] + sync.encodedBytes(terminator: [0x0A]), &state)
        }
    }

    private func sendActive(_ state: inout State) {
        guard let job = state.active else { return }
        state.active?.isSent = true
        state.session.commandSent()
        send(job.command.encodedBytes(terminator: [0x0A]), &state)
        if !job.expectsReply, state.active != nil {
            // An error may still arrive; it must not be taken for the reply to another command.
            finishActive(.success(.null), &state)
            state.session.lose()
            startNext(&state)
        }
    }

    /// Sends without blocking: an agent that does not read does not answer either.
    private func send(_ bytes: [UInt8], _ state: inout State) {
        var failure: QMPError?
        bytes.withUnsafeBytes { buffer in
            do throws(SystemError) {
                if try stream.sendNow(buffer) < buffer.count {
                    failure = QMPError(.timeout, "the guest agent does not read from its socket", endpoint: endpoint)
                }
            } catch {
                failure = QMPError(
                    .disconnected, "the guest agent's socket is closed: \(error)", endpoint: endpoint,
                    systemError: error
                )
            }
        }
        guard var failure else { return }
        state.session.lose()
        if let job = state.active { failure = Self.located(failure, job) }
        finishActive(.failure(failure), &state)
        startNext(&state)
    }

    private func finishActive(_ outcome: ReplySlot.Outcome, _ state: inout State) {
        let job = state.active
        state.active = nil
        job?.slot.fill(outcome)
    }

    private func giveUp(_ id: UInt64, _ reason: (Job) -> QMPError) {
        state.withLock { state in
            if let job = state.active, job.id == id {
                state.session.lose()
                finishActive(.failure(Self.located(reason(job), job)), &state)
                startNext(&state)
            } else if let place = state.queue.firstIndex(where: { $0.id == id }) {
                let job = state.queue.remove(at: place)
                job.slot.fill(.failure(Self.located(reason(job), job)))
            }
        }
    }

    private func lateness(_ job: Job) -> QMPError {
        let what = job.isSent ? "no reply to '\(job.name)'" : "the guest agent was not ready for '\(job.name)'"
        return QMPError(
            .timeout,
            "\(what) within \(job.patience); check that the guest runs and that qemu-guest-agent runs in it",
            endpoint: endpoint
        )
    }

    private func read() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            do throws(SystemError) {
                let count = try stream.receive(into: buffer).count
                guard count > 0 else { return end(QMPError(.disconnected, "the guest agent's socket was closed")) }
                take(Array(buffer[..<count]))
            } catch {
                return end(QMPError(.disconnected, "the guest agent's socket failed: \(error)", systemError: error))
            }
        }
    }

    private func take(_ bytes: [UInt8]) {
        state.withLock { state in
            for effect in state.session.received(bytes) {
                switch effect {
                case .synchronised:
                    sendActive(&state)
                case .answered(.success(let value)):
                    finishActive(.success(value), &state)
                case .answered(.failure(let refusal)):
                    finishActive(.failure(refused(refusal, state.active)), &state)
                case .confused(var error):
                    error.endpoint = endpoint
                    if let job = state.active { error = Self.located(error, job) }
                    finishActive(.failure(error), &state)
                }
                if state.active == nil { startNext(&state) }
            }
        }
    }

    private func refused(_ refusal: QMPError.Refusal, _ job: Job?) -> QMPError {
        QMPError(
            .refused,
            "the guest agent refused '\(job?.name ?? "?")': \(refusal.text) (\(refusal.errorClass))",
            endpoint: endpoint,
            command: job?.command,
            refusal: refusal
        )
    }
}
