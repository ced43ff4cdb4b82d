import Handoff

/// The observation of a guest after its handoff, before success is reported.
enum LastLook: Sendable {
    /// The new QEMU is alive and has the guest in the expected state; the text is a remark, if there is one.
    case sound(String?)
    /// The new QEMU has ended.
    case dead(HyperFreshError)
    /// It could not be determined whether the guest runs.
    case doubtful(HyperFreshError)
}

extension LastLook {
    /// Returns the outcome of a handoff, corrected by this observation.
    func outcome(of handoff: HandoffOutcome) -> HandoffOutcome {
        switch self {
        case .sound: handoff
        case .dead: .lost
        case .doubtful: .unknown
        }
    }
}
