#!/usr/bin/env bash
# Roots from archives: two nginx zones of one bookworm layer under load while zoned dies, a trixie with its own systemd beside
# them. Filesystems, clone, cp, diff and image: host are in 61-files.t.
tars=$("$(dirname "$0")/images.sh" nginx trixie) || exit 1
. "$(dirname "$0")/lib.sh"
nginx=$(echo "$tars" | sed -n 1p) trixie=$(echo "$tars" | sed -n 2p)
booted() { out=$(zc exec tx -- systemctl is-system-running 2>&1); [ "$out" = running ] || [ "$out" = degraded ]; }
begin

# ---- one archive, two web servers on port 80 ----
for i in 1 2; do
    status_is 0 "create ng$i" zc create ng$i --image "tar:$nginx" -p 808$i:80 -- nginx -g 'daemon off;'
done
zc set ng2 cpu.set=0 >/dev/null
status_is 0 "start both at once" zc start ng1 ng2
is "$(zc df -o json | jq '[.[] | select(.what == "layers" and (.name | startswith("tar-")))] | length')" 1 "unpacked once"
layer=$(zc df -o json | jq '[.[] | select(.name | startswith("tar-")) | .bytes] | add')
own=$(zc df -o json | jq '[.[] | select(.what == "zones" and (.name | startswith("ng"))) | .bytes] | max')
[ "$own" -lt $((layer / 500)) ]
ok $? "the layer has $layer bytes, a zone's own changes at most $own"
disk=$(du -s --block-size=1 "$ROOT/lib" | cut -f1)
[ "$disk" -lt $((layer * 11 / 10)) ]
ok $? "... and the whole data folder $disk"
addresses=$(for i in 1 2; do field ng$i '.network[0].addresses[0]'; done | sort -u | wc -l)
is "$addresses" 2 "each has an address of its own"
for i in 1 2; do
    zc exec ng$i -- sh -c "echo page $i >/var/www/html/index.html"
    is "$(curl -fsS -m 5 http://127.0.0.1:808$i/)" "page $i" "ng$i serves its own page through its port"
    out=$(ab -q -n 10000 -c 20 http://127.0.0.1:808$i/ 2>&1)
    is "$(echo "$out" | awk '/^(Complete|Failed) requests/ {print $3}' | tr '\n' ' ')" "10000 0 " "10,000 requests to ng$i, none failed ($(echo "$out" | awk '/^Requests per/ {print $4}')/s)"
done
workers() { zc exec "$1" -- sh -c 'grep -l "^nginx: worker" /proc/[0-9]*/cmdline | wc -l'; }
is "$(workers ng1) $(workers ng2)" "$(nproc) 1" "nginx starts a worker for each CPU of its zone"
zc set ng2 cpu.set= >/dev/null
# 10,000 and more to each while zoned is killed every second, at least four times
load() {
    while [ ! -e "$T/enough" ]; do ab -q -n 10000 -c 10 "http://127.0.0.1:$1/" 2>&1; done >"$T/ab.$1"
}
load 8081 & l1=$!
load 8082 & l2=$!
kills=0
for _ in 1 2 3 4; do
    sleep 1
    kill9_zoned
    start_zoned && kills=$((kills + 1))
done
touch "$T/enough"
wait $l1 $l2
is $kills 4 "zoned was killed and came back four times"
for p in 8081 8082; do
    is "$(awk '/^Complete requests/ {n += $3} /^Failed requests/ {f += $3} END {print (n >= 10000) " " f + 0}' "$T/ab.$p")" "1 0" "port $p: $(awk '/^Complete requests/ {n += $3} END {print n}' "$T/ab.$p") requests meanwhile, none failed"
done
[ "$(field ng1 .uptime)" -ge 4 ]
ok $? "uptime goes on over zoned's restart ($(field ng1 .uptime) s)"
sup=$(sup_of ng1) && kill -9 "$sup"
until_ok eval '[ -n "$(sup_of ng1)" ]'
eventually running state ng1 >/dev/null
[ "$(field ng1 .uptime)" -ge 4 ]
ok $? "... and over its supervisor's ($(field ng1 .uptime) s)"

# ---- trixie with its own systemd, beside bookworm ----
printf 'version: 1\nzone: tx\nimage: tar:%s\ninit: system\n' "$trixie" >"$T/tx.yaml"
zc create tx -f "$T/tx.yaml" && zc start tx
tries=300 until_ok booted
is "$out" running "trixie boots to multi-user: systemctl is-system-running"
[ "$out" = running ] || zc exec tx -- systemctl --failed --no-pager | sed 's/^/# /'
is "$(zc exec tx -- sh -c '. /etc/os-release; echo $VERSION_CODENAME'; zc exec ng1 -- sh -c '. /etc/os-release; echo $VERSION_CODENAME')" "trixie
bookworm" "two releases on one kernel"
# not its last lines: the getty on the console hangs it up just then, and what was not read yet is lost
like "$(zc logs tx)" "Reached target .*basic.target" "its boot is in the log"
like "$( (sleep 0.7; printf '\r'; sleep 0.7; printf '~.') | timeout 10 script -qec "$BIN/zonectl console tx" /dev/null)" "tx login:" "its console asks for a login"
is "$(zc exec tx -- systemctl show -p Virtualization --value)" "container-other" "systemd knows that it is in a container"
zc set tx 'network[0].dhcp=true' >/dev/null
printf '[Match]\nName=eth0\n[Network]\nDHCP=yes\n' >"$T/lan.network"
zc cp "$T/lan.network" tx:/etc/systemd/network/80-lan.network && zc exec tx -- systemctl start systemd-networkd
has_address() { out=$(zc exec tx -- networkctl status eth0 --no-pager 2>&1) && [[ $out =~ DHCPv4.via && $out =~ Gateway:.*\..*fe80 ]]; }
until_ok has_address
like "$(echo $out)" "State: routable .configured.*$(field tx '.network[0].addresses[0]') \(DHCPv4 via" "its systemd-networkd asks for its address (dhcp: true) and hears the router"
first=$(field tx .pid)
zc exec tx -- reboot
again() { out=$(field tx "select(.pid != $first) | .state + \" \" + (.pid | tostring)"); [[ $out =~ ^running\ [0-9]+$ ]]; }
tries=200 until_ok again
ok $? "reboot inside starts it again ($out, was $first)"
tries=300 until_ok booted
is "$out" running "... and it boots"
zc exec tx -- poweroff
status_is 0 "poweroff inside" timeout 20 "$BIN/zonectl" wait tx --for stopped
is "$(field tx '.state + " " + (.exit_status | tostring)')" "installed 0" "... is installed with 0"
zc start tx && tries=300 until_ok booted
status_is 0 "stop asks systemd" zc stop tx
is "$(field tx '.state + " " + (.exit_status | tostring)')" "installed 0" "... which shuts down cleanly"
like "$(zc logs -n 20 tx)" "Reached target .*(halt|poweroff|shutdown).target|System (Halt|Power Off)" "... and says so"
zc start tx # deleted while it boots
zc delete --force tx ng1 ng2 >/dev/null
nothing_left
