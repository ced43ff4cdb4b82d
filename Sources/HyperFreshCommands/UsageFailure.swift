import ArgumentParser
import HyperFresh

/// Reports wrong arguments as text or, with `--json`, as an `error` document.
enum UsageFailure {
    /// Prints the error and a suggestion, and exits with status 64.
    static func exit(with error: any Error, arguments: [String]) -> Never {
        let proposal = proposal(for: arguments)
        if arguments.prefix(while: { $0 != "--" }).contains("--json") {
            let remedy =
                proposal ?? "`hyperfresh --help` lists the commands; `hyperfresh COMMAND --help` describes one."
            Console.out(json: HyperFreshError.misuse(HyperFreshCommand.message(for: error), remedy: remedy).json)
        } else {
            Console.error(.lines(HyperFreshCommand.fullMessage(for: error)))
            if let proposal { Console.error("→ \(proposal)") }
        }
        HyperFreshCommand.exit(withError: ExitCode.validationFailure)
    }

    /// Returns a suggestion if a subcommand is unknown, else `nil`.
    static func proposal(for arguments: [String]) -> String? {
        var path = "hyperfresh"
        var command: any ParsableCommand.Type = HyperFreshCommand.self
        var rest = arguments[...]
        while let word = rest.popFirst(), !word.hasPrefix("-") {
            let verbs = command.configuration.subcommands.filter { $0.configuration.shouldDisplay }
            guard !verbs.isEmpty else { return nil }
            if let verb = verbs.first(where: { name(of: $0) == word }) {
                path += " \(word)"
                command = verb
                continue
            }
            guard word != "help" else { return nil }
            let names = verbs.map(name)
            if let near = nearest(to: word, among: names) { return "Did you mean `\(path) \(near)`?" }
            // `refresh web-1`: the kind of subject is missing.
            if path != "hyperfresh" {
                return "Use " + names.map { "`\(path) \($0) \(word)`" }.joined(separator: " or ") + "."
            }
            return "Available commands: \(names.joined(separator: ", "))."
        }
        return nil
    }

    private static func name(of command: any ParsableCommand.Type) -> String { command.configuration.commandName ?? "" }

    /// Returns the name of which `word` may be a misspelling or an abbreviation.
    private static func nearest(to word: String, among names: [String]) -> String? {
        let distances = names.map { name in (name: name, distance: name.hasPrefix(word) ? 0 : edits(word, name)) }
        let best = distances.min { $0.distance < $1.distance }
        return best.flatMap { $0.distance <= max(1, word.count / 3) && !word.isEmpty ? $0.name : nil }
    }

    /// Returns the edit distance of two words: how many characters to change, add, remove or swap with their neighbour.
    ///
    /// The algorithm is optimal string alignment.
    private static func edits(_ from: String, _ to: String) -> Int {
        let (from, to) = (Array(from), Array(to))
        var table = [[Int]](repeating: [Int](repeating: 0, count: to.count + 1), count: from.count + 1)
        for row in 0...from.count {
            for column in 0...to.count {
                guard row > 0, column > 0 else {
                    table[row][column] = max(row, column)
                    continue
                }
                let isSame = from[row - 1] == to[column - 1]
                var best = min(table[row - 1][column], table[row][column - 1]) + 1
                best = min(best, table[row - 1][column - 1] + (isSame ? 0 : 1))
                if row > 1, column > 1, from[row - 1] == to[column - 2], from[row - 2] == to[column - 1] {
                    best = min(best, table[row - 2][column - 2] + 1)
                }
                table[row][column] = best
            }
        }
        return table[from.count][to.count]
    }
}
