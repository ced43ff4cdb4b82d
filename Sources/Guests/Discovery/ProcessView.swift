internal import Glibc
internal import Linux

/// Paths as a QEMU process meant them, turned into paths that lead there from here.
struct ProcessView {
    let pid: Int32
    let workingDirectory: String?
    /// Whether the process sees the same file systems at the same places as we do.
    let sharesOurFiles: Bool

    init(pid: Int32, workingDirectory: String? = nil) {
        self.pid = pid
        self.workingDirectory = workingDirectory
        // Unknown means that we may not look; then nothing else of that process can be reached either.
        let theirs = try? Files.linkTarget("/proc/\(pid)/ns/mnt")
        sharesOurFiles = theirs == nil || theirs == (try? Files.linkTarget("/proc/self/ns/mnt"))
    }

    /// The path in the process's own view.
    ///
    /// A QEMU that went into the background (`-daemonize`) left for `/` after it had opened its files: then the folder
    /// that it was started in is only in its environment.
    func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        let here = Self.join(workingDirectory ?? "/", path)
        guard FileFacts.at(reachable(here)) == nil, let start = startFolder else { return here }
        let there = Self.join(start, path)
        return FileFacts.at(reachable(there)) == nil ? here : there
    }

    /// The way from here to an absolute path of the process's view.
    func reachable(_ path: String) -> String {
        sharesOurFiles ? path : "/proc/\(pid)/root" + path
    }

    /// Where a QMP monitor of the command line answers now; nil for a descriptor that is not there.
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
        // Until the refresh commits the socket is at its temporary name, afterwards at the lasting one.
        let isTemporary = FileFacts.at(reachable(bound)) != nil
        return MonitorSocket(
            path: reachable(isTemporary ? bound : lasting), boundPath: bound, lastingPath: lasting,
            isInheritedDescriptor: isInherited)
    }

    private var startFolder: String? {
        // An environment that may not be read names no folder.
        guard let environment = try? ProcFS.environment(pid) else { return nil }
        return environment.first { $0.hasPrefix("PWD=/") }.map { String($0.dropFirst("PWD=".count)) }
    }

    private static func join(_ folder: String, _ path: String) -> String {
        var path = Substring(path)
        while path.hasPrefix("./") { path = path.dropFirst(2) }
        return folder.hasSuffix("/") ? folder + path : folder + "/" + path
    }
}
