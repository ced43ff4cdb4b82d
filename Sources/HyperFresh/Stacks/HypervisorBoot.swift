import Glibc
import Guests
import Linux
import QMP
import StackFile
import Systemd
import VirtualMachines

/// Brings one hypervisor of a stack into being, as a QEMU that outlives this process.
struct HypervisorBoot {
    let stack: Stack
    let spec: HypervisorSpec
    /// The folder of the image to boot.
    let image: HypervisorImage
    let store: StackStore
    let boot: Duration

    /// How long a hypervisor may take until its agent answers: a minute and a half where everything is emulated.
    static func patience(_ accelerator: HyperplexorSpec.Accelerator) -> Duration {
        accelerator == .tcg ? .seconds(180) : .seconds(60)
    }

    /// Starts it and waits until its agent answers.
    ///
    /// What was made is removed again when that fails.
    func run() async throws(HyperFreshError) -> Hypervisor {
        let (id, folder): (String, InstanceFolder)
        do throws(SystemError) { (id, folder) = try store.createInstance(of: spec.name) } catch {
            throw HyperFreshError(
                "the state of \(spec.kind) \(spec.name) cannot be kept", because: error,
                remedy: "Make \(store.stateDirectory) this user's own, or name another folder with --state-dir.")
        }
        var process: ProcessIdentity?
        do {
            let accelerator = try Accelerators.choose(stack.hyperplexor.accelerator)
            let instance = HypervisorInstance(
                id: "\(spec.name)-\(id)", folder: folder, uuid: Self.makeUUID(), hostname: "\(spec.name)-\(id)",
                networks: stack.networks(of: spec))
            try Files.replaceAtomically(folder.machineFile, bytes: OuterCommandLine.machineDefinition)
            let command = OuterCommandLine(
                spec, in: stack, image: image, instance: instance,
                host: .init(
                    usesKVM: accelerator == .kvm,
                    tscKilohertz: accelerator == .tcg ? TimeStampCounter.measureKilohertz() : nil))
            var record = try start([command.executable] + command.arguments, id: id, folder: folder)
            process = record.process
            try await SystemdManager.isolate(
                record.process.pid, named: spec.name, like: getpid(), description: "\(spec.kind) \(spec.name)")
            let hypervisor = try await reach(record, folder, until: .now + min(boot, Self.patience(accelerator)))
            try await hypervisor.pin(to: stack.cores(of: spec.name))
            try await BridgeTaps(instance, in: stack).connect()
            record = await describe(hypervisor)
            try store.keep(record)
            return try await renewed(hypervisor, record)
        } catch {
            let failure = Self.failure(error, "\(spec.kind) \(spec.name)", evidence: Self.words(folder))
            throw await undoing(id, process, after: failure)
        }
    }

    /// Ends what this run has started, in which nobody is yet, and removes what it has made.
    private func undoing(
        _ id: String, _ process: ProcessIdentity?, after failure: HyperFreshError
    ) async -> HyperFreshError {
        // A process that cannot be held is gone: `forget` makes sure of that.
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
        // On record before it is a QEMU: whoever takes the hypervisor down after we died finds it.
        _ = try spawn(request) { identity in
            let new = InstanceRecord(
                id: id, hypervisor: spec.name, stack: stack.name, image: image.directory, process: identity,
                started: WallClock.microseconds())
            record = new
            // Without a record the process does not become a QEMU: `spawn` says so.
            return (try? store.keep(new)) != nil
        }
        guard let record else { throw HyperFreshError("no process was started", remedy: "Report this.") }
        return record
    }

