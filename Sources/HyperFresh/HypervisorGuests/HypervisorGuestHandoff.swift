import Handoff
import QMP
import StackFile
import VirtualMachines

/// The handoff of one guest between two instances of its hypervisor.
struct HypervisorGuestHandoff: GroupedHandoff {
    /// A guest, and what its handoff needs in both instances.
    struct Prepared: Sendable {
        let old: InnerQEMU
        let placement: GuestPlacement
        let device: MemoryDevice
        let channel: StateChannel
    }

    let guest: Prepared
    let hypervisor: String
    let stack: String
    let group: HandoffGroup

    var name: String { guest.placement.guest.name }

    var subject: Subject {
        var facts = HypervisorGuestFacts(
            guest: name, hypervisor: hypervisor, stack: stack,
            oldInstance: guest.old.placement.hypervisor.record.id, newInstance: guest.placement.hypervisor.record.id,
            memoryFile: guest.placement.memoryFile.path, isRehearsal: group.isRehearsal)
        facts.oldVersion = guest.old.client.greeting.version.description
        facts.newVersion = guest.placement.hypervisor.record.qemu
        return .hypervisorGuest(facts)
    }

    func sides(_ context: HandoffContext, _ store: StackStore) -> any HandoffSides {
        HypervisorGuestSides(
            old: guest.old, newPlacement: guest.placement, newDevice: guest.device, channel: guest.channel,
            context: context, group: group, store: store)
    }

    func abandon() async {
        guest.old.client.close()
        await guest.channel.close()
    }
}
