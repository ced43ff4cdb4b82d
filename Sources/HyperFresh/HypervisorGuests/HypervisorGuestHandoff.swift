import Handoff
import Linux
import QMP
import StackFile
import VirtualMachines

/// The handoff of one guest between two instances of its hypervisor.
struct HypervisorGuestHandoff: GroupedHandoff {
    let guest: HypervisorRefresh.Prepared.Guest
    let plan: HypervisorAdmission.Plan
    let group: HandoffGroup

    var name: String { guest.placement.guest.name }

    var subject: Subject {
        var facts = HypervisorGuestFacts(
            guest: name, hypervisor: plan.spec.name, stack: plan.stack.name,
            oldInstance: guest.old.placement.hypervisor.record.id, newInstance: guest.placement.hypervisor.record.id,
            memoryFile: guest.placement.memoryFile.path, isRehearsal: group.isRehearsal)
        facts.oldVersion = guest.old.client.greeting.version.description
        facts.newVersion = guest.placement.hypervisor.record.qemu
        return .hypervisorGuest(facts)
    }

    func sides(_ context: HandoffContext, _ store: StackStore) -> any HandoffSides {
        HypervisorGuestSides(
            old: guest.old, newPlacement: guest.placement, newDevice: guest.device, channel: guest.channel, context: context,
            group: group, store: store)
    }

    func abandon() async {
        guest.old.client.close()
        await guest.channel.close()
    }
}
