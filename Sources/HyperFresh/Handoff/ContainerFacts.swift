import JSON

/// The facts about a container's relocation in the journal's first record.
struct ContainerFacts: Sendable, Hashable {
    var container: String
    var stack: String
    /// The OS VM that has the container, and its instance.
    var oldSystem: String
    var oldInstance: String
    /// The target OS VM, and its instance; the same OS VM as the old one in a refresh of that.
    var newSystem: String
    var newInstance: String
    /// The file of the image store; locked while a controller is working on the container.
    var storeFile: String
    var isRehearsal: Bool

    var json: [String: JSONValue] {
        [
            "kind": "container", "container": .string(container), "stack": .string(stack),
            "old_system": .string(oldSystem), "old_instance": .string(oldInstance),
            "new_system": .string(newSystem), "new_instance": .string(newInstance),
            "store_file": .string(storeFile), "dry_run": .bool(isRehearsal),
        ]
    }
}

extension ContainerFacts {
    init?(json: [String: JSONValue]) {
        guard json["kind"]?.string == "container", let container = json["container"]?.string,
            let stack = json["stack"]?.string, let oldSystem = json["old_system"]?.string,
            let oldInstance = json["old_instance"]?.string, let newSystem = json["new_system"]?.string,
            let newInstance = json["new_instance"]?.string, let storeFile = json["store_file"]?.string,
            let isRehearsal = json["dry_run"]?.bool
        else { return nil }
        self.init(
            container: container, stack: stack, oldSystem: oldSystem, oldInstance: oldInstance, newSystem: newSystem,
            newInstance: newInstance, storeFile: storeFile, isRehearsal: isRehearsal)
    }
}
