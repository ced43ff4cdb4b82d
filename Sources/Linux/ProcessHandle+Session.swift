internal import Glibc

extension ProcessHandle {
    /// Ends the process by SIGKILL, and with it whatever it has started that stayed in the session that it leads.
    ///
    /// A wrapper that runs a program as its child would otherwise leave it behind. Works also when the process itself has
    /// ended already: its number is not given out again while somebody is in its session.
    public func endSession() {
        try? signal(SIGKILL)
        // Who forks while we look is found the next time.
        for _ in 0..<10 {
            let members = sessionMembers
            guard !members.isEmpty else { return }
            for member in members { try? ProcessHandle(member).signal(SIGKILL) }
        }
    }

    private var sessionMembers: [ProcessIdentity] {
        let leader = identity.pid
        // Another process has the number now: then nobody of ours was left.
        if let current = ProcessIdentity.current(of: leader), current != identity { return [] }
        return ((try? ProcFS.processes()) ?? []).compactMap { pid in
            guard pid != leader, let status = try? ProcFS.status(pid), status.session == leader, !status.isDead,
                status.startTime >= identity.startTime
            else { return nil }
            return ProcessIdentity(pid: pid, startTime: status.startTime)
        }
    }
}
