import Synchronization

/// The guests of one hypervisor that are handed over together.
///
/// Nobody is stopped before everybody is ready; then at most so many at once, each with its own commit.
final class HandoffGroup: Sendable {
    private struct State {
        /// Guests that are not ready yet.
        var preparing: Set<String>
        /// Guests that are ready and wait to be admitted, in order.
        var waiting: [(guest: String, admission: CheckedContinuation<Bool, Never>)] = []
        /// Guests between admission and their end.
        var moving: Set<String> = []
        var committed: Set<String> = []
        /// Somebody was admitted: from then on each guest fails for itself.
        var hasBegun = false
        var isCalledOff = false
    }

    private let state: Mutex<State>
    private let limit: Int
    private let isNewOwn: Bool
    /// Whether nobody is to be stopped at all.
    let isRehearsal: Bool

    /// A group.
    ///
    /// - Parameters:
    ///   - guests: Their names.
    ///   - limit: How many may be stopped at once; at least one.
    ///   - isNewOwn: Whether this very run has started the new hypervisor: then nobody else's guest can be in it.
    ///   - isRehearsal: Whether nobody is to be stopped at all.
    init(_ guests: [String], limit: Int, isNewOwn: Bool = true, isRehearsal: Bool = false) {
        state = Mutex(State(preparing: Set(guests)))
        self.limit = max(1, limit)
        self.isNewOwn = isNewOwn
        self.isRehearsal = isRehearsal
    }

    /// Waits until a guest that is ready may be handed over.
    ///
    /// - Returns: False when another guest failed before anybody was stopped: then nobody is; and when the task is cancelled.
    func admit(_ guest: String) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { admission in
                state.withLock { state in
                    guard !Task.isCancelled else { return admission.resume(returning: false) }
                    state.preparing.remove(guest)
                    state.waiting.append((guest, admission))
                    advance(&state)
                }
            }
        } onCancel: {
            state.withLock { state in
                guard let index = state.waiting.firstIndex(where: { $0.guest == guest }) else { return }
                state.waiting.remove(at: index).admission.resume(returning: false)
            }
        }
    }

    /// A guest's handoff has ended, well or not.
    func ended(_ guest: String) {
        state.withLock { state in
            state.preparing.remove(guest)
            state.moving.remove(guest)
            // It failed, ready or not, while nobody was stopped yet: nobody will be.
            if !state.hasBegun { state.isCalledOff = true }
            advance(&state)
        }
    }

    /// Lets nobody else be stopped.
    func callOff() {
        state.withLock { state in
            state.isCalledOff = true
            advance(&state)
        }
    }

    /// A guest's commit is on record: it is the new hypervisor's.
    func committed(_ guest: String) {
        state.withLock { state in _ = state.committed.insert(guest) }
    }

    /// How far a guest has come.
    enum Readiness: Sendable {
        case preparing, waiting, moving, ended
    }

    /// How far a guest has come; ended, too, for one that was never there.
    func readiness(of guest: String) -> Readiness {
        state.withLock { state in
            if state.preparing.contains(guest) { return .preparing }
            if state.waiting.contains(where: { $0.guest == guest }) { return .waiting }
            return state.moving.contains(guest) ? .moving : .ended
        }
    }

    /// Whether the new hypervisor may be ended for a guest's sake, as no other guest is its own or about to be.
    ///
    /// With a yes nobody else is admitted to it any more.
    func mayEndNew(for guest: String) -> Bool {
        state.withLock { state in
            guard isNewOwn, state.committed.isEmpty, state.moving.subtracting([guest]).isEmpty else {
                return false
            }
            state.isCalledOff = true
            advance(&state)
            return true
        }
    }

    private func advance(_ state: inout State) {
        if state.isCalledOff {
            for (_, admission) in state.waiting { admission.resume(returning: false) }
            state.waiting = []
            return
        }
        guard state.preparing.isEmpty else { return }
        while state.moving.count < limit, !state.waiting.isEmpty {
            let (guest, admission) = state.waiting.removeFirst()
            state.moving.insert(guest)
            state.hasBegun = true
            admission.resume(returning: true)
        }
    }
}
