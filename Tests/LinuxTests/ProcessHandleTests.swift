import Glibc
import TestTools
import Testing

@testable import Linux

@Suite struct ProcessHandleTests {
    private func sleeper() throws -> ProcessHandle {
        try ProcessHandle(try spawn(SpawnRequest(executable: "/bin/sleep", arguments: ["sleep", "60"])))
    }

    @Test func aDeadlineEndsTheWait() async throws {
        let process = try sleeper()
        let start = ContinuousClock.now
        #expect(await process.waitForExit(within: .milliseconds(50)) == false)
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(!process.hasExited)
        try process.signal(SIGKILL)
        #expect(await process.waitForExit(within: .seconds(5)))
        #expect(process.hasExited)
        #expect(!process.identity.isAlive)
    }

    @Test func cancellationEndsTheWait() async throws {
        let process = try sleeper()
        let waiting = Task { await process.waitForExit(within: .seconds(50)) }
        try await Task.sleep(for: .milliseconds(20))
        let start = ContinuousClock.now
        waiting.cancel()
        #expect(await waiting.value == false)
        #expect(ContinuousClock.now - start < .seconds(5))
        try process.signal(SIGKILL)
    }

    @Test func aSessionEndsWithAllItsMembers() async throws {
        let script = "sleep 60 & (sleep 60; true) & sleep 60; true"
        let leader = try ProcessHandle(try spawn(SpawnRequest(executable: "/bin/sh", arguments: ["sh", "-c", script])))
        func members() throws -> [Int32] {
            try ProcFS.processes().filter { pid in
                guard let status = try? ProcFS.status(pid) else { return false }
                return status.session == leader.identity.pid && !status.isDead
            }
        }
        // The shell, a shell below it, and three sleeping processes.
        let end = ContinuousClock.now + .seconds(20)
        while try members().count < 5, .now < end { try await Task.sleep(for: .milliseconds(10)) }
        try leader.signal(SIGKILL)
        #expect(await leader.waitForExit(within: .seconds(5)))
        #expect(try members().count == 4)
        leader.endSession()
        while try !members().isEmpty, .now < end { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try members() == [])
        leader.endSession()
    }

    @Test func aWrongStartTimeIsSomebodyElse() throws {
        let own = try #require(ProcessIdentity.current(of: getpid()))
        let error = #expect(throws: SystemError.self) {
            _ = try ProcessHandle(ProcessIdentity(pid: own.pid, startTime: own.startTime - 1))
        }
        #expect(error?.code == ESRCH)
    }

    @Test func itsDescriptorsCanBeTaken() throws {
        let folder = ScratchFolder()
        let file = try Descriptor.open(folder.write("f", "hello"), flags: O_RDONLY)
        var request = SpawnRequest(executable: "/bin/sleep", arguments: ["sleep", "60"])
        request.descriptors = [.init(source: file.number, number: 9)]
        let process = try ProcessHandle(try spawn(request))
        defer { try? process.signal(SIGKILL) }
        let taken = try process.descriptor(9)
        #expect(try Files.status(of: taken).identity == Files.identity(folder.file("f")))
        #expect(fcntl(taken.number, F_GETFD) & FD_CLOEXEC != 0)
        #expect(try ProcFS.descriptorInfo(process.identity.pid, 9)["pos"] == "0")
        let error = #expect(throws: SystemError.self) { _ = try process.descriptor(10) }
        #expect(error?.code == EBADF)
    }
}
