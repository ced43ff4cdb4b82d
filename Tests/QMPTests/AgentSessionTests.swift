import JSON
import Testing

@testable import QMP

@Suite struct AgentSessionTests {
    private func isReady(_ session: borrowing AgentSession) -> Bool { session.isSynchronised }

    private func text(_ effects: [AgentSession.Effect]) -> [String] {
        effects.map { effect in
            switch effect {
            case .synchronised: "synchronised"
            case .answered(.success(let value)): "\(value)"
            case .answered(.failure(let refusal)): refusal.errorClass
            case .confused: "confused"
            }
        }
    }

    @Test(arguments: [1, 2, 3, 1000])
    func whatIsOldIsSkipped(pieces: Int) {
        var session = AgentSession(limits: .standard)
        session.synchronise(as: 7)
        do { let ready = isReady(session); #expect(ready == false) }
        let old = #"{"return": 7}{"error": {"class": "GenericError", "desc": "Invalid JSON"}} half a {"#
        let bytes =
            Array(old.utf8) + [0xFF] + Array("{\"return\": 6}\n".utf8) + [0xFF] + Array("{\"return\": 7}\n".utf8)
        var seen: [String] = []
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            seen += text(session.received(Array(bytes[start..<min(bytes.count, start + pieces)])))
        }
        #expect(seen == ["synchronised"])
        do { let ready = isReady(session); #expect(ready == true) }
    }

    @Test func repliesBelongToTheCommandUnderWay() {
        var session = AgentSession(limits: .standard)
        session.synchronise(as: 1)
        _ = session.received([0xFF] + Array("{\"return\": 1}\n".utf8))
        session.commandSent()
        do { let ready = isReady(session); #expect(ready == false) }
        #expect(text(session.received(Array(#"{"return": {"a": 1}}"#.utf8))) == [#"{"a":1}"#])
        session.commandSent()
        let error = #"{"error": {"class": "CommandNotFound", "desc": "x"}}"#
        #expect(text(session.received(Array(error.utf8))) == ["CommandNotFound"])
        do { let ready = isReady(session); #expect(ready == true) }
    }

    @Test(arguments: ["garbage", "[]", "{}", "{\"error\": 1}", "\u{0}", "]"])
    func garbageInsteadOfAReplyIsNoReply(garbage: String) {
        var session = AgentSession(limits: .standard)
        session.synchronise(as: 1)
        _ = session.received([0xFF] + Array("{\"return\": 1}\n".utf8))
        session.commandSent()
        #expect(text(session.received(Array(garbage.utf8))) == ["confused"])
        do { let ready = isReady(session); #expect(ready == false) }
        session.synchronise(as: 2)
        #expect(text(session.received(Array("{\"return\": 2}".utf8))) == [])
        #expect(text(session.received([0xFF] + Array("{\"return\": 2}".utf8))) == ["synchronised"])
    }

    @Test func whatComesUnaskedIsNotTrusted() {
        var session = AgentSession(limits: .standard)
        session.synchronise(as: 1)
        _ = session.received([0xFF] + Array("{\"return\": 1}\n".utf8))
        #expect(text(session.received(Array(#"{"return": {}}"#.utf8))) == [])
        do { let ready = isReady(session); #expect(ready == false) }
    }

    @Test func afterALossNothingIsTaken() {
        var session = AgentSession(limits: .standard)
        session.synchronise(as: 1)
        _ = session.received([0xFF] + Array("{\"return\": 1}\n".utf8))
        session.commandSent()
        session.lose()
        #expect(text(session.received(Array(#"{"return": "late"}"#.utf8))) == [])
        do { let ready = isReady(session); #expect(ready == false) }
    }
}
