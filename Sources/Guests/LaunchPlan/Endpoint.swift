/// A path by which others know the guest.
///
/// The new QEMU makes it under a temporary name; after commit the controller renames it over the lasting one, so
/// that there is no moment without it. All paths are absolute, as the host sees them outside of any chroot.
public struct Endpoint: Sendable, Hashable {
    /// What stands at the path.
    public enum Kind: String, Sendable, Hashable {
        /// A QMP monitor's unix socket.
        case qmp
        /// The human monitor's unix socket.
        case monitor
        /// A character device's unix socket, such as a serial console.
        case chardev
        /// A VNC server's unix socket.
        case vnc
        /// A SPICE server's unix socket.
        case spice
        /// A network back end's unix socket.
        case netdev
        /// The pid file.
        case pidFile
    }

    /// What stands at the path.
    public var kind: Kind
    /// The path by which others know it.
    public var lasting: String
    /// The path that the new QEMU makes.
    public var temporary: String

    /// Makes an endpoint.
    public init(kind: Kind, lasting: String, temporary: String) {
        self.kind = kind
        self.lasting = lasting
        self.temporary = temporary
    }
}
