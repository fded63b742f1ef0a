#!/usr/bin/env bash
# What only cgroup v2 has, on a host that has nothing else: soft and reserved memory, both kinds of out-of-memory, rates and weight
# of a disk, freezing, what a zone sees of its group, a subtree that a zone divides itself. Runs in the guest only.
# cgroups: v2
. "$(dirname "$0")/../../system/lib.sh"
begin
P=/sys/fs/cgroup/$inst.slice
has() { cat "$P/$1"; }
of_group() { awk -v k="$2" '$1 == k { print $2 }' "$P/$1"; }
disk=$(lsblk -nro MAJ:MIN /dev/vda | head -1)

status_is 0 "every key of the division" zc create full --cpu-shares 250 --cpu-cap 0.5 --cpus 1 --memory 96M --tasks 77 \
    --set memory.soft=64M --set memory.reserved=32M --set memory.swap=8M --set memory.oom=process --set cpu.burst=0.1 \
    --set io.read=8M --set io.write=4M --set io.read_ops=500 --set io.write_ops=400 --image host -- sleep 1000
status_is 0 "starts" zc start full
is "$(has full/cpu.weight) $(has full/cpu.max) $(has full/cpu.max.burst) $(has full/cpuset.cpus)" "250 50000 100000 10000 1" "cpu"
is "$(has full/memory.max) $(has full/memory.high) $(has full/memory.min) $(has full/memory.swap.max) $(has full/memory.oom.group)" \
    "$((96 << 20)) $((64 << 20)) $((32 << 20)) $((8 << 20)) 0" "memory"
is "$(has full/pids.max)" 77 "tasks"
is "$(has full/io.max)" "$disk rbps=$((8 << 20)) wbps=$((4 << 20)) riops=500 wiops=400" "disk"
is "$(has memory.min)" $((32 << 20)) "what zones are promised is promised to their parent"
status_is 0 "live" zc set full cpu.cap=1.5 memory.soft=48M memory.reserved=16M io.write=2M 'io.read=' tasks=99
is "$(has full/cpu.max) $(has full/memory.high) $(has memory.min) $(has full/pids.max)" \
    "150000 100000 $((48 << 20)) $((16 << 20)) 99" "... the kernel has it"
is "$(has full/io.max)" "$disk rbps=max wbps=$((2 << 20)) riops=500 wiops=400" "... the disk too"
zc create second --set memory.reserved=10M --image host -- sleep 1000 && zc start second
is "$(has memory.min)" $((26 << 20)) "two promises add up"
zc delete --force second >/dev/null
is "$(has memory.min)" $((16 << 20)) "and one is taken back"

start=$(date +%s%N)
zc exec full -- dd if=/dev/zero of=/root/out bs=256k count=32 oflag=direct 2>/dev/null
ms=$((($(date +%s%N) - start) / 1000000))
echo "# 8 MiB at 2 MiB/s: $ms ms"
[ $ms -ge 3000 ]
ok $? "writes go no faster than the spec says"
start=$(date +%s%N)
zc exec full -- dd if=/dev/zero of=/root/later bs=256k count=32 2>/dev/null
cached=$((($(date +%s%N) - start) / 1000000))
zc exec full -- sync /root/later
ms=$((($(date +%s%N) - start) / 1000000))
echo "# 8 MiB at 2 MiB/s through the page cache: $cached ms until dd was done, $ms ms until they were on the disk"
[ $ms -ge 3000 ]
ok $? "... also those that the page cache writes back later"
start=$(date +%s%N)
zc exec full -- dd if=/dev/zero of=/root/left bs=256k count=32 2>/dev/null
sync -f "$ROOT"
ms=$((($(date +%s%N) - start) / 1000000))
echo "# ... $ms ms where the host asks for them, not the zone"
[ $ms -ge 3000 ]
ok $? "... whoever waits for them"
status_is 7 "a rate of 0 is refused" zc create x --set io.read=0 --image host -- true
status_is 9 "io.weight is refused where nothing would keep it" zc create x --set io.weight=300 --image host -- true
like "$out" "bfq|io.cost" "... with the remedy"
echo "$disk enable=1" >/sys/fs/cgroup/io.cost.qos
status_is 0 "with io.cost on it is taken" zc create heavy --set io.weight=300 --image host -- sleep 1000
status_is 0 "... and starts" zc start heavy
like "$(has heavy/io.weight)" "default 300" "... with its weight"
zc delete --force heavy full >/dev/null
echo "$disk enable=0" >/sys/fs/cgroup/io.cost.qos

