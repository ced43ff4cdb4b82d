import Glibc
import Guests
import Linux
import QMP
import StackFile
import Systemd
import VirtualMachines

/// Starts one hypervisor of a stack, as a QEMU that outlives this process.
struct HypervisorBoot {
    let stack: Stack
    let spec: HypervisorSpec
    /// The image to boot.
    let image: HypervisorImage
    let store: StackStore
    let boot: Duration

    /// Returns how long a hypervisor may take until its agent answers: fully emulated, it takes a minute and a half.
    static func patience(_ accelerator: HyperplexorSpec.Accelerator) -> Duration {
        accelerator == .tcg ? .seconds(180) : .seconds(60)
    }

    /// Starts the hypervisor and waits until its agent answers.
    ///
    /// If that fails, everything that was created is removed again.
    func run() async throws(HyperFreshError) -> Hypervisor {
        let (id, folder): (String, InstanceFolder)
        do throws(SystemError) { (id, folder) = try store.createInstance(of: spec.name) } catch {
            throw HyperFreshError(
                "cannot record the state of \(spec.kind) \(spec.name)", because: error,
                remedy: "Make your user the owner of \(store.stateDirectory), with mode 0700, or name another folder "
                    + "with --state-dir.")
        }
        var process: ProcessIdentity?
        do {
            let accelerator = try Accelerators.choose(stack.hyperplexor.accelerator)
            let instance = HypervisorInstance(
                id: "\(spec.name)-\(id)", folder: folder, uuid: try Self.makeUUID(), hostname: "\(spec.name)-\(id)",
                networks: stack.networks(of: spec))
            try Files.replaceAtomically(folder.machineFile, bytes: OuterCommandLine.machineDefinition)
            let command = OuterCommandLine(
                spec, in: stack, image: image, instance: instance,
                host: .init(
                    usesKVM: accelerator == .kvm,
                    tscKilohertz: accelerator == .tcg ? TimeStampCounter.measureKilohertz() : nil))
            let record = try start([command.executable] + command.arguments, id: id, folder: folder)
            process = record.process
            try await SystemdManager.isolate(
                record.process.pid, named: spec.name, like: getpid(), description: "\(spec.kind) \(spec.name)")
            let hypervisor = try await reach(record, folder, until: .now + min(boot, Self.patience(accelerator)))
            try await hypervisor.pin(to: stack.cores(of: spec.name))
            try await BridgeTaps(instance, in: stack).connect()
            await setClock(of: hypervisor)
            return hypervisor
        } catch {
            let failure = Self.failure(error, "\(spec.kind) \(spec.name)", evidence: Self.words(folder))
            throw await undoing(id, process, after: failure)
        }
    }

    /// Ends the process that this run has started, which has no guest yet, and removes its files.
    private func undoing(
        _ id: String, _ process: ProcessIdentity?, after failure: HyperFreshError
    ) async -> HyperFreshError {
        // A process that cannot be opened is gone; `forget` checks that.
        if let process, let handle = try? ProcessHandle(process) {
            _ = await handle.end(within: .seconds(20))
        }
        do throws(HyperFreshError) {
            try store.forget(spec.name, instance: id)
            return failure
        } catch {
            return failure.adding(evidence: [error.message])
        }
    }

    private func start(_ arguments: [String], id: String, folder: InstanceFolder) throws -> InstanceRecord {
        let errors = try Descriptor.open(folder.errorLog, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW)
        let request = Self.request(arguments, in: folder, errors: errors.number)
        var record: InstanceRecord?
        // Record it before it becomes a QEMU: `down` finds it even if this process dies.
        _ = try spawn(request) { identity in
            let new = InstanceRecord(
                id: id, hypervisor: spec.name, stack: stack.name, image: image, process: identity,
                started: WallClock.microseconds())
            record = new
            // Without a record the process does not become a QEMU; `spawn` reports that.
            return (try? store.keep(new)) != nil
        }
        guard let record else { throw HyperFreshError("no process was started", remedy: "Report this.") }
        return record
    }

