import ArgumentParser
import HyperFresh
import QMP

/// `hyperfresh qmp`.
struct QMPShellCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "qmp",
        abstract: "Talk to a guest's QMP monitor: one command, or a shell with completion.",
        discussion: """
            Without a command, a shell: Tab completes commands and arguments from QEMU's own schema, events appear as \
            they come, Ctrl-D ends it. With one, its reply is printed as JSON; exit status 1 if QEMU refuses it, 6 if its \
            reply was lost, so that it may have been carried out.

              hyperfresh qmp web-1 query-status
              hyperfresh qmp web-1 human-monitor-command command-line='info mtree'
              hyperfresh qmp web-1 '{"execute": "query-name"}'
            """
    )

    @Argument(help: "The guest: its name, its QEMU's pid, or the path of its QMP socket.")
    var guest: String

    @Argument(help: ArgumentHelp("A command with key=value arguments, or one JSON object.", valueName: "words"))
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
