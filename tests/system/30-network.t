#!/usr/bin/env bash
# guest: v2
# Addresses, names, published ports from everywhere, egress, what must not be reachable. The namespace plays the host; another
# one, joined by a veth pair, plays the LAN.
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
nft add table inet mine && nft 'add chain inet mine input { type filter hook input priority 0; policy accept; }' && nft add rule inet mine input tcp dport 7 drop
foreign=$(nft list table inet mine)
sysctl -qw net.ipv6.conf.up0.accept_ra=1
begin
web='mkdir -p /srv/www && hostname >/srv/www/index.html && exec busybox httpd -f -p [::]:80 -h /srv/www'
status_is 0 "create with ports" zc create web -p 8080:80 -p 127.0.0.1:8081:80 --image host -- sh -c "$web"
status_is 0 "start" zc start web
status_is 0 "a second zone on port 80" bash -c "$BIN/zonectl create two -p 8082:80 --image host -- sh -c '$web' && $BIN/zonectl start two"
addr=$(field web '.network[0].addresses[0]')
addr2=$(field two '.network[0].addresses[0]')
addr6=$(addr web 0 1)
[ "$addr" != "$addr2" ]
ok $? "each has an address of its own ($addr, $addr2)"
get() { curl -fsS -m 5 "$1" 2>&1; }
until_ok get http://$addr/ >/dev/null
is "$(get http://$addr/)" web "host to zone"
is "$(get http://127.0.0.1:8080/)" web "localhost, published port"
is "$(get http://127.0.0.1:8081/)" web "published on localhost only: from localhost"
is "$(get http://192.0.2.1:8080/)" web "host's own address, published port"
is "$(lan curl -fsS -m 5 http://192.0.2.1:8080/)" web "LAN, published port"
lan curl -fsS -m 2 http://192.0.2.1:8081/ >/dev/null 2>&1
[ $? != 0 ]
ok $? "published on localhost only: not from the LAN"
is "$(zc exec two -- curl -fsS -m 5 http://$addr/)" web "zone to zone"
is "$(zc exec two -- curl -fsS -m 5 http://192.0.2.1:8080/)" web "zone to another's published port"
is "$(zc exec web -- curl -fsS -m 5 http://192.0.2.1:8080/)" web "zone to its own published port"
# ---- IPv6 ----
cat >"$T/advertise.py" <<'P'
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))
P
advertised() { lan python3 "$T/advertise.py" && ip -6 route show default dev up0 proto ra | grep -q via; }
until_ok advertised; ok $? "where we forward the host still takes routers' advertisements (accept_ra=$(sysctl -n net.ipv6.conf.up0.accept_ra))"
is "$(get "http://[$addr6]/")" web "host to zone (IPv6)"
is "$(get 'http://[2001:db8:1::1]:8080/')" web "host's own address, published port (IPv6)"
is "$(lan curl -fsS -m 5 'http://[2001:db8:1::1]:8080/')" web "LAN, published port (IPv6)"
is "$(zc exec two -- curl -fsS -m 5 "http://[$addr6]/")" web "zone to zone (IPv6)"
is "$(zc exec two -- curl -fsS -m 5 'http://[2001:db8:1::1]:8080/')" web "zone to another's published port (IPv6)"
is "$(zc exec web -- curl -fsS -m 5 'http://[2001:db8:1::1]:8080/')" web "zone to its own published port (IPv6)"
lan ip route add "$addr6/128" via 2001:db8:1::1
lan curl -fsS -m 2 "http://[$addr6]/" >/dev/null 2>&1
[ $? != 0 ]
ok $? "a LAN host with a route does not reach an unpublished port (IPv6)"
lan ip route add "$addr/32" via 192.0.2.1
lan curl -fsS -m 2 "http://$addr/" >/dev/null 2>&1
[ $? != 0 ]
ok $? "a LAN host with a route does not reach an unpublished port"
ip netns exec lan "$here/peer.py" :: 9999 & # not lan, a function: what ends with the test is the server
until_ok curl -fs -m 1 http://192.0.2.2:9999/ >/dev/null
is "$(zc exec web -- curl -fsS -m 5 http://192.0.2.2:9999/)" 192.0.2.1 "egress to the LAN, by the host's address"
is "$(zc exec web -- curl -fsS -m 5 'http://[2001:db8:1::2]:9999/')" 2001:db8:1::1 "... (IPv6)"
# ---- the host's loopback, by frames that no route of the zone's stops; the control: the same to the gateway's address ----
bridge=$(zc network show default -o json | jq -r .bridge) gw=$(zc network show default -o json | jq -r .gateway4)
bridge_mac=$(ip -j link show "$bridge" | jq -r '.[0].address')
cat >"$T/hear.py" <<'P'
import select, socket, sys
at = {}
for address in sys.argv[1:]:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 9998))
    at[s] = address
