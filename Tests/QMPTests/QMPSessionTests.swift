import JSON
import Testing

@testable import QMP

@Suite struct QMPSessionTests {
    private static let greeting: JSONValue = [
        "QMP": ["version": ["qemu": ["major": 7, "minor": 2, "micro": 22], "package": ""], "capabilities": ["oob"]]
    ]

    private func greeted() throws -> QMPSession {
        var session = QMPSession()
        guard case .greeted(let greeting) = try session.received(Self.greeting) else {
            Issue.record("no greeting")
            return session
        }
        #expect(greeting == QMPGreeting(version: QEMUVersion(major: 7, minor: 2, micro: 22), capabilities: ["oob"]))
        return session
    }

    private func answeredID(_ effect: QMPSession.Effect) -> UInt64? {
        if case .answered(let id, _) = effect { id } else { nil }
    }

    private func isDropped(_ effect: QMPSession.Effect) -> Bool {
        if case .dropped = effect { true } else { false }
    }

    @Test func anEventMayComeBeforeTheGreeting() throws {
        var session = QMPSession()
        let event: JSONValue = ["event": "RESET", "timestamp": ["seconds": 1, "microseconds": 2]]
        #expect(isDropped(try session.received(event)))
        guard case .greeted = try session.received(Self.greeting) else {
            Issue.record("no greeting after an event")
            return
        }
    }

    @Test func repliesAreToldApartByID() throws {
        var session = try greeted()
        let first = try session.issue(isOutOfBand: false)
        let second = try session.issue(isOutOfBand: false)
        #expect(answeredID(try session.received(["return": [:], "id": JSONValue(second)])) == second)
        #expect(answeredID(try session.received(["return": [:], "id": JSONValue(first)])) == first)
    }

    @Test func anErrorWithoutIDBelongsToTheOldestInBandCommand() throws {
        var session = try greeted()
        let outOfBand = try session.issue(isOutOfBand: true)
        let first = try session.issue(isOutOfBand: false)
        let second = try session.issue(isOutOfBand: false)
        let error: JSONValue = ["error": ["class": "GenericError", "desc": "JSON parse error"]]
        #expect(answeredID(try session.received(error)) == first)
        #expect(answeredID(try session.received(error)) == second)
        #expect(isDropped(try session.received(error)))
        #expect(answeredID(try session.received(["return": [:], "id": JSONValue(outOfBand)])) == outOfBand)
    }

    @Test func anErrorWithoutIDForAnAbandonedCommandHarmsNoOther() throws {
        var session = try greeted()
        let first = try session.issue(isOutOfBand: false)
        let second = try session.issue(isOutOfBand: false)
        session.abandon(first)
        #expect(isDropped(try session.received(["error": ["class": "GenericError", "desc": "x"]])))
        #expect(answeredID(try session.received(["return": 1, "id": JSONValue(second)])) == second)
    }

    @Test func lateRepliesAreDropped() throws {
        var session = try greeted()
        let id = try session.issue(isOutOfBand: false)
        session.abandon(id)
        #expect(isDropped(try session.received(["return": [:], "id": JSONValue(id)])))
        #expect(isDropped(try session.received(["return": [:], "id": JSONValue(id)])))
    }

    @Test func aWithdrawnCommandIsNobodysOldest() throws {
        var session = try greeted()
        let first = try session.issue(isOutOfBand: false)
        let second = try session.issue(isOutOfBand: false)
        session.withdraw(first)
        #expect(answeredID(try session.received(["error": ["class": "GenericError", "desc": "x"]])) == second)
    }

    @Test func aReplyThatIsSuccessAndFailureIsUnusable() throws {
        var session = try greeted()
        let id = try session.issue(isOutOfBand: false)
        let abandoned = try session.issue(isOutOfBand: false)
        session.abandon(abandoned)
        let failure: JSONValue = ["class": "GenericError", "desc": "no"]
        let both: JSONValue = ["return": [:], "error": failure, "id": JSONValue(id)]
        guard case .unusable(id, let error) = try session.received(both) else {
            Issue.record("taken for something else")
            return
        }
        #expect(error.code == .unusableReply)
        #expect(isDropped(try session.received(["return": [:], "error": failure, "id": JSONValue(abandoned)])))
    }

    @Test(arguments: [
        #"{"return": {}, "error": {"class": "a", "desc": "b"}}"#, #"{"return": {}, "event": "STOP", "id": 1}"#,
        #"{"error": {"class": "a", "desc": "b"}, "event": "STOP", "id": 1}"#,
        #"{"return": {}, "error": {"class": "a", "desc": "b"}, "id": 9}"#,
        #"{"return": {}, "id": 9}"#, #"{"return": {}, "id": 0}"#, #"{"return": {}, "id": "1"}"#, #"{"return": {}}"#,
        #"{"return": {}, "id": -1}"#, #"{"QMP": {"version": {}}}"#, #"{"error": {}}"#, #"{"error": 1, "id": 1}"#,
        #"{"event": "STOP"}"#, #"{"event": 1, "timestamp": {"seconds": 1, "microseconds": 1}}"#, "[]", "1", "null",
        #"{"execute": "stop"}"#, "{}",
    ])
    func whatBreaksTheRulesEndsTheSession(text: String) throws {
        var session = try greeted()
        _ = try session.issue(isOutOfBand: false)
        let message = try JSONValue(parsing: text)
        let first = #expect(throws: QMPError.self) { try session.received(message) }
        #expect(first?.code == .protocolViolation)
        let second = #expect(throws: QMPError.self) { try session.received(["return": [:], "id": 1]) }
        #expect(second?.message == first?.message)
        #expect(throws: QMPError.self) { try session.issue(isOutOfBand: false) }
    }

    @Test(arguments: [
        "[]", "{}", "1", #"{"QMP": {}}"#, #"{"QMP": {"version": {"qemu": {"major": "7"}}}}"#, #"{"return": {}}"#,
        #"{"hello": "world"}"#,
    ])
    func whatDoesNotGreetIsNoMonitor(text: String) throws {
        var session = QMPSession()
        let message = try JSONValue(parsing: text)
        let error = #expect(throws: QMPError.self) { try session.received(message) }
        #expect(error?.code == .notQMP)
    }

    @Test func memoryOfUnansweredCommandsIsBounded() throws {
        var session = try greeted()
        for _ in 0..<(QMPSession.maximumUnanswered + 100) { session.abandon(try session.issue(isOutOfBand: false)) }
        let last = try session.issue(isOutOfBand: false)
        #expect(answeredID(try session.received(["return": [:], "id": JSONValue(last)])) == last)
    }
}
