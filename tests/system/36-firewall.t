#!/usr/bin/env bash
# Rules between zones: by label, zone, network and address, on TCP, UDP and ping, IPv4 and IPv6, within a network and between
# two; relabelled and changed while they run; explained; and what a zone may not pretend to be.
. "$(dirname "$0")/lib.sh"
[ -n "${FORWARD:-}" ] && sysctl -qw net.ipv4.ip_forward="$FORWARD"
begin
from() { ns "$1" curl -fsS -m "${3:-2}" "$2" 2>/dev/null; }
closed() { from "$1" "$2" 0.6 >/dev/null; [ $? = 28 ]; ok $? "$3"; }
serve='mkdir -p /srv/www && hostname >/srv/www/index.html && busybox httpd -p [::]:80 -h /srv/www && busybox httpd -p [::]:81 -h /srv/www; exec sleep 1000'
echo_udp() { nsenter -n -t "$(field "$1" .pid)" socat UDP4-RECVFROM:"$2",fork,reuseaddr EXEC:cat >/dev/null 2>&1 & }
udp() { echo hi | ns "$1" timeout 1 socat -T 0.5 - "UDP4:$2:$3" 2>/dev/null; }
status_is 0 "a network" zc network create app
status_is 0 "another" zc network create far
for z in web:app:web db:app:db other:app:x remote:far:web; do
    IFS=: read -r name net tier <<<"$z"
    zc create "$name" --network "$net" -l tier="$tier" --image host -- sh -c "$serve" && zc start "$name"
    ok $? "zone $name on $net, tier=$tier"
done
db=$(addr db) db6=$(addr db 0 1)
for z in web other; do eventually db from $z "http://$db/" >/dev/null; done
is "$(from other "http://$db/")" db "without rules zones of a network reach each other"
closed remote "http://$db/" "... and those of others do not"
like "$(zc network explain db 80 other)" "yes on app: no rule fits: the policy of network app is allow" "explain says so"
like "$(zc network explain db 80 remote)" "no on app: no network in common" "... and why the other does not"
status_is 0 "rules by label" zc network set app --rule "from label tier=web to label tier=db allow tcp 80" \
    --rule "to label tier=db deny"
is "$(from web "http://$db/")" db "who is meant is let in (IPv4)"
is "$(from web "http://[$db6]/")" db "... (IPv6)"
closed web "http://$db:81/" "... to that port alone"
closed other "http://$db/" "who is not is kept out (IPv4)"
closed other "http://[$db6]/" "... (IPv6)"
is "$(from db "http://$(addr other)/")" other "the way out is open, and the answers come back"
is "$(from remote "http://$db/")" db "a rule opens the way between networks too"
closed remote "http://$(addr web)/" "... and no more than it says"
is "$(curl -fsS -m 2 "http://$db/")" db "the host itself is not judged"
echo_udp db 5000
echo_udp other 5000
sleep 0.3
is "$(udp other "$db" 5000)" "" "UDP is judged"
is "$(udp db "$(addr other)" 5000)" hi "... and answers come back"
ns other ping -c 1 -W 1 "$db" >/dev/null; [ $? != 0 ]; ok $? "ping is judged"
ns db ping -c 1 -W 1 "$(addr other)" >/dev/null; ok $? "... and answered"
like "$(zc network explain db 80 web)" "rule 1 of network app: from label tier=web to label tier=db allow tcp 80" "explain names the rule"
like "$(zc network explain db 80 other)" "no on app: rule 2 of network app" "... that denies"
is "$(zc network explain db 80 remote -o json | jq -c '[.allowed, .links[0].rule]')" \
    '[true,"from label tier=web to label tier=db allow tcp 80"]' "... as JSON"
