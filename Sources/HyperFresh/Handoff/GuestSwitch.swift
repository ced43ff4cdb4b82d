import Handoff
import JSON
import QMP
import Synchronization

/// From `migrate` to RESUME, on two QEMUs wherever they run.
///
/// Everything here reacts to QEMU's own events, in the thread that reads them.
final class GuestSwitch: Sendable {
    private struct State {
        var hasBegun = false
        var isRefused = false
        var marks = SwitchMarks()
        var taps: [QMPTap] = []
        var endedGuest: EndedGuest?
        /// What the old side said last, before the switch, of whether its vCPUs run.
        var ranLast: Bool?
        // The old side's process, and what it said last: its exit is told once both are over.
        var oldIsGone = false
        var oldIsHeardOut = false
        var oldExitIsTold = false
    }

    private let context: HandoffContext
    private let old: QMPClient
    private let new: QMPClient
    /// Where the old side sends the guest's state, in the words of `migrate`.
    private let uri: String
    /// Whether the old side is known to be dead.
    private let oldHasExited: @Sendable () -> Bool
    /// The new QEMU's last words, which often are the only place where a reason stands.
    private let lastWords: @Sendable () -> [String]
    private let state = Mutex(State())

    /// How long QEMU may take to refuse a command that it has received.
    private static let replyDeadline = Duration.seconds(10)
    /// How long the old side's last words may take once its process is gone: the kernel has closed its sockets by then.
    private static let lastWordsDeadline = Duration.seconds(1)

    init(
        context: HandoffContext, old: QMPClient, new: QMPClient, uri: String,
        oldHasExited: @escaping @Sendable () -> Bool, lastWords: @escaping @Sendable () -> [String]
    ) {
        self.context = context
        self.old = old
        self.new = new
        self.uri = uri
        self.oldHasExited = oldHasExited
        self.lastWords = lastWords
    }

    var marks: SwitchMarks { state.withLock { $0.marks } }

    /// Whether a migration of the old side may be ours.
    var mayHaveBegun: Bool { state.withLock { $0.hasBegun && !$0.isRefused } }

    /// The guest's own end, if the old side has told of one.
    var endedGuest: EndedGuest? { state.withLock { $0.endedGuest } }

    /// Why the switch may not begin, if somebody else has paused the guest or let it run since the sides were linked.
    ///
    /// - Parameter ran: Whether it ran then.
    /// - Returns: `nil` if nobody has.
    func outsideHand(since ran: Bool) -> HyperFreshError? {
        let now = state.withLock { $0.endedGuest == nil ? $0.ranLast : nil }
        guard let now, now != ran else { return nil }
        return HyperFreshError(
            "somebody else \(now ? "let the guest run" : "paused the guest") during the refresh",
            remedy: "Run it again: the guest \(now ? "runs" : "stays paused") then on the new side too.")
    }

    /// Listens to both sides, from before the switch to the end.
    func listen() {
        let taps = [
            old.tap(named: GuestEnd.events.union(["STOP", "RESUME", "MIGRATION"])) { [weak self] in
                self?.oldSays($0)
            },
            new.tap(named: ["RESUME", "MIGRATION"]) { [weak self] in
                self?.newSays($0)
            },
        ]
        state.withLock { $0.taps = taps }
    }

    func stopListening() {
        state.withLock { $0.taps = [] }
        releaseLogs()
    }

    /// Writes what was kept of the two monitors' logs while the guest was stopped.
    private func releaseLogs() {
        old.releaseLog()
        new.releaseLog()
    }

    /// Tells the old side to hand over.
    ///
    /// - Returns: An event if it failed at once.
    func begin() -> HandoffEvent? {
        state.withLock { $0.hasBegun = true }
        old.holdLog()
        new.holdLog()
        do throws(QMPError) {
            let reply = try old.post("migrate", arguments: ["uri": .string(uri)], deadline: Self.replyDeadline)
            context.watch { [self] in
                do throws(QMPError) {
                    _ = try await reply.value()
                } catch {
                    // A connection that breaks is no refusal: the old side may be handing over all the same.
                    if error.code == .refused { refused(.switchRefused, error) }
                }
            }
            return nil
        } catch {
            state.withLock { $0.isRefused = true }
            context.fail(HyperFreshError("the old QEMU could not be told to hand the guest over", because: error))
            return .switchRefused
        }
    }

    /// Lets the new side run.
    ///
    /// - Returns: An event if it failed at once.
    func resumeNew() -> HandoffEvent? {
        do throws(QMPError) {
            let reply = try new.post("cont", deadline: Self.replyDeadline)
            state.withLock { $0.marks.resumeWritten = .now }
            context.watch { [self] in
                do {
                    _ = try await reply.value()
                    context.driver.happened(.newResumed)
                    releaseLogs()
                } catch { refused(.resumeRefused, error) }
            }
            return nil
        } catch {
            context.warn("the new QEMU could not be told to run the guest: \(error)")
            return .resumeRefused
        }
    }

