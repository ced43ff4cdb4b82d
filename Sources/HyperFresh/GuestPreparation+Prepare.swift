import Guests
import Linux
import QMP

extension GuestPreparation {
    static func prepare(_ request: RefreshRequest, host: Host) async throws(HyperFreshError) -> GuestPreparation {
        do {
            let process = try await GuestDiscovery.find(request.guest)
            let client = try await QMPClient.connect(path: process.monitors[0].path)
            let description = try await GuestDescription.describe(client, identity: process.identity)
            let path = request.target ?? process.executable?.path ?? ""
            let v = client.greeting.version
            let target = QEMUBinary(path: path, version: .init(v.major, v.minor))
            let facts = LaunchFacts(binary: target, machineType: description.machineType, workingDirectory: process.workingDirectory ?? "/", environment: try ProcFS.environment(process.identity.pid), qmpSocket: process.monitors[0].lastingPath)
            let id = String((0..<8).map { _ in "0123456789abcdef".randomElement() ?? "0" })
            let plan = try LaunchPlan.make(commandLine: process.commandLine!, facts: facts, target: target, handoffID: id)
            let memoryFile = description.memory.first?.mapping?.path ?? ""
            let lock = try GuestLock(memoryFile: memoryFile)!
            let old = OldQEMU(process: process, handle: try ProcessHandle(process.identity), client: client, description: description)
            return GuestPreparation(process: process, target: path, findings: [], oldSide: SideReport(pid: process.identity.pid, version: "\(v)", binary: path, qmp: process.monitors[0].path), ready: Ready(old: old, plan: plan, handoffID: id, memoryFile: memoryFile, target: target, lock: lock), plan: plan)
        } catch { throw HyperFreshError("preparation", because: error) }
    }
}
