import Guests
import Handoff
import Linux
import QMP
import Synchronization

extension HostGuestSides {
    /// How long vCPUs may take until they have used CPU time: a guest that is idle wakes up seldom.
    private static let vcpuPatience = Duration.milliseconds(300)

    /// Notes how much CPU time the new QEMU's vCPUs have used; to be called when the guest was told to run, and not before.
    func beginWatchingVCPUs() {
        let threads = state.withLock { $0.vcpuThreads }
        guard let pid = state.withLock({ $0.newIdentity })?.pid, !threads.isEmpty else { return }
        let time = Self.cpuTime(of: threads, in: pid)
        state.withLock { $0.vcpuTime = time }
    }

    func lookAtProcesses(after outcome: HandoffOutcome) -> LastLook? {
        if hasNewExited { return .dead(death()) }
        guard outcome == .incomplete || oldHasExited else { return .doubtful(doubt("\(names.old) is still there")) }
        return nil
    }

    func lookAtSilentNew(_ silence: QMPError) async -> LastLook {
        if await state.withLock({ $0.newHandle })?.waitForExit(within: .milliseconds(200)) == true {
            return .dead(death())
        }
        return .doubtful(doubt("\(names.new) does not answer", evidence: ["\(silence)"]))
    }

    func lookAtVCPUs() async -> LastLook {
        let (threads, before, new) = state.withLock { ($0.vcpuThreads, $0.vcpuTime, $0.newIdentity) }
        // In a PID namespace QEMU gives other numbers to its threads than we see; then its word has to do.
        guard let before, let pid = new?.pid else { return .sound(nil) }
        let end = ContinuousClock.now + Self.vcpuPatience
        repeat {
            if hasNewExited { return .dead(death()) }
            guard let now = Self.cpuTime(of: threads, in: pid) else { break }
            if now > before { return .sound(nil) }
            try? await Task.sleep(for: .milliseconds(10))
        } while ContinuousClock.now < end
        if hasNewExited { return .dead(death()) }
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

    private var hasNewExited: Bool { state.withLock { $0.newHandle }?.hasExited == true }

    private func death() -> HyperFreshError {
        HyperFreshError(
            "\(names.new) exited when the guest had been committed to it", remedy: "Its last words may tell why.",
            evidence: recentWords, exitCode: RefreshOutcome.lost.exitCode)
    }

    func doubt(_ message: String, evidence: [String]) -> HyperFreshError {
        HyperFreshError(
            message,
            remedy:
                "The handoff is over: look at the guest (`hyperfresh qmp \(facts.lastingQMP) query-status`) and at its log.",
            evidence: evidence + recentWords, exitCode: RefreshOutcome.unknown.exitCode)
    }
}
