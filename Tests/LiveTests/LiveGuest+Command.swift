import CanaryTesting
import HyperFresh
import JSON
import Linux
import Testing

extension LiveGuest {
    /// Starts the real command with the guest's own state folder; `fault` names the point where it dies or stops, as in
    /// FaultPoint.swift.
    func start(_ arguments: [String], fault: String? = nil) throws -> ChildProgram {
        var environment = ["HYPERFRESH_STATE_DIR": host.stateDirectory]
        environment["HYPERFRESH_FAULT"] = fault ?? ""
        return try ChildProgram(Live.command, arguments, environment: environment)
    }

    func command(_ arguments: String..., fault: String? = nil) async throws -> ChildProgram.Result {
        try await start(arguments, fault: fault).result()
    }

    /// Starts `refresh guest --json`, to be observed while it runs.
    func startRefresh(_ arguments: String..., fault: String? = nil) throws -> ChildProgram {
        try start(["refresh", "guest", canary.files.qmp, "--json"] + arguments, fault: fault)
    }

    /// Returns the running and unfinished handoffs, as reported by the command.
    func status() async throws -> [JSONValue] {
        let result = try await command("status", "--json")
        #expect(result.ending == .exited(0), "\(result)")
        return try #require(result.document["items"]?.array)
    }
}

extension ChildProgram {
    /// Waits until a fault has stopped it.
    func waitUntilStopped(within deadline: Duration = .seconds(30)) async throws {
        let end = ContinuousClock.now + deadline
        while !isStopped {
            try #require(ContinuousClock.now < end && !hasEnded, "it never stood still: \(outputSoFar)\(errorsSoFar)")
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}

extension ChildProgram.Result {
    /// Its standard output as the single JSON document that it must be.
    var document: JSONValue {
        get throws { try JSONValue(parsing: output) }
    }

    /// Its standard output as JSON, one value a line.
    var lines: [JSONValue] {
        get throws { try output.split(separator: "\n").map { try JSONValue(parsing: String($0)) } }
    }

    /// Whether it is a recovery that left nothing to do, with the matching status: 0, or 6 after a loss.
    var isSettledRecovery: Bool {
        get throws {
            let items = try document["items"]?.array ?? []
            let isLoss = items.contains { $0["outcome"] == "lost" }
            return ending == .exited(isLoss ? 6 : 0) && items.allSatisfy { $0["settled"] == true }
        }
    }

    /// The `result` line, which must be the last one and agree with the exit status.
    var report: JSONValue {
        get throws {
            let last = try #require(try lines.last, "\(self)")
            #expect(last["type"] == "result", "\(self)")
            #expect(last["exit_code"]?.int == status.map(Int.init), "\(self)")
            return last
        }
    }
}
