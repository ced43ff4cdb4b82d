import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Journal
import Linux
import QMP
import Testing

extension Live {
    /// Records and files of a guest that are missing, damaged or another user's: the guest still runs, once, and the
    /// report names the right QEMU.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct DamagedGuestsLiveTests {
        private static let heading = "## Every record damaged, of guests"
        private static let slice: [(subject: String, damage: FileDamage)] = [
            ("journal", .garbage), ("journal", .torn), ("journal", .boot), ("memory file", .link), ("lock", .held),
            ("state folder", .open),
        ]

        @Test(.enabled(if: geteuid() == 0, "needs root, to give files to another user"))
        func whatIsDamagedHarmsNoGuest() async throws {
            let table = try DamageTable(document: Live.recoveryDocument, heading: Self.heading)
            var report = try DamageReport(mark: "DamagedGuests")
            try await LiveGuest.run("damage", options: .withDisk) { guest in
                try await report.run(table.cells(in: Self.slice)) { row, damage in
                    await DamageTrial(stage: try DamagedGuest(guest), row: row, damage: damage).play()
                }
                _ = try await guest.canary.proveAlive()
            }
        }
    }
}

/// A guest of this host, as it was before the damage.
private final class DamagedGuest: DamageStage {
    let guest: LiveGuest
    /// The pid of the QEMU that runs the guest.
    private var runner: Int32

    init(_ guest: LiveGuest) throws {
        self.guest = guest
        runner = try #require(guest.canary.pid)
    }

    var files: CanaryFiles { guest.canary.files }
    var pagesVerified: Int { guest.canary.latest?.pagesVerified ?? 0 }
    private var state: String { guest.host.stateDirectory }

    func path(of subject: String) async throws -> String {
        switch subject {
        case "journal":
            // From an unfinished handoff, with a second QEMU that waits.
            _ = try await guest.startRefresh(fault: "kill-after-record:linked").result()
            return "\(state)/handoffs/\(try await unfinished()).journal"
        case "memory file", "lock": return files.memory
        case "pid": return files.pidFile
        case "state folder":
            try Files.createDirectory(state)
            return state
        default: throw MatrixUnreadable(description: "\(subject) is nothing that can be damaged")
        }
    }

    private func unfinished() async throws -> String {
        try #require(try await guest.status().first?["id"]?.string)
    }

    func falsify(_ subject: String, _ damage: FileDamage, at path: String) throws {
        switch (subject, damage) {
        case ("journal", .boot):
            let directory = try #require(try JournalDirectory.existing(state))
            let id = String(path.split(separator: "/").last?.split(separator: ".").first ?? "")
            let records = try directory.read(id).records
            unlink(path)
            var facts = records[0].facts
            facts["boot"] = "another one"
            let journal = try directory.create(id: id, state: records[0].state, facts: facts)
            for record in records.dropFirst() { try journal.append(state: record.state, facts: record.facts) }
            journal.close()
        default: throw MatrixUnreadable(description: "\(subject) cannot be \(damage)")
        }
    }

    func run(_ verb: String) async throws -> ChildProgram.Result {
        guard verb == "refresh" || verb == "plan" else { return try await guest.command(verb, "--json") }
        let result = try await guest.command(verb, "guest", files.qmp, "--json")
        if verb == "refresh", result.status == 0 { runner = try #require(guest.canary.pid) }
        return result
    }

    /// Compares pids: the memory file may have another name by now.
    func expectUntouched() throws {
        guard ProcessIdentity.current(of: runner)?.isAlive == true else {
            throw MatrixWrong(description: "pid \(runner) is gone")
        }
    }

    /// A journal that cannot be trusted is set aside; that of a later version must be settled by that version.
    func isMadeAnew(_ row: DamageTable.Row, _ damage: FileDamage) -> Bool {
        row.subject == "journal" && damage != .newer && damage != .unreadable
    }

    /// Kills the waiting QEMU whose handoff is not on record, as the report advises.
    func followRemedies() async throws {
        for pid in guest.processes where pid != runner { try await LiveGuest.kill(pid) }
    }

    func expectWhole() async throws {
        for name in try ProcFS.names(inFolder: files.directory) where name.contains(".hf-") {
            unlink("\(files.directory)/\(name)")
        }
        guard guest.processes == [runner], try await guest.isRunning else {
            throw MatrixWrong(description: "\(guest.processes) have the guest, not \(runner) alone")
        }
        let report = try await guest.startRefresh().result().report
        guard report["outcome"] == "refreshed" else { throw MatrixWrong(description: "\(report)") }
        let before = guest.canary.latest?.sequence ?? 0
        let word = try await guest.canary.report { $0.sequence > before }
        guard word.anomalies == 0 else { throw MatrixWrong(description: "\(word.anomaly)") }
    }
}