    /// Returns the start request; only the owner may access the sockets and logs, regardless of the umask of this
    /// process.
    static func request(_ arguments: [String], in folder: InstanceFolder, errors: Int32) -> SpawnRequest {
        var request = SpawnRequest(
            executable: arguments.first ?? "", arguments: arguments, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        )
        request.workingDirectory = folder.path
        request.descriptors = [.init(source: errors, number: 2)]
        request.umask = 0o077
        return request
    }

    private func reach(
        _ record: InstanceRecord, _ folder: InstanceFolder, until end: ContinuousClock.Instant
    ) async throws -> Hypervisor {
        let handle = try ProcessHandle(record.process)
        while !Files.exists(folder.agentSocket) || !Files.exists(folder.qmpSocket) {
            if await handle.waitForExit(within: .milliseconds(20)) || ContinuousClock.now > end || Task.isCancelled {
                throw HyperFreshError(
                    "the QEMU of \(spec.kind) \(spec.name) did not start", remedy: "See its messages.")
            }
        }
        // The sockets exist immediately; QEMU answers when it has allocated its memory.
        let hypervisor = try await Hypervisor.reach(record, in: folder, within: max(.seconds(5), end - .now))
        let watch = Task {
            // Waiting for an agent does not notice that its machine has died.
            while !Task.isCancelled, !(await handle.waitForExit(within: .milliseconds(200))) {}
            if !Task.isCancelled { hypervisor.agent.close() }
        }
        defer { watch.cancel() }
        guard await hypervisor.agent.answers(within: end - .now) else {
            hypervisor.close()
            throw HyperFreshError(
                handle.hasExited
                    ? "\(spec.kind) \(spec.name) died while it booted"
                    : "the agent of \(spec.kind) \(spec.name) never answered",
                remedy: "See the end of its console. Check that its image is complete and its memory is sufficient.")
        }
        return hypervisor
    }

    /// Kernel modules that containers need in addition to those of every hypervisor: the first container, and the first
    /// freeze, would have to wait for them.
    private static let containerModules = [
        "virtiofs", "veth", "nf_tables", "nfnetlink", "inet_diag", "tcp_diag", "udp_diag", "raw_diag", "unix_diag",
        "netlink_diag", "af_packet_diag", "nf_conntrack_netlink", "ip_tables",
    ]

    /// Sets the clock of the hypervisor, and loads what containers need.
    private func setClock(of hypervisor: Hypervisor) async {
        let (seconds, microseconds) = WallClock.microseconds().quotientAndRemainder(dividingBy: 1_000_000)
        let fraction = "\(1_000_000 + microseconds)".dropFirst()
        let modules = spec.kind == .os ? Self.containerModules : []
        // Without this, guests' clocks are off by up to a second.
        _ = try? await hypervisor.agent.run(
            verb: "set-clock", ["\(seconds).\(fraction)", modules.joined(separator: " ")], to: "set its clock")
    }

    /// Returns a random UUID: management stacks refuse to migrate within "the same host".
    private static func makeUUID() throws(SystemError) -> String {
        String(decoding: try Files.readAll("/proc/sys/kernel/random/uuid").prefix(36), as: UTF8.self)
    }

    private static func words(_ folder: InstanceFolder) -> [String] {
        // Evidence of the failure, if there is any.
        let errors = (try? Files.readAll(folder.errorLog)) ?? []
        let lines = String(decoding: errors, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(6)
        let console = Hypervisor.consoleTail(folder)
        return lines.map { "qemu: \($0)" } + console.map { "console: \($0)" }
    }

    private static func failure(_ error: any Error, _ name: String, evidence: [String]) -> HyperFreshError {
        if Task.isCancelled {
            return HyperFreshError(
                "the start of \(name) was interrupted",
                remedy: "Nothing of it is left. Run the command again when you are ready."
            ).adding(evidence: evidence)
        }
        if let error = error as? HyperFreshError { return error.adding(evidence: evidence) }
        return HyperFreshError(
            "\(name) could not be started", because: error, remedy: "Check this host: `hyperfresh doctor`."
        ).adding(evidence: evidence)
    }
}
