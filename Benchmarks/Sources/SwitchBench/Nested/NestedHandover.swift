/// One guest's way from one hypervisor to another.
struct NestedHandover: Sendable {
    /// From the arrival of STOP to that of RESUME on this host, in microseconds.
    var switchMicroseconds: Int
    /// From STOP to the new side's `completed`.
    var newCompletedMicroseconds: Int
    /// From STOP to the old side's `completed`.
    var oldCompletedMicroseconds: Int
    /// From the second `completed` seen to `cont` written; pre-copy has no such step.
    var controllerMicroseconds: Int?
    /// What the guest itself noticed; nil when too little of its console is there.
    var gap: NestedGap?
    /// What QEMU says it has sent; nil where nobody can ask it any more.
    var transferredBytes: Int?
    /// Whether the guest had to be stopped although QEMU expected a stop longer than its limit.
    var wasForced = false
    /// Whether the guest, which QEMU called running, did not say anything any more.
    var fellSilent = false
}

/// All guests of a hypervisor brought to another one.
struct NestedMove: Sendable {
    var handovers: [NestedHandover]
    /// From the begin to the end of all of it, in microseconds.
    var wholeMicroseconds: Int
    /// Of that, the new hypervisor's boot, where one was booted.
    var bootMicroseconds: Int?
    /// The parts of the whole, in microseconds.
    var phases: [String: Int] = [:]

    /// Whether a guest was lost: there is no use in moving it again.
    var lostGuest: Bool { handovers.contains(where: \.fellSilent) }
}
