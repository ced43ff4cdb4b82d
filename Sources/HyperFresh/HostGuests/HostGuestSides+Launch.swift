import Glibc
import Guests
import Handoff
import Linux
import Logging
import QMP
import Synchronization

extension HostGuestSides {
    /// How long a new QEMU may take until its monitor answers, in case the whole has no shorter deadline.
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
                HyperFreshError("the new QEMU could not be started", because: error).adding(evidence: recentWords))
        }
        return .launchFailed
    }

    /// The journal knows the new process before it becomes a QEMU: a controller that dies here leaves nothing unknown.
    private func start(errorOutput: ErrorOutput) throws -> ProcessHandle {
        let process = try NewProcess(plan: plan, old: old, errorOutput: errorOutput)
        let keeper = try TapKeeper(process.taps)
        state.withLock { $0.tapKeeper = keeper }
        let identity = try spawn(process.request()) { identity in
            state.withLock { $0.newIdentity = identity }
            // Without a record the process does not become a QEMU: `spawn` says so.
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
            remedy: "Its own words say why; `hyperfresh plan guest --command-line` shows how it is started.",
            evidence: recentWords)
    }

    private func watchNewProcess(_ handle: ProcessHandle) {
        context.watch { [self] in
            if await handle.waitForExit(within: .seconds(86_400)) {
                context.fail(
                    HyperFreshError(
                        "the new QEMU exited", remedy: "Its own words above say why.", evidence: recentWords))
                context.driver.happened(.newExited)
            }
        }
    }
}
