import CanaryTesting
import Glibc
import JSON
import Journal
import Linux
import Testing

extension Live {
    /// Records of a hypervisor are damaged while its guest runs.
    ///
    /// Nothing is killed, no success is reported, and `recover` recreates them from what runs. docs/recovery.md gives
    /// the exit status of each verb.
    @Suite(.enabled(if: Live.hasHypervisorImages, Live.howToGetImages))
    struct DamagedHypervisorsLiveTests {
        private static let guest = NestedStack.Guest(name: "g1", pace: "500", hasDisk: true)
        private static let heading = "## Every record damaged, of hypervisors"

        /// The damages that `scripts/test` always tries; the first two once killed all guests, or left them without a
        /// controller.
        private static let slice: [(subject: String, damage: FileDamage)] = [
            ("placement.json", .torn), ("instance.json", .torn), ("placement.json", .missing), ("stack", .garbage),
            ("instance folder", .missing),
        ]

        /// One stack for all: booting a hypervisor takes longer than the tests.
        @Test(.enabled(if: geteuid() == 0, "needs root, to give files to others"))
        func noDamageEndsAGuestAndRecoverSettlesIt() async throws {
            let table = try DamageTable(document: Live.recoveryDocument, heading: Self.heading)
            var report = try DamageReport(mark: "DamagedHypervisors")
            try await NestedStack.run("damaged", guests: [Self.guest]) { stack in
                try await stack.proveAlive(Self.guest.name)
                try await report.run(table.cells(in: Self.slice)) { row, damage in
                    let stage = try await DamagedHypervisor(stack, guest: Self.guest.name)
                    return await DamageTrial(stage: stage, row: row, damage: damage).play()
                }
                for isForced in Live.isWhole ? [false, true] : [true] {
                    try await anInstanceThatDoesNotAnswerIsEndedOnlyByForce(stack, isForced: isForced)
                }
                try await aDamagedJournalEndsNobody(stack)
            }
        }

        /// An instance that stops answering after its guest has moved may have other guests: it is not ended until it
        /// answers or the user forces it.
        private func anInstanceThatDoesNotAnswerIsEndedOnlyByForce(
            _ stack: NestedStack, isForced: Bool
        ) async throws {
            let old = try #require(try await stack.instances().first)
            let refresh = try stack.startRefresh(fault: "stop-after-action:settle")
            try await refresh.waitUntilStopped(within: .seconds(300))
            kill(old.pid, SIGSTOP)
            refresh.signal(SIGCONT)
            let report = try await refresh.result(within: .seconds(120)).report
            #expect(report["exit_code"] == 6, "\(report)")
            #expect("\(report)".contains("recover --force alpha-\(old.id)"), "\(report)")
            let recovery = try await stack.command("recover", within: .seconds(120))
            #expect(recovery.ending == .exited(6), "\(recovery)")
            #expect(recovery.output.contains("recover --force alpha-\(old.id)"), "\(recovery)")
            #expect(stack.processes.count == 2 && stack.processes.contains(old.pid))
            try await stack.proveAlive(Self.guest.name)
            if !isForced { kill(old.pid, SIGCONT) }
            let words = ["recover"] + (isForced ? ["--force", "alpha-\(old.id)"] : [])
            let end = try await stack.start(words).result(within: .seconds(120))
            #expect(end.ending == .exited(0), "\(end)")
            #expect(stack.processes.count == 1 && !stack.processes.contains(old.pid))
            try await stack.proveAlive(Self.guest.name)
        }

