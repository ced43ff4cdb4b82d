/// The names under which a new QEMU binds its sockets and writes its pid file until they take over the lasting ones:
/// the lasting name with `.hf-` and the eight hexadecimal digits of the handoff behind it.
///
/// A refreshed QEMU keeps them on its command line for ever; the name of the file tells what they are now.
enum TemporaryName {
    private static let mark = ".hf-"

    /// The lasting name behind a temporary one; nil when the path is none.
    static func lasting(of path: String) -> String? {
        let digits = path.utf8.suffix(8)
        let isHexadecimal = digits.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }
        guard digits.count == 8, isHexadecimal else { return nil }
        let stem = path.dropLast(8)
        guard stem.hasSuffix(mark), stem.utf8.count > mark.utf8.count else { return nil }
        return String(stem.dropLast(mark.count))
    }
}
