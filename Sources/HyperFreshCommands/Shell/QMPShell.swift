import Glibc
import HyperFresh
import JSON
import QMP

/// Sends commands given as words to a monitor, and prints the replies.
struct QMPShell {
    let client: QMPClient

    /// Executes `command key=value …`, or one JSON object `{"execute": …, "arguments": {…}}`.
    func execute(_ words: [String], schema: QMPSchema? = nil) async throws(HyperFreshError) -> JSONValue {
        do throws(QMPError) {
            if words.count == 1, words[0].hasPrefix("{") { return try await execute(json: words[0]) }
            let arguments: [String: JSONValue]
            if words.count > 1 {
                let schema = if let schema { schema } else { try await client.execute(QueryQMPSchema()) }
                arguments = try schema.arguments(from: words.dropFirst(), for: words[0])
            } else {
                arguments = [:]
            }
            return try await client.executeRaw(words[0], arguments: arguments)
        } catch {
            throw HyperFreshError.monitor(error)
        }
    }

    private func execute(json text: String) async throws(QMPError) -> JSONValue {
        guard let command = try? JSONValue(parsing: text), let name = command["execute"]?.string else {
            throw QMPError(.invalidCommand, "the command must have the form {\"execute\": NAME, \"arguments\": {...}}")
        }
        return try await client.executeRaw(name, arguments: command["arguments"]?.object ?? [:])
    }

    /// Reads and executes commands until the end of input, and prints events as they arrive.
    func interact(name: String) async {
        let schema = try? await client.execute(QueryQMPSchema())
        let terminal = Terminal.standardOutput
        let isTerminal = isatty(STDIN_FILENO) == 1
        if isTerminal {
            Console.out("Connected to QEMU \(client.greeting.version). Tab completes, Ctrl-D exits.")
        }
        let tap = client.tap { message in
            guard case .success(let event) = message else { return }
            let line = terminal.paint("\(event.name) \(JSONValue.object(event.data).encoded())", .yellow)
            Console.out(isTerminal ? "\(Terminal.restartLine)\(line)" : line)
        }
        defer { tap.cancel() }
        var editor = LineEditor(prompt: isTerminal ? "\(name)> " : "") { line in
            schema?.completions(for: line.split(separator: " ", omittingEmptySubsequences: false).map(String.init))
                ?? []
        }
        while let line = editor.readLine() {
            await answer(line, schema: schema)
        }
    }

    /// Prints a string (the human monitor's output) as text, anything else as JSON.
    static func show(_ reply: JSONValue) {
        if let text = reply.string {
            Console.write(.lines(text), to: STDOUT_FILENO)
        } else {
            Console.out(json: reply, pretty: true)
        }
    }

    private func answer(_ line: String, schema: QMPSchema?) async {
        do throws(HyperFreshError) {
            let words = line.hasPrefix("{") ? [line] : try ShellText.split(line)
            guard !words.isEmpty else { return }
            Self.show(try await execute(words, schema: schema))
        } catch {
            FailureReport.show(error)
        }
    }
}
