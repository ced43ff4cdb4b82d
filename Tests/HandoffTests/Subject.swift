import Handoff

/// What is under test: the machine and the recovery table, or one of their mutants.
final class Subject {
    struct Response {
        let machine: Int
        let actions: [Int]
    }

    let machineMutation: MachineMutation?
    let recoveryMutation: RecoveryMutation?

    // Every value the machine can take gets a number, and what it does for an event is asked only once.
    private var machines: [MutatedMachine] = []
    private var numbers: [MutatedMachine: Int] = [:]
    private var responses: [Int: Response] = [:]
    private(set) var stepLists: [[HandoffAction]] = []
    private var stepListNumbers: [[HandoffAction]: Int] = [:]

    init(machine: MachineMutation? = nil, recovery: RecoveryMutation? = nil) {
        machineMutation = machine
        recoveryMutation = recovery
    }

    var machineCount: Int { machines.count }

    func begin(isRehearsal: Bool) -> Response {
        let machine = MutatedMachine(isRehearsal: isRehearsal, mutation: machineMutation)
        let actions = machine.begin()
        return Response(machine: number(of: machine), actions: actions.map { Codes.code(of: $0) })
    }

    func state(of machine: Int) -> HandoffState { machines[machine].state }

    func respond(_ machine: Int, to event: Int) -> Response {
        let key = machine << Codes.eventBits | event
        if let known = responses[key] { return known }
        var next = machines[machine]
        let actions = next.handle(Codes.events[event])
        let response = Response(machine: number(of: next), actions: actions.map { Codes.code(of: $0) })
        responses[key] = response
        return response
    }

    func decide(_ world: World, old: SideObservation, new: SideObservation) -> RecoveryDecision {
        guard let recorded = world.journal else { return .finished }
        let guestRan = world.guestRan && world.isLinkRecorded
        let genuine = Recovery.decide(recorded: recorded, guestRan: guestRan, old: old, new: new)
        return recoveryMutation?.decide(genuine, recorded: recorded, guestRan: guestRan, old: old, new: new) ?? genuine
    }

    func steps(of decision: RecoveryDecision, recorded: HandoffState) -> [HandoffAction] {
        let genuine = decision.steps(recorded: recorded)
        return recoveryMutation?.steps(genuine) ?? genuine
    }

    func number(ofSteps steps: [HandoffAction]) -> Int {
        if let known = stepListNumbers[steps] { return known }
        stepLists.append(steps)
        stepListNumbers[steps] = stepLists.count - 1
        return stepLists.count - 1
    }

    /// Whether the machine, once it has finished, keeps silent whatever it is told.
    func keepsSilentAfterFinish() -> Bool {
        for machine in machines where machine.outcome != nil {
            for event in Codes.events {
                var told = machine
                if !told.handle(event).isEmpty { return false }
            }
        }
        return true
    }

    private func number(of machine: MutatedMachine) -> Int {
        if let known = numbers[machine] { return known }
        machines.append(machine)
        numbers[machine] = machines.count - 1
        return machines.count - 1
    }
}
