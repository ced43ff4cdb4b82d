import Glibc
import Linux
import StackFile
import TestTools
import Testing

@testable import HyperFresh
import VirtualMachines

/// A guest's memory file is created once, completely, private and formatted.
@Suite struct GuestMemoryFileTests {
    private let scratch: ScratchFolder
    private let file: GuestMemoryFile

    init() throws {
        scratch = ScratchFolder(in: "/dev/shm")
        file = try Self.file(in: "\(scratch.path)/memory")
    }

    private static func file(in folder: String, hugePages: String = "none") throws -> GuestMemoryFile {
        let stack = try Sample.stack("rack7", hyperplexor: "memory-directory: \(folder), huge-pages: \(hugePages)")
        return GuestMemoryFile(try #require(stack.hypervisors.first?.guests.first), in: stack)
    }

    @Test func itIsMadeAsHypervisorsWantIt() throws {
        try file.create()
        let status = try Files.status(file.path)
        #expect(status.mode == 0o600)
        #expect(status.size == 32 << 20, "16M for the guest, 4M around it, a multiple of 16M")
        #expect(try Files.status("\(scratch.path)/memory").mode == 0o700)
        try file.verify()
        let bytes = try Files.readAll(file.path, limit: 64 << 20)
        #expect(bytes[4096..<4096 + 15].elementsEqual("NVDIMM_DAX_INFO".utf8))
        #expect(bytes[..<4096].allSatisfy { $0 == 0 })
        #expect(bytes[8192...].allSatisfy { $0 == 0 })
        try file.remove()
        #expect(!Files.exists(file.path))
    }

    @Test func anotherGuestsMemoryIsNeverTaken() throws {
        try file.create()
        let error = #expect(throws: HyperFreshError.self) { try file.create() }
        #expect(error?.remedy.contains(file.path) == true)
        try file.verify()
    }

    @Test func whatWasChangedIsNotAccepted() throws {
        try file.create()
        #expect(chmod(file.path, 0o644) == 0)
        #expect(throws: HyperFreshError.self) { try file.verify() }
        #expect(chmod(file.path, 0o600) == 0)
        try file.verify()
        #expect(truncate(file.path, 16 << 20) == 0)
        let error = #expect(throws: HyperFreshError.self) { try file.verify() }
        #expect(error?.message.contains("the memory file of guest") == true)
        try file.remove()
        #expect(throws: HyperFreshError.self) { try file.verify() }
        #expect(symlink("/etc/hostname", file.path) == 0)
        #expect(throws: HyperFreshError.self) { try file.verify() }
    }

    private static let hugePages = HugePagesHere.firstHugetlbfs

    @Test(.enabled(if: hugePages != nil, "needs a hugetlbfs with 16 free pages of 2 MiB"))
    func itIsMadeOfHugePagesToo() throws {
        let folder = ScratchFolder(in: try #require(Self.hugePages))
        let file = try Self.file(in: "\(folder.path)/memory", hugePages: "2M")
        try file.create()
        try file.verify()
        let bytes = try Files.readAll(file.path, limit: 64 << 20)
        #expect(bytes[4096..<4096 + 15].elementsEqual("NVDIMM_DAX_INFO".utf8))
    }
}

/// The huge pages of this machine.
enum HugePagesHere {
    /// A folder with 2 MiB huge pages; nil if there are not enough.
    static let firstHugetlbfs: String? = {
        func text(_ path: String) -> String { String(decoding: (try? Files.readAll(path)) ?? [], as: UTF8.self) }
        let free = text("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").filter(\.isNumber)
        guard let count = Int(free), count >= 16 else { return nil }
        let lines = text("/proc/mounts").split(separator: "\n").map { $0.split(separator: " ") }
        let mount = lines.first { $0.count > 3 && $0[2] == "hugetlbfs" && $0[3].contains("pagesize=2M") }
        return mount.map { String($0[1]) }
    }()
}