        /// The journal of a handoff whose controller was killed is damaged: nothing is killed because of it.
        private func aDamagedJournalEndsNobody(_ stack: NestedStack) async throws {
            let old = try #require(try await stack.instances().first)
            let refresh = try stack.startRefresh(fault: "kill-after-record:linked")
            #expect(try await refresh.result(within: .seconds(300)).ending == .killed(by: SIGKILL))
            let new = try #require(try await stack.instances().last)
            let unfinished = try await stack.command("status", "--json")
            let id = try #require(try unfinished.document["items"]?.array?.first?["id"]?.string, "\(unfinished)")
            let path = "\(stack.state)/handoffs/\(id).journal"
            var bytes = try Files.readAll(path)
            // In the second record: the first one stays readable.
            let second = try #require(bytes.firstIndex(of: UInt8(ascii: "\n"))) + 40
            bytes[second] ^= 1
            try Files.replaceAtomically(path, bytes: bytes)
            for verb in [["refresh", "hypervisor", NestedStack.hypervisor], ["up", stack.file]] {
                let refused = try await stack.start(verb).result(within: .seconds(60))
                #expect(refused.ending == .exited(3), "\(refused)")
            }
            let recovery = try await stack.command("recover", within: .seconds(120))
            #expect(recovery.ending == .exited(6), "\(recovery)")
            #expect(recovery.output.contains("recover --force alpha-\(new.id)"), "\(recovery)")
            #expect(Set(stack.processes) == [old.pid, new.pid])
            try await stack.proveAlive(Self.guest.name)
            let forced = try await stack.command("recover", "--force", "alpha-\(new.id)", within: .seconds(120))
            #expect(forced.ending == .exited(0), "\(forced)")
            #expect(stack.processes == [old.pid])
            try await stack.proveAlive(Self.guest.name)
            guard Live.isWhole else { return }
            let report = try await stack.refresh()
            #expect(report["outcome"] == "refreshed", "\(report)")
            try await stack.proveAlive(Self.guest.name)
        }

        /// `down` acts on what runs: it takes everything down even though a record is damaged.
        @Test(.enabled(if: Live.isWhole, "is part of scripts/test --matrix"))
        func downNeedsNoRecordOfWhatRuns() async throws {
            let table = try DamageTable(document: Live.recoveryDocument, heading: "## Down, with a record damaged")
            var report = try DamageReport(mark: "DamagedDown")
            try await report.run(table.cells(in: [])) { row, damage in
                let stack = NestedStack(
                    files: try CanaryFiles(name: "down"), guests: [Self.guest], bridge: nil)
                var cell = DamageReport.Cell(subject: row.subject, damage: damage)
                do {
                    try stack.write()
                    try await stack.up()
                    let stage = try await DamagedHypervisor(stack, guest: Self.guest.name)
                    let path = try stage.path(of: row.subject)
                    try damage.inflict(on: path, keeping: stage.aside(for: path))
                    let result = try await stage.run("down")
                    cell.statuses.append(("down", result.status ?? -1))
                    if result.status != row.verbs[0].status { throw MatrixWrong(description: "\(result)") }
                    unlink(stage.aside(for: path))
                    stack.expectNothingLeft()
                } catch {
                    cell.problem = "\(error)"
                }
                for pid in stack.processes { kill(pid, SIGKILL) }
                _ = try await ChildProgram.run("rm", ["-rf", stack.memoryFolder, stack.files.directory])
                return cell
            }
        }

        /// A process that is not on record has a guest's memory file: nothing is started next to it, and nothing is
        /// removed.
        @Test func aStrangerWithAGuestsMemoryIsNamedAndKept() async throws {
            let files = try CanaryFiles(name: "stranger")
            let stack = NestedStack(files: files, guests: [Self.guest], bridge: nil)
            try Files.createDirectory(stack.memoryFolder)
            try stack.write()
            let memory = "\(stack.memoryFolder)/g1.ram"
            try Files.replaceAtomically(memory, bytes: [1, 2, 3])
            let holder = try ChildProgram("/bin/sh", ["-c", "exec sleep 300 3<>\(memory)"])
            let refused = try await stack.command("up", stack.file)
            #expect(refused.ending == .exited(3), "\(refused)")
            #expect("\(refused)".contains("pid \(holder.pid)"), "\(refused)")
            #expect(!"\(refused)".contains("rm "), "\(refused)")
            #expect(stack.processes.filter { $0 != holder.pid } == [])
            holder.signal(SIGKILL)
            _ = try await holder.result(within: .seconds(10))
            // No process uses it any more: it is still not removed automatically, but the report says how.
            let again = try await stack.command("up", stack.file, within: .seconds(200))
            #expect("\(again)".contains("rm \(memory)"), "\(again)")
            #expect(try Files.readAll(memory) == [1, 2, 3])
            #expect(stack.processes == [])
            _ = try await ChildProgram.run("rm", ["-rf", stack.memoryFolder, files.directory])
        }
    }
}

