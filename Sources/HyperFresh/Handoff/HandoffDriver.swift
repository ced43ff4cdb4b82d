import Handoff
import Synchronization

/// Performs a handoff's actions on two sides, one at a time, until it is over.
///
/// Any thread may report an event. The actions on the path from STOP to RESUME (records, the switch, the resume) are
/// performed in the reporting thread, before ``happened(_:)`` returns: between the second `completed` and `cont` there
/// are one write of the journal and one of the command, and no change of threads. All other actions run in tasks of
/// their own, so that a deadline or a cancellation is processed while they run.
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

    /// How far the handoff has progressed.
    var state: HandoffState { core.withLock { $0.machine.state } }

    /// Performs the whole handoff and returns its outcome.
    ///
    /// May be called once.
    func run(on sides: any HandoffActions) async -> HandoffOutcome {
        await withCheckedContinuation { continuation in
            core.withLock { core in
                core.sides = sides
                core.finished = continuation
                // If the handoff was cancelled before it began, the queue already has the rollback.
                if core.queue.isEmpty { core.queue = core.machine.begin() }
                advance(&core)
            }
        }
    }

    /// Processes an event that does not answer an action, and performs the resulting actions immediately.
    func happened(_ event: HandoffEvent) {
        core.withLock { core in
            let before = core.machine.state
            core.queue += core.machine.handle(event)
            // The action in progress is now pointless; its answer is still awaited, so that nothing runs unobserved.
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
                // The sides hold this driver, because they report to it. Release them and their descriptors now.
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

/// The cancellation of an operation of several parts: it reaches the parts that run, and those that begin later.
final class Cancellation: Sendable {
    private struct State {
        var isCancelled = false
        var lastID = 0
        var handlers: [Int: @Sendable () -> Void] = [:]
    }
    private let state = Mutex(State())

    /// Rolls back uncommitted work; committed work completes.
    @Sendable func cancel() {
        let handlers = state.withLock { state in
            state.isCancelled = true
            return state.handlers.values
        }
        for handler in handlers { handler() }
    }

    /// Calls a handler when the operation is cancelled, immediately if it is cancelled already.
    ///
    /// - Returns: The id of the handler for ``remove(_:)``.
    @discardableResult
    func onCancel(_ handler: @escaping @Sendable () -> Void) -> Int {
        let (id, isCancelled) = state.withLock { state in
            state.lastID += 1
            state.handlers[state.lastID] = handler
            return (state.lastID, state.isCancelled)
        }
        if isCancelled { handler() }
        return id
    }

    /// Removes a handler.
    func remove(_ id: Int) { state.withLock { $0.handlers[id] = nil } }
}
