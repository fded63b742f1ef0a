#!/usr/bin/env bash
# Admission: promises of CPU, whole CPUs and memory are kept or refused with the arithmetic; plan answers beforehand; the host's
# part; every bad value is refused and changes nothing.
. "$(dirname "$0")/lib.sh"
begin
cpus=$(nproc)
last=$((cpus - 1))
total=$(zc stats -o json | jq .host.memory)
v2=$(curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/host | jq -r '.cgroups == "v2"')
in_root=1 # are the host's processes in the root group of the cpu controller?
[ "$v2" = true ] && ! ls -d $(sed 's|^|/proc/|; s|$|/exe|' /sys/fs/cgroup/cgroup.procs) 2>/dev/null | xargs -r readlink 2>/dev/null | grep -q . && in_root=0
# Everything that zoned could have changed: specs, kernel values of every group of ours.
shopt -s nullglob
kernel() {
    grep -r --include={cpu.shares,cpu.cfs_*_us,cpuset.cpus,memory.*limit_in_bytes,cpu.max,cpu.weight,cpu.idle,memory.max,memory.min,memory.high,pids.max} \
        . /sys/fs/cgroup/*/"$inst.slice" "/sys/fs/cgroup/$inst.slice" 2>/dev/null | sort
    grep -r . "$ROOT/etc" | sort
}
now="" # the picture after the last refusal, good until something else was asked for
zc() { echo asked >"$T/asked"; "$BIN/zonectl" "$@"; }
refused() { # STATUS PATTERN NAME COMMAND…: refused so, and nothing is changed
    local want=$1 pattern=$2 name=$3 was
    shift 3
    [ -s "$T/asked" ] && now=$(kernel)
    was=$now
    status_is "$want" "$name" "$@"
    like "$out" "$pattern" "... says why"
    now=$(kernel)
    : >"$T/asked"
    [ "$now" = "$was" ]
    ok $? "... and nothing is changed" "$([ "$now" = "$was" ] || diff <(echo "$was") <(echo "$now"))"
}
spec() { printf 'zone: n\nimage: host\nprocess: {args: [sleep, "1000"]}\n%s\n' "$1" >"$T/n.yaml"; }

# ---- CPU ----
zc create web --image host --set cpu.reserved=0.75 -- sleep 1000
zc create rest --image host -- sleep 1000
status_is 0 "0.75 CPUs promised" zc start web
zc start rest
spec "cpu: {reserved: $cpus}"
refused 8 "asks for $cpus CPUs, but of $cpus CPUs 0.75 are promised \(zone web 0.75\): $(awk "BEGIN { print $cpus - 0.75 }") are left" \
    "plan: a promise of all CPUs does not fit" zc plan -f "$T/n.yaml"
like "$out" "^hint: ask for at most $(awk "BEGIN { print $cpus - 0.75 }"), or zonectl set web cpu.reserved=… takes some back; zonectl stats tells who uses what$" "... and the remedy, which is not to ask the same again"
status_is 0 "plan: with less it does" zc plan -f "$T/n.yaml" --set cpu.reserved=0.5
like "$out" "^n +zone +- +[0-9.]+ +0.50" "... and says what the new one is sure of"
like "$out" "^web +zone +[0-9.]+ +[0-9.]+ +0.75" "... and what web has"
sed 's/^zone: .*/zone: m/' "$T/n.yaml" >"$T/m.yaml"
half=$(awk "BEGIN { print $(nproc) * 0.1 }")
status_is 8 "plan of two that do not fit together" zc plan -f "$T/n.yaml" -f "$T/m.yaml" --set cpu.reserved="$(awk "BEGIN { print $(nproc) * 0.4 }")"
like "$out" "n.yaml: cpu.reserved: asks for .* are promised \(.*zone m" "... with the arithmetic, and of whom"
status_is 0 "... with less they do" zc plan -f "$T/n.yaml" -f "$T/m.yaml" --set cpu.reserved="$half"
is "$(zc plan -f "$T/n.yaml" -f "$T/m.yaml" --set cpu.reserved="$half" -o json | jq -c '[.zones[] | select(.new) | [.name, .reserved]]')" "[[\"n\",$half],[\"m\",$half]]" "... and both are in the answer"
status_is 7 "plan of one zone twice" zc plan -f "$T/n.yaml" -f "$T/n.yaml"
like "$out" "n.yaml: zone: n is the zone of .*n.yaml too" "... says so"
sure=$(zc plan -f "$T/n.yaml" --set cpu.reserved=0.5 -o json)
is "$(echo "$sure" | jq '[.zones[] | select(.reserved != null) | .after >= .reserved * 0.98] | all')" true "every promise is within the worst case"
is "$(echo "$sure" | jq ".zones | map(.after) | add <= $cpus + 0.001")" true "the sums come out"
zc create greedy --image host --set cpu.reserved=$cpus -- sleep 1000
refused 8 "are promised \(zone web 0.75\)" "the start says the same" zc start greedy
is "$(state greedy)" installed "the zone is at rest"
refused 8 "are promised" "set of a running zone, too" zc set rest cpu.reserved=$cpus
status_is 0 "what fits is applied live" zc set rest cpu.reserved=0.5
for i in $(seq 3); do zc run -d --name over$i --cpu-shares 10000 --image host sleep 1000 >/dev/null 2>&1 || zc run -d --name over$i --cpu-shares 10000 host sleep 1000 >/dev/null; done
is "$(zc list -o json | jq '[.[] | select(.name | startswith("over")) | .state] | unique | .[]' -r)" running "overcommit of shares is free"
is "$(zc plan -f "$T/n.yaml" --set cpu.reserved=0.1 -o json | jq '[.zones[] | select(.reserved != null) | .after >= .reserved * 0.98] | all')" true \
    "promises hold against 10000 shares thrice"
zc delete --force over1 over2 over3 greedy >/dev/null
zc set rest cpu.reserved= >/dev/null

# ---- the host's part ----
status_is 0 "the host's part: $(awk "BEGIN { print $cpus - 1 }") CPUs" zc set @host cpu.reserved=$(awk "BEGIN { print $cpus - 1 }")
refused 8 "the host $last, zone web 0.75" "the host's part counts" zc set rest cpu.reserved=0.5
refused 8 "cpu.reserved: asks for $(awk "BEGIN { print $cpus - 0.5 }") CPUs, but of $cpus CPUs 0.75 are promised \(zone web 0.75\): $(awk "BEGIN { print $cpus - 0.75 }") are left" \
    "a host's part that would break web's promise" zc set @host cpu.reserved=$(awk "BEGIN { print $cpus - 0.5 }")
like "$out" "^hint: ask for at most $(awk "BEGIN { print $cpus - 0.75 }"), or zonectl set web cpu.reserved=… takes some back" "... and the remedy"
refused 8 "cpu.reserved: asks for $cpus CPUs, but of $cpus CPUs 0.75 are promised \(zone web 0.75\): $(awk "BEGIN { print $cpus - 0.75 }") are left" "all for the host" zc set @host cpu.reserved=$cpus
if [ $in_root = 1 ]; then
    refused 9 "root control group" "shares of a host whose tasks sit in the root group" zc set @host cpu.shares=200
else
    status_is 0 "shares of the host" zc set @host cpu.shares=200
    zc set @host cpu.shares=
fi
refused 7 "unknown key" "a key that the host does not have" zc set @host cpu.cap=1
refused 7 "1 to 10000" "host shares 0" zc set @host cpu.shares=0
status_is 0 "given back" zc set @host cpu.reserved=

# ---- whole CPUs ----
refused 7 "more than the $cpus CPUs" "more dedicated CPUs than there are" zc create d --image host --set cpu.dedicated=$((cpus + 1)) -- sleep 1
zc create d --image host --set cpu.dedicated=$cpus -- sleep 1000
zc set web cpu.reserved=
refused 8 "would be dedicated: at least one must stay" "all CPUs dedicated" zc start d
zc set d cpu.dedicated=1
zc set web cpu.reserved=$(awk "BEGIN { print $cpus - 0.5 }")
refused 8 "asks for 1 CPUs, but of $cpus CPUs" "a whole CPU where half a CPU is left" zc start d
zc set web cpu.reserved=0.5
zc set rest cpu.set=$last
zc set d cpu.set=$last
refused 8 "zone d asks for 1 whole CPUs of $last; 1 could not be found: taken already, or others could run nowhere else" "the only CPU of another" zc start d
zc set rest cpu.set=
status_is 0 "free again" zc start d
zc create d2 --image host --set cpu.dedicated=1 --set cpu.set=$last -- sleep 1000
# (with more CPUs the set says it: tests/unit/zoned/test_ledger.c)
refused 8 "asks for 1 CPUs, but of $cpus CPUs 1.5 are promised \(zone web 0.5, zone d 1 dedicated\)|1 whole CPUs of $last; 1 could not be found" \
    "a CPU that is dedicated already" zc start d2
like "$out" "^hint: " "... with a hint"
refused 8 "zone d asks for 1 whole CPUs of $last; 1 could not be found" "a set on dedicated CPUs" zc set rest cpu.set=$last
zc delete --force d d2 >/dev/null

# ---- memory ----
half=$((total / 2 / 1048576))M
zc set web memory.reserved=$half
is "$(zc show web -o json | jq .drifted)" false "memory promised"
zc create m --image host --set memory.reserved=$((total * 6 / 10 / 1048576))M -- sleep 1000
refused 8 "memory.reserved: asks for [0-9]+ MiB, but of [0-9]+ MiB [0-9]+ MiB are promised \(zone web [0-9]+ MiB\): [0-9]+ MiB are left" \
    "memory that is promised already" zc start m
zc set @host memory.reserved=$((total / 4 / 1048576))M
zc set m memory.reserved=$((total * 3 / 10 / 1048576))M
refused 8 "the host [0-9]+ MiB, zone web" "... with the host's part" zc start m
zc set @host memory.reserved=
status_is 0 "what fits starts" zc start m
zc set web memory.reserved=64M
m=$((total * 3 / 10 / 1048576))
refused 8 "asks for 999999 MiB, but of [0-9]+ MiB $((m + 64)) MiB are promised \(zone (web 64 MiB, zone m $m|m $m MiB, zone web 64) MiB\): [0-9]+ MiB are left" \
    "the host's memory: it is not among those who have" zc set @host memory.reserved=999999M
zc delete --force m >/dev/null
zc set web memory.reserved=

# ---- bad values, at rest and running ----
for z in web resting; do
    [ $z = web ] || zc create resting --image host -- sleep 1000
    refused 7 "1 to 10000" "$z: shares 0" zc set $z cpu.shares=0
    refused 7 "1 to 10000" "$z: shares 10001" zc set $z cpu.shares=10001
    refused 7 "0.01" "$z: cap 0.009" zc set $z cpu.cap=0.009
    refused 7 "more than the $cpus CPUs" "$z: cap above the machine" zc set $z cpu.cap=$cpus.5
    refused 7 "cpu.cap: -1 is out of range \(0.01 to 4096 CPUs\)" "$z: cap -1" zc set $z cpu.cap=-1
    refused 7 "cpu.shares: 18446744073709551616 is out of range \(1 to 10000\)" "$z: shares 2^64" zc set $z cpu.shares=18446744073709551616
    refused 7 "memory.cap: 18446744073709551616 is out of range \(4M to 1048576T\)" "$z: memory 2^64" zc set $z memory.cap=18446744073709551616
    refused 7 "cpu.set: \"\" is not a list of CPUs" "$z: an empty set" zc set $z 'cpu.set=""'
    refused 7 "cpu.set: \"1-0\" is not a list of CPUs" "$z: a reversed set" zc set $z cpu.set=1-0
    refused 7 "not online" "$z: an offline CPU" zc set $z cpu.set=4000
    refused 7 "memory.cap: \"512X\" is not a size like 512M" "$z: a unit that is none" zc set $z memory.cap=512X
    refused 7 "memory.cap: -1M is out of range \(4M to 1048576T\)" "$z: a negative size" zc set $z memory.cap=-1M
    refused 7 "memory.warn: 101% is out of range \(1% to 100%\)" "$z: 101 %" zc set $z memory.cap=64M memory.warn=101%
    refused 7 "cap" "$z: a warning without a cap" zc set $z memory.warn=80%
    refused 7 "more than dedicated" "$z: reserved above dedicated" zc set $z cpu.reserved=1.5 cpu.dedicated=1
    refused 7 "at most cap" "$z: reserved above cap" zc set $z cpu.cap=0.1 cpu.reserved=0.2
    refused 3 "pool nope does not exist" "$z: a pool that is not there" zc set $z cpu.pool=nope
    if [ "$v2" = true ]; then
        status_is 0 "$z: soft" zc set $z memory.soft=100M
    else
        refused 9 "cgroup2" "$z: soft on cgroup v1" zc set $z memory.soft=100M
    fi
done
zc create eater --memory 128M --image host -- python3 -c 'x = bytearray(64 << 20); import time; time.sleep(1000)'
zc start eater
ate() { [ "$(zc stats eater -o json | jq '.zones[0].memory.anon > 60000000')" = true ]; }
until_ok ate
refused 6 "32.0 MiB is less than the [0-9.]+ MiB that eater uses" "memory below what the zone uses" zc set eater memory.cap=32M

# ---- pools ----
status_is 0 "pool create" zc pool create batch cpu.cap=0.5
refused 4 "exists already" "... twice" zc pool create batch
refused 7 "pool \"Bad/Name\" is not a name \(a-z, 0-9 and - inside; at most 32 characters\)" "a pool's bad name" zc pool create Bad/Name
refused 7 "pools lie in no other pool" "a pool in a circle" zc pool set batch cpu.pool=batch
refused 7 "pools lie in no other pool" "... and at its creation" zc pool create ring cpu.pool=batch
refused 7 "unknown key" "a pool's unknown key" zc pool set batch memory.cap=1G
refused 7 "1 to 10000" "a pool's shares 0" zc pool set batch cpu.shares=0
refused 7 "more than the" "a pool's cap above the machine" zc pool set batch cpu.cap=$((cpus + 1))
zc create inside --image host --set cpu.pool=batch -- sleep 1000
refused 6 "used by zone inside" "deleting a pool in use" zc pool delete batch
zc start inside
refused 6 "used by zone inside" "... that runs" zc pool delete batch
refused 8 "pool batch would be promised 0.2 CPUs together, the pool has 0" "a promise in a pool that promises nothing" zc set inside cpu.reserved=0.2
refused 7 "cpu.cap: is given twice: cpu.cap=0.1 and cpu.cap=0.2" "a pool's key twice" zc pool set batch cpu.cap=0.1 cpu.cap=0.2
refused 7 "cpu.cap: is given twice" "... and at its creation" zc pool create ring cpu.cap=0.1 cpu.cap=0.2
refused 7 "cpu.reserved: is given twice" "... and the host's" zc set @host cpu.reserved=0.1 cpu.reserved=0.2
zc pool create empty >/dev/null
refused 8 "cpu.reserved: 1.5 CPUs are promised on CPU 0 alone, which is only 1" "more than the CPUs of a pool without zones" \
    zc pool set empty cpu.set=0 cpu.reserved=1.5
refused 8 "promised on CPU 0 alone" "... and at its creation" zc pool create ring cpu.set=0 cpu.reserved=1.5
zc pool delete empty
refused 8 "asks for" "a pool's promise over the machine" zc pool set batch cpu.cap= cpu.reserved=$cpus
zc stop --force inside >/dev/null
zc pool set batch cpu.cap= cpu.reserved=$(awk "BEGIN { print $cpus - 0.25 }") >/dev/null
refused 8 "its pool batch asks for $(awk "BEGIN { print $cpus - 0.25 }") CPUs, but of $cpus CPUs 0.5 are promised \(zone web 0.5\): $(awk "BEGIN { print $cpus - 0.5 }") are left" \
    "the first zone of a pool brings the pool's promise" zc start inside
zc delete --force inside >/dev/null
zc pool set batch cpu.reserved= cpu.set=0
zc create astray --image host --set cpu.pool=batch --set cpu.set=$last -- sleep 1000
[ "$last" = 0 ] || refused 8 "none of the CPUs $last of zone astray is left to it \(the pool has others\)" "a set outside of its pool's" zc start astray
zc delete --force astray >/dev/null
# CPUs of a pool's own, and where its zone may run
zc pool set batch cpu.set= cpu.dedicated=1 >/dev/null
zc create astray --image host --set cpu.pool=batch --set cpu.set=0 -- sleep 1000
status_is 0 "a pool's own CPU is one that its zone may run on" zc start astray
[ "$last" = 0 ] || refused 8 "none of the CPUs $last of zone astray is left to it \(the pool has others\)" "... and stays" zc set astray cpu.set=$last
like "$out" "^hint: choose among 0: cpu.set=0" "... which it says"
status_is 0 "... truly" zc set astray cpu.set=0
zc delete --force astray >/dev/null
status_is 0 "a pool that nobody names goes" zc pool delete batch
status_is 3 "... and is gone" zc pool show batch
zc delete --force $(zc list -q) >/dev/null
# ---- caps below the host's part, which v1 takes in one order only: parents go up first, and down last ----
quota_of() { # that of a group of ours: CPUs, or none
    local q p
    q=$(cat /sys/fs/cgroup/*/"$inst.slice/$1/cpu.cfs_quota_us" 2>/dev/null) p=$(cat /sys/fs/cgroup/*/"$inst.slice/$1/cpu.cfs_period_us" 2>/dev/null)
    [ "$q" ] || read -r q p <"/sys/fs/cgroup/$inst.slice/$1/cpu.max"
    case $q in max | -1) echo none ;; *) awk "BEGIN { print $q / $p }" ;; esac
}
quotas() { echo "$(quota_of .) $(quota_of free.pool) $(quota_of free.pool/capped) $(quota_of beside)"; }
left=$(awk "BEGIN { print $cpus - 0.5 }")
bound=$left # of whoever asks for more
[ $in_root = 1 ] || bound=$cpus left=none
zc pool create free >/dev/null
zc create capped --image host --set cpu.pool=free -- sleep 1000
zc create beside --image host --cpu-cap $cpus -- sleep 1000
zc start capped beside
zc set @host cpu.reserved=0.5 >/dev/null
status_is 0 "a cap above what the host leaves, in a pool without a cap" zc set capped cpu.cap=$cpus
is "$(quotas)" "$left none $bound $bound" "... is what the host leaves"
zc stop --force capped >/dev/null
status_is 0 "... at a start, too" zc start capped
is "$(quotas)" "$left none $bound $bound" "... the same"
status_is 0 "the host's part goes" zc set @host cpu.reserved=
is "$(quotas)" "none none $cpus $cpus" "... and the caps are as they were asked for"
status_is 0 "and comes" zc set @host cpu.reserved=0.5
is "$(quotas)" "$left none $bound $bound" "... and holds them again"
status_is 0 "less for the host" zc set @host cpu.reserved=0.25
[ $in_root = 0 ] || is "$(quotas)" "$(awk "BEGIN { print $cpus - 0.25, \"none\", $cpus - 0.25, $cpus - 0.25 }")" "... more for all"
status_is 0 "more for the host" zc set @host cpu.reserved=0.5
status_is 0 "a cap of the pool" zc pool set free cpu.cap=$cpus
is "$(quotas)" "$left $bound $bound $bound" "... is within the host's, too"
status_is 0 "a smaller one" zc pool set free cpu.cap=0.5
is "$(quotas)" "$left 0.5 0.5 $bound" "... holds its zone"
status_is 0 "none" zc pool set free cpu.cap=
is "$(quotas)" "$left none $bound $bound" "... and what the host leaves does"
zc set @host cpu.reserved= >/dev/null
zc delete --force capped beside >/dev/null
zc pool delete free

