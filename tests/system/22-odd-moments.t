#!/usr/bin/env bash
# What comes at an odd moment: clients that vanish, supervisors that are busy, die while they wait or while a zone is paused,
# a shutdown during a start, a spec that broke while zoned was away.
. "$(dirname "$0")/lib.sh"
begin
in_zone() { zc exec "$1" -- sh -c "cat /proc/[0-9]*/comm" | grep -cx "$2"; }

zc create a --image host -- sleep 1000
zc start a >/dev/null
sup=$(sup_of a)
"$BIN/zonectl" exec -i a -- sleep 77 </dev/zero & client=$!
eventually 2 in_zone a sleep >/dev/null
sleep 0.5
kill -9 $client
wait $client 2>/dev/null
sleep 1.5 # a second after the start it closes its sockets of the network
is "$(strace -f -qq -e trace=poll -p "$sup" 2>&1 & s=$!; sleep 1; kill $s; wait $s 2>/dev/null)" "" \
    "a client that vanished while its program reads nothing: the supervisor sleeps"
zc exec a -- pkill sleep -x -n
mkfifo "$T/keys"
script -qc "$BIN/zonectl exec -it a -- yes over-and-over" /dev/null <>"$T/keys" >/dev/null & client=$!
is "$(eventually 1 in_zone a yes)" 1 "a program on a terminal that writes without end"
kill -9 "$(pgrep -f "^$BIN/zonectl exec -it a")" $client
wait $client 2>/dev/null
is "$(eventually 0 in_zone a yes)" 0 "... hangs up with its terminal"

# The group's freezer, cgroup2's or v1's, as a foreigner uses it: freezer ZONE 1|0
freezer() {
    local g
    for g in /sys/fs/cgroup/unified /sys/fs/cgroup; do
        [ -e "$g/$inst.slice/$1/cgroup.freeze" ] && { echo "$2" >"$g/$inst.slice/$1/cgroup.freeze"; return; }
    done
    [ "$2" = 1 ] && echo FROZEN >"/sys/fs/cgroup/freezer/$inst.slice/$1/freezer.state" || echo THAWED >"/sys/fs/cgroup/freezer/$inst.slice/$1/freezer.state"
}
zc create ice --image host -- sleep 1000
zc start ice >/dev/null
freezer ice 1
for _ in 1 2 3; do "$BIN/zonectl" exec ice -- echo hi >>"$T/ice" 2>&1 & waiting="${waiting:-} $!"; done
sleep 0.5
status_is 0 "a zone that somebody froze, and programs that wait to enter it: set is done" timeout 5 "$BIN/zonectl" set ice cpu.shares=50
freezer ice 0
wait $waiting
is "$(sort "$T/ice" | uniq -c | tr -s ' ')" " 3 hi" "... thawed, they run"
freezer ice 1
status_is 0 "... frozen again, resume" timeout 20 "$BIN/zonectl" resume ice
is "$out" "zone ice was frozen by somebody else: it is thawed again" "... says what it found"
is "$(timeout 5 "$BIN/zonectl" exec ice -- echo hi)" hi "... and thaws it"
like "$(zc resume ice 2>&1)" "zone ice is already running" "... the next one finds nothing to do"
install -D "$(command -v busybox)" "$T/img/busybox"
zc create frost --image "dir:$T/img" -- /busybox sleep 1000
zc start frost
kill -STOP "$(sup_of frost)"
"$BIN/zonectl" commit frost frozen:1 >"$T/copy" 2>&1 & copy=$!
sleep 0.5
freezer frost 1
status_is 6 "a zone that somebody else freezes while a copy of it begins: resume" timeout 5 "$BIN/zonectl" resume frost
like "$out" "a copy is under way" "... is refused, for the copy wants it still"
kill -CONT "$(sup_of frost)"
wait $copy; ok $? "... the copy is made" "$(cat "$T/copy")"
freezer frost 0
is "$(eventually running state frost)" running "... and it runs"
zc delete --force frost >/dev/null
zc pause ice >/dev/null
freezer ice 0
like "$(zc pause ice 2>&1)" "zone ice was thawed by somebody else: it is paused again" "a paused zone that somebody thawed: pause"
zc resume ice
freezer ice 1
{ timeout -s KILL 1 "$BIN/zonectl" exec ice -- touch /late; } >/dev/null 2>&1
"$BIN/zonectl" exec ice -- true >/dev/null 2>&1 & waiting=$!
sleep 0.3
status_is 0 "... frozen, it stops" timeout 10 "$BIN/zonectl" stop -t 1 ice
wait $waiting
is "$(state ice)" installed "... whole"
zc start ice >/dev/null
is "$(zc exec ice -- ls /late 2>/dev/null)" "" "who went before he was let in has left nothing there"
zc delete --force ice >/dev/null
zc create still --image host -- python3 -c '
import os, signal
while True:
    try: os.kill(-1, signal.SIGSTOP)
    except OSError: pass'
