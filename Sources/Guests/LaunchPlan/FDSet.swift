/// A set of descriptors that QEMU opens as /dev/fdset/ID (`-add-fd`, QMP `add-fd`).
public struct FDSet: Sendable, Hashable {
    /// One descriptor of a set.
    public struct Entry: Sendable, Hashable {
        /// Its number in the old process now, which is not the number on the command line: QEMU duplicates it.
        public var descriptor: Int32
        /// The free text given with it.
        public var opaque: String?

        /// Makes an entry.
        public init(descriptor: Int32, opaque: String? = nil) {
            self.descriptor = descriptor
            self.opaque = opaque
        }
    }

    /// The number of the set.
    public var id: Int
    /// The descriptors in it.
    public var entries: [Entry]

    /// Makes a set.
    public init(id: Int, entries: [Entry]) {
        self.id = id
        self.entries = entries
    }
}
