# shellcheck shell=sh
# The networks of guests and containers inside a hypervisor or OS VM, for scripts that begin with these lines.

# make_bridge BRIDGE MAC NETWORK: a bridge with the card of that address, unless it exists. The hypervisor itself has no address
# on it: nothing in it can be reached from a guest's network.
make_bridge() {
    ! ip link show dev "$1" >/dev/null 2>&1 || return 0
    card=
    for folder in /sys/class/net/*; do
        [ "$(cat "$folder/address")" = "$2" ] || continue
        card=${folder##*/}
    done
    [ -n "$card" ] || {
        echo "the hypervisor has no card on network $3" >&2
        exit 1
    }
    ip link add name "$1" type bridge forward_delay 0
    ip link set dev "$1" addrgenmode none
    ip link set dev "$card" addrgenmode none
    ip link set dev "$card" master "$1"
    # A segment gives every sender its own frames back, from which the bridge would learn wrong ports.
    bridge link set dev "$card" learning off
    ip link set dev "$card" up
    ip link set dev "$1" up
}