zc start still >/dev/null
for _ in $(seq 15); do { timeout -s KILL 0.3 "$BIN/zonectl" exec still -- true; } 2>/dev/null; done
status_is 0 "a zone that stops what enters it: set is done" timeout 5 "$BIN/zonectl" set still cpu.shares=50
status_is 0 "... and stop" timeout 10 "$BIN/zonectl" stop -t 1 still
zc delete --force still >/dev/null

# A zoned counts its requests from the first: what the one before asked is answered late, while the same numbers wait for answers.
zc create late --image host -- sleep 1000
zc start late >/dev/null
kill9_zoned
start_zoned
sups_are() { [ "$(sups sup:late | wc -l)" = "$1" ]; } # it, and those that are about to enter its zone
freezer late 1
for i in 1 2 3 4 5 6; do "$BIN/zonectl" exec -d late -- /no/such/program >/dev/null 2>&1 & done
until_ok sups_are 7
kill9_zoned
start_zoned
copies=
for i in 1 2 3 4 5 6; do "$BIN/zonectl" cp late:/etc/hostname - >"$T/late.$i" 2>>"$T/late.err" & copies="$copies $!"; done
until_ok sups_are 13
freezer late 0
wait $copies
is "$(for i in 1 2 3 4 5 6; do tar -xOf "$T/late.$i" 2>&1; done | sort | uniq -c | tr -s ' ')" " 6 late" \
    "what a zoned had asked before it was killed is no answer to the next one" "$(cat "$T/late.err")"
zc delete --force late >/dev/null

ls -l "/proc/$zoned_pid/fd" | grep -q "/zones/a/lock"
is $? 1 "the lock of a running zone is its supervisor's alone: no worker of zoned can keep it"

zc pause a >/dev/null
kill -9 "$sup"
sleep 0.5
is "$(eventually paused state a)" paused "the supervisor of a paused zone is killed: it is still paused"
status_is 0 "... resume" zc resume a
is "$(zc exec a -- echo hi)" hi "... and it runs on"

sup=$(sup_of a)
kill -STOP "$sup"
kill9_zoned
start_zoned
ok $? "zoned starts while a supervisor is busy"
status_is 0 "... start of its zone is no second one" zc start a
kill -CONT "$sup"
is "$(eventually running state a)" running "... and it is adopted when it answers"
is "$(zc exec a -- echo hi)" hi "... whole"
zc delete --force a >/dev/null

