import Glibc
import Testing

@testable import Linux

/// The processes that have a file open or mapped, by device and inode.
@Suite struct FileHolderTests {
    private func withFile(_ body: (String) throws -> Void) throws {
        let path = "/dev/shm/hyperfresh-holder-\(getpid())-\(UInt32.random(in: .min ... .max))"
        defer { unlink(path) }
        let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        #expect(ftruncate(file.number, 4096) == 0)
        _ = consume file
        try body(path)
    }

    @Test func aFileThatNobodyHasHasNoHolder() throws {
        try withFile { path in
            let holders = try FileHolder.all(of: try Files.identity(path))
            #expect(holders.isEmpty)
        }
    }

    @Test func whoHasItOpenIsFoundWhateverItsNameIs() throws {
        try withFile { path in
            let identity = try Files.identity(path)
            for (flags, writes) in [(O_RDONLY, false), (O_RDWR, true)] {
                let file = try Descriptor.open(path, flags: flags)
                #expect(rename(path, "\(path).moved") == 0 && rename("\(path).moved", path) == 0)
                let holder = try #require(try FileHolder.all(of: identity).first)
                #expect(holder.process.pid == getpid())
                #expect(holder.writes == writes)
                withExtendedLifetime(file) {}
                _ = consume file
            }
        }
    }

    @Test func whoMapsItIsFoundThoughItIsClosed() throws {
        try withFile { path in
            let identity = try Files.identity(path)
            let file = try Descriptor.open(path, flags: O_RDWR)
            let memory = try #require(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0))
            defer { munmap(memory, 4096) }
            _ = consume file
            let holder = try #require(try FileHolder.all(of: [identity])[identity]?.first)
            #expect(holder.process.pid == getpid() && holder.writes)
        }
    }
}
