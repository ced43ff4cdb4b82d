import JSON
import TestTools
import Testing

@testable import QMP

/// Feeds mutated replies to the guest agent session; anything in a hypervisor may replace the agent.
@Suite struct AgentFuzzTests {
    private static let status =
        #"{"return": {"exited": true, "exitcode": 0, "out-data": "aGVsbG8gd29ybGQ=", "err-data": "", "signal": 9}}"#

    private static let corpus = FuzzCorpus(
        inputs: [
            [0xFF] + Array(#"{"return": 7}"#.utf8) + [0x0A] + Array(#"{"return": {"pid": 4711}}"#.utf8) + [0x0A],
            Array(#"{"return": 6}{"error": {"class": "GenericError", "desc": "x"}}"#.utf8) + [0xFF]
                + Array(#"{"return": 6}{"return": {}}"#.utf8) + [0xFF] + Array("{\"return\": 7}\n\(status)\n".utf8),
            [0xFF] + Array("{\"return\": 7}\n\(status)\n\(status)\n".utf8),
            [0xFF] + Array("{\"return\": 7}\n{\"return\": {\"version\": \"7.2\", \"supported_commands\": []}}".utf8),
            [0xFF] + Array("{\"return\": 7}\n{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"é\"}}".utf8),
            Array(status.utf8), [0xFF, 0xFF, 0xFF],
        ],
        tokens: [
            "{\"return\": 7}", "{\"return\": 6}", "{\"return\": {}}", "\"exited\":", "\"out-data\":", "true", "=", "==",
            "AAAA", "{", "}", "\"", "\\u0000", "{\"error\":",
        ].map { Array($0.utf8) } + [[0xFF], [0xFF, 0x7B]])

    @Test func theSessionHoldsItsProperties() async {
        #expect(await Fuzz("agent", Self.corpus).run { try Self.check($0, below: $1) } == nil)
    }

    private static func check(_ input: [UInt8], below: (Int) -> Int) throws {
        try checkTalk(input, below)
        try checkSynchronising(input, below)
        for value in (try? JSONValue(parsing: input)).map({ [$0, $0["return"] ?? $0] }) ?? [] {
            _ = try? GuestExecStatus.reply(from: QMPReply(value, to: "guest-exec-status"))
            _ = try? GuestExec.reply(from: QMPReply(value, to: "guest-exec"))
            _ = try? GuestInfo.reply(from: QMPReply(value, to: "guest-info"))
        }
        guard Base64.decode(Base64.encode(input)) == input else { throw Fuzz.Violation("base64 changes the bytes") }
        _ = Base64.decode(String(decoding: input, as: UTF8.self))
    }

    /// As a connection uses it: one command at a time, each with one result.
    private static func checkTalk(_ input: [UInt8], _ below: (Int) -> Int) throws {
        var session = AgentSession(limits: JSONLimits(maximumBytes: 4096, maximumDepth: 32))
        session.synchronise(as: 7)
        var isWaiting = false
        var start = 0
        while start < input.count {
            let end = min(input.count, start + 1 + below(200))
            for effect in session.received(Array(input[start..<end])) {
                switch effect {
                case .synchronised:
                    guard !isWaiting else { throw Fuzz.Violation("in the middle of a command") }
                case .answered, .confused:
                    guard isWaiting else { throw Fuzz.Violation("an answer that nobody waits for") }
                    isWaiting = false
                }
            }
            if !isWaiting, session.isSynchronised {
                session.commandSent()
                isWaiting = true
            }
            start = end
        }
    }

    /// Synchronization succeeds whatever was sent before, and however it was divided.
    private static func checkSynchronising(_ input: [UInt8], _ below: (Int) -> Int) throws {
        let bytes = input.filter { $0 != 0x37 } + [0xFF] + Array("{\"return\": 7}\n".utf8)
        var session = AgentSession(limits: .standard)
        session.synchronise(as: 7)
        var start = 0
        let most = 1 + below(300)
        while start < bytes.count {
            let end = min(bytes.count, start + 1 + below(most))
            _ = session.received(Array(bytes[start..<end]))
            start = end
        }
        guard session.isSynchronised else { throw Fuzz.Violation("the two did not find together") }
    }
}
