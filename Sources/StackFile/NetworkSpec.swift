/// A network that guests join through their hypervisors.
public struct NetworkSpec: Sendable, Hashable {
    /// The network's implementation on this host.
    public enum Kind: Sendable, Hashable {
        /// An existing bridge of this host; each hypervisor gets a tap on it.
        case bridge(String)
        /// A segment between the hypervisors of one user: UDP multicast on the loopback interface, which needs no
        /// privileges.
        ///
        /// This host is not connected to it.
        case segment(group: String, port: Int)
    }

    /// Its name within the stack.
    public var name: String
    /// Its implementation.
    public var kind: Kind
    /// The number of queue pairs of each hypervisor's network card.
    public var queues: Int
    /// Whether the host's kernel processes the packets of the hypervisors' cards (`vhost=on`); bridges only.
    public var usesVhost: Bool
}
