import Glibc
import Guests
import Handoff
import Linux
import Logging
import QMP
import Synchronization

extension HostGuestSides {
    /// How long a new QEMU may take until its monitor answers, unless the refresh has a shorter deadline.
    private static let launchDeadline = Duration.seconds(30)

    /// Starts the new QEMU and waits for its monitor.
    func launch() async -> HandoffEvent {
        context.clock.begin(.launch)
        defer { context.clock.end() }
        do {
            let errorOutput = try ErrorOutput(
                plan: plan, old: old, handoff: context.journal.id, stateDirectory: context.journal.stateDirectory)
            state.withLock { $0.errorOutput = errorOutput }
            let handle = try start(errorOutput: errorOutput)
            try await ControlGroup.adopt(
                handle.identity, guest: facts.guest, like: old.process.identity)
            let client = try await connect(to: handle)
            migration.new = client
            watchNewProcess(handle)
            return .launched
        } catch let failure as HyperFreshError {
            context.fail(failure)
        } catch {
            context.fail(
                HyperFreshError(
                    "the new QEMU could not be started", because: error,
                    remedy: "Check the guest: `hyperfresh plan guest \(facts.guest)`."
                ).adding(evidence: recentWords))
        }
        return .launchFailed
    }

    /// Starts the process and records it before it becomes a QEMU: a controller that dies here leaves no unknown
    /// process.
    private func start(errorOutput: ErrorOutput) throws -> ProcessHandle {
        let process = try NewProcess(plan: plan, old: old, errorOutput: errorOutput)
        let keeper = try TapKeeper(process.taps)
        state.withLock { $0.tapKeeper = keeper }
        let identity = try spawn(process.request()) { identity in
            state.withLock { $0.newIdentity = identity }
            // Without a record the process does not become a QEMU; `spawn` reports that.
            return (try? context.journal.append(.planned, facts: ["new": identity.json])) != nil
        }
        let handle = try ProcessHandle(identity)
        state.withLock { $0.newHandle = handle }
        return handle
    }

    /// Connects as soon as the new QEMU listens; fails as soon as it exits.
    private func connect(to handle: ProcessHandle) async throws -> QMPClient {
        let deadline = ContinuousClock.now + Self.launchDeadline
        while ContinuousClock.now < deadline {
            try Task.checkCancellation()
            if await handle.waitForExit(within: .milliseconds(2)) { throw exited() }
            guard Files.exists(plan.qmpSocket) else { continue }
            do throws(QMPError) {
                return try await withLogger(mergingMetadata: ["side": "new"]) { _ async throws(QMPError) in
                    try await QMPClient.connect(path: plan.qmpSocket, greetingDeadline: deadline - .now)
                }
            } catch {
                // Bound, but not listening yet.
                guard error.systemError?.code == ECONNREFUSED else { throw error }
            }
        }
        throw HyperFreshError(
            "the new QEMU's monitor did not answer within \(Self.launchDeadline)",
            remedy: "Check that the binary is QEMU, and that the host is not out of memory or CPU time.",
            evidence: recentWords)
    }

    private func exited() -> HyperFreshError {
        HyperFreshError(
            "the new QEMU exited before its monitor answered",
            remedy: "See its messages; `hyperfresh plan guest NAME --command-line` shows how it is started.",
            evidence: recentWords)
    }

    private func watchNewProcess(_ handle: ProcessHandle) {
        context.watch { [self] in
            if await handle.waitForExit(within: .seconds(86_400)) {
                context.fail(
                    HyperFreshError(
                        "the new QEMU exited", remedy: "See its messages above.", evidence: recentWords))
                context.driver.happened(.newExited)
            }
        }
    }
}

// MARK: - Look

extension HostGuestSides {
    /// How long vCPUs may take until they have used CPU time: an idle guest rarely wakes up.
    private static let vcpuPatience = Duration.milliseconds(300)

    /// Notes how much CPU time the new QEMU's vCPUs have used; call this after the guest was told to run.
    func beginWatchingVCPUs() {
        let threads = state.withLock { $0.vcpuThreads }
        guard let pid = state.withLock({ $0.newIdentity })?.pid, !threads.isEmpty else { return }
        let time = Self.cpuTime(of: threads, in: pid)
        state.withLock { $0.vcpuTime = time }
    }

    func lookAtProcesses(after outcome: HandoffOutcome) -> LastLook? {
        if hasNewExited { return .dead(death()) }
        guard outcome == .incomplete || oldHasExited else { return .doubtful(doubt("\(names.old) still exists")) }
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
        // In a PID namespace, QEMU reports other thread ids than this process sees; then rely on QEMU's report.
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
            No vCPU of the guest used CPU time within \(Self.vcpuPatience) of the switch, although QEMU reports it as \
            running: it may be idle.
            """)
    }

    /// Returns the CPU time of these threads in nanoseconds; `nil` if one cannot be read.
    private static func cpuTime(of threads: [Int], in pid: Int32) -> UInt64? {
        var sum: UInt64 = 0
        for thread in threads {
            // Without one of the times, rely on QEMU's report.
            guard let time = try? ProcFS.runTime(ofThread: thread, in: pid) else { return nil }
            sum += time
        }
        return sum
    }

    private var hasNewExited: Bool { state.withLock { $0.newHandle }?.hasExited == true }

    private func death() -> HyperFreshError {
        HyperFreshError(
            "\(names.new) exited after the guest had been committed to it",
            remedy: "Its last messages may show the cause.",
            evidence: recentWords, exitCode: RefreshOutcome.lost.exitCode)
    }

    func doubt(_ message: String, evidence: [String]) -> HyperFreshError {
        HyperFreshError(
            message,
            remedy: "The handoff is over: check the guest (`hyperfresh qmp \(facts.lastingQMP) query-status`) and its "
                + "log.",
            evidence: evidence + recentWords, exitCode: RefreshOutcome.unknown.exitCode)
    }
}
