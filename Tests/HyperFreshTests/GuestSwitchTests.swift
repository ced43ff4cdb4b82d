import Handoff
import JSON
import Linux
import QMP
import QMPTesting
import Synchronization
import TestTools
import Testing

@testable import HyperFresh

/// The switch between two scripted monitors, and how it handles a guest's own end.
@Suite(.timeLimit(.minutes(1))) struct GuestSwitchTests {
    private static let powerOff: [String: JSONValue] = ["guest": true, "reason": "guest-shutdown"]
    private static let opening: [ScriptStep] = [.greet(), .negotiate]
    private static let completed = ScriptStep.emit("MIGRATION", data: ["status": "completed"])
    private static let failed = ScriptStep.emit("MIGRATION", data: ["status": "failed"])
    /// An event after an answer must not arrive before the client listens.
    fileprivate static let loads: [ScriptStep] =
        opening + [.expect("query-status", .done), completed, .serve(["cont": .after(event: "RESUME", .done)])]

    // MARK: Without an end

    @Test func aGuestThatGoesOnRunsOnTheNewSide() async throws {
        let play = try await Play(
            old: Self.opening + [.expect("migrate", .done), .emit("STOP"), Self.completed, .hang])
        #expect(try await play.run() == .refreshed)
        #expect(play.newWasResumed)
        #expect(play.endedGuest == nil)
    }

    @Test func aGuestThatIsResetGoesOn() async throws {
        let play = try await Play(
            old: Self.opening + [
                .expect("migrate", .done), .emit("RESET", data: ["guest": true, "reason": "guest-reset"]),
                .emit("STOP"),
                Self.completed, .hang,
            ])
        #expect(try await play.run() == .refreshed)
        #expect(play.newWasResumed)
    }

    @Test func aQEMUThatSomebodyEndsTakesNoGuestAlong() async throws {
        let play = try await Play(
            old: Self.opening + [
                .expect("migrate", .done), .emit("STOP"),
                .emit("SHUTDOWN", data: ["guest": false, "reason": "host-signal"]),
                .close,
            ])
        #expect(try await play.run(oldExits: true) == .refreshed)
        #expect(play.newWasResumed)
        #expect(play.endedGuest == nil)
    }

    // MARK: Another client pauses or resumes the guest

    @Test func aGuestThatSomebodyPausesOnceLinkedIsLeftToThem() async throws {
        let play = try await Play(
            old: Self.opening + [.expect("query-status", .after(event: "STOP", .done)), .hang],
            new: Self.opening + [.serve(["query-status": .done])], asksOnceLinked: true)
        #expect(try await play.run() == .rolledBack(.journal))
        #expect(play.performed.suffix(2) == [.removeNew, .restoreOld(resume: false)])
        #expect(play.failure?.message == "somebody else paused the guest during the refresh")
        #expect(!play.newWasResumed)
    }

    @Test func aGuestThatRunsAgainByThenIsHandedOver() async throws {
        let play = try await Play(
            old: Self.opening + [
                .emit("STOP"), .expect("query-status", .after(event: "RESUME", .done)), .expect("migrate", .done),
                .emit("STOP"), Self.completed, .hang,
            ], asksOnceLinked: true)
        #expect(try await play.run() == .refreshed)
        #expect(play.newWasResumed)
    }

    // MARK: The guest ends

    @Test(arguments: [
        ScriptStep.emit("SHUTDOWN", data: powerOff), .emit("GUEST_PANICKED", data: ["action": "pause"]),
    ])
    func aGuestThatEndedIsHandedOverAndNotRun(end: ScriptStep) async throws {
        let play = try await Play(
            old: Self.opening + [.expect("migrate", .done), end, .emit("STOP"), Self.completed, .hang])
        #expect(try await play.run() == .refreshed)
        #expect(!play.newWasResumed)
        #expect(play.endedGuest?.wasStopped == false)
        #expect(play.endedGuest?.wasResumed == false)
    }

    @Test func aGuestThatQEMUFoundEndedAfterItHadStoppedItIsNotRun() async throws {
        let play = try await Play(
            old: Self.opening + [
                .expect("migrate", .done), .emit("STOP"), .emit("SHUTDOWN", data: Self.powerOff), Self.completed, .hang,
            ])
        #expect(try await play.run() == .refreshed)
        #expect(!play.newWasResumed)
        #expect(play.endedGuest == EndedGuest(end: .shutDown, wasStopped: true, wasResumed: false))
    }

    @Test func aRollbackLeavesItStopped() async throws {
        let play = try await Play(
            old: Self.opening + [
                .expect("migrate", .done), .emit("SHUTDOWN", data: Self.powerOff), .emit("STOP"), Self.failed, .hang,
            ], new: Self.opening + [.serve([:])])
        #expect(try await play.run() == .rolledBack(.transfer))
        #expect(play.performed.suffix(2) == [.removeNew, .restoreOld(resume: false)])
        #expect(!play.newWasResumed)
    }

    @Test func itsEndCountsThoughItsExitIsSeenFirst() async throws {
        // The process is gone, but the socket still contains its last messages.
        let play = try await Play(
            old: Self.opening + [
                .expect("migrate", .done), .emit("STOP"), .wait(.milliseconds(300)),
                .emit("SHUTDOWN", data: Self.powerOff), .close,
            ])
        #expect(try await play.run(oldExits: true) == .lost)
        #expect(play.performed.last == .removeNew)
        #expect(!play.newWasResumed)
    }

    @Test func anEndThatIsHeardTooLateIsTold() async throws {
        let play = try await Play(
            old: Self.opening + [
                .expect("migrate", .done), .emit("STOP"), Self.completed,
                .expect("query-status", .after(event: "SHUTDOWN", data: Self.powerOff, .done)), .hang,
            ], asksBeforeItRetires: true)
        #expect(try await play.run() == .refreshed)
        #expect(play.newWasResumed)
        #expect(play.endedGuest == EndedGuest(end: .shutDown, wasStopped: true, wasResumed: true))
    }
}

