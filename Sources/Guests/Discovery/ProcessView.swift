internal import Glibc
internal import Linux

/// Converts paths of a QEMU process to paths that are valid in this process.
struct ProcessView {
    let pid: Int32
    let workingDirectory: String?
    /// Whether the process sees the same file systems in the same places as we do; true if unknown.
    let sharesOurFiles: Bool

    init(pid: Int32, workingDirectory: String? = nil) {
        self.pid = pid
        self.workingDirectory = workingDirectory
        // If the namespace is not readable, nothing else of that process is reachable either.
        let theirs = try? Files.linkTarget("/proc/\(pid)/ns/mnt")
        sharesOurFiles = theirs == nil || theirs == (try? Files.linkTarget("/proc/self/ns/mnt"))
    }

    /// Returns the path in the process's own view.
    ///
    /// A QEMU with `-daemonize` changes to `/` after it has opened its files; only its environment then names the
    /// directory in which it was started.
    func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        let here = Paths.absolute(path, in: workingDirectory ?? "/")
        guard FileStatus.at(reachable(here)) == nil, let start = startFolder else { return here }
        let there = Paths.absolute(path, in: start)
        return FileStatus.at(reachable(there)) == nil ? here : there
    }

    /// Returns the path by which this process reaches an absolute path of the process's view.
    func reachable(_ path: String) -> String {
        sharesOurFiles ? path : "/proc/\(pid)/root" + path
    }

    /// Returns where a QMP monitor of the command line answers now; nil for a descriptor that does not exist.
    func socket(_ monitor: CommandLineSurvey.Monitor) -> MonitorSocket? {
        switch monitor {
        case .path(let path): socket(boundTo: path, isInherited: false)
        case .descriptor(let number): boundPath(of: number).flatMap { socket(boundTo: $0, isInherited: true) }
        }
    }

    private func socket(boundTo path: String, isInherited: Bool) -> MonitorSocket {
        let bound = absolute(path)
        let lasting = LastingPath.lasting(bound)
        guard lasting != bound else {
            return MonitorSocket(path: reachable(bound), boundPath: bound, isInheritedDescriptor: isInherited)
        }
        // The socket has its temporary name until the handoff commits, then the lasting one.
        let isTemporary = FileStatus.at(reachable(bound)) != nil
        return MonitorSocket(
            path: reachable(isTemporary ? bound : lasting), boundPath: bound, lastingPath: lasting,
            isInheritedDescriptor: isInherited)
    }

    private var startFolder: String? {
        // An unreadable environment names no directory.
        guard let environment = try? ProcFS.environment(pid) else { return nil }
        return environment.first { $0.hasPrefix("PWD=/") }.map { String($0.dropFirst("PWD=".count)) }
    }
}

// MARK: - Files

extension ProcessView {
    /// The maximum read from a `-readconfig` file, in bytes.
    private static let configLimit = 4 << 20

    /// Returns the text of a `-readconfig` file, found where QEMU found it.
    ///
    /// Reads regular files only: a guest's owner must not make us block on a pipe.
    func configText(_ path: String) throws -> String {
        let place = Self.descriptorNumber(path).map { "/proc/\(pid)/fd/\($0)" } ?? reachable(absolute(path))
        guard let facts = FileStatus.at(place) else {
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
