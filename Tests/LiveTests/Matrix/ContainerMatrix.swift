import CanaryTesting
import Glibc
import JSON
import Linux
import Testing

/// Runs cells on one stack after another: a stack is used until its container is lost or a cell fails.
struct ContainerMatrix {
    let table: MatrixTable<ContainerFault>
    /// Called with each result as soon as it is available.
    let tell: (MatrixResult<ContainerFault>) throws -> Void

    func run(_ cells: [MatrixCell<ContainerFault>]) async throws {
        var rest = cells[...]
        let canary = try ContainerStack.canary("processes=2", "dirty=1M")
        while !rest.isEmpty {
            try await ContainerStack.run("matrix", containers: [canary]) { stack in
                try await stack.proveAlive(canary)
                while let cell = rest.popFirst() {
                    let result = await result(of: cell, canary, in: stack)
                    try tell(result)
                    if result.problem != nil || result.end == .lost { return }
                    // Restarts the OS VM that died, empty.
                    try await stack.up()
                }
            }
        }
    }

    private func result(
        of cell: MatrixCell<ContainerFault>, _ canary: ContainerStack.Container, in stack: ContainerStack
    ) async -> MatrixResult<ContainerFault> {
        let begin = ContinuousClock.now
        let before = stack.report(canary)
        var result = MatrixResult(cell)
        do {
            let end = try await ContainerTrial(cell: cell, canary: canary, stack: stack).play()
            result.end = end
            result.problem = table.problem(end, at: cell)
        } catch {
            result.problem = "\(error)"
        }
        if let before, let after = stack.report(canary) {
            result.pages = after.pagesVerified - before.pagesVerified
            result.records = after.records - before.records
            result.anomalies = after.anomalies
        }
        result.seconds = Double((ContinuousClock.now - begin) / .milliseconds(1)) / 1000
        return result
    }
}

/// One cell: a relocation that stops at a point, a fault, and recovery until everything is settled.
private struct ContainerTrial {
    let cell: MatrixCell<ContainerFault>
    let canary: ContainerStack.Container
    let stack: ContainerStack

    /// - Returns: The place of the container.
    func play() async throws -> MatrixEnd {
        let source = try await stack.whereabouts(canary.name).system
        let target = stack.otherSystem(source)
        let old = try #require(try await stack.instances(of: source).first).pid
        let new = try #require(try await stack.instances(of: target).first).pid
        let controller = try stack.startRelocation(of: canary.name, to: target, fault: "stop-\(cell.place.name)")
        try await controller.waitUntilStopped(within: .seconds(180))
        // The operation in the OS VM continues: a dump, or a restore.
        if cell.place.stage == .switching { try await Task.sleep(for: .milliseconds(700)) }
        switch cell.fault {
        case .controllerKilled: controller.signal(SIGKILL)
        case .oldKilled: try await LiveGuest.kill(old)
        case .newKilled: try await LiveGuest.kill(new)
        }
        controller.signal(SIGCONT)
        let told = try await controller.result(within: .seconds(240)).output
        return try await whereabouts(source, told: told + (try await recoverTwice()))
    }

    /// Recovers until nothing is unfinished; the second run has nothing to do.
    ///
    /// - Returns: Its output.
    private func recoverTwice() async throws -> String {
        var told = ""
        for round in 1...2 {
            let recovery = try await stack.command("recover", "--json", within: .seconds(240))
            guard try recovery.isSettledRecovery else {
                throw MatrixWrong(description: "recover \(round): \(recovery)")
            }
            let items = try recovery.document["items"]?.array ?? []
            guard round == 1 || items.isEmpty else { throw MatrixWrong(description: "recover again: \(recovery)") }
            told += recovery.output
        }
        return told
    }

    /// Returns the only OS VM that has the container; its canary must report.
    private func whereabouts(_ source: String, told: String) async throws -> MatrixEnd {
        let census = try await stack.census(canary.name)
        let there = census.filter { $0.running + $0.still > 0 }
        let shown = try await stack.whereabouts(canary.name)
        guard let place = there.first else {
            guard shown.state == "lost", told.contains("\"lost\"") else {
                throw MatrixWrong(description: "a container without processes is \(shown.state): \(told)")
            }
            return .lost
        }
        guard there.count == 1, place.still == 0, place.instance.hasPrefix("\(shown.system) "), shown.state == "running"
        else { throw MatrixWrong(description: "\(shown): \(census)") }
        try await stack.proveAlive(canary)
        return shown.system == source ? .old : .new
    }
}
