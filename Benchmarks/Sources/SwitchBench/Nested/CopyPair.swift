import CanaryTesting
import HyperFresh
import Linux
import StackFile
import VirtualMachines

/// Two hypervisors of the same image, between which guests are moved by ordinary migration.
///
/// The guests' memory is part of the hypervisor's own, so it must be copied.
final class CopyPair {
    private let shape: NestedShape
    private let tools: NestedTools
    private let host: Host
    private let hypervisors: [Hypervisor]
    private var guests: [CopyGuest] = []
    private var isOnTheRight = false
    /// The number of migrations, so that no port name is used twice.
    private var migrations = 0

    static let name = "copied"
    static let hypervisorNames = ["left", "right"]

    private init(_ shape: NestedShape, _ tools: NestedTools, _ host: Host, _ hypervisors: [Hypervisor]) {
        self.shape = shape
        self.tools = tools
        self.host = host
        self.hypervisors = hypervisors
    }

    /// Boots both hypervisors, each large enough for the guests, and starts the guests in the first one.
    static func start(_ shape: NestedShape, tools: NestedTools) async throws -> CopyPair {
        let memory = 1024 + shape.memoryMiB * shape.guests
        let file = try tools.writeStack(
            name,
            hypervisors: hypervisorNames.map { tools.hypervisor($0, memoryMiB: memory, guests: [], shape: nil) })
        let host = Host(stateDirectory: tools.state)
        try await host.up(file: file)
        var hypervisors: [Hypervisor] = []
        for name in hypervisorNames {
            guard let (record, folder) = RunningInstances.of(name, state: tools.state).last else {
                throw BenchError("\(name) is not up")
            }
            hypervisors.append(try await Hypervisor.reach(record, in: folder, within: .seconds(20)))
        }
        let pair = CopyPair(shape, tools, host, hypervisors)
        try await pair.startGuests()
        return pair
    }

    /// Starts the guests and waits until each has filled its memory.
    private func startGuests() async throws {
        let names = (1...shape.guests).map { "copy-\($0)" }
        // The file is only read, never brought up: it describes guests like those of hyperfresh's stack.
        let file = try tools.writeStack(
            "\(Self.name)-guests",
            hypervisors: [tools.hypervisor("none", memoryMiB: 2048, guests: names, shape: shape)])
        guests = try Stack.read(path: file).stack.hypervisors[0].guests.map {
            CopyGuest($0, console: "\(tools.scratch.directory)/\($0.name).console.log")
        }
        for guest in guests {
            for hypervisor in hypervisors { try await guest.attach(to: hypervisor, tools: tools.tools) }
            try await guest.start(in: hypervisors[0])
        }
        for guest in guests { try await guest.console.waitUntilFilled(shape) }
    }

    /// Migrates all guests at once to the other hypervisor.
    func migrate() async throws -> NestedMove {
        for guest in guests { try await guest.console.wait(for: NestedGap.window + 1) }
        let (old, new) = isOnTheRight ? (hypervisors[1], hypervisors[0]) : (hypervisors[0], hypervisors[1])
        isOnTheRight.toggle()
        migrations += 1
        let begin = Clock.monotonic()
        var journeys: [CopyJourney] = []
        for guest in guests {
            journeys.append(try await guest.prepareJourney(from: old, to: new, number: migrations))
        }
        let ended = try await withThrowingTaskGroup(of: CopyJourney.Outcome.self) { group in
            for journey in journeys { group.addTask { try await journey.run() } }
            var outcomes: [CopyJourney.Outcome] = []
            for try await outcome in group { outcomes.append(outcome) }
            return outcomes
        }
        for (guest, journey) in zip(guests, journeys) { try await guest.arrived(journey) }
        var move = NestedMove(handovers: [], wholeMicroseconds: Int((Clock.monotonic() - begin) / 1000))
        for guest in guests {
            guard let outcome = ended.first(where: { $0.guest == guest.name }) else { continue }
            var handover = outcome.handover
            handover.fellSilent = try await !guest.console.speaks(NestedGap.window + 1)
            if !handover.fellSilent {
                handover.gap = NestedGap(guest.console.lines, from: outcome.stop, to: outcome.resume)
            }
            move.handovers.append(handover)
        }
        return move
    }

    /// Stops or resumes the guests; with stopped guests, their hypervisors are idle.
    func setRunning(_ running: Bool) async throws { for guest in guests { try await guest.setRunning(running) } }

    /// Returns the canaries' findings.
    func witnesses() -> [NestedResults.Witness] {
        guests.compactMap(\.console.last).map { report in
            NestedResults.Witness(
                shape: shape, isCopied: true, pagesVerified: report.pagesVerified, anomalies: report.anomalies)
        }
    }

    func end() async throws {
        for guest in guests { guest.close() }
        for hypervisor in hypervisors { hypervisor.close() }
        try await host.down(stack: Self.name, grace: .zero)
    }

    /// Removes what a failed run has left.
    static func sweep(_ tools: NestedTools) async throws {
        guard Files.exists("\(tools.state)/stacks/\(name)") else { return }
        try await Host(stateDirectory: tools.state).down(stack: name, grace: .zero)
    }
}