is "$(zc network explain db 81/udp 10.1.2.3 -o json | jq .allowed)" false "... for an address"
# ---- relabel ----
status_is 0 "a zone gets another label" zc set other labels.tier=web
is "$(from other "http://$db/")" db "... and is let in at once"
zc set web labels.tier=x >/dev/null
closed web "http://$db/" "... and one that lost it is out"
zc set web labels.tier=web >/dev/null
zc stop -t 0 other >/dev/null && zc set other labels.tier=x >/dev/null && zc start other >/dev/null
closed other "http://$db/" "labels count from the start"
pid_web=$(field web .pid) pid_other=$(field other .pid)
kill9_zoned
is "$(nsenter -n -t "$pid_web" curl -fsS -m 2 "http://$db/")" db "zoned killed: rules stand"
nsenter -n -t "$pid_other" curl -fs -m 0.6 "http://$db/"; is $? 28 "... all of them"
start_zoned
closed other "http://$db/" "... and when it is back"
is "$(from web "http://$db/")" db "... for both"
# ---- other words ----
zc network set app --rule "from zone other to zone db allow udp 5000-5010" --rule "from network far to zone web allow" --policy deny
is "$(udp other "$db" 5000)" hi "a zone by its name, a range of ports"
closed web "http://$db/" "policy deny: nothing else within the network"
is "$(from remote "http://$(addr web)/")" web "a whole network by its name"
zc network set app --rule "from $(addr web)/32 allow icmp" --policy allow
ns web ping -c 1 -W 1 "$db" >/dev/null; ok $? "an address; ping"
status_is 0 "a rule that names nobody is taken" zc network set app --rule "from label tier=nowhere to zone db allow tcp 1"
like "$out" "no zone is label tier=nowhere" "... with a warning"
is "$(zc network show app -o json | jq -c .rules)" '["from label tier=nowhere to zone db allow tcp 1"]' "show has the rules"
for bad in "allow tcp 0" "allow tcp 65536" "allow tcp 90-80" "from label tier allow" "from nobody allow" "permit tcp 80" \
    "allow icmp 8" "allow tcp 80 81" "from zone Db allow" ""; do
    [ -n "$bad" ] || continue
    status_is 7 "refused: $bad" zc network set app --rule "$bad"