    /// What it makes, sockets and logs, is its owner's alone, whatever our own mask is.
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
                    "the QEMU of \(spec.kind) \(spec.name) did not start", remedy: "Its own words say why.")
            }
        }
        // The sockets are there at once; QEMU answers when it has its memory.
        let hypervisor = try await Hypervisor.reach(record, in: folder, within: max(.seconds(5), end - .now))
        let watch = Task {
            // An agent that is waited for never says that its machine has died.
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
                remedy: "The end of its console says how far it came. Is its image whole, and its memory enough?")
        }
        return hypervisor
    }

    /// What containers need of the kernel beside what every hypervisor has: the first of them, and the first that is frozen,
    /// would wait for it.
    private static let containerModules = [
        "virtiofs", "veth", "nf_tables", "nfnetlink", "inet_diag", "tcp_diag", "udp_diag", "raw_diag", "unix_diag",
        "netlink_diag", "af_packet_diag", "nf_conntrack_netlink", "ip_tables",
    ]

    /// What runs in it, by its own word; its clock is set by the way.
    private func describe(_ hypervisor: Hypervisor) async -> InstanceRecord {
        var record = hypervisor.record
        let (seconds, microseconds) = WallClock.microseconds().quotientAndRemainder(dividingBy: 1_000_000)
        let fraction = "\(1_000_000 + microseconds)".dropFirst()
        let modules = spec.kind == .os ? Self.containerModules : []
        // Without it guests' clocks are off by up to a second.
        _ = try? await hypervisor.agent.run(
            verb: "set-clock", ["\(seconds).\(fraction)", modules.joined(separator: " ")], to: "set its clock")
        if let versions = await Self.versions(of: hypervisor) { (record.kernel, record.qemu) = versions }
        return record
    }

    /// The kernel's and QEMU's versions in a hypervisor; nil where it does not say: they are for showing only.
    static func versions(of hypervisor: Hypervisor) async -> (kernel: String, qemu: String)? {
        let words = try? await hypervisor.agent.run(verb: "versions", to: "ask for its versions")
        return versions(in: words ?? "")
    }

    /// The kernel's and QEMU's versions, a line each; nil where it says something else, which is not to be remembered.
    static func versions(in words: String) -> (kernel: String, qemu: String)? {
        let lines = words.split(whereSeparator: \.isNewline).map(String.init)
        let isVersion: (String) -> Bool = { word in
            word.utf8.count <= 64 && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        }
        guard lines.count == 2, lines.allSatisfy(isVersion) else { return nil }
        return (lines[0], lines[1])
    }

    private func renewed(_ hypervisor: Hypervisor, _ record: InstanceRecord) async throws -> Hypervisor {
        hypervisor.close()
        return try await Hypervisor.reach(record, in: hypervisor.folder)
    }

    /// A random one (RFC 4122, version 4): management stacks refuse to migrate within "the same host".
    private static func makeUUID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        var rest = digits[...]
        return [8, 4, 4, 4, 12].map { length in
            defer { rest = rest.dropFirst(length) }
            return String(rest.prefix(length))
        }.joined(separator: "-")
    }

    private static func words(_ folder: InstanceFolder) -> [String] {
        // Evidence for a failure, where there is any.
        let errors = (try? Files.readAll(folder.errorLog)) ?? []
        let lines = String(decoding: errors, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(6)
        let console = Hypervisor.consoleTail(folder)
        return lines.map { "qemu: \($0)" } + console.map { "console: \($0)" }
    }

    private static func failure(_ error: any Error, _ name: String, evidence: [String]) -> HyperFreshError {
        if Task.isCancelled {
            return HyperFreshError(
                "the start of \(name) was cut short",
                remedy: "Nothing of it is left. Start it again when it suits."
            ).adding(evidence: evidence)
        }
        if let error = error as? HyperFreshError { return error.adding(evidence: evidence) }
        return HyperFreshError(
            "\(name) could not be started", because: error, remedy: "`hyperfresh doctor` looks at this host."
        ).adding(evidence: evidence)
    }
}

/// By what this host can run a hypervisor.
enum Accelerators {
    /// KVM where stock guests run and may nest; where not, TCG, unless KVM was asked for.
    ///
    /// - Parameters:
    ///   - wish: What the stack file says.
    ///   - nesting: Whether KVM nests on this host.
    /// - Returns: KVM or TCG.
    /// - Throws: ``HyperFreshError`` when KVM was asked for and does not nest: no guest of the hypervisor could start.
    static func choose(
        _ wish: HyperplexorSpec.Accelerator, nesting: Finding = HypervisorChecks.nesting()
    ) throws(HyperFreshError) -> HyperplexorSpec.Accelerator {
        if wish == .tcg { return .tcg }
        if nesting.severity == .pass { return .kvm }
        guard wish == .kvm else { return .tcg }
        throw HyperFreshError(
            "hypervisors cannot run on KVM here, as the stack file demands (\(nesting.id))",
            remedy: "\(nesting.remedy ?? "") Or write `accelerator: auto`.",
            evidence: [nesting.message] + nesting.evidence)
    }
}
