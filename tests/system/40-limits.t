#!/usr/bin/env bash
# guest: v2
# Division: what the spec says is what the kernel has; shares, caps, memory, tasks seen to hold; what cannot be enforced refused.
. "$(dirname "$0")/lib.sh"
begin
spin='while :; do :; done'
for z in one three; do
    zc create $z --cpu-shares $([ $z = one ] && echo 100 || echo 300) --image host -- sh -c "($spin) & $spin"
done
zc create capped --cpu-cap 0.25 --image host -- sh -c "$spin"
zc start one three
use() { zc stats -o json | jq -r --arg z "$1" '.zones[] | select(.name == $z) | .cpu.usage_usec'; }
sleep 0.5
a0=$(use one) b0=$(use three)
sleep 6
a1=$(use one) b1=$(use three)
share=$(awk -v a=$((a1 - a0)) -v b=$((b1 - b0)) 'BEGIN { printf "%.3f", b / (a + b) }')
# The machine is shared: the figure is printed, the test asks only that the greater share got clearly more than half.
echo "# shares 1:3 under full load: the second got $share (entitled 0.750)"
awk -v s="$share" 'BEGIN { exit !(s > 0.58) }'
ok $? "CPU shares divide ($share)"
weights() { for z in one three; do cat /sys/fs/cgroup/cpu/$inst.slice/$z/cpu.shares /sys/fs/cgroup/$inst.slice/$z/cpu.weight 2>/dev/null; done; }
like "$(weights | xargs)" "^(1024 3072|100 300)$" "and are the kernel's weights"
zc stop --force one three >/dev/null
zc start capped
sleep 0.3
c0=$(use capped) t0=$(date +%s%N)
sleep 4
c1=$(use capped) t1=$(date +%s%N)
echo "# cap 0.25: used $(awk -v c=$((c1 - c0)) -v t=$((t1 - t0)) 'BEGIN { printf "%.3f", c * 1000 / t }') CPUs"
[ "$(zc stats capped -o json | jq '.zones[0].cpu.throttled_usec > 0')" = true ]
ok $? "the capped zone is throttled"
status_is 0 "live: another cap" zc set capped cpu.cap=0.5
is "$(zc show capped -o json | jq .spec.cpu.cap)" 0.5 "the spec says so"
quota=$(cat /sys/fs/cgroup/cpu/$inst.slice/capped/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/$inst.slice/capped/cpu.max)
period=$(cat /sys/fs/cgroup/cpu/$inst.slice/capped/cpu.cfs_period_us 2>/dev/null || cut -d' ' -f2 /sys/fs/cgroup/$inst.slice/capped/cpu.max)
is "$(awk -v q="$quota" -v p="$period" 'BEGIN { print q / p }')" 0.5 "and so does the kernel"
zc delete --force capped one three >/dev/null

zc create hog --memory 32M --image host -- python3 -c 'x = bytearray(200 << 20); import time; time.sleep(100)'
zc start hog
zc wait hog --for stopped
is "$(field hog .oom)" true "a zone over its memory cap says oom"
like "$(field hog .exit_status)" "^137$" "and died of SIGKILL"
zc delete hog
# tmpfs and page cache are the zone's: whoever writes them is who they are charged to
zc create files --memory 256M --image host -- sleep 1000
zc start files
kind() { zc stats files -o json | jq ".zones[0].memory.$1 / 1048576 | floor"; }
for pair in "shmem /dev/shm" "file /root"; do
    read -r kind where <<<"$pair"
    was=$(kind $kind)
    zc exec files -- dd if=/dev/zero of=$where/20M bs=1M count=20 2>/dev/null
    grown=$(($(kind $kind) - was))
    [ $grown -ge 19 ] && [ $grown -le 24 ]
    ok $? "20 MiB written to $where are the zone's $kind memory ($grown)"
done
zc delete --force files >/dev/null
zc create bomb --tasks 50 --image host -- sh -c 'b() { b | b & }; b; sleep 20'
zc create calm --image host -- sleep 100
zc start calm bomb
sleep 1
is "$(zc exec calm -- echo fine)" fine "a fork bomb leaves the others responsive"
tasks=$(zc stats bomb -o json | jq '.zones[0].tasks.current')
[ "$tasks" -le 50 ]
ok $? "and stays within its tasks ($tasks)"
zc delete --force bomb calm >/dev/null
status_is 7 "shares 0" zc create x --cpu-shares 0 --image host -- true
like "$out" "1 to 10000" "... says what is allowed"
status_is 7 "shares 10001" zc create x --cpu-shares 10001 --image host -- true
status_is 7 "cap -1" zc create x --cpu-cap -1 --image host -- true
status_is 7 "a cap of more CPUs than there are" zc create x --cpu-cap 1000 --image host -- true
status_is 7 "memory 1 byte" zc create x --memory 1 --image host -- true
status_is 3 "a pool that does not exist is refused" zc create x --set cpu.pool=batch --image host -- true
nothing_left
