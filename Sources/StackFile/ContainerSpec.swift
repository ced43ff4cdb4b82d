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

/// The network card of a container: one end of a veth pair; the other end is on the OS VM's bridge.
public struct ContainerCard: Sendable, Hashable {
    /// The network's name.
    public var network: String
    /// Its IPv4 or IPv6 address with the prefix length, such as `10.0.0.5/24`.
    public var address: String
    /// The default gateway; `nil` to reach only the network itself.
    public var gateway: String?
    /// The card's hardware address, such as `52:54:00:12:34:01`: the same in every OS VM.
    public var mac: String

    /// Describes a card.
    ///
    /// - Parameters:
    ///   - network: The network's name.
    ///   - address: An IPv4 or IPv6 address with the prefix length.
    ///   - gateway: The default gateway.
    ///   - mac: The card's hardware address.
    public init(network: String, address: String, gateway: String?, mac: String) {
        self.network = network
        self.address = address
        self.gateway = gateway
        self.mac = mac
    }
}
