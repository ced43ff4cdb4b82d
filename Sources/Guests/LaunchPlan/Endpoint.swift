/// A path by which other programs reach the guest.
///
/// The new QEMU creates it under a temporary name; after commit the controller renames it over the lasting one, so that
/// the path exists at all times. All paths are absolute, as the host sees them outside of any chroot.
package struct Endpoint: Sendable, Hashable {
    /// The kind of file at the path.
    package enum Kind: String, Sendable, Hashable {
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
    package var kind: Kind
    /// The path that other programs use.
    package var lasting: String
    /// The path that the new QEMU creates.
    package var temporary: String

    /// Creates an endpoint; both paths must be absolute.
    package init(kind: Kind, lasting: String, temporary: String) {
        self.kind = kind
        self.lasting = lasting
        self.temporary = temporary
    }
}

/// The names under which a new QEMU creates its sockets and its pid file while the old one still has the lasting names.
///
/// `PATH.hf-XXXXXXXX`, with the eight hexadecimal digits of the handoff. After commit, the file is renamed to PATH. The
/// command line keeps the temporary name; removing the suffix yields the lasting one. The suffix differs in every
/// handoff, because a QEMU that exits normally unlinks the path that it bound.
enum LastingPath {
    /// The maximum length of a unix socket's path: `sun_path` has 108 bytes, including the final zero (unix(7)).
    static let longestSocketPath = 107

    private static let mark = ".hf-"
    private static let digits = 8

    /// Returns the path without the suffix of an earlier handoff.
    static func lasting(_ path: String) -> String {
        let suffix = path.suffix(mark.count + digits)
        guard suffix.hasPrefix(mark), isHandoffID(suffix.dropFirst(mark.count)) else { return path }
        return String(path.dropLast(suffix.count))
    }

    /// Returns the path with the suffix of this handoff instead of an earlier one's.
    static func temporary(_ path: String, handoffID: String) -> String {
        lasting(path) + mark + handoffID
    }

    /// Returns whether the text is eight hexadecimal digits in lower case.
    static func isHandoffID(_ text: some StringProtocol) -> Bool {
        text.utf8.count == digits && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
