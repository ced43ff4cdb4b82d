import Guests
import Handoff
import Linux
import QMP
import Synchronization

extension QEMUSides {
    /// How long vCPUs may take until they have used CPU time: a guest that is idle wakes up seldom.
    private static let vcpuPatience = Duration.milliseconds(300)
    private static let replyDeadline = Duration.seconds(5)

    /// Notes how much CPU time the new QEMU's vCPUs have used; to be called when the guest was told to run, and not before.
    func beginWatchingVCPUs() {
        let threads = state.withLock { $0.vcpuThreads }
        guard let pid = state.withLock({ $0.newIdentity })?.pid, !threads.isEmpty else { return }
        let time = Self.cpuTime(of: threads, in: pid)
        state.withLock { $0.vcpuTime = time }
    }

    /// Looks at both processes, at the new monitor's word, and at the vCPUs.
    ///
    /// - Parameter outcome: What the handoff came to.
    /// - Returns: What was seen.
    func lookAgain(after outcome: HandoffOutcome) async -> LastLook {
        let (new, guestRuns, transfer) = state.withLock { ($0.new, $0.guestRuns, $0.transfer) }
        guard let new else { return .doubtful(doubt("there is no new QEMU")) }
        let name = "the new QEMU (pid \(new.handle.identity.pid))"
        if new.handle.hasExited { return .dead(death(of: name)) }
        guard outcome == .incomplete || old.handle.hasExited else {
            return .doubtful(doubt("the old QEMU (pid \(old.process.identity.pid)) is still there"))
        }
        let status: QueryStatus.Reply
        do throws(QMPError) {
            status = try await new.client.execute(QueryStatus(), deadline: Self.replyDeadline)
        } catch {
            if await new.handle.waitForExit(within: .milliseconds(200)) { return .dead(death(of: name)) }
            return .doubtful(doubt("\(name) does not answer", evidence: ["\(error)"]))
        }
        guard guestRuns, transfer?.endedGuest == nil else { return .sound(nil) }
        switch status.state {
        case .running: return await lookAtVCPUs(of: new, name)
        case .shutdown, .guestPanicked:
            return .sound("The guest has come to its own end since: \(name) says \(status.state.rawValue).")
        // It ran: whatever has stopped it came later.
        case .paused where transfer?.marks.resume != nil:
            return .sound("Somebody has paused the guest since: \(name) says \(status.state.rawValue).")
        default: return .doubtful(doubt("\(name) does not run the guest: it says \(status.state.rawValue)"))
        }
    }

    private func lookAtVCPUs(of new: NewQEMU, _ name: String) async -> LastLook {
        let (threads, before) = state.withLock { ($0.vcpuThreads, $0.vcpuTime) }
        let pid = new.handle.identity.pid
        // In a PID namespace QEMU gives other numbers to its threads than we see; then its word has to do.
        guard let before else { return .sound(nil) }
        let end = ContinuousClock.now + Self.vcpuPatience
        repeat {
            if new.handle.hasExited { return .dead(death(of: name)) }
            guard let now = Self.cpuTime(of: threads, in: pid) else { break }
            if now > before { return .sound(nil) }
            try? await Task.sleep(for: .milliseconds(10))
        } while ContinuousClock.now < end
        if new.handle.hasExited { return .dead(death(of: name)) }
        return .sound(
            """
            No vCPU of the guest has used CPU time within \(Self.vcpuPatience) of the switch, though QEMU says that it runs: it \
            may be idle.
            """)
    }

    /// The nanoseconds that these threads have run; `nil` where one cannot be seen.
    private static func cpuTime(of threads: [Int], in pid: Int32) -> UInt64? {
        var sum: UInt64 = 0
        for thread in threads {
            // A time that cannot be read is none: then QEMU's word has to do.
            guard let time = try? ProcFS.runTime(ofThread: thread, in: pid) else { return nil }
            sum += time
        }
        return sum
    }

    private func death(of name: String) -> HyperFreshError {
        HyperFreshError(
            "\(name) exited when the guest had been committed to it", remedy: "Its last words may tell why.",
            evidence: errorLines(), exitCode: RefreshOutcome.lost.exitCode)
    }

    private func doubt(_ message: String, evidence: [String] = []) -> HyperFreshError {
        HyperFreshError(
            message,
            remedy:
                "The handoff is over: look at the guest (`hyperfresh qmp \(facts.lastingQMP) query-status`) and at its log.",
            evidence: evidence + errorLines(), exitCode: RefreshOutcome.unknown.exitCode)
    }
}
