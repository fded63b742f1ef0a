#!/usr/bin/env bash
# The machine divided on Linux 6.1 with cgroup v2 alone, as the kernel's files tell it: CPUs of a zone's own (no partition below the
# top before 6.7: exclusive among zones), a pool, a promise that is refused, drift healed, the host's part. Runs in the guest only.
# cgroups: v2
. "$(dirname "$0")/../../system/lib.sh"
begin
P=/sys/fs/cgroup/$inst.slice
has() { cat "$P/$1"; }
for z in web rest; do zc create $z --image host -- sleep 1000; done
zc start web rest

# ---- dedicated CPUs ----
is "$(has web/cpuset.cpus.effective) $(has rest/cpuset.cpus.effective)" "0-1 0-1" "all zones have all CPUs"
zc create own --image host --set cpu.dedicated=1 -- sleep 1000
status_is 0 "a dedicated CPU" zc start own
like "$out" "exclusive among zones; the host's own processes may still run on these CPUs" "... says how far"
is "$(has own/cpuset.cpus) $(has web/cpuset.cpus) $(has rest/cpuset.cpus)" "1 0 0" "its CPU is no other zone's"
is "$(has own/cpuset.cpus.partition) $(cat /sys/fs/cgroup/cpuset.cpus.effective)" "member 0-1" "... and the host's still, before 6.7"
is "$(zc exec own -- nproc) $(zc exec web -- nproc)" "1 1" "processes see so many"
kill9_zoned
start_zoned
is "$(zc show own -o json | jq -c .drift) $(has web/cpuset.cpus)" "[] 0" "over the death of zoned"
status_is 0 "live: none" zc set own cpu.dedicated=
is "$(has own/cpuset.cpus) $(has web/cpuset.cpus)" "0-1 0-1" "... given back"
zc set own cpu.dedicated=1 >/dev/null
zc delete --force own >/dev/null
is "$(has web/cpuset.cpus) $(has rest/cpuset.cpus)" "0-1 0-1" "and by its end"

# ---- a pool ----
status_is 0 "a pool" zc pool create batch cpu.cap=0.5 cpu.shares=300
for z in p1 p2; do zc create $z --image host --set cpu.pool=batch --cpu-shares $([ $z = p1 ] && echo 100 || echo 250) -- sleep 1000; done
zc start p1 p2
is "$(has batch.pool/cpu.max) $(has batch.pool/cpu.weight)" "50000 100000 300" "its cap and shares"
is "$(has batch.pool/p1/cpu.weight) $(has batch.pool/p2/cpu.weight) $(has batch.pool/p1/cpu.max)" "100 250 max 100000" "its zones' shares are within it"
status_is 0 "live" zc pool set batch cpu.cap=1.25 cpu.shares=400 cpu.set=1
is "$(has batch.pool/cpu.max) $(has batch.pool/cpu.weight) $(has batch.pool/p2/cpuset.cpus.effective)" "125000 100000 400 1" "... the kernel has it"
zc delete --force p1 p2 >/dev/null
[ ! -e "$P/batch.pool" ]
ok $? "its group goes with its last zone"
zc pool delete batch

# ---- promises ----
zc set web cpu.reserved=1.5 >/dev/null
[ "$(has web/cpu.weight)" -ge 300 ] # 1.5 to the other's 0.5 and his shares of 100
ok $? "1.5 of 2 CPUs are promised: weight $(has web/cpu.weight)"
is "$(has rest/cpu.weight) $(has cpu.weight)" "100 10000" "the other's is as it was, all zones together weigh what they can"
zc create greedy --image host --set cpu.reserved=0.75 -- sleep 1000
status_is 8 "a promise that does not fit" zc start greedy
like "$out" "asks for 0.75 CPUs, but of 2 CPUs 1.5 are promised \(zone web 1.5\): 0.5 are left" "... with the arithmetic"
is "$(state greedy) $(ls -d "$P"/*/ | xargs -n1 basename | xargs)" "installed rest web" "... and nothing is made"
zc delete greedy
status_is 8 "the host cannot have it either" zc set @host cpu.reserved=0.75
is "$(has cpu.max)" "max 100000" "... so no cap on all zones"
zc set web cpu.reserved= >/dev/null
status_is 0 "a part for the host" zc set @host cpu.reserved=0.75
is "$(has cpu.max)" "125000 100000" "... is what a cap on all zones leaves"
kill9_zoned
start_zoned
is "$(has cpu.max)" "125000 100000" "... over the death of zoned"
status_is 9 "shares of a host whose tasks lie in the root group" zc set @host cpu.shares=200
zc set @host cpu.reserved= >/dev/null
is "$(has cpu.max)" "max 100000" "... given back"

# ---- drift ----
echo 77 >"$P/rest/pids.max"
echo 333 >"$P/rest/cpu.weight"
is "$(zc show rest -o json | jq -c '[.drifted, ([.drift[].key] | sort)]')" '[true,["cpu.shares","tasks"]]' "foreign writes are noticed"
zc export rest >"$T/rest.yaml"
status_is 0 "apply heals" zc apply -f "$T/rest.yaml"
is "$(has rest/pids.max) $(has rest/cpu.weight) $(zc show rest -o json | jq .drifted)" "4096 100 false" "... all of it"

# ---- seen ----
zc set web cpu.cap=0.2 >/dev/null
zc exec -d web -- sh -c 'while :; do :; done'
(while :; do :; done) &
spinner=$!
rows=$(zc stats 2 -o json | jq -c '[.rows[] | {key: .name, value: (.cpu.used // 0)}] | from_entries')
kill $spinner
echo "# CPUs used: $rows"
is "$(jq '.["[host]"] > 0.3 and .web > 0.02 and .web < 0.5' <<<"$rows")" true "stats: a zone's use, and the host's in its own row"
is "$(jq '[to_entries[] | select(.key != "[total]") | .value] | (add - '"$(jq '.["[total]"]' <<<"$rows")"') | fabs < 0.2' <<<"$rows")" true "the sums come out"
zc delete --force web rest >/dev/null
nothing_left
