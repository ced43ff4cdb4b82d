import Glibc
import Linux

/// A new private folder, removed with its content at the end.
final class Scratch: Sendable {
    let path: String

    init(in parent: String = "/tmp") throws {
        path = "\(parent)/hyperfresh-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Files.createDirectory(path)
    }

    deinit { Self.removeTree(path) }

    private static func removeTree(_ path: String) {
        // remove(3) unlinks anything but a folder, and never follows a link.
        if remove(path) == 0 { return }
        for name in (try? ProcFS.names(inFolder: path)) ?? [] { removeTree("\(path)/\(name)") }
        remove(path)
    }

    /// Its content, one path a line, sorted.
    var content: [String] { Self.content(of: path, prefix: "") }

    private static func content(of path: String, prefix: String) -> [String] {
        ((try? ProcFS.names(inFolder: path)) ?? []).sorted().flatMap { name in
            [prefix + name] + content(of: "\(path)/\(name)", prefix: "\(prefix)\(name)/")
        }
    }
}
