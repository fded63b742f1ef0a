#!/usr/bin/env bash
# Seen: stats in intervals whose sums come out, reports, Prometheus text, top in a terminal, and each answer of why provoked.
. "$(dirname "$0")/lib.sh"
begin
spin='while :; do :; done'
num() { jq -r "$@"; }
# within GOT WANT TOLERANCE NAME
within() { awk -v g="$1" -v w="$2" -v t="$3" 'BEGIN { exit !(g - w <= t && w - g <= t) }'; ok $? "$4 ($1, about $2)"; }

# Others work on this machine too: our slice is made heavy, or light, so that what is provoked is what happens; and a look in
# which somebody else was worse is taken again.
slice_weight() {
    weight=("$@")
    echo "$1" 2>/dev/null >/sys/fs/cgroup/cpu/$inst.slice/cpu.shares || echo "$2" >/sys/fs/cgroup/$inst.slice/cpu.weight
}
zc() { "$BIN/zonectl" "$@"; set -- $?; slice_weight "${weight[@]}"; return "$1"; } # a start writes what zoned wants of it
slice_weight 262144 10000
zc create calm --image host --memory 64M -- sleep 10000
zc create busy --image host --cpu-cap 0.5 --cpu-shares 300 -- sh -c "$spin"
zc start calm busy
one=$(zc stats 2 -o json)
row() { echo "$1" | jq -c --arg n "$2" '.rows[] | select(.name == $n)'; }
within "$(echo "$one" | num .seconds)" 2 0.5 "an interval of two seconds"
within "$(row "$one" busy | num .cpu.used)" 0.5 0.1 "a capped zone's use"
within "$(row "$one" busy | num .cpu.percent_cap)" 100 20 "... is all of its cap"
is "$(row "$one" busy | jq '.cpu.entitled <= 0.5 and .cpu.percent_throttled > 50 and .cpu.throttled > 0')" true "... and it is held back"
is "$(row "$one" calm | jq '.cpu.entitled > 0.5 and .cpu.used < 0.05')" true "what it cannot use is the other's entitlement"
is "$(row "$one" calm | jq '.memory.cap == 67108864 and .memory.used > 0 and .memory.anon != null and .tasks.used >= 1')" true "memory by kind, tasks"
sums() { echo "$1" | jq "([.rows[] | select(.name != \"[total]\") | .$2.used // 0] | add) - (.rows[] | select(.name == \"[total]\") | .$2.used)"; }
within "$(sums "$one" cpu)" 0 0.15 "CPU: zones, [others] and [host] make [total]"
within "$(sums "$one" memory)" 0 1048576 "memory: so too"
three=$(zc stats -i 500ms -n 3 -R total,average,high -o json | jq -s -c .)
is "$(echo "$three" | jq -c 'map(.report)')" '[null,null,null,"total","average","high"]' "three intervals and three reports"
is "$(echo "$three" | jq '[.[:3][].rows[] | select(.name == "busy") | .cpu.used] | max as $m | $m')" \
    "$(echo "$three" | jq '.[5].rows[] | select(.name == "busy") | .cpu.used')" "high is the highest"
within "$(echo "$three" | jq '.[3].rows[] | select(.name == "busy") | .cpu.used')" \
    "$(echo "$three" | jq '.[4] as $a | $a.rows[] | select(.name == "busy") | .cpu.used * $a.seconds')" 0.001 "total is average by time"
zc create late --image host -- sh -c "$spin"
(sleep 1; zc start late) &
two=$(zc stats 2 3 -o json | jq -s -c '[.[] | select(any(.rows[]; .name == "late"))][0]')
wait $!
within "$(sums "$two" cpu)" 0 0.15 "they do, too, where a zone came while the interval ran"
is "$(row "$two" late | jq -c '[.cpu.used <= 1, .io.read != null]')" "[true,true]" "... and counts from its beginning"
(sleep 2; zc stop --force late) &
two=$(zc stats 1.5 2 -R total,high -o json | jq -s -c .)
wait $!
is "$(jq -c '[.[2:][] | [.rows[].name]]' <<<"$two")" \
    '[["busy","calm","late","[others]","[host]","[total]"],["busy","calm","late","[others]","[host]","[total]"]]' \
    "who ended meanwhile has its row in the reports" "$two"
