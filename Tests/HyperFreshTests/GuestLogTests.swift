import Glibc
import Guests
import Linux
import TestTools
import Testing

@testable import HyperFresh

/// root opens a guest's log with the permissions of the user who runs the guest's QEMU.
@Suite struct GuestLogTests {
    private let scratch: ScratchFolder
    private let log: String

    init() throws {
        scratch = ScratchFolder()
        log = "\(scratch.path)/qemu.log"
    }

    private func sleeper(asNobody: Bool, _ descriptors: [SpawnRequest.InheritedDescriptor] = []) throws -> ProcessHandle
    {
        var request = SpawnRequest(executable: "/bin/sleep", arguments: ["sleep", "60"])
        request.descriptors = descriptors
        if asNobody {
            var credentials = try ProcFS.credentials(getpid())
            credentials.user = .init(real: 65534, effective: 65534, saved: 65534)
            credentials.group = .init(real: 65534, effective: 65534, saved: 65534)
            (credentials.permitted, credentials.effective) = (0, 0)
            (credentials.inheritable, credentials.ambient, credentials.groups) = (0, 0, [])
            request.credentials = credentials
        }
        return try ProcessHandle(try spawn(request))
    }

    private func code(_ path: String, _ process: ProcessHandle) -> Int32? {
        do throws(SystemError) {
            _ = try GuestLog.open(path, of: process.identity.pid)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func ourOwnGuestsLogIsOpened() throws {
        let process = try sleeper(asNobody: false)
        defer { try? process.signal(SIGKILL) }
        // A log that was rotated away is created again.
        let file = try GuestLog.open(log, of: process.identity.pid)
        try Files.write([0x61], to: file, name: log)
        let again = try GuestLog.open(log, of: process.identity.pid)
        try Files.write([0x62], to: again, name: log)
        #expect(try Files.readAll(log) == [0x61, 0x62], "it is appended to")
        #expect(try Files.status(log).mode & 0o077 & ~0o044 == 0)
        #expect(code("/dev/null", process) == nil)
    }

    @Test func whatIsNoFileIsRefused() throws {
        let process = try sleeper(asNobody: false)
        defer { try? process.signal(SIGKILL) }
        let victim = "\(scratch.path)/victim"
        try Files.replaceAtomically(victim, bytes: [1])
        #expect(symlink(victim, log) == 0)
        #expect(code(log, process) == EPERM)
        #expect(unlink(log) == 0 && mkfifo(log, 0o600) == 0)
        #expect(code(log, process) == EPERM)
        #expect(code(scratch.path, process) == EPERM)
        #expect(code("/dev/zero", process) == EPERM)
    }

    @Test(.enabled(if: geteuid() == 0, "run as root to be able to write more than others"))
    func rootDoesNotWriteForOthers() throws {
        try Files.replaceAtomically(log, bytes: [1])
        let reader = try Descriptor.open(log, flags: O_RDONLY)
        let other = try sleeper(asNobody: true, [.init(source: reader.number, number: 5)])
        defer { try? other.signal(SIGKILL) }
        // Neither by its name nor through a read-only descriptor; and a missing one is not created.
        #expect(code(log, other) == EPERM)
        #expect(code("\(scratch.path)/new.log", other) == ENOENT)
        // The user's own file, and one that the user may write to, are allowed.
        #expect(chown(log, 65534, 65534) == 0)
        #expect(code(log, other) == nil)
        #expect(chown(log, 0, 0) == 0)
        let writer = try Descriptor.open(log, flags: O_WRONLY | O_APPEND)
        let given = try sleeper(asNobody: true, [.init(source: writer.number, number: 2)])
        defer { try? given.signal(SIGKILL) }
        #expect(code(log, given) == nil)
    }

    @Test func aDeviceIsOpenedForWhoHasItOpenOnly() throws {
        let process = try sleeper(asNobody: false)
        defer { try? process.signal(SIGKILL) }
        #expect(try NewProcess.holds("/dev/null", process: process.identity.pid))
        #expect(try !NewProcess.holds("/dev/vhost-net", process: process.identity.pid))
    }

    @Test func anEndpointIsNoLinkToOtherFiles() throws {
        let victim = "\(scratch.path)/victim"
        try Files.replaceAtomically(victim, bytes: [1])
        let endpoint = Endpoint(
            kind: .qmp, lasting: "\(scratch.path)/qmp", temporary: "\(scratch.path)/qmp.hf-00000001")
        try Files.replaceAtomically(endpoint.lasting, bytes: [], mode: 0o777)
        #expect(symlink(victim, endpoint.temporary) == 0)
        #expect(throws: SystemError.self) { try EndpointFiles.settle([endpoint]) }
        #expect(try Files.status(victim).mode == 0o600)
    }
}