# ---- what a quota of all zones does to whole CPUs, and what goes before the host: told, and reckoned with ----
each=$(awk "BEGIN { print ($cpus - 0.5) / $cpus }") # of every CPU's time
zc create whole --image host --set cpu.dedicated=1 -- sleep 1000
zc create some --image host -- sleep 1000
zc start some
sure_of() { zc stats -o json | jq -c --arg z "$1" '.zones[] | select(.name == $z) | .cpu | [.entitled, .guaranteed] | map(. * 100 | round)'; }
status_is 0 "a dedicated CPU" zc start whole
if [ $in_root = 1 ]; then
    [ "$v2" = true ] || like "$out" "^cpu.dedicated: while this is promised all zones go before the host's own programs.*zonectl set @host cpu.reserved=" \
        "... goes before the host, and says so"
    status_is 0 "the host's part" zc set @host cpu.reserved=0.5
    like "$out" "^cpu.reserved: kept by a quota on all zones together, .* each, a dedicated one too, gives them $(printf %.2f "$each") of its time, and one thread gets no more" \
        "... says how it is kept"
    is "$(sure_of whole)" "$(awk "BEGIN { x = int($each * 100 + 0.5); print \"[\" x \",\" x \"]\" }")" "a dedicated CPU is what that leaves of it"
    zc stop --force whole >/dev/null
    status_is 0 "it starts" zc start whole
    like "$out" "^cpu.dedicated: @host cpu.reserved=0.5 is kept by a quota on all zones together, .* each, a dedicated one too, gives them $(printf %.2f "$each") of its time" \
        "... and says so"
    status_is 0 "a promise beside it" zc set some cpu.reserved=0.1
    like "$out" "^cpu.reserved: @host cpu.reserved=0.5 is kept by a quota.* one thread gets no more" "... says so, too"
    spec "cpu: {reserved: 0.1}"
    status_is 0 "a plan" zc plan -f "$T/n.yaml"
    like "$out" "^cpu.reserved: @host cpu.reserved=0.5 is kept by a quota" "... says so, too"
    like "$out" "^whole +zone +$(printf %.2f "$each") +$(printf %.2f "$each") +1" "... what the dedicated CPU is"
    status_is 0 "the host's part is given back" zc set @host cpu.reserved=
    like "$out" "^cpu.reserved: while zones are promised CPUs all zones go before the host's own programs" "... before whom all zones go again"
    status_is 0 "a plan without a promise" zc plan -f "$T/n.yaml" --set cpu.reserved=
    is "$(head -1 <<<"$out" | cut -d' ' -f1)" NAME "... has nothing to say"
