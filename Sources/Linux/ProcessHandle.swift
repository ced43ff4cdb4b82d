internal import CLinux
internal import Glibc

/// A hold on one process: what is done through it never hits another one that got the same number later.
public final class ProcessHandle: Sendable {
    /// Which process it is.
    public let identity: ProcessIdentity

    private let pidfd: Descriptor

    /// Takes hold of a process.
    ///
    /// - Throws: `SystemError` from `pidfd_open`; ESRCH when it has ended, also when its number belongs to another one now.
    public init(_ identity: ProcessIdentity) throws(SystemError) {
        let number = try retrying("pidfd_open", "process \(identity.pid)") { hf_pidfd_open(identity.pid) }
        pidfd = Descriptor(adopting: number)
        self.identity = identity
        // Looked at after the open: from now on the number cannot be given to another process unnoticed.
        guard ProcessIdentity.current(of: identity.pid) == identity else {
            throw SystemError(
                operation: "pidfd_open", subject: "process \(identity.pid)", code: ESRCH,
                detail: "the one that started at tick \(identity.startTime) has ended"
            )
        }
    }

    /// The number of the process's descriptor, for calls that take one; it stays this object's to close.
    public var number: Int32 { pidfd.number }

    /// Whether the process has ended; a zombie has.
    public var hasExited: Bool { poll(pidfd.number, until: Deadline(within: .zero)) }

    /// Takes a duplicate of one of the process's descriptors; it refers to the same open file.
    ///
    /// - Throws: `SystemError` from `pidfd_getfd`: EPERM without the right to trace the process, EBADF when it has no such
    ///   descriptor, ESRCH when it has ended.
    public func descriptor(_ number: Int32) throws(SystemError) -> Descriptor {
        Descriptor(
            adopting: try retrying("pidfd_getfd", "descriptor \(number) of process \(identity.pid)") {
                hf_pidfd_getfd(pidfd.number, number)
            }
        )
    }

    /// Sends a signal.
    ///
    /// - Throws: `SystemError` from `pidfd_send_signal`: EPERM, ESRCH when it has ended.
    public func signal(_ signal: Int32) throws(SystemError) {
        _ = try retrying("pidfd_send_signal", "process \(identity.pid)") {
            hf_pidfd_send_signal(pidfd.number, signal)
        }
    }

    /// Waits until the process has ended, without occupying a thread of the caller's.
    ///
    /// A cancelled task waits no longer.
    /// - Parameter within: the longest wait.
    /// - Returns: whether it has ended.
    public func waitForExit(within: Duration) async -> Bool {
        if hasExited { return true }
        // Its other end going away is what a cancelled waiter is woken by.
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

    /// Waits until the process has ended, the deadline has passed or there is something to read from `waker`.
    ///
    /// - Returns: whether it has ended.
    private func poll(_ pidfd: Int32, _ waker: Int32 = -1, until deadline: Deadline) -> Bool {
        while true {
            var entries = [pidfd, waker].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let count = Glibc.poll(&entries, 2, deadline.pollTimeout)
            if count < 0 && errno == EINTR { continue }
            return count > 0 && entries[0].revents != 0
        }
    }
}
