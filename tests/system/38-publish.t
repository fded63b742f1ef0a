#!/usr/bin/env bash
# Publishing under strain: ranges, shifted ones, SCTP's rules, hairpin, forged packets to localhost, thousands of ports, changes
# under a transfer, and a kill in the midst of starts and stops.
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
begin
map_size() { nft -j list map inet "$inst" "$1" | jq '[.nftables[].map? // empty | .elem // [] | length] | add'; }
# ---- ranges ----
zc network create app
zc create u --network app --set 'network[0].ports=["7000-7019:8000-8019/udp", "127.0.0.1:7100:8000/udp", "6000-6100:6000-6100", "9999:99/sctp", "[2001:db8:1::1]:7200:80", "7300:80"]' \
    --image host -- sleep 1000 && zc start u
ok $? "ranges, shifted, one address, SCTP, IPv6"
cat >"$T/echo.py" <<'P'
import select, socket, sys
socks = []
for port in map(int, sys.argv[1].split(",")):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)  # and IPv4
    s.bind(("::", port))
    socks.append(s)
while True:
    for s in select.select(socks, [], [])[0]:
        data, who = s.recvfrom(100)
        s.sendto(b"%d" % s.getsockname()[1], who)
P
cat >"$T/ask.py" <<'P'
import socket, sys
for port in map(int, sys.argv[2].split(",")):
    s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    s.sendto(b"x", (sys.argv[1], port))
    try:
        print(s.recvfrom(100)[0].decode(), end=" ")
    except OSError as e:
        print("none", end=" ")
P
nsenter -n -t "$(field u .pid)" python3 "$T/echo.py" "$(seq -s, 8000 8019)" &
nsenter -n -t "$(field u .pid)" "$here/peer.py" :: 80 &
nsenter -n -t "$(field u .pid)" "$here/peer.py" :: 6077 &
for p in 7300 6077; do until_ok lan curl -fs -m 1 http://192.0.2.1:$p/ >/dev/null; done
is "$(lan python3 "$T/ask.py" 192.0.2.1 "$(seq -s, 7000 7019)" | xargs)" "$(seq 8000 8019 | xargs)" "a shifted range: every port to its own"
is "$(lan python3 "$T/ask.py" 2001:db8:1::1 "$(seq -s, 7000 7019)" | xargs)" "$(seq 8000 8019 | xargs)" "... over IPv6"
is "$(lan curl -fs -m 2 http://192.0.2.1:6077/)" 192.0.2.2 "a port inside a range; the source is kept"
is "$(lan curl -fs -m 2 'http://[2001:db8:1::1]:7200/')" 2001:db8:1::2 "IPv6, the source is kept"
is "$(python3 "$T/ask.py" 127.0.0.1 7100)" "8000 " "localhost alone: from here"
is "$(lan python3 "$T/ask.py" 192.0.2.1 7100)" "none " "... and not from the LAN"
nft list map inet "$inst" any4 | grep -q "sctp . 9999 : $(addr u) . 99"; ok $? "SCTP has its rule"
# ---- long ranges, each on one address: more ports than sockets are held for ----
zc create long --network app --set 'network[0].ports=["127.0.0.1:6500-6600:6500-6600", "[2001:db8:1::1]:6700-6800:6700-6800", "192.0.2.1:6900-7000:6900-7000"]' \
    --image host -- sleep 1000 && zc start long
