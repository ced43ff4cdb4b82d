/// A descriptor that the new QEMU finds open when it starts.
public struct PlannedDescriptor: Sendable, Hashable {
    /// Where the controller gets it.
    public enum Source: Sendable, Hashable {
        /// This descriptor of the old process, taken with pidfd_getfd.
        case oldProcess(Int32)
        /// A newly opened /dev/vhost-net.
        case vhostNet
    }

    /// What it is for; some kinds need care while both processes hold it.
    public enum Role: Sendable, Hashable {
        /// The only queue of a tap interface.
        ///
        /// A QEMU that starts sets the interface's vnet header length and offloads to its own defaults, on the one
        /// interface that the old QEMU still uses: the controller must set the header length back until the switch
        /// (TUNGETVNETHDRSZ, TUNSETVNETHDRSZ).
        case tap(interface: String?)
        /// A vhost-net device for a queue.
        case vhostNet
        /// A TCP socket that listens.
        case listener
        /// A member of an fd set.
        case fdSet(id: Int)
        /// Something else that an option names by number.
        case other
    }

    /// Where it comes from.
    public var source: Source
    /// Its number in the new process; always 10 or above.
    public var number: Int32
    /// What it is for.
    public var role: Role

    /// Makes a descriptor.
    public init(source: Source, number: Int32, role: Role) {
        self.source = source
        self.number = number
        self.role = role
    }
}
