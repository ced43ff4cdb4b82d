import ArgumentParser
import HyperFresh

/// `hyperfresh refresh`: replace what runs beneath guests.
struct RefreshCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refresh",
        abstract: "Put something fresh beneath running guests.",
        subcommands: [RefreshGuestCommand.self, RefreshHypervisorCommand.self, RefreshSystemCommand.self]
    )
}

/// `hyperfresh refresh guest`.
struct RefreshGuestCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "guest",
        abstract: "Hand one guest from its QEMU to a new one on the same memory.",
        discussion: """
            The new QEMU starts paused beside the old one, the two are linked and their memory proven to be the same; \
            then the guest stops, its device state moves, the handoff is committed, and it runs on. Afterwards it \
            answers at the same QMP socket, and its pid file, serial ports, disks and networks are where they were.
            """
    )

    @Argument(help: "The guest: its name, its QEMU's pid, or the path of its QMP socket.")
    var guest: String?

    @Option(help: ArgumentHelp("The guest whose QMP socket this is.", valueName: "socket"), completion: .file())
    var qmp: String?

    @Option(
        help: ArgumentHelp(
            "The new QEMU binary. Default: the one installed where the old one was started from.", valueName: "binary"),
        completion: .file())
    var to: String?

    @Flag(help: "Do everything up to a linked new QEMU, then remove it again. The guest never pauses.")
    var dryRun = false

    @Option(help: "Roll back if the guest is stopped for longer than this (5ms, 1.5s).")
    var maxDowntime = DurationArgument(.seconds(1))

    @Option(help: "Roll back if the handoff is not committed by then.")
    var timeout = DurationArgument(.seconds(60))

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if (guest == nil) == (qmp == nil) {
            throw ValidationError("Name one guest: a name, a pid, or --qmp SOCKET. `hyperfresh list` shows them.")
        }
    }

    func run() async throws {
        var request = RefreshRequest(guest: qmp ?? guest ?? "")
        request.target = to
        request.isRehearsal = dryRun
        request.maximumDowntime = maxDowntime.duration
        request.timeout = timeout.duration

        throw ExitCode(await OperationView.follow(common.host.refresh(request), style: common.style))
    }
}
