import Glibc
import JSON
import Journal
import Linux
import StackFile
import TestTools
import Testing

@testable import HyperFresh
import VirtualMachines

/// Records of stacks decide which processes are killed and which monitors are trusted, so only their owner may access
/// them.
@Suite struct StatePermissionTests {
    private let scratch: ScratchFolder
    private let store: StackStore

    init() throws {
        scratch = ScratchFolder()
        store = StackStore(stateDirectory: "\(scratch.path)/state")
    }

    private func fill() throws -> String {
        try Self.fill(store)
    }

    @discardableResult
    private static func fill(_ store: StackStore) throws -> String {
        try store.keep(Array(Sample.text("rack7").utf8), of: try Sample.stack("rack7"))
        let (id, _) = try store.createInstance(of: "alpha")
        try store.keep(Sample.record(id))
        try store.place("web", on: id, of: "alpha")
        try store.lock("alpha").release()
        return id
    }

    @Test(arguments: Umask.all) func everyFileIsItsOwnersAlone(mask: UInt32) async throws {
        let store = store
        try await Umask.with(mask) { _ = try Self.fill(store) }
        let names = scratch.content
        #expect(names.count == 9, "\(names)")
        for name in names {
            let status = try Files.status("\(scratch.path)/\(name)", followingLinks: false)
            #expect(status.mode == (status.kind == .directory ? 0o700 : 0o600), "\(name)")
        }
    }

    @Test func plantedLinksAreNotFollowed() throws {
        let id = try fill()
        let victim = "\(scratch.path)/victim"
        try Files.replaceAtomically(victim, bytes: Array("{\"guests\": {\"web\": \"ffff\"}}".utf8))
        let folder = "\(store.stateDirectory)/hypervisors/alpha"
        for name in ["placement.json", "lock", "\(id)/instance.json"] {
            #expect(unlink("\(folder)/\(name)") == 0 && symlink(victim, "\(folder)/\(name)") == 0)
        }
        #expect(try store.survey("alpha").damage.count == 2)
        #expect(throws: HyperFreshError.self) { try store.lock("alpha") }
        #expect(throws: HyperFreshError.self) { try store.place("web", on: id, of: "alpha") }
        try store.rebuild(["web": id], of: "alpha")
        #expect(try Files.status("\(folder)/placement.json", followingLinks: false).kind == .regular)
        #expect(try Files.readAll(victim) == Array("{\"guests\": {\"web\": \"ffff\"}}".utf8))
    }

    /// Otherwise the first user to create a path in a shared folder could control what runs here.
    @Test func whatOthersMayHaveWrittenIsNotRead() throws {
        _ = try fill()
        for folder in ["state", "state/hypervisors", "state/hypervisors/alpha"] {
            let path = "\(scratch.path)/\(folder)"
            #expect(chmod(path, 0o770) == 0)
            #expect(throws: HyperFreshError.self, "\(folder)") { try store.survey("alpha").records() }
            #expect(throws: HyperFreshError.self) { try store.lock("alpha") }
            #expect(chmod(path, 0o700) == 0)
        }
        #expect(chmod("\(scratch.path)/state/stacks", 0o702) == 0)
        #expect(throws: HyperFreshError.self) { try store.stack("rack7") }
        #expect(chmod("\(scratch.path)/state/stacks", 0o700) == 0)
        #expect(try store.survey("alpha").records().ended.count == 1)
    }

    @Test func aStateFolderThatIsNotOursIsSaid() async throws {
        try store.verify()
        _ = try fill()
        try store.verify()
        #expect(chmod(store.stateDirectory, 0o750) == 0)
        let error = #expect(throws: HyperFreshError.self) { try store.verify() }
        #expect(error?.remedy.contains("--state-dir") == true)
        await #expect(throws: HyperFreshError.self) { try await HypervisorListing(store: store).all() }
    }

    @Test(.enabled(if: geteuid() == 0, "run as root to make files of other users")) func otherUsersFilesAreNotRead()
        throws
    {
        let id = try fill()
        #expect(chown(store.folder("alpha", id).record, 65534, 65534) == 0)
        #expect(try store.survey("alpha").damage.count == 1)
        #expect(chown(store.stateDirectory, 65534, 65534) == 0)
        #expect(throws: HyperFreshError.self) { try store.verify() }
        #expect(throws: HyperFreshError.self) { try store.stack("rack7") }
    }

    @Test func aRecordThatIsOutOfPlaceIsNone() throws {
        let id = try fill()
        for record in [Sample.record("../.."), Sample.record(id, of: "beta")] {
            let file = RecordFile(store.folder("alpha", id).record, subject: "instance alpha-\(id)")
            try file.write(record.members)
            #expect(try store.survey("alpha").damage.map(\.path) == [file.path])
        }
    }

    // MARK: A hypervisor's own files

    /// Its QEMU creates sockets, console log and pid file with the umask that it is started with.
    @Test func whatAHypervisorMakesIsItsOwnersAlone() async throws {
        let (_, folder) = try store.createInstance(of: "alpha")
        let request = HypervisorBoot.request(["/bin/sh", "-c", ": >console.log"], in: folder, errors: 2)
        try await Umask.with(0o000) { _ = try spawn(request) }
        for _ in 0..<500 where !Files.exists(folder.consoleLog) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try Files.status(folder.consoleLog).mode == 0o600)
    }

    @Test func whatIsToldFromInsideIsAVersionOrNothing() {
        #expect(RecordRebuild.versions(in: "6.1.0-50-cloud-amd64\n7.2.22\n")?.qemu == "7.2.22")
        for words in ["", "6.1\n", "6.1\n7.2\nmore\n", "6.1\n\u{1B}[2J\n", "a b\n7.2\n"] {
            #expect(RecordRebuild.versions(in: words) == nil, "\(words)")
        }
        #expect(RecordRebuild.versions(in: "6.1\n\(String(repeating: "7", count: 65))\n") == nil)
    }
}
