#!/usr/bin/env bash
# zoned replaced by another version while zones run: the same zones, their programs, logs, consoles and exit statuses.
. "$(dirname "$0")/lib.sh"
old=$BIN new=$top/build/debug/bin
begin
zc create app -p 8080:80 --image host -- sh -c 'i=0; while :; do i=$((i + 1)); echo line $i; sleep 0.05; done'
zc create ends --image host -- sh -c 'sleep 4; exit 7'
zc create again --restart always --image host -- sh -c 'sleep 1000'
zc run -d --rm --name oneoff host sleep 1000 >/dev/null
zc start app ends again >/dev/null
pids() { for z in again app oneoff; do zc show $z -o json | jq -r '"\(.name) \(.pid)"'; done; }
was=$(pids)
versions() { zc version -o json | jq -r .zoned; }
first=$(versions)
for round in up down; do
    [ $round = up ] && BIN=$new || BIN=$old
    stop_zoned
    start_zoned
    ok $? "$round: the other version answers"
    [ "$(versions)" != "$first" ] || [ $round = down ]
    ok $? "$round: it is another ($(versions))"
    same "$(pids)" "$was" "$round: the same processes run"
    is "$(zc exec app -- echo in)" in "$round: exec"
    status_is 0 "$round: a new zone" zc run --rm host true
    is "$("$BIN/zone-sup" --version | cut -d' ' -f2)" "$(versions)" "$round: (both are of one version)"
done
# the supervisor of the first version dies: one of the present version adopts, with what the present keeper has
BIN=$new
stop_zoned
start_zoned
sup() { awk '/^PPid/ { print $2 }' "/proc/$(field $1 .pid)/status"; }
for z in app again; do kill -9 "$(sup $z)"; done
three_run() { [ "$(zc list -o json | jq '[.[] | select(.state == "running")] | length')" -ge 3 ]; }
until_ok three_run
same "$(pids)" "$was" "the old supervisors killed: the zones run on"
a=$(zc logs -n 1 app | cut -d' ' -f2)
more() { b=$(zc logs -n 1 app | cut -d' ' -f2) && [ "$b" -gt "$a" ]; }
until_ok more
[ "$b" -gt "$a" ]
ok $? "and their output is logged ($a, then $b)"
is "$(zc logs app | awk '{ if ($2 != NR) bad++ } END { print bad + 0 }')" 0 "no line is missing"
zc wait ends --for stopped >/dev/null
is "$(field ends .exit_status)" 7 "the exit status of a zone that ended over it"
zc delete --force $(zc list -q) >/dev/null
nothing_left
finish
