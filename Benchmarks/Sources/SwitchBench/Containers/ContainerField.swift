import CanaryTesting
import HyperFresh
import JSON
import Linux
import VirtualMachines

/// Two OS VMs with two containers of one shape: one relocated by hyperfresh, and one moved with plain CRIU.
///
/// Both run the same program, and one of them is always frozen.
final class ContainerField {
    static let name = "moved"
    static let systems = ["left", "right"]
    /// The container relocated by hyperfresh, and its address.
    static let relocated = (name: "relocated", address: "10.231.82.5")
    /// The address of the other container.
    static let plainAddress = "10.231.82.6"
    static let prefixLength = 24

    let shape: ContainerShape
    let tools: ContainerTools
    private let host: Host
    private let plain: PlainContainer
    private var place: [ContainerMethod: Int] = [.relocate: 0, .plain: 0]
    private var beats: [ContainerMethod: BeatSession] = [:]

    private init(_ shape: ContainerShape, _ tools: ContainerTools, _ host: Host) {
        self.shape = shape
        self.tools = tools
        self.host = host
        plain = PlainContainer(shape, tools)
    }

    /// Boots both OS VMs, starts both containers in the first, and waits until they have filled their memory.
    static func start(_ shape: ContainerShape, tools: ContainerTools) async throws -> ContainerField {
        let host = Host(stateDirectory: tools.state)
        let field = ContainerField(shape, tools, host)
        try tools.copyBundle(to: field.bundle, words: shape.words)
        try await host.up(file: try field.writeStack())
        for system in systems { try await tools.with(system) { try await field.plain.prepare(in: $0) } }
        try await tools.with(systems[0]) { try await field.plain.start(in: $0) }
        for (method, address) in [(ContainerMethod.relocate, relocated.address), (.plain, plainAddress)] {
            field.beats[method] = try await connect(address)
            try await field.waitForBeats(method)
            try await field.freeze(method, true)
        }
        return field
    }

    private var bundle: String { "\(tools.scratch.directory)/bundle" }

    private func writeStack() throws -> String {
        let path = "\(tools.scratch.directory)/\(Self.name).yaml"
        var lines = [
            "version: 1", "name: \(Self.name)",
            "hyperplexor: {memory-directory: \(tools.scratch.memoryDirectory)/\(Self.name), "
                + "accelerator: \(tools.accelerator)}",
            "networks: [{name: lan, bridge: \(tools.scratch.tap)}]", "systems:",
        ]
        for system in Self.systems {
            lines += [
                "  - name: \(system)", "    image: \(tools.image)", "    memory: \(shape.systemMiB)M", "    cpus: 1",
            ]
        }
        let first = lines.firstIndex { $0.contains("name: \(Self.systems[1])") } ?? lines.endIndex
        lines.insert(
            contentsOf: [
                "    containers:", "      - name: \(Self.relocated.name)", "        bundle: \(bundle)",
                "        memory: \(shape.limitMiB)M",
                "        network: {network: lan, address: \(Self.relocated.address)/\(Self.prefixLength)}",
            ], at: first)
        try Files.replaceAtomically(path, bytes: Array((lines.joined(separator: "\n") + "\n").utf8))
        return path
    }

    private static func connect(_ address: String) async throws -> BeatSession {
        let end = ContinuousClock.now + .seconds(120)
        while true {
            do throws(SystemError) { return try BeatSession(to: address, every: 10) } catch {
                guard ContinuousClock.now < end else { throw BenchError("no canary answers at \(address): \(error)") }
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// Moves a container to the other OS VM.
    func move(by method: ContainerMethod) async throws -> ContainerMove {
        guard let session = beats[method] else { throw BenchError("there is no connection to the container") }
        try await freeze(method, false)
        try await waitForBeats(method)
        // Let a second's worth of writes accumulate between two moves.
        try await Task.sleep(for: .seconds(1))
        session.forgetGap()
        let old = place[method] ?? 0
        let new = 1 - old
        let begin = Clock.monotonic()
        var move =
            switch method {
            case .relocate: try await relocate(to: Self.systems[new])
            case .plain: try await plain.move(from: Self.systems[old], to: Self.systems[new])
            }
        move.wholeMicroseconds = Int((Clock.monotonic() - begin) / 1000)
        place[method] = new
        try await waitForBeats(method)
        move.downtimeMicroseconds = session.soFar.longestGap
        try await freeze(method, true)
        return move
    }

    private func relocate(to system: String) async throws -> ContainerMove {
        var request = RelocationRequest(container: Self.relocated.name, to: system)
        request.maximumDowntime = .seconds(120)
        request.timeout = .seconds(900)
        let report = await host.relocate(request).report()
        guard report.outcome == .refreshed,
            let handover = report.handover, let timing = handover.timing
        else { throw BenchError("relocate did not complete: see `history` in \(tools.state)") }
        let phases = handover.phases.map { (name: $0.phase.rawValue, microseconds: Int($0.milliseconds * 1000)) }
        return ContainerMove(
            downtimeMicroseconds: 0, switchMicroseconds: timing.stopToResume, wholeMicroseconds: 0,
            copiedRunningBytes: handover.copied.reduce(0) { $0 + Int($1) }, sentBytes: 0, steps: handover.steps,
            phases: phases)
    }

    /// Waits until a canary sends lines again, which shows that it runs.
    private func waitForBeats(_ method: ContainerMethod) async throws {
        let end = ContinuousClock.now + .seconds(300)
        let before = beats[method]?.soFar.beats ?? 0
        while (beats[method]?.soFar.beats ?? 0) < before + 20 {
            if let reason = beats[method]?.soFar.end { throw BenchError("\(method.title): the connection: \(reason)") }
            guard ContinuousClock.now < end else { throw BenchError("\(method.title): a container is silent") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Freezes or thaws a container, so that only one of them runs.
    private func freeze(_ method: ContainerMethod, _ isFrozen: Bool) async throws {
        let group = method == .plain ? PlainContainer.group : "/sys/fs/cgroup/hyperfresh/\(Self.relocated.name)"
        try await tools.with(Self.systems[place[method] ?? 0]) { system in
            _ = try await system.agent.run(
                "echo $1 >\(group)/cgroup.freeze", [isFrozen ? "1" : "0"], to: "freeze or thaw")
        }
    }

    /// Returns the canaries' findings after all moves; the canaries run for a moment to report.
    func witnesses() async throws -> [ContainerResults.Witness] {
        var found: [ContainerResults.Witness] = []
        for (method, address) in [(ContainerMethod.relocate, Self.relocated.address), (.plain, Self.plainAddress)] {
            try await freeze(method, false)
            guard let report = ContainerCanary.report(from: address, patience: 60) else {
                throw BenchError("\(method.title): the canary does not answer")
            }
            if report.anomalies > 0 { Progress.say("\(method.title): a canary found: \(report.anomaly)") }
            found.append(
                .init(
                    shape: shape, method: method, pagesVerified: report.pagesVerified, anomalies: report.anomalies,
                    keptConnection: beats[method]?.soFar.end == nil))
        }
        return found
    }

    func end() async throws {
        for session in beats.values { session.stop() }
        try await host.down(stack: Self.name, grace: .zero)
    }

    /// Removes what a failed run has left.
    static func sweep(_ tools: ContainerTools) async throws {
        guard Files.exists("\(tools.state)/stacks/\(name)") else { return }
        let host = Host(stateDirectory: tools.state)
        _ = try? await host.recover()
        try await host.down(stack: name, grace: .zero)
    }
}
