import Glibc
import Journal
import Linux
import StackFile
import Synchronization
import TestTools
import Testing

@testable import HyperFresh
import VirtualMachines

/// The records of stacks and hypervisors: creating, reading and removing them.
@Suite struct StackStoreTests {
    private let scratch: ScratchFolder
    private let store: StackStore

    init() throws {
        scratch = ScratchFolder()
        store = StackStore(stateDirectory: "\(scratch.path)/state")
    }

    private func failure(_ work: () throws -> Void) -> HyperFreshError? {
        do {
            try work()
            return nil
        } catch {
            return error as? HyperFreshError
        }
    }

    // MARK: Stacks

    @Test func aStackIsRememberedAsItWas() throws {
        #expect(try store.stackNames().isEmpty)
        let stack = try Sample.stack("rack7", hypervisors: ["alpha", "beta"])
        try store.keep(Array(Sample.text("rack7", ["alpha", "beta"]).utf8), of: stack)
        #expect(try store.stackNames() == ["rack7"])
        #expect(try store.stack("rack7").hypervisors == stack.hypervisors)
        #expect(try store.stack("rack7").directory == "/etc/stacks")
        #expect(try Files.status("\(scratch.path)/state").mode == 0o700)
        store.forget(stack: "rack7")
        #expect(try store.stackNames().isEmpty)
        store.forget(stack: "rack7")
        #expect(throws: HyperFreshError.self) { try store.stack("rack7") }
    }

    @Test func aHypervisorIsFoundByItsName() throws {
        for (name, hypervisors) in [("one", ["alpha"]), ("two", ["beta", "gamma"])] {
            let stack = try Sample.stack(name, hypervisors: hypervisors)
            try store.keep(Array(Sample.text(name, hypervisors).utf8), of: stack)
        }
        let (stack, spec) = try store.stack(of: "gamma")
        #expect(stack.name == "two")
        #expect(spec.name == "gamma")
        let error = #expect(throws: HyperFreshError.self) { try store.stack(of: "delta") }
        #expect(error?.exitCode == 64)
    }

    @Test func whatSomebodyWroteOverIsNoStackAndIsNotAbsent() throws {
        try store.keep(Array(Sample.text("rack7").utf8), of: try Sample.stack("rack7"))
        try Files.replaceAtomically("\(scratch.path)/state/stacks/rack7", bytes: Array("name: [".utf8))
        let error = #expect(throws: HyperFreshError.self) { try store.stack("rack7") }
        #expect(error?.evidence.first?.contains("/stacks/rack7") == true)
        #expect(error?.exitCode == 3)
        #expect(error?.remedy.contains("hyperfresh recover") == true)
        // The hypervisor may belong to this stack; another stack's hypervisor is not affected.
        _ = try store.createInstance(of: "alpha")
        #expect(failure { _ = try store.stack(of: "alpha") }?.exitCode == 3)
        try store.keep(Array(Sample.text("other", ["beta"]).utf8), of: try Sample.stack("other", hypervisors: ["beta"]))
        #expect(try store.stack(of: "beta").0.name == "other")
    }

    @Test func aCopyBringsALostRecordBack() throws {
        let (stack, text) = (try Sample.stack("rack7"), Array(Sample.text("rack7").utf8))
        try store.keep(text, of: stack)
        try store.keepCopy(text, of: stack, with: "alpha")
        store.forget(stack: "rack7")
        let copy = try #require(store.stackCopy(of: "alpha").shown)
        try store.restore(copy)
        #expect(try store.stack("rack7") == stack)
        // Another hypervisor's copy does not belong to this one.
        _ = try store.createInstance(of: "beta")
        let folder = "\(store.stateDirectory)/hypervisors"
        try Files.replaceAtomically("\(folder)/beta/stack", bytes: try Files.readAll("\(folder)/alpha/stack"))
        #expect(store.stackCopy(of: "beta").damage != nil)
    }

    // MARK: Instances

    @Test func instancesHaveIdsOfTheirOwn() throws {
        var ids: Set<String> = []
        for _ in 0..<300 {
            let (id, folder) = try store.createInstance(of: "alpha")
            #expect(id.utf8.count == 4 && id.allSatisfy(\.isHexDigit))
            #expect(folder.path == store.folder("alpha", id).path)
            #expect(try Files.status(folder.path).mode == 0o700)
            ids.insert(id)
        }
        #expect(ids.count == 300)
        let survey = try store.survey("alpha")
        #expect(survey.instances.count == 300 && survey.running.isEmpty && survey.damage.isEmpty)
        #expect(try survey.records().ended.isEmpty, "a folder alone is no record")
    }

