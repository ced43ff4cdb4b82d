extension StackReader {
    /// Reads the network card of a container.
    func containerCard(_ node: YAMLTree, of container: String, context: GuestContext) -> ContainerCard? {
        let keys = ["network", "address", "gateway", "mac"]
        let address = "Add `address: ADDRESS/PREFIX`, such as 10.0.0.5/24."
        guard let section = section(node, of: "a container's network", keys: keys),
            let network = required(section, "network", remedy: "Add `network: NAME`."),
            let card = card(
                network, at: section.values["network"] ?? node, mac: section.values["mac"], guest: container, index: 0,
                context: context),
            required(section, "address", remedy: address) != nil, let place = section.values["address"],
            let own = interfaceAddress(place)
        else { return nil }
        let text = own.address.text
        if let line = context.seen.addresses.earlierLine(of: "\(network)/\(text)", now: place.line) {
            report(
                "address \(text) is also that of the container of line \(line)", at: place,
                remedy: "Give each container of a network its own address.")
        }
        let router = section.values["gateway"].flatMap { gateway($0, of: own) }
        return ContainerCard(
            network: network, address: "\(text)/\(own.length)", gateway: router?.text, mac: card.mac)
    }

    /// An address and its prefix length in bits.
    private struct InterfaceAddress {
        let address: InternetAddress
        let length: Int
    }

    private func interfaceAddress(_ node: YAMLTree) -> InterfaceAddress? {
        if case .scalar(let text, _) = node.content {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2, let address = InternetAddress(parts[0]), address.isOfOneInterface,
                let length = UInt8(parts[1]).map(Int.init), (1...address.width).contains(length)
            {
                return InterfaceAddress(address: address, length: length)
            }
        }
        report(
            "`address` must be an IPv4 or IPv6 address with the length of its prefix; found \(node.kind)", at: node,
            remedy: "Write an address such as 10.0.0.5/24 or \"fd00::5/64\".")
        return nil
    }

    private func gateway(_ node: YAMLTree, of own: InterfaceAddress) -> InternetAddress? {
        guard case .scalar(let text, _) = node.content, let gateway = InternetAddress(text), gateway.isOfOneInterface
        else {
            report(
                "`gateway` must be an IPv4 or IPv6 address; found \(node.kind)", at: node,
                remedy: "Write an address such as 10.0.0.1, or remove `gateway`: the container then reaches only the "
                    + "network itself.")
            return nil
        }
        let isNear = gateway.isLinkLocal && own.address.width == 128
        guard gateway != own.address, isNear || gateway.shares(own.length, bitsWith: own.address) else {
            report(
                "gateway \(gateway.text) cannot be reached from \(own.address.text)/\(own.length)", at: node,
                remedy: "Write another address with the same prefix.")
            return nil
        }
        return gateway
    }
}
