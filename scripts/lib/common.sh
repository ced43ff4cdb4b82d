# shellcheck shell=bash
# Shared by the scripts: strict mode, messages on stderr, the cache folder, private apt state, content stamps.
# Source it first:  . "$(dirname "$(readlink -f "$0")")/lib/common.sh"
set -euo pipefail
shopt -s inherit_errexit
umask 022

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${HYPERFRESH_CACHE:-$repository/.cache}
# shellcheck disable=SC2034  # for the scripts that source this file
readonly repository cache
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

# say WORDS...: prints a progress message on stderr.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# fail WORDS...: prints an error on stderr and exits with status 1.
fail() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# usage_of FILE: prints the comment at the head of a script, which is its help.
usage_of() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$1"; }

# no_arguments "$@": for scripts without arguments: prints the help for --help; exits with a usage error for anything else.
no_arguments() {
    [ $# -eq 0 ] && return
    if [ "$1" = --help ] || [ "$1" = -h ]; then
        usage_of "$0"
        exit 0
    fi
    printf '%s: unknown argument: %s\n\n' "${0##*/}" "$1" >&2
    usage_of "$0" >&2
    exit 64
}

# as_root COMMAND...: runs the command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this needs root, and sudo is not installed; run as root: $*"
    fi
}

# need_commands COMMAND...: fails with a hint if a command is missing.
need_commands() {
    local command
    for command in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || fail "$command is missing: run scripts/setup"
    done
}

# stamp_of TEXT FILE...: prints a checksum of the text and the contents of the files.
stamp_of() {
    local text=$1
    shift
    { printf '%s\n' "$text" && cat -- "$@"; } | sha256sum | cut -d' ' -f1
}

# is_fresh STAMP-FILE STAMP PRODUCT...: true if all products exist and the stamp file contains this stamp.
is_fresh() {
    local file=$1 stamp=$2 product
    shift 2
    [ -r "$file" ] && [ "$(cat "$file")" = "$stamp" ] || return 1
    for product in "$@"; do [ -e "$product" ] || return 1; done
}

# with_lock NAME: takes a lock in this cache; holds it until the script exits.
with_lock() {
    mkdir -p "$cache"
    exec {cache_lock}>"$cache/.$1.lock"
    flock "$cache_lock"
}

# debian_mirror: prints the address of the Debian mirror that apt uses here, and the suite of this release. Asks apt, which
# reads every format of its sources; needs no package lists. Other repositories may use the same suite name: prefers the
# mirror that also has the suite's updates.
debian_mirror() {
    local codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    apt-get -o Debug::NoLocking=true update --print-uris |
        awk -F "'" -v suite="$codename" '
            $2 ~ "/dists/" suite "-updates/" { split($2, part, "/dists/"); updated[part[1]] = 1 }
            $2 ~ "/dists/" suite "/main/" { split($2, part, "/dists/"); if (!seen[part[1]]++) mirrors[++count] = part[1] }
            END {
                for (i = 1; i <= count && best == ""; i++) if (mirrors[i] in updated) best = mirrors[i]
                if (best == "") best = mirrors[1]
                if (best != "") print best, suite
            }'
}

# debian_security: prints the address from which apt gets this release's security updates here; nothing if there is none.
debian_security() {
    local codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    apt-get -o Debug::NoLocking=true update --print-uris |
        awk -F "'" -v suite="$codename-security" '
            $2 ~ "/dists/" suite "/" { split($2, part, "/dists/"); print part[1]; exit }'
}

# signed_by URI: prints the keyring that the machine's own sources name for this URI; nothing if they name none.
signed_by() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -r "$file" ] || continue
        awk -v uri="${1%/}" '$1 == "deb" && index($0, uri) && match($0, /signed-by=[^] ]+/) {
            print substr($0, RSTART + 10, RLENGTH - 10); exit }' "$file"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -r "$file" ] || continue
        awk -v uri="${1%/}" 'BEGIN { RS = "" } index($0, uri) && match($0, /\nSigned-By:[ \t]*\/[^\n]+/) {
            value = substr($0, RSTART + 1, RLENGTH - 1); sub(/^Signed-By:[ \t]*/, "", value); print value; exit }' "$file"
    done
}

# apt_source URI SUITES: prints a paragraph of apt sources with the machine's own keyring for that mirror.
apt_source() {
    local keyring
    keyring=$(signed_by "$1" | head -n 1)
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2"
    if [ -n "$keyring" ]; then printf 'Signed-By: %s\n' "$keyring"; fi
    printf '\n'
}

# private_apt FOLDER SUITE...: sets up an apt whose state is entirely in FOLDER, with these suites of the machine's own
# mirror and keyrings. The suite "security" stands for the machine's source of security updates. Sets the array `apt`, the
# arguments for apt-get and apt-cache. Needs no root; does not change the machine's apt.
private_apt() {
    local folder=$1 mirror security='' suites
    shift
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || fail "apt on this machine has no Debian mirror (see apt-get update --print-uris)"
    suites=" $* "
    case $suites in
    *' security '*) security=$(debian_security) suites=${suites/ security / } ;;
    esac
    suites=${suites# } suites=${suites% }
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/empty"
    apt_source "${mirror% *}" "$suites" >"$folder/mirror.sources"
    if [ -n "$security" ]; then apt_source "$security" "${mirror#* }-security" >>"$folder/mirror.sources"; fi
    mirror=${mirror% *}
    apt=(-q -o "Dir::Etc::sourcelist=$folder/mirror.sources" -o "Dir::Etc::sourceparts=$folder/empty"
        -o "Dir::Etc::preferences=/dev/null" -o "Dir::Etc::preferencesparts=$folder/empty"
        -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o "Acquire::Languages=none"
        -o "Acquire::Retries=3" -o "Debug::NoLocking=true" -o "APT::Sandbox::User=root")
    say "reading the package lists of $mirror ($*)"
    apt-get "${apt[@]}" update >"$folder/update.log" 2>&1 || {
        cat "$folder/update.log" >&2
        fail "cannot read the Debian mirror $mirror; check the network connection"
    }
    # apt-get update succeeds with a warning when nothing could be fetched.
    if ! compgen -G "$folder/lists/*_Packages*" >/dev/null; then
        cat "$folder/update.log" >&2
        fail "cannot read the Debian mirror $mirror; check the network connection"
    fi
}
