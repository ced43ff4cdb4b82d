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
