/// One container of an OS VM: an OCI bundle of this host that runc runs.
public struct ContainerSpec: Sendable, Hashable {
    /// Its name: unique within the stack, also among guests.
    public var name: String
    /// The bundle's folder on this host, absolute: `config.json` and the root file system.
    public var bundle: String
    /// The most memory that it may use, in bytes; a multiple of 2 MiB.
    ///
    /// The size of its image store follows from it.
    public var memory: UInt64
    /// Its network card; `nil` for a container that has the loopback interface only.
    public var card: ContainerCard?

    /// Describes a container.
    ///
    /// - Parameters:
    ///   - name: Unique within the stack.
    ///   - bundle: The bundle's folder on this host, absolute.
    ///   - memory: The most memory that it may use, in bytes.
    ///   - card: Its network card.
    public init(name: String, bundle: String, memory: UInt64, card: ContainerCard?) {
        self.name = name
        self.bundle = bundle
        self.memory = memory
        self.card = card
    }
}
