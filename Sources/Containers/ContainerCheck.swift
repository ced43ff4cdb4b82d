/// What CRIU can be asked before anything is frozen.
public struct ContainerCheck: Sendable, Hashable {
    /// The version of CRIU, such as `3.17.1`.
    public let version: String
    /// What `criu check` says against the kernel; empty if it finds nothing.
    public let complaints: [String]
    /// What the container's processes have open that cannot be moved: `pid: what`.
    public let descriptors: [String]

    /// Reads what `container.sh check` printed.
    init(_ text: String) {
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        func rest(_ word: String) -> [String] {
            lines.filter { $0.hasPrefix(word + " ") }.map { String($0.dropFirst(word.count + 1)) }
        }
        version = rest("version").first ?? "?"
        complaints = rest("check")
        descriptors = rest("fd")
    }
}