zc delete late
like "$(zc stats 1 busy)" "^busy +running +0\.[0-9]+ +0\.50 " "a table"
like "$(zc stats 1 busy)" "^\[others\]|^\[host\] " "... with the host's row"
like "$(zc stats -r memory)" "^NAME +USED +PEAK" "by resource"
like "$(zc stats -o yaml busy)" "^ *usage_usec: [0-9]+" "yaml"
status_is 2 "interval 0 is refused" zc stats 0
status_is 2 "... and one below a tenth" zc stats 0.05
like "$(zc stats 0.5 busy -o json | jq .seconds)" "^0\.[56]|^[1-9]" "half a second"
like "$(zc stats 500ms busy -o json | jq .seconds)" "^0\.[56]|^[1-9]" "... as it is written elsewhere"
zc create 500ms --image host -- true
is "$(zc stats -i 0.2 500ms -o json | jq -r '.rows[0].name')" 500ms "a zone of such a name, with -i"
zc delete 500ms
zc set @host cpu.reserved=0.5 memory.reserved=10M >/dev/null
zc create disk --image host -- sleep 1000 && zc start disk
(sleep 0.5; zc exec disk -- dd if=/dev/zero of=/root/x bs=1M count=8 oflag=direct 2>/dev/null) &
sums=$(zc stats -i 4 -r io -o json)
wait $!
is "$(jq '[.rows[] | select(.name | startswith("[") | not) | .io.write] | add > 1000000' <<<"$sums")" true "a zone writes"
is "$(jq '(.rows | map({key: .name, value: .io.write}) | from_entries) as $w | ($w["[total]"] - $w["[host]"] - ([.rows[:-2][].io.write] | add)) as $d | $w["[host]"] == 0 or ($d | fabs) < $w["[total]"] / 10' <<<"$sums")" true \
    "[total] of the disks is [host] and the zones"
is "$(jq -c '.rows[] | select(.name == "[host]") | [.cpu.guaranteed, .memory.reserved]' <<<"$sums")" "[0.5,10485760]" "the host's own part is sure"
is "$(zc show @host -o json | jq -c '[.spec.cpu.reserved, .cpus]')" "[0.5,$(nproc)]" "show @host"
like "$(zc show @host)" "^cgroups: (v1|v2|hybrid)$" "... as lines"
zc delete --force disk >/dev/null
zc set @host cpu.reserved= memory.reserved= >/dev/null
status_is 2 "an unknown report" zc stats 1 -R middle
status_is 3 "an unknown zone" zc stats 1 nobody
timeout 3 "$BIN/zonectl" stats --watch -i 500ms -o json >"$T/watch"
[ "$(jq -s length "$T/watch")" -ge 3 ]
ok $? "--watch goes on"
for given in "-n 2 -w" "-w -n 2" "0.2 2 -w"; do
    is "$(timeout 30 "$BIN/zonectl" stats $given -o json | jq -s length)" 2 "$given ends"
done
out=$(zc stats -i 0.2 -R total,average busy)
like "$out" "\\[total of 0\\.[0-9] s, CPU in seconds\\]" "a short interval has its length in the title"
is "$(grep -c 'READ/s  *WRITE/s' <<<"$out") $(grep -c 'READ  *WRITE  *%WAIT  *IN  *OUT' <<<"$out")" "2 1" "amounts are not a second's"

# Prometheus
metrics=$(curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/metrics)
if [ -z "${FAST:-}" ]; then # the guest has no promtool: the format is the same there
    echo "$metrics" | promtool check metrics >"$T/prom" 2>&1
    is "$? $(cat "$T/prom")" "0 " "promtool finds nothing"
fi
like "$metrics" '^zoned_zone_cpu_seconds_total\{zone="busy"\} [0-9.]+$' "CPU seconds"
like "$metrics" '^zoned_zone_memory_cap_bytes\{zone="calm"\} 67108864$' "a cap"
like "$metrics" '^zoned_zone_up\{zone="calm"\} 1$' "up"
like "$metrics" '^zoned_zone_network_received_bytes_total\{zone="calm",link="eth0"\} [0-9]+$' "network"
traffic() { zc stats calm -o json | jq -r '.zones[0].network[0] | "\(.tx_bytes) \(.rx_bytes)"'; }
gateway=$(zc exec calm -- ip -4 route | awk '$1 == "default" { print $3 }')
read -r tx rx <<<"$(traffic)"
zc exec calm -- ping -q -c 3 -i 0.2 -s 1000 -W 5 "$gateway" >/dev/null 2>&1
read -r tx2 rx2 <<<"$(traffic)"
sent=$((3 * (1000 + 8 + 20 + 14))) # three frames of Ethernet, IPv4 and ICMP; besides, ARP and the like
[ $((tx2 - tx)) -ge $sent ] && [ $((tx2 - tx)) -lt $((sent + 1000)) ]
ok $? "bytes sent are counted ($((tx2 - tx)) for $sent)"
[ $((rx2 - rx)) -ge $sent ] && [ $((rx2 - rx)) -lt $((sent + 1000)) ]
ok $? "and bytes received ($((rx2 - rx)))"
zc run -d --restart always --set restart.backoff=100ms --name again host sleep 100000 >/dev/null
received() { zc stats again -o json | jq '.zones[0].network[0].rx_bytes // 0'; }
received >/dev/null
kill -9 "$(field again .pid)"
eventually "running true" field again '"\(.state) \(.restarts > 0)"' >/dev/null
rx=$(received)
zc exec again -- ping -q -c 3 -i 0.2 -s 1000 -W 5 "$gateway" >/dev/null 2>&1
rx2=$(received)
[ $((rx2 - rx)) -ge $sent ]
ok $? "... over a restart by policy, which makes new links under the same names ($((rx2 - rx)))"
zc delete --force again >/dev/null
# A link that stays when the list of links changes has sent what it sent.
zc network create later --type sealed --subnet 10.42.7.0/24 >/dev/null
zc create two --network later --image host -- sleep 10000
zc start two
zc exec two -- ping -q -f -c 2000 -s 1400 -W 5 10.42.7.1 >/dev/null 2>&1
[ "$(zc stats two -o json | jq '.zones[0].network[0].tx_bytes')" -gt 2000000 ]
ok $? "a zone that has sent much"
(sleep 0.5; zc set two 'network=[{link: default},{link: later}]' >/dev/null) &
high=$(zc stats -i 0.3 -n 8 -R high -o json two | jq -s -c '.[-1].rows[0].network')
wait $!
is "$(jq '.received < 100000 and .sent < 100000' <<<"$high")" true "links change: no spike" "$high"
is "$(zc stats two -o json | jq '.zones[0].network | length')" 2 "... and it has both"
zc delete --force two >/dev/null
zc network delete later >/dev/null

# why
# With v1 alone nobody counts what tasks wait for: only what a cap did is known, and why says so.
counted=$(zc stats calm -o json | jq '.zones[0].cpu.psi_some_usec != null')
provoked() { # provoked ZONE SECONDS WANT NAME
    case $counted$3 in true* | false"cap -" | false"pool tight") ;; *) set -- "$1" "$2" "unknown -" "$4" ;; esac
    for _ in 1 2 3 4 5 6; do
        why "$1" "$2"
        [ "$out" = "$3" ] && break
    done
    tell "$3" "$4"
}
why() { zc why "$1" -i ${2:-1} -o json >"$T/why"; out=$(jq -r '.cause + " " + (.neighbour // "-")' "$T/why"); }
tell() { TAP_LINES=6 is "$out" "$1" "$2"; jq -r '"#   " + .text' "$T/why"; }
provoked busy 1 "cap -" "why: its own cap"
provoked calm 1 "none -" "why: not slow at all"
like "$(zc why calm)" "^Zone calm is not slow|^No cap holds zone calm back" "... in words"
zc pause calm
why calm 0.2
tell "paused -" "why: paused"
is "$(curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/metrics | sed -n 's/^zoned_zone_cpu_seconds_total{zone="calm"} //p' | jq '. * 1000000 | round')" \
    "$(zc stats calm -o json | jq '.zones[0].cpu.usage_usec')" "its CPU seconds are the microseconds of stats"
