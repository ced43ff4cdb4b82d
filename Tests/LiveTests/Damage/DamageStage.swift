import CanaryTesting
import Glibc
import JSON
import Linux

/// A running subject whose records and files are damaged.
protocol DamageStage {
    var files: CanaryFiles { get }
    /// The number of pages that canaries have verified so far.
    var pagesVerified: Int { get }

    /// Returns the file or folder that a row of the table refers to.
    func path(of subject: String) async throws -> String
    /// Does what only the stage can do: writes a record of another boot, or a stale one.
    func falsify(_ subject: String, _ damage: FileDamage, at path: String) throws
    /// Runs the command.
    func run(_ verb: String) async throws -> ChildProgram.Result
    /// Throws unless exactly the same processes still run, and no others that may run the guest.
    func expectUntouched() throws
    /// Returns whether `recover` has recreated it, so that nothing must be put back.
    func isMadeAnew(_ row: DamageTable.Row, _ damage: FileDamage) -> Bool
    /// Follows the remedies in the reports, except for putting back what was damaged.
    func followRemedies() async throws
    /// Throws unless everything is as before the damage, and the canaries report.
    func expectWhole() async throws
}

extension DamageStage {
    func followRemedies() async throws {}

    /// Returns where the original is kept; it stays on the same file system.
    func aside(for path: String) -> String {
        path.hasPrefix("/dev/shm/") ? "\(files.memory)-aside" : "\(files.directory)/aside"
    }
}

/// One damage: runs every verb on it, then `recover`, until everything is as before.
struct DamageTrial<Stage: DamageStage> {
    let stage: Stage
    let row: DamageTable.Row
    let damage: FileDamage

    func play() async -> DamageReport.Cell {
        var cell = DamageReport.Cell(subject: row.subject, damage: damage)
        let before = stage.pagesVerified
        var covered: String?
        defer { if let covered { umount2(covered, Int32(MNT_DETACH)) } }
        do {
            let path = try await stage.path(of: row.subject)
            var lock: FileLock?
            switch damage {
            case .boot, .stale: try stage.falsify(row.subject, damage, at: path)
            case .held: lock = try FileLock.tryAcquire(path)
            default: try damage.inflict(on: path, keeping: stage.aside(for: path))
            }
            // Whatever fails, no mount is left.
            if damage == .unreadable { covered = path }
            for verb in row.verbs {
                let result = try await stage.run(verb.name)
                cell.statuses.append((verb.name, result.status ?? -1))
                guard result.status == verb.status else {
                    throw MatrixWrong(description: "\(verb.name) should exit with \(verb.status): \(result)")
                }
                // No text may advise starting a guest that runs.
                for advice in ["Start the guest", "Restart the guest"] where "\(result)".contains(advice) {
                    throw MatrixWrong(description: "\(result)")
                }
                do { try stage.expectUntouched() } catch {
                    throw MatrixWrong(description: "after \(verb.name): \(error): \(result)")
                }
            }
            _ = consume lock
            try await settle(path)
            try await stage.expectWhole()
        } catch {
            cell.problem = "\(error)"
        }
        cell.pages = stage.pagesVerified - before
        return cell
    }

    /// Puts back what `recover` cannot recreate; then `recover` must have nothing to report.
    private func settle(_ path: String) async throws {
        try await stage.followRemedies()
        if !stage.isMadeAnew(row, damage) { try damage.undo(on: path, from: stage.aside(for: path)) }
        _ = try await ChildProgram.run("rm", ["-rf", stage.aside(for: path), "\(stage.aside(for: path))-made"])
        // If it sets aside a record of which nothing runs, it reports that with 6; after that it has nothing to report.
        let first = try await stage.run("recover")
        let setsAside =
            first.status == 6 && (try? first.document["items"]?.array?.allSatisfy { $0["settled"] == true }) == true
        let last = setsAside ? try await stage.run("recover") : first
        guard last.status == 0 else { throw MatrixWrong(description: "recover at last: \(last)") }
        let again = try await stage.run("recover")
        guard again.status == 0 else { throw MatrixWrong(description: "recover once more: \(again)") }
    }
}
