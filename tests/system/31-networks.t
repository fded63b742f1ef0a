#!/usr/bin/env bash
# Networks as objects: made, shown, refused, deleted; zones join several, leave and join while they run; who reaches whom, on
# IPv4 and IPv6; what a kill in the midst leaves. The namespace plays the host, another one the LAN.
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
ip route add default via 192.0.2.2 && ip -6 route add default via 2001:db8:1::2
# gateways that no other route leads to, and resolvers that none does
ip route add default via 198.18.5.1 dev up0 onlink metric 5000 && ip -6 route add default via fd77::1 dev up0 onlink metric 5000
[ -n "${BRIDGE_NF:-}" ] || sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null
printf 'nameserver 10.99.0.53\nnameserver fd66::53\nnameserver 198.19.0.53\n' >"$T/resolv.conf" && mount --bind "$T/resolv.conf" /etc/resolv.conf
begin
# ---- made and refused ----
status_is 0 "a network with everything chosen" zc network create front
status_is 0 "a sealed one" zc network create back --type sealed --mtu 1400
status_is 0 "given subnets, gateway and range; it may reach another" zc network create apps --subnet 10.20.0.0/24 \
    --subnet fd12:3456:789a::/64 --gateway 10.20.0.254 --range 10.20.0.10-10.20.0.11 --reach back
is "$(zc network show apps -o json | jq -c '[.type,.subnet4,.gateway4,.subnet6,.gateway6,.reach,.up]')" \
    '["nat","10.20.0.0/24","10.20.0.254","fd12:3456:789a::/64","fd12:3456:789a::1",["back"],false]' "... and shown so"
is "$(stat -c %a "$ROOT/etc/networks/apps.yaml")" 600 "its file is for root alone"
like "$(zc network list)" "apps +nat +10.20.0.0/24 .*back" "the list shows it"
curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/networks | jq -e 'map(.name) | sort == ["apps","back","default","front"]' >/dev/null
ok $? "so does the API"
for bad in "10.20.0.0/16 4" "10.20.0.0/31 7" "0.0.0.0/0 7" "192.0.2.0/25 4" "10.99.0.0/16 4" "10.30.0.1/16 7" "224.0.0.0/16 7" \
    "fd12:3456:789a::/48 4" "2001:db8:1::/64 4" "::/0 7" "nonsense 7"; do
    status_is "${bad#* }" "subnet ${bad% *} is refused" zc network create bad --subnet "${bad% *}"
done
like "$out" "is not a subnet" "... with the reason"
while read -r subnet what; do
    status_is 4 "a subnet with $what in it" zc network create bad --subnet "$subnet"
    like "$out" "$what" "... by its name"
done <<<"198.18.0.0/16 198.18.5.1
fd77::/64 fd77::1
198.19.0.0/24 198.19.0.53
fd66::/64 fd66::53"
status_is 4 "a network that exists" zc network create front
status_is 3 "a network to reach that does not exist" zc network create bad --reach nowhere
status_is 7 "a name that is none" zc network create 'Bad_Name'
status_is 7 "... or is too long" zc network create "$(printf 'a%.0s' {1..33})"
status_is 7 "a word of a link as a name" zc network create host
status_is 7 "a bridge without a parent" zc network create bad --type bridge
status_is 3 "a macvlan parent that is missing" zc network create bad --type macvlan --parent nolink
status_is 4 "a link that the host uses is no port for a bridge" zc network create bad --type bridge --parent up0
like "$out" "hint: .*macvlan" "... with a way out"
status_is 7 "pieces over 64 KiB where a card is the other side" zc network create bad --type macvlan --parent up0 --big-tcp
status_is 7 "an MTU over all" zc network create bad --mtu 70000
status_is 2 "options of create elsewhere" zc network list --mtu 1400
is "$(zc network list -o json | jq length)" 4 "nothing of what was refused is there"
is "$(cd "$ROOT" && find etc/networks lib/networks -iname '*bad*')" "" "... nor on disk"
status_is 7 "two IPv4 addresses on one link" zc create two --network apps --address 10.20.0.10 --address 10.20.0.11 --image host -- true
like "$out" "network\[0\].address: has 10.20.0.11 besides 10.20.0.10 \(at most one IPv4 and one IPv6 .*another link" "... says what to do"
is "$(zc network show apps -o json | jq .addresses_used)" 0 "... and takes none"
status_is 7 "a name that is none" zc network create bad/name
is "$(printf '%s\n' "$out" | grep -c "missing")" 0 "... is not missing, too"
# ---- zones ----
serve='mkdir -p /srv/www && hostname >/srv/www/index.html && busybox httpd -p 80 -h /srv/www && busybox httpd -p [::]:81 -h /srv/www; exec sleep 1000'
for z in f:front b:back a:apps; do
    zc create "${z%:*}" --network "${z#*:}" --image host -- sh -c "$serve" >/dev/null && zc start "${z%:*}"
    ok $? "zone ${z%:*} on ${z#*:}"
