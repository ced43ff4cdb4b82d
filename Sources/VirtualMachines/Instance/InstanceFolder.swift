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
    public var parent: String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }

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
