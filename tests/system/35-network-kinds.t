#!/usr/bin/env bash
# Every kind of network against real peers: the namespace plays the host, one the LAN with a router and a DHCP server, one a
# segment that zones join by a bridge or by macvlan. IPv4 and IPv6.
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
ip netns add seg
ip link add seg0 type veth peer name eth0 netns seg
ip link add seg1 type veth peer name eth1 netns seg
for l in seg0 seg1; do sysctl -qw net.ipv6.conf.$l.accept_ra=0; ip link set $l up; done
ip netns exec seg sysctl -qw net.ipv6.conf.all.forwarding=1
ip -n seg link add br0 type bridge && ip -n seg link set eth0 master br0 && ip -n seg link set eth1 master br0
ip -n seg addr add 198.51.100.1/24 dev br0 && ip -n seg addr add 2001:db8:2::1/64 dev br0 nodad
for l in lo eth0 eth1 br0; do ip -n seg link set $l up; done
ip netns exec seg dnsmasq -k -C /dev/null --user=root --pid-file= --port=0 --bind-interfaces --interface=br0 --enable-ra \
    --dhcp-leasefile="$T/leases" --dhcp-range=198.51.100.100,198.51.100.120,1h --dhcp-range=2001:db8:2::,ra-only,64 2>"$T/seg.log" &
web() { # NS ADDR PORT: says the caller's address
    ip netns exec "$1" "$here/peer.py" "$2" "$3" &
}
web lan 192.0.2.2 8000
web lan 2001:db8:1::2 8000
web seg 198.51.100.1 8000
web seg 2001:db8:2::1 8000
begin
macs() { ip -o link show up0 | grep -o "link/.*"; ip -o link show seg0 | grep -o "link/ether [^ ]*"; }
mac_before=$(macs)
from() { zc exec "$1" -- curl -fsS -m "${3:-3}" "$2" 2>&1 | tail -1; }
serve='mkdir -p /srv/www && hostname >/srv/www/index.html && busybox httpd -p 80 -h /srv/www && busybox httpd -p [::]:81 -h /srv/www; exec sleep 1000'
up() { eventually "$2" curl -fs -m 1 "$1" >/dev/null; }
# ---- routed ----
status_is 0 "a routed network" zc network create r --type routed --subnet 10.37.0.0/24 --subnet 2001:db8:77::/64 --mtu 1300
zc create r1 --network r -p 8080:80 --image host -- sh -c "$serve" && zc start r1
up "http://$(addr r1)/" r1; ok $? "routed: the host reaches the zone"
ip -n lan route add 10.37.0.0/24 via 192.0.2.1 && ip -n lan -6 route add 2001:db8:77::/64 via 2001:db8:1::1
is "$(from r1 http://192.0.2.2:8000/)" "$(addr r1)" "routed: out under its own address (IPv4)"
like "$(from r1 'http://[2001:db8:1::2]:8000/')" "$(addr r1 0 1 | sed 's/.*:\(.*\)$/\1/')" "... (IPv6)"
is "$(ip netns exec lan curl -fsS -m 3 http://192.0.2.1:8080/)" r1 "routed: a published port answers the LAN"
ip netns exec lan curl -fs -m 1 "http://$(addr r1)/" >/dev/null; [ $? = 28 ]; ok $? "routed: the LAN has a route and reaches nothing that is not published"
ip netns exec lan ping -c 1 -W 1 "$(addr r1)" >/dev/null; [ $? != 0 ]; ok $? "... not even by ping"
ip netns exec lan curl -fs -m 1 "http://[$(addr r1 0 1)]:81/" >/dev/null; [ $? = 28 ]; ok $? "... (IPv6)"
is "$(zc exec r1 -- cat /sys/class/net/eth0/mtu)" 1300 "its MTU"
is "$(zc exec r1 -- ping -c 1 -M do -s 1273 -W 1 192.0.2.2 2>&1 | grep -c 'too long')" 1 "... holds"
# ---- a bridge made of a link of the host ----
status_is 0 "a network on a link of the host" zc network create seg --type bridge --parent seg0
zc create d1 --network seg --set security.capabilities.add=[NET_ADMIN,NET_RAW] --image host -- sh -c "busybox udhcpc -q -n -i eth0 -s /bin/true; $serve" && zc start d1
like "$(ip -o link show seg0)" " master zb" "the link is a bridge's port while a zone runs"
tries=150 until_ok eval '[ -n "$(ns d1 ip -6 -o addr show scope global)" ]'
like "$(ns d1 ip -6 -o addr show dev eth0)" "2001:db8:2:" "a zone without an address learns one from the LAN's router"
through() { from d1 'http://[2001:db8:2::1]:8000/' | grep -q ^2001:db8:2; }
until_ok through
like "$(from d1 'http://[2001:db8:2::1]:8000/')" "^2001:db8:2" "... and talks to it"
until_ok grep -q 198.51.100 "$T/leases"
like "$(cat "$T/leases")" "$(zc exec d1 -- cat /sys/class/net/eth0/address) 198.51.100" "its own DHCP client got a lease under its MAC"
status_is 7 "a fixed address needs a subnet to be in" zc create d2 --network seg --address 198.51.100.50 --image host -- sleep 9
ns d1 ip link set eth0 down; ns d1 ip link set eth0 address 02:00:00:00:00:99; ns d1 ip link set eth0 up; ns d1 ip addr add 198.51.100.60/24 dev eth0
ns d1 ping -c 1 -W 1 198.51.100.1 >/dev/null; [ $? != 0 ]; ok $? "a zone that brings its own address may not bring its own MAC"
status_is 7 "nothing is published there" zc set d1 'network[0].ports=["8081:80"]'
zc delete --force d1 >/dev/null
status_is 0 "the network goes" zc network delete seg
! ip -o link show seg0 | grep -q master; ok $? "... and the link is the host's again"
# ---- the operator's own bridge ----
ip link add obr type bridge && ip link set seg0 master obr && ip link set obr up && ip addr add 198.51.100.2/24 dev obr
status_is 0 "a network on a bridge of the operator" zc network create own --type bridge --parent obr --subnet 198.51.100.0/24 \
    --gateway 198.51.100.1 --range 198.51.100.200-198.51.100.201
