import ArgumentParser
import HyperFresh

/// `hyperfresh refresh hypervisor`.
struct RefreshHypervisorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hypervisor",
        abstract: "Put a fresh hypervisor beneath all guests of one.",
        discussion: """
            A fresh hypervisor boots beside the old one, with every guest's memory attached to both. Each guest is then \
            handed over, with a commit of its own, and the old hypervisor is ended when it has no guest left. A guest that \
            cannot be handed over stays where it is; run the same again to move the rest.
            """
    )

    @Argument(help: "The hypervisor's name.")
    var hypervisor: String

    @Option(
        help: ArgumentHelp(
            "The image of the new one: a name in the image cache, or an image's folder. Default: the stack file's.",
            valueName: "image"),
        completion: .directory)
    var image: String?

    @Flag(help: "Do everything up to linked guests in a new hypervisor, then remove it again. No guest pauses.")
    var dryRun = false

    @Option(help: "How many guests may be stopped at once.")
    var parallel = 1

    @Option(help: "Roll a guest back if it is stopped for longer than this (100ms, 1.5s).")
    var maxDowntime = DurationArgument(.seconds(2))

    @Option(help: "Roll back what is not committed by then.")
    var timeout = DurationArgument(.seconds(600))

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if parallel < 1 { throw ValidationError("--parallel is 1 or more.") }
    }

    func run() async throws {
        var request = HypervisorRefreshRequest(hypervisor: hypervisor)
        request.image = image
        request.isRehearsal = dryRun
        request.parallelism = parallel
        request.maximumDowntime = maxDowntime.duration
        request.timeout = timeout.duration
        let refresh = common.host().refresh(request)
        InterruptSignals.handle { refresh.cancel() }
        var view = HypervisorRefreshView(style: common.style)
        for await progress in refresh.progress { view.show(progress) }
        throw ExitCode(view.exitCode)
    }
}
