import CanaryTesting
import JSON
import Testing

/// Help, usage errors and output forms of the command; needs no guest.
@Suite struct CommandTests {
    private static let verbs: [[String]] = [
        ["list"], ["plan"], ["plan", "guest"], ["refresh"], ["refresh", "guest"], ["recover"], ["status"], ["history"],
        ["doctor"], ["qmp"], ["up"], ["down"], ["ps"],
    ]

    // MARK: - Help

    @Test(arguments: verbs) func everyVerbExplainsItself(verb: [String]) async throws {
        for arguments in [verb + ["--help"], verb + ["-h"], ["help"] + verb] {
            let result = try await Command.run(arguments)
            #expect(result.ending == .exited(0), "\(result)")
            #expect(result.output.contains("USAGE: hyperfresh \(verb.joined(separator: " "))"), "\(result)")
            #expect(result.errors.isEmpty, "\(result)")
            #expect(!result.hasEscapes)
        }
    }

    @Test(arguments: [[], ["--help"], ["help"]]) func everythingIsSaidAtTheTop(arguments: [String]) async throws {
        let result = try await Command.run(arguments)
        #expect(result.ending == .exited(0), "\(result)")
        for verb in Self.verbs { #expect(result.output.contains("\n  \(verb[0]) "), "\(verb): \(result)") }
        #expect(result.output.contains("64  usage error"), "\(result)")
        #expect(result.errors.isEmpty, "\(result)")
    }

    @Test func theVersionIsOneLine() async throws {
        let result = try await Command.run(["--version"])
        #expect(result.ending == .exited(0))
        #expect(result.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(result)")
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func shellsGetTheirCompletions(shell: String) async throws {
        let result = try await Command.run(["--generate-completion-script", shell])
        #expect(result.ending == .exited(0))
        for word in ["hyperfresh", "refresh", "max-downtime"] { #expect(result.output.contains(word), "\(shell)") }
        let generate = "\"$0\" --generate-completion-script \(shell)"
        let check = "command -v \(shell) >/dev/null || exit 0; \(generate) | \(shell) -n"
        let checked = try await Command.shell(check)
        #expect(checked.ending == .exited(0), "\(checked)")
        #expect(checked.errors.isEmpty, "\(checked)")
    }

    // MARK: - Usage

    private static let misuses: [[String]] = [
        ["nonsense"], [""], ["--nonsense"], ["list", "--nonsense"], ["list", "superfluous"], ["refresh", "web-1"],
        ["refresh", "guest"], ["refresh", "guest", "a", "b"], ["refresh", "guest", "a", "--qmp", "b"],
        ["refresh", "guest", "a", "--to"], ["refresh", "guest", "a", "--timeout", "0"],
        ["refresh", "guest", "a", "--timeout", "soon"], ["refresh", "guest", "a", "--timeout", "-1s"],
        ["refresh", "guest", "a", "--max-downtime", "1e999"], ["refresh", "guest", "a", "--max-downtime", "25000m"],
        ["plan", "guest"], ["history", "--limit", "0"], ["history", "--limit", "99999999999999999999"], ["qmp"],
        ["--generate-completion-script", "nonsense"],
    ]

    @Test(arguments: misuses) func wrongArgumentsAreAUsageError(arguments: [String]) async throws {
        let result = try await Command.run(arguments)
        #expect(result.ending == .exited(64), "\(result)")
        #expect(result.output.isEmpty, "\(result)")
        #expect(result.errors.hasPrefix("Error: "), "\(result)")
        #expect(result.errors.contains("--help"), "\(result)")
        #expect(!result.hasEscapes)
    }

    @Test(arguments: misuses) func wrongArgumentsAreToldInJSONToo(arguments: [String]) async throws {
        let result = try await Command.run(["--json"] + arguments)
        #expect(result.ending == .exited(64), "\(result)")
        let lines = try result.lines
        #expect(lines.count == 1, "\(result)")
        #expect(lines.first?["type"] == "error")
        #expect(lines.first?["exit_code"] == 64)
        #expect(lines.first?["message"]?.string?.isEmpty == false, "\(result)")
        #expect(lines.first?["remedy"]?.string?.isEmpty == false, "\(result)")
        #expect(result.errors.isEmpty, "\(result)")
    }

    @Test(arguments: [
        (["refrsh"], "hyperfresh refresh"), (["lits"], "hyperfresh list"), (["stat"], "hyperfresh status"),
        (["plan", "gest", "web-1"], "hyperfresh plan guest"),
    ]) func whatWasProbablyMeantIsProposed(arguments: [String], proposal: String) async throws {
        let result = try await Command.run(arguments)
        #expect(result.errors.contains("Did you mean `\(proposal)`?"), "\(result)")
    }

    @Test func whatToRefreshIsAskedFor() async throws {
        let result = try await Command.run(["refresh", "web-1"])
        #expect(result.errors.contains("→ Use `hyperfresh refresh guest web-1`"), "\(result)")
    }

    @Test func whatIsFarFromEverythingGetsTheListOfVerbs() async throws {
        let result = try await Command.run(["frobnicate"])
        #expect(result.errors.contains("Available commands: list, plan, refresh"), "\(result)")
        #expect(!result.errors.contains("Did you mean"), "\(result)")
    }

    // MARK: - Output for programs and people

    @Test(arguments: [["list"], ["status"], ["recover"], ["history"], ["doctor"]])
    func documentsAreOneLineForPrograms(verb: [String]) async throws {
        let result = try await Command.run(verb + ["--json"])
        #expect([0, 3].contains(result.status), "\(result)")
        let lines = try result.lines
        #expect(lines.count == 1, "\(result)")
        #expect(lines.first?["items"]?.array != nil, "\(result)")
        #expect(result.errors.isEmpty, "\(result)")
    }

    @Test func aRefreshOfNobodyIsToldLineByLine() async throws {
        let result = try await Command.run(["refresh", "guest", "nobody-by-this-name", "--json"])
        #expect(result.ending == .exited(64), "\(result)")
        let lines = try result.lines
        #expect(lines.dropLast().allSatisfy { $0["type"] == "phase" }, "\(result)")
        #expect(lines.last?["type"] == "result")
        #expect(lines.last?["outcome"] == "no-guest")
        #expect(lines.last?["exit_code"] == 64)
        #expect(result.errors.isEmpty)
    }

    @Test(arguments: [["refresh", "guest"], ["plan", "guest"], ["qmp"]])
    func failuresGoToStandardError(verb: [String]) async throws {
        let result = try await Command.run(verb + ["nobody-by-this-name"])
        #expect(result.ending == .exited(64), "\(result)")
        #expect(!result.output.contains("nobody-by-this-name"), "\(result)")
        #expect(result.errors.contains("nobody-by-this-name"), "\(result)")
        #expect(result.errors.contains("→ "), "\(result)")
        #expect(!result.hasEscapes)
    }

    @Test(arguments: [["list"], ["status"], ["recover"], ["history"], ["doctor"]])
    func filesGetPlainText(verb: [String]) async throws {
        let result = try await Command.run(verb)
        #expect([0, 3].contains(result.status), "\(result)")
        #expect(!result.hasEscapes, "\(result)")
    }

    // MARK: - Terminals

    @Test func aTerminalShowsProgressAndColours() async throws {
        let result = try await Command.onTerminal("refresh guest nobody-by-this-name")
        #expect(result.ending == .exited(64), "\(result)")
        #expect(result.output.contains("\r\u{1B}[K  \u{1B}[33m…\u{1B}[0m preflight"), "\(result)")
        #expect(result.output.contains("\u{1B}[31m✗\u{1B}[0m preflight"), "\(result)")
    }

    @Test(arguments: [["NO_COLOR": "1"], ["TERM": "dumb"]])
    func coloursCanBeTurnedOff(environment: [String: String]) async throws {
        for arguments in ["refresh guest nobody-by-this-name", "doctor", "list", "history"] {
            let result = try await Command.onTerminal(arguments, environment: environment)
            #expect(!result.output.contains(/\u{1B}\[[0-9;]*m/), "\(result)")
            if environment["TERM"] == "dumb" { #expect(!result.output.contains("\u{1B}"), "\(result)") }
        }
    }

    @Test func whatSomebodyElseWroteDoesNotSteerTheTerminal() async throws {
        let result = try await Command.shell("\"$0\" plan guest \"$1\"", "\u{1B}]0;title\u{7}\u{9B}2J\nforged: line")
        #expect(result.ending == .exited(64), "\(result)")
        #expect(!result.hasEscapes, "\(result)")
        #expect(result.errors.contains("\\u{1B}]0;title\\u{7}\\u{9B}2J\\u{A}forged: line"), "\(result)")
    }

    // MARK: - Closed outputs

    @Test(arguments: ["list", "doctor", "--help", "refresh guest nobody-by-this-name --json", "history --json"])
    func aReaderThatGoesAwayCausesNoCrash(arguments: String) async throws {
        let result = try await Command.shell("\"$0\" \(arguments) | head -c 0; exit ${PIPESTATUS[0]}")
        // The usual status, or death by SIGPIPE, which a shell expects.
        #expect([0, 3, 64, 128 + 13].contains(result.status), "\(result)")
    }

    @Test(arguments: ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
    func closedStreamsAreNoFailure(redirection: String) async throws {
        let result = try await Command.shell("exec \"$0\" list --json \(redirection)")
        #expect(result.ending == .exited(0), "\(result)")
    }
}
