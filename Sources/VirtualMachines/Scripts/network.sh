# shellcheck shell=sh
# Bridges for guests and containers inside a hypervisor or OS VM. Other scripts are appended to this file, which follows
# units.sh.

# make_bridge BRIDGE MAC NETWORK: makes a bridge with the card of that address, unless the bridge exists. The bridge has
# no IP address: a guest's network cannot reach the hypervisor.
make_bridge() {
    [ ! -e "/sys/class/net/$1" ] || return 0
    card=
    for folder in /sys/class/net/*; do
        read -r address <"$folder/address"
        [ "$address" != "$2" ] || card=${folder##*/}
    done
    [ -n "$card" ] || fail "this VM has no card on network $3"
    ip link add name "$1" type bridge forward_delay 0
    ip link set dev "$1" addrgenmode none
    ip link set dev "$card" addrgenmode none
    ip link set dev "$card" master "$1"
    # A segment returns its own frames to each sender; the bridge would learn wrong ports from them.
    bridge link set dev "$card" learning off
    ip link set dev "$card" up
    ip link set dev "$1" up
}