fi
status_is 0 "memory of the host" zc set @host memory.reserved=1M
like "$out" "^memory.reserved: promised to no zone; .* memory.cap" "... says what that is"
zc set @host memory.reserved= >/dev/null
status_is 0 "a cap of a dedicated CPU" zc set whole cpu.cap=0.3
is "$(sure_of whole)" "[30,30]" "... is all that it is sure of"
zc delete --force whole some >/dev/null

# ---- a running zone goes over to another pool at its next boot ----
zc pool create half cpu.cap=0.5 >/dev/null
zc pool create plain >/dev/null
zc create goes --image host --set cpu.pool=plain --set process.stop_timeout=1s -- sleep 1000
zc create stays --image host --set process.stop_timeout=1s -- sleep 1000
zc start goes stays
spec_of() { zc export "$1" >"$T/$1.yaml"; }
after() { zc plan -f "$T/$1.yaml" "${@:2}" -o json 2>/dev/null | jq -c --arg z "$1" '.zones[] | select(.name == $z) | [.pool, .after]'; }
spec_of goes
spec_of stays
is "$(after goes --set cpu.pool=half)" '["half",0.5]' "a plan of a running zone with another pool is of that pool"
status_is 0 "... it fits" zc plan -f "$T/goes.yaml" --set cpu.pool=half
like "$out" "^cpu.pool: goes runs in pool plain, and goes over at its next start: AFTER is what it has then" "... and says when"
refused 8 "the zones of pool plain would be promised 0.5 CPUs together, the pool has 0" "a promise that the other pool has not" \
    zc plan -f "$T/stays.yaml" --set cpu.pool=plain --set cpu.reserved=0.5
