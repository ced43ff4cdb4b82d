/// A set of file descriptors that QEMU opens as /dev/fdset/ID (`-add-fd`, QMP `add-fd`).
public struct FDSet: Sendable, Hashable {
    /// One descriptor of a set.
    public struct Entry: Sendable, Hashable {
        /// Its number in the old process now; not the number on the command line, because QEMU duplicates the
        /// descriptor.
        public var descriptor: Int32
        /// The `opaque` text given with it.
        public var opaque: String?

        /// Creates an entry; `descriptor` is a number in the old process.
        public init(descriptor: Int32, opaque: String? = nil) {
            self.descriptor = descriptor
            self.opaque = opaque
        }
    }

    /// The number of the set.
    public var id: Int
    /// The descriptors in it.
    public var entries: [Entry]

    /// Creates a set; `id` is the number in /dev/fdset.
    public init(id: Int, entries: [Entry]) {
        self.id = id
        self.entries = entries
    }
}
