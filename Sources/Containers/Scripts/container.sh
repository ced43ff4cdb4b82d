#!/bin/sh
# Everything that hyperfresh does for one container inside an OS VM: network, control group, image store, runc, CRIU.
#
#   container.sh VERB NAME CABLE MAC CONSOLE [ARGUMENT...]
#
# CABLE is the interface outside of the container's network namespace, MAC the address of the one inside; both are empty
# without a network. CONSOLE is the port for its output. The host sends this file with each call, after units.sh and
# network.sh; a unit runs a copy of all three. A verb that fails prints the reason on standard error.
set -eu

verb=$1 name=$2 cable=$3 mac=$4 console=$5
shift 5

directory=/run/hyperfresh/containers/$name
bundle=$directory/bundle
runtime_bundle=$directory/oci
root=$directory/root
store=$directory/store
pid_file=$directory/pid
device_file=$directory/device
control_group=/sys/fs/cgroup/hyperfresh/$name
network_namespace=/run/netns/$name
unit=hyperfresh-container-$name.service
dump_unit=hyperfresh-dump-$name.service
# The dump unit of earlier versions, which may still wait when this version recovers.
earlier_dump_unit=hyperfresh-leaving-$name.service

# A dump and its restore must use the same of these options.
criu_options="--tcp-established --network-lock nftables --file-locks --link-remap --manage-cgroups=ignore"

# ---------------------------------------------------------------- mounts

is_mounted() { grep -q " $1 " /proc/self/mounts; }

# Mount the image store in one OS VM at a time: two kernels do not see each other's changes.
mount_store() { is_mounted "$store" || mount -o dax=always "$(cat "$device_file")" "$store"; }
unmount_store() { ! is_mounted "$store" || umount "$store"; }

# ---------------------------------------------------------------- network

# The namespace exists before the container arrives, and remains after it has left. The container is reachable where its
# cable is up, in at most one OS VM. The flags are those of <linux/if.h>; setting them starts no program.
connect() { [ -z "$cable" ] || echo 0x1001 >"/sys/class/net/$cable/flags"; }
disconnect() { [ -z "$cable" ] || echo 0x1000 >"/sys/class/net/$cable/flags"; }

# Tells the bridges on the way where the container's address is now (arp_notify).
announce() { [ -z "$mac" ] || ip -n "$name" link set dev eth0 address "$mac"; }

# make_network BRIDGE CARD NETWORK ADDRESS GATEWAY: creates the namespace, and the bridge that holds the card with MAC
# address CARD.
make_network() {
    if [ -n "$cable" ]; then make_bridge "$1" "$2" "$3"; fi
    [ ! -e "$network_namespace" ] || return 0
    ip netns add "$name"
    ip -n "$name" link set dev lo up
    [ -n "$cable" ] || return 0
    ip link add name "$cable" type veth peer name eth0 netns "$name" address "$mac"
    ip link set dev "$cable" addrgenmode none
    ip netns exec "$name" sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify'
    ip -n "$name" address add "$4" dev eth0
    ip -n "$name" link set dev eth0 up
    ip link set dev "$cable" master "$1"
    [ -z "$5" ] || ip -n "$name" route add default via "$5"
}

# ---------------------------------------------------------------- units

# save_script UNIT: saves this file, which is the rest of standard input, for a unit. Call it before any program that might
# read standard input. A unit that still runs keeps the file that it has open.
save_script() {
    cat >"$directory/$1.sh.new"
    mv "$directory/$1.sh.new" "$directory/$1.sh"
}

# start_unit UNIT VERB [ARGUMENT...]: runs a verb of the saved script in a unit.
start_unit() {
    started=$1 started_verb=$2
    shift 2
    unload "$started"
    systemd-run --quiet --collect --unit="$started" \
        /bin/sh "$directory/$started.sh" "$started_verb" "$name" "$cable" "$mac" "$console" "$@"
}

