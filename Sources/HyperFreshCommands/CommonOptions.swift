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

    var host: Host { Host(stateDirectory: stateDir) }

    /// Creates the logger of a command; by default it writes only warnings.
    func logger(_ writer: LogWriter) -> Logger {
        let text = getenv("HYPERFRESH_LOG").map { String(cString: $0) } ?? ""
        let chosen = Logger.Level(rawValue: text)
        var logger = Logger(label: "hyperfresh", factory: { _ in LineLogHandler(writer) })
        logger.logLevel = verbose ? min(chosen ?? .debug, .debug) : chosen ?? .warning
        if chosen == nil, !text.isEmpty {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            // No error: an environment that is wrong must not keep an operator from `recover`.
            logger.warning("HYPERFRESH_LOG is '\(text)' and is ignored; use one of \(levels)")
        }
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
