import ArgumentParser
import HyperFresh

/// `hyperfresh refresh hypervisor`.
struct RefreshHypervisorCommand: Verb {
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

    @OptionGroup var bounds: StackRefreshOptions
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await bounds.refresh(HypervisorRefreshRequest(hypervisor: hypervisor), common)
    }
}

/// `hyperfresh refresh os`.
struct RefreshSystemCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "os",
        abstract: "Put a fresh operating system beneath all containers of one.",
        discussion: """
            A fresh OS VM boots beside the old one. Each container is relocated to it, with a commit of its own, and the old \
            OS VM is ended when it has no container left. A container that cannot be relocated stays where it is; run the \
            same again to move the rest.
            """
    )

    @Argument(help: "The OS VM's name.")
    var system: String

    @OptionGroup var bounds: StackRefreshOptions
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await bounds.refresh(HypervisorRefreshRequest(system: system), common)
    }
}

/// What a refresh of a hypervisor and that of an OS VM are told alike.
struct StackRefreshOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The image of the new one: a name in the image cache, or an image's folder. Default: the stack file's.",
            valueName: "image"),
        completion: .directory)
    var image: String?

    @Flag(help: "Do everything up to linked guests or containers in a new one, then remove it again. Nothing pauses.")
    var dryRun = false

    @Option(help: "How many guests or containers may be stopped at once.")
    var parallel = 1

    @Option(
        help:
            "Roll a guest or container back if it is stopped for longer than this (100ms, 1.5s). Default: 2s for guests, 30s for containers."
    )
    var maxDowntime: DurationArgument?

    @Option(help: "Roll back what is not committed by then.")
    var timeout = DurationArgument(.seconds(600))

    func validate() throws {
        if parallel < 1 { throw ValidationError("--parallel is 1 or more.") }
    }

    func refresh(_ wish: HypervisorRefreshRequest, _ common: CommonOptions) async throws {
        var request = wish
        request.image = image
        request.isRehearsal = dryRun
        request.parallelism = parallel
        request.maximumDowntime = maxDowntime?.duration ?? wish.maximumDowntime
        request.timeout = timeout.duration
        throw ExitCode(await OperationView.follow(common.host.refresh(request), style: common.style))
    }
}
