internal import Hypervisors

/// A container's network inside an OS VM: a network namespace, joined by a cable with the bridge of its network.
///
/// The namespace is there before the container comes and stays when it has gone. What decides who is heard is the cable:
/// it is up in one OS VM at most.
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
                ip link set dev \(files.cable) master \(InnerGuestFiles.bridge(card.network))
                \(route)
            fi
            """
    }

    /// A shell line that lets the container be heard: no program is started for it.
    static func connect(_ spec: ContainerSpec) -> String { setCable(of: spec, flags: upAndMulticast) }

    /// A shell line by which nobody hears the container any more.
    static func disconnect(_ spec: ContainerSpec) -> String { setCable(of: spec, flags: multicast) }

    /// A shell line that tells the bridges on the way where the container's address is now.
    static func announce(_ spec: ContainerSpec) -> String {
        guard let card = spec.card else { return ":" }
        return "ip -n \(spec.name) link set dev \(Self.card) address \(card.mac)"
    }

    // IFF_UP and IFF_MULTICAST of <linux/if.h>.
    private static let multicast = "0x1000"
    private static let upAndMulticast = "0x1001"

    private static func setCable(of spec: ContainerSpec, flags: String) -> String {
        guard spec.card != nil else { return ":" }
        return "echo \(flags) >/sys/class/net/\(ContainerFiles(container: spec.name).cable)/flags"
    }

    /// Shell lines that take namespace and cable away; the cable by name, as the kernel takes its time with a namespace.
    static func remove(_ spec: ContainerSpec) -> String {
        """
        ip link del dev \(ContainerFiles(container: spec.name).cable) 2>/dev/null || true
        ip netns del \(spec.name) 2>/dev/null || true
        """
    }
}
