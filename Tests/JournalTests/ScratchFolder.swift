import Glibc
import Linux

/// A new private folder, removed with its content at the end.
final class ScratchFolder {
    let path: String

    init() {
        var template = Array("/tmp/hyperfresh-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { fatalError("mkdtemp: errno \(errno)") }
        path = String(cString: made)
    }

    deinit {
        Self.removeTree(path)
    }

    private static func removeTree(_ path: String) {
        // remove(3) unlinks anything but a folder, and never follows a link.
        if remove(path) == 0 { return }
        for name in (try? ProcFS.names(inFolder: path)) ?? [] { removeTree("\(path)/\(name)") }
        remove(path)
    }

    /// Returns a path in the folder.
    func file(_ name: String) -> String { "\(path)/\(name)" }
}
