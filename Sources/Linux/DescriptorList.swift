internal import Glibc

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
