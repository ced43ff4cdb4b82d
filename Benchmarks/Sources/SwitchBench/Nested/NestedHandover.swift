/// One guest's move from one hypervisor to another.
struct NestedHandover: Sendable {
    /// The time from the arrival of STOP to that of RESUME on this host, in microseconds.
    var switchMicroseconds: Int
    /// The time from STOP to the new side's `completed`.
    var newCompletedMicroseconds: Int
    /// The time from STOP to the old side's `completed`.
    var oldCompletedMicroseconds: Int
    /// The time from receiving the second `completed` to writing `cont`; nil for pre-copy, which has no such step.
    var controllerMicroseconds: Int?
    /// The effect on the guest; nil if too few of its lines are available.
    var gap: NestedGap?
    /// The bytes that QEMU reports as sent; nil if QEMU is gone by then.
    var transferredBytes: Int?
    /// Whether the downtime limit had to be lifted.
    var wasForced = false
    /// Whether the guest sent no reports afterwards, although QEMU reported it as running.
    var fellSilent = false
}

/// One move of all guests of a hypervisor to another one.
struct NestedMove: Sendable {
    var handovers: [NestedHandover]
    /// The time of the whole move, in microseconds.
    var wholeMicroseconds: Int
    /// The part of it that was the new hypervisor's boot; nil if none was booted.
    var bootMicroseconds: Int?
    /// The phases of the whole move, in microseconds.
    var phases: [String: Int] = [:]

    /// Whether a guest was lost, so that moving it again is useless.
    var lostGuest: Bool { handovers.contains(where: \.fellSilent) }
}
