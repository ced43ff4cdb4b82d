import Guests
import Linux
import QMP

/// The admission of a guest of this host, without any effect: finds, describes, checks and locks the guest, and plans
/// its new QEMU.
struct HostGuestAdmission: Sendable {
    /// Everything that a handoff needs to begin.
    struct Ready: Sendable {
        let old: OldQEMU
        let plan: LaunchPlan
        let handoffID: String
        /// The first of the guest's memory files.
        let memoryFile: String
        let targetVersion: QEMUVersion?
        /// Excludes every other controller until it is released.
        let lock: HeldLock
    }

    let process: GuestProcess
    let target: String
    let findings: [Finding]
    let oldSide: SideReport
    /// `nil` if a finding prevents the refresh.
    let ready: Ready?
    /// The planned command line, if there is one.
    let plan: LaunchPlan?

    /// Releases the guest and closes its monitor.
    func close() {
        ready?.old.client.close()
        ready?.lock.release()
    }
}

extension HostGuestAdmission {
    /// Finds one guest.
    static func find(_ selector: String) async throws(HyperFreshError) -> GuestProcess {
        do throws(DiscoveryError) {
            return try await GuestDiscovery.find(selector)
        } catch {
            if case .unfinishedRefresh = error {
                throw HyperFreshError(
                    "\(error)", remedy: "`hyperfresh status` shows whether a refresh is in progress.",
                    exitCode: RefreshOutcome.blocked.exitCode)
            }
            throw HyperFreshError(
                "\(error)", remedy: "`hyperfresh list` shows the guests of this host.", exitCode: HyperFreshError.usage)
        }
    }

    /// Finds the guest, checks it, and locks it if no finding prevents the refresh.
    ///
    /// Changes nothing.
    static func prepare(_ request: RefreshRequest, host: Host) async throws(HyperFreshError) -> HostGuestAdmission {
        let (process, hold) = try await findAndHold(request.guest)
        let lock: HeldLock?
        switch hold {
        case .held(let held): lock = held
        case .unheld: lock = nil
        case .busy(let finding): return untouched(process, request, finding)
        }
        let handoffID = HandoffJournal.makeID()
        let result = await Preflight.run(
            PreflightRequest(
                process: process, target: request.target, stateDirectory: host.stateDirectory, handoffID: handoffID,
                holdsLock: lock != nil))
        var findings = result.report.findings
        findings += await ServiceChecks.findings(of: process, memoryFile: result.memoryFile)
        var ready: Ready?
        if !findings.contains(where: { $0.severity == .fail }) {
            switch makeReady(process, result, handoffID: handoffID, lock: lock) {
            case .success(let all): ready = all
            case .failure(let obstacle): findings.insert(obstacle.finding, at: 0)
            }
        }
        // Look for leftovers only with the lock: without it, they may belong to a controller that is working.
        if ready != nil || lock != nil {
            let leftovers = await Leftovers(process: process, stateDirectory: host.stateDirectory).findings()
            findings = leftovers + findings
            if leftovers.contains(where: { $0.severity == .fail }) {
                ready?.lock.release()
                ready = nil
            }
        }
        if ready == nil {
            result.client?.close()
            lock?.release()
        }
        return HostGuestAdmission(
            process: process, target: result.targetPath, findings: findings,
            oldSide: SideReport(
                pid: process.identity.pid, version: result.description?.version.description,
                binary: process.executable?.path ?? process.arguments.first ?? "?", qmp: result.monitor?.lastingPath),
            ready: ready, plan: result.plan)
    }

    private struct Obstacle: Error {
        let finding: Finding
    }

    /// Whether the guest is locked against other controllers.
    private enum Hold {
        case held(HeldLock)
        /// Its memory cannot be locked, for a reason that preflight reports.
        case unheld
        case busy(Finding)
    }

    /// How long to wait for another controller: a `plan` ends within this time, a refresh may.
    private static let patience = Duration.seconds(2)

    /// Finds the guest and locks it against every other controller, before it connects to the guest's only monitor.
    private static func findAndHold(_ selector: String) async throws(HyperFreshError) -> (GuestProcess, Hold) {
        let end = ContinuousClock.now + patience
        var process = try await find(selector)
        while true {
            let paths = GuestMemory.lockPaths(of: process)
            guard !paths.isEmpty else {
                guard isEnding(process.identity) else { return (process, .unheld) }
                // It may take longer than this to end, but has no guest any more.
                guard ContinuousClock.now < end else { throw endedMeanwhile(process) }
                try? await Task.sleep(for: .milliseconds(50))
                process = try await findAgain(selector, insteadOf: process)
                continue
            }
            let lock: HeldLock?
            do throws(SystemError) {
                lock = try HeldLock.all(paths)
            } catch {
                return (process, .unheld)
            }
            guard let lock else {
                guard ContinuousClock.now < end else { return (process, .busy(busy(paths[0]))) }
                try? await Task.sleep(for: .milliseconds(50))
                if !process.identity.isAlive { process = try await findAgain(selector, insteadOf: process) }
                continue
            }
            // The earlier observation may show another controller's intermediate state: its sockets, its QEMU, the
            // guest's old one.
            let found: GuestProcess
            do throws(HyperFreshError) {
                found = try await findAgain(selector, insteadOf: process)
            } catch {
                lock.release()
                throw error
            }
            if found.identity == process.identity { return (found, .held(lock)) }
            lock.release()
            process = found
        }
    }