zc stop --force busy calm >/dev/null
why calm 0.2
tell "not_running -" "why: does not run"
slice_weight 262144 10000
zc create crowd --cpus 0 --image host -- sh -c "($spin) & $spin"
zc start crowd
provoked crowd 1 "set -" "why: its own CPU set"
zc create small --cpus 0 --cpu-shares 10 --image host -- sh -c "$spin"
zc start small
sleep 0.5
provoked small 1 "neighbour crowd" "why: a neighbour, named"
zc stop --force crowd small >/dev/null
# Who starves, or waits for a disk, uses next to no CPU: what he waits for moves all the same, and evenly.
zc create rich --cpus 0 --cpu-shares 10000 --image host -- sh -c "$spin"
zc create poor --cpus 0 --cpu-shares 10 --image host -- sh -c "$spin"
zc create reader --set io.read=200K --image host -- sh -c 'dd if=/dev/zero of=/var/tmp/x bs=1M count=8 2>/dev/null; sync
    while :; do dd if=/var/tmp/x of=/dev/null bs=256k iflag=direct 2>/dev/null; done'
zc start rich poor reader
slice_weight 262144 10000
zc stats 0.3 poor >/dev/null
steady() { # steady SECTION ZONE STATS-OPTION…: in all of eight intervals some task waited half the time and more, and no more than there is
    local at=$1 who=$2
    shift 2
    zc stats -o json "$@" | jq -s -r --arg n "$who" "[.[].rows[] | select(.name == \$n) | .$at.percent_waiting] | if all(. != null and . > 50 and . <= 100) then \"steady\" else . end"
}
if [ "$counted" = true ]; then
    is "$(for i in 1 2 3 4 5 6; do zc why poor -i 0.2 -o json; done | jq -s -r '[.[].counters.cpu_waiting] | if all(. > 0.5) then "always" else . end')" \
        always "why: who starves waits, whenever it is asked"
    is "$(steady cpu poor -i 0.2 -n 8 poor)" steady "stats of one zone: so too"
    is "$(steady cpu poor -i 0.2 -n 8)" steady "... of all"
    until_ok eval '[ "$(zc stats reader -o json | jq ".zones[0].io.read > 100000")" = true ]'
    is "$(for i in 1 2 3 4 5 6; do zc why reader -i 0.2 -o json; done | jq -s -r '[.[].counters.io_waiting] | if all(. > 0.5) then "always" else . end')" \
        always "why: who waits for a disk, too"
    is "$(steady io reader -i 0.2 -n 8 reader)" steady "stats of one zone: so too"
