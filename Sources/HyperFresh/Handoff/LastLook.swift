import Handoff

/// What was seen of a guest after its handoff, before anybody says that it was refreshed.
enum LastLook: Sendable {
    /// The new QEMU is alive and has the guest as it should be; with what is worth knowing, if anything.
    case sound(String?)
    /// The new QEMU has ended.
    case dead(HyperFreshError)
    /// It cannot be said that the guest runs.
    case doubtful(HyperFreshError)
}

extension LastLook {
    /// What a handoff came to, in the light of it.
    func outcome(of handoff: HandoffOutcome) -> HandoffOutcome {
        switch self {
        case .sound: handoff
        case .dead: .lost
        case .doubtful: .unknown
        }
    }
}
