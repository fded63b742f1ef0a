#!/usr/bin/env bash
# guest: v2
# kill -9 of zoned, of a supervisor, of both, of the fork server: no zone, log line or exit status is lost, nothing leaks.
. "$(dirname "$0")/lib.sh"
begin
ticker='i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done'
zc create a --image host -- sh -c "$ticker"
zc start a
pid=$(field a .pid)

kill9_zoned
sleep 0.4
kill -0 "$pid"
ok $? "the zone outlives zoned"
start_zoned
is "$(field a '.state + " " + (.pid|tostring)')" "running $pid" "the next zoned adopts it with the same PID 1"
is "$(zc exec a -- echo hi)" hi "exec works after adoption"

sup=$(sup_of a)
kill -9 "$sup"
sleep 0.6
is "$(field a '.state + " " + (.pid|tostring)')" "running $pid" "a supervisor that was killed is replaced"
is "$(zc exec a -- echo hi)" hi "exec works with the new supervisor"

sup=$(sup_of a)
kill -9 "$zoned_pid" "$sup"
wait "$zoned_pid" 2>/dev/null
sleep 0.5
kill -0 "$pid"
ok $? "the zone outlives both"
start_zoned
is "$(field a '.state + " " + (.pid|tostring)')" "running $pid" "and is adopted"
sleep 0.5
ticks=$(zc logs a | sed -n 's/^tick //p')
missing=$(echo "$ticks" | awk 'NR > 1 && $1 != p + 1 { m++ } { p = $1 } END { print m + 0 }')
is "$missing" 0 "no log line is lost over all of it ($(echo "$ticks" | wc -l) lines)"

kill -9 "$(keeper)"
sleep 0.2
status_is 0 "a start works after the fork server was killed" zc run --rm host true
is "$(zc exec a -- echo hi)" hi "the running zone does not mind"

zc create e --image host -- sh -c 'sleep 1; exit 42'
zc start e
kill9_zoned
sleep 1.5
start_zoned
is "$(field e '.state + " " + (.exit_status|tostring)')" "installed 42" "the exit status of a zone that ended without zoned"
zc create r --image host --restart always -- sh -c 'sleep 0.3; exit 1'
zc start r
kill9_zoned
sleep 2
start_zoned
restarts=$(field r .restarts)
[ "$restarts" -ge 1 ]
ok $? "the restart policy works while zoned is away ($restarts restarts)"
status_is 0 "stop ends the restarts" zc stop r
zc stop -t 1 a
zc delete a e r
nothing_left

for i in 1 2 3 4 5; do
    (zc create k$i --image host -- sleep 100; zc start k$i) >/dev/null 2>&1 &
    sleep 0.0$((RANDOM % 9))
    kill9_zoned
    wait
    start_zoned
    zc delete --force k$i >/dev/null 2>&1
done
is "$(zc list -q)" "" "kill -9 at five random moments of a start: all zones can be deleted"
nothing_left "... and nothing is left"
status_is 0 "--shutdown stops all" bash -c "$BIN/zonectl create s --image host -- sleep 100 && $BIN/zonectl start s && $BIN/zoned --root $ROOT --shutdown"
wait "$zoned_pid"
is $? 0 "zoned has ended"
zoned_pid=
is "$(ip -o link | grep -c zoned)" 0 "its bridge is gone"
is "$(nft list ruleset | grep -c "$inst")" 0 "its nft tables are gone"
is "$(find /sys/fs/cgroup -type d -name "$inst.slice" | wc -l)" 0 "its groups are gone"
