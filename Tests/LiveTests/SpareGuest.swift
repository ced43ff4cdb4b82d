import CanaryTesting
import Glibc
import HyperFresh
import Linux
import QMP
import Synchronization
import Testing

/// A guest that a test left sound and on its first binary, paused until the next test that needs no other.
///
/// It has a disk, a second monitor, and a slot for one more device. To boot a guest takes longer than most tests do.
struct SpareGuest: SuiteTrait, TestScoping {
    static let name = "spare-\(getpid())"

    /// Where the guest of this run of the suite waits.
    @TaskLocal private static var slot: Slot?

    private final class Slot: Sendable {
        let guest = Mutex<LiveGuest?>(nil)

        func exchange(_ next: LiveGuest?) -> LiveGuest? {
            guest.withLock { guest in
                defer { guest = next }
                return guest
            }
        }
    }

    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        let slot = Slot()
        defer { slot.exchange(nil)?.canary.end() }
        try await Self.$slot.withValue(slot) { try await function() }
    }

    /// The guest that waits, running again; `nil` when there is none.
    static func take() async throws -> LiveGuest? {
        guard let guest = slot?.exchange(nil) else { return nil }
        do {
            try await guest.ask(Cont())
        } catch {
            guest.canary.end()
            throw error
        }
        return guest
    }

    /// Keeps a guest if another test can have it; ends it if not.
    static func keep(_ guest: LiveGuest) async {
        guard let slot, (try? await guest.isAsBooted) == true, (try? await guest.ask(Stop())) != nil,
            (try? await guest.removeTraces()) != nil
        else {
            guest.canary.end()
            return
        }
        slot.exchange(guest)?.canary.end()
    }
}

extension Trait where Self == SpareGuest {
    /// Tests of the suite that call ``LiveGuest/borrow(_:)`` may get a guest that another one has used.
    static var spareGuest: Self { SpareGuest() }
}

extension LiveGuest {
    /// Has a body use a running guest as ``SpareGuest`` says: one that an earlier test left sound, else a new one.
    static func borrow(_ body: (LiveGuest) async throws -> Void) async throws {
        let guest: LiveGuest =
            if let spare = try await SpareGuest.take() { spare } else { try await boot(SpareGuest.name, spareOptions) }
        do {
            try await body(guest)
        } catch {
            guest.canary.end()
            throw error
        }
        await SpareGuest.keep(guest)
    }

    private static func spareOptions(_ files: CanaryFiles) -> CanaryGuest.Options {
        var options = CanaryGuest.Options.withDisk
        options.arguments = secondMonitor(in: files) + ["-device", "pcie-root-port,id=slot1,chassis=1"]
        return options
    }

    /// Whether the guest runs on one QEMU, of the binary that it was booted with, and has found nothing wrong.
    fileprivate var isAsBooted: Bool {
        get async throws {
            guard let pid = canary.pid, processes == [pid], canary.latest?.anomalies == 0 else { return false }
            guard try ProcFS.commandLine(pid).first == CanaryGuest.Options.withDisk.binary else { return false }
            return try await isRunning
        }
    }

    /// Leaves nothing of one test to the next.
    fileprivate func removeTraces() async throws {
        let removal = try await ChildProgram.run("rm", ["-rf", host.stateDirectory, tools])
        try #require(removal.ending == .exited(0), "\(removal)")
        try Files.createDirectory(tools, mode: 0o700)
    }
}
