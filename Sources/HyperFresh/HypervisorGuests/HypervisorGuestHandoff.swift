import Handoff
import JSON
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
            old: guest.old, newPlacement: guest.placement, newDevice: guest.device, channel: guest.channel,
            context: context, group: group, store: store)
    }

    func abandon() async {
        guest.old.client.close()
        await guest.channel.close()
    }
}

/// The facts about the handoff of a hypervisor's guest in the journal's first record.
struct HypervisorGuestFacts: Sendable, Hashable {
    var guest: String
    var hypervisor: String
    var stack: String
    /// The instance that has the guest.
    var oldInstance: String
    /// The instance that will have the guest.
    var newInstance: String
    /// The guest's memory file; locked while a controller is working on the guest.
    var memoryFile: String
    var isRehearsal: Bool
    /// The versions of the guest's QEMU before and after.
    var oldVersion: String?
    var newVersion: String?

    var json: [String: JSONValue] {
        [
            "kind": "inner", "guest": .string(guest), "hypervisor": .string(hypervisor), "stack": .string(stack),
            "old_instance": .string(oldInstance), "new_instance": .string(newInstance),
            "memory_file": .string(memoryFile), "dry_run": .bool(isRehearsal),
            "old_version": oldVersion.map(JSONValue.string), "target_version": newVersion.map(JSONValue.string),
        ].compactMapValues(\.self)
    }

    init(
        guest: String, hypervisor: String, stack: String, oldInstance: String, newInstance: String, memoryFile: String,
        isRehearsal: Bool
    ) {
        self.guest = guest
        self.hypervisor = hypervisor
        self.stack = stack
        self.oldInstance = oldInstance
        self.newInstance = newInstance
        self.memoryFile = memoryFile
        self.isRehearsal = isRehearsal
    }

    init?(json: [String: JSONValue]) {
        guard json["kind"]?.string == "inner", let guest = json["guest"]?.string,
            let hypervisor = json["hypervisor"]?.string, let stack = json["stack"]?.string,
            let oldInstance = json["old_instance"]?.string, let newInstance = json["new_instance"]?.string,
            let memoryFile = json["memory_file"]?.string, let isRehearsal = json["dry_run"]?.bool
        else { return nil }
        self.init(
            guest: guest, hypervisor: hypervisor, stack: stack, oldInstance: oldInstance, newInstance: newInstance,
            memoryFile: memoryFile, isRehearsal: isRehearsal)
        oldVersion = json["old_version"]?.string
        newVersion = json["target_version"]?.string
    }
}
