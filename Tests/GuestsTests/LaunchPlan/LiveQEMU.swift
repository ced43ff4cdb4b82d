import Foundation
import Glibc
import Guests
import JSON
import Linux
@testable import QEMUCommandLine
import QMP

/// A real QEMU for a test, with its own folder; killed and cleaned up with the folder.
final class LiveQEMU {
    /// The installed binary.
    static let installed = QEMUBinary(path: "/usr/bin/qemu-system-x86_64", version: .init(7, 2))
    static let other = QEMUBinary(
        path: "\(cache)/qemu-10.0/qemu-system-x86_64",
        version: .init(10, 0)
    )

    private static var cache: String {
        if let cache = ProcessInfo.processInfo.environment["HYPERFRESH_CACHE"] { return cache }
        return URL(fileURLWithPath: #filePath).pathComponents.dropLast(4).joined(separator: "/").dropFirst() + "/.cache"
    }

    let identity: ProcessIdentity
    let binary: QEMUBinary
    let client: QMPClient

    /// Starts a command line with these descriptors of this process, and connects to its monitor.
    init(
        _ binary: QEMUBinary,
        _ arguments: [String],
        folder: LiveFolder,
        environment: [String] = [],
        workingDirectory: String? = nil,
        descriptors: [SpawnRequest.InheritedDescriptor] = [],
        monitor: String
    ) async throws {
        let log = try Descriptor.open(folder.path + "/stderr", flags: O_RDWR | O_CREAT | O_APPEND)
        var request = SpawnRequest(executable: binary.path, arguments: arguments, environment: environment)
        request.workingDirectory = workingDirectory ?? folder.path
        request.descriptors = descriptors.filter { $0.number > 2 } + [.init(source: log.number, number: 2)]
        self.binary = binary
        let started = try spawn(request)
        do {
            client = try await LiveQEMU.connect(monitor)
        } catch {
            kill(started.pid, SIGKILL)
            let words = (try? String(contentsOfFile: folder.path + "/stderr", encoding: .utf8)) ?? ""
            throw BadFixture(reason: "QEMU does not answer at \(monitor): \(error)\n\(words)")
        }
        // With -daemonize, a grandchild answers.
        identity = ProcessIdentity.current(of: client.peer?.pid ?? started.pid) ?? started
        folder.processes.append(identity)
    }

    private static func connect(_ path: String) async throws -> QMPClient {
        // The socket exists shortly before QEMU listens, and a QEMU that cannot start exits soon.
        for _ in 0..<500 where !Files.exists(path) { try await Task.sleep(for: .milliseconds(20)) }
        for _ in 0..<50 {
            if let client = try? await QMPClient.connect(path: path) { return client }
            try await Task.sleep(for: .milliseconds(20))
        }
        return try await QMPClient.connect(path: path)
    }

    /// Returns the facts for a launch plan.
    func facts() async throws -> LaunchFacts {
        let type = try await client.execute(QOMGet(path: "/machine", property: "type")).string ?? ""
        let sets = try await client.execute(QueryFDSets()).map { set in
            FDSet(
                id: set.id,
                entries: set.descriptors.map { .init(descriptor: Int32($0.number), opaque: $0.opaque) }
            )
        }
        return LaunchFacts(
            binary: binary,
            machineType: type.hasSuffix("-machine") ? String(type.dropLast("-machine".count)) : type,
            workingDirectory: try ProcFS.workingDirectory(identity.pid),
            environment: try ProcFS.environment(identity.pid),
            descriptors: try OldDescriptor.all(of: identity.pid),
            fdSets: sets,
            vncServers: try await VNCServer.query(client)
        )
    }

    func commandLine() throws -> CommandLine {
        let folder = try ProcFS.workingDirectory(identity.pid)
        return try CommandLine(arguments: ProcFS.commandLine(identity.pid)) { path in
            try String(contentsOfFile: path.hasPrefix("/") ? path : folder + "/" + path, encoding: .utf8)
        }
    }

    /// Plans to start a binary next to it.
    func plan(to target: QEMUBinary, id: String) async throws -> LaunchPlan {
        try await LaunchPlan.make(commandLine: commandLine(), facts: facts(), target: target, handoffID: id)
    }

    /// Starts the QEMU of a plan next to it.
    func start(_ plan: LaunchPlan, _ target: QEMUBinary, folder: LiveFolder) async throws -> LiveQEMU {
        let handle = try ProcessHandle(identity)
        var pairs: [SpawnRequest.InheritedDescriptor] = []
        for descriptor in plan.descriptors {
            guard case .oldProcess(let number) = descriptor.source else { continue }
            let ours = try handle.descriptor(number).release()
            folder.descriptors.append(ours)
            pairs.append(.init(source: ours, number: descriptor.number))
        }
        return try await LiveQEMU(
            target,
            plan.arguments,
            folder: folder,
            environment: plan.environment,
            workingDirectory: plan.workingDirectory,
            descriptors: pairs,
            monitor: plan.qmpSocket
        )
    }
}

/// A folder for a test, and the processes started for it.
final class LiveFolder {
    let path: String
    var processes: [ProcessIdentity] = []
    var descriptors: [Int32] = []

    init() throws {
        path = "/tmp/launch-plan-\(UInt32.random(in: 0...UInt32.max))"
        try Files.createDirectory(path, mode: 0o755)
    }

    deinit {
        for process in processes where process.isAlive { kill(process.pid, SIGKILL) }
        for number in descriptors { close(number) }
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// An object for the arguments of a raw command.
enum JSONObject {
    static func parse(_ text: String) throws -> [String: JSONValue] {
        try JSONValue(parsing: text).object ?? [:]
    }
}