# Opens the control channel PORT with TOKEN: a script that waits there gets each order at once, and starts no program to
# answer. A script that fails sends the last lines of its log.
open_channel() {
    token=$2 steps='' tries=0
    until [ -c "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || exit 1
        sleep 0.02
    done
    exec 3<>"$1" 2>"$0.log"
    trap 'status=$?; rm -f "$directory/at-work"; [ $status = 0 ] || say_failed' EXIT
}

# Waits for an order; fails if another one arrives, or if the peer is gone.
hear() { read -r word <&3 && [ "$word" = "$1-$token" ]; }
say_done() {
    printf '%sdone %s\n' "$steps" "$token" >&3
    steps=
}
say_failed() {
    tail -n 12 "$0.log" >&3
    printf '\nfailed %s\n' "$token" >&3
}

# Notes when a step ended. The times are sent with the answer, because a write blocks while nobody reads.
step() {
    read -r up _ </proc/uptime
    steps="${steps}step $1 $up
"
}

# Ends every process of the container, frozen or not, and waits until they are gone.
end_processes() {
    end_units "$unit" "$dump_unit" "$earlier_dump_unit"
    if has_processes "$control_group"; then
        kill_group "$control_group"
        tries=0
        while has_processes "$control_group"; do
            tries=$((tries + 1))
            [ $tries -lt 300 ] || fail "the container's processes do not end"
            sleep 0.05
        done
    fi
    [ ! -e "$control_group" ] || echo 0 >"$control_group/cgroup.freeze"
    rm -f "$pid_file"
}

# Resumes the restored processes and announces the container.
run_restored() {
    set --
    while read -r process; do set -- "$@" "$process"; done <"$control_group/cgroup.procs"
    [ $# -gt 0 ] || {
        echo "the container has no process" >&2
        return 1
    }
    connect && kill -CONT "$@" && announce
}

# ---------------------------------------------------------------- CRIU

# Marks CRIU as working on the container, until the file is emptied or this script ends: a killed CRIU leaves its code
# in the processes.
begin_work() { echo $$ >"$directory/at-work"; }

await_work() {
    tries=0
    while [ -s "$directory/at-work" ] && kill -0 "$(cat "$directory/at-work")" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || fail "CRIU is still working on the container"
        sleep 0.1
    done
}

# Sets `words` to the arguments of every dump. CRIU must not move the network namespace: the new OS VM has one like it.
# A plain assignment fails with its command; a command substitution in a word does not.
set_dump_words() {
    pid=$(cat "$pid_file")
    inode=$(stat --dereference --format=%i "$network_namespace")
    words="--tree $pid --track-mem --root $root $criu_options --external net[$inode]:network"
}

# ---------------------------------------------------------------- verbs: the place

# DEVICE ROOT MEMORY BRIDGE CARD NETWORK ADDRESS GATEWAY: mounts the bundle, creates network and control group, and
# records the block device of the image store. Harmless when repeated.
prepare() {
    umask 077
    mkdir -p "$bundle" "$runtime_bundle" "$root" "$store"
    echo "$1" >"$device_file"
    tries=0
    until is_mounted "$bundle" || mount -t virtiofs "$name" "$bundle" 2>"$directory/mount.log"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || fail "$(cat "$directory/mount.log")"
        sleep 0.1
    done
    # Private: runc and CRIU must not depend on where it was mounted from.
    mount --make-private "$bundle"
    if ! is_mounted "$root"; then
        mount --bind "$bundle/$2" "$root"
        mount --make-private "$root"
    fi
    mkdir -p "$control_group"
    for folder in /sys/fs/cgroup /sys/fs/cgroup/hyperfresh; do
        echo "+memory +pids +cpu" >"$folder/cgroup.subtree_control"
    done
    echo "$3" >"$control_group/memory.max"
    for pipe in "done" timers; do [ -p "$directory/$pipe" ] || mkfifo "$directory/$pipe"; done
    make_network "$4" "$5" "$6" "$7" "$8"
}

# Removes what `prepare` created, so that the bundle and the store can be unplugged.
clear_place() {
    for folder in "$store" "$root" "$bundle"; do
        while is_mounted "$folder"; do umount "$folder" 2>/dev/null || umount --lazy "$folder"; done
    done
    # By name, because the kernel removes a namespace with a delay.
    if [ -n "$cable" ]; then ip link del dev "$cable" 2>/dev/null || true; fi
    ip netns del "$name" 2>/dev/null || true
    rmdir "$control_group" 2>/dev/null || true
    rm -rf "$directory"
}

# WORD: prints the word in the store, replaces the contents of the store by WORD unless that is empty, and unmounts it.
exchange() {
    mount_store
    cat "$store/word" 2>/dev/null || true
    if [ -n "$1" ]; then
        rm -rf "$store"/[!l]*
        printf %s "$1" >"$store/word"
    fi
    umount "$store"
}

# ---------------------------------------------------------------- verbs: runc

# LENGTH: starts a new run of the container. Standard input has its config.json, of so many bytes, and then this file: an
# argument has at most 128 KiB.
start() {
    head -c "$1" >"$runtime_bundle/config.json"
    save_script "$unit"
    rm -f "$pid_file" "$directory/runc.log"
    runc delete --force "$name" 2>/dev/null || true
    connect
    announce
    start_unit "$unit" run
    tries=0
    until [ -s "$pid_file" ]; do
        tries=$((tries + 1))
        if ! is_running "$unit" || [ $tries -ge 300 ]; then
            fail "$(sed 's/.*msg=//' "$directory/runc.log")"
        fi
        sleep 0.1
    done
}

# Runs in the unit; lasts as long as the container's first process.
run() {
    runc --log "$directory/runc.log" run --detach --pid-file "$directory/pid.new" \
        --bundle "$runtime_bundle" "$name" </dev/null 2>&1 | cat >"$console" &
    until [ -s "$directory/pid.new" ]; do
        kill -0 $! 2>/dev/null || exit 1
        sleep 0.1
    done
    mv "$directory/pid.new" "$pid_file"
    exec tail --pid="$(cat "$pid_file")" -s 0.5 -f /dev/null
}

# TENTHS: asks the container to end, and kills it after so many tenths of a second.
stop() {
    if [ "$1" -gt 0 ] && runc kill "$name" TERM 2>/dev/null; then
        tries=0
        while [ $tries -lt "$1" ] && is_running "$unit"; do
            tries=$((tries + 1))
            sleep 0.1
        done
    fi
    end_processes
    runc delete --force "$name" 2>/dev/null || true
}

# Writes runc's record of the restored container, and releases the image store. The record names the first process, by
# pid and start time, and its namespaces.
adopt() {
    mount_store
    read -r last <"$store/last"
    images=$store/$last
    old=$(cat "$images/pid") new=$(cat "$pid_file")
    begin=$(sed 's/.*) //' "/proc/$new/stat" | cut -d ' ' -f 20)
    cp "$images/config.json" "$runtime_bundle/config.json"
    # The same mode as runc uses.
    mkdir -p "/run/runc/$name"
    chmod 0711 "/run/runc/$name"
    sed "s/\"init_process_pid\":$old,/\"init_process_pid\":$new,/; s/\"init_process_start\":[0-9]*/\"init_process_start\":$begin/
        s#/proc/$old/#/proc/$new/#g" "$images/runc.json" >"/run/runc/$name/state.json"
    umount "$store"
}

# ---------------------------------------------------------------- verbs: out of an OS VM

# ROUND: copies memory into the image store while the container runs: all of it in round 0, then the pages written
# since. Prints how many bytes were copied and how many are free in the store.
copy_memory() {
    begin_work
    trap 'rm -f "$directory/at-work"' EXIT
    mount_store
    images=$store/$1
    rm -rf "$images"
    mkdir "$images"
    before=
    [ "$1" = 0 ] || before="--prev-images-dir ../$(($1 - 1))"
    set_dump_words
    # shellcheck disable=SC2086 # words
    criu pre-dump $words $before --images-dir "$images" --log-file criu.log >/dev/null 2>&1 || {
        grep Error "$images/criu.log" >&2
        exit 1
    }
    cat "$images"/pages-*.img | wc -c
    echo $(($(stat --file-system --format='%a * %S' "$store")))
}

# ROUNDS PORT TOKEN: prepares a dump after so many rounds of copying, and starts a unit that waits for the order: no
# preparation is left when the container is frozen.
prepare_dump() {
    save_script "$dump_unit"
    mount_store
    images=$store/$1
    rm -rf "$images"
    mkdir "$images"
    before=
    [ "$1" = 0 ] || before="--prev-images-dir ../$(($1 - 1))"
    set_dump_words
    for descriptor in 1 2; do readlink "/proc/$pid/fd/$descriptor" || true; done |
        grep '^pipe:' | sort -u >"$images/output" || true
    cp "/run/runc/$name/state.json" "$images/runc.json"
    cp "$runtime_bundle/config.json" "$images/config.json"
    echo "$pid" >"$images/pid"
    while read -r process; do
        grep --files-with-matches '^it_interval' "/proc/$process/fdinfo"/* 2>/dev/null || true
    done <"$control_group/cgroup.procs" >"$images/timers"
    echo "$1" >"$store/last"
    echo "$words --leave-running --freeze-cgroup $control_group --images-dir $images $before" >"$directory/dump"
    ! is_running "$dump_unit" || systemctl stop "$dump_unit"
    start_unit "$dump_unit" dump "$2" "$3"
}

is_frozen() {
    while read -r key value; do
        [ "$key $value" != "frozen 1" ] || return 0
    done <"$control_group/cgroup.events"
    return 1
}

# PORT TOKEN: runs in the unit. It waits for `dump`, freezes and dumps; the frozen processes remain. While it waits,
# SIGTERM ends it; afterwards nothing may: a killed CRIU leaves its code in the processes.
dump() {
    open_channel "$1" "$2"
    trap 'exit 0' TERM
    say_done
    hear dump || exit 0
    begin_work
    trap '' TERM
    step begin
    # A process in an uninterruptible wait cannot be frozen; all others freeze quickly.
    limit=$((${up%.*} + 10))
    echo 1 >"$control_group/cgroup.freeze"
    until is_frozen; do
        read -r up _ </proc/uptime
        [ "${up%.*}" -lt "$limit" ] || fail "the container's processes cannot be frozen"
    done
    # Not before: no program may see its network fail. Data that arrives before this is in the sockets, and is moved.
    disconnect
    step freeze
    read -r words <"$directory/dump"
    # shellcheck disable=SC2086 # words
    criu dump $words --log-file criu.log >/dev/null 2>&1 3>&- || {
        read -r last <"$store/last"
        grep Error "$store/$last/criu.log" >&2
        exit 1
    }
    step dump
    sync --file-system "$bundle"
    umount "$store"
    step unmount
    : >"$directory/at-work"
    say_done
}

# Kills every process of the container here, and releases the image store.
end() {
    disconnect 2>/dev/null || true
    end_processes
    rm -rf "/run/runc/$name"
    unmount_store
}

# THAW: takes a dumped container back; its processes continue where they were frozen if THAW is `yes`.
take_back() {
    # A unit that still waits for its order ends. Otherwise it completes, and then blocks until somebody reads its
    # answer.
    for waiting in "$dump_unit" "$earlier_dump_unit"; do
        ! is_running "$waiting" || systemctl kill --kill-whom=main --signal=TERM "$waiting" 2>/dev/null || true
    done
    await_work
    for waiting in "$dump_unit" "$earlier_dump_unit"; do
        kill_unit "$waiting"
    done
    has_processes "$control_group" || fail "the container has no process"
    unmount_store
    connect
    announce
    [ "$1" != yes ] || echo 0 >"$control_group/cgroup.freeze"
}

# ---------------------------------------------------------------- verbs: into an OS VM

# PORT TOKEN PROGRAM: starts a unit that will restore the container, up to the point where it needs the images. PROGRAM
# is timers.pl.
prepare_restore() {
    save_script "$unit"
    rm -f "$pid_file" "$directory/pid.new"
    printf %s "$3" >"$directory/timers.pl"
    start_unit "$unit" restore "$1" "$2"
}

# PORT TOKEN: runs in the unit. It waits for `restore`, restores, waits for `resume`, and lasts as long as the
# container's first process. CRIU joins the container's control group, and so do the processes that it creates: stopped,
# not running.
restore() {
    open_channel "$1" "$2"
    # Opened for reading and writing, so that opening it does not block.
    exec 5<>"$directory/timers"
    perl "$directory/timers.pl" "$control_group/cgroup.procs" <&5 3>&- 2>"$directory/timers.log" &
    timers=$!
    read -r device <"$device_file"
    say_done
    hear restore || exit 0
    step begin
    mount -o dax=always "$device" "$store"
    step mount
    read -r last <"$store/last"
    images=$store/$last
    set --
    while read -r pipe; do set -- "$@" --inherit-fd "fd[1]:$pipe"; done <"$images/output"
    {
        (
            echo 0 >"$control_group/cgroup.procs" || exit 1
            # shellcheck disable=SC2086 # words
            exec criu restore --images-dir "$images" --restore-detached --leave-stopped \
                --pidfile "$directory/pid.new" --root "$root" $criu_options --inherit-fd "fd[4]:network" "$@" \
                --log-file "$directory/restore.log" 4<"$network_namespace" 3>&- 5>&- 2>/dev/null
        ) && echo 0 >"$directory/done" || echo 1 >"$directory/done"
    } | cat >"$console" 3>&- 5>&- &
    read -r status <"$directory/done"
    [ "$status" = 0 ] || fail "$(grep Error "$directory/restore.log")"
    if [ -s "$images/timers" ]; then
        echo go >&5
        wait $timers || fail "$(cat "$directory/timers.log")"
    else
        kill $timers 2>/dev/null || true
    fi
    # The file ends without a newline, so `read` fails.
    read -r pid <"$directory/pid.new" || true
    echo "$pid" >"$pid_file"
    step restore
    say_done
    if hear resume; then
        # In the background: a write blocks while nobody reads, and the unit has to end with the container.
        if run_restored; then say_done & else say_failed & fi
    fi
    exec 3>&- 5>&-
    exec tail --pid="$pid" -s 0.5 -f /dev/null
}

# ---------------------------------------------------------------- verbs: observation and checks

observe() {
    if ! has_processes "$control_group"; then
        echo gone
        return
    fi
    read -r freeze <"$control_group/cgroup.freeze"
    if [ "$freeze" = 1 ]; then
        echo frozen
        return
    fi
    if ! [ -s "$pid_file" ]; then
        echo arriving
        return
    fi
    # One stopped process is enough: the script that resumed them may have died half-way.
    while read -r process; do
        { read -r state <"/proc/$process/stat"; } 2>/dev/null || continue
        state=${state##*) }
        [ "${state%% *}" != T ] || {
            echo stopped
            return
        }
    done <"$control_group/cgroup.procs"
    echo running
}

# Prints the version of CRIU, its complaints about this kernel, and the open files of the container that it cannot
# restore.
check() {
    # Kinds of open files that CRIU 3.17 cannot restore.
    immovable="anon_inode:.*(io_uring|bpf|perf_event|userfaultfd|kvm|fscontext|landlock)"
    immovable="$immovable|/dev/(fuse|kvm|net|vhost|dri|nvidia|loop|mapper)"
    command -v criu >/dev/null || fail "criu is not in the image of the OS VM"
    criu --version | sed -n 's/^Version: */version /p'
    criu check 2>&1 | grep -v -e 'Looks good' -e 'criu/util.c' | sed 's/^/check /' || true
    [ -e "$control_group/cgroup.procs" ] || return 0
    while read -r process; do
        find "/proc/$process/fd" -type l -printf "fd $process: %l\n" 2>/dev/null
    done <"$control_group/cgroup.procs" | grep -E "fd [0-9]+: ($immovable)" || true
}

# Prints how many bytes the container's processes, and their files in memory, use.
memory_in_use() {
    bytes=0
    while read -r key value; do
        case $key in anon | shmem) bytes=$((bytes + value)) ;; esac
    done <"$control_group/memory.stat"
    echo $bytes
}

