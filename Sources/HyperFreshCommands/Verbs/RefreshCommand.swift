import ArgumentParser
import HyperFresh

/// `hyperfresh refresh`: replaces the layer beneath running guests or containers.
struct RefreshCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refresh",
        abstract: "Replace the QEMU, hypervisor or operating system beneath running guests or containers.",
        subcommands: [RefreshGuestCommand.self, RefreshHypervisorCommand.self, RefreshSystemCommand.self]
    )
}

/// `hyperfresh refresh guest`.
struct RefreshGuestCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "guest",
        abstract: "Replace the QEMU of one running guest.",
        discussion: """
            Starts the new QEMU paused, next to the old one, and verifies that both map the same guest memory. Then \
            stops the guest, sends its device state to the new QEMU, commits, resumes the guest there, and ends the \
            old QEMU.

            The guest keeps its QMP socket, pid file, serial ports, disks and networks. Its pid changes.
            """
    )

    @Argument(help: "The guest's name, its QEMU's pid, or the path of its QMP socket.")
    var guest: String?

    @Option(help: ArgumentHelp("Select the guest by its QMP socket.", valueName: "socket"), completion: .file())
    var qmp: String?

    @Option(
        help: ArgumentHelp(
            "The new QEMU binary. Default: the binary now installed at the old one's path.", valueName: "binary"),
        completion: .file())
    var to: String?

    @Flag(help: "Start and check the new QEMU, then end it. The guest is never paused.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Roll back if the guest is stopped for longer than this (such as 5ms, 1.5s).", valueName: "duration"))
    var maxDowntime = DurationArgument(.seconds(1))

    @Option(help: ArgumentHelp("Roll back if the handoff has not committed after this time.", valueName: "duration"))
    var timeout = DurationArgument(.seconds(60))

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if (guest == nil) == (qmp == nil) {
            throw ValidationError(
                "Specify one guest: its name, its pid, or --qmp SOCKET. `hyperfresh list` lists the guests.")
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
