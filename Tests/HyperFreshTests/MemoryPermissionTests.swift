import Glibc
import Linux
import StackFile
import TestTools
import Testing

@testable import HyperFresh
import VirtualMachines

/// A guest's memory is in a shared folder, /dev/shm: no other user may open it, or cause it to be created elsewhere.
@Suite struct MemoryPermissionTests {
    private let scratch: ScratchFolder
    private let folder: String

    init() throws {
        scratch = ScratchFolder(in: "/dev/shm")
        folder = "\(scratch.path)/memory"
    }

    private static func file(in folder: String) throws -> GuestMemoryFile {
        let stack = try Sample.stack("rack7", hyperplexor: "memory-directory: \(folder)")
        return GuestMemoryFile(try #require(stack.hypervisors.first?.guests.first), in: stack)
    }

    @Test(arguments: Umask.all) func itIsItsOwnersAlone(mask: UInt32) async throws {
        let folder = folder
        try await Umask.with(mask) { try Self.file(in: folder).create() }
        #expect(try Files.status(folder).mode == 0o700)
        #expect(try Files.status(try Self.file(in: folder).path).mode == 0o600)
        try Self.file(in: folder).verify()
    }

    @Test func aPlantedLinkIsNotFollowed() throws {
        let file = try Self.file(in: folder)
        let victim = "\(scratch.path)/victim"
        try Files.replaceAtomically(victim, bytes: [1])
        try Files.createDirectory(folder)
        for target in [victim, "\(scratch.path)/nowhere"] {
            #expect(symlink(target, file.path) == 0)
            #expect(throws: HyperFreshError.self) { try file.create() }
            #expect(throws: HyperFreshError.self) { try file.verify() }
            #expect(unlink(file.path) == 0)
        }
        #expect(try Files.readAll(victim) == [1])
        #expect(!Files.exists("\(scratch.path)/nowhere"))
    }

    @Test func aFolderThatIsNotOursIsRefused() throws {
        let file = try Self.file(in: folder)
        let other = "\(scratch.path)/other"
        try Files.createDirectory(other)
        #expect(symlink(other, folder) == 0)
        #expect(throws: HyperFreshError.self) { try file.create() }
        #expect(unlink(folder) == 0 && mkdir(folder, 0o700) == 0 && chmod(folder, 0o755) == 0)
        #expect(throws: HyperFreshError.self) { try file.create() }
        guard geteuid() == 0 else { return }
        #expect(chmod(folder, 0o700) == 0 && chown(folder, 65534, 65534) == 0)
        #expect(throws: HyperFreshError.self) { try file.create() }
        #expect(!Files.exists(file.path))
    }
}
