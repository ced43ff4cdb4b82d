import Handoff
import JSON
import QMP
import Synchronization

/// The switch between two QEMUs, from `migrate` to RESUME, wherever they run.
///
/// Everything here reacts to QEMU's own events, in the thread that reads them.
final class GuestSwitch: Sendable {
    private struct State {
        var hasBegun = false
        var isRefused = false
        var marks = SwitchMarks()
        var taps: [QMPTap] = []
        var endedGuest: EndedGuest?
        /// Whether the old side's vCPUs ran, by its last event before the switch.
        var ranLast: Bool?
        // The exit of the old side is reported when its process is gone and its last events are read.
        var oldIsGone = false
        var oldIsHeardOut = false
        var oldExitIsTold = false
    }

    private let context: HandoffContext
    private let old: QMPClient
    private let new: QMPClient
    /// The URI for `migrate`, to which the old side sends the guest's state.
    private let uri: String
    /// Whether the old side is known to be dead.
    private let oldHasExited: @Sendable () -> Bool
    /// The new QEMU's last messages, which often contain the only reason.
    private let lastWords: @Sendable () -> [String]
    private let state = Mutex(State())

    /// How long QEMU may take to refuse a command that it has received.
    private static let replyDeadline = Duration.seconds(10)
    /// How long reading the old side's last events may take after its process is gone: the kernel has then closed its
    /// sockets.
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

    /// Whether a migration of the old side may be the one of this handoff.
    var mayHaveBegun: Bool { state.withLock { $0.hasBegun && !$0.isRefused } }

    /// The guest's end, if the old side has reported one.
    var endedGuest: EndedGuest? { state.withLock { $0.endedGuest } }

    /// Returns an error if somebody else has paused or resumed the guest since the sides were linked.
    ///
    /// - Parameter ran: Whether the guest ran when the sides were linked.
    /// - Returns: `nil` if nobody has.
    func outsideHand(since ran: Bool) -> HyperFreshError? {
        let now = state.withLock { $0.endedGuest == nil ? $0.ranLast : nil }
        guard let now, now != ran else { return nil }
        return HyperFreshError(
            "somebody else \(now ? "resumed the guest" : "paused the guest") during the refresh",
            remedy: "Run the refresh again: the guest then \(now ? "runs" : "stays paused") on the new side too.")
    }

    /// Starts to listen to the events of both sides; call this before the switch.
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

    /// Sends `migrate` to the old side.
    ///
    /// - Returns: An event if it failed immediately.
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
                    // A broken connection is not a refusal: the old side may be handing over nevertheless.
                    if error.code == .refused { refused(.switchRefused, error) }
                }
            }
            return nil
        } catch {
            state.withLock { $0.isRefused = true }
            context.fail(
                HyperFreshError("cannot send `migrate` to the old QEMU", because: error, remedy: HyperFreshError.retry))
            return .switchRefused
        }
    }

    /// Sends `cont` to the new side.
    ///
    /// - Returns: An event if it failed immediately.
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
            context.warn("cannot send `cont` to the new QEMU: \(error)")
            return .resumeRefused
        }
    }

    private func refused(_ event: HandoffEvent, _ error: any Error) {
        if event == .switchRefused { state.withLock { $0.isRefused = true } }
        let side =
            event == .resumeRefused
            ? "the new QEMU refused to run the guest" : "the old QEMU refused to hand over the guest"
        context.fail(HyperFreshError(side, because: error, remedy: HyperFreshError.retry).adding(evidence: lastWords()))
        context.driver.happened(event)
    }
}

// MARK: - Events

