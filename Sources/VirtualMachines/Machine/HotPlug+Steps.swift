public import JSON
internal import QMP

extension HotPlug {
    /// The QMP commands that plug or unplug one device.
    public struct Steps: Sendable, Hashable {
        /// A QMP command.
        public struct Command: Sendable, Hashable {
            /// The command's QMP name.
            public let name: String
            /// The command's arguments.
            public let arguments: [String: JSONValue]
        }

        /// The id of the device that the commands add or remove.
        public let device: String
        /// The commands, in order.
        public let commands: [Command]

        fileprivate init(_ device: String, _ commands: [Command]) {
            self.device = device
            self.commands = commands
        }
    }

    /// Returns the id of the NVDIMM with a guest's memory.
    static func memoryDevice(of guest: String) -> String { memoryPrefix + guest }

    /// Returns the guest or container whose memory a device is; nil for any other device.
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
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(backend, device) }
}

extension HotPlug.Disk {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(node, device) }
    /// The commands that detach it; execute the second one after the hypervisor has released the device.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, close) }
}

extension HotPlug.Console {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// The commands that detach it; execute the second one after the hypervisor has released the device.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}

extension HotPlug.Relay {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// The commands that detach it; execute the second one after the hypervisor has released the device.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}

extension HotPlug.Share {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// The commands that detach it; execute the second one after the OS VM has released the device.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}
