import JSON

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
