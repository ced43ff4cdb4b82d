import CanaryTesting
import Glibc
import Handoff
import Journal
import Linux
import TestTools
import Testing

@testable import HyperFresh

/// What recovery must prove before it kills a process of this host or reports a loss.
@Suite(.timeLimit(.minutes(1))) struct ProcessSideTests {
    private static let id = "0badcafe"

    private static func identity(_ child: ChildProgram) throws -> ProcessIdentity {
        try #require(ProcessIdentity.current(of: child.pid))
    }

    private static func side(_ child: ChildProgram, _ proof: ProcessSide.Proof) throws -> ProcessSide {
        ProcessSide(
            identity: try identity(child), endpoint: "/none", client: nil, observation: .silent, proof: proof)
    }

    @Test func aNumberAloneEndsNobody() async throws {
        let bystander = try ChildProgram("sleep", ["60"])
        let memory = GuestMemory(path: "/dev/shm/none-\(getpid())", files: [FileIdentity(device: 1, inode: 2)])
        for proof in [ProcessSide.Proof.maps(memory), .startedBy(Self.id)] {
            let side = try Self.side(bystander, proof)
            let error = await #expect(throws: HyperFreshError.self) { try await side.end() }
            #expect(error?.exitCode == 6)
            #expect(error?.message.contains("pid \(bystander.pid)") == true, "\(String(describing: error))")
        }
        #expect(!bystander.hasEnded)
    }

    @Test func whoOnlyNamesAFileOfTheHandoffIsNotItsQEMU() async throws {
        let reader = try ChildProgram("tail", ["-f", "/dev/null", "/tmp/qmp.sock.hf-\(Self.id)"])
        let side = try Self.side(reader, .startedBy(Self.id))
        await #expect(throws: HyperFreshError.self) { try await side.end() }
        #expect(!reader.hasEnded)
        #expect(try HandoffRecovery.process(startedBy: Self.id) == nil)
    }

    @Test func whatTheHandoffStartedIsEnded() async throws {
        let new = try ChildProgram(
            "bash", ["-c", "sleep 60; true", "qemu", "-qmp", "unix:/tmp/qmp.sock.hf-\(Self.id)", "-incoming", "defer"])
        let side = try Self.side(new, .startedBy(Self.id))
        try await side.end()
        #expect(try await new.result().ending == .killed(by: SIGKILL))
    }

    @Test func whatEndsByItselfNeedsNoProof() async throws {
        let child = try ChildProgram("sleep", ["0.3"])
        let side = try Self.side(child, .startedBy(Self.id))
        try await side.end()
    }

    // MARK: - Records

    /// Recovers from the record of a handoff whose old QEMU is a sleeping process.
    private func recover(
        _ sleeper: ChildProgram, boot: String?, state: HandoffState
    ) async throws -> HandoffRecovery.Conclusion {
        let scratch = ScratchFolder()
        let facts = HostGuestFacts(
            guest: "web", old: try Self.identity(sleeper), oldVersion: nil, oldBinary: "/q", oldQMP: "/none/a",
            memoryFile: "/dev/shm/none-\(getpid())", memory: [FileIdentity(device: 1, inode: 2)], boot: boot,
            targetBinary: "/q", targetVersion: nil, newQMP: "/none/a.hf-\(Self.id)", endpoints: [], followUps: [],
            isRehearsal: false)
        try write(facts, state: state, in: scratch.path)
        let entry = try #require(try HandoffEntry.all(in: scratch.path).first)
        defer { withExtendedLifetime(scratch) {} }
        return await entry.recover()
    }

    private func write(_ facts: HostGuestFacts, state: HandoffState, in folder: String) throws {
        let writer = try JournalDirectory(folder).create(id: Self.id, facts: facts.json)
        try writer.append(state: state.rawValue)
        writer.close()
    }

    @Test func aProcessOfAnotherBootIsNobody() async throws {
        let sleeper = try ChildProgram("sleep", ["60"])
        for state in [HandoffState.linked, .switching, .committed, .running] {
            let conclusion = try await recover(sleeper, boot: "another", state: state)
            #expect(conclusion.outcome == .lost, "\(state): \(conclusion)")
        }
        #expect(!sleeper.hasEnded)
    }

    @Test func aProcessOfThisBootThatHasNotTheMemoryIsLeftAlone() async throws {
        let sleeper = try ChildProgram("sleep", ["60"])
        for boot in [try ProcFS.bootID(), nil] {
            let conclusion = try await recover(sleeper, boot: boot, state: .running)
            #expect(conclusion.outcome == .unknown, "\(conclusion)")
            #expect(conclusion.summary.contains("not proven"), "\(conclusion)")
            #expect(conclusion.final == nil)
        }
        #expect(!sleeper.hasEnded)
    }
}
