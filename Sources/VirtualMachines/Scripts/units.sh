# shellcheck shell=sh
# systemd units inside a hypervisor or OS VM. Other scripts are appended to this file.
#
# Where the VM is emulated, each start of a program takes a quarter of a second, and systemctl three quarters. The state of
# a unit is read from its control group instead, which needs no program.

fail() {
    echo "$*" >&2
    exit 1
}

# GROUP: succeeds if the control group has processes. A group that does not exist has none; one that cannot be read ends the
# script with an error.
has_processes() {
    populated=0
    # The group may disappear while it is read.
    { read -r _ populated <"$1/cgroup.events"; } 2>/dev/null || [ ! -e "$1" ] || fail "cannot read $1/cgroup.events"
    [ "$populated" = 1 ]
}

# GROUP: kills every process of the control group.
kill_group() { { echo 1 >"$1/cgroup.kill"; } 2>/dev/null || ! has_processes "$1" || fail "cannot write $1/cgroup.kill"; }

system_slice=/sys/fs/cgroup/system.slice
[ -e "$system_slice" ] || fail "$system_slice does not exist: this VM's systemd does not use cgroup v2"

# UNIT: sets `group` to the unit's control group.
find_group() {
    group=$system_slice
    # systemd puts the instances of a template into a slice of their own.
    case $1 in hyperfresh-relay@*) group="$group/system-hyperfresh\\x2drelay.slice" ;; esac
    group=$group/$1
}

# UNIT: succeeds if the unit has processes.
is_running() {
    find_group "$1"
    has_processes "$group"
}

# UNIT: kills every process of the unit.
kill_unit() { ! is_running "$1" || kill_group "$group"; }

# UNIT: succeeds if systemd still has the transient unit, so that no other unit can have its name.
is_loaded() { [ -e "/run/systemd/transient/$1" ]; }

# UNIT: unloads a transient unit that has failed; does nothing to one that runs.
unload() { ! is_loaded "$1" || systemctl reset-failed "$1" 2>/dev/null || true; }

# UNIT...: kills the units' processes, and waits until systemd has unloaded the units.
end_units() {
    ended=
    for unloaded in "$@"; do
        is_running "$unloaded" || is_loaded "$unloaded" || continue
        kill_unit "$unloaded"
        ended="$ended $unloaded"
    done
    # shellcheck disable=SC2086 # words
    [ -z "$ended" ] || systemctl stop $ended 2>/dev/null || true
    for unloaded in $ended; do
        ! is_running "$unloaded" || fail "$unloaded has processes after SIGKILL"
        unload "$unloaded"
    done
}
