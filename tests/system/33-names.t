#!/usr/bin/env bash
# Zones find each other by name: one real dnsmasq for each network, kept over deaths; other names go to the host's resolver,
# which here is another dnsmasq, on the LAN.
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
ip netns exec lan dnsmasq -k -C /dev/null --no-resolv --no-hosts --user=root --pid-file= --address=/example.test/198.51.100.7 \
    --log-queries --log-facility=- --bind-interfaces --interface=eth0 --except-interface=lo 2>"$T/upstream.log" &
printf 'nameserver 192.0.2.2\nsearch corp.test\noptions timeout:1\n' >"$T/resolv.conf"
mount --bind "$T/resolv.conf" "$(readlink -f /etc/resolv.conf)"
begin
names_pid() { cut -d' ' -f1 "$ROOT/run/names/default/pid"; }
ask() { zc exec a -- getent ahosts "$1" | awk 'NR == 1 { print $1 }'; }
# comes NAME WANT: what a asks, after a moment, which is printed; 1 after five seconds; gone NAME: no more
comes() {
    local from=$(date +%s%N) took
    while [ "$(ask "$1")" != "$2" ]; do
        took=$((($(date +%s%N) - from) / 1000000))
        [ $took -lt 5000 ] || return
        sleep 0.05
    done
    echo "# $1: ${2:-gone} after $((($(date +%s%N) - from) / 1000000)) ms"
}
gone() { comes "$1" ""; }
like "$(zc doctor -o json | jq -c '.[] | select(.check | startswith("dnsmasq")) | .ok')" true "doctor: names"
zc create a --image host -- sleep 1000
zc create b --image host --set 'network=[{link: default, aliases: [www, db.corp]}]' -- sleep 1000
zc start a b >/dev/null
b6=$(field b '.network[0].addresses[1]') b4=$(field b '.network[0].addresses[0]')
for name in b b.zone.internal www www.zone.internal db.corp; do
    comes $name "$b6"
    ok $? "$name is b"
done
is "$(zc exec a -- getent ahostsv4 b | awk 'NR == 1 { print $1 }')" "$b4" "by IPv4 too"
is "$(zc exec a -- getent hosts "$b4" | awk '{ print $2 }')" b.zone.internal "back from the IPv4 address"
is "$(zc exec a -- getent hosts "$b6" | awk '{ print $2 }')" b.zone.internal "back from the IPv6 address"
is "$(zc exec b -- getent hosts b | awk '{ print $1 }' | head -1)" "$b6" "a zone knows itself"
is "$(zc exec a -- getent ahostsv4 host.example.test | awk 'NR == 1 { print $1 }')" 198.51.100.7 "other names: the host's resolver"
is "$(zc exec a -- getent ahostsv4 nobody.zone.internal)" "" "a name of ours that is not there is not asked elsewhere"
gw=$(zc network show default -o json | jq -r .gateway4) gw6=$(zc network show default -o json | jq -r .gateway6)
for name in "$gw" "$gw6" "${gw%.*}.251"; do
    zc exec a -- getent hosts "$name"
    is $? 2 "an address of ours without a name: $name"
done
grep -q "host.example.test" "$T/upstream.log" && ! grep -E "nobody.zone.internal from|PTR" "$T/upstream.log"
ok $? "(the LAN's resolver never heard of any of them)"
is "$(zc exec a -- sh -c 'grep -c . /etc/resolv.conf; grep -o corp.test /etc/resolv.conf' | xargs)" "3 corp.test" "resolv.conf: the network's resolver, the host's search and options"
zc stop -t 0 b >/dev/null
gone b
ok $? "a stopped zone is not found any more"
zc rename b c && zc start c >/dev/null
comes c "$b6"
ok $? "renamed and started: found by its new name"
gone b
ok $? "... and by the old one no more"
zc set c 'network[0].aliases=[new]' >/dev/null
comes new "$b6"
ok $? "live: a new alias"
gone www
ok $? "... instead of the old ones"
pid=$(names_pid)
is "$(awk '/^Cap(Prm|Eff)/ { print $2 }' /proc/$pid/status | sort -u)" 0000000000000400 "dnsmasq holds NET_BIND_SERVICE alone"
is "$(stat -c %U /proc/$pid)" nobody "and is nobody"
is "$(awk '/^NoNewPrivs/ { print $2 }' /proc/$pid/status)" 1 "for good"
ip netns exec lan sh -c "echo >/dev/null; busybox nslookup c.zone.internal 192.0.2.1" >/dev/null 2>&1
[ $? != 0 ]
ok $? "the LAN gets no answer"
for _ in 1 2 3; do
    kill -9 "$(names_pid)"
    comes c "$b6" || sleep 1
