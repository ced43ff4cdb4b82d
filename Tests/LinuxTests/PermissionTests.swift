import Glibc
import TestTools
import Testing

@testable import Linux

/// New files are private whatever the umask, and planted links are not followed.
@Suite struct PermissionTests {
    private static func mode(_ path: String) throws -> UInt32 { try Files.status(path, followingLinks: false).mode }

    // MARK: Mode of new files

    @Test(arguments: Umask.all) func whatIsMadeIsItsOwnersAlone(mask: UInt32) async throws {
        let folder = ScratchFolder()
        let path = folder.path
        let modes = try await Umask.with(mask) {
            try Files.createDirectory("\(path)/folder")
            _ = try AppendFile.create("\(path)/journal")
            _ = try Descriptor.open("\(path)/lock", flags: O_RDONLY | O_CREAT | O_NOFOLLOW)
            try Files.replaceAtomically("\(path)/record", bytes: [1])
            let listener = try UnixListener(path: "\(path)/socket")
            return try withExtendedLifetime(listener) {
                try ["folder", "journal", "lock", "record", "socket"].map { try Self.mode("\(path)/\($0)") }
            }
        }
        #expect(modes == [0o700, 0o600, 0o600, 0o600, 0o600])
    }

    @Test func whatAProcessMakesFollowsItsRequest() async throws {
        let folder = ScratchFolder()
        let path = folder.path
        try await Umask.with(0o000) {
            var request = SpawnRequest(
                executable: "/bin/sh", arguments: ["sh", "-c", ": >private"], environment: ["PATH=/bin"])
            request.workingDirectory = path
            request.umask = 0o077
            _ = try spawn(request)
        }
        for _ in 0..<500 where !Files.exists("\(path)/private") { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try Self.mode("\(path)/private") == 0o600)
    }

    // MARK: Planted links

    @Test func linksAreNotFollowed() throws {
        let folder = ScratchFolder()
        let victim = folder.write("victim", "untouched")
        let link = folder.file("link")
        #expect(symlink(victim, link) == 0)
        #expect(code { _ = try AppendFile.create(link) } == EEXIST)
        #expect(code { _ = try AppendFile.open(link) } == ELOOP)
        #expect(code { _ = try AppendFile.open(link, forReading: true) } == ELOOP)
        #expect(code { _ = try FileLock.tryAcquire(link) } == ELOOP)
        #expect(code { _ = try UnixListener(path: link) } == EADDRINUSE)
        #expect(code { try Files.createDirectory(link) } == ENOTDIR)
        try Files.replaceAtomically(link, bytes: [1])
        #expect(try Files.readAll(victim) == Array("untouched".utf8))
        #expect(unlink(link) == 0)
        // A dangling link would let the writer create its target.
        #expect(symlink(folder.file("nowhere"), link) == 0)
        #expect(code { _ = try AppendFile.create(link) } == EEXIST)
        #expect(code { _ = try UnixListener(path: link) } == EADDRINUSE)
        #expect(!Files.exists(folder.file("nowhere")))
    }

    // MARK: Replacing a file

    @Test func ownerAndModeGoAlong() throws {
        let folder = ScratchFolder()
        let lasting = folder.write("pid", "1")
        let temporary = folder.write("pid.hf-00000001", "2")
        #expect(chmod(lasting, 0o640) == 0)
        try Files.replace(lasting, with: temporary)
        #expect(try Files.readAll(lasting) == Array("2".utf8))
        #expect(try Self.mode(lasting) == 0o640)
        #expect(!Files.exists(temporary))
        // Nothing existed there, so the mode is that of the new file.
        try Files.replace(folder.file("new"), with: folder.write("new.hf-00000001", "3"))
        #expect(try Self.mode(folder.file("new")) == 0o600)
        #expect(code { try Files.replace(lasting, with: temporary) } == ENOENT)
    }

    @Test func aSocketTakesAnothersPlace() throws {
        let folder = ScratchFolder()
        let old = try UnixListener(path: folder.file("qmp"))
        let new = try UnixListener(path: folder.file("qmp.hf-00000001"))
        #expect(chmod(folder.file("qmp"), 0o660) == 0)
        try Files.replace(folder.file("qmp"), with: folder.file("qmp.hf-00000001"))
        #expect(try Self.mode(folder.file("qmp")) == 0o660)
        let client = try UnixStream.connect(path: folder.file("qmp"))
        _ = try new.accept(within: .seconds(5))
        withExtendedLifetime((old, client)) {}
    }

    /// The folder may belong to a guest's owner, who plants a file while root puts a socket in its place.
    @Test func nobodyElsesFileIsOpenedToOthers() throws {
        let folder = ScratchFolder()
        let victim = folder.write("shadow", "secret")
        let lasting = folder.write("qmp", "")
        let temporary = folder.file("qmp.hf-00000001")
        #expect(chmod(lasting, 0o777) == 0)
        #expect(symlink(victim, temporary) == 0)
        #expect(code { try Files.replace(lasting, with: temporary) } == EPERM)
        #expect(unlink(temporary) == 0 && link(victim, temporary) == 0)
        #expect(code { try Files.replace(lasting, with: temporary) } == EPERM)
        #expect(unlink(temporary) == 0 && mkfifo(temporary, 0o600) == 0)
        #expect(code { try Files.replace(lasting, with: temporary) } == EPERM)
        #expect(unlink(temporary) == 0 && mkdir(temporary, 0o700) == 0)
        #expect(code { try Files.replace(lasting, with: temporary) } == EPERM)
        #expect(try Self.mode(victim) == 0o600)
        #expect(try Self.mode(temporary) == 0o700)
    }

    @Test func theModeOfALinkIsNobodys() throws {
        let folder = ScratchFolder()
        let victim = folder.write("victim", "")
        #expect(chmod(victim, 0o644) == 0 && symlink(victim, folder.file("qmp")) == 0)
        try Files.replace(folder.file("qmp"), with: folder.write("qmp.hf-00000001", "x"))
        #expect(try Files.status(folder.file("qmp"), followingLinks: false).kind == .regular)
        #expect(try Self.mode(folder.file("qmp")) == 0o600)
        #expect(try Files.readAll(victim).isEmpty)
    }

    @Test func whatIsHeldIsWhatIsOpened() throws {
        let folder = ScratchFolder()
        let path = folder.write("log", "first")
        let held = try Files.hold(path)
        #expect(rename(path, folder.file("log.1")) == 0)
        folder.write("log", "second")
        let reader = try Files.reopen(held, flags: O_RDONLY)
        #expect(try Files.readAll(reader, name: path, limit: 100) == Array("first".utf8))
        #expect(symlink(path, folder.file("link")) == 0)
        let link = try Files.hold(folder.file("link"))
        #expect(try Files.status(of: link).kind == .symbolicLink)
    }
}
