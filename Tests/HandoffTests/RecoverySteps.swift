import Handoff

extension RecoveryDecision {
    /// What the controller does to carry a decision out, in this order.
    ///
    /// It stops at the first step that fails; then recovery is run again, from a new look at both sides.
    func steps(recorded: HandoffState) -> [HandoffAction] {
        switch self {
        case .finished, .mustLook: []
        case .keepOld(let resume): [.removeNew, .restoreOld(resume: resume), .record(.rolledBack)]
        case .keepNew(let resume): [.retireOld] + (resume ? [.resumeNew] : []) + [.settle, .record(.retired)]
        case .lost: [.removeNew] + (recorded.isCommitted ? [.retireOld] : []) + [.record(.lost)]
        }
    }
}