fi
even() { # even STATS-OPTION…: what runs without a pause is told so in each of ten intervals
    zc stats -o json "$@" | jq -s -r '[.[].rows[] | select(.name == "rich") | .cpu.used] | if all(. != null and . > 0.5 and . < 1.3) then "even" else . end'
}
is "$(even -i 0.1 -n 10)" even "intervals of a tenth of a second"
while curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/metrics >/dev/null; do sleep 0.03; done & poller=$!
is "$(even -i 0.1 -n 10)" even "... and beside somebody who asks for the metrics all the time"
kill $poller
(sleep 1; zc restart rich) &
many=$(zc stats -i 0.5 -n 8 -R total -o json rich | jq -s -c .)
wait $!
sums=($(jq -r '[.[:-1][] | .seconds as $s | .rows[] | select(.name == "rich" and .cpu.used != null) | .cpu.used * $s] | add' <<<"$many")
    $(jq -r '.[-1].rows[] | select(.name == "rich") | .cpu.used' <<<"$many"))
within "${sums[1]}" "${sums[0]}" 0.1 "total of a zone that was started anew is the sum of the intervals"
zc delete --force poor reader >/dev/null
# idle: shares are inert, and said to be
zc set rich cpu.shares= >/dev/null
zc create lazy --cpus 0 --set cpu.idle=true --image host -- sh -c "$spin"
zc start lazy
like "$(zc set lazy cpu.shares=400 2>&1)" "cpu\\.shares: count for nothing while cpu\\.idle is set" "shares of an idle zone are remarked"
provoked lazy 1 "idle -" "why: its own cpu.idle"
zc delete --force lazy >/dev/null
zc pool create dregs cpu.idle=true >/dev/null
like "$(zc pool set dregs cpu.shares=300 2>&1)" "cpu\\.shares: count for nothing while cpu\\.idle is set" "... and of an idle pool"
zc create lazy --cpus 0 --set cpu.pool=dregs --image host -- sh -c "$spin"
zc start lazy
like "$(zc set lazy cpu.shares=400 2>&1)" "cpu\\.shares: count only among the zones of the pool dregs" "... and of a zone in it"
provoked lazy 1 "pool dregs" "why: its pool's cpu.idle"
zc delete --force lazy rich >/dev/null
zc pool delete dregs >/dev/null
# One look tells what is used now, whoever looked last, and when
zc create late --image host -- sh -c "until [ -e /tmp/go ]; do sleep 0.1; done; $spin"
zc start late
slice_weight 262144 10000
used() { zc stats -o json | jq '.zones[] | select(.name == "late") | .cpu.use'; }
used >/dev/null
sleep 4
zc exec late -- touch /tmp/go
sleep 0.5
within "$(used)" 1 0.4 "stats: what is used now"
kill9_zoned
start_zoned
slice_weight 262144 10000
within "$(zc stats -o json | jq '.zones[] | select(.name == "late") | .cpu.use // 0')" 1 0.5 "stats, just after zoned has come"
like "$(zc stats late)" "^late +running +(0\\.[5-9]|1\\.)" "... in its table"
zc delete --force late >/dev/null
zc start small
zc pool create tight cpu.cap=0.2 cpu.reserved=0.1 >/dev/null
zc create swimmer --image host --set cpu.pool=tight --cpu-shares 300 -- sh -c "$spin"
zc create paddler --image host --set cpu.pool=tight -- sleep 10000
zc start swimmer paddler
slice_weight 262144 10000
provoked swimmer 1 "pool tight" "why: its pool"
is "$(jq '.counters.pool_periods_held > 0.5 and .counters.periods_held == 0' "$T/why")" true "... whose counter says so"
is "$(zc stats swimmer paddler -o json | jq -c '[.zones[].cpu | [.entitled, .guaranteed] | map(. * 1000 | round)]')" '[[50,25],[150,75]]' \
    "entitled and guaranteed within the pool, by shares"