# Prints how many bytes of memory are free in the OS VM.
memory_left() {
    while read -r key value _; do
        [ "$key" != MemAvailable: ] || echo $((value * 1024))
    done </proc/meminfo
}

# Dumps and restores a test process, once in the life of an OS VM, before any container is frozen. `criu check` does not
# prove that CRIU can dump and restore there. And the first run of anything takes longer: programs are read from the
# image, the kernel loads modules, and under emulation all code is translated.
try_criu() {
    tried=/run/hyperfresh/criu-tried
    [ ! -e $tried ] || return 0
    folder=$(mktemp -d /run/hyperfresh/trial.XXXXXX) pid=
    trap '[ -z "$pid" ] || kill -KILL $pid 2>/dev/null; rm -rf "$folder"' EXIT
    options="--images-dir $folder --log-file criu.log $criu_options"
    setsid sleep 600 </dev/null >/dev/null 2>&1 &
    pid=$!
    until read -r program <"/proc/$pid/comm" && [ "$program" = sleep ]; do :; done
    # shellcheck disable=SC2086 # words
    criu dump --tree $pid $options >/dev/null 2>&1 || fail "$(grep Error "$folder/criu.log")"
    wait $pid || true
    pid=
    # shellcheck disable=SC2086 # words
    criu restore $options --restore-detached --leave-stopped --pidfile "$folder/pid" >/dev/null 2>&1 ||
        fail "$(grep Error "$folder/criu.log")"
    # The file ends without a newline, so `read` fails.
    read -r pid <"$folder/pid" || true
    # CRIU uses tar like this for the contents of a tmpfs.
    tar --create --gzip --directory "$folder" --exclude=pid . | tar --list --gzip >/dev/null
    touch $tried
}

case $verb in
clear) clear_place ;;
prepare | exchange | start | run | stop | adopt | dump | restore | end | observe | check) "$verb" "$@" ;;
copy-memory) copy_memory "$@" ;;
prepare-dump) prepare_dump "$@" ;;
prepare-restore) prepare_restore "$@" ;;
take-back) take_back "$@" ;;
resume) run_restored ;;
memory-in-use) memory_in_use ;;
memory-left) memory_left ;;
try-criu) try_criu ;;
*) fail "unknown verb $verb" ;;
esac