zc create o1 --network own --image host -- sh -c "$serve" && zc start o1
is "$(addr o1)" 198.51.100.200 "an address from the range"
is "$(from o1 http://198.51.100.1:8000/)" 198.51.100.200 "... reaches the LAN"
ip netns exec seg ping -c 1 -W 2 198.51.100.200 >/dev/null; ok $? "... and is reached"
ns o1 ip addr add 198.51.100.51/24 dev eth0
ns o1 ping -c 1 -W 1 -I 198.51.100.51 198.51.100.1 >/dev/null; [ $? != 0 ]; ok $? "... and may take no other"
is "$(ns o1 ip route show default | awk '{ print $3 }')" 198.51.100.1 "... by its gateway"
zc delete --force o1 >/dev/null && zc network delete own
ip link show obr >/dev/null; ok $? "the operator's bridge stays"
is "$(ip -4 -o addr show obr | grep -o '198.51.100.2/24')" 198.51.100.2/24 "... with its address"
ip link del obr && ip link set seg0 up
# ---- larger packets than the host's link takes ----
status_is 7 "a macvlan network with a larger MTU than its parent's" zc network create big --type macvlan --parent seg1 --mtu 9000
like "$out" "network big: mtu: 9000 is more than its parent seg1 has \(1500\)" "... says so"
like "$out" "hint: ip link set seg1 mtu 9000, .* at most 1500" "... and the remedy"
ip link set seg1 mtu 9000
status_is 0 "... as large as its parent's" zc network create big --type macvlan --parent seg1 --mtu 9000
zc create m9 --network big --image host -- sleep 1000
ip link set seg1 mtu 1500
status_is 7 "a start where the parent's has become smaller" zc start m9
like "$out" "mtu: 9000 is more than its parent seg1 has" "... says so"
zc delete m9 && zc network delete big
status_is 0 "a bridge on a link that takes less" zc network create big --type bridge --parent seg0 --mtu 9000
like "$out" "mtu: zones have 9000, but the link seg0 1500" "... says what is lost"
zc network delete big
# ---- macvlan ----
status_is 0 "a macvlan network" zc network create mv --type macvlan --parent seg1 --subnet 198.51.100.0/24 --range 198.51.100.210-198.51.100.212
zc create m1 --network mv --image host -- sh -c "$serve" && zc create m2 --network mv --image host -- sh -c "$serve" && zc start m1 m2
is "$(from m1 http://198.51.100.1:8000/)" "$(addr m1)" "macvlan: reaches the LAN"
eventually m2 from m1 "http://$(addr m2)/" 1 >/dev/null
is "$(from m1 "http://$(addr m2)/")" m2 "... and its neighbour"
is "$(ip -o link | grep -c '^[0-9]*: vz')" 1 "... without a link on the host (one is the routed zone's)"
status_is 9 "a rate cannot be held there" zc set m1 'network[0].rate_in=10M'
for i in 1 2 3 4 5; do zc restart -t 0 m1 >/dev/null || break; done; ok $? "restarted five times: the same MAC each time"
ip link del seg1
status_is 0 "its parent disappears: the zone runs on" zc exec m1 -- true
zc stop -t 0 m1 >/dev/null
status_is 3 "... and does not start again without it" zc start m1
like "$out" "no link seg1" "... says why"
zc delete --force m1 m2 r1 >/dev/null
zc network delete mv r
# ---- the host's links come and go ----
parent() { # NAME [bridge]
    if [ -n "${2:-}" ]; then ip link add "$1" type bridge; else ip link add "$1" type veth peer name "$1x" && ip link set "$1x" up; fi && ip link set "$1" up
}
net() { zc network show "$1" -o json | jq -r "$2"; }
inside() { ns "$1" ip -4 -o addr show dev eth0 2>/dev/null | grep -o "${2:-inet [0-9.]*}"; }
parent pm0 && parent pb0 && parent po0 bridge
zc events -f -o json >"$T/events" 2>/dev/null &
told() { jq -r 'select(.network == "'"$1"'" and (.event | test("^network-(down|up)$"))) | .event' "$T/events" | xargs; }
zc network create pv --type macvlan --parent pm0 --subnet 10.39.0.0/24 >/dev/null && zc network create pb --type bridge --parent pb0 --subnet 10.39.1.0/24 >/dev/null &&
    zc network create po --type bridge --parent po0 --subnet 10.39.2.0/24 >/dev/null
