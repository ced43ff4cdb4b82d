import ArgumentParser
import HyperFresh

/// `hyperfresh refresh hypervisor`.
struct RefreshHypervisorCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "hypervisor",
        abstract: "Replace a hypervisor beneath its running guests.",
        discussion: """
            Boots a new hypervisor next to the old one and attaches every guest's memory to both. Then hands the \
            guests over one by one; each handoff commits on its own. Ends the old hypervisor when it has no guests left.

            A guest that cannot be handed over stays on the old hypervisor. To move the remaining guests, run the same \
            command again.
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
        abstract: "Replace an OS VM beneath its running containers.",
        discussion: """
            Boots a new OS VM next to the old one, then relocates the containers one by one; each relocation commits \
            on its own. Ends the old OS VM when it has no containers left.

            A container that cannot be relocated stays in the old OS VM. To move the remaining containers, run the \
            same command again.
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

/// The options that `refresh hypervisor` and `refresh os` share.
struct StackRefreshOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The image to boot: a name in the image cache, or an image folder. Default: the image in the stack file.",
            valueName: "image"),
        completion: .directory)
    var image: String?

    @Flag(help: "Boot the new VM, check every guest or container in it, then end it. Nothing is paused.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "The number of guests or containers that may be stopped at the same time.", valueName: "number"))
    var parallel = 1

    @Option(
        help: ArgumentHelp(
            """
            Roll back a guest or container that is stopped for longer than this (such as 100ms, 1.5s). Default: 2s for \
            guests, 30s for containers.
            """,
            valueName: "duration"))
    var maxDowntime: DurationArgument?

    @Option(
        help: ArgumentHelp(
            "Roll back guests and containers that have not committed after this time.", valueName: "duration"))
    var timeout = DurationArgument(.seconds(600))

    func validate() throws {
        if parallel < 1 { throw ValidationError("--parallel must be at least 1.") }
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