    @Test func aRecordThatIsNoneIsDamagedNeverPassedOver() throws {
        var ids: [String] = []
        for _ in 0..<2 {
            let (id, _) = try store.createInstance(of: "alpha")
            try store.keep(Sample.record(id))
            ids.append(id)
        }
        #expect(try Set(store.survey("alpha").records().ended.map(\.id)) == Set(ids))
        #expect(try store.survey("beta").instances.isEmpty)
        for text in ["", "{}", "{\"id\":", "hf1 0 00000000 {}\n", "hf2 0 00000000 {}\n"] {
            try Files.replaceAtomically(store.folder("alpha", ids[0]).record, bytes: Array(text.utf8))
            let damage = try store.survey("alpha").damage
            #expect(damage.map(\.path) == [store.folder("alpha", ids[0]).record], "\(text)")
            let error = #expect(throws: HyperFreshError.self) { try store.survey("alpha").records() }
            #expect(error?.exitCode == 3 && error?.remedy.contains("hyperfresh recover") == true)
        }
    }

    @Test func aRecordIsRenewed() throws {
        let (id, _) = try store.createInstance(of: "alpha")
        var record = Sample.record(id)
        try store.keep(record)
        record.kernel = "6.1.0-50-cloud-amd64"
        record.qemu = "7.2.22"
        try store.keep(record)
        #expect(try store.survey("alpha").records().ended == [record])
    }

    @Test func anInstanceIsForgottenWithAllItsFilesAndNoOther() throws {
        let (first, folder) = try store.createInstance(of: "alpha")
        let (second, _) = try store.createInstance(of: "alpha")
        for id in [first, second] { try store.keep(Sample.record(id)) }
        for path in [folder.consoleLog, folder.errorLog, folder.qmpSocket, folder.relaySocket("web")] {
            try Files.replaceAtomically(path, bytes: [1])
        }
        try store.forget("alpha", instance: first)
        #expect(!Files.exists(folder.path))
        #expect(try store.survey("alpha").instances.map(\.id) == [second])
        try store.forget("alpha", instance: first)
        try store.forget("nobody", instance: "0000")
    }

    // MARK: Placement

    private func placement() throws -> [String: String] { try store.survey("alpha").records().placement }

    @Test func aGuestIsWhereItWasPlacedLast() throws {
        _ = try store.createInstance(of: "alpha")
        #expect(try placement().isEmpty)
        try store.place("web", on: "0001", of: "alpha")
        try store.place("db", on: "0001", of: "alpha")
        try store.place("web", on: "0002", of: "alpha")
        #expect(try placement() == ["web": "0002", "db": "0001"])
        try store.place("db", on: nil, of: "alpha")
        #expect(try placement() == ["web": "0002"])
        // Another instance does not reset it.
        _ = try store.createInstance(of: "alpha")
        #expect(try placement() == ["web": "0002"])
        #expect(try store.survey("beta").records().placement.isEmpty)
    }