done
until_ok comes c "$b6"
comes c "$b6"
ok $? "dnsmasq killed again and again: names are back"
pid=$(names_pid)
kill9_zoned
kill -0 "$pid"
ok $? "it outlives zoned"
start_zoned
is "$(names_pid)" "$pid" "and is adopted"
comes c "$b6"
ok $? "names are there"
kill9_zoned
kill -9 "$pid"
rm -f "$ROOT/run/names/default/shown/hosts/c"
: >"$ROOT/run/names/default/shown/hosts/stale"
start_zoned
comes c "$b6"
ok $? "zoned, dnsmasq and a name lost: all are back"
[ ! -e "$ROOT/run/names/default/shown/hosts/stale" ]
ok $? "and a stale one is gone"
zc create lone --image host --set 'network=[{link: none}]' -- sleep 1000 && zc start lone >/dev/null
is "$(zc exec lone -- getent hosts c)" "" "a zone without a network asks nobody"
knows_c() { [ -n "$(zc exec lone -- getent hosts c)" ]; }
zc set lone network= >/dev/null
until_ok knows_c; ok $? "... on one it asks" "$(zc exec lone -- cat /etc/resolv.conf)"
zc set lone 'network=[{link: none}]' >/dev/null
asks_nobody() { ! zc exec lone -- grep nameserver /etc/resolv.conf; }
until_ok asks_nobody; ok $? "... and again nobody"
zc set lone network= >/dev/null
until_ok knows_c; ok $? "... and again"
names_said() { zc doctor -o json | jq -r '.[] | select(.check == "dnsmasq: zones find each other by name") | .ok, .problem'; }
kill -STOP "$(names_pid)"
like "$(names_said)" "does not answer" "a dnsmasq that is stopped: doctor says that it does not answer"
kill -CONT "$(names_pid)"
is "$(eventually "true
null" names_said | head -1)" true "... and when it does again"
rm -rf "$ROOT/run/names/default/shown"
like "$(names_said)" "shown was removed" "its folder removed: doctor says so"
kill9_zoned
start_zoned
zc run -d --rm --name after host sleep 1000 >/dev/null
comes after "$(field after '.network[0].addresses[1]')"; ok $? "... zoned's next start has it made anew, and dnsmasq read it"
is "$(names_said | head -1)" true "... doctor has nothing to say"
zc delete --force after >/dev/null
zc network create halted
zc run --rm --network halted host true
kill -STOP "$(cut -d' ' -f1 "$ROOT/run/names/halted/pid")"
s=$(date +%s%N)
status_is 0 "a network whose dnsmasq is stopped is deleted" zc network delete halted
echo "# in $((($(date +%s%N) - s) / 1000000)) ms"
for i in $(seq 20); do zc run -d --rm --name "x$i" host sleep 1000 >/dev/null; done
comes x20 "$(field x20 '.network[0].addresses[1]')"
ok $? "twenty more"
zc delete --force $(zc list -q) >/dev/null
nothing_left
pid=$(names_pid)
stop_zoned
ended "$pid"
! kill -0 "$pid" 2>/dev/null && [ ! -e "$ROOT/run/names/default" ]
ok $? "without a zone zoned takes dnsmasq with it"
finish
