import Glibc
import Linux

/// Damages to a file or folder.
enum FileDamage: String, CaseIterable, Sendable {
    case missing, empty, torn, garbage, newer
    /// It belongs to another user.
    case owner
    /// Others may write to it.
    case open
    /// Something of another type is in its place.
    case folder, file, link
    /// Reading it fails with EIO.
    case unreadable
    /// It is intact, but of another boot, another process, or an earlier time.
    case boot, stale
    /// Another process has it locked.
    case held

    /// Whether the original is moved aside and can be moved back.
    var movesAside: Bool {
        switch self {
        case .missing, .empty, .torn, .garbage, .newer, .folder, .file, .link: true
        case .owner, .open, .unreadable, .boot, .stale, .held: false
        }
    }

    /// Inflicts damage that requires no knowledge of the file's content: all but `boot`, `stale` and `held`.
    ///
    /// - Parameters:
    ///   - path: The file or folder.
    ///   - aside: The path for the original, on the same file system.
    /// - Throws: If it fails.
    func inflict(on path: String, keeping aside: String) throws {
        if movesAside { try Self.check(rename(path, aside), path) }
        switch self {
        case .missing: break
        case .empty:
            let isFolder = try Files.status(aside).kind == .directory
            if isFolder {
                try Self.check(mkdir(path, 0o700), path)
            } else {
                try Files.replaceAtomically(path, bytes: [])
            }
        case .torn:
            let bytes = try Files.readAll(aside)
            try Files.replaceAtomically(path, bytes: Array(bytes.prefix(bytes.count * 2 / 3)))
        case .garbage: try Files.replaceAtomically(path, bytes: (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37) })
        case .newer: try Files.replaceAtomically(path, bytes: Array("hf2 0 00000000 {}\n".utf8))
        case .owner: try Self.check(chown(path, 65534, 65534), path)
        case .open: try Self.check(chmod(path, 0o777), path)
        case .folder: try Self.check(mkdir(path, 0o700), path)
        case .file: try Files.replaceAtomically(path, bytes: [])
        case .link: try Self.check(symlink(aside, path), path)
        // The first page of a process's memory is not mapped: reading it fails with EIO.
        case .unreadable: try Self.check(mount("/proc/\(getpid())/mem", path, nil, UInt(MS_BIND), nil), path)
        case .boot, .stale, .held: throw MatrixUnreadable(description: "\(path) cannot be \(self)")
        }
    }

    /// Puts back the original, whatever is in its place now.
    func undo(on path: String, from aside: String) throws {
        if self == .unreadable { try Self.check(umount2(path, 0), path) }
        if movesAside {
            if remove(path) != 0, errno != ENOENT { try Self.check(rename(path, "\(aside)-made"), path) }
            try Self.check(rename(aside, path), path)
        }
        if self == .owner { try Self.check(chown(path, geteuid(), getegid()), path) }
        if self == .open {
            let isFolder = try Files.status(path).kind == .directory
            try Self.check(chmod(path, isFolder ? 0o700 : 0o600), path)
        }
    }

    private static func check(_ result: Int32, _ path: String) throws {
        guard result == 0 else { throw MatrixUnreadable(description: "\(path): errno \(errno)") }
    }
}