    /// Concurrent placements are all recorded: none overwrites another.
    @Test func manyArePlacedAtOnce() async throws {
        _ = try store.createInstance(of: "alpha")
        let names = (0..<28).map { "guest\($0)" }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for name in names { tasks.addTask { [store] in try store.place(name, on: "0002", of: "alpha") } }
            try await tasks.waitForAll()
        }
        #expect(try placement() == Dictionary(uniqueKeysWithValues: names.map { ($0, "0002") }))
    }

    /// An unreadable placement once counted as empty: a refresh killed the hypervisor with all its guests, and the next
    /// placement overwrote those of all other guests.
    @Test func aPlacementThatCannotBeReadIsDamagedAndNotWrittenBack() throws {
        _ = try store.createInstance(of: "alpha")
        try store.place("web", on: "0001", of: "alpha")
        let file = "\(scratch.path)/state/hypervisors/alpha/placement.json"
        let whole = try Files.readAll(file)
        _ = try store.createInstance(of: "beta")
        try store.place("web", on: "0001", of: "beta")
        let texts = [
            "", "[]", "{\"guests\": {\"web\": \"0001\"}}", String(decoding: whole.dropLast(9), as: UTF8.self),
            String(decoding: whole, as: UTF8.self).replacing("0001", with: "0002"),
            String(decoding: try Files.readAll("\(scratch.path)/state/hypervisors/beta/placement.json"), as: UTF8.self),
        ]
        for text in texts {
            try Files.replaceAtomically(file, bytes: Array(text.utf8))
            #expect(failure { _ = try placement() }?.exitCode == 3, "\(text)")
            #expect(throws: HyperFreshError.self) { try store.place("db", on: "0001", of: "alpha") }
            #expect(try Files.readAll(file) == Array(text.utf8), "it is left as it was")
        }
        // A lost placement is not recreated either.
        unlink(file)
        #expect(throws: HyperFreshError.self) { try store.place("db", on: "0001", of: "alpha") }
        _ = try store.createInstance(of: "alpha")
        #expect(!Files.exists(file))
        try store.rebuild(["web": "0001"], of: "alpha")
        #expect(try placement() == ["web": "0001"])
    }

    @Test func aPlaceThatCannotBeRecordedIsSaid() {
        #expect(throws: HyperFreshError.self) { try store.place("web", on: "0001", of: "nobody") }
    }

    @Test func whatIsNotOursIsNamedAndStays() throws {
        let (id, _) = try store.createInstance(of: "alpha")
        let folder = "\(store.stateDirectory)/hypervisors/alpha"
        try Files.replaceAtomically("\(folder)/notes.txt", bytes: [1])
        try Files.createDirectory("\(folder)/backup")
        #expect(try store.survey("alpha").oddities == ["backup", "notes.txt"])
        #expect(try store.survey("alpha").damage.isEmpty)
        try store.forget(hypervisor: "alpha")
        #expect(!Files.exists("\(folder)/\(id)"))
        #expect(Files.exists("\(folder)/notes.txt"))
    }

    @Test func aFolderThatIsNoneIsDamageOfItsHypervisorAlone() throws {
        _ = try store.createInstance(of: "alpha")
        _ = try store.createInstance(of: "beta")
        let folder = "\(store.stateDirectory)/hypervisors/alpha"
        try Files.replaceAtomically("\(scratch.path)/file", bytes: [])
        #expect(rename(folder, "\(scratch.path)/aside") == 0 && rename("\(scratch.path)/file", folder) == 0)
        let survey = try store.survey("alpha")
        #expect(survey.damage.map(\.path) == [folder])
        #expect(survey.mayHaveInstances, "what cannot be read is not empty")
        #expect(failure { _ = try survey.records() }?.exitCode == 3)
        #expect(failure { try store.forget(hypervisor: "alpha") } != nil)
        #expect(try store.survey("beta").damage.isEmpty)
        // An instance folder that is a symbolic link is not used to reach sockets.
        #expect(symlink("\(scratch.path)/aside", "\(store.stateDirectory)/hypervisors/beta/00aa") == 0)
        #expect(failure { try store.verifyFolder(of: "beta", "00aa") }?.exitCode == 3)
        #expect(failure { try store.verifyFolder(of: "beta", "00ab") } == nil)
    }

    // MARK: The lock

    @Test func oneAtATimeChangesAHypervisor() throws {
        let lock = try store.lock("alpha")
        let error = #expect(throws: HyperFreshError.self) { try store.lock("alpha") }
        #expect(error?.exitCode == 3)
        let other = try store.lock("beta")
        lock.release()
        let again = try store.lock("alpha")
        again.release()
        again.release()
        other.release()
    }

    @Test func aLockGoesWithWhoHasIt() throws {
        do {
            let lock = try store.lock("alpha")
            withExtendedLifetime(lock) {}
        }
        try store.lock("alpha").release()
    }

    @Test func aStateFolderOfSomebodyElseIsRefused() throws {
        try Files.createDirectory(store.stateDirectory)
        #expect(chmod(store.stateDirectory, 0o777) == 0)
        let error = #expect(throws: HyperFreshError.self) { try store.lock("alpha") }
        #expect(error?.remedy.contains("--state-dir") == true)
        #expect(throws: SystemError.self) { try store.createInstance(of: "alpha") }
    }

    // MARK: Down

    @Test func nothingIsLeftOfAHypervisorThatIsDown() throws {
        try store.keep(Array(Sample.text("rack7").utf8), of: try Sample.stack("rack7"))
        for _ in 0..<2 { try store.keep(Sample.record(try store.createInstance(of: "alpha").id)) }
        try store.lock("alpha").release()
        try store.place("web", on: "0001", of: "alpha")
        try Files.replaceAtomically("\(store.folder("alpha", "x").parent)/web.console.log", bytes: [1])
        _ = try store.createInstance(of: "beta")
        try store.forget(hypervisor: "alpha")
        #expect(!scratch.content.contains { $0.contains("alpha") }, "\(scratch.content)")
        #expect(scratch.content.contains { $0.hasPrefix("state/hypervisors/beta/") })
        #expect(try store.stackNames() == ["rack7"])
    }
}
