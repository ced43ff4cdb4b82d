import Glibc
import Linux

/// What may become of a file or folder of the state folder.
enum FileDamage: String, CaseIterable, Sendable {
    case missing, empty, torn, garbage, newer, owner, folder, link, stale

    /// Does it; what was there is kept beside the state folder.
    ///
    /// - Parameters:
    ///   - path: The file or folder.
    ///   - aside: Where what was there is kept.
    ///   - makeStale: Writes one that is whole, but not true any more.
    /// - Throws: When it cannot be done.
    func inflict(on path: String, keeping aside: String, makeStale: () throws -> Void) throws {
        func check(_ result: Int32) throws {
            guard result == 0 else { throw MatrixWrong(description: "\(path): errno \(errno)") }
        }
        if self == .missing || self == .folder || self == .link {
            try check(rename(path, aside))
            if self == .folder { try check(mkdir(path, 0o700)) }
            if self == .link { try check(symlink(aside, path)) }
            return
        }
        let bytes = try Files.readAll(path, limit: 64 << 20)
        try Files.replaceAtomically(aside, bytes: bytes)
        switch self {
        case .empty: try Files.replaceAtomically(path, bytes: [])
        case .torn: try Files.replaceAtomically(path, bytes: Array(bytes.prefix(bytes.count * 2 / 3)))
        case .garbage: try Files.replaceAtomically(path, bytes: (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37) })
        case .newer: try Files.replaceAtomically(path, bytes: Array("hf2 0 00000000 {}\n".utf8))
        case .owner: try check(chown(path, 65534, 65534))
        case .stale: try makeStale()
        case .missing, .folder, .link: break
        }
    }

    /// Puts back what was there.
    static func undo(_ path: String, from aside: String) throws {
        unlink(path)
        rmdir(path)
        guard rename(aside, path) == 0 else {
            throw MatrixWrong(description: "\(path) cannot be put back: errno \(errno)")
        }
        _ = chown(path, geteuid(), getegid())
    }
}
