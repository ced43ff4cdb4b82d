import JSON
import QMP
import QMPTesting
import Testing

@Suite(.timeLimit(.minutes(1))) struct QGAClientTests {
    /// A client with its server.
    private final class Talk: Sendable {
        let server: ScriptedServer
        let client: QGAClient

        init(_ steps: ScriptStep...) async throws {
            server = try ScriptedServer(steps)
            client = try await QGAClient.connect(path: server.path)
        }
    }

    private static let info: JSONValue = [
        "version": "7.2.22",
        "supported_commands": [
            ["name": "guest-ping", "enabled": true, "success-response": true],
            ["name": "guest-exec", "enabled": false, "success-response": true],
        ],
    ]

    @Test func findsTogetherAndExecutes() async throws {
        let talk = try await Talk(
            .text("{\"return\": \"left over\"}\n"),
            .serve(["guest-sync-delimited": .agentSync, "guest-ping": .done, "guest-info": .success(Self.info)])
        )
        try await talk.client.execute(GuestPing())
        let info = try await talk.client.execute(GuestInfo())
        #expect(info.version == "7.2.22")
        #expect(info.commands == ["guest-ping"])
        let error = await #expect(throws: QMPError.self) { try await talk.client.executeRaw("guest-nonsense") }
        #expect(error?.refusal?.isCommandNotFound == true)
        let syncs = talk.server.transcript.fromClient.filter { $0.contains("guest-sync-delimited") }
        #expect(syncs.count == 1)
    }

    @Test func commandsWaitTheirTurn() async throws {
        let talk = try await Talk(
            .serve(["guest-sync-delimited": .agentSync, "a": .success(1), "b": .success(2), "c": .success(3)])
        )
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<30 {
                let (name, value) = [("a", 1), ("b", 2), ("c", 3)][number % 3]
                group.addTask { try await talk.client.executeRaw(name).int == value }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func findsTogetherAgainAfterATimeout() async throws {
        let talk = try await Talk(
            .expect("guest-sync-delimited", .agentSync),
            .expect("slow", .later(.seconds(3), .success("late"))),
            .serve(["guest-sync-delimited": .agentSync, "quick": .success("right")])
        )
        let error = await #expect(throws: QMPError.self) {
            try await talk.client.executeRaw("slow", deadline: .milliseconds(100))
        }
        #expect(error?.code == .timeout)
        #expect(error?.isUnsent == false)
        #expect(try await talk.client.executeRaw("quick", deadline: .seconds(20)) == "right")
    }

    @Test func anAgentThatDoesNotRunIsSaidNotToListen() async throws {
        let talk = try await Talk(.hang)
        for _ in 0..<2 {
            let error = await #expect(throws: QMPError.self) {
                try await talk.client.execute(GuestPing(), deadline: .milliseconds(100))
            }
            #expect(error?.code == .timeout)
            #expect(error?.isUnsent == true)
            #expect(error?.message.contains("qemu-guest-agent") == true)
        }
    }

    @Test func aReplyThatIsSuccessAndFailureIsNeither() async throws {
        let both = #"{"return": {}, "error": {"class": "GenericError", "desc": "no"}}"# + "\n"
        let talk = try await Talk(
            .expect("guest-sync-delimited", .agentSync), .expect("guest-fsfreeze-freeze", .text(both)),
            .serve(["guest-sync-delimited": .agentSync, "guest-ping": .done])
        )
        let error = await #expect(throws: QMPError.self) { try await talk.client.executeRaw("guest-fsfreeze-freeze") }
        #expect(error?.code == .unusableReply)
        #expect(error?.leavesFateUnknown == true)
        try await talk.client.execute(GuestPing())
    }

    @Test func aCommandWithoutReplyDoesNotWaitForOne() async throws {
        let talk = try await Talk(
            .expect("guest-sync-delimited", .agentSync),
            .expect("guest-shutdown", .silence),
            .serve(["guest-sync-delimited": .agentSync, "guest-ping": .done])
        )
        try await talk.client.send("guest-shutdown", arguments: ["mode": "powerdown"])
        try await talk.client.execute(GuestPing())
    }

    @Test func theEndIsTold() async throws {
        let talk = try await Talk(.expect("guest-sync-delimited", .close))
        let error = await #expect(throws: QMPError.self) { try await talk.client.execute(GuestPing()) }
        #expect(error?.code == .disconnected)
        let dead = await #expect(throws: QMPError.self) { try await talk.client.execute(GuestPing()) }
        #expect(dead?.code == .disconnected)
        let closed = try await Talk(.hang)
        closed.client.close()
        await #expect(throws: QMPError.self) { try await closed.client.execute(GuestPing()) }
    }

    @Test func aCancelledWaitEndsAtOnce() async throws {
        let talk = try await Talk(.hang)
        let wait = Task { try await talk.client.executeRaw("a", deadline: .seconds(50)) }
        wait.cancel()
        let error = await #expect(throws: QMPError.self) { try await wait.value }
        #expect(error?.code == .cancelled)
    }
}
