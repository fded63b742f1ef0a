#!/usr/bin/env bash
# guest: v2
# What a zone sees of the machine: its own part in /proc and /sys; kept over the death of zoned and of lxcfs; a JVM.
. "$(dirname "$0")/lib.sh"
begin
lxcfs_pid() { cut -d' ' -f1 "$ROOT/run/lxcfs/pid"; }
like "$(zc doctor -o json | jq -c '.[] | select(.check | startswith("lxcfs")) | .ok')" true "doctor: lxcfs serves"
zc create part --cpus 0 --memory 256M --image host -- sleep 1000
zc create whole --image host -- sleep 1000
zc start part whole
in_zone() { zc exec "$@"; }
total() { in_zone $1 -- awk '/^MemTotal/ { print $2 }' /proc/meminfo; }
is "$(total part)" 262144 "meminfo: the cap is the zone's memory"
is "$(total whole)" "$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)" "... and without a cap the machine's"
is "$(in_zone part -- grep -c ^processor /proc/cpuinfo)" 1 "cpuinfo: one CPU of the set"
is "$(in_zone part -- grep -c '^cpu[0-9]' /proc/stat)" 1 "stat: one CPU"
is "$(in_zone part -- nproc)" 1 "nproc"
is "$(in_zone part -- getconf _NPROCESSORS_ONLN)" 1 "getconf, which asks sysfs"
is "$(in_zone part -- cat /sys/devices/system/cpu/online)" 0 "sysfs: online CPUs"
is "$(in_zone whole -- grep -c ^processor /proc/cpuinfo)" "$(grep -c ^processor /proc/cpuinfo)" "a zone without a set has all"
up=$(in_zone part -- cut -d. -f1 /proc/uptime)
[ "$up" -lt 120 ] && [ "$(cut -d. -f1 /proc/uptime)" -gt "$up" ]
ok $? "uptime is the zone's ($up s)"
like "$(in_zone part -- cat /proc/loadavg)" '^0\.[0-9]+ ' "loadavg is the zone's"
like "$(in_zone part -- free -m)" "Mem: +256 " "free"
status_is 0 "live: less memory" zc set part memory.cap=128M
is "$(total part)" 131072 "... shows at once"
zc create capped --cpu-cap 1 --image host -- sleep 1000 && zc start capped
is "$(in_zone capped -- grep -c ^processor /proc/cpuinfo)" 1 "cpuinfo follows a cap"
zc run -d --name hosted --set 'network=[{link: host}]' host sleep 1000 >/dev/null
is "$(in_zone hosted -- grep -c lxcfs /proc/self/mountinfo)" 0 "link: host sees the host's"

# A JVM sizes itself by what it sees; a JVM of 1 CPU and 256 MB takes a quarter of the memory as heap.
zc create jvm --cpus 0 --memory 256M -v /etc/java-17-openjdk:/etc/java-17-openjdk:ro --image host -- sleep 1000 && zc start jvm
out=$(in_zone jvm -- java -XX:+PrintFlagsFinal -XshowSettings:system -version 2>&1)
like "$out" "Effective CPU Count: 1$" "JVM: 1 processor"
like "$out" "Memory Limit: 256.00M" "JVM: the zone's memory"
like "$out" "MaxHeapSize += 1[23][0-9]{7} " "JVM: heap by the zone's memory ($(echo "$out" | awk '$2 == "MaxHeapSize" { print $4 }'))"
like "$out" "bool UseSerialGC += true" "JVM: the collector of a small machine"
zc create jvmcap --cpu-cap 1 --memory 256M -v /etc/java-17-openjdk:/etc/java-17-openjdk:ro --image host -- sleep 1000 && zc start jvmcap
like "$(in_zone jvmcap -- java -XshowSettings:system -version 2>&1)" "Effective CPU Count: 1$" "JVM: 1 processor by a cap of 1, too"
zc delete --force jvmcap >/dev/null

# zoned dies, then lxcfs, then both
pid=$(lxcfs_pid)
kill9_zoned
is "$(grep MemTotal "/proc/$pid/root$ROOT/run/lxcfs/mnt/proc/meminfo" | wc -l)" 1 "lxcfs outlives zoned"
start_zoned
is "$(lxcfs_pid)" "$pid" "the next zoned adopts it"
is "$(total part)" 131072 "and zones see their part"
mounts=$(in_zone part -- sh -c 'grep -c . /proc/self/mountinfo')
zc run -d --name again --memory 64M --restart always host sh -c 'sleep 1000' >/dev/null
kill -9 "$pid"
eventually 131072 total part >/dev/null
ok $? "lxcfs killed: it is started again and running zones get its files"
[ "$(lxcfs_pid)" != "$pid" ]
ok $? "(another process)"
eventually 65536 total again >/dev/null
ok $? "every zone does"
is "$(in_zone part -- sh -c 'grep -c . /proc/self/mountinfo')" "$mounts" "no mount was added"
is "$(in_zone part -- sh -c 'for f in /proc/cpuinfo /proc/stat /proc/uptime /proc/loadavg /proc/meminfo; do cat $f >/dev/null || echo $f; done')" "" \
    "all files answer"
zc exec again -- sh -c 'kill -KILL -1' >/dev/null 2>&1
zc kill again -s KILL >/dev/null 2>&1
zc wait again --for running -t 10
eventually 65536 total again >/dev/null
ok $? "a restart by policy, in the old supervisor, has the new files"
is "$(zc run --rm --memory 64M host awk '/^MemTotal/ { print $2 }' /proc/meminfo)" 65536 "and so has a new zone"
pid=$(lxcfs_pid)
kill9_zoned
kill -9 "$pid"
like "$(cat /proc/$(pgrep -n -x sleep)/root/proc/meminfo 2>&1 | head -1)" "not connected|MemTotal" "both dead: the files say so, nothing hangs"
start_zoned
eventually 131072 total part >/dev/null
ok $? "both killed: the next zoned mends it"
is "$(grep -c " $ROOT/run/lxcfs/mnt " /proc/self/mountinfo)" 1 "one mount on the host"
zc delete --force $(zc list -q) >/dev/null
nothing_left
pid=$(lxcfs_pid)
stop_zoned
until_ok eval "! grep -qs lxcfs /proc/$pid/cmdline"
! grep -qs lxcfs /proc/$pid/cmdline && [ ! -e "$ROOT/run/lxcfs" ] && ! grep -q " $ROOT/run/lxcfs" /proc/self/mountinfo
ok $? "without a zone zoned takes lxcfs with it"

# a host without lxcfs
mount --bind /dev/null /usr/bin/lxcfs
start_zoned
like "$(zc doctor -o json | jq -r '.[] | select(.check | startswith("lxcfs")) | "\(.ok) \(.remedy)"')" "^false install the package lxcfs" \
    "without lxcfs: doctor says so, with the remedy"
is "$(zc run --rm --memory 64M host awk '/^MemTotal/ { print $2 }' /proc/meminfo)" "$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)" \
    "... and zones start all the same"
umount /usr/bin/lxcfs
