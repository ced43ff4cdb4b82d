import Glibc
import Guests
import JSON
import Linux
import QMP
import Testing

/// A planned QEMU that takes over a guest by the bare command sequence, without the controller.
///
/// It shows whether QEMU accepts a guest's state on a command line that was read back.
struct Handover {
    let handle: ProcessHandle
    let client: QMPClient
    let plan: LaunchPlan

    /// Starts the planned QEMU next to the old one.
    static func start(_ plan: LaunchPlan, old: RealQEMU) async throws -> Handover {
        let oldHandle = old.handle
        var request = SpawnRequest(
            executable: plan.executable, arguments: plan.arguments, environment: plan.environment)
        request.workingDirectory = plan.workingDirectory
        var kept: [Int32] = []
        defer { for number in kept { close(number) } }
        for descriptor in plan.descriptors {
            switch descriptor.source {
            case .oldProcess(let number): kept.append(try oldHandle.descriptor(number).release())
            case .vhostNet: kept.append(try Descriptor.open("/dev/vhost-net", flags: O_RDWR).release())
            }
            request.descriptors.append(.init(source: kept[kept.count - 1], number: descriptor.number))
        }
        let log = old.folder.file("stderr-new")
        let errors = try Descriptor.open(log, flags: O_WRONLY | O_CREAT | O_TRUNC)
        request.descriptors.append(.init(source: errors.number, number: 2))
        let handle = try ProcessHandle(try spawn(request))
        for _ in 0..<2000 where !handle.hasExited {
            if let client = try? await QMPClient.connect(path: plan.qmpSocket, greetingDeadline: .seconds(10)) {
                return Handover(handle: handle, client: client, plan: plan)
            }
            usleep(5000)
        }
        let said = String(decoding: try Files.readAll(log), as: UTF8.self)
        throw Refused(reason: "the planned QEMU did not start: \(said)\n\(plan.arguments.joined(separator: " "))")
    }

    struct Refused: Error {
        let reason: String
    }

    /// Hands the guest over and resumes it on the new side.
    func take(from old: RealQEMU, _ oldClient: QMPClient) async throws {
        let socket = old.folder.file("migration")
        for client in [oldClient, client] {
            let known = try await client.execute(QueryMigrateCapabilities())
            let wanted = ["events", "x-ignore-shared", "return-path", "late-block-activate"].filter { known[$0] != nil }
            try await client.execute(
                MigrateSetCapabilities(Dictionary(uniqueKeysWithValues: wanted.map { ($0, true) })))
        }
        let runs = try await oldClient.execute(QueryStatus()).isRunning
        try await client.execute(MigrateIncoming(uri: "unix:\(socket)"))
        try await oldClient.execute(Migrate(uri: "unix:\(socket)"))
        for side in [oldClient, client] {
            var status: MigrationStatus?
            for _ in 0..<2000 where status?.isFinal != true {
                status = try? await side.execute(QueryMigrate()).status
                if handle.hasExited { break }
                usleep(2000)
            }
            if status != .completed {
                let said = String(decoding: try Files.readAll(old.folder.file("stderr-new")), as: UTF8.self)
                throw Refused(reason: "the state was not accepted (\(status?.rawValue ?? "?")): \(said)")
            }
        }
        guard runs else { return }
        try old.handle.signal(SIGKILL)
        try await client.execute(Cont())
        #expect(try await client.execute(QueryStatus()).isRunning)
    }

    func end() {
        client.close()
        try? handle.signal(SIGKILL)
        while !handle.hasExited { usleep(1000) }
    }
}
