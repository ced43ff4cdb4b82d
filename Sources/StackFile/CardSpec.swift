/// A network card of a guest.
public struct CardSpec: Sendable, Hashable {
    /// The network's name.
    public var network: String
    /// The card's hardware address, such as `52:54:00:12:34:01`.
    public var mac: String
}
