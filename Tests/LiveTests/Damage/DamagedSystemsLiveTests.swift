import CanaryTesting
import Glibc
import JSON
import Journal
import Linux
import Testing

extension Live {
    /// Records of OS VMs are damaged while a container runs in one of them.
    ///
    /// docs/recovery.md gives the exit status of each verb.
    @Suite(.enabled(if: Live.isWhole && Live.hasBundles, "is part of scripts/test --matrix"))
    struct DamagedSystemsLiveTests {
        @Test func noDamageEndsAContainerAndRecoverSettlesIt() async throws {
            let table = try DamageTable(
                document: Live.recoveryDocument, heading: "## Every record damaged, of OS VMs")
            var report = try DamageReport(mark: "DamagedSystems")
            let canary = try ContainerStack.canary()
            try await ContainerStack.run("damaged", containers: [canary]) { stack in
                try await stack.proveAlive(canary)
                try await report.run(table.cells(in: [])) { row, damage in
                    await DamageTrial(stage: try await DamagedSystems(stack, canary), row: row, damage: damage).play()
                }
                let moved = try await stack.relocate(canary.name, to: "delta")
                #expect(moved["outcome"] == "refreshed", "\(moved)")
                try await stack.proveAlive(canary)
            }
        }
    }
}

/// Two OS VMs, the first with a container, as they were before the damage.
private struct DamagedSystems: DamageStage {
    let stack: ContainerStack
    let canary: ContainerStack.Container
    let instance: (id: String, pid: Int32)
    private let processes: [Int32]

    init(_ stack: ContainerStack, _ canary: ContainerStack.Container) async throws {
        self.stack = stack
        self.canary = canary
        instance = try #require(try await stack.instances(of: "gamma").first)
        processes = stack.processes
    }

    var files: CanaryFiles { stack.files }
    var pagesVerified: Int { 0 }

    func path(of subject: String) throws -> String {
        let folder = "\(stack.state)/hypervisors"
        return switch subject {
        case "placement.json of gamma": "\(folder)/gamma/placement.json"
        case "placement.json of delta": "\(folder)/delta/placement.json"
        case "instance.json of gamma": "\(folder)/gamma/\(instance.id)/instance.json"
        case "stack": "\(stack.state)/stacks/\(stack.name)"
        case "image store": "\(stack.memoryFolder)/\(canary.name).store"
        case "instance folder of gamma": "\(folder)/gamma/\(instance.id)"
        default: throw MatrixUnreadable(description: "\(subject) is nothing that can be damaged")
        }
    }

    /// Writes an earlier placement, without the container.
    func falsify(_ subject: String, _ damage: FileDamage, at path: String) throws {
        guard subject == "placement.json of gamma", damage == .stale else {
            throw MatrixUnreadable(description: "\(subject) cannot be \(damage)")
        }
        try RecordFile(path, subject: "placement gamma").write(["guests": [:]])
    }

    func run(_ verb: String) async throws -> ChildProgram.Result {
        switch verb {
        case "ps": try await stack.command("ps", "--json")
        case "up": try await stack.command("up", stack.file, within: .seconds(200))
        case "relocate": try await stack.startRelocation(of: canary.name, to: "delta").result(within: .seconds(200))
        case "refresh": try await stack.command("refresh", "os", "gamma", within: .seconds(300))
        case "down": try await stack.command("down", stack.name, within: .seconds(120))
        default: try await stack.command(verb, within: .seconds(120))
        }
    }

    func isMadeAnew(_ row: DamageTable.Row, _ damage: FileDamage) -> Bool {
        row.verbs.last?.status == 0 && row.subject != "image store"
    }

    func expectUntouched() throws {
        guard stack.processes == processes else {
            throw MatrixWrong(description: "\(stack.processes) run instead of \(processes)")
        }
    }

    func expectWhole() async throws {
        let whereabouts = try await stack.whereabouts(canary.name)
        guard whereabouts == .init("gamma", "running") else { throw MatrixWrong(description: "\(whereabouts)") }
        guard try await stack.look("gamma")["problems"]?.array?.isEmpty == true else {
            throw MatrixWrong(description: "not whole: \(try await stack.look("gamma"))")
        }
        try await stack.expectOnce(canary.name)
        try await stack.proveAlive(canary)
    }
}