status_is 0 "a promise outside of its present pool" zc plan -f "$T/goes.yaml" --set cpu.pool= --set cpu.reserved=0.5
status_is 0 "... is accepted with the change of the pool" zc set goes cpu.pool= cpu.reserved=0.5 cpu.shares=300
like "$out" "^cpu.reserved: - -> 0.5 \(at next boot\)" "... and waits with it"
like "$out" "^cpu.shares: 100 -> 300 \(applied live\)" "... alone"
status_is 0 "... as it does when something else is set" zc set goes cpu.shares=200
is "$(zc plan -f "$T/stays.yaml" -o json 2>/dev/null | jq -c '.zones[] | select(.name == "goes") | [.pool, .reserved]')" '["plain",null]' "until then it has none"
zc restart goes >/dev/null
is "$(zc plan -f "$T/stays.yaml" -o json 2>/dev/null | jq -c '.zones[] | select(.name == "goes") | [.pool, .reserved]')" '[null,0.5]' "... and then it has"
status_is 0 "a promise is given back at once" zc set goes cpu.pool=plain cpu.reserved=
like "$out" "^cpu.reserved: 0.5 -> - \(applied live\)" "... whatever the pool"
zc restart goes >/dev/null
zc set goes cpu.pool=half >/dev/null
is "$(zc pool show plain -o json | jq -c .zones) $(zc pool show half -o json | jq -c .zones)" '["goes"] ["goes"]' \
    "a pool's zones: that name it, and that run in it"
