import QMP
import QMPTesting
import Testing

@testable import HyperFresh

/// The errors of `hyperfresh qmp` for a command without a regular reply.
@Suite(.timeLimit(.minutes(1))) struct MonitorErrorTests {
    private func failure(of name: String, _ answer: ScriptAnswer) async throws -> HyperFreshError {
        let server = try ScriptedServer([.greet(), .negotiate, .expect(name, answer), .drain])
        let client = try await QMPClient.connect(path: server.path)
        let error = await #expect(throws: QMPError.self) {
            try await client.executeRaw(name, deadline: .milliseconds(300))
        }
        return HyperFreshError.monitor(try #require(error))
    }

    @Test(arguments: [ScriptAnswer.close, .silence])
    func aLostReplyLeavesTheFateUnknown(answer: ScriptAnswer) async throws {
        let error = try await failure(of: "system_reset", answer)
        #expect(error.exitCode == 6)
        #expect(error.guestState?.contains("unknown whether QEMU executed 'system_reset'") == true, "\(error)")
        #expect(error.remedy.contains("query-status"))
    }

    @Test(arguments: [ScriptAnswer.close, .silence])
    func aQuestionWithoutAnswerChangesNothing(answer: ScriptAnswer) async throws {
        let error = try await failure(of: "query-status", answer)
        #expect(error.exitCode == 1)
        #expect(error.guestState?.contains("unknown") == false, "\(error)")
    }

    @Test func aRefusalIsNoDoubt() async throws {
        let error = try await failure(of: "system_reset", .failure("no"))
        #expect(error.exitCode == 1)
        #expect(error.evidence == ["GenericError: no"])
        #expect(error.guestState?.contains("not execute") == true, "\(error)")
    }

    @Test func whatWasNeverSentIsNoDoubt() async throws {
        let server = try ScriptedServer([.greet(), .negotiate, .close])
        let client = try await QMPClient.connect(path: server.path)
        _ = try? await client.events().next(within: .seconds(5))
        let error = await #expect(throws: QMPError.self) { try await client.executeRaw("system_reset") }
        #expect(HyperFreshError.monitor(try #require(error)).exitCode == 1)
    }
}
