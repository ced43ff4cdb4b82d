import Guests
import Linux
import QMP

/// Everything before the first effect: the guest found, described, checked and locked, and its new QEMU planned.
struct GuestPreparation: Sendable {
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

extension GuestPreparation {
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
    static func prepare(_ request: RefreshRequest, host: Host) async throws(HyperFreshError) -> GuestPreparation {
        let process = try await find(request.guest)
        let handoffID = makeID()
        let result = await Preflight.run(
            PreflightRequest(
                process: process, target: request.target, stateDirectory: host.stateDirectory, handoffID: handoffID))
        var findings = result.report.findings + (await supervisorFindings(process))
        // A controller at work holds the monitor, too, and is the reason that helps.
        if findings.contains(where: { $0.id == .monitorBusy && $0.severity == .fail }),
            let file = lockedMemory(of: process)
        {
            findings.insert(busy(file), at: 0)
        }
        var ready: Ready?
        if !findings.contains(where: { $0.severity == .fail }) {
            switch makeReady(process, result, handoffID: handoffID) {
            case .success(let all): ready = all
            case .failure(let obstacle): findings.insert(obstacle.finding, at: 0)
            }
        }
        // What nobody is at work on any more; while it is at work, its leftovers are its own.
        if ready != nil || lockedMemory(of: process) == nil {
            let leftovers = await Leftovers(process: process, stateDirectory: host.stateDirectory).findings()
            findings = leftovers + findings
            if leftovers.contains(where: { $0.severity == .fail }) {
                ready?.lock.release()
                ready = nil
            }
        }
        if ready == nil { result.client?.close() }
        return GuestPreparation(
            process: process, target: result.targetPath, findings: findings,
            oldSide: SideReport(
                pid: process.identity.pid, version: result.description?.version.description,
                binary: process.executable?.path ?? process.arguments.first ?? "?", qmp: result.monitor?.lastingPath),
            ready: ready, plan: result.plan)
    }

    private struct Obstacle: Error {
        let finding: Finding
    }

    /// The last looks, which are also the first holds: on the process, and on the guest's memory.
    private static func makeReady(
        _ process: GuestProcess, _ result: PreflightResult, handoffID: String
    ) -> Result<Ready, Obstacle> {
        guard let client = result.client, let description = result.description, let plan = result.plan,
            let memoryFile = result.memoryFile
        else {
            let missing = Finding(.guestState, .fail, "preflight could not learn all that a refresh needs")
            return .failure(Obstacle(finding: missing))
        }
        do throws(SystemError) {
            let handle = try ProcessHandle(process.identity)
            guard let lock = try HeldLock(memoryFile) else {
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

    private static func busy(_ memoryFile: String) -> Finding {
        Finding(
            .refreshInProgress, .fail, "another refresh of this guest is under way", evidence: [memoryFile],
            remedy: "Wait for it; `hyperfresh status` shows it.")
    }

    /// The file among those that the process shares that a controller has locked.
    private static func lockedMemory(of process: GuestProcess) -> String? {
        let mappings = (try? ProcFS.mappings(process.identity.pid)) ?? []
        let shared = Set(mappings.filter { $0.isShared && !$0.isDeleted }.map(\.path))
        return shared.first { path in
            do throws(SystemError) {
                let lock = try HeldLock(path)
                lock?.release()
                return lock == nil
            } catch {
                return false
            }
        }
    }

    private static func supervisorFindings(_ process: GuestProcess) async -> [Finding] {
        guard let service = await ControlGroup.restartingService(of: process.identity) else { return [] }
        return [
            Finding(
                .supervisorRestarts, .fail, "systemd would start a second QEMU as soon as the old one is retired",
                evidence: ["\(service) has Restart= other than no and on-success"],
                remedy: "Set Restart=no for \(service) (systemctl edit --runtime), then systemctl daemon-reload.")
        ]
    }

    /// Eight hexadecimal digits.
    static func makeID() -> String {
        let digits = String(UInt32.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
