import Hypervisors

/// What becomes of guests and hypervisors that a stack file has no more.
public enum OrphanPolicy: Sendable, Hashable {
    /// `up` says which there are, and touches nothing.
    case refuse
    /// They are shut down and removed; guests that take longer than the grace are ended.
    case remove(grace: Duration)
}

/// What a stack file changes of a stack that is up, as far as `up` cannot simply add it.
///
/// What is remembered of a stack has to describe all that runs of it: whoever refreshes or takes it down goes by that.
struct StackChange {
    /// A guest with a place in a hypervisor, for which the file has none any more.
    struct Orphan {
        let guest: InnerGuestSpec
        /// The hypervisor as it was at the last `up`.
        let hypervisor: HypervisorSpec
    }

    /// Guests to be removed.
    var orphanedGuests: [Orphan] = []
    /// Hypervisors to be taken down, with all that is in them.
    var orphanedHypervisors: [HypervisorSpec] = []
    /// Each change that what runs could not follow, such as "guest web: memory".
    var alterations: [String] = []

    /// Compares two descriptions of a stack.
    ///
    /// - Parameters:
    ///   - old: As it was at the last `up`.
    ///   - new: As the file has it now.
    ///   - isUp: Whether anything of a hypervisor is there.
    ///   - isPlaced: Whether a guest has a place in a hypervisor.
    init(
        from old: Stack, to new: Stack, isUp: (HypervisorSpec) -> Bool,
        isPlaced: (InnerGuestSpec, HypervisorSpec) -> Bool
    ) {
        let running = old.hypervisors.filter(isUp)
        if !running.isEmpty, old.hyperplexor != new.hyperplexor { alterations.append("hyperplexor") }
        for hypervisor in running {
            guard let wanted = new.hypervisors.first(where: { $0.name == hypervisor.name }) else {
                orphanedHypervisors.append(hypervisor)
                continue
            }
            for guest in hypervisor.guests where isPlaced(guest, hypervisor) {
                guard let same = wanted.guests.first(where: { $0.name == guest.name }) else {
                    orphanedGuests.append(Orphan(guest: guest, hypervisor: hypervisor))
                    continue
                }
                let keys = guest.keys(otherThanIn: same)
                if !keys.isEmpty { alterations.append("guest \(guest.name): \(keys.joined(separator: ", "))") }
            }
        }
    }
}

extension InnerGuestSpec {
    /// The keys, as a stack file names them, whose values differ.
    fileprivate func keys(otherThanIn other: InnerGuestSpec) -> [String] {
        let keys: [(String, Bool)] = [
            ("memory", memory == other.memory), ("cpus", cpus == other.cpus), ("machine", machine == other.machine),
            ("cpu-model", cpuModel == other.cpuModel), ("boot", boot == other.boot),
            ("console", console == other.console), ("virtio", virtio == other.virtio), ("disks", disks == other.disks),
            ("networks", networks == other.networks), ("extra-arguments", extraArguments == other.extraArguments),
        ]
        return keys.filter { !$0.1 }.map(\.0)
    }
}
