#!/usr/bin/env bash
# guest: v2
# What the kernel itself refuses: a controller that this host does not have, files that refuse a write (EBUSY, EINVAL, ENOSPC), at a
# start and live, and groups that somebody removed under us. Each is a clear error, nothing is half done, and the zone can be stopped.
. "$(dirname "$0")/lib.sh"
v2=false
[ -e /sys/fs/cgroup/cgroup.controllers ] && v2=true

ulimit -n 8192 # zoned's own
begin
file() { ls -d /sys/fs/cgroup/*/"$inst.slice/$1/$2" "/sys/fs/cgroup/$inst.slice/$1/$3" 2>/dev/null | head -1; }
values() { # what the groups of a zone have, and its spec
    local f
    for f in cpu.shares cpu.weight cpu.cfs_quota_us cpu.max cpuset.cpus memory.limit_in_bytes memory.max pids.max; do
        find /sys/fs/cgroup -path "*/$inst.slice/$1/$f" -exec grep -H . {} + 2>/dev/null
    done | sort
    zc export "$1"
}
refused() { # STATUS PATTERN NAME FILE KEY=VALUE…: a change of zone web that is refused while FILE lies over its pids.max
    local want=$1 pattern=$2 name=$3 over=$4 was
    shift 4
    was=$(values web)
    [ -z "$over" ] || mount --bind "$over" "$tasks"
    status_is "$want" "$name" zc set web "$@"
    [ -z "$over" ] || umount "$tasks"
    like "$out" "$pattern" "... says which key, file and why"
    same "$(values web)" "$was" "... and nothing of it is done"
}

# ---- a spec that somebody edited ----
zc create edited --image host -- sleep 1000
if [ $v2 = true ]; then key='io: {weight: 300}' says='io.weight: inert unless'; else key='memory: {soft: 100M}' says='memory.soft: needs the memory controller of cgroup2'; fi
echo "$key" >>"$ROOT/etc/zones/edited.yaml"
status_is 9 "a key that this host cannot enforce refuses the start" zc start edited
like "$out" "$says" "... says which and why"
is "$(state edited) $(find /sys/fs/cgroup -path "*/$inst.slice/edited")" "installed " "... and nothing is made"
sed -i '$d' "$ROOT/etc/zones/edited.yaml"
status_is 0 "without it it starts" zc start edited
zc delete --force edited >/dev/null

# ---- a restart that its start would refuse ----
zc create b --image host -- sleep 1000
zc create other -p 9301:80 --image host --set 'network[0].aliases=[db]' -- sleep 1000
zc start b other
pid=$(field b .pid)
cp "$ROOT/etc/zones/b.yaml" "$T/b.yaml"
stays() { # STATUS PATTERN NAME: a restart is refused so, and the zone runs on; then its spec is as it was
    status_is "$1" "restart: $3" zc restart b
    like "$out" "$2" "... says why"
    is "$(state b) $(field b .pid)" "running $pid" "... and the zone runs on"
    cp "$T/b.yaml" "$ROOT/etc/zones/b.yaml"
}
add() { echo "$1" >>"$ROOT/etc/zones/b.yaml"; }
add 'colour: red'; stays 7 'b.yaml:[0-9]+: colour: unknown key' "an unknown key"
add "$key"; stays 9 "$says" "a key that this host cannot enforce"
add 'cpu: {pool: none-such}'; stays 3 'pool none-such does not exist' "a pool that is not there"
zc set @host cpu.reserved=1 >/dev/null
add "cpu: {reserved: $(nproc).0}"; stays 8 "asks for $(nproc) CPUs, but of $(nproc) CPUs 1 are promised" "a promise that does not fit"
zc pool create batch cpu.reserved=0.1 >/dev/null
sed -i "s/reserved: .*/reserved: $(nproc)/" "$ROOT/etc/pools/batch.yaml"
add 'cpu: {pool: batch}'; stays 8 'pool batch' "a pool that cannot hold its promise"
zc set @host cpu.reserved= >/dev/null
zc pool delete batch
half=$(awk "BEGIN { print $(nproc) * 0.75 }")
zc set b cpu.reserved=$half >/dev/null && cp "$ROOT/etc/zones/b.yaml" "$T/b.yaml"
sed -i '/^process:/,$d' "$ROOT/etc/zones/b.yaml"; stays 7 'process.args' "no program"
sed -i 's/^image:.*/image: none-such:1/' "$ROOT/etc/zones/b.yaml"; stays 3 'none-such' "an image that is not there"
add 'network: [{link: none-such}]'; stays 3 'network none-such does not exist' "a network that is not there"
add 'network: [{link: default, ports: ["9301:80"]}]'; stays 4 'host port 9301/tcp is published by zone other' "a port of another zone"
add 'network: [{link: default, aliases: [db]}]'; stays 4 'db is an alias of zone other' "a name of another zone"
add "network: [{link: default, address: $(addr other)}]"; stays 4 "$(addr other)" "an address of another zone"
add 'network: [{link: "zone:none-such"}]'; stays 4 'zone none-such does not run' "the network of a zone that does not run"
add 'filesystems: [{target: /srv, bind: /none/such}]'; stays 3 '/none/such' "a folder that is not there"
add "limits: {nofile: 10000}"; stays 8 "limits.nofile: 10000 is above" "more descriptors than zoned may give"
ip link add up9 type veth peer name up7 && ip link set up9 up && ip link set up7 up
for type in bridge macvlan; do
    zc network create lan9 --type $type --parent up9 >/dev/null
    status_is 0 "$type: a running zone joins" zc set b 'network=[{link: lan9}]' && cp "$ROOT/etc/zones/b.yaml" "$T/b.yaml"
    ip link set up9 down; stays 4 'the link up9 is down' "$type: the parent is down"; ip link set up9 up
    [ $type = macvlan ] || { ip link set up9 down; ip link set up9 name up8; stays 3 'this host has no link up9' "$type: no parent"; ip link set up8 name up9; ip link set up9 up; }
    status_is 0 "$type: ... and leaves" zc set b network= && cp "$ROOT/etc/zones/b.yaml" "$T/b.yaml"
    status_is 0 "$type: ... which goes" zc network delete lan9
