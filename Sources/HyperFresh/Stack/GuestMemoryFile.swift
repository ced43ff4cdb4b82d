import Glibc
import Hypervisors
import Linux

/// The file of this host that is a guest's memory, in every hypervisor that has it.
struct GuestMemoryFile: Sendable {
    let path: String
    /// Bytes, the guest's memory and what stands around it.
    let size: UInt64
    private let shape: MemoryFileShape
    /// As much of the file as the info block needs, in whole pages.
    private let headLength: Int
    private let directory: String
    private let guest: String

    init(_ guest: InnerGuestSpec, in stack: Stack) {
        directory = stack.hyperplexor.memoryDirectory
        path = stack.memoryFile(of: guest.name)
        headLength = max(Int(stack.hyperplexor.hugePages.pageSize), Int(MemoryFileShape.infoBlockSize))
        shape = MemoryFileShape(memory: guest.memory)
        size = shape.fileSize
        self.guest = guest.name
    }

    /// Makes the file, 0600 in a folder 0700, with all of its memory reserved.
    func create() throws(HyperFreshError) {
        do throws(SystemError) {
            try Files.createDirectory(directory)
            let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            // Memory that is not there when a guest writes to it ends its hypervisor (SIGBUS): so it is taken now.
            let code = posix_fallocate(file.number, 0, off_t(size))
            guard code == 0 else {
                unlink(path)
                throw SystemError(operation: "posix_fallocate", subject: path, code: code)
            }
            // Formatted once, before any hypervisor sees it: each finds a device DAX.
            try Files.writeMapped(
                DAXInfoBlock(shape, identity: UniqueID()).bytes, to: file, at: Int(DAXInfoBlock.offset),
                mapped: headLength, name: path)
        } catch {
            throw HyperFreshError(
                "the memory of guest \(guest) (\(size >> 20) MiB) cannot be had in \(directory)", because: error,
                remedy: error.code == EEXIST
                    ? "Something of an earlier stack is left: end what uses it (`hyperfresh ps`), then remove \(path)."
                    : "Make room there (df \(directory)), or name another folder in the stack file.")
        }
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
                "the memory file of guest \(guest) is not as it was made", because: error,
                remedy: "Somebody changed it. The guest runs on; take the stack down when it suits.")
        }
    }

    func remove() { unlink(path) }

    /// Gives the guest's memory back to this host, though hypervisors map the file still.
    ///
    /// Best effort: at the latest it is given back when they end.
    func empty() {
        guard let file = try? Descriptor.open(path, flags: O_RDWR | O_NOFOLLOW) else { return }
        try? Files.punchHole(Int64(headLength)..<Int64(size), in: file, name: path)
    }

    /// Removes the folder, once it is empty.
    static func removeFolder(of stack: Stack) { rmdir(stack.hyperplexor.memoryDirectory) }
}
