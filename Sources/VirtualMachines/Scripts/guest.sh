#!/bin/sh
# Runs inside a hypervisor, for one guest, and inside an OS VM before it has a container: memory, disks, networks, the
# unit of the guest's QEMU, relays, clock.
#
#   guest.sh VERB [ARGUMENT...]
#
# The host sends this file with each call, after units.sh and network.sh. A verb that fails prints the reason on standard
# error.
set -eu

verb=$1
shift

# await TEST FILE TRIES PAUSE: waits until `[ TEST FILE ]` holds. udev creates a device node some time after the plug.
await() {
    tries=0
    until test "$1" "$2"; do
        tries=$((tries + 1))
        [ $tries -lt "$3" ] || fail "$2 did not appear"
        sleep "$4"
    done
}

# ---------------------------------------------------------------- memory

# FILE ADDRESS: succeeds if a device reports this address. Before its setup, a device has the file but no address in it.
is_at() { { read -r address <"$1"; } 2>/dev/null && [ "$address" = "$2" ]; }

# ADDRESS: prints name and size of the DAX device behind the info block of an NVDIMM, and waits for it to appear. Device
# numbers differ between hypervisors, so only the address identifies the device.
find_memory() {
    tries=0
    while :; do
        for folder in /sys/bus/dax/devices/dax*; do
            is_at "$folder/resource" "$1" || continue
            read -r size <"$folder/size"
            if [ "$size" -gt 0 ] && [ -c "/dev/${folder##*/}" ]; then
                echo "${folder##*/} $size"
                return
            fi
        done
        tries=$((tries + 1))
        [ $tries -lt 200 ] || fail "no DAX device appeared at $1"
        sleep 0.05
    done
}

# ADDRESS: prints the name of the disk behind the info block of an NVDIMM.
find_store() {
    tries=0
    while :; do
        for folder in /sys/bus/nd/devices/pfn*/block/pmem*; do
            is_at "${folder%/block/*}/resource" "$1" || continue
            if [ -b "/dev/${folder##*/}" ]; then
                echo "${folder##*/}"
                return
            fi
        done
        tries=$((tries + 1))
        [ $tries -lt 200 ] || fail "no disk appeared at $1"
        sleep 0.05
    done
}

# DEVICE OFFSET LENGTH: writes standard input behind the guest's memory, or prints the bytes there.
write_memory() { daxio --output="$1" --seek="$2" --len="$3" >/dev/null; }
read_memory() { daxio --input="$1" --skip="$2" --len="$3"; }

# ---------------------------------------------------------------- the guest's QEMU

# ITEM...: copies boot files, waits for disks, makes bridges, and finds the guest's memory. An item is
#   boot DEVICE SIZE FILE | disk DEVICE | bridge BRIDGE MAC NETWORK | memory ADDRESS
prepare() {
    while [ $# -gt 0 ]; do
        case $1 in
        boot)
            [ -d "${4%/*}" ] || (umask 077 && mkdir -p "${4%/*}")
            await -b "$2" 600 0.1
            head -c "$3" "$2" >"$4"
            shift 4
            ;;
        disk)
            await -b "$2" 600 0.1
            shift 2
            ;;
        bridge)
            make_bridge "$2" "$3" "$4"
            shift 4
            ;;
        memory)
            find_memory "$2"
            shift 2
            ;;
        *) fail "unknown item $1" ;;
        esac
    done
}

