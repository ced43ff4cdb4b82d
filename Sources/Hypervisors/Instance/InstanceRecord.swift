public import JSON
public import Linux

/// What is remembered of one running hypervisor: all that another controller needs to reach it.
public struct InstanceRecord: Sendable, Hashable {
    /// The instance: four hexadecimal digits, unique among a hypervisor's.
    public var id: String
    /// The hypervisor's name.
    public var hypervisor: String
    /// The stack that it belongs to.
    public var stack: String
    /// The folder of the image that it booted.
    public var image: String
    /// The QEMU that runs it.
    public var process: ProcessIdentity
    /// When it was started, in microseconds since the epoch.
    public var started: Int64
    /// Its kernel's release (`uname -r`), from inside.
    public var kernel: String?
    /// The version of the QEMU in it, from inside.
    public var qemu: String?

    /// What tells it from every other run on this host: `alpha-1f3c`.
    public var runName: String { "\(hypervisor)-\(id)" }

    /// Makes a record.
    ///
    /// - Parameters:
    ///   - id: The instance.
    ///   - hypervisor: The hypervisor's name.
    ///   - stack: The stack's name.
    ///   - image: The folder of its image.
    ///   - process: The QEMU that runs it.
    ///   - started: When, in microseconds since the epoch.
    public init(
        id: String, hypervisor: String, stack: String, image: String, process: ProcessIdentity, started: Int64
    ) {
        self.id = id
        self.hypervisor = hypervisor
        self.stack = stack
        self.image = image
        self.process = process
        self.started = started
    }

    /// As it is stored.
    public var members: [String: JSONValue] {
        [
            "id": .string(id), "hypervisor": .string(hypervisor), "stack": .string(stack), "image": .string(image),
            "process": ["pid": .integer(Int64(process.pid)), "start": JSONValue(process.startTime)],
            "started": .integer(started), "kernel": kernel.map(JSONValue.string), "qemu": qemu.map(JSONValue.string),
        ].compactMapValues(\.self)
    }

    /// Reads what ``members`` made.
    ///
    /// - Parameter members: The record; nil results when it is none.
    public init?(_ members: [String: JSONValue]) {
        guard let id = members["id"]?.string, let hypervisor = members["hypervisor"]?.string,
            let stack = members["stack"]?.string, let image = members["image"]?.string,
            let pid = members["process"]?["pid"]?.integer.flatMap(Int32.init(exactly:)),
            let startTime = members["process"]?["start"]?.unsigned, let started = members["started"]?.integer
        else { return nil }
        self.init(
            id: id, hypervisor: hypervisor, stack: stack, image: image,
            process: ProcessIdentity(pid: pid, startTime: startTime), started: started)
        kernel = members["kernel"]?.string
        qemu = members["qemu"]?.string
    }
}
