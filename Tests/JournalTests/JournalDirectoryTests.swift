import Glibc
import Handoff
import JSON
import Linux
import TestTools
import Testing

@testable import Journal

@Suite struct JournalDirectoryTests {
    let folder = ScratchFolder()

    private func directory() throws -> JournalDirectory { try JournalDirectory(folder.file("state")) }

    private func file(_ id: String) -> String { folder.file("state/handoffs/\(id).journal") }

    /// Creates the journal that the process with this id has left behind; nothing holds its lock any more.
    private func leave(_ id: String, states: [String] = ["launched", "linked"]) throws {
        let writer = try directory().create(id: id, facts: ["guest": "g"])
        for state in states { try writer.append(state: state, facts: ["n": 1]) }
    }

    @Test func aHandoffIsRecordedAndReadBack() throws {
        let directory = try directory()
        do {
            let writer = try directory.create(id: "a", facts: ["guest": "g"])
            try writer.append(state: "launched", facts: ["pid": 4])
            #expect(try directory.read("a").records.map(\.state) == ["planned", "launched"])
            #expect(try directory.entries().map(\.isActive) == [true])
        }
        let entry = try #require(try directory.entries().first)
        #expect(entry.id == "a" && !entry.isActive && entry.state == "launched" && entry.reading.damage == nil)
        #expect(entry.reading.records[0].facts == ["guest": "g"] && entry.reading.records[1].facts == ["pid": 4])
        let now = WallClock.microseconds()
        #expect(abs(now - (entry.began ?? 0)) < 60_000_000)
    }

    @Test func filesAreOursAlone() throws {
        try leave("a")
        #expect(try Files.status(folder.file("state")).mode == 0o700)
        #expect(try Files.status(folder.file("state/handoffs")).mode == 0o700)
        #expect(try Files.status(file("a")).mode == 0o600)
        #expect(try ProcFS.names(inFolder: folder.file("state/handoffs")) == ["a.journal"])
        #expect(chmod(folder.file("state"), 0o755) == 0)
        #expect(code { _ = try directory() } == .insecure)
        #expect(code { _ = try JournalDirectory.existing(folder.file("state")) } == .insecure)
        #expect(try JournalDirectory.existing(folder.file("none")) == nil)
    }

    @Test func linksAreNotFollowed() throws {
        try leave("a")
        #expect(rename(file("a"), folder.file("elsewhere")) == 0)
        #expect(symlink(folder.file("elsewhere"), file("a")) == 0)
        #expect(code { _ = try directory().read("a") } == .insecure)
        #expect(code { _ = try directory().resume("a") } == .insecure)
        #expect(rename(folder.file("state"), folder.file("other")) == 0)
        #expect(symlink(folder.file("other"), folder.file("state")) == 0)
        #expect(code { _ = try directory() } == .insecure)
    }

    @Test(.enabled(if: geteuid() == 0, "run as root to make files of other users")) func otherUsersFiles() throws {
        try leave("a")
        #expect(chown(file("a"), 65534, 65534) == 0)
        #expect(code { _ = try directory().resume("a") } == .insecure)
        #expect(chown(folder.file("state/handoffs"), 65534, 65534) == 0)
        #expect(code { _ = try directory() } == .insecure)
    }

    @Test(arguments: ["", "a/b", "..", ".a", "a b", "ä", String(repeating: "a", count: 65)])
    func idsThatAreNoNames(id: String) throws {
        let directory = try directory()
        #expect(code { _ = try directory.create(id: id, facts: [:]) } == .invalidIdentifier)
        #expect(code { _ = try directory.read(id) } == .invalidIdentifier)
    }

    @Test func oneWriterAtATime() throws {
        let directory = try directory()
        var writer: JournalWriter? = try directory.create(id: "a", facts: [:])
        #expect(code { _ = try directory.create(id: "a", facts: [:]) } == .exists)
        #expect(code { _ = try directory.resume("a") } == .inUse)
        withExtendedLifetime(writer) {}
        writer = nil
        writer = try directory.resume("a")
        #expect(code { _ = try directory.resume("a") } == .inUse)
        try writer?.append(state: "rolledBack")
        #expect(try directory.read("a").records.count == 2)
        #expect(code { _ = try directory.resume("b") } == .notFound)
        #expect(code { _ = try directory.read("b") } == .notFound)
    }

