import ArgumentParser
import HyperFresh
import JSON

/// `hyperfresh up`.
struct UpCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Start the hypervisors and guests, OS VMs and containers of a stack file.",
        discussion: """
            What is not there is made, guests and containers that have ended are started again, what runs is left alone: run it \
            again after adding one to the file. docs/stack-file.md describes the format.
            """
    )

    @Argument(help: "The stack file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
    var file: String

    @Flag(help: "Shut down and remove what the file has no more; without it that is refused.")
    var removeOrphans = false

    @Option(help: "How long those guests and containers may take to shut themselves down; then they are ended.")
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
        abstract:
            "Shut down the guests and containers of a stack, end its hypervisors and OS VMs, and remove what they used.",
        discussion: "Disks and bundles stay. The guests' memory is gone for good."
    )

    @Argument(help: "The stack: its name, or its file.", completion: .file(extensions: ["yaml", "yml"]))
    var stack: String

    @Option(help: "How long guests may take after the power button, containers after SIGTERM; then they are ended.")
    var grace = DurationArgument(.seconds(30))

    @Flag(help: "End guests and containers at once, as if the power had failed.")
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
        abstract: "Show the hypervisors and OS VMs of this host, and the guests and containers in them."
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
        if !problems.isEmpty { Console.error("→ hyperfresh recover puts records in order.") }
    }

    private func show(_ hypervisor: HypervisorStatus, on terminal: Terminal) {
        if hypervisor.instances.isEmpty {
            Console.out("\(terminal.paint(hypervisor.name, .bold))  does not run  (stack \(hypervisor.stack))")
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
