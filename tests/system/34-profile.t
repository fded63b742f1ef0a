#!/usr/bin/env bash
# The golden files: what a default zone has, line by line, as its own processes see it. A difference in either direction fails
# and shows as a diff; a change that is meant is made with `ZONED_GOLDEN=write tests/system/34-profile.t`, and is seen in review.
. "$(dirname "$0")/lib.sh"
golden=$top/tests/golden
probe=$top/build/release/tests/hostile/hostile
begin
bind=(--set "filesystems=[{target: /probe, bind: $probe, mode: ro}]")

# What differs from host to host: hard limits are never above zoned's own.
host_nofile=$(ulimit -Hn)
run_size=$(awk '/^MemTotal/ { p = int($2 / 4) * 20; print int((p + 99) / 100) * 4 }' /proc/meminfo)
host_caps=" $("$probe" profile | sed -n 's/^capability //p' | tr '\n' ' ')"
even() {
    # /usr has the access times that the host's file system has
    tr -d '\r' | sed -e 's/^\(mount .* of the host .*\),noatime\>/\1/' -e "s|^\(mount /run .* size=\)${run_size}k|\1"'20%|' -e "s/^limit nofile 1024:$host_nofile\$/limit nofile 1024:65536/" -e '/^environment HOSTNAME=/d' | LC_ALL=C sort -u
}
# A place that this kernel does not have needs no cover; what zoned itself may not do, zones may not.
absent() {
    case $1 in
        "capability "*) [ "${host_caps/ ${1#* } /}" = "$host_caps" ] ;;
        "masked "* | "read-only "* | "writable "*) set -- $1 && [ ! -e "${2%/\*\*}" ] ;;
        *) false ;;
    esac
}
present() { while IFS= read -r line; do absent "$line" || printf '%s\n' "$line"; done; }
compare() { # compare PROFILE GOT
    local file=$golden/profile.$1 want
    if [ "${ZONED_GOLDEN:-}" = write ]; then
        { while IFS= read -r line; do absent "$line" && printf '%s\n' "$line"; done <"$file"
          printf '%s\n' "$2"; } | LC_ALL=C sort -u >"$file.new" && mv "$file.new" "$file"
    fi
    want=$(present <"$file")
    if [ "$want" = "$2" ]; then ok 0 "$1: as tests/golden/profile.$1 ($(echo "$2" | wc -l) lines)"; else
        TAP_LINES=60 ok 1 "$1: as tests/golden/profile.$1" "$(diff -U0 --label "tests/golden/profile.$1" --label 'this zone' \
            <(echo "$want") <(echo "$2") | grep -v '^@@')"
    fi
}
from_outside() { # of a zone: namespaces against ours, limits
    set -- "$1" "$(field $1 .pid)"
    echo "limit tasks $(cat /sys/fs/cgroup/pids/$inst.slice/$1/pids.max 2>/dev/null || cat /sys/fs/cgroup/$inst.slice/$1/pids.max)"
    for ns in user mnt pid net ipc uts cgroup time; do
        [ "$(readlink /proc/$2/ns/$ns)" = "$(readlink /proc/$$/ns/$ns)" ] && echo "namespace $ns the host's" || echo "namespace $ns own"
    done
}
told() { zc logs "$1" | even; }
same_in_exec() { same "$(zc exec "$2" -- /probe profile | even | grep -v ^env)" "$(echo "$3" | grep -vE '^(env|end of)')" "$1: exec has what the first program has"; }

# ---- app: a program in the sparse root ----
zc create app "${bind[@]}" --image host -- /bin/sh -c '/probe profile; exec sleep 1000'
zc start app
said() { told "$1" | grep -q "$2"; }
tries=200 until_ok said app '^call number 100000'
sleep 0.5
got=$(told app)
compare app "$( (echo "$got"; from_outside app) | LC_ALL=C sort)"
same_in_exec app app "$got"

# ---- system: an image whose init is the probe ----
mkdir -p "$T/img/sbin" "$T/img/bin" && cp "$probe" "$T/img/sbin/init" && ln -s sbin/init "$T/img/probe" && chmod 755 "$T" "$T/img"
zc create sys --set init=system --image "dir:$T/img"
zc start sys
tries=200 until_ok said sys '^end of profile'
got=$(told sys)
compare system "$( (echo "$got"; from_outside sys) | LC_ALL=C sort)"
same_in_exec system sys "$got"
zc delete --force app sys >/dev/null

# ---- the test can fail: what a zone has more than the default is seen, and nothing else ----
control() { # control NAME WANT OPTIONS…
    local name=$1 want=$2
    shift 2
    zc create more "${bind[@]}" "$@" --image host -- /probe profile
    zc start more && zc wait more --for stopped -t 30 >/dev/null
    is "$(diff <(grep -vE '^(namespace|environment|limit tasks)' "$golden/profile.app" | present) <(told more | grep -v ^environment) | grep '^[<>]' | head -${lines:-9})" \
        "$want" "control: $name"
    zc delete more
}
control "a capability more" "> capability cap_net_raw" --set 'security.capabilities.add=[NET_RAW]'
control "a device more" "> device /dev/fuse char 10:229 $(stat -c %04a /dev/fuse) owner 0:0" --set 'devices=[/dev/fuse]'
control "a tmpfs more" "> mount /more tmpfs rw,nosuid,nodev,relatime ; rw size=1024k" --set 'filesystems[]={target: /more, tmpfs: 1M}'
control "a sysctl" "< sysctl net/ipv4/ip_unprivileged_port_start 0
> sysctl net/ipv4/ip_unprivileged_port_start 1024" --set 'sysctls={net.ipv4.ip_unprivileged_port_start: 1024}'
lines=2 control "no filter" "< Seccomp 2
< Seccomp_filters 1" --set security.seccomp=unconfined
nothing_left
