/// The names under which a new QEMU creates its sockets and its pid file while the old one still has the lasting names.
///
/// `PATH.hf-XXXXXXXX`, with the eight hexadecimal digits of the handoff. After commit, the file is renamed to PATH. The
/// command line keeps the temporary name; removing the suffix yields the lasting one. The suffix differs in every
/// handoff, because a QEMU that exits normally unlinks the path that it bound.
enum LastingPath {
    /// The maximum length of a unix socket's path: `sun_path` has 108 bytes, including the final zero (unix(7)).
    static let longestSocketPath = 107

    private static let mark = ".hf-"
    private static let digits = 8

    /// Returns the path without the suffix of an earlier handoff.
    static func lasting(_ path: String) -> String {
        let suffix = path.suffix(mark.count + digits)
        guard suffix.hasPrefix(mark), isHandoffID(suffix.dropFirst(mark.count)) else { return path }
        return String(path.dropLast(suffix.count))
    }

    /// Returns the path with the suffix of this handoff instead of an earlier one's.
    static func temporary(_ path: String, handoffID: String) -> String {
        lasting(path) + mark + handoffID
    }

    /// Returns whether the text is eight hexadecimal digits in lower case.
    static func isHandoffID(_ text: some StringProtocol) -> Bool {
        text.utf8.count == digits && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Returns the absolute path; a relative one is relative to the directory.
    static func absolute(_ path: String, in directory: String) -> String {
        if path.hasPrefix("/") { return path }
        let folder = directory.hasSuffix("/") ? directory : directory + "/"
        return folder + (path.hasPrefix("./") ? String(path.dropFirst(2)) : path)
    }
}