# huge pages: a mapping beyond the limit is refused when it is made, not when it is touched
echo 8 >/proc/sys/vm/nr_hugepages
status_is 0 "memory.hugepages" zc create huge --set memory.hugepages=5M --image host -- sleep 1000
zc start huge
is "$(has huge/hugetlb.2MB.max) $(has huge/hugetlb.2MB.rsvd.max)" "$((4 << 20)) $((4 << 20))" "whole pages of it are in both files"
maps() { # maps MIB THEN…: a process of the zone maps so much of huge pages, touches it, and goes on with THEN
    printf 'import mmap, time\nm = mmap.mmap(-1, %d << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)\n' "$1"
    printf 'for i in range(0, %d << 20, 4096): m[i] = 1\nprint("taken", flush=True)\n%s\n' "$1" "${2:-}"
}
like "$(zc exec huge -- python3 -c "$(maps 6)" 2>&1)" "Cannot allocate memory" "6 MiB of 4 are refused"
is "$(zc exec huge -- python3 -c "$(maps 4)" 2>&1)" taken "4 are not"
zc exec -d huge -- python3 -c "$(maps 4 'time.sleep(1000)')"
in_use() { [ "$(has huge/hugetlb.2MB.current)" = $((4 << 20)) ]; }
tries=600 until_ok in_use
status_is 6 "less than what is in use" zc set huge memory.hugepages=2M
like "$out" "memory.hugepages: .*hugetlb.2MB.*of huge: .*busy" "... says so"
is "$(has huge/hugetlb.2MB.max) $(has huge/hugetlb.2MB.rsvd.max)" "$((4 << 20)) $((4 << 20))" "... and nothing of it is done"
status_is 0 "more, live" zc set huge memory.hugepages=8M
echo $((2 << 30)) >"$P/huge/hugetlb.1GB.max" 2>/dev/null || echo $((6 << 20)) >"$P/huge/hugetlb.2MB.max"
is "$(zc show huge -o json | jq -c '[.drifted, .drift[].key]')" '[true,"memory.hugepages"]' "a foreign write is drift"
zc delete --force huge >/dev/null
echo 0 >/proc/sys/vm/nr_hugepages

# soft: reclaimed, not killed. The file is on the zone's disk, so its cache is the zone's and can go.
zc create soft --memory 128M --set memory.soft=24M --image host -- sh -c 'dd if=/dev/zero of=/root/f bs=1M count=64 2>/dev/null; echo done; sleep 1000'
zc start soft
high() { [ "$(of_group soft/memory.events high)" -gt 0 ]; }
tries=600 until_ok high
ok $? "above memory.soft the kernel reclaims"
written() { zc logs soft | grep -q done; }
tries=600 until_ok written
ok $? "and the zone goes on"
is "$(of_group soft/memory.events oom_kill) $(state soft)" "0 running" "nobody was killed"
zc delete --force soft >/dev/null

# a process that fills the memory beside one that does not
pair='python3 -c "x = bytearray(300 << 20)"; echo hog $?; sleep 1000'
zc create each --memory 48M --set memory.oom=process --image host -- sh -c "$pair"
zc start each
hog() { zc logs each | grep -q 'hog 137'; }
tries=600 until_ok hog
ok $? "oom: process kills the process"
is "$(state each)" running "... and the zone lives"
zc create all --memory 48M --set memory.oom=zone --image host -- sh -c "$pair"
zc start all
zc wait all --for stopped
is "$(zc show all -o json | jq -r '(.oom|tostring) + " " + (.exit_status|tostring)')" "true 137" "oom: zone ends all of it, and says so"
zc delete --force each all >/dev/null

