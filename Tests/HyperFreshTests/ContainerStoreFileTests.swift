import Glibc
import Linux
import StackFile
import TestTools
import Testing

@testable import HyperFresh
import VirtualMachines

/// A container's image store is created once, completely, private, and with a file system.
@Suite struct ContainerStoreFileTests {
    private static let hasTool = Files.exists("/usr/sbin/mkfs.ext4") || Files.exists("/sbin/mkfs.ext4")

    private let scratch: ScratchFolder
    private let file: ContainerStoreFile

    init() throws {
        scratch = ScratchFolder(in: "/dev/shm")
        let stack = try Sample.systems(hyperplexor: "memory-directory: \(scratch.path)/memory")
        file = ContainerStoreFile(try #require(stack.containers.first), in: stack)
    }

    @Test(.enabled(if: hasTool, "needs e2fsprogs")) func itIsMadeAsAnOSVMWantsIt() async throws {
        try await file.create()
        let status = try Files.status(file.path)
        #expect(status.mode == 0o600)
        #expect(status.size == 96 << 20, "twice 16M and 64M")
        #expect(try Files.status("\(scratch.path)/memory").mode == 0o700)
        try file.verify()
        let bytes = try Files.readAll(file.path, limit: 128 << 20)
        #expect(bytes[4096..<4096 + 15].elementsEqual("NVDIMM_PFN_INFO".utf8))
        // The magic number of ext4's superblock, 1024 + 56 bytes after the info block.
        let superblock = 2 << 20 + 1024
        #expect(bytes[superblock + 56] == 0x53 && bytes[superblock + 57] == 0xEF)
        #expect(Self.reservedBytes(of: file.path) >= 96 << 20, "what is not there when it is written ends an OS VM")
        try file.remove()
        #expect(!Files.exists(file.path))
    }

    @Test(.enabled(if: hasTool, "needs e2fsprogs")) func anotherFormatEmptiesIt() async throws {
        try await file.create()
        let content = try Files.readAll(file.path, limit: 128 << 20)
        try await file.format()
        let bytes = try Files.readAll(file.path, limit: 128 << 20)
        #expect(bytes[..<(2 << 20)] == content[..<(2 << 20)], "the info block stays: OS VMs have read it")
        #expect(Self.reservedBytes(of: file.path) >= 96 << 20)
        try file.verify()
    }

    @Test(.enabled(if: hasTool, "needs e2fsprogs")) func anotherContainersStoreIsNeverTaken() async throws {
        try await file.create()
        let error = await #expect(throws: HyperFreshError.self) { try await file.create() }
        #expect(error?.remedy.contains(file.path) == true)
        try file.verify()
        #expect(chmod(file.path, 0o644) == 0)
        #expect(throws: HyperFreshError.self) { try file.verify() }
    }

    @Test func onAHugetlbfsTheStoreIsElsewhere() throws {
        let stack = try Sample.systems(hyperplexor: "memory-directory: /dev/hugepages/x, huge-pages: 2M")
        #expect(stack.storeFile(of: "redis") == "/dev/shm/hyperfresh-rack7/redis.store")
    }

    private static func reservedBytes(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_blocks) * 512 : 0
    }
}
