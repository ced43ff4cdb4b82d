import Guests
import Linux
import QMP

/// Everything before the first effect: the guest found, described, checked and locked, and its new QEMU planned.
struct HostGuestAdmission: Sendable {
    /// What a handoff begins with.
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
    /// `nil` when a finding stands in the way.
    let ready: Ready?
    /// The planned command line, where there is one.
    let plan: LaunchPlan?

    /// Lets go of the guest.
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
                    "\(error)", remedy: "`hyperfresh status` shows whether a refresh goes on.",
                    exitCode: RefreshOutcome.blocked.exitCode)
            }
            throw HyperFreshError(
                "\(error)", remedy: "`hyperfresh list` shows the guests of this host.", exitCode: HyperFreshError.usage)
        }
    }

    /// Finds the guest, checks it, and locks it if nothing stands in the way.
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
        // What a controller at work has made is no leftover: the lock says that there is none.
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

    /// Whether another controller is kept from the guest.
    private enum Hold {
        case held(HeldLock)
        /// Its memory cannot be locked, for a reason that preflight tells.
        case unheld
        case busy(Finding)
    }

    /// How long another controller may take to end: a `plan` does, a refresh may.
    private static let patience = Duration.seconds(2)

    /// Finds the guest and excludes every other controller, before its only monitor is taken.
    private static func findAndHold(_ selector: String) async throws(HyperFreshError) -> (GuestProcess, Hold) {
        let end = ContinuousClock.now + patience
        var process = try await find(selector)
        while true {
            let paths = GuestMemory.lockPaths(of: process)
            guard !paths.isEmpty else {
                guard isEnding(process.identity) else { return (process, .unheld) }
                // It may take longer than that to end, and is nobody's to look at any more.
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
            // What was seen before may be another controller's half-done work: its sockets, its QEMU, the guest's old one.
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

    /// Whether a process has lost its memory already, or is gone, though it may still have its number: a retired QEMU.
    private static func isEnding(_ process: ProcessIdentity) -> Bool {
        guard process.isAlive else { return true }
        do throws(SystemError) {
            return try ProcFS.mappings(process.pid).isEmpty
        } catch {
            return error.isGone
        }
    }

    /// The guest once its QEMU has ended while we waited for another controller.
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
            "the QEMU of \(old.name) (pid \(old.identity.pid)) has ended or is about to: another hyperfresh was at work on it, or the "
                + "guest has ended",
            guestState: "Nothing was touched by this command.",
            remedy: "`hyperfresh list` shows where it is, `hyperfresh history` what became of the other refresh.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// What is known of a guest that somebody else is at work on: it is not even asked.
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

    /// The last looks, which are also the first holds: on the process, and on the guest's memory.
    private static func makeReady(
        _ process: GuestProcess, _ result: PreflightResult, handoffID: String, lock held: HeldLock?
    ) -> Result<Ready, Obstacle> {
        guard let client = result.client, let description = result.description, let plan = result.plan,
            let memoryFile = result.memoryFile
        else {
            let missing = Finding(.guestState, .fail, "preflight could not learn all that a refresh needs")
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
                .guestState, .fail, "the guest's QEMU cannot be held", evidence: ["\(error)"],
                remedy: "It may have ended meanwhile: `hyperfresh list` shows the guests of this host.")
            return .failure(Obstacle(finding: gone))
        }
    }

    /// The lock that stands for the guest, which is the one that is held unless QEMU names another file first.
    private static func hold(
        _ memoryFile: String, beside held: HeldLock?, of process: GuestProcess
    ) throws(SystemError) -> HeldLock? {
        guard let held else { return try HeldLock(memoryFile) }
        let file = try Files.identity(memoryFile)
        // A name that leads nowhere is not the file.
        let isHeld = GuestMemory.lockPaths(of: process).contains { (try? Files.identity($0)) == file }
        return isHeld ? held : try HeldLock(memoryFile, with: [held])
    }

    private static func busy(_ memoryFile: String) -> Finding {
        let holder = HeldLock.holder(of: memoryFile)
        return Finding(
            .refreshInProgress, .fail, "another hyperfresh is at work on this guest\(holder.map { ": \($0)" } ?? "")",
            evidence: ["\(memoryFile) is locked"],
            remedy: "Wait until it has ended, then try again. `hyperfresh status` shows a refresh and how far it is.")
    }

    /// Eight hexadecimal digits.
}
