import CanaryTesting
import Glibc
import JSON
import Testing

/// The command that `swift build` has just built, with a state folder that is not there.
enum Command {
    static let path: String = {
        let parts = #filePath.split(separator: "/")
        return "/" + parts.dropLast(3).joined(separator: "/") + "/.build/debug/hyperfresh"
    }()

    /// A folder that nobody makes: reading verbs have to do without.
    private static let stateFolder = "/tmp/hyperfresh-commands-tests-\(getpid())/none"

    /// What a shell would have set for somebody who watches; nothing that turns colours off.
    private static let environment = ["HYPERFRESH_STATE_DIR": stateFolder, "TERM": "xterm", "NO_COLOR": ""]

    /// Runs it with both outputs in files.
    static func run(
        _ arguments: [String], environment changes: [String: String] = [:]
    ) async throws -> ChildProgram.Result {
        try await ChildProgram.run(path, arguments, environment: environment.merging(changes) { $1 })
    }

    /// Runs a shell script in which `$0` is the command.
    static func shell(_ script: String, _ arguments: String...) async throws -> ChildProgram.Result {
        try await ChildProgram.run("/bin/bash", ["-c", script, path] + arguments, environment: environment)
    }

    /// Runs it on a terminal; both outputs come as one.
    static func onTerminal(
        _ arguments: String, environment changes: [String: String] = [:]
    ) async throws -> ChildProgram.Result {
        try await ChildProgram.run(
            "script", ["--quiet", "--return", "--command", "'\(path)' \(arguments)", "/dev/null"],
            environment: environment.merging(changes) { $1 })
    }
}

extension ChildProgram.Result {
    /// Its standard output as JSON, an object a line, with the keys that each has.
    var lines: [JSONValue] {
        get throws {
            let lines = try output.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
            for line in lines {
                #expect(line["schema"] == 1, "\(self)")
                #expect(line["type"]?.string?.isEmpty == false, "\(self)")
            }
            return lines
        }
    }

    /// Whether anything in its outputs moves a cursor or sets a colour.
    var hasEscapes: Bool { (output + errors).contains { $0 == "\u{1B}" || $0 == "\r" } }
}
