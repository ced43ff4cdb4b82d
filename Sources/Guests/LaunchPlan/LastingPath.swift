/// The names under which a new QEMU makes its sockets and its pid file while the old one still has the lasting ones.
///
/// `PATH.hf-XXXXXXXX`, with the eight hexadecimal digits of the handoff. After commit the file is renamed to PATH. The
/// command line keeps the temporary name, so the lasting one is found again by taking the suffix off. It differs at
/// every refresh, because a QEMU that ends by itself unlinks the path that it bound.
enum LastingPath {
    /// The longest path of a unix socket: 108 bytes of `sun_path` with a zero at the end (unix(7)).
    static let longestSocketPath = 107

    private static let mark = ".hf-"
    private static let digits = 8

    /// The path without the suffix of an earlier refresh.
    static func lasting(_ path: String) -> String {
        let suffix = path.suffix(mark.count + digits)
        guard suffix.hasPrefix(mark), isHandoffID(suffix.dropFirst(mark.count)) else { return path }
        return String(path.dropLast(suffix.count))
    }

    /// The path with the suffix of this handoff in place of an earlier one's.
    static func temporary(_ path: String, handoffID: String) -> String {
        lasting(path) + mark + handoffID
    }

    /// Whether the text is eight hexadecimal digits in lower case.
    static func isHandoffID(_ text: some StringProtocol) -> Bool {
        text.utf8.count == digits && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// The path as seen from the root, taking a relative one from a folder.
    static func absolute(_ path: String, in directory: String) -> String {
        if path.hasPrefix("/") { return path }
        let folder = directory.hasSuffix("/") ? directory : directory + "/"
        return folder + (path.hasPrefix("./") ? String(path.dropFirst(2)) : path)
    }
}
