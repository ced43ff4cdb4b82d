/// Who made the other end of a unix socket, as the kernel saw it then (SO_PEERCRED in unix(7)).
public struct PeerCredentials: Sendable, Hashable {
    /// The process that called `connect`, `listen` or `socketpair`; 0 when it is outside our PID namespace.
    public let pid: Int32
    /// Its effective user at that time.
    public let uid: UInt32
    /// Its effective group at that time.
    public let gid: UInt32

    /// Makes credentials from their parts.
    public init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }
}
