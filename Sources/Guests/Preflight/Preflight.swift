internal import Linux
internal import QEMUCommandLine
internal import QMP

/// Checks whether a guest can be refreshed; each check has a permanent name and a remedy (docs/preflight.md).
///
/// Changes nothing: queries the old QEMU, and queries the new binary in a separate process without a guest.
package enum Preflight {
    /// Returns the findings that need no query, only a look at the process; for a list of many guests.
    ///
    /// - Parameter guest: the guest.
    /// - Returns: what prevents a handoff, the first reason first; empty if nothing visible does.
    package static func glance(at guest: GuestProcess) -> [Finding] {
        if guest.isNewSideOfRefresh {
            return [
                Finding(
                    .refreshInProgress, .fail, "it is the new side of an unfinished handoff",
                    remedy: "Wait for the handoff; if none is running, run `hyperfresh recover`.")
            ]
        }
        guard guest.executable != nil else {
            return [
                Finding(
                    .notPermitted, .fail, "its process is not readable",
                    evidence: ["missing: ptrace on pid \(guest.identity.pid)"],
                    remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
            ]
        }
        guard guest.commandLine != nil else { return [commandLineFinding(guest)] }
        let memory = guest.memoryBackends.compactMap { memoryFinding($0, of: guest) }
        return memory.prefix(1) + (guest.monitors.isEmpty ? [monitorMissing(guest)] : [])
    }

    private static func memoryFinding(_ backend: MemoryBackendOption, of guest: GuestProcess) -> Finding? {
        let remedy = ManagementStack(arguments: guest.arguments).sharedMemoryRemedy(name: guest.name)
        let id = backend.id.map { "\($0): " } ?? ""
        guard backend.isShared else {
            return Finding(
                .ramNotShared, .fail, "the guest's RAM is private to its QEMU",
                evidence: [id + (backend.type ?? "plain -m")], remedy: remedy)
        }
        let path = backend.path.map {
            ProcessView(pid: guest.identity.pid, workingDirectory: guest.workingDirectory).place($0)
        }
        guard backend.type == "memory-backend-file", let path, FileStatus.at(path)?.isFolder != true else {
            return Finding(
                .ramNotNamedFile, .fail, "the guest's RAM is not a file that a second QEMU can open by its name",
                evidence: [id + (backend.path ?? backend.type ?? "")], remedy: remedy)
        }
        return nil
    }

    static func commandLineFinding(_ guest: GuestProcess) -> Finding {
        guard let problem = guest.commandLineProblem else {
            return Finding(.commandLineUnreadable, .pass, "the command line can be parsed as QEMU parses it")
        }
        return Finding(
            .commandLineUnreadable, .fail, "the recorded command line cannot be parsed as QEMU parses it",
            evidence: [problem],
            remedy: "Restore what is missing (such as a -readconfig file), or shut the guest down and start it again."
        )
    }

    static func monitorMissing(_ guest: GuestProcess) -> Finding {
        Finding(
            .monitorMissing, .fail, "there is no QMP monitor on a unix socket",
            remedy: "Start the guest with -qmp unix:PATH,server=on,wait=off.")
    }
}

extension ProcessView {
    /// Returns the path by which this process reaches a path of the command line.
    func place(_ path: String) -> String { reachable(absolute(path)) }
}

// MARK: - Run

extension Preflight {
    /// Runs all checks.
    ///
    /// Queries the guest's QEMU and the new binary, and changes neither.
    ///
    /// - Parameter request: what to check.
    /// - Returns: the findings, and the facts for the handoff. The caller must close the connection in it.
    package static func run(_ request: PreflightRequest) async -> PreflightResult {
        var run = PreflightRun(request)
        await run.perform()
        return run.result
    }
}

/// One run of preflight, from the process to the plan.
struct PreflightRun {
    let request: PreflightRequest
    var result: PreflightResult
    var findings: [Finding] = []

    var guest: GuestProcess { request.process }

    init(_ request: PreflightRequest) {
        self.request = request
        result = PreflightResult(targetPath: request.target ?? request.process.executable?.path ?? "")
    }

    mutating func perform() async {
        findings.append(Preflight.commandLineFinding(guest))
        findings.append(PermissionChecks(guest).finding)
        findings += SupervisionChecks.findings(of: guest)
        findings.append(TrustChecks.label(of: guest))
        findings.append(HostChecks.stateFolder(request.stateDirectory))
        findings.append(HostChecks.disk(stateDirectory: request.stateDirectory))
        findings.append(HostChecks.memory(overhead: overhead))
        guard !guest.isNewSideOfRefresh else {
            findings += Preflight.glance(at: guest)
            return conclude()
        }
        guard let (client, monitor) = await MonitorConnection.open(guest) else {
            let refusal = await MonitorConnection.refusal(of: guest)
            if refusal.id != .notPermitted || !failed(.notPermitted) { findings.append(refusal) }
            // The memory facts from the command line are better than none.
            findings += Preflight.glance(at: guest).filter { !reported($0.id) }
            return conclude()
        }
        result.client = client
        result.monitor = monitor
        findings.append(Finding(.monitorBusy, .pass, "the monitor answers", evidence: [monitor.path]))
        do {
            try await ask(client, monitor)
        } catch {
            findings.append(
                Finding(
                    .monitorBusy, .fail, "the guest's QEMU does not answer all queries", evidence: ["\(error)"],
                    remedy: "QEMU may be blocked by a disk or a device: check its own log, then try again."))
        }
        conclude()
    }

    private mutating func ask(_ client: QMPClient, _ monitor: MonitorSocket) async throws {
        let description = try await GuestDescription.describe(client, identity: guest.identity)
        result.description = description
        findings += StateChecks(description: description).findings
        checkMemory(description)
        findings.append(HostChecks.kvm(isNeeded: description.isKVM))
        // If they are not readable, another finding reports that.
        let vhosts = (try? ProcFS.descriptors(guest.identity.pid))?.values.filter { $0 == "/dev/vhost-net" }.count ?? 0
        let machine = try await RunningMachine.read(client, vhostNetCount: vhosts)
        let probe = await probeTarget(running: description.version, machine)
        let saved = await savedStates(description)
        await checkTarget(description, client, probe, saved)
        try await checkDeviceStates(client, saved)
        findings.append(NameChecks.images(of: guest, description))
        findings += NameChecks.memory(of: guest, description)
        findings += NameChecks.kernel(of: guest)
        guard let line = guest.commandLine else { return }
        let configuration = RunningConfiguration.read(
            machine, against: line, knownProperties: probe?.properties ?? [:])
        findings += configuration.findings
        guard let target = result.target else { return }
        let facts: LaunchFacts
        do {
            facts = try await LaunchFacts.gather(
                guest, client: client, monitor: monitor, description: description, machine: machine,
                configuration: configuration)
        } catch is SystemError {
            // If the process is not readable, not-permitted reports that already.
            return
        }
        makePlan(configuration.commandLine, facts, target)
        if let plan = result.plan { findings += NameChecks.endpoints(of: guest, plan) }
        try await tryStart(description, configuration, target, client)
    }

    private mutating func makePlan(_ line: CommandLine, _ facts: LaunchFacts, _ target: QEMUBinary) {
        do throws(LaunchPlanError) {
            let plan = try LaunchPlan.make(
                commandLine: line, facts: facts, target: target, handoffID: request.handoffID)
            result.plan = plan
            findings.append(TrustChecks.rights(of: plan, guest, isTargetNamed: request.target != nil))
            findings += plan.warnings.map { Finding($0, severity: .warn) }
        } catch {
            // A finding based on QEMU's own report is more precise than one based on its option.
            findings += error.problems.filter { !failed($0.finding) }.map { Finding($0, severity: .fail) }
        }
        if !reported(.helperCannotFollow) {
            findings.append(Finding(.helperCannotFollow, .pass, "no helper process serves only this guest"))
        }
        if !reported(.optionUnsupported) {
            findings.append(Finding(.optionUnsupported, .pass, "the new QEMU can use every option"))
        }
    }

    private mutating func conclude() {
        result.report = PreflightReport(findings: findings)
    }

    private func reported(_ id: FindingID) -> Bool { findings.contains { $0.id == id } }

    private func failed(_ id: FindingID) -> Bool { findings.contains { $0.id == id && $0.severity == .fail } }

    /// The running QEMU's own memory, in bytes; a second one needs as much.
    private var overhead: UInt64 {
        guard let text = try? Files.readAll("/proc/\(guest.identity.pid)/status") else { return 0 }
        let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
        // This includes anonymous RAM; such a guest is refused anyway.
        let line = lines.first { $0.hasPrefix("RssAnon:") }
        return (line?.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap { UInt64($0) } ?? 0) << 10
    }
}
