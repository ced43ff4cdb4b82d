/// Limits of a parser, so that a peer cannot exhaust memory or stack.
public struct JSONLimits: Sendable, Hashable {
    /// The largest message, in bytes, without surrounding white space.
    public var maximumBytes: Int

    /// The deepest nesting of arrays and objects: `[[1]]` has a depth of two.
    public var maximumDepth: Int

    /// 16 MiB and a depth of 256.
    ///
    /// The largest reply of QEMU in ordinary use is `query-qmp-schema` (about 300 kB); the deepest are `query-block`
    /// and `query-named-block-nodes`, which nest one level for each backing file of an image chain.
    public static let standard = JSONLimits(maximumBytes: 16 * 1024 * 1024, maximumDepth: 256)

    /// Creates limits.
    ///
    /// - Parameters:
    ///   - maximumBytes: The largest message in bytes, at least 1.
    ///   - maximumDepth: The deepest nesting of arrays and objects, at least 1 and at most 1024.
    public init(maximumBytes: Int, maximumDepth: Int) {
        self.maximumBytes = max(1, maximumBytes)
        // Values are built and freed recursively: the cap keeps the recursion within a thread's stack.
        self.maximumDepth = min(max(1, maximumDepth), 1024)
    }
}
