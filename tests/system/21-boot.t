#!/usr/bin/env bash
# What the boot of the host starts, and what it does not; what it could not start is told.
. "$(dirname "$0")/lib.sh"
# A mount over boot_id would keep zones from mounting their /proc: so the boot that RUN/boot names becomes an earlier one.
earlier() { sed -i 's/"boot": *"[^"]*"/"boot":"earlier"/' "$ROOT/run/boot"; }
shut_down() { "$BIN/zoned" --root "$ROOT" --shutdown && wait "$zoned_pid"; }
host_boots() {
    shut_down
    start_zoned
}
power_fails() { # nothing is told; what ran is gone
    local pids=$(zc list -o json | jq -r '.[] | .pid | select(. != null)')
    kill9_zoned
    for p in $(pgrep -f "zone-sup --server $ROOT") $pids; do kill -9 "$p" 2>/dev/null; done
    for p in $pids; do ended "$p"; done
    earlier
    start_zoned
}
events() { zc events -o json | jq -r "select(.zone == \"$1\") | [.event, .reason] | join(\" \")"; }
doctor_says() { zc doctor -o json | jq -r '.[] | select(.ok | not) | "\(.check): \(.problem)"'; }
begin

# ---- a shutdown that fails: another zoned's, which takes its 20 s while the rest of this test runs ----
theirs=$T/stuck
mkdir -p "$theirs/etc/zones"
they() { ZONED_SOCKET=$theirs/run/zoned.sock ROOT=$theirs "$@"; }
(
    umask 077
    for z in stuck ill waits; do
        printf 'version: 1\nzone: %s\nimage: host\nautoboot: true\nprocess: {args: [sleep, "1000"]}\n' $z >"$theirs/etc/zones/$z.yaml"
    done
    echo 'health: {exec: ["false"], interval: 100ms, retries: 1}' >>"$theirs/etc/zones/ill.yaml"
    echo 'depends: [ill]' >>"$theirs/etc/zones/waits.yaml"
)
"$BIN/zoned" --root "$theirs" >>"$T/zoned.log" 2>&1 & their_pid=$!
until_ok they eval '[ "$(state stuck 2>/dev/null)" = running ] && field waits .error | grep -q unhealthy'
stuck=$(they sup_of stuck)
kill -STOP "$stuck"
curl -s -m 60 --unix-socket "$theirs/run/zoned.sock" -d '{"timeout_ms": 0}' http://x/v1/shutdown >"$T/shutdown" & their_shutdown=$!

# ---- once a boot, and only what was there ----
zc create first --image host --autoboot -- sleep 1000
is "$(state first)" installed "create --autoboot starts nothing"
host_boots
eventually running state first >/dev/null; is "$(state first)" running "the boot starts what has autoboot"
zc create job --image host --autoboot -- sh -c 'date +%N'
sleep 0.5
is "$(state job) $(zc logs job | wc -l)" "installed 0" "... and create --autoboot starts nothing after it either"
host_boots
eventually running state first >/dev/null
job_ran() { [ "$(zc logs job | wc -l)" = "$1" ] && [ "$(state job)" = installed ]; }
until_ok job_ran 1; ok $? "the next boot starts a job, which ends"
zc create later --image host --autoboot -- sleep 1000
zc create other --image host -- sleep 1000
zc set other autoboot=true >/dev/null
zc run --rm host true # an event
sleep 0.5
is "$(state later) $(state other)" "installed installed" "what gets autoboot after it is not started"
pid=$(field first .pid)
zc stop -t 0 later other >/dev/null
for how in stop_zoned kill9_zoned stop_zoned; do
    $how
    start_zoned
    zc run --rm host true
done
sleep 0.5
is "$(state later) $(state other) $(field first .pid)" "installed installed $pid" "zoned that is started again is no boot"
is "$(zc logs job | wc -l)" 1 "... and the job does not run again"
stop_zoned
rm -f "$ROOT/run/boot"
start_zoned
sleep 0.5
is "$(state later) $(state first)" "installed running" "... nor the first that keeps account of boots, after one that did not: zones run"
zc create keeps --image host --autoboot --restart unless-stopped -- sleep 1000
zc start later keeps && zc stop -t 0 later keeps >/dev/null
power_fails
eventually running state later >/dev/null
eventually running state first >/dev/null; is "$(state first)" running "the power failed: what ran starts"
[ "$(field first .pid)" != "$pid" ]; ok $? "... anew"
is "$(state later)" running "after a boot autoboot alone decides, also of what an operator had stopped"
is "$(state keeps)" installed "... unless-stopped remembers that"
until_ok job_ran 2; ok $? "... and the job runs once more"
zc delete --force first later other keeps job >/dev/null

# ---- zoned dies in the midst ----
zc create slow --image host --autoboot --set 'health={exec: [test, -e, /root/well], interval: 100ms, retries: 1000}' -- sleep 1000
zc create waits --image host --autoboot --depends slow -- sleep 1000
host_boots
eventually running state slow >/dev/null
kill9_zoned
start_zoned
zc create new --image host --autoboot -- sleep 1000
zc exec slow -- touch /root/well
eventually running state waits >/dev/null; is "$(state waits)" running "a boot that is cut off by a kill of zoned goes on"
is "$(state new)" installed "... with what it had, and nothing else"
zc exec slow -- rm /root/well
zc delete --force new >/dev/null
host_boots
eventually running state slow >/dev/null
zc create deaf --image host -- sh -c 'trap "" TERM INT; while :; do sleep 1; done'
zc set deaf process.stop_timeout=1h >/dev/null
zc start deaf >/dev/null
"$BIN/zoned" --root "$ROOT" --shutdown >/dev/null 2>&1 & down=$!
eventually installed state slow >/dev/null
kill9_zoned
wait $down
start_zoned
tries=50 until_ok eval 'field waits .error | grep -q slow'
is "$(state slow) $(field waits .error)" "installed zone slow, which it depends on, does not run" \
    "a shutdown that a kill of zoned cut short: the boot goes on, and is no new one"