done
f=$(addr f) b=$(addr b) a=$(addr a) f6=$(addr f 0 1) b6=$(addr b 0 1) a6=$(addr a 0 1)
for url in "http://$b/" "http://$f/" "http://[$a6]:81/"; do until_ok curl -fs -m 1 "$url" >/dev/null; done
from() { zc exec "$1" -- curl -fsS -m "${3:-3}" "$2" 2>&1; }
is "$(curl -fsS -m 3 "http://$b/")" b "the host reaches a zone of a sealed network"
is "$(from a "http://$b/")" b "a network that may reach another does (IPv4)"
is "$(from a "http://[$b6]:81/")" b "... (IPv6)"
from b "http://$a/" 1 >/dev/null; [ $? != 0 ]; ok $? "... but not the other way round (IPv4)"
from b "http://[$a6]:81/" 1 >/dev/null; [ $? != 0 ]; ok $? "... (IPv6)"
from f "http://$a/" 1 >/dev/null; [ $? != 0 ]; ok $? "networks are closed to each other (IPv4)"
from f "http://[$a6]:81/" 1 >/dev/null; [ $? != 0 ]; ok $? "... (IPv6)"
web() { "$@" >"$T/web.log" 2>&1 & } # a program, not a function of ours: so that it is what is ended
web ip netns exec lan python3 -m http.server -d "$T" -b 192.0.2.2 8000
web ip netns exec lan python3 -m http.server -d "$T" -b 2001:db8:1::2 8000
until_ok curl -fs -m 1 http://192.0.2.2:8000/ >/dev/null
until_ok curl -fs -m 1 'http://[2001:db8:1::2]:8000/' >/dev/null
from f http://192.0.2.2:8000/ >/dev/null; ok $? "nat: out to the LAN (IPv4)"
from f 'http://[2001:db8:1::2]:8000/' >/dev/null; ok $? "... (IPv6)"
from b http://192.0.2.2:8000/ 1 >/dev/null; [ $? != 0 ]; ok $? "sealed: no way out (IPv4)"
from b 'http://[2001:db8:1::2]:8000/' 1 >/dev/null; [ $? != 0 ]; ok $? "... (IPv6)"
web python3 -m http.server -d "$T" -b 0.0.0.0 8001
sleep 0.3
gw=$(zc network show back -o json | jq -r .gateway4)
from b "http://$gw:8001/" 1 >/dev/null; [ $? != 0 ]; ok $? "sealed: nor to a service of the host"
zc exec b -- ping -c 1 -W 2 "$gw" >/dev/null; ok $? "... which it may ping"
is "$(zc exec b -- cat /sys/class/net/eth0/mtu)" 1400 "the MTU is the network's"
is "$(zc exec b -- busybox ip route | grep -c default)" 0 "a sealed network gives no default route"
zc network create lab --type sealed --reach apps >/dev/null && zc run -d --name l --network lab host sleep 1000 >/dev/null
is "$(from l "http://$a/")" a "a sealed network that reaches another (IPv4)"
is "$(from l "http://[$a6]:81/")" a "... (IPv6)"
from l http://192.0.2.2:8000/ >/dev/null; is $? 7 "... and nothing else, which is said at once (IPv4)"
from l 'http://[2001:db8:1::2]:8000/' >/dev/null; is $? 7 "... (IPv6)"
zc network set lab --reach '' >/dev/null
is "$(zc exec l -- busybox ip route | grep -c default)" 0 "... no way there any more, at once"
zc network set lab --reach apps >/dev/null
is "$(from l "http://$a/")" a "... and again"
zc delete --force l >/dev/null && zc network delete lab
status_is 7 "a sealed network publishes nothing" zc set b 'network[0].ports[]=8080:80'
is "$a" 10.20.0.10 "addresses come from the range"
zc create a2 --network apps --image host -- sleep 9 >/dev/null
status_is 8 "a range of two and three zones" zc create a3 --network apps --image host -- sleep 9
like "$out" "no address is free" "... says why"
status_is 7 "the gateway's address" zc create a4 --network apps --address 10.20.0.254 --image host -- sleep 9
status_is 7 "the broadcast address" zc create a4 --network apps --address 10.20.0.255 --image host -- sleep 9
status_is 7 "an address outside" zc create a4 --network apps --address 10.21.0.9 --image host -- sleep 9
status_is 0 "a fixed address beyond the range" zc create a4 --network apps --address 10.20.0.77 --image host -- sleep 9
# ---- join and leave while it runs ----
mac=$(zc exec f -- cat /sys/class/net/eth0/address)
status_is 0 "a running zone joins a second network" zc set f 'network[1].link=back'
like "$out" "applied live" "... at once"
is "$(from f "http://$b/")" b "... and reaches its zones"
from f http://192.0.2.2:8000/ >/dev/null; ok $? "... and still has its way out"
is "$(zc exec f -- curl -fsS -m 3 "http://$(addr b 0 1 | sed 's/.*/[&]/'):81/")" b "... on IPv6 too"
f1=$(addr f 1)
is "$(field f '.network[1].ifname')" eth1 "it is eth1"
kill9_zoned
start_zoned
ok $? "zoned killed and back"
is "$(addr f 1)" "$f1" "... with the same addresses"
is "$(from f "http://$b/")" b "... and the link lives on"
status_is 0 "the first link leaves" zc set f 'network[0]='
links() { zc exec f -- sed -n 's/^ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev | sort | xargs; } # from sysfs the kernel takes them some milliseconds later
is "$(links)" "eth1 lo" "... and is gone"
is "$(addr f 0)" "$f1" "the other keeps its address"
is "$(from f "http://$b/")" b "... and its connections"
status_is 0 "and comes again, beside a third" zc set f 'network=[{link: front}, {link: back}, {link: apps, address: 10.20.0.78}]'
is "$(zc exec f -- cat /sys/class/net/eth0/address)" "$mac" "with the same MAC as before"
is "$(zc exec f -- busybox ip route | grep -c '^default via .* dev eth0')" 1 "... and the default route"
status_is 4 "a join that cannot be: the address is taken" zc set f 'network[2].address=10.20.0.77'
like "$out" "address 10.20.0.77 is taken by zone [a-z]" "... by whom, is said"
is "$(field f '.network[2].addresses[0]')" 10.20.0.78 "... leaves what was"
zc export f | grep -q 10.20.0.78; ok $? "... on disk too"
status_is 3 "a join of a network that is not" zc set f 'network[2].link=nowhere'
status_is 0 "another fixed address at once" zc set f 'network[2].address=10.20.0.79'
is "$(zc exec f -- busybox ip -4 -o addr show eth2 | grep -o '10.20.0.[0-9]*/')" 10.20.0.79/ "... is there"
printf 'zone: f\nimage: host\nprocess: {args: [sh, -c, "%s"]}\nnetwork: [{link: front}]\n' "$serve" >"$T/f.yaml"
status_is 0 "apply takes links away as well" zc apply -f "$T/f.yaml"
is "$(links)" "eth0 lo" "... at once"
said=
for i in $(seq 20); do # the kernel is still busy with the end of the last link when the next one comes, under the same name
    zc set f 'network[1].link=back' >/dev/null && said+=$(links)
    zc set f 'network[1]=' >/dev/null && said+=" $(links);"
done
is "$said" "$(printf 'eth0 eth1 lo eth0 lo;%.0s' $(seq 20))" "twenty joins and leaves in a row"
sup=$(sup_of f)
nft_sockets() { awk '$2 == 12 { print "socket:[" $10 "]" }' "/proc/$sup/net/netlink" | grep -cxFf - <(readlink /proc/$sup/fd/*); }
eventually 0 nft_sockets >/dev/null; ok $? "... of which no socket of nft stays open"
is "$(ps -o pid= --ppid "$sup" | tr -d ' ')" "$(field f .pid)" "... and no child"
# ---- shared stacks ----
zc create s --network zone:f --image host -- sleep 1000 >/dev/null
status_is 0 "a zone with another's network starts" zc start s
is "$(zc exec s -- cat /sys/class/net/eth0/address)" "$mac" "... and sees its link"
is "$(zc exec s -- curl -fsS -m 3 http://127.0.0.1/)" f "... and its loopback"
is "$(zc exec s -- cat /proc/self/uid_map)" "$(zc exec f -- cat /proc/self/uid_map)" "... and has its ids"
status_is 0 "links come to both" zc set f 'network[1].link=back'
is "$(zc exec s -- curl -fsS -m 3 "http://$b/")" b "... as it should be"
zc run -d --name owner host sleep 1000 >/dev/null && zc run -d --name guest1 --network zone:owner host sleep 1000 >/dev/null
status_is 6 "a zone whose network another has is not deleted" zc delete --force owner
status_is 0 "... but both at once, in any order" zc delete --force owner guest1
zc stop -t 0 s
# ---- a shared stack ends ----
zc create o --network front --image host --restart on-failure --set restart.backoff=500ms -- sleep 1000 && zc start o
zc create p --network zone:o --set process.stop_timeout=1s --image host -- sleep 1000 && zc start p
zc events -f -o json >"$T/shared" 2>/dev/null & watch=$!
told() { jq -c 'select(.event == "network-lost") | [.zone, .of]' "$T/shared" | xargs; }
both() { [ -n "$(zc exec p -- cat /sys/class/net/eth0/address 2>/dev/null)" ] && ! [ "$(field p .pid)" = "$1" ] && [ "$(field p .network_lost)" = null ]; }
like "$(zc exec p -- cat /etc/hosts)" "^$(addr o | sed 's/\./\\./g')[[:space:]].*\bo\b" "who shares knows the owner's address by name"
same "$(zc exec p -- cat /etc/resolv.conf)" "$(zc exec o -- cat /etc/resolv.conf)" "... and asks whom the owner asks"
is "$(zc exec p -- getent hosts f | awk '{ print $1 }' | head -1)" "$(zc exec o -- getent hosts f | awk '{ print $1 }' | head -1)" "... with the same answers"
zc create q --network zone:p --image host -- sleep 1000 && zc start q
same "$(zc exec q -- cat /etc/resolv.conf)" "$(zc exec o -- cat /etc/resolv.conf)" "who shares with p shares all of it: whom it asks"
like "$(zc exec q -- cat /etc/hosts)" "^$(addr o | sed 's/\./\\./g')[[:space:]].*\bo\b" "... and the owner by name"
zc set o 'network[1].link=back' >/dev/null
like "$(zc exec p -- cat /etc/hosts)" "^$(addr o 1 | sed 's/\./\\./g')[[:space:]]" "... of a link that comes while they run, too"
like "$(zc exec q -- cat /etc/hosts)" "^$(addr o 1 | sed 's/\./\\./g')[[:space:]]" "... for each of them"
zc set o 'network[1]=' >/dev/null
sup=$(sup_of p)
kill -STOP "$sup"
zc set p memory.cap=90M >/dev/null & setting=$!
until_ok grep -q 90M "$ROOT/etc/zones/p.yaml"
zc set o 'network[1].link=back' >/dev/null
kill -CONT "$sup"
wait $setting; ok $? "one that is changed itself at that moment"
knows() { zc exec p -- cat /etc/hosts | grep -q "^$(addr o 1 | sed 's/\./\\./g')[[:space:]]"; }
until_ok knows; ok $? "... hears of it afterwards"
zc pause o
status_is 0 "who shares is changed while the owner is paused" zc set p memory.cap=100M
zc resume o
zc delete --force q >/dev/null
zc set o 'network[1]=' >/dev/null
is "$(zc exec p -- grep -c '^10\..*\bp o$' /etc/hosts)" 1 "... and goes"
status_is 6 "a zone whose network another has is not stopped" zc stop -t 0 o
like "$out" "p shares its network" "... and who it is, is said"
like "$out" "zonectl stop p first, or --force" "... with the remedy"
pid=$(field p .pid)
status_is 0 "it is restarted" zc restart -t 0 o
like "$out" "zone p shares its network: it is restarted, too" "... and says who with it"
until_ok both "$pid"; ok $? "... who then has the new stack"
pid=$(field p .pid)
kill -9 "$(field o .pid)"
until_ok both "$pid"; ok $? "the death of its PID 1: both come again"
pid=$(field p .pid)
until_ok eval '[ -n "$(told)" ]'
status_is 0 "by force it is stopped" zc stop --force o
is "$(field p '[.state, .network_lost] | join(": ")')" "running: zone o, whose network it has, does not run" "... and the other shows that it has none"
like "$(zc doctor)" "zone p has no network: zone o, whose network it has, does not run" "... doctor too"
kill9_zoned; start_zoned
is "$(field p .network_lost)" "zone o, whose network it has, does not run" "... over the death of zoned"
zc start o >/dev/null
until_ok both "$pid"; ok $? "the owner's next start mends it"
pid=$(field p .pid)
kill9_zoned
start_zoned
is "$(field p .pid)" "$pid" "what is well is left alone"
status_is 0 "both are stopped by one command, in any order" zc stop -t 0 o p
like "$(told)" "\[p,o\] \[p,o\]" "each loss was an event"
kill "$watch"
zc delete o p >/dev/null
zc create s2 --network zone:nobody --image host -- sleep 9 >/dev/null
status_is 4 "a zone whose partner does not run does not start" zc start s2
zc delete --force s s2 >/dev/null
# ---- a crash of the supervisor ----
sup=$(pgrep -fx "sup:f" || awk '/^PPid/ { print $2 }' "/proc/$(field f .pid)/status")
kill -9 "$sup"
eventually running state f >/dev/null
until_ok zc exec f -- true 2>/dev/null
is "$(from f "http://$b/")" b "the supervisor killed: links live on"
status_is 0 "... and leave by its successor" zc set f 'network[1]='
is "$(links)" "eth0 lo" "... at once"
# ---- a bridge that others have filled ----
bridge=$(zc network show back -o json | jq -r .bridge)
room=$((1023 - $(ip -o link show master "$bridge" | wc -l)))
for i in $(seq "$room"); do echo "link add fill$i group 77 type veth peer name llif$i"; echo "link set fill$i master $bridge"; done | ip -b -
zc create last --image host --network back -- sleep 1000
status_is 8 "a bridge that is full" zc start last
like "$out" "a bridge holds 1,023 ports: put the zone on another network" "... with the remedy"
ip link del fill1
zc clear last
status_is 0 "one less" zc start last
ip link del group 77
zc delete --force last >/dev/null
# ---- delete ----
status_is 6 "a network in use is not deleted" zc network delete back
like "$out" "zone b" "... and says who"
for i in 1 2 3 4; do zc create "user$i" --network back --image host -- sleep 9; done
zc network delete back >"$T/said" 2>&1
like "$(cat "$T/said")" "network back is in use by zones b, .* and [0-9]+ more" "... and of many the first three, and how many more"
zc delete user1 user2 user3 user4
zc delete --force a a2 a4 f b >/dev/null
status_is 6 "a network that another reaches is not deleted" zc network delete back
like "$out" "network apps" "... and says which"
status_is 0 "networks that nobody uses" zc network delete apps back front
nothing_left "... are gone, and no zone left anything"
status_is 3 "... and from zoned" zc network show apps
# ---- another LAN than the one for which a subnet was chosen ----
hides() { zc network show kept -o json | jq -r '"\(.up) \(.error)"'; }
new_lan() { ip addr "$1" 10.21.7.2/12 dev up0 && ip -n lan addr "$1" 10.21.7.1/12 dev eth0; }
gateway() { ping -c 1 -W 3 10.21.7.1 >/dev/null; }
zc network create kept --subnet 10.21.0.0/16 && zc create k --network kept --address 10.21.0.9 --image host -- sleep 1000
zc start k && zc stop -t 0 k >/dev/null
stop_zoned
new_lan add && ip route add default via 10.21.7.1 metric 7000
start_zoned
like "$(hides)" "^false network kept: the subnet 10.21.0.0/16 overlaps 10.21.7.1 \(a gateway of this host by up0\)" "a kept subnet would hide the host's new LAN: network show says so"
status_is 4 "... its zone does not start" zc start k
like "$out" "overlaps 10.21.7.1 .a gateway of this host by up0" "... what is in the way is said"
like "$out" "hint: take it from the host, or give the zones another network" "... with the remedy"
like "$(zc doctor)" "10.21.0.0/16 overlaps 10.21.7.1" "... doctor says so"
conflicts() { zc events -o json | jq -r 'select(.network == "kept") | .event' | grep conflict | xargs; }
is "$(conflicts)" network-conflict "... an event does, once"
like "$(zc network list -o json | jq -r '.[] | select(.name == "kept") | .error')" "overlaps 10.21.7.1" "... the list does"
like "$(zc network list)" "^kept +nat .*overlaps 10.21.7.1" "... for people, too"
gateway; ok $? "... and the host reaches its gateway"
ip route del default via 10.21.7.1 metric 7000
like "$(zc start k 2>&1)" "overlaps 10.21.7.2/12 .an address of this host by up0" "... without the gateway it is the LAN"
new_lan del
eventually "false null" hides >/dev/null; is "$(hides)" "false null" "the LAN is gone: nothing is in the way"
is "$(conflicts)" "network-conflict network-conflict network-conflict-gone" "... as events say"
status_is 0 "... and the zone starts" zc start k
pid=$(field k .pid)
new_lan add
seen() { hides | grep -q "^true .*overlaps 10.21.7.2/12"; }
until_ok seen; like "$(hides)" "^true .*overlaps 10.21.7.2/12 .an address of this host by up0" "the same LAN comes while the network is up: it is told"
like "$(zc doctor)" "zones run on, .*overlaps 10.21.7.2/12" "... by doctor, too"
for how in stop_zoned kill9_zoned; do
    $how
    start_zoned
    is "$(state k) $(field k .pid)" "running $pid" "... and no zone is stopped by it, nor by a zoned that comes ($how)"
    like "$(hides)" "^true .*overlaps 10.21.7.2/12" "... which tells again"
done
nft flush ruleset
until_ok zc exec k -- ping -c 1 -W 1 10.21.0.1 >/dev/null; ok $? "... and its network is repaired as others are"
status_is 0 "... a second zone joins it" zc run --rm --network kept host true
new_lan del
zc stop -t 0 k >/dev/null
stop_zoned
printf 'nameserver 10.21.0.9\n' >"$T/resolv.conf"
start_zoned
status_is 0 "a zone that is the host's resolver is no conflict" zc start k
zc stop -t 0 k >/dev/null
stop_zoned
printf 'nameserver 10.21.0.8\n' >"$T/resolv.conf"
start_zoned
status_is 4 "another resolver in there is" zc start k
like "$out" "10.21.0.8 .a resolver of this host" "... by its name"
printf 'nameserver 10.99.0.53\n' >"$T/resolv.conf"
zc delete --force k >/dev/null && zc network delete kept
status_is 0 "default is deleted" zc network delete default
zc network create b-side --type sealed >/dev/null && zc network create a-side --type sealed >/dev/null
is "$(zc network list -o json | jq -r '.[].name' | xargs)" "a-side b-side" "networks are listed by their names"
zc network delete a-side b-side
stop_zoned
start_zoned
is "$(zc network list -o json | jq -r '.[].name')" default "... and made again"
stop_zoned
is "$(nft list tables)" "" "no table is left"
is "$(cat /proc/sys/net/ipv4/conf/up0/forwarding)" "${FORWARD:-0}" "forwarding is as it was"
# ---- names that a zone gave its links ----
start_zoned
zc network create second >/dev/null && ip link add mv0 type veth peer name mv1 && ip link set mv0 up && zc network create third --type macvlan --parent mv0 >/dev/null
zc create own --cap-add NET_ADMIN --image host -- sleep 1000 && zc start own >/dev/null
named() { ns own ip -j link show | jq -r '[.[].ifname] | sort | join(" ")'; }
call() { ns own ip link set "$1" down && ns own ip link set "$1" name "$2" && ns own ip link set "$2" up; }
call eth0 eth1
for net in second third; do
    status_is 4 "a zone has the name that the link of network $net is to bear" zc set own "network[1].link=$net"
    like "$out" "network $net: the zone has a link eth1 of its own making" "... says which"
    like "$out" "hint: give that one another name, inside: ip link set eth1 name NAME" "... and the remedy"
    is "$(named) $(field own '.network | length')" "eth1 lo 1" "... and nothing changed"
done
call eth1 lan0
status_is 0 "with the name free it joins" zc set own 'network[1].link=second'
is "$(named)" "eth1 lan0 lo" "... under it"
zc delete --force own >/dev/null && zc network delete second third && ip link del mv0
stop_zoned
# ---- a version that did not write of which boot its list is ----
export BIN ROOT T
unshare -n bash -s >"$T/older.out" 2>&1 <<'END'
zc() { "$BIN/zonectl" "$@"; }
zoned() { "$BIN/zoned" --root "$ROOT" >>"$T/zoned.log" 2>&1 & for _ in $(seq 100); do zc list -q >/dev/null 2>&1 && break; sleep 0.1; done; }
ip link set lo up && ip link add up0 type veth peer name far0
zoned
zc run -d --name last host sleep 1000 >/dev/null
kill -9 $!; wait $! 2>/dev/null
jq -c 'del(.of) | .accept_ra = ["up0"]' "$ROOT/lib/networks/forwarding" >"$T/forwarding" && mv "$T/forwarding" "$ROOT/lib/networks/forwarding"
sysctl -qw net.ipv6.conf.up0.accept_ra=2
zoned
zc network create more >/dev/null && zc run --rm --network more host true # writes the list
jq -r '"\(.accept_ra | join(" ")) \(has("of"))"' "$ROOT/lib/networks/forwarding"
zc delete --force last >/dev/null && zc network delete more
kill $! && wait $!
sysctl -n net.ipv6.conf.up0.accept_ra
END
is "$(xargs <"$T/older.out")" "up0 true 1" "an upgrade keeps what an older zoned has to give back"
# ---- power fails while a network is up: the next boot's switches are the administrator's ----
start_zoned
zc run -d --name last host sleep 1000 >/dev/null
cp "$ROOT/lib/networks/forwarding" "$T/forwarding"
zc delete --force last >/dev/null
stop_zoned
cp "$T/forwarding" "$ROOT/lib/networks/forwarding"
unshare -n bash -s >"$T/boot.out" 2>&1 <<'END'
switches() { (cd /proc/sys/net && grep -s . ipv4/conf/up0/forwarding ipv6/conf/all/forwarding ipv6/conf/up0/force_forwarding ipv6/conf/up0/accept_ra); }
ip link set lo up && ip link add up0 type veth peer name far0 && ip link set far0 up && ip addr add 192.0.2.1/24 dev up0 && ip addr add 2001:db8:1::1/64 dev up0 nodad && ip link set up0 up
sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
sysctl -qw net.ipv4.conf.up0.forwarding=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.up0.accept_ra=2
[ ! -e /proc/sys/net/ipv6/conf/up0/force_forwarding ] || sysctl -qw net.ipv6.conf.up0.force_forwarding=1
switches >"$T/set"
"$BIN/zoned" --root "$ROOT" >>"$T/zoned.log" 2>&1 &
for _ in $(seq 100); do "$BIN/zonectl" list -q >/dev/null 2>&1 && break; sleep 0.1; done
"$BIN/zonectl" run --rm host true && echo ran
kill $! && wait $!
switches >"$T/left"
END
is "$(cat "$T/boot.out")" ran "a zone runs on the next boot's network"
same "$(cat "$T/left")" "$(cat "$T/set")" "... and what the administrator set there stays so when zoned ends"
