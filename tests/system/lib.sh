# Shared by the system tests: a private zoned below a temporary root, in network and mount namespaces of its own, TAP, and
# pictures of what the kernel and the disk hold. Source it first: it re-executes the test inside the namespaces.
set -u
export LC_ALL=C.UTF-8 TERM=xterm # one meaning of every test, whoever starts it
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
BIN=${ZONED_BIN:-$top/build/release/bin}
if [ "${ZONED_TEST_INSIDE:-}" != "$0" ]; then
    export ZONED_TEST_INSIDE=$0
    exec unshare -nm --propagation private bash "$0" "$@"
fi
ip link set lo up
# As hosts differ: FORWARD and BRIDGE_NF, 0 or 1, say what they are before zoned comes; a new namespace has 1 and 1 here.
[ -z "${FORWARD:-}" ] || sysctl -qw net.ipv4.ip_forward="$FORWARD"
[ -z "${BRIDGE_NF:-}" ] || sysctl -qw net.bridge.bridge-nf-call-iptables="$BRIDGE_NF" net.bridge.bridge-nf-call-ip6tables="$BRIDGE_NF"
mount --make-rshared / # as on every host with systemd; whom we share with is ourselves
n=0
failed=0
ok() { # ok STATUS NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else
        failed=1
        echo "not ok $n - $2"
        [ -n "${3:-}" ] && printf '%s\n' "$3" | sed 's/^/#   /' | head -${TAP_LINES:-15}
    fi
}
is() { # is GOT WANT NAME
    if [ "$1" = "$2" ]; then ok 0 "$3"; else ok 1 "$3" "got: $1
want: $2"; fi
}
like() { # like TEXT PATTERN NAME
    if printf '%s' "$1" | grep -qE -- "$2"; then ok 0 "$3"; else ok 1 "$3" "got: $1
want: /$2/"; fi
}
same() { # same GOT WANT NAME: two pictures
    if [ "$1" = "$2" ]; then ok 0 "$3"; else ok 1 "$3" "$(diff <(echo "$2") <(echo "$1"))"; fi
}
# status_is WANT NAME COMMAND…: exit status; output is in $out
status_is() {
    local want=$1 name=$2
    shift 2
    out=$("$@" 2>&1)
    local got=$?
    if [ $got = "$want" ]; then ok 0 "$name"; else ok 1 "$name" "status $got, want $want: $out"; fi
}
T=$(mktemp -d /var/tmp/zoned-test.XXXXXX)
ROOT=$T/root
mkdir -p "$ROOT"
export ZONED_SOCKET=$ROOT/run/zoned.sock
zc() { "$BIN/zonectl" "$@"; }
zoned_pid=
start_zoned() { # waits until it answers
    "$BIN/zoned" --root "$ROOT" ${ZONED_DEBUG:+--debug} >>"$T/zoned.log" 2>&1 &
    zoned_pid=$!
    for _ in $(seq 200); do
        [ -S "$ZONED_SOCKET" ] && zc list -q >/dev/null 2>&1 && return 0
        kill -0 $zoned_pid 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
kill9_zoned() {
    kill -9 "$zoned_pid" 2>/dev/null
    wait "$zoned_pid" 2>/dev/null
    zoned_pid=
}
stop_zoned() {
    kill "$zoned_pid" 2>/dev/null && wait "$zoned_pid" 2>/dev/null
    zoned_pid=
}
instance() { curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/version | jq -er .instance; }
# begin: a first zoned of this instance ($inst), and a picture ($before) after a first run, which brings up the network that then
# stays; nothing_left [NAME]: the picture is as it was
begin() {
    start_zoned
    ok $? "zoned answers" "$(tail -5 "$T/zoned.log")"
    inst=$(instance)
    status_is 0 "a first run brings the default network up" zc run --rm host true
    before=$(picture "$inst")
}
nothing_left() { same "$(tries=30 eventually "$before" picture "$inst")" "$before" "${1:-nothing is left}"; }
# Bounded waits: ${tries:-100} looks, ${nap:-0.1} s between two. What hangs has an end; whether it came in time decides no test.
until_ok() { # until_ok COMMAND…: until it succeeds; 1 when it never did
    for _ in $(seq "${tries:-100}"); do
        "$@" && return
        sleep "${nap:-0.1}"
    done
    return 1
}
eventually() { # eventually WANT COMMAND…: until it prints WANT; prints what it says then, or at last; 1 when that is not WANT
    local want_=$1 said_
    shift
    for _ in $(seq "${tries:-100}"); do
        said_=$("$@" 2>/dev/null)
        [ "$said_" = "$want_" ] && break
        sleep "${nap:-0.1}"
    done
    printf '%s\n' "$said_"
    [ "$said_" = "$want_" ]
}
ended() { until_ok eval "! kill -0 $1 2>/dev/null"; } # ended PID: until that process is no more
# What a start makes, in one text: mounts, links, nft, cgroups, loop devices, our processes, state folders.
picture() {
    local inst=$1
    echo "[mounts]"
    grep -c . /proc/self/mountinfo
    grep "$ROOT" /proc/self/mountinfo | cut -d' ' -f5
    echo "[links]"
    ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort
    echo "[nft]"
    nft list ruleset 2>/dev/null | grep -vE '^\s*(counter|handle)'
    echo "[cgroups]"
    find /sys/fs/cgroup -type d -path "*/$inst.slice/*" 2>/dev/null | sort
    echo "[loops]"
    losetup -n -O BACK-FILE 2>/dev/null | grep "$T" | sort # loop devices are the whole machine's: others may come and go
    echo "[processes]"
    pgrep -fa "$ROOT" | grep -v -e "zoned --root" -e "zone-sup --server" -e /usr/bin/lxcfs -e pgrep -e bash | sed 's/^[0-9]* //' | sort
    echo "[run]"
    (cd "$ROOT/run" && find . -mindepth 1 -path ./lxcfs -prune -o ! -name '*.sock' ! -path './keeper*' -print | sort)
    echo "[lib]"
    (cd "$ROOT/lib" && find zones volumes staging tmp -maxdepth 1 ! -name "zone.spare" ! -name "zone.part" 2>/dev/null | sort)
    echo "[etc]"
    ls "$ROOT/etc/zones"
}
take_down() { # zones, zoned, and what it leaves to the next one of this root
    local p
    [ -n "$zoned_pid" ] && zc delete --force $(zc list -q 2>/dev/null) >/dev/null 2>&1
    stop_zoned
    for p in $(pgrep -f "zone-sup --server $ROOT|^/usr/bin/lxcfs .*$ROOT"); do kill -9 "$p" 2>/dev/null; done
    umount -l "$ROOT/run/lxcfs/mnt" 2>/dev/null
    for p in $(cut -d" " -f1 "$ROOT"/run/names/*/pid "$ROOT"/run/dhcp/*/pid 2>/dev/null); do kill -9 "$p" 2>/dev/null; done
}
at_end=() # commands: what else a test has to take back; at_end+=('umount "$T/disk"')
finish() {
    local status=$?
    trap - EXIT
    take_down
    kill $(jobs -pr) 2>/dev/null # what a test runs beside itself, a server perhaps, ends here with it
    for command in "${at_end[@]}"; do eval "$command"; done
    echo "1..$n"
    if [ $failed = 1 ] || [ $status != 0 ]; then
        echo "# zoned's own words:"
        tail -40 "$T/zoned.log" 2>/dev/null | sed 's/^/# /'
    fi
    rm -rf --one-file-system "$T"
    exit $((failed ? 1 : status))
}
trap finish EXIT
# What zoned says of a zone: field ZONE JQ-FILTER, state ZONE, addr ZONE [LINK [NTH]]
field() { zc show "$1" -o json | jq -r "$2"; }
state() { field "$1" .state; }
addr() { field "$1" ".network[${2:-0}].addresses[${3:-0}]"; }
ns() { nsenter -n -t "$(field "$1" .pid)" "${@:2}"; } # ns ZONE COMMAND…: in its network, with the host's files
# sups NAME: the processes of this root's fork server by that name: zone-sup (itself and its spare), sup:ZONE; sup_of
# ZONE: the newest of a zone; keeper: the fork server itself
sups() { for p in $(pgrep -f "zone-sup --server $ROOT"); do grep -qsx "$1" "/proc/$p/comm" && echo "$p"; done; }
sup_of() { sups "sup:$1" | tail -1; }
keeper() { for p in $(sups zone-sup); do [ "$(ps -o ppid= -p "$p" | tr -d ' ')" = 1 ] && echo "$p"; done | head -1; }