extension GuestSwitch {
    private func oldSays(_ message: Result<QMPEvent, QMPError>) {
        // The end of a monitor's events tells nothing about the guest: the end of the process does, or a deadline.
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
                    "the old QEMU could not hand over the guest", remedy: Self.transferRemedy, evidence: lastWords()))
            context.driver.happened(.oldFailed)
        default: break
        }
    }

    private func guestEnded(_ end: GuestEnd) {
        state.withLock { state in
            let marks = state.marks
            // A panic that ends QEMU is followed by its shutdown: the first event is the reason.
            state.endedGuest =
                state.endedGuest
                ?? EndedGuest(end: end, wasStopped: marks.stop != nil, wasResumed: marks.resumeWritten != nil)
        }
        context.driver.happened(.guestEnded)
    }

    private func oldStopped(_ event: QMPEvent) {
        let isOurs = state.withLock { state in
            // Somebody else caused a pause before the switch; the switch itself caused one after it.
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

    /// Notes a side's `completed`, and checks the maximum downtime, whose timer may be late on a busy host.
    ///
    /// If the old side is dead, there is nothing to roll back to, so a late commit is better than none.
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
                remedy: "Allow more time with --max-downtime, or try again when the host is less busy."))
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
        The devices of the two QEMUs may differ: `hyperfresh plan guest NAME` compares them, and the new QEMU's \
        messages above name the device.
        """
}

// MARK: - The end of the old side

extension GuestSwitch {
    /// Notes that the old side's process is gone.
    ///
    /// Its last events are processed first: they may report that the guest had ended.
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

/// The times of the events of the switch, from which its durations are computed.
struct SwitchMarks: Sendable {
    // Microseconds since the epoch, by QEMU's own clock.
    var stop: Int64?
    var resume: Int64?
    var oldCompleted: Int64?
    var newCompleted: Int64?

    // By this host's monotonic clock, when the event arrived or the command was written.
    var stopSeen: ContinuousClock.Instant?
    var oldCompletedSeen: ContinuousClock.Instant?
    var newCompletedSeen: ContinuousClock.Instant?
    var resumeWritten: ContinuousClock.Instant?
    var resumeSeen: ContinuousClock.Instant?

    /// Notes a side's `completed`; with the second of the two, the controller's own time begins.
    mutating func completed(_ side: WritableKeyPath<SwitchMarks, Int64?>, at event: QMPEvent) {
        self[keyPath: side] = event.timestamp.microsecondsSinceEpoch
        if side == \.oldCompleted { oldCompletedSeen = .now } else { newCompletedSeen = .now }
    }

    private var controller: Int? {
        guard let oldCompletedSeen, let newCompletedSeen, let resumeWritten else { return nil }
        return (resumeWritten - max(oldCompletedSeen, newCompletedSeen)).microseconds
    }

    /// The durations by QEMU's event timestamps, with both sides on this host; by the arrival of the events if the
    /// host's clock was set during the switch.
    var timing: SwitchTiming? {
        guard let stamped = stampedTiming, let arrived = arrivalTiming else { return stampedTiming }
        return abs(stamped.stopToResume - arrived.stopToResume) < Self.latestArrival ? stamped : arrived
    }

    /// The largest delay between the arrivals of two events on a busy host, in microseconds.
    private static let latestArrival = 500_000

    private var stampedTiming: SwitchTiming? {
        guard let stop, let resume, let oldCompleted, let newCompleted, let controller else { return nil }
        return SwitchTiming(
            stopToResume: Int(resume - stop), stopToNewCompleted: Int(newCompleted - stop),
            stopToOldCompleted: Int(oldCompleted - stop), controller: controller)
    }

    /// The durations by the arrival of the events on this host, because the two sides have clocks of their own.
    var arrivalTiming: SwitchTiming? {
        guard let stopSeen, let resumeSeen, let oldCompletedSeen, let newCompletedSeen, let controller
        else { return nil }
        return SwitchTiming(
            stopToResume: (resumeSeen - stopSeen).microseconds,
            stopToNewCompleted: (newCompletedSeen - stopSeen).microseconds,
            stopToOldCompleted: (oldCompletedSeen - stopSeen).microseconds, controller: controller)
    }
}

extension Duration {
    /// Whole microseconds.
    var microseconds: Int { Int(milliseconds * 1000) }
}
