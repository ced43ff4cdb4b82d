import Glibc
import Linux
import TestTools
import Testing

@testable import Journal

/// Journals decide which processes are killed: no other user can write them, and planted links next to them are not
/// followed.
@Suite struct JournalPermissionTests {
    private let folder = ScratchFolder()

    @Test(arguments: Umask.all) func everyFileIsItsOwnersAlone(mask: UInt32) async throws {
        let state = folder.file("state")
        try await Umask.with(mask) {
            let directory = try JournalDirectory(state)
            _ = try directory.create(id: "a", facts: [:])
            let path = "\(state)/handoffs/a.journal"
            try Files.replaceAtomically(path, bytes: try Files.readAll(path) + Array("hf1 1 ".utf8))
            let writer = try directory.resume("a")
            #expect(writer.tornTailCopy != nil)
        }
        #expect(try Files.status(state).mode == 0o700)
        #expect(try Files.status("\(state)/handoffs").mode == 0o700)
        let names = try ProcFS.names(inFolder: "\(state)/handoffs")
        #expect(names.count == 2)
        for name in names { #expect(try Files.status("\(state)/handoffs/\(name)").mode == 0o600) }
    }

    @Test func aLinkInANewJournalsPlaceIsNotFollowed() throws {
        let directory = try JournalDirectory(folder.file("state"))
        let victim = folder.file("victim")
        try Files.replaceAtomically(victim, bytes: Array("untouched".utf8))
        for name in ["a.journal", ".b.\(getpid())"] {
            #expect(symlink(victim, "\(directory.path)/\(name)") == 0)
        }
        for id in ["a", "b"] {
            let error = #expect(throws: JournalError.self) { _ = try directory.create(id: id, facts: [:]) }
            #expect(error?.code == .exists)
        }
        #expect(try Files.readAll(victim) == Array("untouched".utf8))
    }

    /// Without a session folder, only a shared one is left, where another user may have created the path first.
    @Test func aFolderOfSomebodyElseInASharedOneIsRefused() throws {
        let shared = folder.file("tmp")
        #expect(mkdir(shared, 0o700) == 0 && chmod(shared, 0o1777) == 0)
        #expect(mkdir("\(shared)/hyperfresh-0", 0o700) == 0 && chmod("\(shared)/hyperfresh-0", 0o770) == 0)
        let group = #expect(throws: JournalError.self) { _ = try JournalDirectory("\(shared)/hyperfresh-0") }
        #expect(group?.code == .insecure)
        guard geteuid() == 0 else { return }
        #expect(chmod("\(shared)/hyperfresh-0", 0o700) == 0 && chown("\(shared)/hyperfresh-0", 65534, 65534) == 0)
        let user = #expect(throws: JournalError.self) { _ = try JournalDirectory("\(shared)/hyperfresh-0") }
        #expect(user?.code == .insecure)
    }
}
