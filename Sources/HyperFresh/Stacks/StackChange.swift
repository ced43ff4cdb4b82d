import StackFile

/// What becomes of guests, containers, hypervisors and OS VMs that a stack file has no more.
public enum OrphanPolicy: Sendable, Hashable {
    /// `up` says which there are, and touches nothing.
    case refuse
    /// They are shut down and removed; guests and containers that take longer than the grace are ended.
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

    /// A container in an OS VM, for which the file has no place any more.
    struct ContainerOrphan {
        let container: ContainerSpec
        /// The OS VM that has it, as it was at the last `up`.
        let system: HypervisorSpec
    }

    /// Guests to be removed.
    var orphanedGuests: [Orphan] = []
    /// Containers to be removed, from OS VMs that stay.
    var orphanedContainers: [ContainerOrphan] = []
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
    ///   - systemOf: The OS VM that has a container; `nil` where none has it.
    init(
        from old: Stack, to new: Stack, isUp: (HypervisorSpec) -> Bool,
        isPlaced: (InnerGuestSpec, HypervisorSpec) -> Bool,
        systemOf: (ContainerSpec) -> HypervisorSpec? = { _ in nil }
    ) {
        let running = old.hypervisors.filter(isUp)
        if !running.isEmpty, old.hyperplexor != new.hyperplexor { alterations.append("hyperplexor") }
        for hypervisor in running {
            guard let wanted = new.hypervisors.first(where: { $0.name == hypervisor.name }) else {
                orphanedHypervisors.append(hypervisor)
                continue
            }
            if wanted.kind != hypervisor.kind {
                alterations.append("\(hypervisor.kind) \(hypervisor.name) is a \(wanted.kind) now")
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
        compareContainers(from: old, to: new, systemOf: systemOf)
    }

    /// Which OS VM has a container is not the file's to say once it runs: it may have been relocated.
    private mutating func compareContainers(
        from old: Stack, to new: Stack, systemOf: (ContainerSpec) -> HypervisorSpec?
    ) {
        for container in old.containers {
            guard let system = systemOf(container),
                !orphanedHypervisors.contains(where: { $0.name == system.name })
            else { continue }
            guard let same = new.containers.first(where: { $0.name == container.name }) else {
                orphanedContainers.append(ContainerOrphan(container: container, system: system))
                continue
            }
            let keys = container.keys(otherThanIn: same)
            if !keys.isEmpty { alterations.append("container \(container.name): \(keys.joined(separator: ", "))") }
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

extension ContainerSpec {
    /// The keys, as a stack file names them, whose values differ.
    fileprivate func keys(otherThanIn other: ContainerSpec) -> [String] {
        let keys = [
            ("bundle", bundle == other.bundle), ("memory", memory == other.memory), ("network", card == other.card),
        ]
        return keys.filter { !$0.1 }.map(\.0)
    }
}