/// One handoff with the real switch and scripted QEMUs.
private final class Play: HandoffActions {
    private let scratch: ScratchFolder
    private let servers: (old: ScriptedServer, new: ScriptedServer)
    private let clients: (old: QMPClient, new: QMPClient)
    private let context: HandoffContext
    private let transfer: GuestSwitch
    private let actions = Mutex<[HandoffAction]>([])
    private let asksBeforeItRetires: Bool
    private let asksOnceLinked: Bool

    init(
        old: [ScriptStep], new: [ScriptStep] = GuestSwitchTests.loads,
        asksBeforeItRetires: Bool = false, asksOnceLinked: Bool = false
    ) async throws {
        self.asksBeforeItRetires = asksBeforeItRetires
        self.asksOnceLinked = asksOnceLinked
        scratch = ScratchFolder()
        try Files.replaceAtomically("\(scratch.path)/memory", bytes: [])
        let lock = try #require(try HeldLock("\(scratch.path)/memory"))
        let host = Host(stateDirectory: "\(scratch.path)/state")
        let driver = HandoffDriver(isRehearsal: false)
        context = HandoffContext(
            journal: try HandoffJournal.begin(id: "00000001", facts: [:], lock: lock, host: host), driver: driver,
            clock: PhaseClock { _ in }, maximumDowntime: .seconds(30))
        servers = (try ScriptedServer(old), try ScriptedServer(new))
        clients = (
            try await QMPClient.connect(path: servers.old.path), try await QMPClient.connect(path: servers.new.path)
        )
        transfer = GuestSwitch(
            context: context, old: clients.old, new: clients.new, uri: "fd:test", oldHasExited: { false },
            lastWords: { [] })
    }

    var endedGuest: EndedGuest? { transfer.endedGuest }
    var failure: HyperFreshError? { context.failure }
    var performed: [HandoffAction] { actions.withLock { $0 } }
    var newWasResumed: Bool { servers.new.transcript.fromClient.contains { $0.contains("\"cont\"") } }

    /// Runs the handoff; with `oldExits`, the old side's process exits as soon as it has stopped its guest.
    func run(oldExits: Bool = false) async throws -> HandoffOutcome {
        transfer.listen()
        context.giveUp(after: .seconds(30))
        _ = try? await clients.new.executeRaw("query-status")
        let ending = Task {
            while oldExits, !Task.isCancelled {
                if transfer.marks.stop != nil { return transfer.oldIsGone() }
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        defer {
            ending.cancel()
            transfer.stopListening()
            context.close()
            clients.old.close()
            clients.new.close()
            servers.old.stop()
            servers.new.stop()
        }
        return await context.driver.run(on: self)
    }

    func record(_ state: HandoffState) -> HandoffEvent {
        context.record(
            state, facts: [:], unless: { state == .switching ? self.transfer.outsideHand(since: true) : nil })
    }
    func beginSwitch() -> HandoffEvent? { transfer.begin() }
    func resumeNew() -> HandoffEvent? { transfer.resumeNew() }

    func launch() async -> HandoffEvent { note(.launchNew, .launched) }

    func link() async -> HandoffEvent {
        if asksOnceLinked { _ = try? await clients.old.executeRaw("query-status") }
        return note(.link, .linked(guestRuns: true))
    }

    func retire() async -> HandoffEvent {
        if asksBeforeItRetires { _ = try? await clients.old.executeRaw("query-status") }
        return note(.retireOld, .oldRetired)
    }

    func settle() async -> HandoffEvent { note(.settle, .settled) }
    func removeNew() async -> HandoffEvent { note(.removeNew, .newRemoved) }
    func restoreOld(resume: Bool) async -> HandoffEvent { note(.restoreOld(resume: resume), .oldRestored) }

    private func note(_ action: HandoffAction, _ event: HandoffEvent) -> HandoffEvent {
        actions.withLock { $0.append(action) }
        return event
    }
}
