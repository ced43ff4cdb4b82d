import Handoff
import Hypervisors
import Linux
import QMP
import Synchronization

extension InnerSides {
    /// Looks whether the guest is in its new hypervisor as it should be: by its unit, and by the word of its QEMU.
    ///
    /// Its vCPUs are threads of the hypervisor's, not of this host's: whether they use time is not looked at.
    func lookAgain() async -> LastLook {
        let (new, guestRuns, transfer) = state.withLock { ($0.new, $0.guestRuns, $0.transfer) }
        let instance = newSeat.hypervisor.record
        let name = "the new QEMU of \(guest) (instance \(instance.id))"
        if newSeat.hypervisor.process.hasExited { return .dead(Self.failure("the new hypervisor has ended", .lost)) }
        guard let new else { return .doubtful(Self.failure("there is no new QEMU of \(guest)", .unknown)) }
        let status: QueryStatus.Reply
        do throws(QMPError) { status = try await new.execute(QueryStatus()) } catch {
            return await lookAtUnit(name, because: error)
        }
        guard guestRuns, transfer?.endedGuest == nil else { return .sound(nil) }
        switch status.state {
        case .running: return .sound(nil)
        case .shutdown, .guestPanicked:
            return .sound("The guest has come to its own end since: \(name) says \(status.state.rawValue).")
        // It ran: whatever has stopped it came later.
        case .paused where transfer?.marks.resumeSeen != nil:
            return .sound("Somebody has paused the guest since: \(name) says \(status.state.rawValue).")
        default:
            return .doubtful(Self.failure("\(name) does not run the guest: it says \(status.state.rawValue)", .unknown))
        }
    }

    private func lookAtUnit(_ name: String, because silence: QMPError) async -> LastLook {
        do throws(HypervisorError) {
            guard try await !newSeat.unit.isActive(by: newSeat.hypervisor.agent) else {
                return .doubtful(Self.failure("\(name) does not answer", .unknown, evidence: ["\(silence)"]))
            }
            let words = await newSeat.unit.lastWords(by: newSeat.hypervisor.agent)
            return .dead(Self.failure("\(name) exited when the guest had been committed to it", .lost, evidence: words))
        } catch {
            if newSeat.hypervisor.process.hasExited {
                return .dead(Self.failure("the new hypervisor has ended", .lost))
            }
            return .doubtful(Self.failure("\(name) does not answer", .unknown, evidence: [error.message]))
        }
    }

    private static func failure(
        _ message: String, _ outcome: RefreshOutcome, evidence: [String] = []
    ) -> HyperFreshError {
        HyperFreshError(
            message, remedy: "`hyperfresh ps` shows what its hypervisor says of it; its console may tell why.",
            evidence: evidence, exitCode: outcome.exitCode)
    }
}
