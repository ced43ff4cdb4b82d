import Glibc
import TestTools
import Testing

@testable import Linux

@Suite struct FilesTests {
    @Test func readsAreBounded() throws {
        let folder = ScratchFolder()
        let path = folder.write("f", String(repeating: "x", count: 10_000))
        #expect(try Files.readAll(path).count == 10_000)
        #expect(try Files.readAll(path, limit: 10_000).count == 10_000)
        #expect(code { _ = try Files.readAll(path, limit: 9_999) } == EFBIG)
        #expect(code { _ = try Files.readAll(folder.path) } == EISDIR)
        #expect(code { _ = try Files.readAll("/dev/zero", limit: 1 << 20) } == EFBIG)
    }

    @Test func mappedWritesStayWithinWhatIsMapped() throws {
        let folder = ScratchFolder()
        let path = folder.write("f", String(repeating: "x", count: 8192))
        let file = try Descriptor.open(path, flags: O_RDWR)
        try Files.writeMapped([1, 2], to: file, at: 4094, mapped: 4096, name: path)
        #expect(try Array(Files.readAll(path)[4093..<4097]) == [120, 1, 2, 120])
        #expect(code { try Files.writeMapped([1, 2], to: file, at: 4095, mapped: 4096, name: path) } == EFBIG)
        #expect(code { try Files.writeMapped([1], to: file, at: -1, mapped: 4096, name: path) } == EFBIG)
        let folderFile = try Descriptor.open(folder.path, flags: O_RDONLY)
        #expect(code { try Files.writeMapped([1], to: folderFile, at: 0, mapped: 4096, name: path) } == EACCES)
    }

    @Test func replacingIsWholeAndLeavesNothing() throws {
        let folder = ScratchFolder()
        let path = folder.write("f", "old")
        try Files.replaceAtomically(path, bytes: Array("new".utf8), mode: 0o640, durable: true)
        #expect(try Files.readAll(path) == Array("new".utf8))
        #expect(try Files.status(path).mode == 0o640)
        #expect(symlink("/etc/passwd", folder.file("link")) == 0)
        try Files.replaceAtomically(folder.file("link"), bytes: [1])
        #expect(try Files.status(folder.file("link"), followingLinks: false).kind == .regular)
        #expect(mkdir(folder.file("d"), 0o700) == 0)
        #expect(code { try Files.replaceAtomically(folder.file("d"), bytes: [1]) } == EISDIR)
        #expect(try ProcFS.names(inFolder: folder.path).sorted() == ["d", "f", "link"])
    }

    @Test func privateFolders() throws {
        let folder = ScratchFolder()
        let path = folder.file("state")
        try Files.createDirectory(path)
        try Files.createDirectory(path)
        #expect(try Files.status(path).mode == 0o700)
        #expect(chmod(path, 0o750) == 0)
        #expect(code { try Files.createDirectory(path) } == EPERM)
        #expect(symlink(path, folder.file("link")) == 0)
        #expect(code { try Files.createDirectory(folder.file("link")) } == ENOTDIR)
        #expect(code { try Files.createDirectory(folder.write("file", "")) } == ENOTDIR)
        #expect(code { try Files.createDirectory(folder.file("none/state")) } == ENOENT)
    }

    @Test func foldersThatOthersCouldReplace() throws {
        let folder = ScratchFolder()
        let open = folder.file("open")
        #expect(mkdir(open, 0o700) == 0 && chmod(open, 0o777) == 0)
        #expect(code { try Files.createDirectory("\(open)/state") } == EPERM)
        #expect(chmod(open, 0o1777) == 0)
        try Files.createDirectory("\(open)/state")
        guard geteuid() == 0 else { return }
        #expect(chown("\(open)/state", 65534, 65534) == 0)
        #expect(code { try Files.createDirectory("\(open)/state") } == EPERM)
        #expect(chown(open, 65534, 65534) == 0)
        #expect(code { try Files.createDirectory("\(open)/other") } == EPERM)
    }

    @Test func identitySurvivesRenames() throws {
        let folder = ScratchFolder()
        let path = folder.write("f", "x")
        let before = try Files.identity(path)
        #expect(rename(path, folder.file("g")) == 0)
        #expect(try Files.identity(folder.file("g")) == before)
        #expect(try Files.identity(folder.write("f", "x")) != before)
        #expect(try Files.freeBytes(folder.path) > 0)
    }

    @Test func locksExclude() throws {
        let folder = ScratchFolder()
        let path = folder.write("ram", "x")
        do {
            let first = try FileLock.tryAcquire(path)
            let second = try FileLock.tryAcquire(path)
            #expect(try identity(first) == Files.identity(path))
            #expect(identity(second) == nil)
        }
        let again = try FileLock.tryAcquire(path)
        #expect(identity(again) != nil)
    }

    private func identity(_ lock: borrowing FileLock?) -> FileIdentity? {
        switch lock {
        case .some(let lock): lock.identity
        case .none: nil
        }
    }

    @Test func locksAreOfRegularFilesOnly() throws {
        let folder = ScratchFolder()
        #expect(symlink(folder.write("f", ""), folder.file("link")) == 0)
        #expect(code { _ = try FileLock.tryAcquire(folder.file("link")) } == ELOOP)
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        #expect(code { _ = try FileLock.tryAcquire(folder.file("pipe")) } == EINVAL)
        #expect(code { _ = try FileLock.tryAcquire(folder.path) } == EINVAL)
        #expect(code { _ = try FileLock.tryAcquire(folder.file("none")) } == ENOENT)
    }

    @Test func errorsReadWell() {
        let error = SystemError(operation: "open", subject: "/x", code: EACCES)
        #expect(error.description == "open /x: Permission denied" && error.name == "EACCES")
        let detailed = SystemError(operation: "mkdir", subject: "", code: EPERM, detail: "why")
        #expect(detailed.description == "mkdir: Operation not permitted (why)")
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
            (1_798_761_599_500_000, "2026-12-31T23:59:59.500000Z"),
        ] as [(Int64, String)])
    func timesAreWritten(microseconds: Int64, text: String) {
        #expect(WallClock.rfc3339(microseconds) == text)
    }
}
