internal import Glibc
internal import Linux

/// Decides which files this process may execute as the current user.
enum ProgramTrust {
    /// Returns whether only root or the current user can have put this program there: others can write neither the file
    /// nor a directory on its path.
    ///
    /// A guest's owner chooses the binary of their QEMU; an administrator's tool must not run it as root.
    static func isOurs(_ path: String) -> Bool {
        guard let resolved = Paths.resolved(path), let file = FileStatus.at(resolved), !file.isWritableByOthers else {
            return false
        }
        var folder = resolved
        while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
            folder = String(folder[..<slash])
            guard let facts = FileStatus.at(folder), !facts.isWritableByOthers else { return false }
        }
        return true
    }
}

/// Paths of this host.
enum Paths {
    /// Returns the path without symbolic links, `.` and `..`; nil if it does not exist.
    static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(validatingCString: resolved)
    }
}