    /// Returns whether a process is gone or has no memory any more, although it may still have its pid: a retired QEMU.
    private static func isEnding(_ process: ProcessIdentity) -> Bool {
        guard process.isAlive else { return true }
        do throws(SystemError) {
            return try ProcFS.mappings(process.pid).isEmpty
        } catch {
            return error.isGone
        }
    }

    /// Finds the guest again, after its QEMU may have ended during the wait for another controller.
    private static func findAgain(
        _ selector: String, insteadOf old: GuestProcess
    ) async throws(HyperFreshError) -> GuestProcess {
        do throws(HyperFreshError) {
            return try await find(selector)
        } catch {
            guard !old.identity.isAlive else { throw error }
            throw endedMeanwhile(old).adding(evidence: [error.message])
        }
    }

    private static func endedMeanwhile(_ old: GuestProcess) -> HyperFreshError {
        HyperFreshError(
            "the QEMU of \(old.name) (pid \(old.identity.pid)) has ended or is ending: another hyperfresh was working "
                + "on it, or the guest has ended",
            guestState: "Nothing was touched by this command.",
            remedy: "`hyperfresh list` shows where it is, `hyperfresh history` the result of the other refresh.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// Describes a guest that another controller is working on, without asking its QEMU.
    private static func untouched(
        _ process: GuestProcess, _ request: RefreshRequest, _ finding: Finding
    ) -> HostGuestAdmission {
        let binary = process.executable?.path ?? process.arguments.first ?? "?"
        return HostGuestAdmission(
            process: process, target: request.target ?? binary, findings: [finding],
            oldSide: SideReport(
                pid: process.identity.pid, version: process.runningVersion?.description, binary: binary,
                qmp: process.monitors.first?.lastingPath),
            ready: nil, plan: nil)
    }

    /// Performs the last checks, which also open the process and lock the guest's memory.
    private static func makeReady(
        _ process: GuestProcess, _ result: PreflightResult, handoffID: String, lock held: HeldLock?
    ) -> Result<Ready, Obstacle> {
        guard let client = result.client, let description = result.description, let plan = result.plan,
            let memoryFile = result.memoryFile
        else {
            let missing = Finding(.guestState, .fail, "preflight could not determine everything that a refresh needs")
            return .failure(Obstacle(finding: missing))
        }
        do throws(SystemError) {
            let handle = try ProcessHandle(process.identity)
            guard let lock = try hold(memoryFile, beside: held, of: process) else {
                return .failure(Obstacle(finding: busy(memoryFile)))
            }
            let old = OldQEMU(process: process, handle: handle, client: client, description: description)
            return .success(
                Ready(
                    old: old, plan: plan, handoffID: handoffID, memoryFile: memoryFile,
                    targetVersion: result.targetVersion, lock: lock))
        } catch {
            let gone = Finding(
                .guestState, .fail, "cannot open the guest's QEMU process or lock its memory", evidence: ["\(error)"],
                remedy: "It may have ended: `hyperfresh list` shows the guests of this host.")
            return .failure(Obstacle(finding: gone))
        }
    }

    /// Returns the lock for the guest: the one that is held, unless QEMU names another file first.
    private static func hold(
        _ memoryFile: String, beside held: HeldLock?, of process: GuestProcess
    ) throws(SystemError) -> HeldLock? {
        guard let held else { return try HeldLock(memoryFile) }
        let file = try Files.identity(memoryFile)
        // A path that does not exist is not the file.
        let isHeld = GuestMemory.lockPaths(of: process).contains { (try? Files.identity($0)) == file }
        return isHeld ? held : try HeldLock(memoryFile, with: [held])
    }

    private static func busy(_ memoryFile: String) -> Finding {
        let holder = HeldLock.holder(of: memoryFile)
        return Finding(
            .refreshInProgress, .fail, "another hyperfresh is working on this guest\(holder.map { ": \($0)" } ?? "")",
            evidence: ["\(memoryFile) is locked"],
            remedy: "Wait until it has ended, then try again. `hyperfresh status` shows a refresh and its state.")
    }
}

extension HostGuestFacts {
    init(_ ready: HostGuestAdmission.Ready, isRehearsal: Bool) {
        let old = ready.old
        self.init(
            guest: old.process.name, old: old.process.identity, oldVersion: old.client.greeting.version.description,
            oldBinary: old.process.executable?.path ?? "?", oldQMP: old.client.endpoint, memoryFile: ready.memoryFile,
            memory: Set(old.description.memory.compactMap { $0.mapping?.identity }),
            // Without it, the journal is treated as one of this boot.
            boot: try? ProcFS.bootID(),
            targetBinary: ready.plan.executable, targetVersion: ready.targetVersion?.description,
            newQMP: ready.plan.qmpSocket, endpoints: ready.plan.endpoints, followUps: ready.plan.followUps,
            isRehearsal: isRehearsal)
    }
}
