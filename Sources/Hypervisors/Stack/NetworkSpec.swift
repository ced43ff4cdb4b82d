/// A network that reaches guests through their hypervisors.
public struct NetworkSpec: Sendable, Hashable {
    /// What carries it on this host.
    public enum Kind: Sendable, Hashable {
        /// An existing bridge of this host; each hypervisor gets a tap on it.
        case bridge(String)
        /// A segment between the hypervisors of one user, over UDP multicast on the loopback interface: needs no rights.
        ///
        /// This host is not on it.
        case segment(group: String, port: Int)
    }

    /// Its name within the stack.
    public var name: String
    /// What carries it.
    public var kind: Kind
    /// Queue pairs of each hypervisor's network card.
    public var queues: Int
    /// Whether the kernel moves the packets of the hypervisors' cards (`vhost=on`); bridges only.
    public var usesVhost: Bool
}
