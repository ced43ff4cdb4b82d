import ArgumentParser
import HyperFresh
import JSON

/// `hyperfresh up`.
struct UpCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Start the hypervisors, guests, OS VMs and containers of a stack file.",
        discussion: """
            Creates what is missing, restarts guests and containers that have ended, and does not touch running ones. \
            Run `up` again after you add a guest or container to the file. docs/stack-file.md describes the format.
            """
    )

    @Argument(help: "The stack file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
    var file: String

    @Flag(help: "Shut down and remove anything no longer in the file; otherwise `up` refuses.")
    var removeOrphans = false

    @Option(
        help: ArgumentHelp(
            "The time that removed guests and containers have to shut down before they are killed.",
            valueName: "duration"))
    var grace = DurationArgument(.seconds(30))

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let view = StackView(style: common.style)
        let orphans: OrphanPolicy = removeOrphans ? .remove(grace: grace.duration) : .refuse
        let work = Task { [host = common.host, file] in
            try await host.up(file: file, orphans: orphans) { view.show($0) }
        }
        InterruptSignals.handle { work.cancel() }
        try await reportingFailure(as: common.style) { try await work.value }
    }
}

/// `hyperfresh down`.
struct DownCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Shut down the guests, containers, hypervisors and OS VMs of a stack, and remove the stack.",
        discussion: "Deletes the guests' memory. Keeps disks and bundles."
    )

    @Argument(help: "The stack's name, or its stack file.", completion: .file(extensions: ["yaml", "yml"]))
    var stack: String

    @Option(
        help: ArgumentHelp(
            "The time that guests (power button) and containers (SIGTERM) have to shut down before they are killed.",
            valueName: "duration"))
    var grace = DurationArgument(.seconds(30))

    @Flag(help: "Kill guests and containers immediately, like a power failure.")
    var now = false

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let view = StackView(style: common.style)
        try await reportingFailure(as: common.style) {
            try await common.host.down(stack: stack, grace: now ? .zero : grace.duration) { view.show($0) }
        }
    }
}

/// `hyperfresh ps`.
struct PsCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "ps",
        abstract: "List the hypervisors and OS VMs of this host with their guests and containers."
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let listing = try await reportingFailure(as: common.style) {
            try await common.host.hypervisors()
        }
        switch common.style {
        case .json: Console.out(json: listing.json, pretty: true)
        case .text(let terminal):
            if listing.hypervisors.isEmpty { Console.error("No stack is up.") }
            for (index, hypervisor) in listing.hypervisors.enumerated() {
                if index > 0 { Console.out("") }
                show(hypervisor, on: terminal)
            }
            show(listing)
        }
    }

    private func show(_ listing: StackListing) {
        let problems =
            listing.hypervisors.flatMap { one in one.problems.map { "\(one.name): \($0)" } } + listing.problems
        for problem in problems { Console.error("\(problem)") }
        if !problems.isEmpty { Console.error("→ Repair the records: hyperfresh recover") }
    }

    private func show(_ hypervisor: HypervisorStatus, on terminal: Terminal) {
        if hypervisor.instances.isEmpty {
            Console.out("\(terminal.paint(hypervisor.name, .bold))  not running  (stack \(hypervisor.stack))")
        }
        for instance in hypervisor.instances {
            Console.out(
                "\(terminal.paint(hypervisor.name, .bold))  instance \(instance.id), pid \(instance.pid), "
                    + "Linux \(instance.kernel ?? "?"), QEMU \(instance.qemu ?? "?")  (stack \(hypervisor.stack))")
        }
        var table = TextTable(header: ["  \(hypervisor.tenant.uppercased())", "STATE", "MEMORY", "INSTANCE"])
        for guest in hypervisor.guests {
            table.append(["  \(guest.name)", guest.state, "\(guest.memory >> 20) MiB", guest.instance ?? "-"])
        }
        table.print(on: terminal)
    }
}
