import CanaryTesting
import Glibc
import HyperFresh
import Linux
import QMP
import Testing

/// All suites that start QEMU, run serially because two emulated guests on few cores disturb each other.
///
/// Also what these tests need, and how to install it.
@Suite(.serialized, .spareGuest)
enum Live {
    static let qemu7 = "/usr/bin/qemu-system-x86_64"

    static var cache: String {
        getenv("HYPERFRESH_CACHE").map { String(cString: $0) } ?? "\(packageRoot)/.cache"
    }

    static var qemu10: String { "\(cache)/qemu-10.0/qemu-system-x86_64" }

    static var packageRoot: String {
        let parts = #filePath.split(separator: "/")
        return "/" + parts.dropLast(3).joined(separator: "/")
    }

    /// The command that `swift build` has just built.
    static var command: String { "\(packageRoot)/.build/debug/hyperfresh" }

    /// The folder where a whole run of the matrices stores its results, and continues from existing ones.
    static let matrixFolder = getenv("HYPERFRESH_MATRIX").map { String(cString: $0) }
    /// Whether to run everything.
    static let isWhole = matrixFolder != nil

    static let isReady = Files.exists(qemu7) && (try? CanaryArtifacts(cache: cache)) != nil
    static let hasSecondQEMU = isReady && Files.exists(qemu10)
    static let howToGetReady: Comment =
        "needs QEMU and the canary: scripts/setup, scripts/fetch-qemu, scripts/build-canary"
}

/// A canary with its own state folder, ended at the end of the test in any case.
struct LiveGuest {
    let canary: CanaryGuest
    let host: Host
    /// The names in the guest's folder before the first refresh.
    private let initialNames: Set<String>

    /// A folder for the test's own files; it is not searched for leftovers.
    var tools: String { "\(canary.files.directory)/tools" }

    static func run(
        _ name: String, options: CanaryGuest.Options = .init(), _ body: (LiveGuest) async throws -> Void
    ) async throws {
        let guest = try await boot(name) { _ in options }
        do {
            try await body(guest)
        } catch {
            guest.canary.end()
            throw error
        }
        guest.canary.end()
    }

    /// Boots a guest, which the caller must end.
    static func boot(_ name: String, _ options: (CanaryFiles) throws -> CanaryGuest.Options) async throws -> LiveGuest {
        let files = try CanaryFiles(name: name)
        var options = try options(files)
        options.name = name
        return try LiveGuest(
            await CanaryGuest.boot(options, artifacts: CanaryArtifacts(cache: Live.cache), files: files))
    }

    private init(_ canary: CanaryGuest) throws {
        self.canary = canary
        host = Host(stateDirectory: "\(canary.files.directory)/state")
        initialNames = Set(try ProcFS.names(inFolder: canary.files.directory)).union(["state", "tools"])
        try Files.createDirectory(tools, mode: 0o700)
    }

    /// Refreshes in this process.
    func refresh(
        to target: String? = nil, _ change: (inout RefreshRequest) -> Void = { _ in }
    ) async throws -> HandoffReport {
        var request = RefreshRequest(guest: canary.files.qmp, target: target)
        change(&request)
        return await host.refresh(request).report()
    }

    /// Sends a command to the QEMU at the guest's lasting socket.
    func ask<C: QMPCommand>(_ command: C) async throws -> C.Reply {
        let client = try await QMPClient.connect(path: canary.files.qmp)
        defer { client.close() }
        return try await client.execute(command)
    }

    var isRunning: Bool { get async throws { try await ask(QueryStatus()).isRunning } }
}

extension CanaryGuest.Options {
    /// With a virtio disk of 64 MiB: its image lock distinguishes two QEMUs, and the canary's records reveal lost
    /// writes.
    static var withDisk: CanaryGuest.Options {
        var options = CanaryGuest.Options()
        options.disks = [.init(mebibytes: 64)]
        return options
    }
}

// MARK: - Where the guest is, and leftovers

extension LiveGuest {
    /// The QEMU processes that map the guest's memory.
    var processes: [Int32] { Self.processes(mapping: canary.files.memory) }

    static func processes(mapping memory: String) -> [Int32] {
        ((try? ProcFS.processes()) ?? []).filter { pid in
            (try? ProcFS.mappings(pid))?.contains { $0.path == memory } == true
        }
    }

    /// Checks that exactly one process has the guest, the pid file names it, the canary is undamaged, and nothing
    /// temporary is left.
    func expectSoundOnOneSide(pid: Int32? = nil, _ comment: Comment? = nil) async throws {
        try expectNothingLeft(pid: pid, comment)
        #expect(canary.pid == processes.first, comment)
        _ = try await canary.proveAlive()
    }

    /// As ``expectSoundOnOneSide(pid:_:)``, but with a single report of the canary, for frequent use.
    func expectRunsOnOneSide(pid: Int32? = nil, _ comment: Comment? = nil) async throws {
        try expectNothingLeft(pid: pid, comment)
        #expect(canary.pid == processes.first, comment)
        let before = canary.latest?.sequence ?? 0
        let report = try await canary.report { $0.sequence > before }
        #expect(report.anomalies == 0, "\(report.anomaly)")
    }

    /// Checks that nothing new is left: no process but the guest's QEMU, no file, no socket, no memory.
    func expectNothingLeft(pid: Int32? = nil, _ comment: Comment? = nil) throws {
        let files = canary.files
        #expect(processes == [pid ?? canary.pid].compactMap(\.self), comment)
        #expect(processesNamingUs == processes, comment)
        let names = Set(try ProcFS.names(inFolder: files.directory))
        #expect(names.subtracting(initialNames) == [], comment)
        #expect(initialNames.subtracting(names).subtracting(["state"]) == [], comment)
        let logs = (try? ProcFS.names(inFolder: "\(files.directory)/state/logs")) ?? []
        #expect(logs == [], comment)
        let memory = try ProcFS.names(inFolder: "/dev/shm").filter {
            files.memory.hasSuffix("/\($0)") || $0.contains(files.unique)
        }
        #expect(memory.count == 1, comment)
        // One listener for each socket, whatever name it was bound to.
        let listening = try ProcFS.unixSockets().filter(\.isListening).compactMap(\.path).filter {
            $0.contains(files.unique)
        }
        #expect(Set(listening.map(Self.lasting)).count == listening.count, comment)
    }

    /// Returns the number of descriptors of the guest's QEMU; connections just closed get a moment to disappear.
    func descriptorCount() async throws -> Int {
        var least = Int.max
        for _ in 0..<6 {
            if let pid = canary.pid { least = min(least, try ProcFS.descriptors(pid).count) }
            try await Task.sleep(for: .milliseconds(30))
        }
        return least
    }

    /// Processes whose command line mentions the guest's folder.
    private var processesNamingUs: [Int32] {
        ((try? ProcFS.processes()) ?? []).filter { pid in
            (try? ProcFS.commandLine(pid))?.contains { $0.contains(canary.files.directory) } == true
        }
    }

    /// Returns the path without the suffix `.hf-XXXXXXXX`.
    private static func lasting(_ path: String) -> String {
        let parts = path.split(separator: ".", omittingEmptySubsequences: false)
        guard let last = parts.last, last.hasPrefix("hf-"), last.count == 11 else { return path }
        return parts.dropLast().joined(separator: ".")
    }
}
