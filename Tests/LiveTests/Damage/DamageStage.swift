import CanaryTesting
import Glibc
import JSON
import Linux

/// Something that runs, whose records and files are damaged.
protocol DamageStage {
    var files: CanaryFiles { get }
    /// How many pages canaries have verified so far.
    var pagesVerified: Int { get }

    /// The file or folder that a row of the table means.
    func path(of subject: String) async throws -> String
    /// Does what only the stage can: writes a record of another boot, or a stale one.
    func falsify(_ subject: String, _ damage: FileDamage, at path: String) throws
    /// Runs the command.
    func run(_ verb: String) async throws -> ChildProgram.Result
    /// Throws unless the very processes that ran run still, and no other that may run the guest.
    func expectUntouched() throws
    /// Whether `recover` made it anew, so that nothing has to be put back.
    func isMadeAnew(_ row: DamageTable.Row, _ damage: FileDamage) -> Bool
    /// Does what the reports said had to be done, but for putting back what was damaged.
    func followRemedies() async throws
    /// Throws unless all is as it was before the damage, and the canaries speak.
    func expectWhole() async throws
}

extension DamageStage {
    func followRemedies() async throws {}

    /// Where what is damaged is kept meanwhile: what was moved stays on its file system.
    func aside(for path: String) -> String {
        path.hasPrefix("/dev/shm/") ? "\(files.memory)-aside" : "\(files.directory)/aside"
    }
}

/// One damage: every verb on it, then `recover`, until all is as it was.
struct DamageScene<Stage: DamageStage> {
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
            // Whatever happens meanwhile, no mount is left.
            if damage == .unreadable { covered = path }
            for verb in row.verbs {
                let result = try await stage.run(verb.name)
                cell.statuses.append((verb.name, result.status ?? -1))
                guard result.status == verb.status else {
                    throw MatrixWrong(description: "\(verb.name) should exit with \(verb.status): \(result)")
                }
                // No text may advise to start what runs.
                guard !"\(result)".contains("Start the guest") else { throw MatrixWrong(description: "\(result)") }
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

    /// What `recover` cannot make anew is put back; then it has nothing to complain of.
    private func settle(_ path: String) async throws {
        try await stage.followRemedies()
        if !stage.isMadeAnew(row, damage) { try damage.undo(on: path, from: stage.aside(for: path)) }
        _ = try await ChildProgram.run("rm", ["-rf", stage.aside(for: path), "\(stage.aside(for: path))-made"])
        // One that sets a record aside, of which nothing runs, says so with 6; then nothing is left to say.
        let first = try await stage.run("recover")
        let setsAside =
            first.status == 6 && (try? first.document["items"]?.array?.allSatisfy { $0["settled"] == true }) == true
        let last = setsAside ? try await stage.run("recover") : first
        guard last.status == 0 else { throw MatrixWrong(description: "recover at last: \(last)") }
        let again = try await stage.run("recover")
        guard again.status == 0 else { throw MatrixWrong(description: "recover once more: \(again)") }
    }
}
