import JSON
import QMP
import QMPTesting
import Testing

/// Programs run through a guest agent.
@Suite(.timeLimit(.minutes(1))) struct GuestExecTests {
    /// A client with its server.
    private final class Talk: Sendable {
        let server: ScriptedServer
        let client: QGAClient

        init(_ answers: [String: ScriptAnswer]) async throws {
            server = try ScriptedServer([.serve(answers.merging(["guest-sync-delimited": .agentSync]) { $1 })])
            client = try await QGAClient.connect(path: server.path)
        }
    }

    @Test func aProgramIsStartedAndItsOutputRead() async throws {
        let talk = try await Talk([
            "guest-exec": .success(["pid": 815]),
            "guest-exec-status": .success([
                "exited": true, "exitcode": 3, "out-data": "aGVsbG8K", "err-data": "/+//", "out-truncated": false,
            ]),
        ])
        let command = GuestExec("/bin/sh", ["-c", "cat; exit 3", "ä\"\n"], input: Array("hello\n".utf8))
        let pid = try await talk.client.execute(command)
        #expect(pid == 815)
        let status = try await talk.client.execute(GuestExecStatus(pid: pid))
        #expect(status.hasExited)
        #expect(status.exitCode == 3)
        #expect(status.signal == nil)
        #expect(status.output == Array("hello\n".utf8))
        #expect(status.errors == [0xFF, 0xEF, 0xFF])
        let sent = talk.server.transcript.fromClient.compactMap { try? JSONValue(parsing: Array($0.utf8)) }
        let arguments = sent.first { $0["execute"] == "guest-exec" }?["arguments"]
        #expect(arguments?["path"] == "/bin/sh")
        #expect(arguments?["arg"] == ["-c", "cat; exit 3", "ä\"\n"])
        #expect(arguments?["input-data"] == "aGVsbG8K")
        #expect(arguments?["capture-output"] == true)
        #expect(sent.first { $0["execute"] == "guest-exec-status" }?["arguments"] == ["pid": 815])
    }

    @Test func withoutInputNoneIsSent() {
        #expect(GuestExec("true").arguments["input-data"] == nil)
        #expect(GuestExec("true").arguments["arg"] == [])
    }

    @Test func aProgramThatRunsHasWrittenNothingYet() async throws {
        let talk = try await Talk(["guest-exec-status": .success(["exited": false])])
        let status = try await talk.client.execute(GuestExecStatus(pid: 1))
        #expect(!status.hasExited)
        #expect(status.exitCode == nil)
        #expect(status.output.isEmpty)
        #expect(status.errors.isEmpty)
    }

    @Test func aSignalIsNoExitStatus() async throws {
        let talk = try await Talk(["guest-exec-status": .success(["exited": true, "signal": 9])])
        let status = try await talk.client.execute(GuestExecStatus(pid: 1))
        #expect(status.hasExited)
        #expect(status.exitCode == nil)
        #expect(status.signal == 9)
    }

    @Test(
        arguments: [
            ["exited": true, "exitcode": 0, "out-data": "no base64"], ["exited": true, "err-data": 1], ["exitcode": 0],
            ["exited": "yes"], [],
        ] as [JSONValue])
    func anAgentThatBreaksItsRulesIsNotBelieved(answer: JSONValue) async throws {
        let talk = try await Talk(["guest-exec-status": .success(answer), "guest-exec": .success(answer)])
        let status = await #expect(throws: QMPError.self) { try await talk.client.execute(GuestExecStatus(pid: 1)) }
        #expect(status?.code == .unusableReply)
        let start = await #expect(throws: QMPError.self) { try await talk.client.execute(GuestExec("true")) }
        #expect(start?.code == .unusableReply)
    }

    @Test func whatTheAgentRefusesIsTold() async throws {
        let talk = try await Talk([
            "guest-exec": .failure("Failed to execute child process \"/no\" (No such file or directory)"),
            "guest-exec-status": .failure(errorClass: "GenericError", "PID 5 does not exist"),
        ])
        let start = await #expect(throws: QMPError.self) { try await talk.client.execute(GuestExec("/no")) }
        #expect(start?.refusal?.text.contains("No such file") == true)
        let status = await #expect(throws: QMPError.self) { try await talk.client.execute(GuestExecStatus(pid: 5)) }
        #expect(status?.refusal?.text == "PID 5 does not exist")
    }
}
