import Glibc
import Linux
import StackFile
import VirtualMachines

/// The file of this host that is a guest's memory, in every hypervisor that has the guest.
struct GuestMemoryFile: Sendable {
    private let file: CoMappedFile
    private let shape: MemoryFileShape

    init(_ guest: InnerGuestSpec, in stack: Stack) {
        shape = MemoryFileShape(memory: guest.memory)
        file = CoMappedFile(
            path: stack.memoryFile(of: guest.name), size: shape.fileSize,
            headLength: max(Int(stack.hyperplexor.hugePages.pageSize), Int(MemoryFileShape.infoBlockSize)),
            content: "the memory file of guest \(guest.name)", directory: stack.hyperplexor.memoryDirectory)
    }

    var path: String { file.path }
    /// Bytes: the guest's memory and the areas around it.
    var size: UInt64 { file.size }

    /// Creates the file, in which hypervisors find a device DAX.
    func create() throws(HyperFreshError) { try file.create(DAXInfoBlock(shape, identity: UniqueID())) }
    /// Checks that the file is unchanged since it was created.
    func verify() throws(HyperFreshError) { try file.verify() }
    /// Checks in addition that it is the file that a hypervisor or OS VM maps.
    func verify(mappedBy hypervisor: ProcessIdentity) throws(HyperFreshError) {
        try file.verify(mappedBy: hypervisor)
    }
    /// Removes it, unless a process other than those named uses it.
    func remove(butFor idle: Set<ProcessIdentity> = []) throws(HyperFreshError) { try file.remove(butFor: idle) }

    /// Removes the folder, once it is empty.
    static func removeFolder(of stack: Stack) { rmdir(stack.hyperplexor.memoryDirectory) }
}
