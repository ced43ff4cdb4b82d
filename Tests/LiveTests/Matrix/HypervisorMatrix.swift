import CanaryTesting
import Glibc
import JSON
import Linux
import Testing

/// Runs cells on one stack after another: a stack is used until its guest is lost.
struct HypervisorMatrix {
    let table: MatrixTable<HypervisorFault>
    /// Called with each result as soon as it is available.
    let tell: (MatrixResult<HypervisorFault>) throws -> Void

    /// A guest with a disk; one is enough, because each handoff has its own journal.
    private static let guest = NestedStack.Guest(name: "one", pace: "2000", hasDisk: true)

    func run(_ cells: [MatrixCell<HypervisorFault>]) async throws {
        var rest = cells[...]
        while !rest.isEmpty {
            try await NestedStack.run("matrix", guests: [Self.guest]) { stack in
                try await stack.proveAlive(Self.guest.name)
                while let cell = rest.popFirst() {
                    let result = await result(of: cell, in: stack)
                    try tell(result)
                    if result.problem != nil || result.end == .lost { return }
                }
            }
        }
    }

    private func result(
        of cell: MatrixCell<HypervisorFault>, in stack: NestedStack
    ) async -> MatrixResult<HypervisorFault> {
        let begin = ContinuousClock.now
        let before = stack.report(Self.guest.name)
        var result = MatrixResult(cell)
        do {
            let end = try await HypervisorTrial(cell: cell, guest: Self.guest.name, stack: stack).play()
            result.end = end
            result.problem = table.problem(end, at: cell)
        } catch {
            result.problem = "\(error)"
        }
        if let after = stack.report(Self.guest.name) {
            result.pages = after.pagesVerified - (before?.pagesVerified ?? 0)
            result.records = after.recordsVerified - (before?.recordsVerified ?? 0)
            result.anomalies = after.anomalies
        }
        result.seconds = Double((ContinuousClock.now - begin) / .milliseconds(1)) / 1000
        return result
    }
}

/// One cell: a refresh that stops at a point, a fault, and recovery until everything is settled.
private struct HypervisorTrial {
    let cell: MatrixCell<HypervisorFault>
    let guest: String
    let stack: NestedStack

    /// - Returns: The place of the guest.
    func play() async throws -> MatrixEnd {
        let old = try #require(try await stack.instances().first)
        let controller = try stack.startRefresh(["--timeout", "90s"], fault: "stop-\(cell.place.name)")
        try await controller.waitUntilStopped(within: .seconds(300))
        // No controller reads the events now, but both QEMUs complete their part of the switch.
        if cell.place.stage == .switched { try await Task.sleep(for: .seconds(3)) }
        let new = try #require(stack.processes.first { $0 != old.pid && $0 != controller.pid })
        let folder = try #require(try newFolder(butFor: old.id))
        var held = try await perform(controller, old: old.pid, new: new, in: folder)
        controller.signal(SIGCONT)
        _ = try await controller.result(within: .seconds(240))
        kill(new, SIGCONT)
        withExtendedLifetime(held) {}
        // From here on, monitors answer again.
        held = nil
        try await recoverTwice()
        return try await whereabouts(old)
    }

    /// - Returns: An object that keeps the fault active while it exists.
    private func perform(
        _ controller: ChildProgram, old: Int32, new: Int32, in folder: String
    ) async throws -> UnixStream? {
        switch cell.fault {
        case .oldKilled: try await LiveGuest.kill(old)
        case .newKilled: try await LiveGuest.kill(new)
        case .newHangs: kill(new, SIGSTOP)
        case .agentDead: return try await ProcessSocket.usurp("\(folder)/agent.sock", of: controller.pid)
        case .relayDead: return try await ProcessSocket.usurp("\(folder)/\(guest).sock", of: controller.pid)
        case .linkCut: try await ProcessSocket.cut(between: old, and: new)
        }
        return nil
    }

    private func newFolder(butFor old: String) throws -> String? {
        let folder = "\(stack.state)/hypervisors/\(NestedStack.hypervisor)"
        let names = try ProcFS.names(inFolder: folder).filter {
            $0 != old && Files.exists("\(folder)/\($0)/instance.json")
        }
        return names.first.map { "\(folder)/\($0)" }
    }

    /// Recovers until nothing is unfinished; the second run has nothing to do.
    private func recoverTwice() async throws {
        for round in 1...2 {
            let recovery = try await stack.command("recover", "--json", within: .seconds(240))
            guard try recovery.isSettledRecovery else {
                throw MatrixWrong(description: "recover \(round): \(recovery)")
            }
            let items = try recovery.document["items"]?.array ?? []
            guard round == 1 || items.isEmpty else { throw MatrixWrong(description: "recover again: \(recovery)") }
        }
    }

    /// Returns the only hypervisor; the canary in it must report.
    private func whereabouts(_ old: (id: String, pid: Int32)) async throws -> MatrixEnd {
        let instances = try await stack.instances()
        guard instances.count < 2 else { throw MatrixWrong(description: "both hypervisors are there: \(instances)") }
        guard let there = instances.first else { return .lost }
        let shown = try await stack.look()["guests"]?.array?.first?["state"]?.string
        guard shown == "running" else {
            guard try await stack.isSilent(guest) else {
                throw MatrixWrong(description: "a guest that is \(shown ?? "?") speaks")
            }
            return .lost
        }
        try await stack.proveAlive(guest)
        return there.id == old.id ? .old : .new
    }
}
