#!/usr/bin/env bash
# What a zone with raw sockets may not do to its neighbours, to the host and to the LAN: take their MACs and addresses, be a router,
# get round the rules by what they do not name, or use up what all share.
. "$(dirname "$0")/lib.sh"
begin
forge() { nsenter -n -t "$(field "$1" .pid)" "$here/forge.py" "${@:2}"; }
mac() { ns "$1" ip -j link show dev eth0 | jq -r '.[0].address'; }
local6() { ns "$1" ip -j -6 addr show dev eth0 | jq -r '[.[0].addr_info[] | select(.scope == "link")][0].local'; }
net() { zc network show "$1" -o json | jq -r "$2"; }
plain() { zc create "$1" --network "$2" --cap-add NET_RAW --image host -- sleep 1000 && zc start "$1"; }
zc network create app >/dev/null && zc network create shut --type sealed >/dev/null
for z in bad good third; do plain $z app >/dev/null; done
plain inner shut >/dev/null
bridge=$(net app .bridge)
ns third ping -c 1 -W 2 "$(addr good)" >/dev/null; ok $? "(control: zones reach each other)"
# ---- frames for the bridge itself ----
place() { bridge fdb show br "$bridge" | grep "^$(mac good) " | sort; }
was=$(place)
forge bad learn "$(mac good)" 3
same "$(place)" "$was" "a neighbour's MAC stays at its port"
was=$(bridge fdb show br "$bridge" | wc -l)
forge bad learn - 2000
is "$(bridge fdb show br "$bridge" | wc -l)" "$was" "nobody fills the bridge's memory"
socat -u UDP4-RECV:9999,reuseaddr "OPEN:$T/got,creat,append" & heard=$!
until_ok grep -q ':270F' /proc/net/udp
echo x | socat -u - "UDP4:$(net shut .gateway4):9999"
until_ok test -s "$T/got"; ok $? "(control: the host hears itself)"
: >"$T/got"
for src in "$(addr inner)" "$(addr good)" 203.0.113.7; do forge inner bridge "$src" "$(net shut .gateway4)" 9999; done
echo last | socat -u - "UDP4:$(net shut .gateway4):9999"
until_ok grep -q last "$T/got"
is "$(cat "$T/got")" last "and nothing of them comes to the host, past its rules"
kill $heard; wait $heard 2>/dev/null
# ---- neighbours (IPv6) ----
zc create asker --network app --set 'network=[{link: app, dhcp: true}]' --cap-add NET_ADMIN --cap-add NET_RAW --image host -- sleep 1000 && zc start asker >/dev/null
way() { ns asker ip -6 route show default | sed -n 's/^default via \([^ ]*\) .*/\1/p'; }
until_ok eval '[ -n "$(way)" ]'
gw=$(way)
until_ok ns asker ping -c 1 -W 1 "$gw%eth0" >/dev/null
at() { ns asker ip -6 neigh show "$gw" | grep -o 'lladdr [^ ]*'; }
was=$(at)
for _ in 1 2 3; do
    forge bad ns "$(mac asker)" "$gw" "$(local6 asker)"
    forge bad na "$(mac asker)" "$gw" "$(local6 asker)" "$gw"
    forge bad na "$(mac asker)" "$(local6 bad)" "$(local6 asker)" "$gw"