ok $? "101 ports on localhost, as many on an IPv6 and on an IPv4 address"
for p in 6500 6550 6600 6700 6750 6800 6900 6950 7000; do nsenter -n -t "$(field long .pid)" "$here/peer.py" :: $p & done
gw=$(zc network show app -o json | jq -r .gateway4)
answers() { for p in "${@:3}"; do tries=50 until_ok "$1" curl -fs -o /dev/null -m 1 "http://$2:$p/"; "$1" curl -fs -m 2 "http://$2:$p/"; done | xargs; }
closed() { for p in "${@:3}"; do "$1" curl -fs -m 0.6 "http://$2:$p/"; done; }
is "$(answers env 127.0.0.1 6500 6550 6600)" "$gw $gw $gw" "... localhost: the first, the middle and the last"
is "$(answers lan '[2001:db8:1::1]' 6700 6750 6800)" "2001:db8:1::2 2001:db8:1::2 2001:db8:1::2" "... IPv6"
is "$(answers lan 192.0.2.1 6900 6950 7000)" "192.0.2.2 192.0.2.2 192.0.2.2" "... IPv4"
is "$(closed lan 192.0.2.1 6550 6750; closed lan '[2001:db8:1::1]' 6550 6950; closed env 127.0.0.1 6750 6950)" "" "... and none at another address"
zc delete --force long
# ---- forged: what is published on localhost, asked from the LAN by frames that no route of the LAN's stops ----
up_mac=$(ip -j link show up0 | jq -r '.[0].address')
nsenter -n -t "$(field u .pid)" tcpdump -lnni eth0 udp port 8000 >"$T/heard" 2>"$T/td" & td=$!
tcpdump -lnni up0 udp and dst 127.0.0.1 >"$T/seen" 2>"$T/td2" & td2=$!
until_ok grep -qs listening "$T/td" && until_ok grep -qs listening "$T/td2"
sport=5000
forge() { # forge: two frames to 127.0.0.1:7100, and behind them a frame like them to a port that is published for all
    sport=$((sport + 10))
    lan "$here/frame.py" "$up_mac" 192.0.2.2 127.0.0.1 $((sport + 1)) 7100
    lan "$here/frame.py" "$up_mac" 127.0.0.1 127.0.0.1 $((sport + 2)) 7100
    lan "$here/frame.py" "$up_mac" 192.0.2.2 192.0.2.1 $((sport + 3)) 7000
    until_ok grep -q "\.$((sport + 3)) >" "$T/heard"
}
for local in 0 1; do
    sysctl -qw net.ipv4.conf.up0.route_localnet=$local
    forge; ok $? "route_localnet=$local on the LAN's link: (control: a frame to a port published for all is heard by the zone)"
    is "$(grep -cE "\.$((sport + 1)) >|\.$((sport + 2)) >" "$T/heard")" 0 "... one to 127.0.0.1 is not"
    is "$(eventually 2 grep -cE "\.$((sport + 1)) >|\.$((sport + 2)) >" "$T/seen")" 2 "... (both came as far as the host)"
done
kill9_zoned # nobody mends its table now
nft delete rule inet "$inst" prerouting handle "$(nft -a list chain inet "$inst" prerouting | sed -n 's/.*ip daddr 127.0.0.0\/8 return # handle //p')"
forge
grep -q "\.$((sport + 1)) >" "$T/heard"; ok $? "... and is heard where our rule is not"
sysctl -qw net.ipv4.conf.up0.route_localnet=0
start_zoned
like "$(nft list chain inet "$inst" prerouting)" "ip daddr 127.0.0.0/8 return" "the next zoned puts it back"
kill $td $td2; wait $td $td2
# ---- hairpin ----
zc create v --network app -p 7400:80 --image host -- sleep 1000 && zc create w --image host -- sleep 1000 && zc start v w
nsenter -n -t "$(field v .pid)" "$here/peer.py" 0.0.0.0 80 &
gw=$(zc network show app -o json | jq -r .gateway4)
until_ok eval '[ -n "$(lan curl -fs -m 1 http://192.0.2.1:7400/)" ]'
is "$(ns v curl -fs -m 2 http://192.0.2.1:7400/)" "$gw" "a zone reaches its own published port (from the gateway)"
is "$(ns u curl -fs -m 2 http://192.0.2.1:7400/)" "$gw" "... and another's on its network"
is "$(ns w curl -fs -m 2 http://192.0.2.1:7400/)" "$(addr w)" "... and one of another network, from its own address"
ns w curl -fs -m 0.6 "http://$(addr v)/" >/dev/null; [ $? = 28 ]; ok $? "... which it does not reach directly"
zc create two --set 'network=[{link: default}, {link: app, ports: ["7450:80"]}]' --image host -- sleep 1000 && zc start two
nsenter -n -t "$(field two .pid)" "$here/peer.py" :: 80 &
until_ok lan curl -fs -m 1 -o /dev/null http://192.0.2.1:7450/
gw6=$(zc network show app -o json | jq -r .gateway6)
is "$(ns two curl -fs -m 2 http://192.0.2.1:7450/)" "$gw" "a zone reaches its own port on another link than that by which it asks (from the gateway)"
is "$(ns two curl -fs -m 2 'http://[2001:db8:1::1]:7450/')" "$gw6" "... over IPv6"
selves() { nft -j list ruleset | jq '[.nftables[].set? // empty | select(.name | test("^self[46]$")) | .elem // [] | length] | add'; }
is "$(selves)" 2 "... which is known by one pair of addresses for each family"
zc set two 'network=[{link: app, ports: ["7450:80"]}]' >/dev/null
is "$(selves)" 0 "... no more when it leaves that link"
zc set two 'network=[{link: default}, {link: app, ports: ["7450:80"]}]' >/dev/null
is "$(selves) $(ns two curl -fs -m 2 http://192.0.2.1:7450/)" "2 $gw" "... and again when it joins"
zc delete --force two
is "$(selves)" 0 "... nor after it is gone"
# ... and published ports are open to the network's own zones whatever its policy, and whoever carries the packet (br_netfilter)
zc network set app --policy deny >/dev/null
for z in u v; do ns $z ip neigh flush all; done
is "$(ns u curl -fs -m 2 http://192.0.2.1:7400/)" "$gw" "policy deny: another's published port is reached"
is "$(ns u curl -fs -m 2 'http://[2001:db8:1::1]:7300/')" "$gw6" "... and one's own, over IPv6"
ns u curl -fs -m 0.6 "http://$(addr v)/" >/dev/null; [ $? = 28 ]; ok $? "... and not the zone itself"
is "$(ns v python3 "$T/ask.py" 192.0.2.1 7003)" "8003 " "... UDP"
ns v python3 - <<'P'; ok $? "... a conversation of it"
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
for i in range(5):
    s.sendto(b"x", ("192.0.2.1", 7003))
    s.recv(100)
