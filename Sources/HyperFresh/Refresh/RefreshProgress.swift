/// A part of a refresh that takes time of its own.
public enum RefreshPhase: String, Sendable, Hashable, CaseIterable {
    /// Finding the guest, describing it, checking it, and planning the new QEMU.
    case preflight
    /// Starting the new QEMU, its vCPUs stopped, until its monitor answers.
    case launch
    /// Agreeing on capabilities, proving the memory, giving both the channel.
    case link
    /// From the `migrate` command to the guest running on the new side. Within it lies the switch.
    case handover
    /// Ending the old QEMU.
    case retire
    /// Putting sockets, pid file and listeners at their lasting places.
    case settle
    /// Removing the new QEMU and restoring the old one, after a failure or a rehearsal.
    case rollback
}

/// How long a phase took.
public struct PhaseTiming: Sendable, Hashable {
    /// Which phase.
    public let phase: RefreshPhase
    /// Wall time from its begin to its end, in milliseconds.
    public let milliseconds: Double
}

/// What a refresh tells while it goes on.
///
/// The last element is always ``finished(_:)``.
public enum RefreshProgress: Sendable {
    /// A phase has begun.
    case began(RefreshPhase)
    /// A phase has ended, well or not.
    case ended(PhaseTiming)
    /// Something worth knowing that changes nothing.
    case note(String)
    /// The refresh is over.
    case finished(RefreshReport)
}
