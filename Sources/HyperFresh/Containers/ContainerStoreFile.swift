import Glibc
import Hypervisors
import Linux

/// The file of this host with a container's image store, in every OS VM that has it.
struct ContainerStoreFile: Sendable {
    let path: String
    /// Bytes.
    var size: UInt64 { shape.fileSize }
    let shape: StoreFileShape
    private let directory: String
    private let container: String

    init(_ container: ContainerSpec, in stack: Stack) {
        directory = stack.storeDirectory
        path = stack.storeFile(of: container.name)
        shape = StoreFileShape(memory: container.memory)
        self.container = container.name
    }

    /// Makes the file, 0600 in a folder 0700, with all of its memory reserved and an empty file system in it.
    func create() async throws(HyperFreshError) {
        do throws(SystemError) {
            try Files.createDirectory(directory)
            let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            do throws(SystemError) {
                try reserve(file)
                // Formatted once, before any OS VM sees it: each finds a disk.
                try Files.writeMapped(
                    DAXInfoBlock(shape, identity: UniqueID()).bytes, to: file, at: Int(DAXInfoBlock.offset),
                    mapped: Int(MemoryFileShape.infoBlockSize), name: path)
            } catch {
                unlink(path)
                throw error
            }
        } catch {
            throw HyperFreshError(
                "the image store of container \(container) (\(size >> 20) MiB) cannot be had in \(directory)",
                because: error,
                remedy: error.code == EEXIST
                    ? "Something of an earlier stack is left: end what uses it (`hyperfresh ps`), then remove \(path)."
                    : "Make room there (df \(directory)), or name another folder in the stack file.")
        }
        do throws(HyperFreshError) { try await format() } catch {
            unlink(path)
            throw error
        }
    }

    /// Makes an empty file system in it; whatever is in it is gone.
    ///
    /// It must not be mounted in any OS VM.
    func format() async throws(HyperFreshError) {
        // No journal: after a crash in the middle of a dump the store is made anew, for its images are of no use. What the
        // kernel would fill in later, while the container waits, is written now: the inodes' tables.
        try await HostProgram.run(
            "mkfs.ext4",
            [
                "-q", "-F", "-b", "\(StoreFileShape.blockSize)", "-m", "0", "-N", "4096",
                "-E", "offset=\(MemoryFileShape.infoBlockSize),nodiscard,lazy_itable_init=0",
                "-O", "^has_journal,^orphan_file,^resize_inode", path, "\(shape.blocks)",
            ])
        do throws(SystemError) {
            // It wrote zeros by giving memory back.
            try reserve(try Descriptor.open(path, flags: O_RDWR | O_NOFOLLOW))
        } catch {
            throw HyperFreshError(
                "the image store of container \(container) cannot be reserved", because: error,
                remedy: "Make room there: df \(directory).")
        }
    }

    /// Memory that is not there when an OS VM writes to it ends it (SIGBUS): so it is taken now.
    private func reserve(_ file: borrowing Descriptor) throws(SystemError) {
        let code = posix_fallocate(file.number, 0, off_t(size))
        guard code == 0 else { throw SystemError(operation: "posix_fallocate", subject: path, code: code) }
    }

    /// Whether it is as it was made: the right size, a file of ours alone, no link.
    func verify() throws(HyperFreshError) {
        do throws(SystemError) {
            let status = try Files.status(path, followingLinks: false)
            guard status.kind == .regular, status.size == Int64(size), status.mode & 0o077 == 0 else {
                throw SystemError(
                    operation: "stat", subject: path, code: EINVAL,
                    detail: "\(status.size) bytes, mode \(String(status.mode & 0o777, radix: 8)); wanted \(size), 600")
            }
        } catch {
            throw HyperFreshError(
                "the image store of container \(container) is not as it was made", because: error,
                remedy: "Somebody changed it. The container runs on; take the stack down when it suits.")
        }
    }

    func remove() { unlink(path) }

    /// Gives the memory back to this host, though OS VMs map the file still.
    ///
    /// Best effort: at the latest it is given back when they end.
    func empty() {
        guard let file = try? Descriptor.open(path, flags: O_RDWR | O_NOFOLLOW) else { return }
        try? Files.punchHole(Int64(MemoryFileShape.infoBlockSize)..<Int64(size), in: file, name: path)
    }

    /// Removes the folder, once it is empty.
    static func removeFolder(of stack: Stack) { rmdir(stack.storeDirectory) }
}
