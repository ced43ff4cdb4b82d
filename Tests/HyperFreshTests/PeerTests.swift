import Glibc
import Linux
import QMPTesting
import TestTools
import Testing

@testable import HyperFresh
import VirtualMachines

/// The peer of a hypervisor's monitor must be the QEMU on record.
@Suite struct PeerTests {
    /// Returns the reason why the hypervisor on record cannot be reached; nil if it can.
    private func refusal(_ process: ProcessIdentity, in folder: InstanceFolder) async -> String? {
        var record = Sample.record("1f3c")
        record.process = process
        do throws(HypervisorError) {
            try await Hypervisor.reach(record, in: folder).close()
            return nil
        } catch {
            return error.message
        }
    }

    @Test func anotherProcessAtTheMonitorIsNotTheHypervisor() async throws {
        let scratch = ScratchFolder()
        let folder = InstanceFolder(scratch.path)
        let agent = try UnixListener(path: folder.agentSocket)
        let server = try ScriptedServer([.greet(), .negotiate, .serve([:])])
        #expect(symlink(server.path, folder.qmpSocket) == 0)
        let other = try ProcessHandle(try spawn(SpawnRequest(executable: "/bin/sleep", arguments: ["sleep", "60"])))
        defer { try? other.signal(SIGKILL) }
        #expect(await refusal(other.identity, in: folder)?.contains("not to VM") == true)
        // The server runs in this process, so this is the expected peer.
        let ours = try #require(ProcessIdentity.current(of: getpid()))
        #expect(await refusal(ours, in: folder) == nil)
        withExtendedLifetime((agent, server)) {}
    }

    @Test func aPidThatWasGivenAgainIsNobody() async throws {
        let scratch = ScratchFolder()
        let reused = ProcessIdentity(pid: getpid(), startTime: 1)
        #expect(await refusal(reused, in: InstanceFolder(scratch.path)) != nil)
    }
}
