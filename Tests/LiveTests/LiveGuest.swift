import CanaryTesting
import Glibc
import HyperFresh
import Linux
import QMP
import Testing

/// What live tests need, and what to do where it is missing.
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

    static let isReady = Files.exists(qemu7) && (try? CanaryArtifacts(cache: cache)) != nil
    static let hasSecondQEMU = isReady && Files.exists(qemu10)
    static let howToGetReady: Comment =
        "needs QEMU and the canary: scripts/setup, scripts/fetch-qemu, scripts/build-canary"
}

/// A canary with a state folder of its own, ended with the test whatever becomes of it.
struct LiveGuest {
    let canary: CanaryGuest
    let host: Host

    static func run(
        _ name: String, options: CanaryGuest.Options = .init(), _ body: (LiveGuest) async throws -> Void
    ) async throws {
        let files = try CanaryFiles(name: name)
        var options = options
        options.name = name
        let canary = try await CanaryGuest.boot(options, artifacts: CanaryArtifacts(cache: Live.cache), files: files)
        let guest = LiveGuest(canary: canary, host: Host(stateDirectory: "\(files.directory)/state"))
        do {
            try await body(guest)
        } catch {
            guest.end()
            throw error
        }
        guest.end()
    }

    private func end() { canary.end() }

    /// A refresh in this process.
    func refresh(
        to target: String? = nil, _ change: (inout RefreshRequest) -> Void = { _ in }
    ) async throws -> RefreshReport {
        var request = RefreshRequest(guest: canary.files.qmp, target: target)
        change(&request)
        return try #require(await host.refresh(request).report())
    }

    /// Asks whichever QEMU answers at the guest's lasting socket.
    func ask<C: QMPCommand>(_ command: C) async throws -> C.Reply {
        let client = try await QMPClient.connect(path: canary.files.qmp)
        defer { client.close() }
        return try await client.execute(command)
    }

    /// The QEMU processes that map the guest's memory.
    var processes: [Int32] {
        ((try? ProcFS.processes()) ?? []).filter { pid in
            (try? ProcFS.mappings(pid))?.contains { $0.path == canary.files.memory } == true
        }
    }

    /// Exactly one process has the guest, the pid file names it, the canary is sound, and nothing temporary is left.
    func expectSoundOnOneSide(pid: Int32? = nil) async throws {
        #expect(processes == [pid ?? canary.pid].compactMap(\.self))
        #expect(canary.pid == processes.first)
        _ = try await canary.proveAlive()
        let names = try ProcFS.names(inFolder: canary.files.directory)
        #expect(names.filter { $0.contains(".hf-") } == [])
    }
}