print("ready", flush=True)
while True:
    for s in select.select(at, [], [])[0]:
        print(at[s], s.recvfrom(9)[1], flush=True)
P
python3 "$T/hear.py" 127.0.0.1 127.0.0.53 "$gw" >"$T/heard" & hear=$!
until_ok grep -q ready "$T/heard"
sport=5000
pid=$(field web .pid)
forge() { # frames to the loopback, one behind them to the gateway, until that is heard
    sport=$((sport + 10))
    nsenter -n -t "$pid" "$here/frame.py" "$bridge_mac" "$addr" 127.0.0.1 $((sport + 1)) 9998
    nsenter -n -t "$pid" "$here/frame.py" "$bridge_mac" "$addr" 127.0.0.53 $((sport + 2)) 9998
    nsenter -n -t "$pid" "$here/frame.py" "$bridge_mac" 127.0.0.1 127.0.0.1 $((sport + 3)) 9998
    nsenter -n -t "$pid" "$here/frame.py" "$bridge_mac" "$addr" "$gw" $((sport + 4)) 9998
    until_ok grep -q "^$gw ('$addr', $((sport + 4)))" "$T/heard"
}
forge; ok $? "a zone's frame to a service at the gateway's address is heard (control)" "$(cat "$T/heard")"
is "$(grep -c ^127 "$T/heard")" 0 "... and none to the host's loopback, at any of its addresses"
port=$(ip -br link | awk '/^vz/ { sub("@.*", "", $1); print $1; exit }')
is "$(cat "/proc/sys/net/ipv6/conf/$port/disable_ipv6") $(ip -6 route show table all dev "$port" | wc -l)" "1 0" \
    "the host's end of a zone's link has no IPv6 of its own, nor a route in its table"
kill9_zoned # nobody mends its table now
handle() { nft -a list chain inet "$inst" first | sed -n 's/.*ip daddr 127.0.0.0\/8 iifname @bridges drop # handle //p'; }
nft delete rule inet "$inst" first handle "$(handle)"
forge
is "$(grep -c ^127 "$T/heard")" 2 "... which hears them where our rule is not"
start_zoned
like "$(nft list chain inet "$inst" first)" "ip daddr 127.0.0.0/8 iifname @bridges drop" "... and the next zoned puts it back"
kill $hear; wait $hear 2>/dev/null
status_is 4 "a port that another zone publishes is refused" bash -c "$BIN/zonectl create c3 -p 8080:80 --image host -- sleep 9 && $BIN/zonectl start c3"
(busybox nc -l -p 8099 >/dev/null 2>&1 & echo $! >"$T/nc2")
sleep 0.2
zc set c3 'network[0].ports[0]=8099:80' >/dev/null
status_is 4 "a port that a program holds is refused" zc start c3
kill "$(cat "$T/nc2")" 2>/dev/null
status_is 0 "live: another port on a running zone" zc set web 'network[0].ports[]=8085:80'
is "$(get http://127.0.0.1:8085/)" web "... which serves at once"
zc stop -t 1 web && zc start web
is "$(field web '.network[0].addresses[0]')" "$addr" "the address is stable over a restart"
status_is 7 "an address outside the network" bash -c "$BIN/zonectl create c4 --address 203.0.113.9 --image host -- sleep 9"
status_is 4 "an address that is taken" zc create c5 --address "$addr" --image host -- sleep 9
like "$(zc run --rm --network none host busybox ip -o link)" "^1: lo" "link: none has loopback alone"
is "$(zc run --rm --network none host busybox ip -o link | wc -l)" 1 "... and nothing else"
is "$(zc run --rm --network host host busybox ip -o link | grep -c ': up0')" 1 "link: host sees the host's links"
like "$(zc exec web -- cat /etc/hosts)" "$addr.*web" "/etc/hosts knows the zone"
zc delete --force web two c3 >/dev/null
nothing_left
is "$(nft list table inet mine)" "$foreign" "a foreign table is untouched"
stop_zoned
is "$(cat /proc/sys/net/ipv4/ip_forward)" "${FORWARD:-0}" "forwarding is as it was"
is "$(sysctl -n net.ipv6.conf.up0.accept_ra)" 1 "... and what is taken of router advertisements"
is "$(nft list tables)" "table inet mine" "only the foreign table is left"