# A supervisor that is stopped: whoever asks is told, and all is as the spec says when it goes on.
zc create a --image host -- sleep 1000
zc start a >/dev/null
sup=$(sup_of a)
kill -STOP "$sup"
timeout 60 "$BIN/zonectl" set a tasks=321 labels.x=y >"$T/set.out" 2>&1 & set=$!
timeout 60 "$BIN/zonectl" pause a >"$T/pause.out" 2>&1 & pause=$!
wait $set
is "$? $(grep -c 'set a: zone a: its supervisor does not answer; when it does' "$T/set.out")" "6 1" "a supervisor is stopped: set says so" "$(cat "$T/set.out")"
wait $pause
is "$? $(grep -c 'pause a: zone a: its supervisor does not answer' "$T/pause.out")" "6 1" "... pause, too"
status_is 6 "... and the next set at once" timeout 5 "$BIN/zonectl" set a tasks=322
like "$out" "its supervisor does not answer, and has not for the change before" "... with the reason"
status_is 0 "zoned serves others" timeout 5 "$BIN/zonectl" list
kill -CONT "$sup"
is "$(eventually paused state a)" paused "it goes on: the zone is paused"
zc resume a >/dev/null
pids=$(ls -d /sys/fs/cgroup/*/"$inst.slice/a/pids.max" "/sys/fs/cgroup/$inst.slice/a/pids.max" 2>/dev/null | head -1)
is "$(eventually 321 cat "$pids") $(field a .spec.tasks)" "321 321" "... and the change is made, and is in the spec"
status_is 0 "... another one is taken" zc set a tasks=323
is "$(cat "$pids") $(field a .drifted)" "323 false" "... and made"
kill -STOP "$sup" # what it is asked fills the room for messages
long=$(head -c 90000 /dev/zero | tr '\0' x)
refused_at_once() { timeout 3 "$BIN/zonectl" exec -d a -- true "$long" >"$T/exec.out" 2>&1; [ $? != 124 ]; }
tries=10 until_ok refused_at_once; ok $? "a supervisor that cannot even be asked" "$(cat "$T/exec.out")"
status_is 6 "... a forced delete is refused" timeout 10 "$BIN/zonectl" delete --force a
is "$(timeout 10 "$BIN/zonectl" list -q)" a "... zoned serves others"
kill -CONT "$sup"
until_ok timeout 30 "$BIN/zonectl" delete --force a 2>/dev/null; ok $? "... and done when it has read what it was told"
zc create a --image host -- sleep 1000
spare=$(sups zone-sup | tail -1)
kill -STOP "$spare"
status_is 6 "start -t gives up waiting" timeout 20 "$BIN/zonectl" start -t 1 a
like "$out" "zone a does not run after 1 s \(ready\); its start goes on" "... says so"
kill -CONT "$spare"
is "$(eventually running state a)" running "... and it does"
status_is 0 "a start that is in time" zc start -t 20 a
zc delete --force a >/dev/null

zc create r --image host --restart always --set restart.backoff=5s -- sh -c 'sleep 0.1; exit 3'
zc start r >/dev/null
eventually ready state r >/dev/null
kill -9 "$(sup_of r)"
sleep 0.5
is "$(eventually ready state r)" ready "a supervisor that dies between two starts: the restart policy goes on"
is "$(zc show r -o json | jq -c '.restarts >= 1 and .exit_status == 3')" true "... and counts on"
n1=$(field r .restarts)
tries=300 until_ok eval '[ "$(field r .restarts)" -gt "$n1" ]'
[ "$(field r .restarts)" -gt "$n1" ]
ok $? "... and starts it"
zc delete --force r >/dev/null

zc create w --image host --restart always --set restart.backoff=100ms -- sleep 1000
zc start w
sup=$(sup_of w) pid=$(field w .pid)
printf x >"/proc/$pid/fd/4" # what PID 1 says at its end, and zone-init's root could say falsely
until_ok eval '[ -z "$(ls /proc/$pid/root/sys/class/net | grep eth0)" ]'
is "$(state w)" running "a zone whose PID 1 says that it ends, and does not, runs on without its link"
zc set w 'network[0].rate_in=10M' >/dev/null 2>&1 # whatever comes of it
sleep 1.5
kill -9 "$pid"
eventually "running true" field w '"\(.state) \(.restarts > 0)"' >/dev/null
is "$(sup_of w) $(state w)" "$sup running" "... and is started again by the same supervisor when it does"
zc exec w -- busybox ip addr show eth0 | grep -q "inet $(addr w)/"; ok $? "... with its link"
zc delete --force w >/dev/null

zc run -d --rm --name once host -- sleep 1000 >/dev/null
status_is 0 "restart of a one-off zone" zc restart once
is "$(zc exec once -- echo hi)" hi "... it runs"
zc stop -t 0 once >/dev/null
is "$(zc list -q)" "" "... and is gone after its stop"

zc create l --image host -- sh -c 'yes 0123456789012345678901234567890123456789 | head -c 3000000; echo END; exec sleep 1000'
zc start l >/dev/null
eventually END "$BIN/zonectl" logs -n 1 l >/dev/null
is "$(timeout 10 "$BIN/zonectl" logs -f l | grep -m1 -c END)" 1 "logs -f of a log larger than a stream's queue"
zc delete --force l >/dev/null

zc create b --image host -- sleep 1000
zc create busy --image host --autoboot -p 127.0.0.1:18099:80 -- sleep 1000
echo "nonsense: 1" >>"$ROOT/etc/zones/b.yaml"
python3 -m http.server --bind 127.0.0.1 18099 >/dev/null 2>&1 & web=$!
until_ok curl -s -o /dev/null http://127.0.0.1:18099/
"$BIN/zoned" --root "$ROOT" --shutdown
wait "$zoned_pid"
start_zoned
like "$(field busy .error)" "18099" "an autoboot that is refused is told by the zone"
like "$(grep -c 'busy does not start' "$T/zoned.log")" '^1$' "... and once by the log"
kill $web
status_is 7 "clone of a zone whose spec broke" zc clone b c
status_is 0 "... and zoned lives" zc list
zc delete b busy >/dev/null
nothing_left

# the file of a pool breaks or goes while zones run in it: they keep what they were given
zc pool create batch cpu.cap=0.5 >/dev/null
zc create p --set cpu.pool=batch --image host -- sleep 1000
zc start p >/dev/null
quota() { cat "/sys/fs/cgroup/cpu/$inst.slice/batch.pool/cpu.cfs_quota_us" 2>/dev/null || cut -d' ' -f1 "/sys/fs/cgroup/$inst.slice/batch.pool/cpu.max"; }
cp "$ROOT/etc/pools/batch.yaml" "$T/batch.yaml"
had=$(quota)
for damage in 'echo "x: [" >' 'rm'; do
    kill9_zoned
    eval "$damage $ROOT/etc/pools/batch.yaml"
    start_zoned
    is "$(quota) $(zc pool show batch -o json | jq .spec.cpu.cap)" "$had 0.5" "$damage a pool's file while zoned is away: its zones keep their cap"
done
like "$(zc doctor)" "pool batch has no file .*/etc/pools/batch.yaml" "... doctor says which file is missing"
cp "$T/batch.yaml" "$ROOT/etc/pools/batch.yaml"
zc pool set batch cpu.cap=0.25 >/dev/null
kill9_zoned
rm "$ROOT/etc/pools/batch.yaml"
start_zoned
is "$(quota)" $((had / 2)) "... the cap that was set while it ran"
cp "$T/batch.yaml" "$ROOT/etc/pools/batch.yaml"
kill9_zoned
start_zoned
is "$(quota)" "$had" "... the file is there again: its cap"
zc delete --force p >/dev/null
zc pool delete batch

# what was chosen for a network cannot be read: which file it is, is said
zc network create app >/dev/null
kill9_zoned
cp "$ROOT/lib/networks/app.json" "$T/app.json"
echo '{"trunc' >"$ROOT/lib/networks/app.json"
start_zoned
like "$(cat "$T/zoned.log")" "lib/networks/app.json: JSON" "a network's damaged state: the log names the file"
kill9_zoned
cp "$T/app.json" "$ROOT/lib/networks/app.json"
start_zoned
zc network delete app
nothing_left

zc create w --image host -- sleep 1000
status_is 6 "a wait of no time says so at once" timeout 10 "$BIN/zonectl" wait w --for running -t 0
zc wait w --for running >"$T/wait.out" 2>&1 & wait_pid=$!
sleep 0.3
zc delete w
ended $wait_pid
kill $wait_pid 2>/dev/null
wait $wait_pid
is $? 3 "a wait for a zone that is deleted ends"

# each call that a rename changes something with is the last of a zoned; the zone's files stay those of one zone
for at in renameat:1 renameat2:1 renameat2:2 unlink:1; do
    zc create m --image host -- sleep 1000
    zc start m >/dev/null
    zc exec m -- touch /root/mine
    zc stop -t 0 m >/dev/null
    strace -qq -p "$zoned_pid" -o /dev/null -e inject="${at%:*}":signal=KILL:when="${at#*:}" 2>/dev/null & tracer=$!
    until_ok grep -q "TracerPid:.[1-9]" "/proc/$zoned_pid/status"
    zc rename m n >/dev/null 2>&1
    kill $tracer 2>/dev/null
    wait $tracer 2>/dev/null
    kill9_zoned
    start_zoned
    has=""
    for z in $(zc list -q); do
        zc start "$z" >/dev/null && zc exec "$z" -- test -e /root/mine && has="$has$z"
        zc delete --force "$z" >/dev/null
    done
    like "$has" "^[mn]$" "zoned dies in a rename at its $at: the files are one zone's"
done
nothing_left "... and nothing is left"

# zoned dies while it takes a network away, or makes it: the next one undoes what is half there
cut_off() { # cut_off CALL COMMAND…: zoned is killed at that call
    local at=$1
    shift
    strace -qq -p "$zoned_pid" -o /dev/null -e inject="${at%:*}":signal=KILL:when="${at#*:}" 2>/dev/null & tracer=$!
    until_ok grep -q "TracerPid:.[1-9]" "/proc/$zoned_pid/status"
    "$@" >/dev/null 2>&1
    kill $tracer 2>/dev/null
    wait $tracer 2>/dev/null
    kill9_zoned
    start_zoned
}
names_of() { echo "$(ls "$ROOT/run/names" | xargs) $(pgrep -x dnsmasq | while read -r p; do readlink "/proc/$p/ns/net"; done | grep -cx "$(readlink /proc/self/ns/net)")"; }
names=$(names_of)
for at in sendmsg:2 sendmsg:3 sendmsg:4 sendmsg:5 unlink:1 unlinkat:1; do
    zc network create cut >/dev/null
    zc run --rm --network cut host true
    cut_off $at zc network delete cut
    [ ! -e "$ROOT/etc/networks/cut.yaml" ] || zc network delete cut >/dev/null
    nothing_left "zoned dies in the delete of a network at its $at: nothing is left"
    is "$(eventually "$names" names_of)" "$names" "... nor of its names"
done
for at in sendmsg:2 sendmsg:3 sendmsg:4 sendmsg:5 sendmsg:6; do
    zc network create cut >/dev/null
    zc create m --network cut --image host -- sleep 1000
    cut_off $at zc start m
    zc delete --force m >/dev/null
    zc network delete cut >/dev/null
    nothing_left "zoned dies in the first start on a network at its $at: nothing is left"
    is "$(eventually "$names" names_of)" "$names" "... nor of its names"
done

# a root with a space in its name: its claim of ids is its own, also when it is dead
mkdir "$T/a b"
"$BIN/zoned" --root "$T/a b" >>"$T/zoned.log" 2>&1 & other=$!
until_ok [ -S "$T/a b/run/zoned.sock" ]
ZONED_SOCKET="$T/a b/run/zoned.sock" zc run -d --rm --name ids host sleep 1000 >/dev/null
theirs=$(awk '{ print $2 }' "/proc/$(ZONED_SOCKET="$T/a b/run/zoned.sock" field ids .pid)/uid_map")
kill -9 $other
wait $other 2>/dev/null
mkdir "$T/c"
"$BIN/zoned" --root "$T/c" >>"$T/zoned.log" 2>&1 & third=$!
until_ok [ -S "$T/c/run/zoned.sock" ]
ZONED_SOCKET=$T/c/run/zoned.sock zc run -d --rm --name ids host sleep 1001 >/dev/null
ours=$(awk '{ print $2 }' "/proc/$(ZONED_SOCKET=$T/c/run/zoned.sock field ids .pid)/uid_map")
[ -n "$theirs" ] && [ -n "$ours" ] && [ "$theirs" != "$ours" ]
ok $? "ids of a zone whose daemon is dead are not given again ($theirs, $ours)"
status_is 0 "a shutdown with a one-off zone ends" timeout 60 "$BIN/zoned" --root "$T/c" --shutdown
kill $third 2>/dev/null
wait $third
"$BIN/zoned" --root "$T/a b" >>"$T/zoned.log" 2>&1 & other=$!
ZONED_SOCKET="$T/a b/run/zoned.sock" until_ok zc list >/dev/null 2>&1
timeout 60 "$BIN/zoned" --root "$T/a b" --shutdown
kill $other 2>/dev/null
wait $other
is "$(pgrep -f "zone-sup --server $T/(a b|c)")" "" "... both are gone"

zc create deaf --image host -- sh -c 'trap "" TERM INT; while :; do sleep 1; done'
zc set deaf process.stop_timeout=1h >/dev/null
for verb in true restart; do
    zc start deaf >/dev/null
    timeout 60 "$BIN/zonectl" "$verb" deaf >/dev/null 2>&1 & verb_pid=$!
    [ $verb = true ] || eventually shutting-down state deaf >/dev/null
    is "$(curl -s -o /dev/null -w '%{http_code}' -m 60 --unix-socket "$ZONED_SOCKET" -d '{"timeout_ms": 1000}' http://x/v1/shutdown)" 200 "a shutdown with a time kills who does not stop in it ($verb)"
    wait "$verb_pid"
    wait "$zoned_pid"
    start_zoned
done
zc delete deaf

zc create s --image host -- sleep 1000
spare=$(sups zone-sup | tail -1)
kill -STOP "$spare"
zc start s >/dev/null 2>&1 &
eventually ready state s >/dev/null
timeout 20 "$BIN/zoned" --root "$ROOT" --shutdown & down=$!
sleep 0.5
kill -CONT "$spare"
wait $down
is $? 0 "a shutdown during a start ends"
wait "$zoned_pid"
is "$(pgrep -f "zone-sup --server $ROOT")" "" "... with all zones stopped"
zoned_pid=
