import Synchronization

/// The guests of one hypervisor that are handed over together.
///
/// No guest is stopped before all are ready; then at most `limit` at the same time, each with its own commit.
final class HandoffGroup: Sendable {
    private struct State {
        /// Guests that are not ready yet.
        var preparing: Set<String>
        /// Guests that are ready and wait to be admitted, in order.
        var waiting: [(guest: String, admission: CheckedContinuation<Bool, Never>)] = []
        /// Guests between admission and their end.
        var moving: Set<String> = []
        var committed: Set<String> = []
        /// Whether a guest was admitted: from then on a failure affects only its own guest.
        var hasBegun = false
        var isCalledOff = false
    }

    private let state: Mutex<State>
    private let limit: Int
    private let isNewOwn: Bool
    /// Whether no guest may be stopped at all.
    let isRehearsal: Bool

    /// Creates a group whose guests are all preparing.
    ///
    /// - Parameters:
    ///   - guests: Their names.
    ///   - limit: The maximum number that may be stopped at the same time; at least one.
    ///   - isNewOwn: Whether this run has started the new hypervisor, so that it has no other guests.
    ///   - isRehearsal: Whether no guest may be stopped at all.
    init(_ guests: [String], limit: Int, isNewOwn: Bool = true, isRehearsal: Bool = false) {
        state = Mutex(State(preparing: Set(guests)))
        self.limit = max(1, limit)
        self.isNewOwn = isNewOwn
        self.isRehearsal = isRehearsal
    }

    /// Waits until a guest that is ready may be handed over.
    ///
    /// - Returns: False if another guest failed before any was stopped, because then none is; also if the task is
    ///   cancelled.
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

    /// Notes that a guest's handoff has ended, successfully or not.
    func ended(_ guest: String) {
        state.withLock { state in
            state.preparing.remove(guest)
            state.moving.remove(guest)
            // It failed, ready or not, before any guest was stopped: none will be.
            if !state.hasBegun { state.isCalledOff = true }
            advance(&state)
        }
    }

    /// Admits no further guest.
    func callOff() {
        state.withLock { state in
            state.isCalledOff = true
            advance(&state)
        }
    }

    /// Notes that a guest's commit is on record: the new hypervisor owns it.
    func committed(_ guest: String) {
        state.withLock { state in _ = state.committed.insert(guest) }
    }

    /// How far a guest has progressed.
    enum Readiness: Sendable {
        case preparing, waiting, moving, ended
    }

    /// Returns how far a guest has progressed; `ended` also for a guest that is not in the group.
    func readiness(of guest: String) -> Readiness {
        state.withLock { state in
            if state.preparing.contains(guest) { return .preparing }
            if state.waiting.contains(where: { $0.guest == guest }) { return .waiting }
            return state.moving.contains(guest) ? .moving : .ended
        }
    }

    /// Returns whether the new hypervisor may be ended because of one guest: it has no other guest and will not get
    /// one.
    ///
    /// If it returns true, no further guest is admitted.
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
