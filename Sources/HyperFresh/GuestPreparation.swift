import Guests
import Linux
import QMP

/// Everything before the first effect: the guest found, described, locked and checked, and its new QEMU planned.
struct GuestPreparation: Sendable {
    /// What a handoff begins with.
    struct Ready: Sendable {
        let old: OldQEMU
        let plan: LaunchPlan
        let handoffID: String
        /// The first of the guest's memory files.
        let memoryFile: String
        let target: QEMUBinary
        /// Excludes every other controller until it is released.
        let lock: GuestLock
    }

    let process: GuestProcess
    let target: String
    let findings: [Finding]
    let oldSide: SideReport
    /// `nil` when a finding stands in the way.
    let ready: Ready?
    /// The planned command line, where there is one.
    let plan: LaunchPlan?

    /// Lets go of the guest.
    func close() {
        ready?.old.client.close()
        ready?.lock.release()
    }
}
