import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Linux
import Testing

/// Runs cells on one guest after another: a guest is used until it is lost.
final class GuestMatrix {
    private let table: MatrixTable<GuestFault>
    private var guest: LiveGuest?

    init(_ table: MatrixTable<GuestFault>) { self.table = table }

    /// A busy guest with a disk, and with a second monitor for cutting connections.
    private static func options(_ files: CanaryFiles) -> CanaryGuest.Options {
        var options = CanaryGuest.Options.withDisk
        options.pace = "max"
        options.namesThreads = true
        options.arguments = LiveGuest.secondMonitor(in: files)
        return options
    }

    /// Runs a cell and returns its result.
    func run(_ cell: MatrixCell<GuestFault>) async throws -> MatrixResult<GuestFault> {
        let guest = try await ready()
        let begin = ContinuousClock.now
        let before = guest.canary.latest
        let trial = try GuestTrial(cell, guest)
        var result = MatrixResult(cell)
        do {
            let end = try await trial.play()
            result.end = end
            result.problem = table.problem(end, at: cell)
        } catch {
            result.problem = "\(error)"
        }
        let (runs, looks) = trial.watcher.end()
        (result.runs, result.looks) = (runs.count, looks)
        // A guest may be lost before three looks were taken.
        if runs.isEmpty, result.end != .lost { result.problem = "the watcher saw nobody run; \(result.problem ?? "")" }
        if let double = SideWatcher.doubleRun(runs) {
            result.isDoubleRun = true
            result.problem =
                "pid \(double.first.pid) ran after pid \(double.other.pid) had run; \(result.problem ?? "")"
        }
        if let after = guest.canary.reports.last {
            result.pages = after.pagesVerified - (before?.pagesVerified ?? 0)
            result.records = after.recordsVerified - (before?.recordsVerified ?? 0)
            result.anomalies = after.anomalies
        }
        if result.problem != nil || result.end == .lost { drop() }
        result.seconds = Double((ContinuousClock.now - begin) / .milliseconds(1)) / 1000
        return result
    }

    private func ready() async throws -> LiveGuest {
        if let guest { return guest }
        let guest = try await LiveGuest.boot("matrix", Self.options)
        self.guest = guest
        return guest
    }

    /// Ends the guest; the next cell gets another one.
    func drop() {
        guard let guest else { return }
        SmallStateFolder(path: guest.host.stateDirectory).end()
        guest.canary.end()
        self.guest = nil
    }
}

/// One cell: a refresh that stops at a point, a fault, and recovery until everything is settled.
private struct GuestTrial {
    let cell: MatrixCell<GuestFault>
    let guest: LiveGuest
    let old: Int32
    let watcher: SideWatcher
    private let state: SmallStateFolder

    init(_ cell: MatrixCell<GuestFault>, _ guest: LiveGuest) throws {
        self.cell = cell
        self.guest = guest
        guard let old = guest.canary.pid else { throw MatrixWrong(description: "the guest has no pid") }
        self.old = old
        let memory = guest.canary.files.memory
        watcher = try SideWatcher { LiveGuest.processes(mapping: memory) }
        state = SmallStateFolder(path: guest.host.stateDirectory)
    }

    /// - Returns: The place of the guest.
    func play() async throws -> MatrixEnd {
        try await state.prepare(for: cell.fault)
        if cell.fault == .actionFails {
            _ = try await start("fail").result(within: .seconds(30))
        } else {
            try await stopAndGoOn()
        }
        try await recoverTwice()
        return try await whereabouts()
    }

    private func start(_ fault: String) throws -> ChildProgram {
        try guest.start(
            ["refresh", "guest", guest.canary.files.qmp, "--json", "--timeout", "3s"],
            fault: "\(fault)-\(cell.place.name)")
    }

    private func stopAndGoOn() async throws {
        let controller = try start("stop")
        try await controller.waitUntilStopped()
        // No controller reads the events now, but both QEMUs complete their part of the switch.
        if cell.place.stage == .switched { usleep(400_000) }
        let injection = GuestInjection(
            fault: cell.fault, guest: guest, state: state, controller: controller, old: old,
            new: guest.processes.first { $0 != old })
        try await injection.perform()
        controller.signal(SIGCONT)
        _ = try await controller.result(within: .seconds(30))
        try await injection.undo()
    }

    /// Recovers until nothing is unfinished; the second run has nothing to do.
    private func recoverTwice() async throws {
        for round in 1...2 {
            let recovery = try await guest.command("recover", "--json")
            guard try recovery.isSettledRecovery else {
                throw MatrixWrong(description: "recover \(round): \(recovery)")
            }
            let items = try recovery.document["items"]?.array ?? []
            guard round == 1 || items.isEmpty else { throw MatrixWrong(description: "recover again: \(recovery)") }
        }
    }

    /// Returns the only side that has the guest; the canary must confirm it.
    private func whereabouts() async throws -> MatrixEnd {
        let processes = guest.processes
        guard processes.count < 2 else { throw MatrixWrong(description: "both QEMUs are there: \(processes)") }
        guard let pid = processes.first else { return .lost }
        guard try await guest.isRunning else { throw MatrixWrong(description: "the guest is stopped") }
        _ = try await guest.canary.proveAlive()
        return pid == old ? .old : .new
    }
}
