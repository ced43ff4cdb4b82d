internal import CLinux
internal import Glibc

/// A handle for one process: its operations never reach another process that got the same number later.
public final class ProcessHandle: Sendable {
    /// The process.
    public let identity: ProcessIdentity

    private let pidfd: Descriptor

    /// Opens a pidfd of a process.
    ///
    /// - Throws: `SystemError` from `pidfd_open`; ESRCH if it has exited, even if its number belongs to another process
    ///   now.
    public init(_ identity: ProcessIdentity) throws(SystemError) {
        let number = try retrying("pidfd_open", "process \(identity.pid)") { hf_pidfd_open(identity.pid) }
        pidfd = Descriptor(adopting: number)
        self.identity = identity
        // Checked after the open: if the identity matches now, the pidfd refers to this process.
        guard ProcessIdentity.current(of: identity.pid) == identity else {
            throw SystemError(
                operation: "pidfd_open", subject: "process \(identity.pid)", code: ESRCH,
                detail: "the process that started at tick \(identity.startTime) has exited"
            )
        }
    }

    /// The pidfd's number, for system calls; this object keeps ownership.
    public var number: Int32 { pidfd.number }

    /// Whether the process has exited; true for a zombie.
    public var hasExited: Bool { poll(pidfd.number, until: Deadline(within: .zero)) }

    /// Duplicates one of the process's descriptors; the duplicate refers to the same open file.
    ///
    /// - Throws: `SystemError` from `pidfd_getfd`: EPERM without permission to trace the process, EBADF if it has no
    ///   such descriptor, ESRCH if it has exited.
    public func descriptor(_ number: Int32) throws(SystemError) -> Descriptor {
        Descriptor(
            adopting: try retrying("pidfd_getfd", "descriptor \(number) of process \(identity.pid)") {
                hf_pidfd_getfd(pidfd.number, number)
            }
        )
    }

    /// Sends a signal.
    ///
    /// - Throws: `SystemError` from `pidfd_send_signal`: EPERM, or ESRCH if it has exited.
    public func signal(_ signal: Int32) throws(SystemError) {
        _ = try retrying("pidfd_send_signal", "process \(identity.pid)") {
            hf_pidfd_send_signal(pidfd.number, signal)
        }
    }

    /// Waits until the process has exited, without blocking a thread of the caller.
    ///
    /// Cancelling the task ends the wait.
    ///
    /// - Parameter within: the longest wait.
    /// - Returns: whether it has exited.
    public func waitForExit(within: Duration) async -> Bool {
        if hasExited { return true }
        // Shutting down the other end wakes the waiting thread when the task is cancelled.
        let deadline = Deadline(within: within)
        guard let (sleeper, waker) = try? UnixStream.pair() else { return poll(pidfd.number, until: deadline) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                do {
                    try startThread(name: "exit of \(identity.pid)") { [self] in
                        continuation.resume(returning: poll(pidfd.number, sleeper.number, until: deadline))
                        withExtendedLifetime(sleeper) {}
                    }
                } catch {
                    continuation.resume(returning: poll(pidfd.number, sleeper.number, until: deadline))
                }
            }
        } onCancel: {
            waker.shutdown()
        }
    }

    /// Waits until the process has exited, the deadline has passed, or `waker` is readable.
    ///
    /// - Returns: whether it has exited.
    private func poll(_ pidfd: Int32, _ waker: Int32 = -1, until deadline: Deadline) -> Bool {
        while true {
            var entries = [pidfd, waker].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let count = Glibc.poll(&entries, 2, deadline.pollTimeout)
            if count < 0 && errno == EINTR { continue }
            return count > 0 && entries[0].revents != 0
        }
    }
}

// MARK: - Session

extension ProcessHandle {
    /// Kills the process with SIGKILL and waits for its exit.
    ///
    /// The wait does not end when the task is cancelled: cleanup after a cancellation needs the result, too.
    ///
    /// - Parameter deadline: The longest wait.
    /// - Returns: Whether the process is gone, also if the signal was refused and it ended otherwise.
    public func end(within deadline: Duration) async -> Bool {
        // Refused if it is gone already, or is not ours to signal: the wait finds out.
        try? signal(SIGKILL)
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
