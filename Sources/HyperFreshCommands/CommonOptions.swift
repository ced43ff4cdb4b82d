import ArgumentParser
import HyperFresh
import Logging

/// What every verb understands.
struct CommonOptions: ParsableArguments {
    @Flag(help: "Print JSON (docs/json.md) instead of text.")
    var json = false

    @Flag(name: .shortAndLong, help: "Say on standard error what is being done.")
    var verbose = false

    @Option(
        help: ArgumentHelp(
            "Where handoffs are recorded. Default: $HYPERFRESH_STATE_DIR, else /run/hyperfresh for root.",
            valueName: "folder"),
        completion: .directory)
    var stateDir: String?

    func host() -> Host {
        var logger = Logger(label: "hyperfresh", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = verbose ? .debug : .error
        return Host(stateDirectory: stateDir, logger: logger)
    }

    var style: OutputStyle { json ? .json : .text(.standardOutput) }
}

/// How a verb prints.
enum OutputStyle {
    case text(Terminal)
    case json
}
