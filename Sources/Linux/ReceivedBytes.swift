/// The result of one call of `UnixStream.receive`.
public struct ReceivedBytes: ~Copyable, Sendable {
    /// The number of bytes put into the buffer; 0 at the end of the stream.
    public let count: Int

    /// The descriptors that came with them, close-on-exec.
    public var descriptors: DescriptorList

    init(count: Int, descriptors: consuming DescriptorList) {
        self.count = count
        self.descriptors = descriptors
    }
}
