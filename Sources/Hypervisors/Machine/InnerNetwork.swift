/// The networks of a guest inside its hypervisor: a bridge for each, with the hypervisor's card and the guest's tap on it.
public enum InnerNetwork {
    /// Shell lines that make the bridges of a guest's networks, as far as they are not there.
    ///
    /// The hypervisor itself has no address on them: nothing in it can be reached from a guest's network.
    ///
    /// - Parameters:
    ///   - guest: The guest.
    ///   - instance: The run of the hypervisor, from which its cards' addresses follow.
    /// - Returns: For `/bin/sh -eu`.
    public static func bridges(for guest: InnerGuestSpec, in instance: String) -> String {
        guest.networks.map { bridge($0.network, in: instance) }.joined(separator: "\n")
    }

    /// Shell lines that make the bridge of a network, if it is not there.
    ///
    /// - Parameters:
    ///   - network: The network's name.
    ///   - instance: The run of the hypervisor, from which its cards' addresses follow.
    /// - Returns: For `/bin/sh -eu`.
    public static func bridge(_ network: String, in instance: String) -> String {
        let bridge = InnerGuestFiles.bridge(network)
        return """
            if ! ip link show dev \(bridge) >/dev/null 2>&1; then
                card=
                for folder in /sys/class/net/*; do
                    [ "$(cat "$folder/address")" = \(HardwareAddress.derived(instance: instance, network: network)) ] || continue
                    card=${folder##*/}
                done
                [ -n "$card" ] || { echo "the hypervisor has no card on network \(network)" >&2; exit 1; }
                ip link add name \(bridge) type bridge forward_delay 0
                ip link set dev \(bridge) addrgenmode none
                ip link set dev "$card" addrgenmode none
                ip link set dev "$card" master \(bridge)
                # A segment gives every sender its own frames back: they would teach the bridge wrong.
                bridge link set dev "$card" learning off
                ip link set dev "$card" up
                ip link set dev \(bridge) up
            fi
            """
    }

    /// Shell lines that put a guest's taps on their bridges, once its QEMU has made them (``InnerUnit/start(_:then:channel:by:)``).
    ///
    /// - Parameter guest: The guest.
    /// - Returns: For `/bin/sh -eu`.
    public static func taps(of guest: InnerGuestSpec) -> String {
        let files = InnerGuestFiles(guest: guest.name)
        return guest.networks.enumerated().map { index, card in
            """
            await /sys/class/net/\(files.tap(index))
            ip link set dev \(files.tap(index)) master \(InnerGuestFiles.bridge(card.network)) up
            """
        }.joined(separator: "\n")
    }
}
