/// What one stack file describes: a hyperplexor, its networks, its hypervisors with their guests, and its OS VMs with their
/// containers.
public struct Stack: Sendable, Hashable {
    /// Its name; part of the names of what is created for it.
    public var name: String
    /// The folder against which relative paths in it are read: the stack file's own.
    public var directory: String
    /// What this host gives to the hypervisors.
    public var hyperplexor: HyperplexorSpec
    /// The networks that guests and containers may join.
    public var networks: [NetworkSpec]
    /// The hypervisors, in the file's order, and after them the OS VMs (``HypervisorSpec/kind``).
    public var hypervisors: [HypervisorSpec]
}