    @Test func aTornTailIsCopiedAsideAndCutOff() throws {
        let directory = try directory()
        try leave("a")
        let bytes = try Files.readAll(file("a"))
        let line = (bytes.dropLast().lastIndex(of: UInt8(ascii: "\n")) ?? 0) + 1
        for (count, length) in [bytes.count - 1, line + 1, line + 20].enumerated() {
            try Files.replaceAtomically(file("a"), bytes: Array(bytes[..<length]))
            #expect(try directory.read("a").damage == .tornTail(bytes: length - line))
            #expect(try Files.readAll(file("a")).count == length)
            let writer = try directory.resume("a")
            #expect(writer.reading.records.map(\.state) == ["planned", "launched"])
            let copy = try #require(writer.tornTailCopy)
            #expect(copy == "\(file("a")).torn-\(count + 1)")
            #expect(try Files.readAll(copy) == Array(bytes[line..<length]))
            try writer.append(state: "rolledBack")
            #expect(try directory.read("a").damage == nil)
        }
        #expect(try directory.read("a").records.map(\.state) == ["planned", "launched", "rolledBack"])
    }

    @Test func aHandoffWithoutOneWholeRecordCanBeEnded() throws {
        let directory = try directory()
        try leave("a")
        try Files.replaceAtomically(file("a"), bytes: Array(try Files.readAll(file("a")).prefix(10)))
        #expect(try directory.entries().map(\.state) == [nil])
        let writer = try directory.resume("a")
        #expect(writer.reading.records == [])
        try writer.append(state: "rolledBack")
        #expect(try directory.read("a").damage == nil)
    }

    @Test func damageAndNewerVersionsAreLeftAsTheyAre() throws {
        let directory = try directory()
        try leave("a")
        var bytes = try Files.readAll(file("a"))
        bytes[30] ^= 1
        try Files.replaceAtomically(file("a"), bytes: bytes)
        #expect(code { _ = try directory.resume("a") } == .damaged)
        #expect(try Files.readAll(file("a")) == bytes)
        let newer = Array("hf2 0 anything\n".utf8)
        try Files.replaceAtomically(file("a"), bytes: newer)
        #expect(code { _ = try directory.resume("a") } == .newerVersion)
        #expect(try Files.readAll(file("a")) == newer)
        #expect(try directory.entries().map(\.reading.damage) == [.newerVersion(2)])
        #expect(try ProcFS.names(inFolder: folder.file("state/handoffs")) == ["a.journal"])
    }

    @Test func anOddFileKeepsNobodyFromTheOthers() throws {
        let directory = try directory()
        try directory.create(id: "good", facts: [:]).close()
        let handoffs = folder.file("state/handoffs")
        try Files.replaceAtomically(folder.file("state/handoffs/a b.journal"), bytes: Array("foreign".utf8))
        #expect(mkdir("\(handoffs)/folder.journal", 0o700) == 0)
        #expect(symlink("good.journal", "\(handoffs)/link.journal") == 0)
        #expect(symlink("nowhere", "\(handoffs)/loose.journal") == 0)
        let entries = try directory.entries()
        #expect(entries.count == 5)
        for entry in entries {
            #expect((entry.reading.damage == nil) == (entry.id == "good"), "\(entry)")
        }
        #expect(try directory.prune(keep: 0) == [])
    }

    @Test func whatIsNoFolderIsNotTakenForAnEmptyOne() throws {
        try Files.replaceAtomically(folder.file("state"), bytes: [])
        #expect(code { _ = try JournalDirectory.existing(folder.file("state")) } == .insecure)
        #expect(try JournalDirectory.existing(folder.file("none")) == nil)
    }

    @Test func onlyWhatIsOverIsForgotten() throws {
        let directory = try directory()
        let active = try directory.create(id: "active", facts: [:])
        try active.append(state: HandoffState.retired.rawValue)
        try leave("unfinished")
        try leave("damaged", states: [HandoffState.retired.rawValue])
        var bytes = try Files.readAll(file("damaged"))
        bytes[bytes.count - 3] ^= 1
        try Files.replaceAtomically(file("damaged"), bytes: bytes)
        for index in 0..<6 { try leave("over\(index)", states: [HandoffState.rolledBack.rawValue]) }
        try Files.replaceAtomically("\(file("over0")).torn-1", bytes: [1])
        #expect(try directory.prune(keep: 7) == ["over0", "over1"])
        #expect(try directory.prune(keep: 7) == [])
        #expect(try directory.prune(keep: 0) == ["over2", "over3", "over4", "over5"])
        let left = Set(try ProcFS.names(inFolder: folder.file("state/handoffs")))
        #expect(left == ["active.journal", "unfinished.journal", "damaged.journal"])
    }

    @Test func aKilledControllerLeavesAllThatItRecorded() async throws {
        // `leave` simulates a process that dies without closing its journal; here a real child holds the file open for
        // writing until it is killed.
        try leave("a")
        let file = try Descriptor.open(file("a"), flags: O_RDWR | O_APPEND)
        var request = SpawnRequest(executable: "/bin/sleep", arguments: ["sleep", "60"])
        request.descriptors = [.init(source: file.number, number: 3)]
        let process = try ProcessHandle(try spawn(request))
        try process.signal(SIGKILL)
        #expect(await process.waitForExit(within: .seconds(5)))
        #expect(try directory().resume("a").reading.records.count == 3)
    }
}