zc delete --force slow waits deaf >/dev/null

# ---- what the boot does not start ----
zc create big --image host --autoboot --depends gone --set depends= -- sleep 1000
zc create leans --image host --autoboot --depends big -- sleep 1000
zc create also --image host --autoboot --depends leans -- sleep 1000
zc create ill --image host --autoboot --set 'health={exec: ["false"], interval: 100ms, retries: 1}' -- sleep 1000
zc create nurse --image host --autoboot --depends ill -- sleep 1000
zc create cat --image host --autoboot --depends dog -- sleep 1000
zc create dog --image host --autoboot --depends cat -- sleep 1000
zc create free --image host --autoboot -- sleep 1000
shut_down
printf 'cpu: {cap: 800}\n' >>"$ROOT/etc/zones/big.yaml"
start_zoned
eventually running state free >/dev/null; is "$(state free)" running "what depends on nobody starts"
tries=50 until_ok eval 'field nurse .error | grep -q ill'
line=$(grep -n '^cpu' "$ROOT/etc/zones/big.yaml" | cut -d: -f1)
like "$(field big .error)" "^$ROOT/etc/zones/big.yaml:$line: cpu.cap: " "a zone that the host cannot take: its error names file, line and key"
like "$(events big)" "^start-refused $ROOT/etc/zones/big.yaml:$line: cpu.cap" "... an event does"
like "$(grep -c "zone big does not start: $ROOT/etc/zones/big.yaml:$line: cpu.cap" "$T/zoned.log")" '^1$' "... the log does, once"
like "$(doctor_says)" "zone big .*big.yaml:$line: cpu.cap" "... and doctor"
like "$(field leans .error)" "zone big, " "who depends on it is told whom it lacks"
like "$(field also .error)" "zone leans, " "... and who depends on that one"
like "$(events also)" "^start-refused .*leans" "... by an event, too"
like "$(doctor_says)" "zone also .*leans" "... and doctor"
like "$(field cat .error) $(field dog .error)" "each other.*each other" "zones that wait for each other are told so"
like "$(field nurse .error)" "waits for zone ill, which is unhealthy" "who waits for an unhealthy zone says so"
like "$(events nurse)" "^start-waits .*ill" "... by an event, too"
is "$(grep -c "zone nurse waits" "$T/zoned.log")" 1 "... and once in the log"
like "$(doctor_says)" "zone nurse .*ill" "... and doctor"
zc create x --image host --autoboot -- sleep 1000
sleep 0.5
is "$(state x)" installed "while one waits nothing else is started"
kill9_zoned
start_zoned
like "$(field big .error)" "cpu.cap" "a zoned that is killed and started again knows what was refused"
like "$(doctor_says)" "zone also .*leans" "... and doctor"
sed -i 's/^cpu: .*//' "$ROOT/etc/zones/big.yaml"
status_is 0 "what is mended starts" zc start big
is "$(field big .error)" null "... and has no error"
zc set ill 'health.exec=["true"]' >/dev/null
zc restart -t 0 ill >/dev/null
eventually running state nurse >/dev/null; is "$(state nurse) $(field nurse .error)" "running null" "who waits starts when the other is well"
zc start leans && zc start also && zc set cat autoboot=false >/dev/null && zc delete dog >/dev/null
zc stop -t 0 big leans also >/dev/null
is "$(doctor_says | grep zone | grep -v 'zone cat')" "" "doctor has nothing left to say of what was started since"
zc delete --force $(zc list -q) >/dev/null

# ---- what is less than it was on the old host ----
zc create away --image host --autoboot -p 203.0.113.9:7409:80 -- sleep 1000
host_boots
eventually running state away >/dev/null; is "$(state away)" running "a port on an address that this host does not have: the zone starts"
says="network.0..ports: this host has no address 203.0.113.9 now"
like "$(events away)" "^start-remark $says" "... an event says it"
like "$(cat "$T/zoned.log")" "zone away: $says" "... the log does"
like "$(doctor_says)" "zone away: $says" "... and doctor"
zc delete --force away >/dev/null

# ---- the shutdown that fails ----
wait $their_shutdown
is "$(jq -r '.error | .kind + " " + .message' "$T/shutdown")" "busy zones do not come down: stuck" "a supervisor is stopped: shutdown says which zone stays"
tries=50 until_ok they eval 'field waits .error | grep -q "not run"'
is "$(they field waits .error)" "zone ill, which it depends on, does not run" "... and the boot goes on, with what it left"
kill -CONT "$stuck"
is "$(they eventually installed state stuck)" installed "... the zone comes down when it can"
status_is 0 "... zones start again" they zc start waits
status_is 0 "... and the next shutdown ends" "$BIN/zoned" --root "$theirs" --shutdown
wait "$their_pid"
nothing_left
finish
