import Linux
import Testing

@testable import Guests

@Suite("The proof that two QEMUs have the same memory")
struct MemoryIdentityTests {
    private static let size: UInt64 = 1 << 30
    private static let layout = [GuestMemoryRange(backend: "ram0", address: 0, offset: 0, size: size)]

    private func backend(
        inode: UInt64 = 7, type: String = "memory-backend-file", share: Bool = true, mappedShared: Bool = true,
        size: UInt64 = size, mappedSize: UInt64? = nil, offset: UInt64 = 0, deleted: Bool = false
    ) -> MemoryBackend {
        MemoryBackend(
            id: "ram0", type: type, size: size, isShared: share, path: "/dev/shm/vm",
            mapping: MappedFile(
                identity: FileIdentity(device: 26, inode: inode), path: "/dev/shm/vm", isDeleted: deleted,
                isShared: mappedShared, offset: offset, size: mappedSize ?? size))
    }

    private func verdict(
        _ old: MemoryBackend, _ new: MemoryBackend, layout: [GuestMemoryRange] = layout
    ) -> MemoryIdentityError.Code? {
        do throws(MemoryIdentityError) {
            _ = try MemoryIdentity.compare(old: [old], Self.layout, new: [new], layout)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("The same file at the same addresses")
    func same() throws {
        let identity = try MemoryIdentity.compare(old: [backend()], Self.layout, new: [backend()], Self.layout)
        #expect(identity.description == "ram0 = /dev/shm/vm (26:7), 1073741824 bytes")
    }

    @Test("Everything that QEMU would accept in silence")
    func differences() {
        #expect(verdict(backend(), backend(inode: 8)) == .fileDiffers, "replaced under its name")
        #expect(verdict(backend(inode: 8, deleted: true), backend()) == .notNamedFile, "removed and made anew")
        #expect(verdict(backend(), backend(mappedSize: 2 * Self.size)) == .sizeDiffers, "larger")
        #expect(verdict(backend(), backend(size: 2 * Self.size)) == .sizeDiffers)
        #expect(verdict(backend(), backend(offset: 4096)) == .sizeDiffers)
        #expect(verdict(backend(), backend(mappedShared: false)) == .notShared, "a private mapping")
        #expect(verdict(backend(), backend(share: false)) == .notShared)
        #expect(verdict(backend(share: false), backend()) == .notShared)
        #expect(verdict(backend(type: "memory-backend-memfd"), backend(type: "memory-backend-memfd")) == .notNamedFile)
        #expect(verdict(backend(), backend(type: "memory-backend-ram")) == .notNamedFile)
    }

    @Test("Other guest addresses")
    func layouts() {
        let moved = [GuestMemoryRange(backend: "ram0", address: 1 << 32, offset: 0, size: Self.size)]
        #expect(verdict(backend(), backend(), layout: moved) == .layoutDiffers)
        #expect(verdict(backend(), backend(), layout: []) == .layoutDiffers)
        #expect(throws: MemoryIdentityError.self) {
            try MemoryIdentity.compare(old: [backend()], [], new: [backend()], [])
        }
    }

    @Test("Backends that only one has")
    func backends() {
        #expect(throws: MemoryIdentityError.self) {
            try MemoryIdentity.compare(old: [], Self.layout, new: [], Self.layout)
        }
        var other = backend()
        other.id = "ram1"
        #expect(verdict(backend(), other) == .backendMissing)
        #expect(throws: MemoryIdentityError.self) {
            try MemoryIdentity.compare(old: [backend()], Self.layout, new: [backend(), other], Self.layout)
        }
    }
}

@Suite("The mapping behind a backend")
struct MappedFileTests {
    private func file(_ path: String, size: UInt64 = 4096, deleted: Bool = false) -> MappedFile {
        MappedFile(
            identity: FileIdentity(device: 1, inode: 1), path: path, isDeleted: deleted, isShared: true, size: size)
    }

    @Test("By its name, through a symbolic link, or in a folder of huge pages")
    func backing() {
        let files = [file("/lib/x.so"), file("/run/vm/ram"), file("/huge/qemu_back_mem.ram0.Xy12", deleted: true)]
        func find(_ path: String, resolved: String? = nil, size: UInt64 = 4096) -> String? {
            MappedFile.backing(path: path, resolvedPath: resolved, id: "ram0", size: size, in: files)?.path
        }
        #expect(find("/run/vm/ram") == "/run/vm/ram")
        #expect(find("/var/run/vm/ram", resolved: "/run/vm/ram") == "/run/vm/ram")
        #expect(find("/huge") == "/huge/qemu_back_mem.ram0.Xy12")
        #expect(find("/run/vm/ram", size: 8192) == nil, "too small to be it")
        #expect(find("/elsewhere") == nil)
    }
}
