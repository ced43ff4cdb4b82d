#!/bin/sh
# Runs inside a hypervisor, for one guest, and inside an OS VM before it has a container: memory, disks, networks, the
# unit of the guest's QEMU, relays, clock.
#
#   guest.sh VERB [ARGUMENT...]
#
# The host sends this file with each call, after network.sh. A verb that fails prints the reason on standard error.
set -eu

verb=$1
shift

fail() {
    echo "$*" >&2
    exit 1
}

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
is_at() { [ -r "$1" ] && [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

# ADDRESS: prints name and size of the DAX device behind the info block of an NVDIMM, and waits for it to appear. Device
# numbers differ between hypervisors, so only the address identifies the device.
find_memory() {
    tries=0
    while :; do
        for folder in /sys/bus/dax/devices/dax*; do
            is_at "$folder/resource" "$1" || continue
            size=$(cat "$folder/size")
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
            mkdir -p "${4%/*}"
            chmod 0700 "${4%/*}"
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
    rm -f "$socket" "$log"
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemd-run --quiet --unit="$unit" --property=StandardError=append:"$log" \
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
        systemctl is-active --quiet "$unit" || {
            cat "$log" >&2
            exit 1
        }
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "$1 did not appear"
        sleep 0.05
    done
}

# UNIT RELAY: kills the QEMU and waits until it is gone.
end() {
    systemctl stop "$2" 2>/dev/null || true
    systemctl kill --signal=KILL "$1" 2>/dev/null || true
    tries=0
    while systemctl is-active --quiet "$1"; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || fail "$1 is still active after SIGKILL"
        sleep 0.02
    done
    systemctl reset-failed "$1" 2>/dev/null || true
}

# ---------------------------------------------------------------- the channel between two QEMUs

# UNIT PORT END: connects a port to the socket of a QEMU.
open_channel() {
    await -c "/dev/virtio-ports/$2" 200 0.02
    systemctl stop "$1" 2>/dev/null || true
    systemctl reset-failed "$1" 2>/dev/null || true
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
    systemctl stop "$1" 2>/dev/null || true
    rm -f "$2.out" "$2.in"
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
    uname -r
    qemu-system-x86_64 --version | sed -n '1s/.*version \([^ ]*\).*/\1/p'
}

# Prints one line for each active guest, container and foreign QEMU, and then `end`. Fails if any part fails: an
# incomplete answer would look like an empty hypervisor.
list_tenants() {
    units=$(systemctl list-units --plain --no-legend --full \
        --state=active,activating,reloading,deactivating 'hyperfresh-guest-*.service')
    printf '%s\n' "$units" | sed -n 's/^hyperfresh-guest-\(.*\)\.service .*/guest \1/p'
    for events in /sys/fs/cgroup/hyperfresh/*/cgroup.events; do
        [ -e "$events" ] || continue
        name=${events%/*}
        ! grep -q 'populated 1' "$events" || echo "container ${name##*/}"
    done
    # One program for all processes: each start of a program costs tens of milliseconds where the hypervisor is emulated.
    # A process may exit meanwhile; that is no error.
    # shellcheck disable=SC2012 # the names are numbers
    for pid in $(ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's|.* /proc/\([0-9]*\)/exe -> .*/qemu-system-.*|\1|p'); do
        group=$(cat "/proc/$pid/cgroup" 2>/dev/null) || continue
        case $group in *hyperfresh-guest-*.service*) ;; *) echo "stranger $pid" ;; esac
    done
    echo end
}

case $verb in
tenants) list_tenants ;;
find-memory) find_memory "$@" ;;
find-store) find_store "$@" ;;
write-memory) write_memory "$@" ;;
read-memory) read_memory "$@" ;;
prepare | start | end) "$verb" "$@" ;;
is-active) systemctl is-active "$1" || true ;;
restart) systemctl restart "$1" ;;
last-words) tail -n 12 "$1" 2>/dev/null || true ;;
open-channel) open_channel "$@" ;;
close-channel) close_channel "$@" ;;
set-clock) set_clock "$@" ;;
versions) print_versions ;;
*) fail "unknown verb $verb" ;;
esac
