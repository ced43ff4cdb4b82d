import ArgumentParser
import Glibc
import HyperFresh
import Logging

/// The options of every subcommand.
struct CommonOptions: ParsableArguments {
    @Flag(help: "Print JSON (docs/json.md) instead of text.")
    var json = false

    @Flag(
        name: .shortAndLong,
        help: "Log each QMP command and event, process and file to standard error; as HYPERFRESH_LOG=debug.")
    var verbose = false

    @Option(
        help: ArgumentHelp(
            """
            The state folder, with the journals and stack records. Default: $HYPERFRESH_STATE_DIR, else \
            /run/hyperfresh (root) or $XDG_RUNTIME_DIR/hyperfresh (other users).
            """,
            valueName: "folder"),
        completion: .directory)
    var stateDir: String?

    func validate() throws {
        guard let text = getenv("HYPERFRESH_LOG").map({ String(cString: $0) }), !text.isEmpty else { return }
        guard Logger.Level(rawValue: text) == nil else { return }
        let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("HYPERFRESH_LOG is '\(text)'; use one of \(levels).")
    }

    var host: Host { Host(stateDirectory: stateDir) }

    /// Writes to standard error; by default only warnings.
    var logger: Logger {
        var logger = Logger(label: "hyperfresh", factory: { StreamLogHandler.standardError(label: $0) })
        let chosen = getenv("HYPERFRESH_LOG").flatMap { Logger.Level(rawValue: String(cString: $0)) }
        logger.logLevel = verbose ? min(chosen ?? .debug, .debug) : chosen ?? .warning
        return logger
    }

    var style: OutputStyle { json ? .json : .text(.standardOutput) }
}

/// A verb of the command line.
protocol Verb: AsyncParsableCommand {
    var common: CommonOptions { get }
}

/// The output format of a subcommand.
enum OutputStyle {
    case text(Terminal)
    case json
}
