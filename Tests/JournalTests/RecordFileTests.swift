import Glibc
import JSON
import Linux
import TestTools
import Testing

@testable import Journal

/// One record in one file: it is present, absent or damaged.
@Suite struct RecordFileTests {
    private let folder: String
    private let file: RecordFile

    init() throws {
        folder = "/tmp/hyperfresh-record-\(getpid())-\(UInt32.random(in: .min ... .max))"
        try Files.createDirectory(folder)
        file = RecordFile("\(folder)/record", subject: "placement alpha")
    }

    private func remove() {
        for name in (try? ProcFS.names(inFolder: folder)) ?? [] {
            unlink("\(folder)/\(name)")
            rmdir("\(folder)/\(name)")
        }
        rmdir(folder)
    }

    private var isAbsent: Bool { if case .absent = file.read() { true } else { false } }

    @Test func whatIsWrittenIsRead() throws {
        defer { remove() }
        #expect(isAbsent)
        for members in [[:], ["guests": ["web": "1f3c"]], ["text": "a\nb\u{1F980}\0"]] as [[String: JSONValue]] {
            try file.write(members)
            #expect(file.read().shown == members)
            #expect(try Files.status(file.path).mode == 0o600)
        }
        #expect(try ProcFS.names(inFolder: folder) == ["record"])
    }

    @Test func everyFlippedBitAndEveryCutIsSeen() throws {
        defer { remove() }
        try file.write(["guests": ["web": "1f3c", "db": "a001"]])
        let whole = try Files.readAll(file.path)
        for index in whole.indices {
            for bit in 0..<8 {
                var bytes = whole
                bytes[index] ^= 1 << bit
                try Files.replaceAtomically(file.path, bytes: bytes)
                #expect(file.read().damage != nil, "byte \(index), bit \(bit)")
            }
            try Files.replaceAtomically(file.path, bytes: Array(whole[..<index]))
            #expect(file.read().damage?.path == file.path, "cut off after \(index) bytes")
        }
        try Files.replaceAtomically(file.path, bytes: whole + whole)
        #expect(file.read().damage != nil)
    }

    @Test func aRecordOfSomethingElseDoesNotFit() throws {
        defer { remove() }
        try RecordFile(file.path, subject: "placement beta").write(["guests": [:]])
        #expect(file.read().damage?.reason.contains("checksum") == true)
    }

    @Test func aNewerVersionIsNamed() throws {
        defer { remove() }
        try Files.replaceAtomically(file.path, bytes: Array("hf2 0 00000000 {}\n".utf8))
        #expect(file.read().damage?.reason.contains("format 2") == true)
    }

    @Test func whatIsNoFileOfOursIsDamaged() throws {
        defer { remove() }
        #expect(mkdir(file.path, 0o700) == 0)
        #expect(file.read().damage != nil)
        rmdir(file.path)
        #expect(symlink("/dev/null", file.path) == 0)
        #expect(file.read().damage != nil)
        unlink(file.path)
        #expect(mkfifo(file.path, 0o600) == 0)
        #expect(file.read().damage != nil)
        unlink(file.path)
        if geteuid() == 0 {
            try file.write([:])
            #expect(chown(file.path, 65534, 65534) == 0)
            #expect(file.read().damage != nil)
        }
    }

    @Test func anEmptyFolderInItsPlaceIsReplacedAndAFullOneStays() throws {
        defer { remove() }
        #expect(mkdir(file.path, 0o700) == 0)
        try file.write(["x": 1])
        #expect(file.read().shown == ["x": 1])
        unlink(file.path)
        #expect(mkdir(file.path, 0o700) == 0)
        try Files.replaceAtomically("\(file.path)/kept", bytes: [1])
        #expect(throws: SystemError.self) { try file.write(["x": 2]) }
        #expect(try Files.readAll("\(file.path)/kept") == [1])
        unlink("\(file.path)/kept")
    }

    @Test func aValueThatTheRecordDoesNotHoldIsDamage() throws {
        defer { remove() }
        #expect(file.read().reading(at: file.path) { $0["x"]?.int }.damage == nil, "absent stays absent")
        try file.write(["x": "text"])
        #expect(file.read().reading(at: file.path) { $0["x"]?.int }.damage?.path == file.path)
        #expect(file.read().reading(at: file.path) { $0["x"]?.string }.shown == "text")
    }
}
