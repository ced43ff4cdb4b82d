internal import Glibc

/// Open descriptors that arrived together, in the order in which they were sent.
///
/// Those that nobody takes are closed with the list.
public struct DescriptorList: ~Copyable, Sendable {
    private var numbers: [Int32]

    /// A list of nothing.
    public init() {
        numbers = []
    }

    init(adopting numbers: [Int32]) {
        self.numbers = numbers
    }

    deinit {
        for number in numbers { _ = close(number) }
    }

    /// How many have not been taken.
    public var count: Int { numbers.count }

    /// Whether none is left.
    public var isEmpty: Bool { numbers.isEmpty }

    /// Takes the first one that is left; nil when there is none.
    public mutating func takeFirst() -> Descriptor? {
        guard !numbers.isEmpty else { return nil }
        return Descriptor(adopting: numbers.removeFirst())
    }

    /// Takes one in, behind the others.
    public mutating func append(_ descriptor: consuming Descriptor) {
        numbers.append(descriptor.release())
    }

    /// Moves all of another list behind this one's.
    public mutating func append(_ other: consuming DescriptorList) {
        numbers += other.numbers
        other.numbers = []
    }
}