done
is "$(zc network show app -o json | jq -c '.rules | length')" 1 "... and nothing changed"
status_is 4 "a subnet does not change" bash -c "curl -sS --unix-socket '$ZONED_SOCKET' -X PATCH -d '{\"subnets\":[\"10.9.0.0/16\"]}' http://x/v1/networks/app | grep -q 'cannot change' && exit 4"
status_is 3 "reach a network that is not" zc network set app --reach nowhere
zc network set app --reach far --rule ''
is "$(from web "http://$(addr remote)/")" remote "reach comes at once"
zc network set app --reach ''
closed web "http://$(addr remote)/" "... and goes"
is "$(nft list ruleset | grep -cE 'set m[0-9a-f]{16}')" 0 "rules that are gone leave no set"
# ---- many ----
{ printf 'version: 1\nnetwork: many\nrules:\n'; for i in $(seq 9999); do echo "  - from label n=$((i % 50)) deny tcp $((i % 60000 + 1))"; done; echo '  - from zone web allow tcp 80'; } >"$T/many.yaml"
python3 - "$T/many.yaml" >"$T/many.json" <<'P'
import json, sys
rules = [l[4:].strip() for l in open(sys.argv[1]) if l.startswith("  - ")]
print(json.dumps({"network": "many", "rules": rules}))
P
is "$(curl -sS --unix-socket "$ZONED_SOCKET" -X POST --data-binary "@$T/many.json" http://x/v1/networks | jq -r '.name // .error.message')" many "10,000 rules"
is "$(jq -c '.network = "more" | .rules += ["allow tcp 1"]' "$T/many.json" | curl -sS --unix-socket "$ZONED_SOCKET" -X POST --data-binary @- http://x/v1/networks | jq -r .error.kind)" limit "one more is refused"
is "$(zc network list -o json | jq '[.[] | select(.name == "more")] | length')" 0 "... and nothing is left of it"
zc create m --network many --image host -- sh -c "$serve" && zc create m2 --network many -l n=7 --image host -- sleep 1000 && zc start m m2
ok $? "... zones start under them"
eventually m curl -fs -m 1 "http://$(addr m)/" >/dev/null
is "$(from m2 "http://$(addr m)/")" m "... and are judged"
zc network set many --rule "from label n=7 deny tcp 80" >/dev/null
closed m2 "http://$(addr m)/" "... by what replaces them"
is "$(grep -c "another program changed" "$T/zoned.log")" 0 "news of so many rules are not taken for another program's work"
# ---- pretending ----
pid_db=$(field db .pid)
a=$(addr web) gw=$(zc network show app -o json | jq -r .gateway4) mac=$(ns db cat /sys/class/net/eth0/address 2>/dev/null; ns db ip -o link show eth0 | grep -o 'link/ether [^ ]*' | cut -d' ' -f2)
mac=$(ns db ip -o link show eth0 | grep -o 'link/ether [^ ]*' | cut -d' ' -f2)
hears() { # hears FILTER COMMAND…: does db's link see it?
    nsenter -n -t "$pid_db" tcpdump -lnni eth0 "$1" >"$T/heard" 2>"$T/tcpdump" & local t=$!
    until_ok grep -q listening "$T/tcpdump"
    "${@:2}" >/dev/null 2>&1
    sleep 0.4
    kill $t 2>/dev/null
    wait $t 2>/dev/null
    grep -q . "$T/heard"
}
hears "icmp" ns web ping -c 1 -W 1 "$db"; ok $? "(control: its own packets are heard)"
hears "icmp" ns web hping3 -1 -c 1 -a "$gw" "$db"; [ $? != 0 ]; ok $? "a forged IPv4 source is not"
hears "udp" ns web hping3 -2 -c 1 -p 53 -a 10.99.99.99 "$db"; [ $? != 0 ]; ok $? "... whatever it is"
hears "arp src $gw" ns web nping -c 1 --arp --arp-type arp-reply --arp-sender-ip "$gw" --arp-target-ip "$db" "$db"; [ $? != 0 ]; ok $? "nor a forged ARP reply"
hears "ether src 02:00:00:00:00:77" ns web nping -c 1 -e eth0 --source-mac 02:00:00:00:00:77 --dest-mac "$mac" --icmp "$db"; [ $? != 0 ]; ok $? "nor a foreign MAC"
python3 - "$T/ra.py" <<'P'
open(__import__("sys").argv[1], "w").write('''
import socket, struct, sys
kind = sys.argv[1]
if kind == "ra":
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))
elif kind == "na":
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    s.sendto(struct.pack("!BBHI", 136, 0, 0, 0x20000000) + socket.inet_pton(socket.AF_INET6, sys.argv[2]), ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.bind(("0.0.0.0", 67))
    s.sendto(b"\\x02" + b"\\0" * 300, (sys.argv[2], 68))
''')
P
hears "icmp6 and ip6[40] == 134" ns web python3 "$T/ra.py" ra; [ $? != 0 ]; ok $? "nor a router advertisement"
hears "icmp6 and ip6[40] == 136" ns web python3 "$T/ra.py" na "$(zc network show app -o json | jq -r .gateway6)"; [ $? != 0 ]; ok $? "nor a neighbour advertisement for the gateway"
hears "udp src port 67" ns web python3 "$T/ra.py" dhcp "$db"; [ $? != 0 ]; ok $? "nor a DHCP server's offer"
hears "icmp" ns web ping -c 1 -W 1 "$db"; ok $? "(control)"
status_is 0 "a zone that is trusted, at once" zc set web 'network[0].trusted=true'
hears "icmp" ns web hping3 -1 -c 1 -a "$gw" "$db"; ok $? "... may send what it likes"
hears "icmp6 and ip6[40] == 134" ns web python3 "$T/ra.py" ra; ok $? "... and announce"
zc set web 'network[0].trusted=false' >/dev/null
hears "icmp" ns web hping3 -1 -c 1 -a "$gw" "$db"; [ $? != 0 ]; ok $? "... until it is not"
zc delete --force $(zc list -q) >/dev/null
zc network delete app far many
for f in 4 6; do nft flush set bridge "$inst" flows$f; done # ways back that time out by themselves
nothing_left
finish
