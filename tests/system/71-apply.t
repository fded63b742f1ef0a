#!/usr/bin/env bash
# apply of several specs: all or nothing where it can be known, zones that swap what only one can have, and what a failure or a kill
# in the midst leaves.
. "$(dirname "$0")/lib.sh"
begin
ap() { # FILE ZONE LINES: one of the specs in $T/ap
    printf 'version: 1\nzone: %s\nimage: host\nprocess: {args: [sleep, "1000"]}\n%s\n' "$2" "$3" >"$T/ap/$1.yaml"
}
anew() { rm -rf "$T/ap" && mkdir "$T/ap"; }
part() { awk "BEGIN { print $(nproc) * $1 }"; }
pic() { # what apply could have changed
    zc list -o json | jq -c '[.[] | [.name, .state, .pid, .network, .drifted, .pending]]'
    grep -r . "$ROOT/etc/zones"
    nft list ruleset | grep -v counter
}
refused() { # STATUS PATTERN NAME: apply and apply -n of $T/ap say so, and nothing is changed
    local was dry
    was=$(pic)
    for dry in -n ""; do
        status_is "$1" "apply $dry: $3" zc apply $dry -f "$T/ap"
        like "$out" "$2" "... says why"
        same "$(pic)" "$was" "... and nothing is changed"
    done
}
swaps() { # NAME: apply -n and apply of $T/ap do it; a second one finds nothing
    status_is 0 "apply -n: $1" zc apply -n -f "$T/ap"
    status_is 0 "apply: $1" zc apply -f "$T/ap"
    ! zc apply -f "$T/ap" | grep -v unchanged; ok $? "... all of it"
}
anew
# ---- what can be known beforehand ----
zc create a --image host -- sleep 1000
zc create other -p 9305:80 --image host --set 'network[0].aliases=[db]' -- sleep 1000
zc start a other
ap 1 p1 ""
ap 2 p2 ""
ap 3 a "cpu: {reserved: $(($(nproc) + 1))}"
refused 7 '3.yaml:5: cpu.reserved: [0-9]+ is more than the' "more than the host has"
zc set @host cpu.reserved="$(part 0.5)" >/dev/null
ap 3 a "cpu: {reserved: $(part 0.75)}"
refused 8 '3.yaml:5: cpu.reserved: asks for [0-9.]+ CPUs, but of' "a promise that does not fit"
ap 3 a "cpu: {reserved: $(part 0.3)}"
ap 4 other "$(printf 'cpu: {reserved: %s}' "$(part 0.3)")"
refused 8 'cpu.reserved: asks for [0-9.]+ CPUs, but of' "two promises that do not fit together"
zc set @host cpu.reserved= >/dev/null
rm "$T/ap/4.yaml"
ap 3 a 'network: [{link: default, ports: ["9305:80"]}]'
refused 4 '3.yaml:5: network\[0\].ports: host port 9305/tcp is published by zone other' "a port of another zone"
"$here/peer.py" 0.0.0.0 9306 &
until_ok curl -fs -m 1 -o /dev/null http://127.0.0.1:9306/
ap 3 a 'network: [{link: default, ports: ["9306:80"]}]'
refused 4 '3.yaml:5: network\[0\].ports: .*9306' "a port of a program"
ap 3 a 'network: [{link: default, aliases: [db]}]'
refused 4 'db is an alias of zone other' "a name of another zone"
ap 3 a "network: [{link: default, address: $(addr other)}]"
refused 4 "$(addr other)" "an address of another zone"
ap 3 a 'network: [{link: none-such}]'
refused 3 'network none-such does not exist' "a network that is not there"
ap 3 p3 'image: none-such:1'
sed -i 3d "$T/ap/3.yaml"
refused 3 'none-such' "an image that is not there"
ap 3 p3 'filesystems: [{target: /srv, bind: /none/such}]'
refused 3 '/none/such' "a folder that is not there"
ap 3 p1 ""
refused 7 '3.yaml: zone: p1 is the zone of .*/1.yaml too' "one zone in two files"
rm "$T/ap/3.yaml"
status_is 0 "without that they are made" zc apply -f "$T/ap"
is "$(zc list -q | xargs)" "a other p1 p2" "... both"
zc delete --force a other p1 p2 >/dev/null
# ---- what one gives up another takes ----
two() { # SA SB: specs of the two zones, and the same exchanged
    anew
    ap 1 sa "$1"
    ap 2 sb "$2"
}
port() { echo "network: [{link: default, ports: [\"$1:80\"${2:-}]}]"; }
two "$(port 9301)" "$(port 9302)"
zc apply -f "$T/ap" >/dev/null && zc start sa sb
for z in sa sb; do nsenter -n -t "$(field $z .pid)" "$here/peer.py" 0.0.0.0 80 & done
answers() { # PORT ZONE: it is that zone which answers there
    nft list map inet "$inst" any4 | grep -q "tcp . $1 : $(addr "$2") . 80" &&
        tries=50 until_ok curl -fs -m 1 -o /dev/null "http://127.0.0.1:$1/"
}
answers 9301 sa && answers 9302 sb; ok $? "two zones, a port each"
pids=$(field sa .pid; field sb .pid)
two "$(port 9302)" "$(port 9301)"
swaps "two zones swap their ports"
answers 9302 sa && answers 9301 sb; ok $? "... and they answer"
same "$(field sa .pid; field sb .pid)" "$pids" "... nothing was restarted"
two "$(port 9301)" "$(port 9304)"
swaps "one takes from one that comes later"
answers 9301 sa && answers 9304 sb; ok $? "... and they answer"
two "$(port 9305)" "$(port 9301)"
swaps "one takes from one that comes before"
two "$(port 9305 ', "9310-9320:9310-9320"')" "$(port 9301)"
swaps "a range more"
two "$(port 9315)" "$(port 9301 ', "9310-9312:9310-9312", "9305:80"')"
swaps "parts of a range"
two 'network: [{link: default, aliases: [db]}]' 'network: [{link: default, aliases: [web, www]}]'
swaps "names for ports"
two 'network: [{link: default, aliases: [web]}]' 'network: [{link: default, aliases: [db, www]}]'
swaps "names"
two "cpu: {reserved: $(part 0.7)}" "cpu: {reserved: $(part 0.1)}"
swaps "promises"
two "cpu: {reserved: $(part 0.1)}" "cpu: {reserved: $(part 0.7)}"
swaps "promises the other way"
two "cpu: {reserved: $(part 0.7)}" "cpu: {reserved: $(part 0.1)}"
swaps "... and back"
# ---- addresses ----
zc network create fix --subnet 10.63.77.0/24 >/dev/null
at() { echo "network: [{link: fix, address: 10.63.77.$1}]"; }
two "$(at 5)" "$(at 6)"
swaps "addresses of their own"
pids=$(field sa .pid; field sb .pid) six="$(addr sa 0 1) $(addr sb 0 1)"
two "$(at 6)" "$(at 5)"
swaps "running zones swap addresses"
is "$(addr sa) $(addr sb)" "10.63.77.6 10.63.77.5" "... and have them"
is "$(addr sa 0 1) $(addr sb 0 1)" "$six" "... and what nobody asked for stays (IPv6)"
in_zone() { zc exec "$1" -- ip -4 -o addr show eth0 | awk '{ print $4 }'; }
is "$(in_zone sa) $(in_zone sb)" "10.63.77.6/24 10.63.77.5/24" "... inside too"
same "$(field sa .pid; field sb .pid)" "$pids" "... nothing was restarted"
zc exec sa -- ping -c 1 -W 2 10.63.77.5 >/dev/null; ok $? "... and reach each other"
like "$(zc exec sa -- getent ahostsv4 sb)" "^10\\.63\\.77\\.5 " "... by name"
ap 3 sc "$(at 4)"
swaps "a third zone, at rest"
two "$(at 5)" "$(at 4)"
ap 3 sc "$(at 6)"
swaps "addresses go round, one of them at rest"
zc start sc
is "$(addr sa) $(addr sb) $(addr sc)" "10.63.77.5 10.63.77.4 10.63.77.6" "... and all have them"
zc stop -t 0 sc
ap 4 sd "$(at 3)"
swaps "a fourth, at rest"
ap 3 sc "$(at 3)"
ap 4 sd "$(at 6)"
swaps "two at rest swap"
is "$(addr sc) $(addr sd)" "10.63.77.3 10.63.77.6" "... and have them"
ap 3 sc "$(printf 'network: [{link: default}, {link: fix, address: 10.63.77.4}]')"
refused 4 '10.63.77.4' "one that stays is not to be had"
zc delete sc sd
two "$(at 7)" "$(at 8)"
ap 3 p1 "$(at 5)"
swaps "a new zone takes an address that is given up"
rm "$T/ap/2.yaml" "$T/ap/3.yaml"
ap 0 p1 "$(at 9)"
ap 1 p2 "$(at 5)"
swaps "... also from a zone at rest"
ap 3 p3 "$(at 9)"
refused 4 '10.63.77.9' "not one that stays"
zc delete p1 p2 >/dev/null
# ---- a kill in the midst ----
two "$(port 9301)" "$(port 9302)"
zc apply -f "$T/ap" >/dev/null
two "$(port 9302)" "$(port 9301)"
gave_up() { ! nft list map inet "$inst" any4 | grep -q ": $(addr "$1") . 80"; }
for held in sa sb; do
    sup=$(sup_of $held)
    kill -STOP "$sup"
    zc apply -f "$T/ap" >"$T/applied" 2>&1 & applying=$!
    until_ok gave_up "$([ $held = sa ] && echo sb || echo sa)"; ok $? "(the other has given up its port)"
    kill9_zoned
    wait $applying
    kill -CONT "$sup"
    start_zoned
    status_is 0 "killed while $held was asked: apply again" zc apply -f "$T/ap"
    [ $held = sa ] && { answers 9302 sa && answers 9301 sb; } || { answers 9301 sa && answers 9302 sb; }
    ok $? "... mends it"
    ! zc apply -f "$T/ap" | grep -v unchanged; ok $? "... all of it"
    two "$(port 9301)" "$(port 9302)"