P
is "$(ns v python3 "$T/ask.py" "$(addr u)" 8003)" "none " "... and not directly"
like "$(zc network explain v 80 u)" "yes on app: published" "explain knows"
like "$(zc network explain v "$(field v '.network[0].ports[0]' | sed 's/:[^:]*$//; s/.*://')" 2>&1)" \
    "no on app: [0-9]+ is a port of the host: behind it is the zone's port [0-9]+" "... and a port of the host for what it is"
like "$(zc network explain v 81 u)" "no on app: .*policy" "... and what is not"
zc create loc --network default -p 127.0.0.1:5432:5432 -p 127.0.0.1:5431:531 -p 0.0.0.0:5353:5353/udp -p 5454:54/udp --image host -- sleep 1000
like "$(zc network explain loc 5432 v)" "no on default: published on 127.0.0.1:5432, for this host alone" "... what is published on the host's loopback"
like "$(zc network explain loc 5431 v)" "no on default: no network in common" "... whose number there is nobody else's"
like "$(zc network explain loc 5353/udp 2001:db8:1::2)" "no on default: not published" "... what is published over IPv4 alone"
like "$(zc network explain loc 5454/udp v)" "zonectl network explain loc 54/udp v says who" "... and whom to ask about"
zc delete loc
zc network set app --policy allow >/dev/null
(cd "$T" && exec python3 -m http.server -b 127.0.0.1 7500 >/dev/null 2>&1) >/dev/null 2>&1 & # for below
until_ok curl -fs -m 1 -o /dev/null http://127.0.0.1:7500/
# ---- live ----
zc set v 'network[0].ports=["7401:80"]' >/dev/null
[ -n "$(lan curl -fs -m 2 http://192.0.2.1:7401/)" ]; ok $? "ports change on a running zone"
lan curl -fs -m 0.6 http://192.0.2.1:7400/ >/dev/null; [ $? != 0 ]; ok $? "... the old one is closed"
status_is 4 "a port of another zone" zc set v 'network[0].ports=["7300:80"]'
[ -n "$(lan curl -fs -m 2 http://192.0.2.1:7401/)" ]; ok $? "... leaves what was"
status_is 4 "a port of a program of the host" zc set v 'network[0].ports=["127.0.0.1:7500:80"]'
like "$out" "python3" "... by its name"
for bad in 127.0.0.2:9001:80 224.0.0.1:9001:80 255.255.255.255:9001:80 0.1.2.3:9001:80 "[::1]:9001:80" "[ff02::1]:9001:80"; do
    status_is 7 "nobody would hear ${bad%:9001:80}" zc set v "network[0].ports=[\"$bad\"]"
