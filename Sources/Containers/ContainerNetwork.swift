internal import Hypervisors

/// A container's network inside an OS VM: a network namespace, joined by a cable with the bridge of its network.
///
/// The namespace is there before the container comes and stays when it has gone. What decides who is heard is the cable:
/// it is on the bridge in one OS VM at most.
enum ContainerNetwork {
    /// The container's end of the cable.
    static let card = "eth0"

    /// Shell lines that make the namespace and the cable, as far as they are not there; it leads nowhere yet.
    static func prepare(_ spec: ContainerSpec, in instance: String) -> String {
        let files = ContainerFiles(container: spec.name)
        let name = spec.name
        guard let card = spec.card else {
            return """
                if ! [ -e \(files.networkNamespace) ]; then
                    ip netns add \(name)
                    ip -n \(name) link set dev lo up
                fi
                """
        }
        let route = card.gateway.map { "ip -n \(name) route add default via \($0)" } ?? ""
        // arp_notify: a new address is told to the bridges on the way, without a program that could do so.
        return """
            \(InnerNetwork.bridge(card.network, in: instance))
            if ! [ -e \(files.networkNamespace) ]; then
                ip netns add \(name)
                ip -n \(name) link set dev lo up
                ip link add name \(files.cable) type veth peer name \(Self.card) netns \(name) address \(card.mac)
                ip link set dev \(files.cable) addrgenmode none
                ip netns exec \(name) sh -c 'echo 1 >/proc/sys/net/ipv4/conf/\(Self.card)/arp_notify'
                ip -n \(name) address add \(card.address) dev \(Self.card)
                ip -n \(name) link set dev \(Self.card) up
                ip link set dev \(files.cable) up
                \(route)
            fi
            """
    }

    /// A shell line that puts the cable on its bridge and tells the network.
    static func connect(_ spec: ContainerSpec) -> String {
        guard let card = spec.card else { return ":" }
        let files = ContainerFiles(container: spec.name)
        return """
            ip link set dev \(files.cable) master \(InnerGuestFiles.bridge(card.network))
            ip -n \(spec.name) link set dev \(Self.card) address \(card.mac)
            """
    }

    /// A shell line that takes the cable off its bridge: from then on nobody hears the container.
    static func disconnect(_ spec: ContainerSpec) -> String {
        guard spec.card != nil else { return ":" }
        return "ip link set dev \(ContainerFiles(container: spec.name).cable) nomaster"
    }

    /// Shell lines that take namespace and cable away; the cable by name, as the kernel takes its time with a namespace.
    static func remove(_ spec: ContainerSpec) -> String {
        """
        ip link del dev \(ContainerFiles(container: spec.name).cable) 2>/dev/null || true
        ip netns del \(spec.name) 2>/dev/null || true
        """
    }
}
