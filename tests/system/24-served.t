#!/usr/bin/env bash
# Others are served meanwhile: large logs, clients that do not read, doctor, a change of image; followers end with their zone;
# nothing starts while zoned shuts down; zoned's own folders are given to no zone; what a viewer is not told.
. "$(dirname "$0")/lib.sh"
begin
get() { curl -s --unix-socket "$ZONED_SOCKET" "http://x$1"; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$zoned_pid/status"; }

# ---- a log of 28 MB
zc create l --image host -- sleep 1000
mkdir -p "$ROOT/lib/zones/l/log"
python3 - "$ROOT/lib/zones/l/log" <<'P'
import sys
n = 0
for name in ("console.log.2", "console.log.1", "console.log"):
    with open(sys.argv[1] + "/" + name, "w") as f:
        while f.tell() < 9500000:
            f.write("2026-01-01T00:00:00.000000Z stdout F line %d %s\n" % (n, "x" * 60))
            n += 1
P
want=$(cat "$ROOT/lib/zones/l/log/"console.log* | wc -l)
is "$(zc logs l | wc -l)" "$want" "a log of 28 MB comes whole ($want lines)"
is "$(zc logs l | awk '$2 != NR - 1 { n++ } END { print n + 0 }')" 0 "... in order"
is "$(zc logs -n 100000 l | sed -n '1p;$p' | cut -d' ' -f2 | xargs)" "$((want - 100000)) $((want - 1))" "... its last 100,000 lines"
is "$(zc logs -n 3 l | cut -d' ' -f2 | xargs)" "$((want - 3)) $((want - 2)) $((want - 1))" "... its last lines"
is "$(zc logs --since 2026-02-01 l | wc -l)" 0 "... none of it is that young"
r0=$(rss)
mkfifo "$T/slow"
slow=
for _ in 1 2 3 4; do
    get /v1/zones/l/logs >"$T/slow" & slow="$slow $!"
done
exec 8<"$T/slow"
sleep 0.3
timeout 5 "$BIN/zonectl" list -q >"$T/list"
is $? 0 "clients that do not read: others are answered"
strace -qq -e trace=pread64,epoll_wait,epoll_pwait,epoll_pwait2 -o "$T/trace" -p "$zoned_pid" & tracer=$!
until_ok grep -q "TracerPid:.[1-9]" "/proc/$zoned_pid/status"
get /v1/zones/l/logs | wc -c >"$T/bytes"
kill $tracer 2>/dev/null
wait $tracer 2>/dev/null
most=$(awk '/^pread64/ { sum += $NF } /^epoll/ { if (sum > most) most = sum; sum = 0 } END { print most + 0 }' "$T/trace")
[ "$most" -gt 0 ] && [ "$most" -lt 1000000 ]
ok $? "the log is read in pieces, and others have their turn between two ($most bytes at most, of $(cat "$T/bytes"))"
[ "$(rss)" -lt $((r0 + 8192)) ]
ok $? "... and zoned does not grow by what is not read ($r0 kB, $(rss) kB)"
exec 8<&-
kill $slow 2>/dev/null
wait $slow 2>/dev/null
zc delete l

# ---- followers
zc create f --image host -- sh -c 'i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.05; done'
zc start f >/dev/null
zc logs -f f >"$T/follow" & one=$!
zc logs -f -n 1 f >"$T/follow1" & two=$!
sleep 0.5
zc stop -t 0 f >/dev/null
ended $one && ended $two
ok $? "logs -f ends when the zone has stopped"
is "$(tail -1 "$T/follow")" "$(zc logs -n 1 f)" "... with its last line"
is "$(tail -1 "$T/follow1")" "$(zc logs -n 1 f)" "... the other too"
status_is 0 "logs -f of a zone that is down ends at once" timeout 10 "$BIN/zonectl" logs -f f
zc start f >/dev/null
zc logs -f f >/dev/null & one=$!
sleep 0.3
zc delete --force f
ended $one
ok $? "logs -f ends when the zone is deleted"
zc create r --image host --restart always --set restart.backoff=100ms -- sh -c 'echo again; sleep 0.3; exit 1'
zc start r >/dev/null
timeout 20 "$BIN/zonectl" logs -f r | grep -m4 -c again >"$T/again"
is "$(cat "$T/again")" 4 "logs -f goes on over restarts by policy"
zc delete --force r
# a client that stops reading while the zone writes without end: bounded, and told what it missed
zc create y --image host -- sh -c 'yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 22000000; echo; echo END; exec sleep 1000'
r0=$(rss)
mkfifo "$T/stuck"
zc start y >/dev/null
get "/v1/zones/y/logs?follow=1" >"$T/stuck" & one=$!
exec 9<"$T/stuck"
wrote() { tail -c 200 "$ROOT/lib/zones/y/log/console.log" | grep -q ' END$'; }
tries=300 until_ok wrote
is "$(zc logs -n 1 y)" END "a zone has written 37 MB of log"
[ "$(rss)" -lt $((r0 + 8192)) ]
ok $? "a follower that does not read while a zone writes 22 MB: zoned does not grow ($r0 kB, $(rss) kB)"
is "$(timeout 60 grep -m1 -c 'zoned: lines are missing here' <&9)" 1 "... and is told that lines are missing"
exec 9<&-
zc delete --force y
kill $one 2>/dev/null
wait $one 2>/dev/null

# ---- doctor and a change of image
mkdir "$T/small" && tar -cf "$T/small.tar" -C /usr/share/misc .
zc create i --image host -- sleep 1000
zc start i >/dev/null
status_is 0 "set of another image and a live key of a running zone" zc set i "image=tar:$T/small.tar" cpu.shares=50
is "$(ls "$ROOT/lib/layers" | grep -c '^tar')" 0 "... unpacks nothing in zoned's loop"
is "$(zc show i -o json | jq -c '[.pending, .division.shares]')" '[true,50]' "... the one is pending, the other is live"
zc delete --force i
is "$(zc doctor -o json | jq 'length > 3')" true "doctor answers"
strace -f -qq -e trace=clone,fork,vfork -o "$T/doctor" -p "$zoned_pid" & tracer=$!
until_ok grep -q "TracerPid:.[1-9]" "/proc/$zoned_pid/status"
zc doctor >/dev/null 2>&1
kill $tracer 2>/dev/null
wait $tracer 2>/dev/null
grep -q clone "$T/doctor"
ok $? "... from a process of its own"

# ---- zoned's own folders
ln -s "$ROOT/run" "$T/link"
for d in "$ROOT/run" "$ROOT/run/zoned.sock" "$ROOT/run/zones" "$ROOT/etc" "$ROOT/etc/zones" "$ROOT/lib" "$ROOT" "$T" "$T/link" /; do
    status_is 5 "a bind of ${d#"$T"/} is refused" zc create b --image host -v "$d:/mnt" -- sleep 1000
done
for d in run etc lib; do status_is 7 "$d as a root is refused" zc create b --image "dir:$ROOT/$d" -- sleep 1000; done
zc create b --image host -- sleep 1000
status_is 5 "... also of a spec that was written by hand" bash -c "printf 'filesystems: [{target: /mnt, bind: %s}]\n' '$ROOT/run' >>'$ROOT/etc/zones/b.yaml'; '$BIN/zonectl' start b"
zc clear b >/dev/null 2>&1
zc delete b
# ... nor those of another one on this machine, as long as it or a zone of it may live
mkdir -p "$T/innocent" "$T/other" && ln -s "$T/other/etc" "$T/sly"
other=("$BIN/zoned" --root "$T/other")
up() { ZONED_SOCKET=$T/other/run/zoned.sock zc list -q >/dev/null 2>&1; }
"${other[@]}" >>"$T/zoned.log" 2>&1 & theirs=$!
until_ok up
mkdir "$T/other/lib/volumes/v" && touch "$T/other/lib/volumes/v/file"
for d in other/run other/run/zoned.sock other/etc/zones other/lib other/lib/volumes/v/file sly other; do
    status_is 5 "a bind of another zoned's $d is refused" zc create b --image host -v "$T/$d:/mnt" -- sleep 1000
done
like "$out" "bind $T/other: overlaps $T/other/run, where a zoned keeps its own" "... says why"
for d in run etc lib/volumes/v; do status_is 7 "its $d as a root is refused" zc create b --image "dir:$T/other/$d" -- sleep 1000; done
status_is 0 "a folder beside it is given" zc create b --image host -v "$T/innocent:/mnt" -- sleep 1000
sed -i "s,$T/innocent,$T/other/etc," "$ROOT/etc/zones/b.yaml"
status_is 5 "a spec that was written by hand: refused" zc start b
zc clear b >/dev/null
mount --bind /run/zoned-uid-ranges /run/zoned-uid-ranges && mount -o remount,bind,ro /run/zoned-uid-ranges
status_is 5 "... also while nobody can ask who the others are" zc start b
umount /run/zoned-uid-ranges
like "$(cat "$T/zoned.log")" "folders of other daemons are as known before: /run/zoned-uid-ranges: Read-only" "... which the log tells"
kill -9 $theirs
wait $theirs 2>/dev/null
zc clear b >/dev/null
status_is 5 "... also when the other was killed" zc start b
"${other[@]}" >>"$T/zoned.log" 2>&1 & theirs=$!
until_ok up
timeout 60 "${other[@]}" --shutdown
wait $theirs
zc clear b >/dev/null
status_is 0 "when it has ended its folders are folders" zc start b
zc delete --force b
nothing_left

# ---- a viewer
groupadd -f zoned-viewer
setpriv --inh-caps +net_raw "$BIN/zoned" --root "$T/started" 2>/dev/null & p=$!
until_ok test -S "$T/started/run/zoned.sock"
is "$(awk '/^Cap(Inh|Amb)/ { print $2 }' "/proc/$p/status" | xargs)" "0000000000000000 0000000000000000" "what zoned is started with is not passed on to what it runs"
kill $p && wait $p
groupadd -f zoned-operator
kill9_zoned
start_zoned
chmod 755 "$T" "$ROOT" "$ROOT/run"
cp "$BIN/zonectl" "$T/zonectl"
as() { setpriv --reuid 4321 --regid 4321 --groups "$(getent group "$1" | cut -d: -f3)" "${@:2}"; }
zc create s --image host -e TOKEN=verysecret -e PLAIN=value -- sleep 1000
echo "# a comment: verysecret" >>"$ROOT/etc/zones/s.yaml"
for group in zoned-viewer zoned-operator; do
    is "$(as $group "$T/zonectl" show s -o json | jq -cS .spec.process.env)" '{"PLAIN":"(hidden)","TOKEN":"(hidden)"}' \
        "$group sees the names of a zone's environment"
    status_is 5 "... no export" as $group "$T/zonectl" export s
    is "$(for p in /v1/zones /v1/zones/s /v1/zones/s/spec /v1/zones/s/explain "/v1/zones/s/wait?for=stopped" /v1/events /v1/zones/s/diff /v1/zones/s/ps; do
        as $group curl -s --unix-socket "$ZONED_SOCKET" "http://x$p"; done | grep -c verysecret)" 0 "... its values nowhere"