done
zc set v 'network[0].ports=["0.0.0.0:7402:80", "[::]:7403:81"]' >/dev/null
nsenter -n -t "$(field v .pid)" "$here/peer.py" :: 81 &
until_ok curl -fs -m 1 "http://[$(addr v 0 1)]:81/" >/dev/null
reaches() { [ -n "$(lan curl -fs -m 1 "http://$1/")" ] && echo yes || echo no; }
is "$(reaches 192.0.2.1:7402) $(reaches '[2001:db8:1::1]:7402')" "yes no" "0.0.0.0 is all of IPv4 and nothing else"
is "$(reaches 192.0.2.1:7403) $(reaches '[2001:db8:1::1]:7403')" "no yes" "... and :: of IPv6"
is "$(python3 -c 'import socket; s = socket.create_connection(("127.0.0.1", 7402), 2); print("yes")' 2>&1)" yes "... localhost is of the former"
status_is 4 "... which another zone cannot publish on an address of it" zc set w 'network=[{link: default, ports: ["192.0.2.1:7402:80"]}]'
status_is 0 "... but on one of IPv6" zc set w 'network=[{link: default, ports: ["[2001:db8:1::1]:7402:80"]}]'
like "$(zc set w 'network=[{link: default, ports: ["203.0.113.9:7409:80", "192.0.2.1:7410:80", "127.0.0.1:7411:80", "[::]:7412:80"]}]' 2>&1)" \
    "no address 203.0.113.9 now: until it has, nobody reaches port 7409 there" "an address that the host does not have may come: it is said"
is "$(zc set w labels.x=y 2>&1 | grep -c "has no address")" 0 "... once"
like "$(zc set w 'network[1]={link: app, ports: ["203.0.113.9:7419:80", "192.0.2.1:7420:80"]}' 2>&1)" "network.1..ports: .*7419" "... also of a link that comes"
zc set w 'network[1]=' >/dev/null
like "$(zc doctor)" "zone w: .*no address 203.0.113.9 now: until it has, nobody reaches port 7409 there" "... doctor says so, too"
ip addr add 203.0.113.9/32 dev up0
is "$(zc doctor | grep -c 203.0.113.9)" 0 "... until it has it"
nsenter -n -t "$(field w .pid)" "$here/peer.py" 0.0.0.0 80 &
until_ok lan curl -fs -m 1 -o /dev/null http://192.0.2.1:7410/
lan ip route add 203.0.113.9/32 via 192.0.2.1
is "$(lan curl -fs -m 2 http://203.0.113.9:7409/)" 192.0.2.2 "... and when it comes the port is there"
ip addr del 203.0.113.9/32 dev up0
status_is 4 "the port of zones' own names, on all addresses" zc set w 'network=[{link: default, ports: ["53:53/udp"]}]'
like "$out" "hint: zones' own names are answered at port 53" "... with the remedy"
status_is 0 "... which works" zc set w 'network=[{link: default, ports: ["192.0.2.1:53:53/udp"]}]'
# ---- held ----
zc set w 'network=[{link: default, ports: ["6600-6700:6600-6700", "7404:80"]}]' >/dev/null
binds() { python3 -c 'import socket, sys; s = socket.socket(); s.bind(("", int(sys.argv[1])))' "$1" 2>&1 | tail -1; }
like "$(binds 7404)" "in use" "a program of the host cannot take a published port, whatever range stands before it"
is "$(binds 6690)" "" "... but for those beyond the 64 that are held"
doctor=$(zc doctor -o json)
is "$(jq -c "map(select(.check | startswith(\"network: no program\")).ok)" <<<"$doctor")" "[true]" "doctor has looked"
python3 -m http.server -b 127.0.0.1 6690 >/dev/null 2>&1 &
until_ok curl -fs -m 1 -o /dev/null http://127.0.0.1:6690/ # bound alone it would be nobody's
like "$(zc doctor)" "zone w publishes it: port 6690/tcp is in use by python3" "... and names the program that has taken one since"
zc set w 'network=[{link: default}]' >/dev/null; zc set v 'network[0].ports=["7401:80"]' >/dev/null
for bad in 0:80 65536:80 80:0 90-80:90-80 1-100:1-99 "1-2000:3000-4999" x:80 1.2.3:80:80 80:80/icmp; do
    status_is "$([ "$bad" = 1-2000:3000-4999 ] && echo 8 || echo 7)" "port $bad is refused" zc set v "network[0].ports=[\"$bad\"]"
done
status_is 7 "ranges that overlap" zc set v 'network[0].ports=["100-110:100-110", "105:80"]'
# ---- 2,000 ----
ports() { python3 -c "print('network=[{link: app, ports: [' + ', '.join('\"%d:%d\"' % (p, p % 1000 + 1) for p in range($1, $1 + 1000)) + ']}]')"; }
zc create p1 --image host --set "$(ports 20000)" -- sleep 1000 && zc create p2 --image host --set "$(ports 21000)" -- sleep 1000
status_is 0 "2,000 published ports" zc start p1 p2
is "$(map_size any4)" "$((2000 + 20 + 1 + 1 + 1))" "... are 2,000 elements more"
nsenter -n -t "$(field p2 .pid)" "$here/peer.py" :: 1000 >/dev/null 2>&1 &
until_ok lan curl -fs -m 1 http://192.0.2.1:21999/ >/dev/null
is "$(lan curl -fs -m 2 http://192.0.2.1:21999/)" 192.0.2.2 "... the last of them works"
zc stop -t 0 p1 p2 >/dev/null
is "$(map_size any4)" 23 "... and all go"
zc delete p1 p2
# ---- a transfer ----
nsenter -n -t "$(field v .pid)" iperf3 -s -p 90 -1 >"$T/iperf-server" 2>&1 & iperf=$!
zc set v 'network[0].ports=["7401:90"]' >/dev/null
listens() { ns v ss -tln | grep -q ':90 '; }
until_ok listens
(i=0; while [ ! -e "$T/done" ] && [ $i -lt 300 ]; do i=$((i + 1)); zc set v "network[0].ports=[\"7401:90\", \"$((7410 + i % 5)):81\"]" >/dev/null; zc network set app --rule "from label n=$i deny tcp $i" --rule "allow tcp 1-65535" >/dev/null 2>&1; sleep 0.1; done; echo $i >"$T/changes") & changer=$!
lan iperf3 -c 192.0.2.1 -p 7401 -n 1G -J >"$T/iperf.json" 2>&1
ok $? "1 GB while rules and ports are replaced ten times a second" "$(jq -r .error "$T/iperf.json")"
touch "$T/done"; wait $changer; kill $iperf 2>/dev/null; wait $iperf 2>/dev/null
# the server counts until the client's word, which may overtake the last of the data
is "$(jq -r '.error // (.end.sum_sent.bytes >= 1073000000 and .end.sum_received.bytes >= 1050000000)' "$T/iperf.json")" true "... no reset, all sent, and arrived ($(jq -r .end.sum_received.bytes "$T/iperf.json") bytes, $(cat "$T/changes") changes, $(jq '(.end.sum_received.bits_per_second // 0) / 1e9 * 100 | round / 100' "$T/iperf.json") Gbit/s)"
# ---- kill in the midst: KILL_ROUNDS times, among so many starts and KILL_ZONES starts and stops each (at most 900) ----
zc network set app --rule '' >/dev/null
for round in $(seq "${KILL_ROUNDS:-2}"); do
    (for i in $(seq "${KILL_ZONES:-50}"); do zc run -d --rm --name "k$i" --network app -p "$((30000 + i)):80" host sleep 1000 >/dev/null 2>&1; done) & a=$!
    (for i in $(seq "${KILL_ZONES:-50}"); do zc run --rm --name "s$i" -l tier=x -p "$((31000 + i)):80" host true >/dev/null 2>&1; done) & b=$!
    sleep "$((RANDOM % 2)).$((RANDOM % 10))"
    kill9_zoned
    start_zoned
    wait $a $b
done
settled() { [ "$(zc list -o json | jq '[.[] | select(.state == "ready" or .state == "shutting_down")] | length')" = 0 ]; }
until_ok settled
running() { zc list -o json | jq '[.[] | select(.state == "running") | select(.name | test("^[ks][0-9]"))] | length'; }
[ "$(running)" -gt 0 ]; ok $? "zoned killed among starts and stops: some run ($(running))"
for family in 4 6; do
    zc list -o json | jq -r ".[] | select(.state == \"running\") | .network[] | .addresses[$((family / 6))]" | sort >"$T/want"
    nft -j list set bridge "$inst" src$family | jq -r '.nftables[].set? // empty | .elem[]? | .concat[2]' | grep -v '^fe80::' | sort >"$T/have"
    same "$(cat "$T/have")" "$(cat "$T/want")" "... IPv$family addresses in the tables are those of the running zones ($(wc -l <"$T/want"))"
    is "$(nft -j list map inet "$inst" any$family | jq -r '[.nftables[].map? // empty | .elem[]?[0].concat[1] | select(. > 30000)] | length')" \
        "$(running)" "... and ports"
done
is "$(ip -o link | grep -c ' vz')" "$(wc -l <"$T/want")" "... so are links"
zc list -o json | jq -r '.[] | select(.state == "running") | .name' | sort >"$T/running"
same "$(ls "$ROOT/run/names/app/shown/hosts" "$ROOT/run/names/default/shown/hosts" | grep -v -e : -e '^$' | sort)" "$(cat "$T/running")" "... and names"
zc list -o json | jq -r '.[].network[].addresses[0]' | sort >"$T/all"
is "$(zc network list -o json | jq '[.[].addresses_used] | add')" "$(wc -l <"$T/all")" "... and leases are those of the zones that are there"
is "$(uniq -d "$T/all")" "" "... none of them twice"
zc delete --force $(zc list -q) >/dev/null
zc network delete app
for set in flows4 flows6 openers; do nft flush set bridge "$inst" $set; done # ways back that time out by themselves
nothing_left
finish