done
# ---- what fails nevertheless ----
two "$(port 9302)" "$(port 9301)"
zc apply -f "$T/ap" >/dev/null
two "$(port 9301)" "$(port 9302)"
sup=$(sup_of sb)
kill -STOP "$sup"
zc apply -f "$T/ap" >"$T/applied" 2>&1 & applying=$!
until_ok gave_up sa
"$here/peer.py" 0.0.0.0 9302 & peer=$!
until_ok curl -fs -m 1 -o /dev/null http://127.0.0.1:9302/
kill -CONT "$sup"
wait $applying; is $? 4 "a program takes a port between two zones: neither can have it"
like "$(cat "$T/applied")" "sb: has given up what another was to get, and runs without it" "... it is said which zone lacks it"
answers 9301 sa; ok $? "... and the other is done"
is "$(nft list map inet "$inst" any4 | grep -c "tcp . 9302")" 0 "... and nobody has that one"
kill $peer; wait $peer 2>/dev/null
status_is 0 "mended" zc apply -f "$T/ap"
answers 9301 sa && answers 9302 sb; ok $? "... they swap"
two "$(port 9302)" "$(port 9301)"
zc apply -f "$T/ap" >/dev/null
two "$(port 9301)" "$(port 9302)"
mv "$T/ap/1.yaml" "$T/ap/8.yaml" && mv "$T/ap/2.yaml" "$T/ap/9.yaml"
ap 1 p1 ""
ap 2 p2 ""
ap 3 p3 ""
mkdir "$ROOT/etc/zones/p2.yaml.new" # its spec cannot be written
status_is 0 "apply -n cannot know all" zc apply -n -f "$T/ap"
out=$(zc apply -f "$T/ap" 2>&1); [ $? != 0 ]; ok $? "what fails in the midst fails"
like "$out" "1.yaml: p1: is applied and stays \(create\)" "... says what was applied"
like "$out" "^zonectl: apply: .*p2" "... what failed"
like "$out" "^hint: apply again when this is mended" "... and what to do"
is "$(zc list -q | xargs)" "p1 sa sb" "... which is true"
answers 9302 sa && answers 9301 sb; ok $? "... who gave up a port has it again"
rmdir "$ROOT/etc/zones/p2.yaml.new"
status_is 0 "mended" zc apply -f "$T/ap"
is "$(zc list -q | xargs)" "p1 p2 p3 sa sb" "... all is made"
answers 9301 sa && answers 9302 sb; ok $? "... and swapped"
zc delete --force $(zc list -q) >/dev/null
zc network delete fix
nothing_left
