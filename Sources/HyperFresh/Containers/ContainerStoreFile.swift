import Glibc
import Linux
import StackFile
import VirtualMachines

/// The file of this host with a container's image store, in every OS VM that has it.
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

    /// Makes the file, with an empty file system in it: OS VMs find a disk.
    func create() async throws(HyperFreshError) {
        try file.create(DAXInfoBlock(shape, identity: UniqueID()))
        do throws(HyperFreshError) { try await format() } catch {
            // Made a moment ago, by this process: nobody else has it.
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
            try file.reserve(try Descriptor.open(path, flags: O_RDWR | O_NOFOLLOW))
        } catch {
            throw HyperFreshError(
                "\(file.content) cannot be reserved", because: error,
                remedy: "Make room there: df \(file.directory).")
        }
    }

    /// Whether it is as it was made.
    func verify() throws(HyperFreshError) { try file.verify() }
    /// Whether it is, too, the one that a hypervisor or OS VM maps.
    func verify(mappedBy hypervisor: ProcessIdentity) throws(HyperFreshError) {
        try file.verify(mappedBy: hypervisor)
    }
    /// Removes it, unless a process other than those named has it.
    func remove(butFor idle: Set<ProcessIdentity> = []) throws(HyperFreshError) { try file.remove(butFor: idle) }

    /// Removes the folder, once it is empty.
    static func removeFolder(of stack: Stack) { rmdir(stack.storeDirectory) }
}
