import Hypervisors
import Linux

/// Ending a guest's QEMU in a hypervisor, for good.
enum InnerEnd {
    /// Ends the unit; where the hypervisor does not answer and may go, the whole hypervisor.
    ///
    /// - Parameters:
    ///   - seat: Where the QEMU is.
    ///   - mayEnd: Whether this run has started the hypervisor and has committed nobody to it; any other that does not answer
    ///     may have guests.
    /// - Returns: Why it could not be made sure of; `nil` when it is gone.
    static func end(_ seat: GuestSeat, endingHypervisor mayEnd: () -> Bool) async -> HypervisorError? {
        if seat.hypervisor.process.hasExited { return nil }
        do throws(HypervisorError) {
            try await seat.unit.end(by: seat.hypervisor.agent)
            return nil
        } catch {
            guard mayEnd(), await seat.hypervisor.end() else { return error }
            return nil
        }
    }
}