zc set swimmer cpu.cap=0.5 >/dev/null && zc pool set tight cpu.reserved=0.01 cpu.cap=0.05 >/dev/null
provoked swimmer 1 "pool tight" "why: its pool, too, where v1 cuts the zone's own cap to the pool's"
zc delete --force swimmer paddler >/dev/null
zc pool delete tight >/dev/null
slice_weight 2 1
taskset -c 0 sh -c "$spin" & h1=$!
taskset -c 0 sh -c "$spin" & h2=$!
provoked small 1 "host [host]" "why: the host"
kill $h1 $h2
slice_weight 262144 10000
zc stop --force small >/dev/null
# whose doing a zone's CPUs are, and quotas above it
two="($spin) & $spin"
zc create own --image host --set cpu.dedicated=1 -- sh -c "$two"
zc create beside --image host -- sh -c "$two"
zc start own beside
provoked own 1 "dedicated -" "why: its dedicated CPUs, not a neighbour on others"
provoked beside 1 "machine -" "why: what is left beside another's dedicated CPUs"
like "$(jq -r .text "$T/why")" "not dedicated to others" "... which it says"
zc delete --force own beside >/dev/null
zc pool create lane cpu.set=1 >/dev/null
zc create inside --image host --set cpu.pool=lane -- sh -c "$two"
zc create outside --cpus 0 --image host -- sh -c "$spin"
zc start inside outside
provoked inside 1 "pool lane" "why: its pool's CPUs"
like "$(jq -r .text "$T/why")" "the 1 CPU of the pool \\(1\\) busy itself" "... which it says"
echo 20000 2>/dev/null >/sys/fs/cgroup/cpu/$inst.slice/lane.pool/cpu.cfs_quota_us || echo "20000 100000" >/sys/fs/cgroup/$inst.slice/lane.pool/cpu.max
provoked inside 1 "pool lane" "why: a quota that somebody else wrote to its pool"
like "$(jq -r .text "$T/why")" "cap of 0\\.20 CPUs .* Somebody else wrote that cap" "... which it says, with the kernel's figure"
zc delete --force outside >/dev/null
zc set inside cpu.pool= >/dev/null && zc restart inside >/dev/null
zc pool delete lane >/dev/null
zc set @host cpu.reserved=$(awk "BEGIN { print $(nproc) - 0.5 }") >/dev/null
quota=$(cat /sys/fs/cgroup/cpu/$inst.slice/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/$inst.slice/cpu.max)
if [ "$quota" = max ]; then
    ok 0 "(weights keep the host's part here)"
