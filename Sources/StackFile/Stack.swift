/// The content of one stack file: a hyperplexor, networks, hypervisors with their guests, and OS VMs with their
/// containers.
public struct Stack: Sendable, Hashable {
    /// Its name; part of the names of everything created for it.
    public var name: String
    /// The folder to which its relative paths refer: the stack file's own.
    public var directory: String
    /// The settings of this host.
    public var hyperplexor: HyperplexorSpec
    /// The networks that guests and containers may join.
    public var networks: [NetworkSpec]
    /// The hypervisors, in the file's order, and after them the OS VMs (``HypervisorSpec/kind``).
    public var hypervisors: [HypervisorSpec]
}
