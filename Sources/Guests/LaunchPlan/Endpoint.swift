/// A path by which other programs reach the guest.
///
/// The new QEMU creates it under a temporary name; after commit the controller renames it over the lasting one, so that
/// the path exists at all times. All paths are absolute, as the host sees them outside of any chroot.
public struct Endpoint: Sendable, Hashable {
    /// The kind of file at the path.
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

    /// The kind of file at the path.
    public var kind: Kind
    /// The path that other programs use.
    public var lasting: String
    /// The path that the new QEMU creates.
    public var temporary: String

    /// Creates an endpoint; both paths must be absolute.
    public init(kind: Kind, lasting: String, temporary: String) {
        self.kind = kind
        self.lasting = lasting
        self.temporary = temporary
    }
}
