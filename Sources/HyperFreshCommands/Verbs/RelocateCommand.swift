import ArgumentParser
import HyperFresh

/// `hyperfresh relocate`: move what runs to another operating system.
struct RelocateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relocate",
        abstract: "Move a running container to another operating system of this host.",
        subcommands: [RelocateContainerCommand.self]
    )
}

/// `hyperfresh relocate container`.
struct RelocateContainerCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "Move a running container from its OS VM to another one.",
        discussion: """
            Its memory is copied into an image store that both OS VMs can map, while it runs. Then it is frozen, what is left \
            is written, and CRIU restores it in the other OS VM; its connections stay. Until it is complete there, it can \
            go on where it was, and does if anything fails.
            """
    )

    @Argument(help: "The container's name.")
    var container: String

    @Option(help: ArgumentHelp("The OS VM that is to have it.", valueName: "os"))
    var to: String

    @Option(help: ArgumentHelp("The OS VM that has it: refuse if another one does.", valueName: "os"))
    var from: String?

    @Flag(help: "Do everything up to a copy of its memory, then remove it again. The container is never frozen.")
    var dryRun = false

    @Option(help: "Roll back if the container stands still for longer than this (500ms, 1.5s).")
    var maxDowntime = DurationArgument(.seconds(30))

    @Option(help: "Roll back if it is not committed by then.")
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