    private func refused(_ event: HandoffEvent, _ error: any Error) {
        if event == .switchRefused { state.withLock { $0.isRefused = true } }
        let side =
            event == .resumeRefused
            ? "the new QEMU refused to run the guest" : "the old QEMU refused to hand the guest over"
        context.fail(HyperFreshError(side, because: error).adding(evidence: lastWords()))
        context.driver.happened(event)
    }
}

// MARK: - What the two say

extension GuestSwitch {
    private func oldSays(_ message: Result<QMPEvent, QMPError>) {
        // A monitor that falls silent says nothing about the guest: the end of the process does, or a deadline.
        guard case .success(let event) = message else { return oldIsHeardOut() }
        if let end = GuestEnd(event) { return guestEnded(end) }
        switch (event.name, event.data["status"]?.string) {
        case ("STOP", _): oldStopped(event)
        case ("RESUME", _): state.withLock { if !$0.hasBegun { $0.ranLast = true } }
        case ("MIGRATION", "completed"):
            completed(\.oldCompleted, at: event)
            context.driver.happened(.oldCompleted)
        case ("MIGRATION", "failed"), ("MIGRATION", "cancelled"):
            context.fail(
                HyperFreshError(
                    "the old QEMU could not hand the guest over", remedy: Self.transferRemedy, evidence: lastWords()))
            context.driver.happened(.oldFailed)
        default: break
        }
    }

    private func guestEnded(_ end: GuestEnd) {
        state.withLock { state in
            let marks = state.marks
            // A panic that ends QEMU is followed by its shutdown: the first word is the reason.
            state.endedGuest =
                state.endedGuest
                ?? EndedGuest(end: end, wasStopped: marks.stop != nil, wasResumed: marks.resumeWritten != nil)
        }
        context.driver.happened(.guestEnded)
    }

    private func oldStopped(_ event: QMPEvent) {
        let isOurs = state.withLock { state in
            // A pause before the switch is somebody else's; one after it is the switch's own.
            guard state.hasBegun else {
                state.ranLast = false
                return false
            }
            guard state.marks.stop == nil else { return false }
            state.marks.stop = event.timestamp.microsecondsSinceEpoch
            state.marks.stopSeen = .now
            return true
        }
        guard isOurs else { return }
        context.watch { [self] in
            guard (try? await Task.sleep(for: context.maximumDowntime)) != nil else { return }
            stoppedForTooLong()
        }
    }

    /// The timer of the maximum downtime may be late on a busy host; nothing is committed that it would have stopped.
    ///
    /// Once the old side is dead there is nothing to go back to, and late is better than never.
    private func completed(_ side: WritableKeyPath<SwitchMarks, Int64?>, at event: QMPEvent) {
        let stopSeen = state.withLock { state in
            state.marks.completed(side, at: event)
            return state.marks.stopSeen
        }
        guard let stopSeen, .now - stopSeen > context.maximumDowntime, !oldHasExited() else { return }
        stoppedForTooLong()
    }

    private func stoppedForTooLong() {
        guard !context.driver.state.isCommitted else { return }
        context.fail(
            HyperFreshError(
                "the guest was stopped for longer than \(context.maximumDowntime)",
                remedy: "Allow more with --max-downtime, or try again when the host is less busy."))
        context.driver.happened(.deadlinePassed)
    }

    private func newSays(_ message: Result<QMPEvent, QMPError>) {
        guard case .success(let event) = message else { return }
        switch (event.name, event.data["status"]?.string) {
        case ("RESUME", _):
            state.withLock { state in
                state.marks.resume = event.timestamp.microsecondsSinceEpoch
                state.marks.resumeSeen = .now
            }
            context.driver.happened(.newResumed)
        case ("MIGRATION", "completed"):
            completed(\.newCompleted, at: event)
            context.driver.happened(.newCompleted)
        case ("MIGRATION", "failed"):
            context.fail(
                HyperFreshError(
                    "the new QEMU could not load the guest's state", remedy: Self.transferRemedy,
                    evidence: lastWords()))
            context.driver.happened(.newFailed)
        default: break
        }
    }

    private static let transferRemedy = """
        The devices of the two QEMUs may differ: `hyperfresh plan guest` compares them, and the new QEMU's words above \
        name the device.
        """
}

// MARK: - The end of the old side

extension GuestSwitch {
    /// The old side's process is gone.
    ///
    /// What it said last is heard first: it may be that the guest had come to its own end.
    func oldIsGone() {
        let isHeardOut = state.withLock { state in
            state.oldIsGone = true
            return state.oldIsHeardOut
        }
        if isHeardOut { return tellOldExit() }
        context.watch { [self] in
            guard (try? await Task.sleep(for: Self.lastWordsDeadline)) != nil else { return }
            tellOldExit()
        }
    }

    private func oldIsHeardOut() {
        let isGone = state.withLock { state in
            state.oldIsHeardOut = true
            return state.oldIsGone
        }
        if isGone { tellOldExit() }
    }

    private func tellOldExit() {
        let isFirst = state.withLock { state in
            defer { state.oldExitIsTold = true }
            return !state.oldExitIsTold
        }
        if isFirst { context.driver.happened(.oldExited) }
    }
}
