/// Where one run of a hypervisor has its sockets and logs on this host.
///
/// The folder is the caller's alone (0700): who may enter it may command the hypervisor.
public struct InstanceFolder: Sendable, Hashable {
    /// The folder, absolute.
    public let path: String

    /// Names a folder.
    ///
    /// - Parameter path: The folder, absolute.
    public init(_ path: String) { self.path = path }

    /// Whether a name can be that of an instance: four hexadecimal digits.
    ///
    /// - Parameter name: The name of a folder.
    /// - Returns: Whether it can.
    public static func isID(_ name: String) -> Bool {
        name.utf8.count == 4 && name.allSatisfy { $0.isHexDigit && !$0.isUppercase }
    }

    /// The folder of all runs of the hypervisor.
    public var parent: String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }

    /// Where its monitor listens.
    public var qmpSocket: String { "\(path)/qmp.sock" }
    /// Where its guest agent is reached.
    public var agentSocket: String { "\(path)/agent.sock" }
    /// What its kernel and systemd say.
    public var consoleLog: String { "\(path)/console.log" }
    /// What its QEMU says on standard error.
    public var errorLog: String { "\(path)/qemu.log" }
    /// The machine definition that its QEMU reads, see ``OuterCommandLine/machineDefinition``.
    public var machineFile: String { "\(path)/hypervisor.cfg" }
    /// Its QEMU's pid.
    public var pidFile: String { "\(path)/pid" }
    /// What is remembered of it (``InstanceRecord``).
    public var record: String { "\(path)/instance.json" }

    /// Where the monitor of a guest in it is reached.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: The socket's path.
    public func relaySocket(_ guest: String) -> String { "\(path)/\(guest).sock" }

    /// Where the server of a container's root file system listens.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: The socket's path.
    public func shareSocket(_ container: String) -> String { "\(path)/\(container)\(Self.shareSocketSuffix)" }
    /// What the names of those sockets end with.
    public static let shareSocketSuffix = ".fs"
    /// What that server says.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: The file's path.
    public func shareLog(_ container: String) -> String { "\(path)/\(container).fs.log" }
}
