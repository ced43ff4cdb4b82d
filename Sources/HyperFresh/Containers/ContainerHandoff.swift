import Containers
import Handoff
import StackFile
import VirtualMachines

/// The relocation of one container between two OS VMs.
struct ContainerHandoff: GroupedHandoff {
    let stack: Stack
    let old: ContainerPlacement
    let new: ContainerPlacement
    let group: HandoffGroup

    var name: String { new.container.name }

    var subject: Subject {
        .container(
            ContainerFacts(
                container: name, stack: stack.name, oldSystem: old.hypervisor.record.hypervisor,
                oldInstance: old.hypervisor.record.id, newSystem: new.hypervisor.record.hypervisor,
                newInstance: new.hypervisor.record.id, storeFile: stack.storeFile(of: name),
                isRehearsal: group.isRehearsal))
    }

    func sides(_ context: HandoffContext, _ store: StackStore) -> any HandoffSides {
        ContainerSides(old: old, new: new, context: context, group: group, store: store)
    }
}
