import CanaryTesting
import Glibc
import JSON
import Testing

/// Runs the command that `swift build` has built, with a state folder that does not exist.
enum Command {
    static let path: String = {
        let parts = #filePath.split(separator: "/")
        return "/" + parts.dropLast(3).joined(separator: "/") + "/.build/debug/hyperfresh"
    }()

    /// A folder that is never created: subcommands that only read must work without it.
    private static let stateFolder = "/tmp/hyperfresh-commands-tests-\(getpid())/none"

    /// The environment of an interactive shell that does not turn colours off.
    private static let environment = ["HYPERFRESH_STATE_DIR": stateFolder, "TERM": "xterm", "NO_COLOR": ""]

    /// Runs the command with both outputs in files.
    static func run(
        _ arguments: [String], environment changes: [String: String] = [:]
    ) async throws -> ChildProgram.Result {
        try await ChildProgram.run(path, arguments, environment: environment.merging(changes) { $1 })
    }

    /// Runs a shell script in which `$0` is the command.
    static func shell(_ script: String, _ arguments: String...) async throws -> ChildProgram.Result {
        try await ChildProgram.run("/bin/bash", ["-c", script, path] + arguments, environment: environment)
    }

    /// Runs the command on a terminal; both outputs arrive as one.
    static func onTerminal(
        _ arguments: String, environment changes: [String: String] = [:]
    ) async throws -> ChildProgram.Result {
        try await ChildProgram.run(
            "script", ["--quiet", "--return", "--command", "'\(path)' \(arguments)", "/dev/null"],
            environment: environment.merging(changes) { $1 })
    }
}

extension ChildProgram.Result {
    /// The standard output as JSON, an object for each line; checks the keys that every line must have.
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

    /// Whether the outputs contain a sequence that moves the cursor or sets a colour.
    var hasEscapes: Bool { (output + errors).contains { $0 == "\u{1B}" || $0 == "\r" } }
}
