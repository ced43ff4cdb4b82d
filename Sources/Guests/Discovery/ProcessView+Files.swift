internal import Glibc
internal import Linux

extension ProcessView {
    /// The maximum read from a `-readconfig` file, in bytes.
    private static let configLimit = 4 << 20

    /// Returns the text of a `-readconfig` file, found where QEMU found it.
    ///
    /// Reads regular files only: a guest's owner must not make us block on a pipe.
    func configText(_ path: String) throws -> String {
        let place = Self.descriptorNumber(path).map { "/proc/\(pid)/fd/\($0)" } ?? reachable(absolute(path))
        guard let facts = FileFacts.at(place) else {
            throw SystemError(operation: "open", subject: place, code: ENOENT)
        }
        guard facts.isRegular else {
            throw SystemError(operation: "read", subject: place, code: EINVAL, detail: "not a regular file")
        }
        let bytes = try Files.readAll(place, limit: Self.configLimit)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SystemError(operation: "read", subject: place, code: EILSEQ, detail: "not UTF-8")
        }
        return text
    }

    /// Returns the path to which the listening socket behind a descriptor of the process is bound.
    func boundPath(of descriptor: Int32) -> String? {
        guard let target = try? Files.linkTarget("/proc/\(pid)/fd/\(descriptor)"), target.hasPrefix("socket:["),
            let inode = UInt64(target.dropFirst("socket:[".count).dropLast()),
            // If the sockets are not readable, only the names on the command line remain.
            let sockets = try? ProcFS.unixSockets(of: pid)
        else { return nil }
        return sockets.first { $0.inode == inode && $0.isListening }?.path
    }

    /// Returns 3 for `/dev/fd/3` and `/proc/self/fd/3`.
    private static func descriptorNumber(_ path: String) -> Int32? {
        if path == "/dev/stdin" { return 0 }
        for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
            return Int32(path.dropFirst(folder.count))
        }
        return nil
    }
}

/// The effective user of this process.
var ourUserID: UInt32 { geteuid() }
