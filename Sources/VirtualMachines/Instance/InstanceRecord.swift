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
    /// Its kernel's release (`uname -r`).
    public var kernel: String?
    /// The version of the QEMU in it.
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

    /// Creates the record of a hypervisor that boots an image.
    ///
    /// - Parameters:
    ///   - id: The instance's id.
    ///   - hypervisor: The hypervisor's name.
    ///   - stack: The stack's name.
    ///   - image: The image, which tells ``kernel`` and ``qemu``.
    ///   - process: The QEMU that runs it.
    ///   - started: The time of the start, in microseconds since the epoch.
    public init(
        id: String, hypervisor: String, stack: String, image: HypervisorImage, process: ProcessIdentity, started: Int64
    ) {
        self.init(
            id: id, hypervisor: hypervisor, stack: stack, image: image.directory, process: process, started: started)
        kernel = image.kernelRelease
        qemu = image.qemuVersion
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

/// The folder on this host with the sockets and logs of one run of a hypervisor.
///
/// Only the caller may enter it (0700): anyone who can enter it controls the hypervisor.
public struct InstanceFolder: Sendable, Hashable {
    /// The absolute path.
    public let path: String

    /// Wraps a path.
    ///
    /// - Parameter path: The absolute path.
    public init(_ path: String) { self.path = path }

    /// Returns whether a name can be an instance's id: four hexadecimal digits.
    ///
    /// - Parameter name: The name of a folder.
    /// - Returns: Whether it has the form of an id.
    public static func isID(_ name: String) -> Bool {
        name.utf8.count == 4 && name.allSatisfy { $0.isHexDigit && !$0.isUppercase }
    }

    /// The folder of all runs of the hypervisor.
    public var parent: String { Paths.parent(of: path) }

    /// The socket of its monitor.
    public var qmpSocket: String { "\(path)/qmp.sock" }
    /// The socket of its guest agent.
    public var agentSocket: String { "\(path)/agent.sock" }
    /// The log of its console: kernel and systemd.
    public var consoleLog: String { "\(path)/console.log" }
    /// The log of its QEMU's standard error.
    public var errorLog: String { "\(path)/qemu.log" }
    /// The machine definition that its QEMU reads; see ``OuterCommandLine/machineDefinition``.
    public var machineFile: String { "\(path)/hypervisor.cfg" }
    /// Its QEMU's pid.
    public var pidFile: String { "\(path)/pid" }
    /// Its record (``InstanceRecord``).
    public var record: String { "\(path)/instance.json" }

    /// Returns the socket of the monitor of a guest in it.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: The socket's path.
    public func relaySocket(_ guest: String) -> String { "\(path)/\(guest).sock" }

    /// Returns the socket of the server of a container's root file system.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: The socket's path.
    public func shareSocket(_ container: String) -> String { "\(path)/\(container)\(Self.shareSocketSuffix)" }
    /// The suffix of those sockets' names.
    public static let shareSocketSuffix = ".fs"
    /// Returns the log of that server.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: The file's path.
    public func shareLog(_ container: String) -> String { "\(path)/\(container).fs.log" }
}