done
is "$(at)" "$was" "the gateway's link-local address stays at its MAC"
until_ok ns third ping -c 1 -W 1 "$(local6 good)%eth0" >/dev/null; ok $? "(control: zones reach each other by link-local addresses)"
forge bad na "$(mac third)" "$(local6 bad)" "$(local6 third)" "$(local6 good)"
like "$(ns third ip -6 neigh show "$(local6 good)")" "lladdr $(mac good)" "... a neighbour's too"
forge bad dad 4 >"$T/dad" & dad=$!
until_ok grep -q . "/proc/$dad/cmdline"
ns asker ip link set eth0 down && ns asker ip link set eth0 up
wait $dad
like "$(cat "$T/dad")" "asked fe80::|asked $(addr asker 0 1)" "(who takes an address asks first, and that is heard)"
is "$(ns asker ip -6 addr show dev eth0 | grep -c dadfailed)" 0 "... but nobody else keeps it from him"
# ---- past the rules ----
serve() { nsenter -n -t "$(field "$1" .pid)" "$here/peer.py" :: "$2" & }
serve good 80
reaches() { ns third curl -fsS -g -m "${2:-1}" -o /dev/null "http://$1:80/" 2>/dev/null; }
link="[$(local6 good)%eth0]"
until_ok reaches "$link"; ok $? "(control: a service at a link-local address)"
listen() { # FAMILY FILE: what good hears, until hush; it listens when this returns
    nsenter -n -t "$(field good .pid)" timeout 120 socat -u "UDP$1-RECV:5000,reuseaddr$([ "$1" = 4 ] || echo ,ipv6only=1)" "OPEN:$2,creat,trunc" 2>/dev/null & listeners="$listeners $!"
    until_ok ns good grep -q :1388 "/proc/net/udp${1%4}"
}
listeners=
hush() { sleep 0.5; kill $listeners; wait $listeners 2>/dev/null; listeners=; }
says() { # to all, by IPv4 and IPv6
    ns third python3 -c "
import socket
s = socket.socket(); s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for to in '255.255.255.255', '$(ns good ip -j -4 addr show eth0 | jq -r '.[0].addr_info[0].broadcast')': s.sendto(b'said\n', (to, 5000))
t = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
t.sendto(b'said\n', ('ff02::1', 5000, 0, socket.if_nametoindex('eth0')))"
}
count() { # what good hears of it
    for f in 4 6; do listen $f "$T/heard$f"; done
    says
    hush
    echo "$(grep -c said "$T/heard4") $(grep -c said "$T/heard6")"
}
is "$(count)" "2 1" "(control: what is said to all is heard)"
zc network set app --policy deny >/dev/null
! reaches "$link"; ok $? "policy deny holds for link-local addresses"
zc network create side --rule "allow tcp 80" >/dev/null
zc create both --set 'network=[{link: app}, {link: side}]' --image host -- sleep 1000 && zc start both >/dev/null && plain beside side >/dev/null
gets() { # TRIES ZONE 0|1 LINK: does zone both get a datagram of it for its address on side, sent to its MAC on what they share?
    local mac from to r
    mac=$(ns both ip -j link show dev "$4" | jq -r '.[0].address') from=$(addr "$2" 0 "$3") to=$(addr both 1 "$3")
    : >"$T/gets" >"$T/gets.said"
    nsenter -n -t "$(field both .pid)" timeout 60 tcpdump -l -nni "$4" "dst $to and udp port 5000" >"$T/gets" 2>"$T/gets.said" & local dump=$!
    until_ok grep -q listening "$T/gets.said"
    nsenter -n -t "$(field "$2" .pid)" "$here/frame.py" "$mac" "$from" "$to" 5000 5000
    tries=$1 until_ok test -s "$T/gets"; r=$?
    kill $dump; wait $dump 2>/dev/null
    return $r
}
for f in 0 1; do
    ! gets 10 third $f eth0; ok $? "... and for a neighbour's address on another network ($((f * 2 + 4)))"
    gets 100 beside $f eth1; ok $? "(control: there it is reached)"
done
zc network set side --rule "to zone both deny tcp 22" >/dev/null
for f in 0 1; do ! gets 10 third $f eth0; ok $? "... also where something is denied on the other ($((f * 2 + 4)))"; done
gets 100 beside 0 eth1; ok $? "(control: there it is reached)"
zc network set app --policy allow >/dev/null
gets 100 third 0 eth0; ok $? "(control: without a denial it passes)"
zc delete --force both beside >/dev/null && zc network set app --policy deny >/dev/null && zc network delete side
is "$(count)" "0 0" "... and for what is said to all"
ns third ping -c 1 -W 2 "$(net app .gateway4)" >/dev/null; ok $? "... the gateway stays"
zc network set app --policy allow --rule "to zone third deny" >/dev/null
! reaches "$link"; ok $? "any rule that denies closes them"
zc network set app --rule "from zone third to zone good allow udp 5000" --rule "to zone good deny" >/dev/null
big() { ns third python3 -c "import socket; socket.socket(socket.AF_INET$1, socket.SOCK_DGRAM).sendto(b'said' * 1000, ('$2', 5000))"; }
for f in 4 6; do
    listen $f "$T/big$f"
    if [ $f = 4 ]; then big "" "$(addr good)"; else big 6 "$(addr good 0 1)"; fi
    hush
    is "$(grep -c said "$T/big$f")" 1 "a rule that allows allows fragments (IPv$f)"
done
zc network set app --rule "to zone good deny udp 5000" >/dev/null
listen 6 "$T/nested"
forge third nested "$(mac good)" "$(addr third 0 1)" "$(addr good 0 1)" 5000
hush
is "$(grep -c xx "$T/nested")" 0 "headers cut in pieces are no way round one that denies"
# ---- what all share ----
echo_udp() { nsenter -n -t "$(field "$1" .pid)" socat "UDP4-RECVFROM:$2,fork,reuseaddr" EXEC:cat >/dev/null 2>&1 & }
zc network set app --rule "to zone good allow udp" --rule "deny udp" >/dev/null
echo_udp good 6000
answered() { [ "$(echo hi | ns third timeout 1 socat -T 0.5 - "UDP4:$(addr good):6000" 2>/dev/null)" = hi ]; }
until_ok answered; ok $? "(control: answers by UDP)"
ns bad python3 -c "
import socket
for _ in range(2):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in range(7000, 27000):
        try: s.sendto(b'', ('$(addr good)', port))
        except OSError: pass"
