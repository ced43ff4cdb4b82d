import Glibc
import Linux
import TestTools
import Testing

@testable import HyperFresh

/// Folders of hypervisors and instances that are links, files or another user's; nothing is started next to them.
@Suite struct StrangeFolderTests {
    private let scratch: ScratchFolder
    private let store: StackStore

    init() throws {
        scratch = ScratchFolder()
        store = StackStore(stateDirectory: "\(scratch.path)/state")
        let stack = try Sample.stack("rack7", hypervisors: ["alpha", "beta"])
        try store.keep(Array(Sample.text("rack7", ["alpha", "beta"]).utf8), of: stack)
        for name in ["alpha", "beta"] { _ = try store.createInstance(of: name) }
    }

    private func folder(_ hypervisor: String) -> String { "\(store.stateDirectory)/hypervisors/\(hypervisor)" }

    private func replaceByFile(_ path: String) throws {
        try #require(rename(path, "\(scratch.path)/aside") == 0)
        try Files.replaceAtomically(path, bytes: [])
    }

    @Test func recoverNamesAHypervisorsFolderThatItCannotRead() async throws {
        try replaceByFile(folder("alpha"))
        var rebuild = RecordRebuild(store: store)
        await rebuild.restoreRecords()
        #expect(rebuild.problems.map(\.subject).contains("hypervisor alpha"))
        #expect(rebuild.problems.allSatisfy { $0.error.exitCode == 6 })
        #expect(!rebuild.problems.map(\.subject).contains("hypervisor beta"))
    }

    /// The files of an ended instance are removed last: if that is impossible, the command fails before it takes
    /// anything down.
    @Test(arguments: ["alpha", "beta"]) func downRefusesBeforeItTouchesAnything(hypervisor: String) async throws {
        try Files.replaceAtomically("\(folder(hypervisor))/00aa", bytes: [])
        let down = StackDown(name: "rack7", store: store, grace: .zero) { _ in }
        let error = await #expect(throws: HyperFreshError.self) { try await down.run() }
        #expect(error?.exitCode == 3)
        for name in ["alpha", "beta"] { #expect(Files.exists("\(folder(name))/placement.json")) }
        #expect(try store.stackNames() == ["rack7"])
        unlink("\(folder(hypervisor))/00aa")
        try await down.run()
        #expect(try store.stackNames() == [])
    }

    @Test func aRemedyAfterAFailedWriteFitsItsCause() {
        func remedy(_ code: Int32) -> String {
            StackStore.remedy(afterWriting: "/s/p", SystemError(operation: "rename", subject: "/s/p", code: code))
        }
        #expect(remedy(ENOSPC).contains("Free space"))
        #expect(remedy(EISDIR).contains("Move aside the folder with its name (/s/p)"))
        #expect(!remedy(EIO).contains("aside"))
    }
}
