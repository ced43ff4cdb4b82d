import Glibc
import JSON
import Linux
import TestTools
import Testing

@testable import Journal

private var mayMount: Bool {
    ((try? ProcFS.credentials(getpid()).effective) ?? 0) & 1 << 21 != 0
}

/// A full disk, on a file system of 16 pages.
@Suite(.serialized, .enabled(if: mayMount, "needs CAP_SYS_ADMIN to mount a small file system"))
struct FullDiskTests {
    /// Calls `body` with a folder on a new small file system.
    private func withSmallFileSystem(pages: Int, _ body: (String) throws -> Void) throws {
        let folder = ScratchFolder()
        let options = "size=\(pages * 4096),mode=700"
        try #require(mount("tmpfs", folder.path, "tmpfs", 0, options) == 0)
        defer { umount2(folder.path, 2) }
        try body(folder.path)
    }

    @Test func withoutRoomNoHandoffBegins() throws {
        try withSmallFileSystem(pages: 4) { path in
            let directory = try JournalDirectory("\(path)/state")
            let error = #expect(throws: JournalError.self) { _ = try directory.create(id: "a", facts: [:]) }
            #expect(error?.code == .noRoom && error?.message.contains("No space left on device") == true)
            #expect(try ProcFS.names(inFolder: directory.path) == [])
        }
    }

    @Test func theRoomSetAsideOutlastsAFullDisk() throws {
        try withSmallFileSystem(pages: 20) { path in
            let directory = try JournalDirectory("\(path)/state")
            let writer = try directory.create(id: "a", facts: [:])
            fill(path)
            for _ in 0..<20 {
                try writer.append(state: "linked", facts: ["x": .string(String(repeating: "x", count: 2000))])
            }
            #expect(try directory.read("a").records.count == 21)
        }
    }

    @Test func aRecordThatDoesNotFitLeavesTheEarlierOnesWhole() throws {
        try withSmallFileSystem(pages: 20) { path in
            let directory = try JournalDirectory("\(path)/state")
            let writer = try directory.create(id: "a", facts: [:])
            fill(path)
            var written = 1
            var failure: JournalError?
            for _ in 0..<100 where failure == nil {
                do throws(JournalError) {
                    try writer.append(state: "linked", facts: ["x": .string(String(repeating: "x", count: 3000))])
                    written += 1
                } catch {
                    failure = error
                }
            }
            #expect(failure?.code == .noRoom)
            #expect(written > 10)
            let reading = try directory.read("a")
            #expect(reading.records.count == written && reading.damage == nil)
            #expect(unlink("\(path)/filler") == 0)
            try writer.append(state: "rolledBack")
            #expect(try directory.read("a").state == "rolledBack")
        }
    }

    @Test func theRoomIsGivenBack() throws {
        try withSmallFileSystem(pages: 64) { path in
            let directory = try JournalDirectory("\(path)/state")
            let before = try Files.freeBytes(path)
            do {
                let writer = try directory.create(id: "a", facts: [:])
                #expect(try Files.freeBytes(path) <= before - 60_000)
                writer.close()
                #expect(code { try writer.append(state: "linked") } == .closed)
            }
            #expect(try Files.freeBytes(path) >= before - 3 * 4096)
        }
    }

    private func fill(_ path: String) {
        let number = open("\(path)/filler", O_WRONLY | O_CREAT, 0o600)
        defer { close(number) }
        let page = [UInt8](repeating: 0, count: 4096)
        while write(number, page, page.count) > 0 {}
    }
}
