import Glibc
import Linux
import StackFile
import VirtualMachines

/// The file of this host that is a container's image store, in every OS VM that has the container.
struct ContainerStoreFile: Sendable {
    let shape: StoreFileShape
    private let file: CoMappedFile

    init(_ container: ContainerSpec, in stack: Stack) {
        shape = StoreFileShape(memory: container.memory)
        file = CoMappedFile(
            path: stack.storeFile(of: container.name), size: shape.fileSize,
            headLength: Int(MemoryFileShape.infoBlockSize), content: "the image store of container \(container.name)",
            directory: stack.storeDirectory)
    }

    var path: String { file.path }
    /// Bytes.
    var size: UInt64 { file.size }

    /// Creates the file with an empty file system in it, so that OS VMs find a disk.
    func create() async throws(HyperFreshError) {
        try file.create(DAXInfoBlock(shape, identity: UniqueID()))
        do throws(HyperFreshError) { try await format() } catch {
            // Just created by this process: no other process uses it.
            unlink(path)
            throw error
        }
    }

    /// Creates an empty file system in the file, which destroys its contents.
    ///
    /// It must not be mounted in any OS VM.
    func format() async throws(HyperFreshError) {
        // No journal: after a crash in the middle of a dump, the images are useless and the store is formatted again.
        // Write the inode tables now: otherwise the kernel would fill them in later, while the container waits.
        try await HostProgram.run(
            "mkfs.ext4",
            [
                "-q", "-F", "-b", "\(StoreFileShape.blockSize)", "-m", "0", "-N", "4096",
                "-E", "offset=\(MemoryFileShape.infoBlockSize),nodiscard,lazy_itable_init=0",
                "-O", "^has_journal,^orphan_file,^resize_inode", path, "\(shape.blocks)",
            ])
        do throws(SystemError) {
            // mkfs.ext4 wrote zeros by releasing memory.
            try file.reserve(try Descriptor.open(path, flags: O_RDWR | O_NOFOLLOW))
        } catch {
            throw HyperFreshError(
                "cannot reserve the space for \(file.content)", because: error,
                remedy: "Free space there: `df \(file.directory)`.")
        }
    }

    /// Checks that the file is unchanged since it was created.
    func verify() throws(HyperFreshError) { try file.verify() }
    /// Checks in addition that it is the file that a hypervisor or OS VM maps.
    func verify(mappedBy hypervisor: ProcessIdentity) throws(HyperFreshError) {
        try file.verify(mappedBy: hypervisor)
    }
    /// Removes it, unless a process other than those named uses it.
    func remove(butFor idle: Set<ProcessIdentity> = []) throws(HyperFreshError) { try file.remove(butFor: idle) }

    /// Removes the folder, once it is empty.
    static func removeFolder(of stack: Stack) { rmdir(stack.storeDirectory) }
}
