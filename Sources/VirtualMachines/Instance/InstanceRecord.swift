public import JSON
public import Linux

/// The record of one running hypervisor: everything that another controller needs to connect to it.
public struct InstanceRecord: Sendable, Hashable {
    /// The instance's id: four hexadecimal digits, unique among the runs of this hypervisor.
    public var id: String
    /// The hypervisor's name.
    public var hypervisor: String
    /// The name of its stack.
    public var stack: String
    /// The folder of its image.
    public var image: String
    /// The QEMU that runs it.
    public var process: ProcessIdentity
    /// When it was started, in microseconds since the epoch.
    public var started: Int64
    /// Its kernel's release (`uname -r`), as reported from inside.
    public var kernel: String?
    /// The version of the QEMU in it, as reported from inside.
    public var qemu: String?

    /// A name that is unique among all runs on this host: `alpha-1f3c`.
    public var runName: String { "\(hypervisor)-\(id)" }

    /// Creates a record; ``kernel`` and ``qemu`` are nil.
    ///
    /// - Parameters:
    ///   - id: The instance's id.
    ///   - hypervisor: The hypervisor's name.
    ///   - stack: The stack's name.
    ///   - image: The folder of its image.
    ///   - process: The QEMU that runs it.
    ///   - started: The time of the start, in microseconds since the epoch.
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

    /// The record as JSON members, for storage.
    public var members: [String: JSONValue] {
        [
            "id": .string(id), "hypervisor": .string(hypervisor), "stack": .string(stack), "image": .string(image),
            "process": ["pid": .integer(Int64(process.pid)), "start": JSONValue(process.startTime)],
            "started": .integer(started), "kernel": kernel.map(JSONValue.string), "qemu": qemu.map(JSONValue.string),
        ].compactMapValues(\.self)
    }

    /// Reads the JSON members that ``members`` returned; the result is nil if one is missing or of the wrong type.
    ///
    /// - Parameter members: The record.
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