zc create v1 --network pv --address 10.39.0.5 --image host -- sleep 1000 && zc create b1 --network pb --address 10.39.1.5 --image host -- sleep 1000 &&
    zc create o1 --network po --address 10.39.2.5 --image host -- sleep 1000 && zc start v1 b1 o1
ok $? "three zones on links of the host"
mac=$(ns v1 cat /sys/class/net/eth0/address)
ip link del pm0 && ip link del pb0 && ip link del po0
for x in pv:pm0 pb:pb0 po:po0; do
    is "$(tries=10 eventually false net ${x%:*} .up) $(net ${x%:*} .error)" "false network ${x%:*}: this host has no link ${x#*:}" "the link of network ${x%:*} goes: noticed within a second"
done
like "$(zc doctor)" "network pv: this host has no link pm0: its zones are cut off" "... doctor says so"
is "$(tries=10 eventually true field v1 '.network[0].missing') $(field b1 '.network[0].missing')" "true false" "... and the zone whose link went with it"
parent pm0 && parent pb0 && parent po0 bridge
for x in pv pb po; do is "$(tries=10 eventually true net $x .up)" true "the link of network $x is there again: noticed"; done
is "$(eventually "inet 10.39.0.5" inside v1)" "inet 10.39.0.5" "the macvlan is in the running zone again"
is "$(ns v1 cat /sys/class/net/eth0/address) $(field v1 '.network[0].missing')" "$mac false" "... under its MAC"
like "$(ip -o link show pb0)" " master $(net pb .bridge) " "the link is its bridge's port again"
is "$(ip -o link show master po0 | wc -l)" 1 "zones are ports of the operator's new bridge"
ip link set pm0 down
is "$(tries=10 eventually false net pv .up) $(net pv .error)" "false network pv: the link pm0 is down" "one that is set down is noticed"
ip link set pm0 up
is "$(tries=10 eventually true net pv .up)" true "... and up"
ip link set pb0 down && ip link set pb0 name pb9
is "$(tries=10 eventually false net pb .up)" false "one that gets another name, too"
ip link set pb9 name pb0 && ip link set pb0 up
is "$(tries=10 eventually true net pb .up)" true "... and its own again"
all_told() { echo "$(told pv) / $(told pb) / $(told po)"; }
twice="network-down network-up network-down network-up"
is "$(eventually "$twice / $twice / network-down network-up" all_told)" "$twice / $twice / network-down network-up" "each was an event"
kill9_zoned
ip link del pm0 && ip link del pb0 && parent pm0 && parent pb0
start_zoned
is "$(eventually "inet 10.39.0.5" inside v1)" "inet 10.39.0.5" "what happens while nobody looks is mended at the next start"
like "$(ip -o link show pb0)" " master $(net pb .bridge) " "... of bridges, too"
sup=$(sup_of v1)
kill -STOP "$sup"
kill9_zoned
ip link del pm0 && parent pm0
start_zoned
kill -CONT "$sup"
is "$(eventually "inet 10.39.0.5" inside v1)" "inet 10.39.0.5" "... when a supervisor answers late, too"
is "$(net po .bridge) $(net po .up) $(ip -o link show master po0 | wc -l) $(grep -c "tables: network po" "$T/zoned.log")" "po0 true 1 0" "... and the operator's is known as that"
ip link del pm0 && parent pm0
is "$(eventually "inet 10.39.0.5" inside v1)" "inet 10.39.0.5" "gone and there again at once"
sup=$(sup_of v1)
kill -STOP "$sup" # a change of the zone is under way
zc set v1 tasks=333 >/dev/null 2>&1 & set=$!
until_ok grep -q 333 "$ROOT/etc/zones/v1.yaml"
ip link del pm0 && parent pm0
sleep 1 # that is told
kill -CONT "$sup"
wait $set
is "$(eventually "inet 10.39.0.5" inside v1)" "inet 10.39.0.5" "... and while the zone is changed"
# ---- a LAN has others on it ----
host_on_it() { ip addr add 10.39.0.1/24 dev pm0 && ip route add 198.18.0.0/24 via 10.39.0.2 dev pm0; }
host_on_it
for x in la lb; do zc network create $x --type macvlan --parent pm0 --subnet 10.39.0.0/24 --range 10.39.0.1-10.39.0.6 >/dev/null; done
lan_zone() { zc create "$1" --network "$2" --address "$3" --image host -- sleep 1000; }
status_is 4 "the host's own address is given to no zone" lan_zone x1 la 10.39.0.1
like "$out" "address 10.39.0.1 is this host's own, or a gateway's" "... and why, is said"
status_is 4 "nor its gateway's" lan_zone x1 la 10.39.0.2
status_is 4 "nor one of another network on the same link" lan_zone x1 la 10.39.0.5
like "$out" "address 10.39.0.5 is taken on another network of the same link" "... and why, is said"
for x in x1:la x2:lb x3:la; do lan_zone ${x%:*} ${x#*:} auto >/dev/null; done
is "$(addr x1) $(addr x2) $(addr x3)" "10.39.0.3 10.39.0.4 10.39.0.6" "what is chosen is nobody's, over both networks"
status_is 8 "... until all are taken" lan_zone x4 lb auto
ip addr flush dev pm0 # or a zoned that starts would forward over this link, too
kill9_zoned; start_zoned
status_is 4 "... over the death of zoned" lan_zone x4 lb 10.39.0.3
host_on_it
zc delete x1 >/dev/null
status_is 0 "what is given back is free for both" lan_zone x4 lb auto
is "$(addr x4)" 10.39.0.3 "... and given"
zc delete x2 x3 x4 >/dev/null && zc network delete la lb
zc delete --force v1 b1 o1 >/dev/null && zc network delete pv pb po
ip link del pm0 && ip link del pb0 && ip link del po0
is "$(macs)" "$mac_before" "the host's links were left alone"
same "$(picture "$inst" | grep -v -e seg1)" "$(echo "$before" | grep -v -e seg1)" "nothing is left"
finish