done
ip link delete up9
status_is 0 "its own promise is no obstacle to it" zc restart b
[ "$(state b)" = running ] && [ "$(field b .pid)" != "$pid" ]; ok $? "... it runs anew"
zc delete --force b other >/dev/null

# ---- limits of processes ----
zc create b --image host -- sleep 1000
for at in rest running; do
    status_is 8 "more descriptors than zoned may give, $at" zc set b limits.nofile=10000
    like "$out" "limits.nofile: 10000 is above zoned's own hard limit 8192" "... says how many"
    like "$out" "^hint: raise LimitNOFILE= in zoned.service" "... with a remedy that systemd knows"
    zc start b
done
is "$(zc export b | grep -c nofile)" 0 "... and nothing is written"
status_is 8 "nor create" zc create c --image host --set limits.nofile=10000 -- true
status_is 0 "core dumps may be asked for" zc set b limits.core=1M
zc restart b
is "$(zc exec b -- sh -c 'ulimit -Hc')" 2048 "... and are given"
zc delete --force b >/dev/null

# ---- files that refuse ----
# Whatever the layout, a limit's file is laid over with one that refuses in the way that is wanted.
zc create web --memory 256M --cpu-shares 100 --image host -- sleep 1000
zc start web
tasks=$(file web pids.max pids.max)
refused 1 "tasks: .*pids.max of web: No space left on device" "ENOSPC" /dev/full cpu.shares=200 memory.cap=300M tasks=100
refused 7 "tasks: .*pids.max of web: .*Invalid argument" "EINVAL" /proc/$$/oom_score_adj cpu.shares=200 memory.cap=300M tasks=20000
status_is 0 "what is not refused any more is done" zc set web cpu.shares=200 memory.cap=300M tasks=20000
is "$(zc show web -o json | jq -c '[.drifted, .spec.tasks]')" '[false,20000]' "... all of it"
if [ $v2 = true ]; then # v1's own EBUSY: a group of somebody else below ours needs the CPUs (on v2 it follows)
    ok 0 "(v2 has no sets that hold each other)"
else
    mkdir "/sys/fs/cgroup/cpuset/$inst.slice/web/foreign"
    cat /sys/fs/cgroup/cpuset/cpuset.mems >"/sys/fs/cgroup/cpuset/$inst.slice/web/foreign/cpuset.mems"
    echo 0-$(($(nproc) - 1)) >"/sys/fs/cgroup/cpuset/$inst.slice/web/foreign/cpuset.cpus"
    refused 6 "cpu.set: .*cpuset.cpus of web: .*busy" "EBUSY" "" cpu.set=0 cpu.shares=300
    rmdir "/sys/fs/cgroup/cpuset/$inst.slice/web/foreign"
    status_is 0 "... free again" zc set web cpu.set=0
    zc set web cpu.set= >/dev/null
fi

# ---- groups removed under us ----
for f in $(find /sys/fs/cgroup -maxdepth 4 -type d -path "*/$inst.slice/web" ! -path '*/unified/*'); do
    for p in $(cat "$f/cgroup.procs"); do echo "$p" >"${f%/"$inst.slice"/web}/cgroup.procs"; done
    rmdir "$f"
