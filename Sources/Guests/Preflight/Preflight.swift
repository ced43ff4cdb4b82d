internal import Linux

/// Whether a guest can be refreshed: checks with lasting names, each with what to do about it (docs/preflight.md).
///
/// Nothing is changed by it: the old QEMU is asked, the new binary is asked in a process of its own without a guest.
public enum Preflight {
    /// What can be said at a glance at the process, without asking anybody: for a list of many guests.
    ///
    /// - Parameter guest: the guest.
    /// - Returns: what stands in the way, the first reason first; empty where nothing does as far as one sees.
    public static func glance(at guest: GuestProcess) -> [Finding] {
        if guest.isNewSideOfRefresh {
            return [
                Finding(
                    .refreshInProgress, .fail, "it is the new side of a refresh that has not ended",
                    remedy: "Wait for the refresh; if none runs, `hyperfresh recover` settles it.")
            ]
        }
        guard guest.executable != nil else {
            return [
                Finding(
                    .notPermitted, .fail, "its process may not be read",
                    evidence: ["missing: ptrace over pid \(guest.identity.pid)"],
                    remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
            ]
        }
        guard guest.commandLine != nil else { return [commandLineFinding(guest)] }
        let memory = guest.memoryBackends.compactMap { memoryFinding($0, of: guest) }
        return memory.prefix(1) + (guest.monitors.isEmpty ? [monitorMissing(guest)] : [])
    }

    private static func memoryFinding(_ backend: MemoryBackendOption, of guest: GuestProcess) -> Finding? {
        let remedy = ManagementStack(arguments: guest.arguments).sharedMemoryRemedy(name: guest.name)
        let id = backend.id.map { "\($0): " } ?? ""
        guard backend.isShared else {
            return Finding(
                .ramNotShared, .fail, "the guest's RAM is private to its QEMU",
                evidence: [id + (backend.type ?? "plain -m")], remedy: remedy)
        }
        let path = backend.path.map {
            ProcessView(pid: guest.identity.pid, workingDirectory: guest.workingDirectory).place($0)
        }
        guard backend.type == "memory-backend-file", let path, FileFacts.at(path)?.isFolder != true else {
            return Finding(
                .ramNotNamedFile, .fail, "the guest's RAM is not a file that a second QEMU can open by its name",
                evidence: [id + (backend.path ?? backend.type ?? "")], remedy: remedy)
        }
        return nil
    }

    static func commandLineFinding(_ guest: GuestProcess) -> Finding {
        guard let problem = guest.commandLineProblem else {
            return Finding(.commandLineUnreadable, .pass, "the command line can be read as QEMU reads it")
        }
        return Finding(
            .commandLineUnreadable, .fail, "the recorded command line cannot be read as QEMU reads it",
            evidence: [problem],
            remedy: "Put back what is missing (a -readconfig file, for one), or shut the guest down and start it again."
        )
    }

    static func monitorMissing(_ guest: GuestProcess) -> Finding {
        Finding(
            .monitorMissing, .fail, "there is no QMP monitor on a unix socket",
            remedy: "Start the guest with -qmp unix:PATH,server=on,wait=off.")
    }
}

extension ProcessView {
    /// The way from here to a path of the command line.
    func place(_ path: String) -> String { reachable(absolute(path)) }
}
