#!/usr/bin/env bash
# Deaths that come together, and a memory that is taken away: supervisor with PID 1, with the fork server, with the run
# folder; a fork server that does not answer. The kernel is asked what lives; nothing stays behind.
. "$(dirname "$0")/lib.sh"
begin

# ---- supervisor and PID 1 at once
zc create r --image host --restart always --set restart.backoff=100ms -- sleep 1000
zc start r >/dev/null
p=$(field r .pid)
kill -9 "$(sup_of r)" "$p"
is "$(eventually true field r ".restarts >= 1")" true "supervisor and PID 1 die at once: the restart policy is applied"
is "$(eventually running state r)" running "... and it runs again"
kill9_zoned
p=$(pgrep -P "$(sup_of r)" | head -1)
kill -9 "$(sup_of r)" "$p"
start_zoned
is "$(eventually running state r)" running "... also while zoned is dead"
zc set r restart.policy=on-failure restart.max=1 >/dev/null
zc restart r >/dev/null
for _ in 1 2; do
    eventually running state r >/dev/null
    kill -9 "$(sup_of r)" "$(field r .pid)"
    sleep 0.7
done
is "$(eventually failed state r)" failed "... a policy that gives up says failed"
zc delete r
zc create n --image host -p 127.0.0.1:18201:80 -- sleep 1000
zc start n >/dev/null
kill -9 "$(sup_of n)" "$(field n .pid)"
is "$(eventually installed state n)" installed "... without a policy it is installed"
is "$(field n .exit_status)" 137 "... with its exit status"
zc start n >/dev/null
zc delete --force n
nothing_left "... and nothing is left"

# ---- a stop that was asked for and not carried out when both die: no policy begins anew
zc create r --image host --restart always --set restart.backoff=100ms -- sh -c 'trap "" TERM; while :; do sleep 0.1; done'
zc start r >/dev/null
zc stop -t 20 r >/dev/null & stop=$!
eventually shutting_down state r >/dev/null
kill -9 "$(sup_of r)" "$(field r .pid)"
wait $stop
is $? 0 "a stop is under way and both die: it has stopped"
is "$(state r)" installed "... and does not start again"
zc delete r

# ---- supervisor and fork server at once
zc create a --image host -- sh -c 'i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done'
zc start a >/dev/null
p=$(field a .pid)
k=$(keeper)
kill -9 "$k" "$(sup_of a)"
ended "$k"
sleep 0.5
is "$(eventually running state a) $(field a .pid)" "running $p" "supervisor and fork server die at once: the zone is adopted"
is "$(zc exec a -- echo hi)" hi "... exec works"
kill9_zoned
kill -9 "$(keeper)" "$(sup_of a)"
sleep 0.5
start_zoned
is "$(eventually running state a) $(field a .pid)" "running $p" "... and zoned with them"
sleep 0.3
missing=$(zc logs a | sed -n 's/^tick //p' | awk 'NR > 1 && $1 != p + 1 { m++ } { p = $1 } END { print m + 0 }')
is "$missing" 0 "... no line of its log is lost"
k=$(keeper)
kill -9 "$k"
until_ok eval '[ -n "$(keeper)" ] && [ "$(keeper)" != "$k" ]'
sleep 0.5
[ -n "$(keeper)" ] && [ "$(keeper)" != "$k" ]
ok $? "a fork server that dies is replaced at once"
ls -l "/proc/$(keeper)/fd" | grep -q "zones/a/journal"
ok $? "... and keeps what the one before it kept"
kill -9 "$(sup_of a)"
sleep 0.3
is "$(eventually running state a) $(zc exec a -- echo hi)" "running hi" "... for the next supervisor"

# ---- the run folder is taken away
rm -rf "$ROOT/run/zones/a"
kill -9 "$(sup_of a)"
sleep 0.5
is "$(eventually running state a) $(field a .pid)" "running $p" "a run folder that was deleted by hand, and the supervisor dies: the kernel is asked, it runs"
[ -e "$ROOT/run/zones/a/plan.json" ]
ok $? "... its folder is made again"
rm -rf "$ROOT/run/zones/a"
kill9_zoned
start_zoned
is "$(state a) $(field a .pid)" "running $p" "a run folder deleted while zoned was away: the zone is adopted"
is "$(sups sup:a | grep -c .)" 1 "... by one supervisor"
is "$(zc exec a -- echo hi)" hi "... whole"
rm -rf "$ROOT/run/zones/a"
status_is 0 "stop of a zone without a run folder" zc stop -t 0 a
is "$(state a)" installed "... it is installed"

