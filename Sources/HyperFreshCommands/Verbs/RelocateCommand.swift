import ArgumentParser
import HyperFresh

/// `hyperfresh relocate`: moves a container to another OS VM.
struct RelocateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relocate",
        abstract: "Move a running container to another OS VM of this host.",
        subcommands: [RelocateContainerCommand.self]
    )
}

/// `hyperfresh relocate container`.
struct RelocateContainerCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "Move a running container to another OS VM of this host.",
        discussion: """
            Copies the container's memory into an image store that both OS VMs map, while the container runs. Then \
            freezes the container, writes the pages that changed, and restores it in the other OS VM with CRIU. The \
            container keeps its network connections.

            If anything fails before the commit, the container resumes in its old OS VM.
            """
    )

    @Argument(help: "The container's name.")
    var container: String

    @Option(help: ArgumentHelp("The destination OS VM.", valueName: "os"))
    var to: String

    @Option(help: ArgumentHelp("Refuse unless the container is in this OS VM.", valueName: "os"))
    var from: String?

    @Flag(help: "Prepare the relocation and copy the memory, then undo it. The container is never frozen.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Roll back if the container is stopped for longer than this (such as 500ms, 1.5s).", valueName: "duration"))
    var maxDowntime = DurationArgument(.seconds(30))

    @Option(help: ArgumentHelp("Roll back if the handoff has not committed after this time.", valueName: "duration"))
    var timeout = DurationArgument(.seconds(300))

    @OptionGroup var common: CommonOptions

    func run() async throws {
        var request = RelocationRequest(container: container, to: to)
        request.source = from
        request.isRehearsal = dryRun
        request.maximumDowntime = maxDowntime.duration
        request.timeout = timeout.duration
        throw ExitCode(await OperationView.follow(common.host.relocate(request), style: common.style))
    }
}
