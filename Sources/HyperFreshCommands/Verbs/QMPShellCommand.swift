import ArgumentParser
import HyperFresh
import QMP

/// `hyperfresh qmp`.
struct QMPShellCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "qmp",
        abstract: "Send a command to a guest's QMP monitor, or open an interactive shell.",
        discussion: """
            Without a command, opens a shell. Tab completes commands and arguments from QEMU's schema, events are \
            printed as they arrive, Ctrl-D exits.

            With a command, prints the reply as JSON. Exit status: 1 if QEMU rejects the command; 6 if the reply was \
            lost: QEMU may have executed the command.

            Examples:
              hyperfresh qmp web-1 query-status
              hyperfresh qmp web-1 human-monitor-command command-line='info mtree'
              hyperfresh qmp web-1 '{"execute": "query-name"}'
            """
    )

    @Argument(help: "The guest's name, its QEMU's pid, or the path of its QMP socket.")
    var guest: String

    @Argument(help: ArgumentHelp("A QMP command with key=value arguments, or one JSON object.", valueName: "words"))
    var words: [String] = []

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await reportingFailure(as: common.style) {
            let client = try await common.host.monitor(of: guest)
            defer { client.close() }
            let shell = QMPShell(client: client)
            if words.isEmpty {
                await shell.interact(name: guest)
            } else {
                let reply = try await shell.execute(words)
                if common.json { Console.out(json: reply) } else { QMPShell.show(reply) }
            }
        }
    }
}