done
status_is 4 "a change of a zone whose groups are gone" zc set web tasks=77
like "$out" "tasks: the group .*/web is gone: somebody has removed it" "... says so"
is "$(zc why web -i 0.2 -o json | jq -r .cause)" no_groups "why says that it runs without limits"
like "$(zc why web -i 0.2)" "zonectl restart web" "... with the remedy"
status_is 0 "stats goes on" zc stats -o json
is "$(echo "$out" | jq -r '.zones[0].name')" web "... with the zone"
zc create other --image host -- sleep 1000
status_is 0 "others start" zc start other
status_is 0 "it can be stopped" zc stop --force web
status_is 0 "and starts again, with groups" zc start web
is "$(cat "$(file web pids.max pids.max)") $(zc show web -o json | jq .drifted)" "20000 false" "... that have its limits"
zc delete --force web other >/dev/null
if [ $v2 = true ]; then # there a group that has children is not removed
    ok 0 "(v2 keeps a pool's group)"
else
    zc pool create q >/dev/null
    for z in m1 m2; do zc create $z --set cpu.pool=q --image host -- sleep 1000; done
    zc start m1 m2
    q=/sys/fs/cgroup/cpu/$inst.slice/q.pool
    for z in m1 m2; do
        for p in $(cat "$q/$z/cgroup.procs"); do echo "$p" >/sys/fs/cgroup/cpu/cgroup.procs; done
        rmdir "$q/$z"
    done
    is "$(zc show m1 -o json | jq -c '[.drifted, .drift[0].key, .drift[0].file]')" "[true,\"group\",\"$(dirname "$(readlink -f "$q")")/q.pool/m1\"]" \
        "a group that is missing is drift, whatever its limits are"
    rmdir "$q"
    is "$(zc pool show q -o json | jq -c '[.drifted, .drift[0].key]')" '[true,"group"]' "... a pool's, too"
    zc export m1 >"$T/m1.yaml"
    status_is 4 "apply cannot make a zone's group while it runs, and begins nothing" zc apply -f "$T/m1.yaml"
    like "$out" "control group .*/q.pool/m1 was removed" "... says which"
    like "$out" "hint: zonectl restart m1" "... and the remedy"
    status_is 0 "a set makes the pool's again" zc pool set q cpu.shares=100
    is "$(zc pool show q -o json | jq .drifted)" false "... it is whole"
    rmdir "$q"
    status_is 0 "a restart makes both, as why says" zc restart m1
    is "$(state m1) $(cat "$q/m1/cgroup.procs" | grep -c .) $(zc show m1 -o json | jq .drifted)" "running 2 false" "... it runs in them"
    zc delete --force m1 m2 >/dev/null
    zc pool delete q >/dev/null
fi
nothing_left

# ---- a controller that is absent ----
lacking() { # lacking CONTROLLER: for us alone, this host has none
    if [ $v2 = true ]; then
        all=/sys/fs/cgroup/cgroup.controllers
    else
        all=/sys/fs/cgroup/unified/cgroup.controllers # on hybrid some are there
        ! mountpoint -q "/sys/fs/cgroup/$1" || umount "/sys/fs/cgroup/$1"
    fi
    grep -qw "$1" "$all" || return
    sed "s/\b$1\b//; /[a-z]/!d" "$all" >"$T/without-$1" # the kernel writes no empty line
    mount --bind "$T/without-$1" "$all"
}
take_down
lacking memory
lacking hugetlb
echo 0 >"$T/online" # and the second CPU is offline
mount --bind "$T/online" /sys/devices/system/cpu/online
start_zoned
ok $? "zoned serves a host without the memory controller"
umount /sys/devices/system/cpu/online # else the kernel mounts no sysfs in a zone
zc create plain --image host -- sleep 1000
status_is 7 "a set with an offline CPU in it" zc set plain cpu.set=0-1
like "$out" "cpu.set: CPU 1 is not online here \(online: 0\)" "... is named"
status_is 0 "a zone that asks for no memory starts" zc start plain
status_is 9 "a memory cap is refused" zc create capped --memory 64M --image host -- sleep 1000
like "$out" "memory.cap: .*no memory controller" "... says why"
status_is 9 "... live, too" zc set plain memory.cap=64M
is "$(zc show plain -o json | jq -c '[.spec.memory.cap, .state]')" '[null,"running"]' "... and nothing is changed"
status_is 9 "a limit of huge pages" zc set plain memory.hugepages=4M
like "$out" "memory.hugepages: .*no hugetlb controller \(" "... says what is missing, and where it would be"
zc delete --force plain >/dev/null
