#!/usr/bin/env bash
# Division: shares, caps, reservations, dedicated CPUs, pools and the host's part as the kernel carries them out, live, over the death of
# zoned; foreign writes noticed and healed; memory warnings and OOM told with who and how much. Figures are printed; what decides is what
# the kernel has, and margins that a loaded machine keeps. DIVIDE_FULL=1: 20 s, 50 zones, 10,000 set calls; FAST=1
# (the guest, where one CPU is emulated for two): fewer of each.
. "$(dirname "$0")/lib.sh"
begin
full=${DIVIDE_FULL:-}
cpus=$(nproc) last=$(($(nproc) - 1))
seconds=$([ "$full" ] && echo 20 || echo 2)
many=$([ "$full" ] && echo 50 || echo ${FAST:+3} | grep . || echo 6)
sets=$([ "$full" ] && echo 10000 || echo ${FAST:+60} | grep . || echo 300)
spin='while :; do :; done'
spinner=""
for _ in $(seq "$cpus"); do spinner="$spinner ($spin) &"; done
spinner="$spinner wait"
# get ZONE FILE_V1 FILE_V2: one file of a zone's group, whichever hierarchy has it
get() {
    local f
    for f in /sys/fs/cgroup/*/"$inst.slice/$1/$2" "/sys/fs/cgroup/$inst.slice/$1/$3"; do [ -e "$f" ] && cat "$f" && return; done
    echo "(none)"
}
# get_all ZONES FILE: that of every zone of a pattern, whichever hierarchies have it
get_all() { cat /sys/fs/cgroup/*/"$inst.slice"/$1/$2 /sys/fs/cgroup/"$inst.slice"/$1/$2 2>/dev/null | sort -u; }
set_of() { local s; s=$(get "$1" cpuset.cpus cpuset.cpus); echo "${s:-$(get "$1" cpuset.effective_cpus cpuset.cpus.effective)}"; }
# what the root group may use: all that is not a partition's
machine() { cat /sys/fs/cgroup/cpuset.cpus.effective 2>/dev/null || echo "0-$last"; }
partition_is() { [ "$(get "$1" none cpuset.cpus.exclusive)" = "(none)" ] || [ "$(get "$1" none cpuset.cpus.partition)" = root ]; } # since 6.7
weight_of() { local v1; v1=$(get "$1" cpu.shares none); [ "$v1" = "(none)" ] && get "$1" none cpu.weight || echo $((v1 * 100 / 1024)); }
quota_of() {
    local q p
    q=$(get "$1" cpu.cfs_quota_us none) p=$(get "$1" cpu.cfs_period_us none)
    [ "$q" = "(none)" ] && read -r q p <<<"$(get "$1" none cpu.max)"
    case $q in max | -1) echo none ;; *) awk "BEGIN { print $q / $p }" ;; esac
}
# Weight of all zones against everything else: little while this test asks and writes, so that it gets on; much while zones are
# measured, so that what they get is what they are entitled to.
zones_weigh() { echo "$1" >/sys/fs/cgroup/cpu/$inst.slice/cpu.shares || echo $(($1 > 10000 ? 10000 : $1 / 10)) >/sys/fs/cgroup/$inst.slice/cpu.weight; } 2>/dev/null
# ... and again after each call: a promise sets that weight as high as it goes where the host's tasks sit in the root group.
zc() { "$BIN/zonectl" "$@"; set -- $?; zones_weigh 256; return "$1"; }
zones_weigh 256
# measure SECONDS: "ZONE CPUS" for each running zone, by zoned's own clock
measure() {
    local a b
    a=$(zc stats -o json)
    zones_weigh 262144
    sleep "$1"
    zones_weigh 256
    b=$(zc stats -o json)
    jq -rn --argjson a "$a" --argjson b "$b" '($a.zones | INDEX(.name)) as $was | $b.zones[]
        | "\(.name) \((.cpu.usage_usec - $was[.name].cpu.usage_usec) / ($b.host.time_us - $a.host.time_us))"'
}
of() { awk -v z="$1" '$1 == z { print $2 }' <<<"$got"; }
between() { awk -v v="$1" -v a="$2" -v b="$3" 'BEGIN { exit !(v >= a && v <= b) }'; }
figure() { # NAME GOT ENTITLED: printed; passes from half to twice of it
    echo "# $1: $(awk "BEGIN { printf \"%.3f, entitled %.3f: %+.1f %%\", $2, $3, ($2 / $3 - 1) * 100 }")"
    between "$2" "$(awk "BEGIN { print $3 / 2 }")" "$(awk "BEGIN { print $3 * 2 }")"
    ok $? "$1"
}
# more ZONE ZONE: the second got clearly more than the first, as equal parts never are
got_more() { between "$(of "$2")" "$(awk "BEGIN { print $(of "$1") * 1.3 }")" 1000; }
more() {
    got_more "$1" "$2"
    ok $? "$2 got clearly more than $1 ($(of "$2"), $(of "$1"))"
}
# measure_more ZONE…: sets got, from a look in which each got clearly more than the one before it: programs of others, on one of the
# CPUs, spoil a look
measure_more() {
    local i
    for _ in 1 2 3 4 5; do
        got=$(measure "$seconds")
        for ((i = 1; i < $#; i++)); do got_more "${@:i:1}" "${@:i+1:1}" || continue 2; done
        return
    done
}

# part CPUS [ZONES]: of what the zones of a pattern (all) got together, the part that CPUS are of the machine: others work here, too
part() { awk -v cpus="$1" -v of="${3:-$cpus}" -v z="${2:-.}" '$1 ~ z { s += $2 } END { print s * cpus / of }' <<<"$got"; }
# near NAME GOT WANT PERCENT: decides only where nobody else works on the machine
near() {
    [ "$full" ] || return
    between "$2" "$(awk "BEGIN { print $3 * (1 - $4 / 100) }")" "$(awk "BEGIN { print $3 * (1 + $4 / 100) }")"
    ok $? "... within $4 % ($1: $2 of $3)"
}
# held ZONE SECONDS: CPUs used in its cap's own periods, whatever the clock and other processes do
held() {
    local a b
    a=$(zc stats "$1" -o json | jq -c '.zones[0].cpu | [.usage_usec, .periods]')
    zones_weigh 262144
    sleep "$2"
    zones_weigh 256
    b=$(zc stats "$1" -o json | jq -c '.zones[0].cpu | [.usage_usec, .periods]')
    jq -rn --argjson a "$a" --argjson b "$b" '($b[0] - $a[0]) / (($b[1] - $a[1]) * 100000)'
}

# ---- shares and caps ----
for s in 100 200 400; do zc create s$s --cpu-shares $s --image host -- sh -c "$spinner"; done
zc start s100 s200 s400
measure_more s100 s200 s400
sum=$(awk '{ s += $2 } END { print s }' <<<"$got")
for s in 100 200 400; do figure "shares 1:2:4, $s" "$(of s$s)" "$(awk "BEGIN { print $sum * $s / 700 }")"; done
more s100 s200
more s200 s400
is "$(weight_of s100) $(weight_of s200) $(weight_of s400)" "100 200 400" "shares are the kernel's weights"
for s in 100 200 400; do near "s$s" "$(of s$s)" "$(awk "BEGIN { print $sum * $s / 700 }")" 2; done
zc set s400 cpu.idle=true >/dev/null
measure_more s400 s100
more s400 s100
between "$(of s400)" 0 "$(awk "BEGIN { print $(of s200) / 10 }")"
ok $? "the idle class takes what the others leave, whatever its shares ($(of s400) beside $(of s200))"
zc delete --force s100 s200 s400 >/dev/null
zc create bursts --image host --cpu-cap 0.1 --set cpu.burst=0.1 -- python3 -c 'import time
while True:
    end = time.process_time() + 0.015
    while time.process_time() < end: pass
    time.sleep(0.35)'
zc start bursts
bursts() { [ "$(get bursts cpu.stat cpu.stat | awk '$1 == "nr_bursts" { print $2 }')" -gt 0 ]; }
until_ok bursts
ok $? "burst: more than the cap in one period, of what was left in those before"
zc delete --force bursts >/dev/null
zc create cap --image host --cpu-cap 0.25 -- sh -c "$spinner" && zc start cap
for cap in 0.25 0.5 1.5; do
    [ "${cap%.*}" -ge "$cpus" ] && continue
    zc set cap cpu.cap=$cap >/dev/null
    is "$(quota_of cap)" $cap "cap $cap is the kernel's"
    sleep 0.2
    for _ in 1 2 3 4 5; do # an emulated CPU that waits for the host's counts as used: one good look shows that it holds
        used=$(held cap $([ "$full" ] && echo 10 || echo 1))
        echo "# cap $cap: used $used in its periods"
        between "$used" 0.01 "$(awk "BEGIN { print $cap * 1.1 }")" && break
    done
    between "$used" 0.01 "$(awk "BEGIN { print $cap * 1.1 }")"
    ok $? "... and holds"
    near "cap" "$used" $cap 1
done
status_is 0 "burst" zc set cap cpu.cap=0.5 cpu.burst=0.25
like "$(get cap cpu.cfs_burst_us cpu.max.burst)" "^25000$" "... is the kernel's"
status_is 0 "the idle class" zc set cap cpu.cap= cpu.burst= cpu.idle=true
is "$(get cap cpu.idle cpu.idle)" 1 "... is the kernel's"
status_is 0 "and back" zc set cap cpu.idle=false cpu.shares=500
is "$(get cap cpu.idle cpu.idle) $(weight_of cap)" "0 500" "... with shares"
zc delete --force cap >/dev/null

# ---- dedicated CPUs ----
busy=()
for i in $(seq "$many"); do # b3 on each CPU: under a quota of all zones no single thread gets a whole one
    zc create b$i --image host --set restart.policy=always -- sh -c "$([ "$i" = 3 ] && echo "$spinner" || echo "$spin")" && busy+=(b$i)
done
zc start "${busy[@]}"
zc create own --image host --set cpu.dedicated=1 -- sh -c "$spin"
status_is 0 "a dedicated CPU" zc start own
partition_is own
ok $? "... a partition, where the kernel can"
if [ "$(get own none cpuset.cpus.partition)" = root ]; then ok 0 "... so the host's tasks keep off it, too"; else like "$out" "exclusive among zones" "... says how far"; fi
d=$(set_of own)
like "$d" '^[0-9]+$' "it is one CPU ($d)"
others=""
for z in "${busy[@]}"; do others="$others$(set_of $z)
"; done
others=$(sort -u <<<"$others" | grep .)
is "$others" "$([ "$last" = 1 ] && echo 0 || echo 0-$((last - 1)))" "nobody else may run there"
seen=$(python3 - "$d" $(get_all "b[0-9]*" cgroup.procs) <<'PY'
import sys, time
cpu, on, ran = sys.argv[1], 0, 0
for _ in range(40):  # where the busy ones' processes run
    for p in sys.argv[2:]:
        try: f = open("/proc/%s/stat" % p).read().rpartition(") ")[2].split()
        except OSError: continue
        ran += f[0] == "R"
        on += f[0] == "R" and f[36] == cpu
    time.sleep(0.025)
print(on, ran > 0)
PY
)
is "$seen" "0 True" "and nobody does ($many busy zones)"
got=$(measure "$seconds")
figure "a dedicated CPU beside $many busy zones" "$(of own)" "$(part 1)"
zc exec b1 -- sh -c 'kill -KILL -1' >/dev/null 2>&1
zc kill b1 >/dev/null 2>&1
eventually "running true" field b1 '"\(.state) \(.restarts > 0)"' >/dev/null
is "$(set_of b1)" "$others" "a restart by policy keeps off it"
kill9_zoned
kill -9 "$(get_all own cgroup.procs | sort -n | head -1)" # it ends while nobody divides
sleep 0.3
is "$(set_of b1)" "$others" "while zoned is dead all stays"
start_zoned
eventually "$([ "$last" = 0 ] && echo 0 || echo 0-$last)" set_of b1 >/dev/null
is "$(set_of b1) $(set_of b$many)" "0-$last 0-$last" "the next zoned gives it back"
status_is 0 "live: dedicated by set" zc set b2 cpu.dedicated=1
is "$(set_of b2) $(set_of b1)" "$d $others" "... taken"
status_is 0 "... and given back" zc set b2 cpu.dedicated=
is "$(set_of b2) $(set_of b1) $(machine)" "0-$last 0-$last 0-$last" "... to all, the host too"

# ---- reservations, the host's part ----
half=$(awk "BEGIN { print $cpus / 2 }")
status_is 0 "half the machine promised to one of $many" zc set b3 cpu.reserved=$half
[ "$(weight_of b3)" -ge $((100 * (many - 1))) ]
ok $? "its weight ($(weight_of b3)) is the others' together"
w=$(weight_of b3)
zc stop --force b2 >/dev/null
[ "$(weight_of b3)" -lt "$w" ]
ok $? "one less: $(weight_of b3)"
zc start b2 >/dev/null
is "$(weight_of b3)" "$w" "and again"
is "$(weight_of b1)" 100 "who has no promise keeps his shares"
sup=$(sup_of b3)
kill -STOP "$sup" # whoever ends has no groups any more before zoned hears of it
kill -9 "$(field b3 .pid)"
for g in /sys/fs/cgroup/*/"$inst.slice/b3" "/sys/fs/cgroup/$inst.slice/b3"; do [ ! -d "$g" ] || until_ok rmdir "$g" 2>/dev/null || echo "# $g stays"; done
status_is 0 "one starts while another, whose weight would follow, ends" zc run -d --name late host sleep 100000
is "$(weight_of b3) $(state b3)" "(none) running" "... of whose end zoned knew nothing"
kill -CONT "$sup"
eventually "running true" field b3 '"\(.state) \(.restarts > 0)"' >/dev/null
[ "$(weight_of b3)" -gt "$w" ]
ok $? "it comes again with what the other's start gave it: $(weight_of b3)"
spent() { zc stats b3 -o json | jq '.zones[0].cpu.usage_usec'; }
used=$(spent)
until_ok eval '[ "$(spent)" -gt "$used" ]'
ok $? "... and its use is told on"
zc delete --force late >/dev/null
is "$(weight_of b3)" "$w" "... and its promise follows"
sup=$(sup_of b3)
kill -STOP "$sup"
zc set b3 tasks=300 >/dev/null & # a change that asks for nothing of the division; while it is on its way nobody divides for b3
change=$!
eventually 300 field b3 .spec.tasks >/dev/null
zc run -d --name late host sleep 100000 >/dev/null
is "$(weight_of b3)" "$w" "one starts while another, whose weight follows, is being changed"
kill -CONT "$sup"
wait "$change"
[ "$(weight_of b3)" -gt "$w" ]
ok $? "... which has followed when that is done: $(weight_of b3)"
zc delete --force late >/dev/null
is "$(weight_of b3)" "$w" "... and back"
got=$(measure "$seconds")
figure "half of the CPUs for one of $many" "$(of b3)" "$(part "$half")"
status_is 0 "the host's part" zc set @host cpu.reserved=0.5
got=$(measure "$seconds")
sum=$(awk '{ s += $2 } END { print s }' <<<"$got")
echo "# the host's 0.5 of $cpus CPUs: all zones together used $sum"
between "$sum" 0.1 "$(awk "BEGIN { print ($cpus - 0.5) * 1.1 }")"
ok $? "zones leave it alone"
figure "... and half of the CPUs still are b3's" "$(of b3)" "$(part "$half" . "$(awk "BEGIN { print $cpus - 0.5 }")")"
kill9_zoned
start_zoned
is "$(zc show b3 -o json | jq .drifted) $(weight_of b3 | awk -v w="$w" '{ print ($1 >= w) }')" "false 1" "all of it over the death of zoned"
zc set @host cpu.reserved= >/dev/null
zc set b3 cpu.reserved= >/dev/null
is "$(weight_of b3)" 100 "given back"

zc delete --force "${busy[@]}" own >/dev/null

# ---- random set calls ----
busy=()
for i in $(seq "$many"); do zc create r$i --image host -- sleep 100000 && busy+=(r$i); done
zc start "${busy[@]}"
python3 - "$ZONED_SOCKET" "$sets" "$many" "$cpus" >"$T/random" <<'PY'
import http.client, json, random, socket, sys
path, sets, many, cpus = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
class C(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(path)
rnd = random.Random(5)
def value(key):
    if key == "cpu.shares": return rnd.randint(1, 10000)
    if key == "cpu.cap": return rnd.choice(["", round(rnd.uniform(0.02, cpus), 2)])
    if key == "cpu.reserved": return rnd.choice(["", round(rnd.uniform(0.01, 0.6), 2)])
    if key == "cpu.dedicated": return rnd.choice(["", "", 1])
    if key == "cpu.set": return rnd.choice(["", 0, cpus - 1, "0-%d" % (cpus - 1)])
    if key == "cpu.idle": return rnd.choice(["true", "false"])
    if key == "memory.cap": return rnd.choice(["", "%dM" % rnd.randint(32, 900)])
    if key == "memory.reserved": return rnd.choice(["", "%dM" % rnd.randint(1, 30)])
    if key == "memory.swap": return rnd.choice(["", "%dM" % rnd.randint(0, 64)])
    if key == "io.read": return rnd.choice(["", "%dK" % rnd.randint(1, 1 << 20)])
    if key == "cpu.burst": return rnd.choice(["", round(rnd.uniform(0.01, 0.5), 2)])
    return rnd.randint(10, 5000)  # tasks
keys = ["cpu.shares", "cpu.cap", "cpu.burst", "cpu.reserved", "cpu.dedicated", "cpu.set", "cpu.idle", "memory.cap", "memory.reserved",
        "memory.swap", "io.read", "tasks"]
c = C("x")
codes = {}
for i in range(sets):
    edits = ["%s=%s" % (k, value(k)) for k in rnd.sample(keys, rnd.randint(1, 3))]
    c.request("PATCH", "/v1/zones/r%d" % rnd.randint(1, many), json.dumps({"set": edits}), {"Content-Type": "application/json"})
    r = c.getresponse(); body = r.read()
    codes[r.status] = codes.get(r.status, 0) + 1
    if r.status not in (200, 422, 429): print("#", edits, r.status, body.decode())
print("codes", json.dumps(codes))
PY
echo "# $(grep codes "$T/random")"
is "$(grep -vc codes "$T/random")" 0 "$sets random set calls: applied, invalid (7) or refused (8)" "$(head -5 "$T/random")"
is "$(for z in "${busy[@]}"; do zc show "$z" -o json; done | python3 "$here/kept.py" "$inst.slice" 2>&1)" "" \
    "then the kernel has what the specs say, for all $many zones"
zc delete --force "${busy[@]}" >/dev/null

# ---- pools ----
status_is 0 "a pool" zc pool create batch cpu.cap=0.5 cpu.shares=300
for z in p1 p2 outside; do zc create $z --image host -- sh -c "$spinner"; done # on each CPU: there shares divide
zc set p1 cpu.pool=batch >/dev/null && zc set p2 cpu.pool=batch cpu.shares=300 >/dev/null
zc start p1 p2 outside
is "$(weight_of batch.pool) $(weight_of batch.pool/p1) $(weight_of batch.pool/p2)" "300 100 300" "shares of the pool and in it"
is "$(quota_of batch.pool)" 0.5 "the pool's cap"
measure_more p1 p2
figure "one in a pool of 0.5" "$(of p1)" "$(part 1 '^p[12]$' 4)"
figure "... the other, with three times its shares" "$(of p2)" "$(part 3 '^p[12]$' 4)"
more p1 p2
between "$(awk "BEGIN { print $(of p1) + $(of p2) }")" 0.05 0.6
ok $? "the cap is of both together"
status_is 0 "live" zc pool set batch cpu.cap= cpu.set=$last
is "$(set_of batch.pool) $(set_of batch.pool/p1) $(set_of outside)" "$last $last 0-$last" "the pool's CPUs"
status_is 0 "... moved" zc pool set batch cpu.set=0
is "$(set_of batch.pool/p1) $(set_of batch.pool/p2)" "0 0" "... with its zones"
status_is 0 "... its own" zc pool set batch cpu.set= cpu.dedicated=1
is "$(set_of batch.pool/p1) $(set_of outside)" "$(set_of batch.pool) 0$([ "$last" = 1 ] || echo "-$((last - 1))")" "nobody else's"
partition_is batch.pool
ok $? "... a partition, where the kernel can"
status_is 0 "of its promise" zc pool set batch cpu.dedicated= cpu.reserved=1
status_is 0 "... one in it has a part" zc set p1 cpu.reserved=0.7
[ "$(weight_of batch.pool/p1)" -ge 697 ] # 0.7 of 1 beside 300 shares
ok $? "its weight ($(weight_of batch.pool/p1)) is 7 to the other's 3"
got=$(measure "$seconds")
figure "0.7 promised inside 1" "$(of p1)" "$(part 0.7 '^p[12]$' 1)"
like "$(zc pool list)" "^batch +300 .* 1 +p1,p2" "pool list"
kill9_zoned
start_zoned
is "$(zc pool show batch -o json | jq -c '[.up, .drifted]')" "[true,false]" "over the death of zoned"
zc stop --force p1 p2 >/dev/null
is "$(find /sys/fs/cgroup -path "*/$inst.slice/batch.pool" | wc -l)" 0 "its groups go with its last zone"
status_is 0 "a zone leaves it at its next start" zc set p1 cpu.pool= cpu.reserved=
zc start p1
is "$(weight_of p1)" 100 "... and is outside"
zc delete --force p1 p2 outside >/dev/null
status_is 0 "pool delete" zc pool delete batch
is "$(machine)" "0-$last" "the host has all CPUs again"

# ---- drift ----
"$BIN/zonectl" events -f -o json >"$T/events" &
events=$!
zc create drift --memory 64M --image host -- sleep 1000 && zc start drift
file=$(ls -d /sys/fs/cgroup/*/"$inst.slice/drift/pids.max" "/sys/fs/cgroup/$inst.slice/drift/pids.max" 2>/dev/null)
cpu=$(ls -d /sys/fs/cgroup/cpu/"$inst.slice/drift/cpu.shares" "/sys/fs/cgroup/$inst.slice/drift/cpu.weight" 2>/dev/null)
echo 77 >"$file"
echo 333 >"$cpu"
is "$(zc show drift -o json | jq -c '[.drifted, ([.drift[].key] | sort)]')" '[true,["cpu.shares","tasks"]]' "a foreign write is noticed"
zc export drift >"$T/drift.yaml"
status_is 0 "apply --dry-run tells" zc apply -n -f "$T/drift.yaml"
like "$out" "tasks: the kernel had 77, not 4096 \(to be healed\)" "... what"
is "$(cat "$file")" 77 "... and heals nothing"
status_is 0 "apply heals" zc apply -f "$T/drift.yaml"
is "$(cat "$file") $(weight_of drift) $(zc show drift -o json | jq .drifted)" "4096 100 false" "... all of it"
sleep 0.2
is "$(jq -r 'select(.zone == "drift" and (.event == "drifted" or .event == "healed")) | .event' "$T/events" | xargs)" "drifted healed" "both are events"
echo 78 >"$file"
seen_in_events() { [ "$(jq "select($1)" "$T/events" 2>/dev/null)" ]; }
until_ok seen_in_events '.event == "drifted" and .zone == "drift" and .drift[0].have == "78"'
seen_in_events '.event == "drifted" and .zone == "drift" and .drift[0].have == "78"'
ok $? "a foreign write is noticed without show"
status_is 0 "set of another key leaves what somebody wrote" zc set drift memory.cap=65M
is "$(cat "$file") $(zc show drift -o json | jq .drifted)" "78 true" "... as it is"
status_is 0 "set of the key, with the value that it has" zc set drift tasks=4096
like "$out" "tasks: the kernel had 78, not 4096: healed" "... writes it again, and says so"
is "$(cat "$file") $(zc show drift -o json | jq .drifted)" "4096 false" "... which it is then"
is "$(zc set drift tasks=4096)" "" "... and no word of it once more"
oom=$(ls /sys/fs/cgroup/*/"$inst.slice/drift/memory.oom_control" 2>/dev/null)
if [ -z "$oom" ]; then # v2 knows no group without a killer
    ok 0 "(no memory.oom_control)"
else
    echo 1 >"$oom"
    is "$(zc show drift -o json | jq -c '[.drift[] | [.key, .have, .want, .file]]')" '[["memory.oom","1","0","memory.oom_control"]]' "an OOM killer that somebody turned off is drift"
    status_is 0 "apply turns it on" zc apply -f "$T/drift.yaml"
    is "$(sed -n 's/oom_kill_disable //p' "$oom") $(zc show drift -o json | jq .drifted)" "0 false" "... again"
fi
root=$(ls -d /sys/fs/cgroup/memory/cgroup.procs /sys/fs/cgroup/cgroup.procs 2>/dev/null | head -1)
pid=$(field drift .pid)
echo "$pid" >"$root"
is "$(zc show drift -o json | jq -c '[.drift[] | [.key, .want, .have, .file]]')" "[[\"pid\",\"/$inst.slice/drift\",\"/\",\"/proc/$pid/cgroup\"]]" "PID 1 that somebody moved away is drift"
like "$(zc why drift -i 0.2 -o json | jq -r '.cause + ": " + .text')" "^moved: .* somebody has moved it to /\. .*zonectl apply" "... why says so, with the remedy"
status_is 0 "apply puts it back" zc apply -f "$T/drift.yaml"
is "$(grep -cE "(:memory:|0::)/$inst.slice/drift\$" "/proc/$pid/cgroup") $(zc show drift -o json | jq .drifted)" "$(grep -c ':memory:\|0::' "/proc/$pid/cgroup") false" "... into its group"
zc delete --force drift >/dev/null

# ---- drift of what zones share: nobody's weight is written by this test here ----
zc() { "$BIN/zonectl" "$@"; }
put() { # put GROUP FILE_V1 VALUE FILE_V2 VALUE: whichever there is
    [ -e "/sys/fs/cgroup/cpu/$inst.slice/$1/$2" ] && { echo "$3" >"/sys/fs/cgroup/cpu/$inst.slice/$1/$2"; return; }
    echo "$5" >"/sys/fs/cgroup/$inst.slice/$1/$4"
}
loosen() { put . cpu.cfs_quota_us -1 cpu.max max; put . cpu.shares 2 cpu.weight 1; }
host_has() { echo "$(quota_of .) $(weight_of .)"; }
zc pool create shared cpu.set=$last >/dev/null
zc create drift --image host --set cpu.pool=shared --set cpu.reserved= -- sleep 1000
zc set @host cpu.reserved=0.5 >/dev/null
zc start drift
had=$(host_has) # a quota, or on v2 with groups beside ours a weight against theirs
host() { curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/host | jq -c "$1"; }
like "$had $(host .drifted)" "^($(awk "BEGIN { print $cpus - 0.5 }")|none) [1-9][0-9]+ false$" "the zones' part is the kernel's"
loosen
until_ok seen_in_events '.event == "drifted" and .of == "@host"'
is "$(host '[.drifted, ([.drift[].key] | index("cpu.shares") != null)]')" '[true,true]' "a foreign write to it is noticed"
is "$(zc doctor -o json | jq -r '.[] | select(.check | startswith("control groups")) | "\(.ok) \(.remedy)"')" \
    "false zonectl set @host cpu.reserved=0.5 writes all values again" "... doctor names it, and the remedy"
like "$(zc show drift -o json | jq .drifted) $(host_has)" "^false none [01]$" "... it is not the zone's, and not healed unasked"
zc export drift >"$T/drift.yaml"
status_is 0 "apply --dry-run" zc apply -n -f "$T/drift.yaml"
like "$out" "cpu.shares of @host: the kernel had .*to be healed" "... tells"
status_is 0 "apply of a zone" zc apply -f "$T/drift.yaml"
is "$(host_has) $(host .drifted)" "$had false" "... heals it"
loosen
status_is 0 "the same value again" zc set @host cpu.reserved=0.5
like "$out" "cpu.shares: the kernel had .*: healed" "... says so"
is "$(host_has)" "$had" "... and heals it"
loosen
zc create next --image host -- sleep 1000
status_is 0 "a start" zc start next
is "$(host_has)" "$had" "... heals it"
loosen
zc delete --force next >/dev/null
like "$(host_has)" "^none [01]$" "an end does not"
zc set @host cpu.reserved= >/dev/null
is "$(host_has) $(host .drifted)" "none 100 false" "given back"
put shared.pool cpu.cfs_quota_us 20000 cpu.max "20000 100000"
until_ok seen_in_events '.event == "drifted" and .of == "pool shared"'
is "$(zc pool show shared -o json | jq -c '[.drifted, .drift[0].key, .drift[0].of]')" '[true,"cpu.cap","pool shared"]' "a pool's, too"
status_is 0 "pool set of what it has" zc pool set shared cpu.set=$last
is "$(quota_of shared.pool) $(zc pool show shared -o json | jq .drifted)" "none false" "... heals it"
put shared.pool cpu.cfs_quota_us 20000 cpu.max "20000 100000"
status_is 0 "apply of its zone" zc apply -f "$T/drift.yaml"
is "$(quota_of shared.pool)" none "... as well"
is "$(jq -r 'select(.of == "@host" or .of == "pool shared") | "\(.event) \(.of)"' "$T/events" | sort | uniq -c | awk '$1 >= 2' | wc -l)" 4 "all are events"
zc delete --force drift >/dev/null
zc pool delete shared

# ---- memory ----
zc create warned --memory 64M --set memory.warn=50% --image host -- python3 -c 'import time; time.sleep(1); x = bytearray(40 << 20); time.sleep(1000)'
zc start warned
until_ok grep -q memory_warning "$T/events"
like "$(jq -c 'select(.event == "memory_warning") | [.zone, .percent >= 50 and .percent < 100, .cap]' "$T/events")" '^\["warned",true,67108864\]$' \
    "a warning at half of the cap, with the figures"
zc set warned memory.warn=90% >/dev/null
until_ok grep -q memory_relieved "$T/events"
is "$(jq -r 'select(.event == "memory_relieved") | .zone' "$T/events")" warned "relief, once it is below"
zc delete --force warned >/dev/null
eat='x = bytearray(200 << 20)'
zc create hog --memory 32M --image host -- python3 -c "$eat"
zc start hog
zc wait hog --for stopped
zc create both --memory 40M --image host -- sh -c "python3 -c '$eat'; sleep 1000"
zc start both
status_is 0 "oom: zone ends all of it, not the one process that was too large" zc wait both --for stopped -t 60
is "$(field both '"\(.oom) \(.exit_status)"')" "true 137" "... and says so"
zc create some --memory 48M --set memory.oom=process --image host -- sh -c "python3 -c '$eat'; sleep 1000"
zc start some
until_ok grep -q '"oom".*"some"' "$T/events"
is "$(jq -c 'select(.event == "oom") | [.zone, .action, .cap]' "$T/events" | sort -u)" '["both","zone",41943040]
["hog","zone",33554432]
["some","process",50331648]' "OOM is an event"
# who: the kernel's log tells, where it may be read
if head -c 1 /dev/kmsg >/dev/null 2>&1; then
    is "$(jq -r 'select(.event == "oom") | [.process, .rss > 10000000] | @csv' "$T/events" | sort -u)" '"python3",true' "... with who and how much"
else
    ok 0 "(the kernel's log may not be read here)"
fi
sleep 0.5
is "$(field some '.state + " " + (.oom | tostring)')" "running true" "oom: process: the zone runs on"
kill $events
zc delete --force hog both some >/dev/null
nothing_left
