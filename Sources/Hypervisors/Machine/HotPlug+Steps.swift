public import JSON
internal import QMP

extension HotPlug {
    /// What is told to a hypervisor's QEMU to plug one thing in, or to take it away.
    public struct Steps: Sendable, Hashable {
        /// A command.
        public struct Command: Sendable, Hashable {
            /// QEMU's name of it.
            public let name: String
            /// What is sent along.
            public let arguments: [String: JSONValue]
        }

        /// The id of the device that is there afterwards, or before.
        public let device: String
        /// The commands, in order.
        public let commands: [Command]

        fileprivate init(_ device: String, _ commands: [Command]) {
            self.device = device
            self.commands = commands
        }
    }

    /// The id of the NVDIMM with a guest's memory.
    static func memoryDevice(of guest: String) -> String { memoryPrefix + guest }

    /// Whose memory a device is; nil for any other device.
    static func tenant(ofMemoryDevice device: String) -> String? {
        device.hasPrefix(memoryPrefix) ? String(device.dropFirst(memoryPrefix.count)) : nil
    }

    private static let memoryPrefix = "mem-"

    private static func command<C: QMPCommand>(_ command: C) -> Steps.Command {
        Steps.Command(name: C.name, arguments: command.arguments)
    }

    private static func steps(_ first: some QMPCommand, _ device: DeviceAdd) -> Steps {
        Steps(device.device["id"]?.string ?? "", [command(first), command(device)])
    }

    private static func removal(_ device: DeviceDel, _ last: some QMPCommand) -> Steps {
        Steps(device.id, [command(device), command(last)])
    }
}

extension HotPlug.Memory {
    /// What plugs it in.
    public var steps: HotPlug.Steps { HotPlug.steps(backend, device) }
}

extension HotPlug.Disk {
    /// What plugs it in.
    public var steps: HotPlug.Steps { HotPlug.steps(node, device) }
    /// What takes it away: the second command once the hypervisor has given the device up.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, close) }
}

extension HotPlug.Console {
    /// What plugs it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// What takes it away: the second command once the hypervisor has given the device up.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}

extension HotPlug.Relay {
    /// What plugs it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// What takes it away: the second command once the hypervisor has given the device up.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}

extension HotPlug.Share {
    /// What plugs it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// What takes it away: the second command once the hypervisor has given the device up.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}
