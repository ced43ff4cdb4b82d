import Glibc
import Hypervisors
import Linux
import Synchronization
import Testing

@testable import HyperFresh

/// What is remembered of stacks and hypervisors, and forgotten again.
@Suite struct StackStoreTests {
    private let scratch: Scratch
    private let store: StackStore

    init() throws {
        scratch = try Scratch()
        store = StackStore(stateDirectory: "\(scratch.path)/state")
    }

    // MARK: Stacks

    @Test func aStackIsRememberedAsItWas() throws {
        #expect(store.stackNames().isEmpty)
        let stack = try Sample.stack("rack7", hypervisors: ["alpha", "beta"])
        try store.keep(Array(Sample.text("rack7", ["alpha", "beta"]).utf8), of: stack)
        #expect(store.stackNames() == ["rack7"])
        #expect(try store.stack("rack7").hypervisors == stack.hypervisors)
        #expect(try store.stack("rack7").directory == "/etc/stacks")
        #expect(try Files.status("\(scratch.path)/state").mode == 0o700)
        store.forget(stack: "rack7")
        #expect(store.stackNames().isEmpty)
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

    @Test func whatSomebodyWroteOverIsNoStack() throws {
        try store.keep(Array(Sample.text("rack7").utf8), of: try Sample.stack("rack7"))
        try Files.replaceAtomically("\(scratch.path)/state/stacks/rack7.yaml", bytes: Array("name: [".utf8))
        let error = #expect(throws: HyperFreshError.self) { try store.stack("rack7") }
        #expect(error?.evidence.isEmpty == false)
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
        #expect(store.instances(of: "alpha").isEmpty, "a folder alone is no instance")
    }

    @Test func instancesComeTheOldestFirst() throws {
        for (id, started) in [("00c0", Int64(30)), ("0a0a", 10), ("ffff", 20)] {
            try Files.createDirectory(scratch.path + "/state")
            try Files.createDirectory(scratch.path + "/state/hypervisors")
            try Files.createDirectory(scratch.path + "/state/hypervisors/alpha")
            try Files.createDirectory(store.folder("alpha", id).path)
            try store.keep(Sample.record(id, started: started))
        }
        #expect(store.instances(of: "alpha").map(\.id) == ["0a0a", "ffff", "00c0"])
        #expect(store.instances(of: "beta").isEmpty)
        // A record that is no record is passed over, never guessed at.
        try Files.replaceAtomically(store.folder("alpha", "ffff").record, bytes: Array("{}".utf8))
        try Files.replaceAtomically(store.folder("alpha", "00c0").record, bytes: Array("{\"id\":".utf8))
        #expect(store.instances(of: "alpha").map(\.id) == ["0a0a"])
    }

    @Test func aRecordIsRenewed() throws {
        let (id, _) = try store.createInstance(of: "alpha")
        var record = Sample.record(id)
        try store.keep(record)
        record.kernel = "6.1.0-50-cloud-amd64"
        record.qemu = "7.2.22"
        try store.keep(record)
        #expect(store.instances(of: "alpha") == [record])
    }

    @Test func anInstanceIsForgottenWithAllItsFilesAndNoOther() throws {
        let (first, folder) = try store.createInstance(of: "alpha")
        let (second, _) = try store.createInstance(of: "alpha")
        for id in [first, second] { try store.keep(Sample.record(id)) }
        for path in [folder.consoleLog, folder.errorLog, folder.qmpSocket, folder.relaySocket("web")] {
            try Files.replaceAtomically(path, bytes: [1])
        }
        store.forget("alpha", instance: first)
        #expect(!Files.exists(folder.path))
        #expect(store.instances(of: "alpha").map(\.id) == [second])
        store.forget("alpha", instance: first)
        store.forget("nobody", instance: "0000")
    }

    // MARK: Placement

    @Test func aGuestIsWhereItWasPlacedLast() throws {
        _ = try store.createInstance(of: "alpha")
        #expect(store.placement(of: "alpha").isEmpty)
        try store.place("web", on: "0001", of: "alpha")
        try store.place("db", on: "0001", of: "alpha")
        try store.place("web", on: "0002", of: "alpha")
        #expect(store.placement(of: "alpha") == ["web": "0002", "db": "0001"])
        try store.place("db", on: nil, of: "alpha")
        #expect(store.placement(of: "alpha") == ["web": "0002"])
        #expect(StackStore(stateDirectory: store.stateDirectory).placement(of: "alpha") == ["web": "0002"])
        #expect(store.placement(of: "beta").isEmpty)
    }

    /// Guests that move at once are all remembered: none writes over another's place.
    @Test func manyArePlacedAtOnce() async throws {
        _ = try store.createInstance(of: "alpha")
        let names = (0..<28).map { "guest\($0)" }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for name in names { tasks.addTask { [store] in try store.place(name, on: "0002", of: "alpha") } }
            try await tasks.waitForAll()
        }
        #expect(store.placement(of: "alpha") == Dictionary(uniqueKeysWithValues: names.map { ($0, "0002") }))
    }

    @Test func aPlacementThatCannotBeReadPlacesNobody() throws {
        _ = try store.createInstance(of: "alpha")
        try store.place("web", on: "0001", of: "alpha")
        let file = "\(scratch.path)/state/hypervisors/alpha/placement.json"
        for text in ["", "[]", "{\"guests\": []}", "{\"guests\": {\"web\": 1}}", "{\"guests\": {\"web\": \"0001\""] {
            try Files.replaceAtomically(file, bytes: Array(text.utf8))
            #expect(store.placement(of: "alpha").isEmpty, "\(text)")
        }
    }

    @Test func aPlaceThatCannotBeRecordedIsSaid() {
        #expect(throws: SystemError.self) { try store.place("web", on: "0001", of: "nobody") }
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
        store.forget(hypervisor: "alpha")
        #expect(!scratch.content.contains { $0.contains("alpha") }, "\(scratch.content)")
        #expect(scratch.content.contains { $0.hasPrefix("state/hypervisors/beta/") })
        #expect(store.stackNames() == ["rack7"])
    }
}
