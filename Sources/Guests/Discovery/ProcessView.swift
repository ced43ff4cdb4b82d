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
        let here = Self.join(workingDirectory ?? "/", path)
        guard FileFacts.at(reachable(here)) == nil, let start = startFolder else { return here }
        let there = Self.join(start, path)
        return FileFacts.at(reachable(there)) == nil ? here : there
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
        let isTemporary = FileFacts.at(reachable(bound)) != nil
        return MonitorSocket(
            path: reachable(isTemporary ? bound : lasting), boundPath: bound, lastingPath: lasting,
            isInheritedDescriptor: isInherited)
    }

    private var startFolder: String? {
        // An unreadable environment names no directory.
        guard let environment = try? ProcFS.environment(pid) else { return nil }
        return environment.first { $0.hasPrefix("PWD=/") }.map { String($0.dropFirst("PWD=".count)) }
    }

    private static func join(_ folder: String, _ path: String) -> String {
        var path = Substring(path)
        while path.hasPrefix("./") { path = path.dropFirst(2) }
        return folder.hasSuffix("/") ? folder + path : folder + "/" + path
    }
}