# UNIT SOCKET LOG RELAY TAPS [TAP BRIDGE]... PROGRAM [ARGUMENT...]: starts the QEMU in its own unit, so that a restart
# of the agent does not kill guests. Attaches TAPS taps to their bridges, then starts the relay to the monitor. QEMU
# creates its monitor first and then its devices, one after the other.
start() {
    unit=$1 socket=$2 log=$3 relay=$4 taps=$5
    shift 5
    pairs=
    while [ "$taps" -gt 0 ]; do
        pairs="$pairs $1 $2" taps=$((taps - 1))
        shift 2
    done
    ! is_running "$unit" || fail "$unit runs already"
    unload "$unit"
    # A stale socket would be taken for the new monitor.
    [ ! -e "$socket" ] || rm "$socket"
    : >"$log"
    systemd-run --quiet --collect --unit="$unit" --property=StandardError=append:"$log" \
        --property=OOMScoreAdjust=-500 --property=TimeoutStopSec=5 -- "$@"
    await_qemu "$socket"
    # shellcheck disable=SC2086 # words
    set -- $pairs
    while [ $# -gt 0 ]; do
        await_qemu "/sys/class/net/$1"
        ip link set dev "$1" master "$2" up
        shift 2
    done
    systemctl restart "$relay"
}

# FILE: waits until the QEMU of $unit has created FILE; fails if that QEMU exits first.
await_qemu() {
    tries=0
    until [ -e "$1" ]; do
        is_running "$unit" || {
            cat "$log" >&2
            exit 1
        }
        tries=$((tries + 1))
        [ $tries -lt 300 ] || fail "$1 did not appear"
        sleep 0.1
    done
}

# ---------------------------------------------------------------- the channel between two QEMUs

# UNIT PORT END: connects a port to the socket of a QEMU.
open_channel() {
    await -c "/dev/virtio-ports/$2" 200 0.02
    end_units "$1"
    systemd-run --quiet --collect --unit="$1" socat -b 262144 "$3" "FILE:/dev/virtio-ports/$2"
    case $3 in
    UNIX-LISTEN:*)
        path=${3#UNIX-LISTEN:}
        await -S "${path%%,*}" 200 0.02
        ;;
    esac
}

# UNIT FILES: stops the relay and removes its sockets; succeeds if they are gone already.
close_channel() {
    end_units "$1"
    { [ ! -e "$2.out" ] && [ ! -e "$2.in" ]; } || rm -f "$2.out" "$2.in"
}

# ---------------------------------------------------------------- the whole VM

# TIME MODULES: sets the clock. At boot it was set from an RTC with whole seconds, and guests' RTCs follow it. Loads
# modules in the background, so that their first user does not wait.
set_clock() {
    date --set="@$1" >/dev/null
    # shellcheck disable=SC2086 # words
    [ -z "$2" ] || modprobe --all --quiet $2 </dev/null >/dev/null 2>&1 &
}

print_versions() {
    read -r release </proc/sys/kernel/osrelease
    version=$(qemu-system-x86_64 --version)
    version=${version#*version }
    printf '%s\n' "$release" "${version%%[ (]*}"
}

# Prints one line for each active guest, container and foreign QEMU, and then `end`. Fails if any part fails: an
# incomplete answer would look like an empty hypervisor.
list_tenants() {
    for guest in /sys/fs/cgroup/system.slice/hyperfresh-guest-*.service; do
        has_processes "$guest" || continue
        guest=${guest##*/hyperfresh-guest-}
        echo "guest ${guest%.service}"
    done
    for container in /sys/fs/cgroup/hyperfresh/*/; do
        container=${container%/}
        ! has_processes "$container" || echo "container ${container##*/}"
    done
    # One program for all processes. A process may exit meanwhile; that is no error.
    # shellcheck disable=SC2012 # the names are numbers
    for pid in $(ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's|.* /proc/\([0-9]*\)/exe -> .*/qemu-system-.*|\1|p'); do
        { read -r membership <"/proc/$pid/cgroup"; } 2>/dev/null || continue
        case $membership in *hyperfresh-guest-*.service*) ;; *) echo "stranger $pid" ;; esac
    done
    echo end
}

case $verb in
tenants) list_tenants ;;
find-memory) find_memory "$@" ;;
find-store) find_store "$@" ;;
write-memory) write_memory "$@" ;;
read-memory) read_memory "$@" ;;
prepare | start) "$verb" "$@" ;;
end) end_units "$@" ;;
is-running) if is_running "$1"; then echo yes; else echo no; fi ;;
restart) systemctl restart "$1" ;;
last-words) tail -n 12 "$1" 2>/dev/null || true ;;
open-channel) open_channel "$@" ;;
close-channel) close_channel "$@" ;;
set-clock) set_clock "$@" ;;
versions) print_versions ;;
*) fail "unknown verb $verb" ;;
esac
