import Handoff
import Synchronization

/// Interprets a handoff's actions on two sides, one at a time, until it is over.
///
/// Whoever sees something happen reports it here, from any thread. What is on the path from STOP to RESUME (records, the
/// switch, the resume) is performed in that very thread, before ``happened(_:)`` returns: between the second `completed`
/// and `cont` lie one write of the journal and one of the command, and no change of threads. Everything else runs in a
/// task of its own, so that a deadline or an operator's wish is heard meanwhile.
final class HandoffDriver: Sendable {
    private struct Core {
        var machine: HandoffMachine
        var sides: (any HandoffActions)?
        var queue: [HandoffAction] = []
        var actionInProgress: Task<Void, Never>?
        var finished: CheckedContinuation<HandoffOutcome, Never>?
    }

    private let core: Mutex<Core>

    init(isRehearsal: Bool) {
        core = Mutex(Core(machine: HandoffMachine(isRehearsal: isRehearsal)))
    }

    /// How far the handoff has come.
    var state: HandoffState { core.withLock { $0.machine.state } }

    /// Performs the handoff to its end.
    ///
    /// To be called once.
    func run(on sides: any HandoffActions) async -> HandoffOutcome {
        await withCheckedContinuation { continuation in
            core.withLock { core in
                core.sides = sides
                core.finished = continuation
                // What was cancelled before it began has its way out in the queue already.
                if core.queue.isEmpty { core.queue = core.machine.begin() }
                advance(&core)
            }
        }
    }

    /// Takes note of something that happened by itself, and does at once what has to follow.
    func happened(_ event: HandoffEvent) {
        core.withLock { core in
            let before = core.machine.state
            core.queue += core.machine.handle(event)
            // What was going on is pointless now; its answer is still awaited, so that nothing runs unseen.
            if core.machine.state == .rollingBack, before != .rollingBack { core.actionInProgress?.cancel() }
            advance(&core)
        }
    }

    private func answer(_ event: HandoffEvent) {
        core.withLock { core in
            core.actionInProgress = nil
            core.queue += core.machine.handle(event)
            advance(&core)
        }
    }

    private func advance(_ core: inout Core) {
        guard let sides = core.sides else { return }
        while core.actionInProgress == nil, !core.queue.isEmpty {
            let action = core.queue.removeFirst()
            switch action {
            case .record(let state): core.queue += core.machine.handle(sides.record(state))
            case .beginSwitch:
                FaultPoint.around(action) { sides.beginSwitch() }.map { core.queue += core.machine.handle($0) }
            case .resumeNew:
                FaultPoint.around(action) { sides.resumeNew() }.map { core.queue += core.machine.handle($0) }
            case .finish(let outcome):
                core.finished?.resume(returning: outcome)
                core.finished = nil
                // The sides report to this driver and so hold it; now they may go, and their descriptors with them.
                core.sides = nil
                return
            case .launchNew: perform(action, &core) { await sides.launch() }
            case .link: perform(action, &core) { await sides.link() }
            case .retireOld: perform(action, &core) { await sides.retire() }
            case .settle: perform(action, &core) { await sides.settle() }
            case .removeNew: perform(action, &core) { await sides.removeNew() }
            case .restoreOld(let resume): perform(action, &core) { await sides.restoreOld(resume: resume) }
            }
        }
    }

    private func perform(
        _ action: HandoffAction, _ core: inout Core, _ body: @escaping @Sendable () async -> HandoffEvent
    ) {
        core.actionInProgress = Task { [self] in answer(await FaultPoint.around(action, body)) }
    }
}