# ---- something in the run folder is damaged or missing while zoned is away
whole() { # whole WHAT: a still runs as PID $p, with one supervisor, and stops as any other
    is "$(eventually running state a) $(field a .pid)" "running $p" "$1: the zone is adopted"
    is "$(zc exec a -- echo hi) $(sups sup:a | grep -c .)" "hi 1" "... whole, by one supervisor"
    kill9_zoned
    kill -9 "$(sup_of a)"
    start_zoned
    is "$(eventually running state a) $(field a .pid)" "running $p" "... also by the next one"
    zc stop -t 0 a >/dev/null
    is "$(state a) $(sups sup:a | grep -c .)" "installed 0" "... it stops"
    ended "$p"
    ok $? "... and no process of it is left"
}
R=$ROOT/run/zones/a
for damage in ": >$R/plan.json" "echo '{\"format\":99}' >$R/plan.json" "rm $R/plan.json" "rm $R/sup.sock" "rm $R/sup.sock; : >$R/sup.sock" \
    "rm $R/lock" "rm $R/journal" "rm $R/lock $R/plan.json $R/journal"; do
    zc start a >/dev/null
    p=$(field a .pid)
    kill9_zoned
    eval "$damage"
    start_zoned
    whole "${damage//$R/.}"
done
for damage in ": >$R/plan.json" "rm $R/journal" "rm $R/lock"; do
    zc start a >/dev/null
    p=$(field a .pid)
    kill9_zoned
    eval "$damage"
    kill -9 "$(sup_of a)"
    start_zoned
    whole "${damage//$R/.}, and the supervisor is dead"
done
zc start a >/dev/null
p=$(field a .pid)
kill9_zoned
kill -9 "$(keeper)"
: >"$R/plan.json"
start_zoned
is "$(eventually failed state a)" failed "the plan is damaged and the fork server is another one: the zone is ended, it has failed"
like "$(field a .error)" "run folder was taken away or damaged" "... and says why"
ended "$p"
ok $? "... no process of it is left"
is "$(sups sup:a | grep -c .)" 0 "... and no supervisor"
zc clear a >/dev/null
zc set a restart.policy=always restart.backoff=60s >/dev/null
zc start a >/dev/null
kill -9 "$(field a .pid)"
is "$(eventually ready state a)" ready "a zone that waits for its next start"
kill9_zoned
: >"$R/plan.json"
start_zoned
eventually failed state a >/dev/null
is "$(sups sup:a | grep -c .)" 0 "... with a damaged plan has no supervisor that nobody knows of"
zc clear a >/dev/null
zc set a restart.policy=no >/dev/null

# ---- all of its memory is gone
zc start a >/dev/null
p=$(field a .pid)
kill9_zoned
kill -9 "$(keeper)" "$(sup_of a)"
rm -rf "$ROOT/run/zones/a"
start_zoned
is "$(eventually failed state a)" failed "folder, supervisor and fork server are gone: what is left of the zone is ended, it has failed"
like "$(field a .error)" "run folder was taken away" "... and says why"
ended "$p"
ok $? "... no process of it is left"
zc clear a >/dev/null
status_is 0 "... after clear it starts" zc start a
is "$(zc exec a -- sh -c 'ls -d /proc/[0-9]* | wc -l; true' | head -1 | awk '{ print ($1 < 8) }')" 1 "... alone in its group"
zc delete --force a
nothing_left

# ---- a fork server that does not answer
zc create s --image host -- sleep 1000
for q in $(pgrep -f "zone-sup --server $ROOT"); do kill -STOP "$q"; done
stopped=$(pgrep -f "zone-sup --server $ROOT")
status_is 1 "a fork server that is stopped: a start fails" timeout 30 "$BIN/zonectl" start s
like "$out" "fork server" "... and says who does not answer"
is "$(state s)" installed "... the zone is installed"
for q in $stopped; do kill -CONT "$q"; done
status_is 0 "... it goes on: the next start works" timeout 30 "$BIN/zonectl" start s
sleep 0.5
is "$(state s) $(sups sup:s | grep -c .)" "running 1" "... once"
zc delete --force s
nothing_left

# ---- a fork server that was told to quit, and has not gone yet: somebody in its place has its lock
stop_zoned
k=$(keeper)
[ -z "$k" ] || { kill -9 "$k"; ended "$k"; }
python3 -c '
import fcntl, signal, sys
lock = open(sys.argv[1], "a")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
signal.pause()' "$ROOT/run/keeper.lock" >"$T/held" & holder=$!
until_ok grep -q held "$T/held"
{
    nap=0.02 tries=1000 until_ok eval '[ -n "$(sups zone-sup)" ]'
    sleep 0.3 # it has met the lock
    kill $holder
} 2>/dev/null &
start_zoned
ok $? "the next one waits until it has gone"
status_is 0 "... and serves" zc run --rm host true
wait $holder 2>/dev/null
nothing_left