else
    provoked inside 1 "reserved @host" "why: what is kept for the host"
    like "$(jq -r .text "$T/why")" "may use 0\\.50 of $(nproc) CPUs" "... with the quota"
    is "$(jq '.counters.all_periods_held > 0.1' "$T/why")" true "... and its counter"
fi
zc set @host cpu.reserved= >/dev/null
zc delete --force inside >/dev/null

zc create thrash --memory 48M --image host -- python3 -c '
import os
f = "/var/tmp/big"
block = os.urandom(1 << 20)
with open(f, "wb") as o:
    for i in range(96): o.write(block)
    o.flush(); os.fsync(o.fileno())
fd = os.open(f, os.O_RDONLY)
keep = bytearray(16 << 20)
open("/var/tmp/ready", "w")
while True:
    for at in range(0, 96 << 20, 1 << 16): os.pread(fd, 1 << 16, at)'
zc start thrash
until_ok zc exec thrash -- test -e /var/tmp/ready
provoked thrash 2 "memory -" "why: short of memory"
zc delete --force thrash >/dev/null
zc create disk --set io.write=1M --image host -- sh -c 'while :; do dd if=/dev/zero of=/var/tmp/x bs=256k count=40 oflag=direct 2>/dev/null; done'
zc start disk
sleep 1
provoked disk 2 "io -" "why: I/O"
status_is 2 "why of nobody" zc why
status_is 3 "why of an unknown zone" zc why nobody
zc delete --force disk >/dev/null

# top, in a terminal
zc start busy calm
python3 "$here/top_pty.py" "$BIN/zonectl" top -i 0.3 >"$T/top" 2>&1
ok $? "top: bars, order by keys, window size, a clean end by q, TERM and HUP" "$(cat "$T/top")"
status_is 2 "top without a terminal" zc top
zc delete --force $(zc list -q) >/dev/null
tries=600 eventually "$before" picture "$inst" >/dev/null # others use loop devices, and a large root goes in the background
nothing_left
