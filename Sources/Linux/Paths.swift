internal import Glibc
internal import SystemPackage

/// Operations on paths as text; only ``resolved(_:)`` accesses the file system.
package enum Paths {
    /// Returns the folder that contains a path: `/` for `/` itself, `.` for a name alone.
    package static func parent(of path: String) -> String {
        let path = FilePath(path)
        let parent = path.removingLastComponent()
        return parent.isEmpty ? "." : parent.string
    }

    /// Returns the last component: `qemu` of `/usr/bin/qemu` and of `/usr/bin/qemu/`; the path itself if it has none.
    package static func name(of path: String) -> String {
        FilePath(path).lastComponent?.string ?? path
    }

    /// Returns an absolute path as it is, and a relative one behind a folder, without a leading `./`.
    ///
    /// `..` stays: behind a symbolic link, it is not the folder before.
    package static func absolute(_ path: String, in folder: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        return FilePath(folder).appending(FilePath(path).components.drop { $0.kind == .currentDirectory }).string
    }

    /// Returns a path without `.`, `..` and double slashes, as if it had no symbolic links.
    package static func normalized(_ path: String) -> String {
        FilePath(path).lexicallyNormalized().string
    }

    /// Returns the folders that contain a path, the nearest first; `/` is not among them.
    package static func ancestors(of path: String) -> some Sequence<String> {
        sequence(first: parent(of: path)) { parent(of: $0) }.prefix { $0 != "/" && $0 != "." }
    }

    /// Returns the path without symbolic links, `.` and `..`; nil if it does not exist.
    package static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(validatingCString: resolved)
    }
}
