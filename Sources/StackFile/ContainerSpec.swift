/// A container of an OS VM: an OCI bundle on this host, run by runc.
public struct ContainerSpec: Sendable, Hashable {
    /// Its name: unique within the stack, among guests too.
    public var name: String
    /// The bundle's folder on this host, an absolute path; it contains `config.json` and the root file system.
    public var bundle: String
    /// Its memory limit in bytes; a multiple of 2 MiB.
    ///
    /// It determines the size of the image store.
    public var memory: UInt64
    /// Its network card; `nil` for a container with only the loopback interface.
    public var card: ContainerCard?

    /// Describes a container.
    ///
    /// - Parameters:
    ///   - name: Unique within the stack.
    ///   - bundle: The bundle's folder on this host, absolute.
    ///   - memory: The memory limit in bytes.
    ///   - card: Its network card.
    public init(name: String, bundle: String, memory: UInt64, card: ContainerCard?) {
        self.name = name
        self.bundle = bundle
        self.memory = memory
        self.card = card
    }
}