/// A hypervisor with one guest, as it was before the damage.
private struct DamagedHypervisor: DamageStage {
    let stack: NestedStack
    let guest: String
    let instance: (id: String, pid: Int32)

    init(_ stack: NestedStack, guest: String) async throws {
        self.stack = stack
        self.guest = guest
        instance = try #require(try await stack.instances().first)
    }

    var files: CanaryFiles { stack.files }
    var pagesVerified: Int { stack.report(guest)?.pagesVerified ?? 0 }

    func path(of subject: String) throws -> String {
        let folder = "\(stack.state)/hypervisors/\(NestedStack.hypervisor)"
        return switch subject {
        case "placement.json", "lock": "\(folder)/\(subject)"
        case "copy of the stack": "\(folder)/stack"
        case "instance.json", "pid": "\(folder)/\(instance.id)/\(subject)"
        case "stack":
            try #require(
                try ProcFS.names(inFolder: "\(stack.state)/stacks").first.map { "\(stack.state)/stacks/\($0)" })
        case "memory file": "\(stack.memoryFolder)/\(guest).ram"
        case "instance folder": "\(folder)/\(instance.id)"
        case "hypervisor folder": folder
        case "state folder": stack.state
        default: throw MatrixUnreadable(description: "\(subject) is nothing that can be damaged")
        }
    }

    /// Writes an earlier placement, or the record of another process.
    func falsify(_ subject: String, _ damage: FileDamage, at path: String) throws {
        switch (subject, damage) {
        case ("placement.json", .stale):
            try RecordFile(path, subject: "placement \(NestedStack.hypervisor)").write(["guests": [:]])
        case ("instance.json", .stale):
            let file = RecordFile(path, subject: "instance \(NestedStack.hypervisor)-\(instance.id)")
            var members = try #require(file.read().shown)
            members["process"] = ["pid": 1, "start": 1]
            try file.write(members)
        default: throw MatrixUnreadable(description: "\(subject) cannot be \(damage)")
        }
    }

    func run(_ verb: String) async throws -> ChildProgram.Result {
        switch verb {
        case "ps":
            let result = try await stack.command("ps", "--json")
            // It shows the running instance, whatever is on record.
            if result.status == 3, result.output.contains("pid \(instance.pid)") { return result }
            guard try result.document["items"]?.array?.first?["instances"]?.array?.count == 1 else {
                throw MatrixWrong(description: "ps does not show what runs: \(result)")
            }
            return result
        case "up": return try await stack.start(["up", stack.file]).result(within: .seconds(120))
        case "refresh": return try await stack.startRefresh().result(within: .seconds(300))
        case "down": return try await stack.command("down", stack.name, within: .seconds(120))
        default: return try await stack.command(verb, within: .seconds(120))
        }
    }

    func isMadeAnew(_ row: DamageTable.Row, _ damage: FileDamage) -> Bool {
        row.verbs.last?.status == 0 && !["pid", "memory file"].contains(row.subject)
    }

    func expectUntouched() throws {
        guard stack.processes == [instance.pid] else {
            throw MatrixWrong(description: "\(stack.processes) run instead of \(instance.pid)")
        }
    }

    func expectWhole() async throws {
        let look = try await stack.look()
        guard look["problems"]?.array?.isEmpty == true, look["guests"]?.array?.first?["state"] == "running",
            look["guests"]?.array?.first?["instance"]?.string == instance.id
        else { throw MatrixWrong(description: "not whole: \(look)") }
        try await stack.proveAlive(guest)
    }
}
