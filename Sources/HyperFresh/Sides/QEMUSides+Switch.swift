import Handoff
import Linux
import JSON
import QMP
import Synchronization

/// From `migrate` to RESUME. Everything here reacts to QEMU's own events, in the thread that reads them.
extension QEMUSides {
    /// How long QEMU may take to refuse a command that it has received.
    private static let replyDeadline = Duration.seconds(10)

    func beginSwitch() -> HandoffEvent? {
        clock.begin(.handover)
        state.withLock { state in
            // From here on the taps are the new side's to set.
            state.tapKeeper?.stop()
            state.switchHasBegun = true
        }
        do {
            let reply = try old.client.post(
                "migrate", arguments: ["uri": .string("fd:\(MigrationLink.channel)")], deadline: Self.replyDeadline)
            watch { [self] in
                do throws(QMPError) {
                    _ = try await reply.value()
                } catch {
                    // A connection that breaks is no refusal: the old side may be handing over all the same.
                    if error.code == .refused { refused(.switchRefused, error) }
                }
            }
            return nil
        } catch {
            fail(HyperFreshError("the old QEMU could not be told to hand the guest over", because: error))
            return .switchRefused
        }
    }

    func resumeNew() -> HandoffEvent? {
        guard let new = state.withLock({ $0.new }) else { return .resumeRefused }
        do {
            let reply = try new.client.post("cont", deadline: Self.replyDeadline)
            state.withLock { $0.marks.resumeWritten = .now }
            watch { [self] in
                do {
                    _ = try await reply.value()
                    driver.happened(.newResumed)
                } catch { refused(.resumeRefused, error) }
            }
            return nil
        } catch {
            warn("the new QEMU could not be told to run the guest: \(error)")
            return .resumeRefused
        }
    }

    private func refused(_ event: HandoffEvent, _ error: any Error) {
        let side =
            event == .resumeRefused
            ? "the new QEMU refused to run the guest" : "the old QEMU refused to hand the guest over"
        fail(HyperFreshError(side, because: error).adding(evidence: errorLines()))
        driver.happened(event)
    }

    /// Listens to both sides, from before the switch to the end.
    func watchEvents(of new: NewQEMU) {
        let taps = [
            old.client.tap(named: ["STOP", "MIGRATION"]) { [self] in
                oldSays($0)
            },
            new.client.tap(named: ["RESUME", "MIGRATION"]) { [self] in
                newSays($0)
            },
        ]
        state.withLock { $0.taps = taps }
        watch { [self] in
            if await old.handle.waitForExit(within: .seconds(86_400)) { driver.happened(.oldExited) }
        }
    }

    private func oldSays(_ message: Result<QMPEvent, QMPError>) {
        // A monitor that falls silent says nothing about the guest: the end of the process does, or a deadline.
        guard case .success(let event) = message else { return }
        switch (event.name, event.data["status"]?.string) {
        case ("STOP", _): oldStopped(event)
        case ("MIGRATION", "completed"):
            completed(\.oldCompleted, at: event)
            driver.happened(.oldCompleted)
        case ("MIGRATION", "failed"), ("MIGRATION", "cancelled"):
            fail(
                HyperFreshError(
                    "the old QEMU could not hand the guest over", remedy: Self.transferRemedy, evidence: errorLines()))
            driver.happened(.oldFailed)
        default: break
        }
    }

    private func oldStopped(_ event: QMPEvent) {
        let isOurs = state.withLock { state in
            // A pause before the switch is somebody else's; one after it is the switch's own.
            guard state.switchHasBegun, state.marks.stop == nil else { return false }
            state.marks.stop = event.timestamp.microsecondsSinceEpoch
            state.marks.stopSeen = .now
            return true
        }
        guard isOurs else { return }
        watch { [self] in
            guard (try? await Task.sleep(for: maximumDowntime)) != nil else { return }
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
        guard let stopSeen, .now - stopSeen > maximumDowntime, !old.handle.hasExited else { return }
        stoppedForTooLong()
    }

    private func stoppedForTooLong() {
        guard !driver.state.isCommitted else { return }
        fail(
            HyperFreshError(
                "the guest was stopped for longer than \(maximumDowntime)",
                remedy: "Allow more with --max-downtime, or try again when the host is less busy."))
        driver.happened(.deadlinePassed)
    }

    private func newSays(_ message: Result<QMPEvent, QMPError>) {
        guard case .success(let event) = message else { return }
        switch (event.name, event.data["status"]?.string) {
        case ("RESUME", _):
            state.withLock { $0.marks.resume = event.timestamp.microsecondsSinceEpoch }
            driver.happened(.newResumed)
        case ("MIGRATION", "completed"):
            completed(\.newCompleted, at: event)
            driver.happened(.newCompleted)
        case ("MIGRATION", "failed"):
            fail(
                HyperFreshError(
                    "the new QEMU could not load the guest's state", remedy: Self.transferRemedy,
                    evidence: errorLines()))
            driver.happened(.newFailed)
        default: break
        }
    }

    private static let transferRemedy = """
        The devices of the two QEMUs may differ: `hyperfresh plan guest` compares them, and the new QEMU's words above \
        name the device.
        """
}