done
is "$(as zoned-operator "$T/zonectl" start s >/dev/null; as zoned-operator curl -s --unix-socket "$ZONED_SOCKET" -X POST -d '{}' http://x/v1/zones/s/pause | grep -c verysecret)" 0 "nor in what an operator's verbs answer"
is "$(field s .spec.process.env.TOKEN)" verysecret "root sees them"
zc delete --force s
touch "$T/root/there"
for p in "$ROOT/there" "$ROOT/absent"; do
    printf 'zone: v\nimage: dir:%s\nprocess: {args: [a]}\n' "$p" | as zoned-viewer "$T/zonectl" verify -f - >"$T/verify" 2>&1
    echo $?
    cat "$T/verify"
done | sed 's/there//;s/absent//' | sort | uniq -u >"$T/differ"
is "$(cat "$T/differ")" "" "verify tells a viewer nothing of the host's files"

# ---- a shutdown that takes its time
zc create slow --image host --set process.stop_timeout=6s -- sh -c 'trap "" TERM; while :; do sleep 0.2; done'
zc create idle --image host -- sleep 1000
zc create again --image host -- sleep 1000
zc start slow again >/dev/null
"$BIN/zoned" --root "$ROOT" --shutdown & down=$!
eventually shutting_down state slow >/dev/null
status_is 6 "zoned shuts down: no start" zc start idle
like "$out" "shutting down" "... it says why"
status_is 125 "... no run" zc run --rm --name once host true
status_is 6 "... no restart" zc restart slow
status_is 6 "... no restart of what has stopped" zc restart again
is "$(zc list -q | xargs)" "again idle slow" "... list answers, and nothing was made"
wait $down
is $? 0 "... it ends"
wait "$zoned_pid"
zoned_pid=
