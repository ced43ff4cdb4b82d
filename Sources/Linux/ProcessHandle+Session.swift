internal import Glibc

extension ProcessHandle {
    /// Kills the process with SIGKILL and waits for its exit.
    ///
    /// The wait does not end when the task is cancelled: cleanup after a cancellation needs the result, too.
    ///
    /// - Parameter deadline: The longest wait.
    /// - Returns: Whether the process is gone; false at once if the signal is not permitted.
    public func end(within deadline: Duration) async -> Bool {
        do throws(SystemError) {
            try signal(SIGKILL)
        } catch {
            guard error.isGone else { return false }
        }
        return await Task { await waitForExit(within: deadline) }.value
    }

    /// Kills the process with SIGKILL, and everything it started that is still in the session that it leads.
    ///
    /// Otherwise a wrapper that runs a program as its child would leave the program behind. It works after the process
    /// itself has exited, too: the kernel does not reuse its number while the session has members.
    public func endSession() {
        try? signal(SIGKILL)
        // A process that forks during the scan is found by the next one.
        for _ in 0..<10 {
            let members = sessionMembers
            guard !members.isEmpty else { return }
            for member in members { try? ProcessHandle(member).signal(SIGKILL) }
        }
    }

    private var sessionMembers: [ProcessIdentity] {
        let leader = identity.pid
        // Another process has the number now, so the session has no members left.
        if let current = ProcessIdentity.current(of: leader), current != identity { return [] }
        return ((try? ProcFS.processes()) ?? []).compactMap { pid in
            guard pid != leader, let status = try? ProcFS.status(pid), status.session == leader, !status.isDead,
                status.startTime >= identity.startTime
            else { return nil }
            return ProcessIdentity(pid: pid, startTime: status.startTime)
        }
    }
}