# freeze
zc create cold --image host -- sh -c 'while :; do :; done'
zc start cold
status_is 0 "pause" zc pause cold
is "$(of_group cold/cgroup.events frozen)" 1 "the kernel says frozen"
use() { zc stats cold -o json | jq '.zones[0].cpu.usage_usec'; }
a=$(use)
sleep 1
is "$(use)" "$a" "a paused zone uses no CPU"
status_is 0 "stop of a paused zone" zc stop --force cold
[ ! -e "$P/cold" ]
ok $? "its group is gone"
zc start cold
zc set cold cpu.idle=true >/dev/null
is "$(has cold/cpu.idle)" 1 "cpu.idle, live"
zc set cold cpu.idle=false >/dev/null
is "$(has cold/cpu.idle) $(has cold/cpu.weight)" "0 100" "and back"
is "$(zc stats cold -o json | jq '[.zones[0] | .cpu.psi_some_usec, .memory.psi_full_usec, .io.psi_some_usec | numbers] | length')" 3 "pressure is in the statistics"
zc delete --force cold >/dev/null

# what a zone sees
zc create app --memory 64M --image host -- sleep 1000 && zc start app
is "$(zc exec app -- cat /proc/self/cgroup)" "0::/" "exec is in the zone's own group"
is "$(zc exec app -- cat /sys/fs/cgroup/memory.max)" $((64 << 20)) "the zone sees its group"
is "$(zc exec app -- sh -c 'mkdir /sys/fs/cgroup/x 2>/dev/null; echo $?')" 1 "... read-only"
zc delete --force app >/dev/null
# A zone with an init of its own divides its part by itself: this one does what systemd does.
mkdir -p "$T/img/"{bin,sbin,etc,root,dev,proc,sys,tmp,run}
cp "$(command -v busybox)" "$T/img/bin/busybox"
for a in sh cat echo mkdir sleep test; do ln -s busybox "$T/img/bin/$a"; done
cat >"$T/img/sbin/init" <<'END'
#!/bin/sh
trap "exit 0" TERM
cd /sys/fs/cgroup && mkdir init.scope && echo 1 >init.scope/cgroup.procs && echo "+memory +pids +cpu" >cgroup.subtree_control && echo ready
while :; do sleep 1; done
END
chmod 755 "$T/img" "$T/img/sbin/init"
zc create sys --memory 64M --set init=system --image "dir:$T/img"
status_is 0 "init: system" zc start sys
ready() { zc logs sys | grep -q ready; }
tries=600 until_ok ready
ok $? "it makes a child group and hands controllers down"
is "$(has sys/cgroup.subtree_control)" "cpu memory pids" "... the kernel has it"
is "$(zc exec sys -- sh -c 'cd /sys/fs/cgroup && mkdir app && echo 20M >app/memory.max && cat app/memory.max')" $((20 << 20)) \
    "exec works beside controllers, and limits can be set below"
is "$(zc exec sys -- cat /proc/self/cgroup)" "0::/init.scope" "exec joins PID 1's group where the top takes no processes"
like "$(script -qec "$BIN/zonectl exec -t sys -- sh -c 'test -t 0 && echo a-tty'" /dev/null | tr -d '\r')" "a-tty" "... with a terminal too"
is "$(zc exec sys -- sh -c 'echo max >/sys/fs/cgroup/memory.max' 2>/dev/null; has sys/memory.max)" $((64 << 20)) "its own limit is not its to change"
status_is 0 "live: a limit of it" zc set sys memory.cap=96M
is "$(has sys/memory.max)" $((96 << 20)) "... the kernel has it"
status_is 0 "pause takes the whole subtree" zc pause sys
is "$(of_group sys/init.scope/cgroup.events frozen)" 1 "... the child group too"
status_is 0 "resume" zc resume sys
sleeps() { zc ps sys | grep -q 'sleep 1'; } # one after the other, and nothing for a moment between two
until_ok sleeps; ok $? "ps looks into child groups"
kill9_zoned
start_zoned
is "$(zc exec sys -- cat /proc/self/cgroup)" "0::/init.scope" "after adoption too"
status_is 0 "stop" zc stop --force sys
zc delete sys
nothing_left
is "$(has memory.min)" 0 "no promise is left"