refused 6 "pool plain is used by zone goes, which runs in it" "a pool is not deleted below a zone" zc pool delete plain
like "$out" "^hint: goes leaves it at its next start: zonectl restart goes, or stop it" "... which need not be told again to leave it"
refused 6 "pool half is used by zone goes" "nor one that a zone goes over to" zc pool delete half
like "$out" "^hint: zonectl set goes cpu.pool= first" "... until it is told not to"
zc delete --force goes stays >/dev/null
zc pool delete half
zc pool delete plain

# ---- a pool's file, edited by hand ----
zc pool create hand cpu.cap=1 >/dev/null
zc create inside --image host --set cpu.pool=hand -- sleep 1000
sed -i 's/cap: 1/cap: 0.3/' "$ROOT/etc/pools/hand.yaml"
is "$(zc pool show hand -o json | jq -c '[.spec.cpu.cap, .pending]')" "[0.3,false]" "the file of a pool at rest is read"
sed -i 's/cap: 0.3/cap: 0.4/' "$ROOT/etc/pools/hand.yaml"
zc start inside
hand=$(find /sys/fs/cgroup -path "*/$inst.slice/hand.pool/cpu.cfs_quota_us" -o -path "*/$inst.slice/hand.pool/cpu.max" | head -1)
is "$(cut -d' ' -f1 "$hand")" 40000 "... at the start of its first zone, too"
sed -i 's/cap: 0.4/cap: 0.5/' "$ROOT/etc/pools/hand.yaml"
is "$(zc pool show hand -o json | jq -c '[.spec.cpu.cap, .pending]') $(cut -d' ' -f1 "$hand")" "[0.4,true] 40000" "while one runs it is pending"
zc pool set hand cpu.shares=200 >/dev/null
is "$(zc pool show hand -o json | jq -c '[.spec.cpu.cap, .pending]') $(cut -d' ' -f1 "$hand")" "[0.5,false] 50000" "... and comes with a set"
zc stop --force inside >/dev/null
printf 'pool: hand\ncpu: {cap: -1}\n' >"$ROOT/etc/pools/hand.yaml"
status_is 7 "a broken one refuses the start" zc start inside
like "$out" "cpu.pool: .*hand.yaml.*cpu.cap" "... says which file and key"
is "$(zc pool show hand -o json | jq .pending)" true "... and is pending"
zc delete --force inside >/dev/null
status_is 0 "... and can be deleted" zc pool delete hand
printf 'pool: found\ncpu: {cap: 0.2}\n' >"$ROOT/etc/pools/found.yaml"
status_is 0 "a pool that was made as a file" zc run --rm --set cpu.pool=found host true
zc pool delete found >/dev/null
nothing_left
