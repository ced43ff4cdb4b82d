import Handoff
import JSON
import QMP
import QMPTesting
import Testing

@testable import HyperFresh

/// Which events report a guest's own end, and the resulting messages.
@Suite struct GuestEndTests {
    private func end(_ name: String, _ data: [String: JSONValue]) -> GuestEnd? {
        GuestEnd(QMPEvent(name: name, data: data, timestamp: QMPTimestamp(seconds: 1, microseconds: 0)))
    }

    /// Every reason in qapi/run-state.json, and an unknown one.
    @Test(arguments: [
        "guest-shutdown", "guest-reset", "guest-panic", "host-error", "host-qmp-system-reset", "subsystem-reset",
        "guest-something-new",
    ])
    func aMachineThatIsSwitchedOffHasEnded(reason: String) {
        let isGuests = reason.hasPrefix("guest")
        #expect(end("SHUTDOWN", ["guest": .bool(isGuests), "reason": .string(reason)]) == .shutDown)
    }

    @Test(arguments: ["host-qmp-quit", "host-signal", "host-ui"])
    func whoEndsQEMUDoesNotEndTheGuest(reason: String) {
        #expect(end("SHUTDOWN", ["guest": false, "reason": .string(reason)]) == nil)
    }

    /// QEMU before 4.0 sends no reason.
    @Test func withoutAReasonTheGuestsOwnWishCounts() {
        #expect(end("SHUTDOWN", ["guest": true]) == .shutDown)
        #expect(end("SHUTDOWN", ["guest": false]) == nil)
        #expect(end("SHUTDOWN", [:]) == nil)
    }

    @Test func aPanicIsAnEndUnlessTheGuestGoesOn() {
        #expect(end("GUEST_PANICKED", ["action": "pause"]) == .panicked)
        #expect(end("GUEST_PANICKED", ["action": "poweroff"]) == .panicked)
        #expect(end("GUEST_PANICKED", ["action": "run"]) == nil)
    }

    @Test(arguments: ["RESET", "STOP", "POWERDOWN", "GUEST_CRASHLOADED", "SUSPEND", "WATCHDOG"])
    func nothingElseIs(name: String) {
        #expect(end(name, ["guest": true, "reason": "guest-reset", "action": "pause"]) == nil)
    }

    @Test func whereTheGuestIsDependsOnTheOutcome() {
        let ended = EndedGuest(end: .shutDown, wasStopped: false, wasResumed: false)
        let texts = [HandoffOutcome.refreshed, .incomplete, .rehearsed, .rolledBack(.transfer), .lost].map {
            ended.whereabouts(after: $0, old: "OLD", new: "NEW") ?? ""
        }
        for text in texts { #expect(text.hasPrefix("The guest shut itself down during the refresh")) }
        for text in texts[0...1] { #expect(text.contains("on NEW") && text.contains("system_reset")) }
        for text in texts[2...3] { #expect(text.contains("on OLD") && text.contains("quit")) }
        #expect(texts[4].contains("its QEMU exited"))
        #expect(ended.whereabouts(after: .unknown, old: "OLD", new: "NEW") == nil)
    }

    @Test func aGuestThatRanOnTheNewSideAlreadyIsToBeLookedAt() throws {
        let ended = EndedGuest(end: .panicked, wasStopped: true, wasResumed: true)
        let text = try #require(ended.whereabouts(after: .refreshed, old: "OLD", new: "NEW"))
        #expect(text.hasPrefix("The guest panicked during the refresh. QEMU reported this only after NEW had resumed"))
        #expect(ended.whereabouts(after: .lost, old: "OLD", new: "NEW") == nil)
    }
}

/// Rolling back to the old QEMU: a guest that has ended stays stopped.
@Suite(.timeLimit(.minutes(1))) struct OldSideTests {
    private static let untold = EndedGuest(end: .shutDown, wasStopped: true, wasResumed: false)
    private static let told = EndedGuest(end: .shutDown, wasStopped: false, wasResumed: false)

    struct Case: Sendable {
        let isRunning: Bool
        let resume: Bool
        let ended: EndedGuest?
        /// The command that is sent in addition to queries.
        let command: String?
    }

    @Test(arguments: [
        Case(isRunning: false, resume: true, ended: nil, command: "cont"),
        Case(isRunning: false, resume: false, ended: nil, command: nil),
        Case(isRunning: true, resume: true, ended: nil, command: nil),
        Case(isRunning: false, resume: true, ended: told, command: nil),
        Case(isRunning: false, resume: false, ended: told, command: nil),
        // Another client has restarted it in the meantime.
        Case(isRunning: true, resume: false, ended: told, command: nil),
        // QEMU resumed it although it had requested a power-off.
        Case(isRunning: true, resume: false, ended: untold, command: "stop"),
    ])
    func whatIsDoneDependsOnHowTheGuestIs(one: Case) async throws {
        let status: JSONValue = ["running": .bool(one.isRunning), "status": one.isRunning ? "running" : "postmigrate"]
        let server = try ScriptedServer([
            .greet(), .negotiate,
            .serve([
                "query-migrate": .success(["status": "failed"]), "query-status": .success(status), "cont": .done,
                "stop": .done,
            ]),
        ])
        let client = try await QMPClient.connect(path: server.path)
        defer { client.close() }
        try await OldSide.restore(client, settings: nil, resume: one.resume) { one.ended }
        let commands = server.transcript.fromClient.compactMap { try? JSONValue(parsing: $0)["execute"]?.string }
        #expect(commands.filter { $0 == "cont" || $0 == "stop" } == [one.command].compactMap(\.self))
    }
}
