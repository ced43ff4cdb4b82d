internal import Glibc

/// An open file descriptor with exactly one owner; it is closed when this value is destroyed.
public struct Descriptor: ~Copyable, Sendable {
    /// The descriptor's number, valid while this value exists.
    public let number: Int32

    /// Takes ownership of an open descriptor; no other code may close it.
    public init(adopting number: Int32) {
        self.number = number
    }

    deinit {
        // close(2): the descriptor is closed whatever the call returns; a retry could close another thread's
        // descriptor.
        _ = close(number)
    }

    /// Returns the number and gives up ownership without closing it.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// Returns a second descriptor of the same open file, close-on-exec.
    ///
    /// - Throws: `SystemError` from `fcntl`; EMFILE if the process has no free descriptor.
    public func duplicate() throws(SystemError) -> Descriptor {
        let number = number
        return Descriptor(
            adopting: try retrying("fcntl", "descriptor \(number)") { fcntl(number, F_DUPFD_CLOEXEC, 3) }
        )
    }

    /// Opens a path, always close-on-exec.
    ///
    /// - Parameters:
    ///   - path: the path to open.
    ///   - flags: open(2) flags; O_CLOEXEC is added.
    ///   - mode: the permissions of a new file, masked by the umask.
    /// - Returns: the open file.
    /// - Throws: `SystemError` from `open`.
    public static func open(_ path: String, flags: Int32, mode: UInt32 = 0o600) throws(SystemError) -> Descriptor {
        Descriptor(adopting: try retrying("open", path) { Glibc.open(path, flags | O_CLOEXEC, mode) })
    }
}

/// Open descriptors that arrived together, in the order in which they were sent.
///
/// Descriptors that are not taken are closed with the list.
public struct DescriptorList: ~Copyable, Sendable {
    private var numbers: [Int32]

    /// Creates an empty list.
    public init() {
        numbers = []
    }

    init(adopting numbers: [Int32]) {
        self.numbers = numbers
    }

    deinit {
        for number in numbers { _ = close(number) }
    }

    /// The number of descriptors not yet taken.
    public var count: Int { numbers.count }

    /// Whether the list is empty.
    public var isEmpty: Bool { numbers.isEmpty }

    /// Removes and returns the first descriptor; nil if the list is empty.
    public mutating func takeFirst() -> Descriptor? {
        guard !numbers.isEmpty else { return nil }
        return Descriptor(adopting: numbers.removeFirst())
    }

    /// Appends a descriptor.
    public mutating func append(_ descriptor: consuming Descriptor) {
        numbers.append(descriptor.release())
    }

    /// Moves all descriptors of another list to the end of this one.
    public mutating func append(_ other: consuming DescriptorList) {
        numbers += other.numbers
        other.numbers = []
    }
}
