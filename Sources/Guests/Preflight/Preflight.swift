internal import Linux

/// Checks whether a guest can be refreshed; each check has a permanent name and a remedy (docs/preflight.md).
///
/// Changes nothing: queries the old QEMU, and queries the new binary in a separate process without a guest.
public enum Preflight {
    /// Returns the findings that need no query, only a look at the process; for a list of many guests.
    ///
    /// - Parameter guest: the guest.
    /// - Returns: what prevents a handoff, the first reason first; empty if nothing visible does.
    public static func glance(at guest: GuestProcess) -> [Finding] {
        if guest.isNewSideOfRefresh {
            return [
                Finding(
                    .refreshInProgress, .fail, "it is the new side of an unfinished handoff",
                    remedy: "Wait for the handoff; if none is running, run `hyperfresh recover`.")
            ]
        }
        guard guest.executable != nil else {
            return [
                Finding(
                    .notPermitted, .fail, "its process is not readable",
                    evidence: ["missing: ptrace on pid \(guest.identity.pid)"],
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
            return Finding(.commandLineUnreadable, .pass, "the command line can be parsed as QEMU parses it")
        }
        return Finding(
            .commandLineUnreadable, .fail, "the recorded command line cannot be parsed as QEMU parses it",
            evidence: [problem],
            remedy: "Restore what is missing (such as a -readconfig file), or shut the guest down and start it again."
        )
    }

    static func monitorMissing(_ guest: GuestProcess) -> Finding {
        Finding(
            .monitorMissing, .fail, "there is no QMP monitor on a unix socket",
            remedy: "Start the guest with -qmp unix:PATH,server=on,wait=off.")
    }
}

extension ProcessView {
    /// Returns the path by which this process reaches a path of the command line.
    func place(_ path: String) -> String { reachable(absolute(path)) }
}
