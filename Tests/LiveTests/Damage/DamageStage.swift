import CanaryTesting

/// Something that runs, whose records are damaged.
protocol DamageStage {
    /// Where what is damaged is kept meanwhile.
    var aside: String { get }
    /// How many pages canaries have verified so far.
    var pagesVerified: Int { get }

    /// The file or folder that a row of the table means.
    func path(of subject: String) async throws -> String
    /// Writes a record that is whole, but not true any more.
    func makeStale(_ subject: String, at path: String) throws
    /// Runs the command.
    func run(_ verb: String) async throws -> ChildProgram.Result
    /// Throws unless the very processes that ran run still, and no other.
    func expectUntouched() async throws
    /// Throws unless all is as it was before the damage, and the canaries speak.
    func expectWhole() async throws
}

/// One damage: every verb on it, then `recover`, until all is as it was.
struct DamageScene<Stage: DamageStage> {
    let stage: Stage
    let row: DamageTable.Row
    let damage: FileDamage

    func play() async -> DamageReport.Cell {
        var cell = DamageReport.Cell(subject: row.subject, damage: damage)
        let before = stage.pagesVerified
        do {
            let path = try await stage.path(of: row.subject)
            try damage.inflict(on: path, keeping: stage.aside) { try stage.makeStale(row.subject, at: path) }
            for verb in row.verbs {
                let result = try await stage.run(verb.name)
                cell.statuses.append((verb.name, result.status ?? -1))
                guard result.status == verb.status else {
                    throw MatrixWrong(description: "\(verb.name) should exit with \(verb.status): \(result)")
                }
                do { try await stage.expectUntouched() } catch {
                    throw MatrixWrong(description: "after \(verb.name): \(error): \(result)")
                }
            }
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
        let isMadeAnew = row.verbs.last?.status == 0 && !["pid", "memory file"].contains(row.subject)
        if isMadeAnew {
            _ = try await ChildProgram.run("rm", ["-rf", stage.aside])
        } else {
            try FileDamage.undo(path, from: stage.aside)
        }
        for _ in 0..<2 {
            let result = try await stage.run("recover")
            guard result.ending == .exited(0) else { throw MatrixWrong(description: "recover at last: \(result)") }
        }
    }
}
