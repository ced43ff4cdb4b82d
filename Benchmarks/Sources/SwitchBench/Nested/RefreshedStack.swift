import CanaryTesting
import HyperFresh
import Linux
import QMP
import StackFile
import VirtualMachines

/// A hypervisor whose guests hyperfresh moves, through the library's API.
struct RefreshedStack {
    let shape: NestedShape
    let tools: NestedTools
    let host: Host
    let consoles: [String: ConsoleWatch]

    static let name = "refreshed"

    /// Brings the stack up and waits until each guest has filled its memory.
    static func start(_ shape: NestedShape, tools: NestedTools) async throws -> RefreshedStack {
        let guests = (1...shape.guests).map { "guest-\($0)" }
        let file = try tools.writeStack(
            name, hypervisors: [tools.hypervisor(name, memoryMiB: 1024, guests: guests, shape: shape)])
        let host = Host(stateDirectory: tools.state)
        var consoles: [String: ConsoleWatch] = [:]
        for guest in guests {
            consoles[guest] = ConsoleWatch(path: "\(tools.state)/hypervisors/\(name)/\(guest).console.log")
        }
        let stack = RefreshedStack(shape: shape, tools: tools, host: host, consoles: consoles)
        try await host.up(file: file)
        try await stack.waitUntilReady()
        return stack
    }

    private func waitUntilReady() async throws {
        for console in consoles.values { try await console.waitUntilFilled(shape) }
    }

    /// Stops or resumes the guests; with stopped guests, their hypervisor is idle.
    func setRunning(_ running: Bool) async throws {
        guard let (record, folder) = RunningInstances.of(Self.name, state: tools.state).last else {
            throw BenchError("the stack is down")
        }
        let hypervisor = try await Hypervisor.reach(record, in: folder, within: .seconds(20))
        defer { hypervisor.close() }
        for guest in consoles.keys {
            let client = try await InnerUnit(guest).connect(
                through: folder.relaySocket(guest), agent: hypervisor.agent)
            defer { client.close() }
            try await client.setRunning(running)
        }
    }

    /// Refreshes the hypervisor.
    func refresh(parallel: Int) async throws -> NestedMove {
        for console in consoles.values { try await console.wait(for: NestedGap.window + 1) }
        var request = HypervisorRefreshRequest(hypervisor: Self.name)
        request.parallelism = parallel
        request.maximumDowntime = .seconds(20)
        request.timeout = .seconds(900)
        let refreshing = host.refresh(request)
        var windows: [String: (begin: Int64, end: Int64)] = [:]
        var report: HypervisorReport?
        for await progress in refreshing.progress {
            let now = Clock.monotonic() / 1000
            switch progress {
            case .guest(let guest, .began(.handover)): windows[guest] = (now, now)
            case .guest(let guest, .ended(let timing)) where timing.phase == .handover: windows[guest]?.end = now
            case .finished(let result): report = result
            default: break
            }
        }
        guard let report, report.outcome == .refreshed else {
            let words = report?.failure.map { "\($0)" } ?? ""
            throw BenchError("refresh hypervisor: \(report?.outcome.rawValue ?? "no report"): \(words)")
        }
        var move = try self.move(report)
        for (index, guest) in report.guests.enumerated() {
            guard let console = consoles[guest.guest] else { continue }
            move.handovers[index].fellSilent = try await !console.speaks(NestedGap.window + 1)
            guard let window = windows[guest.guest], !move.handovers[index].fellSilent else { continue }
            move.handovers[index].gap = NestedGap(console.lines, from: window.begin, to: window.end)
        }
        return move
    }

    private func move(_ report: HypervisorReport) throws -> NestedMove {
        var move = NestedMove(handovers: [], wholeMicroseconds: Int(report.totalMilliseconds * 1000))
        for timing in report.phases { move.phases[timing.phase.rawValue] = Int(timing.milliseconds * 1000) }
        move.bootMicroseconds = move.phases["boot"]
        for guest in report.guests {
            guard let timing = guest.timing else { throw BenchError("guest \(guest.guest) has no timing") }
            move.handovers.append(
                NestedHandover(
                    switchMicroseconds: timing.stopToResume, newCompletedMicroseconds: timing.stopToNewCompleted,
                    oldCompletedMicroseconds: timing.stopToOldCompleted, controllerMicroseconds: timing.controller))
        }
        return move
    }

    /// Returns the canaries' findings.
    func witnesses() -> [NestedResults.Witness] {
        consoles.values.compactMap(\.last).map { report in
            NestedResults.Witness(
                shape: shape, isCopied: false, pagesVerified: report.pagesVerified, anomalies: report.anomalies)
        }
    }

    func end() async throws {
        for console in consoles.values { console.end() }
        try await host.down(stack: Self.name, grace: .zero)
    }

    /// Removes what a failed run has left.
    static func sweep(_ tools: NestedTools) async throws {
        guard Files.exists("\(tools.state)/stacks/\(name)") else { return }
        let host = Host(stateDirectory: tools.state)
        // An unfinished handoff would block everything that follows.
        _ = try? await host.recover()
        try await host.down(stack: name, grace: .zero)
    }
}

extension QMPClient {
    /// Stops or resumes a guest.
    func setRunning(_ running: Bool) async throws {
        if running {
            try await execute(Cont(), deadline: .seconds(30))
        } else {
            try await execute(Stop(), deadline: .seconds(30))
        }
    }
}

extension ConsoleWatch {
    /// Waits until the canary has filled its part of the memory and checks it.
    func waitUntilFilled(_ shape: NestedShape) async throws {
        let pages = shape.watchedMiB << 20 / 4096
        let isFilled = try await wait(within: .seconds(600)) {
            last.map { $0.pages == pages && $0.pagesVerified > 0 } ?? false
        }
        guard isFilled else { throw BenchError("a guest does not start; its console:\n\(lastWords())") }
    }
}
