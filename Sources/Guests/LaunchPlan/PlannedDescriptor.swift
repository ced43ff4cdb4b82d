/// A descriptor that the new QEMU inherits at its start.
public struct PlannedDescriptor: Sendable, Hashable {
    /// Where the controller gets it.
    public enum Source: Sendable, Hashable {
        /// This descriptor of the old process, taken with pidfd_getfd.
        case oldProcess(Int32)
        /// A newly opened /dev/vhost-net.
        case vhostNet
    }

    /// The purpose of a descriptor; some require care while both processes hold it.
    public enum Role: Sendable, Hashable {
        /// The only queue of a tap interface.
        ///
        /// A starting QEMU sets the interface's vnet header length and offloads to its own defaults, while the old QEMU
        /// still uses the interface: the controller must restore the header length until the switch (TUNGETVNETHDRSZ,
        /// TUNSETVNETHDRSZ).
        case tap(interface: String?)
        /// A vhost-net device for a queue.
        case vhostNet
        /// A listening TCP socket.
        case listener
        /// A member of an fd set.
        case fdSet(id: Int)
        /// Any other descriptor that an option names by number.
        case other
    }

    /// Where it comes from.
    public var source: Source
    /// Its number in the new process; always 10 or above.
    public var number: Int32
    /// Its purpose.
    public var role: Role

    /// Creates a descriptor; `number` must be 10 or above.
    public init(source: Source, number: Int32, role: Role) {
        self.source = source
        self.number = number
        self.role = role
    }
}