ways=$(nft -j list set bridge "$inst" flows4 | jq '[.nftables[] | select(.set)][0].set.elem | length')
[ "$ways" -lt 5000 ]; ok $? "one zone does not fill the set of ways back" "$ways"
until_ok answered; ok $? "... and others have theirs"
zc network set app --rule '' >/dev/null
ns bad python3 -c "
import socket, time
kept = []
for _ in range(40):
    try: kept.append(socket.create_connection(('$(net app .gateway4)', 53), 0.3))
    except OSError: break
print(len(kept), flush=True)
time.sleep(30)" >"$T/kept" & kept=$!
until_ok test -s "$T/kept"
like "$(cat "$T/kept")" "^[1-9][0-9]?\$" "(connections that say nothing to the resolver: $(cat "$T/kept"))"
is "$(ns third dig +tcp +short +time=3 +tries=1 @"$(net app .gateway4)" good.zone.internal)" "$(addr good)" "others are answered by TCP"
kill $kept; wait $kept 2>/dev/null
# ---- a LAN ----
ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up
zc network create seg --type bridge --parent lan0 >/dev/null
plain guest seg >/dev/null
timeout 20 tcpdump -lnni lan1 icmp6 >"$T/lan" 2>"$T/lan.said" & dump=$!
until_ok grep -q listening "$T/lan.said"
for _ in 1 2 3; do forge guest ra; done
calls() { ns guest ping -c 1 -W 1 ff02::1%eth0 >/dev/null 2>&1; grep -q 'echo request' "$T/lan"; }
until_ok calls; ok $? "(control: what a zone says is heard on the LAN)"
kill $dump; wait $dump 2>/dev/null
is "$(grep -c 'router advertisement' "$T/lan")" 0 "a zone is no router on a LAN"
zc delete --force guest >/dev/null && zc network delete seg
# ---- two LANs, where two zones have the same addresses ----
ip link add lan2 type veth peer name lan3 && ip link set lan2 up && ip link set lan3 up
for l in 0 2; do
    zc network create seg$l --type bridge --parent lan$l --subnet 10.38.0.0/24 --subnet 2001:db8:38::/64 >/dev/null 2>&1
    zc create twin$l --set "network=[{link: seg$l, address: [10.38.0.5, \"2001:db8:38::5\"]}]" -l is=twin --image host -- sleep 1000 && zc start twin$l >/dev/null
done
zc create near --set 'network=[{link: seg2, address: [10.38.0.9, "2001:db8:38::9"]}]' --cap-add NET_RAW --image host -- sleep 1000 && zc start near >/dev/null
asks() { # twin2 takes its address anew: does anybody keep it from him?
    forge near dad 4 >"$T/dad" & local dad=$!
    until_ok eval '[ "$(ns near grep -c . /proc/net/packet)" -gt 1 ]'
    ns twin2 ip addr del 2001:db8:38::5/64 dev eth0
    ns twin2 ip addr add 2001:db8:38::5/64 dev eth0
    wait $dad
    like "$(cat "$T/dad")" "asked 2001:db8:38::5" "(who takes an address asks first, and that is heard)"
    is "$(ns twin2 ip -6 addr show dev eth0 | grep -c dadfailed)" 0 "$1"
}
twins() { nft list ruleset bridge | grep -c 'elements = .*10.38.0.5'; }
zc network set app --rule "from label is=twin deny" >/dev/null
is "$(twins)" 1 "(control: a rule knows an address that two zones have)"
asks "nobody takes an address that two zones have"
zc stop -t 0 twin0 >/dev/null
is "$(twins)" 1 "one of them stops: the rule still knows the other"
asks "... and nobody takes its address"
zc start twin0 >/dev/null && zc stop -t 0 twin2 >/dev/null && zc start twin2 >/dev/null
asks "... also after both came back"
zc stop -t 0 twin0 twin2 >/dev/null
is "$(twins)" 0 "(control: with the last, the rule forgets it)"
zc delete --force $(zc list -q) >/dev/null
zc network delete app shut seg0 seg2
ip link del lan0; ip link del lan2
for f in 4 6; do nft flush set bridge "$inst" flows$f; done
nft flush set bridge "$inst" openers
for f in 4 6; do nft flush set inet "$inst" talks$f; done
nothing_left
finish
