/// The process at the other end of a unix socket, as recorded by the kernel (SO_PEERCRED in unix(7)).
public struct PeerCredentials: Sendable, Hashable {
    /// The process that called `connect`, `listen` or `socketpair`; 0 if it is outside this PID namespace.
    public let pid: Int32
    /// Its effective user ID at that time.
    public let uid: UInt32
    /// Its effective group ID at that time.
    public let gid: UInt32

    /// Creates credentials from their parts.
    public init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }
}
