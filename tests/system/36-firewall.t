#!/usr/bin/env bash
# Rules between zones: by label, zone, network and address, on TCP, UDP and ping, IPv4 and IPv6, within a network and between
# two; relabelled and changed while they run; explained; and what a zone may not pretend to be.
. "$(dirname "$0")/lib.sh"
[ -n "${FORWARD:-}" ] && sysctl -qw net.ipv4.ip_forward="$FORWARD"
begin
from() { ns "$1" curl -fsS -m "${3:-2}" "$2" 2>/dev/null; }
closed() { from "$1" "$2" 0.6 >/dev/null; [ $? = 28 ]; ok $? "$3"; }
serve='mkdir -p /srv/www && hostname >/srv/www/index.html && busybox httpd -p [::]:80 -h /srv/www && busybox httpd -p [::]:81 -h /srv/www; exec sleep 1000'
echo_udp() { nsenter -n -t "$(field "$1" .pid)" socat UDP6-RECVFROM:"$2",ipv6only=0,fork,reuseaddr EXEC:cat >/dev/null 2>&1 & }
send() { echo hi | timeout 1 socat -T 0.5 - "UDP:$1:$2" 2>/dev/null; } # from here, which no rule judges
udp() { echo hi | ns "$1" timeout 1 socat -T 0.5 - "UDP:$2:$3" 2>/dev/null; }
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
for z in web db; do ns $z ip -6 neigh flush all; done
is "$(from web "http://[$db6]/")" db "... also when they have to find each other first"
closed web "http://$db:81/" "... to that port alone"
closed other "http://$db/" "who is not is kept out (IPv4)"
closed other "http://[$db6]/" "... (IPv6)"
is "$(from db "http://$(addr other)/")" other "the way out is open, and the answers come back"
is "$(from remote "http://$db/")" db "a rule opens the way between networks too"
closed remote "http://$(addr web)/" "... and no more than it says"
is "$(curl -fsS -m 2 "http://$db/")" db "the host itself is not judged"
echo_udp db 5000
echo_udp other 5000
for to in "$db $(addr other) (IPv4)" "[$db6] [$(addr other 0 1)] (IPv6)"; do
    read -r there back family <<<"$to"
    is "$(eventually hi send "$there" 5000)" hi "(control: a UDP service answers the host) $family"
    is "$(udp other "$there" 5000)" "" "UDP is judged $family"
    is "$(udp db "$back" 5000)" hi "... and answers come back"
    ns other ping -c 1 -W 1 "${there//[][]/}" >/dev/null; [ $? != 0 ]; ok $? "ping is judged $family"
    ns db ping -c 1 -W 2 "${back//[][]/}" >/dev/null; ok $? "... and answered"
done
like "$(zc network explain db 80 web)" "rule 1 of network app: from label tier=web to label tier=db allow tcp 80" "explain names the rule"
like "$(zc network explain db 80 other)" "no on app: rule 2 of network app" "... that denies"
is "$(zc network explain db 80 remote -o json | jq -c '[.allowed, .links[0].rule]')" \
    '[true,"from label tier=web to label tier=db allow tcp 80"]' "... as JSON"
yes_no() { zc network explain "$@" -o json | jq -r 'if .allowed then "yes" else "no" end'; }
# a live join that is refused: what the rules knew of its links before these came is taken back
known() { # but for what comes and goes by its own clock
    nft -sj list ruleset |
        jq '.nftables[] | select(.metainfo | not) | if .set.flags // [] | index("timeout") then del(.set.elem) else . end | del(.[].handle)'
}
before_join=$(known)
ns web ip link add eth1 type veth peer name other1
status_is 4 "a link that the zone's supervisor refuses" zc set web 'network[1].link=far'
same "$(known)" "$before_join" "... and no rule knows of it"
ns web ip link del eth1
sup=$(sup_of web)
kill -STOP "$sup" # what it is asked fills the room for messages
long=$(head -c 90000 /dev/zero | tr '\0' x)
refused_at_once() { timeout 3 "$BIN/zonectl" exec -d web -- true "$long" >/dev/null 2>&1; [ $? != 124 ]; }
tries=10 until_ok refused_at_once
status_is 6 "one that cannot even be asked for" timeout 20 "$BIN/zonectl" set web 'network[1].link=far'
same "$(known)" "$before_join" "... and no rule knows of it"
kill -CONT "$sup"
zc create sharer --network zone:web --image host -- sleep 1000 && zc start sharer
is "$(yes_no db 80 sharer) $(yes_no db 80 web)" "yes yes" "who has another's network is judged as that one"
like "$(zc network explain sharer 80 other)" "zone sharer is on the network of zone web" "... also where he is asked for"
is "$(yes_no sharer 80 other) $(yes_no sharer 80 web)" "$(yes_no web 80 other) yes" "... and nothing lies between the two"
is "$(yes_no db 81 127.0.0.1) $(yes_no db 81 "$(zc network show app -o json | jq -r .gateway4)")" "yes yes" "the host itself is not judged"
zc delete --force sharer
zc create local --network app -p 127.0.0.1:7700:70 -p 7701:71 --image host -- sleep 1000 >/dev/null
is "$(yes_no local 70) $(yes_no local 71) $(yes_no local 72)" "no yes no" "the LAN: a port on localhost, a published one, another"
like "$(zc network explain local 70)" "127.0.0.1:7700, for this host alone" "... and why"
like "$(zc network explain local 71)" "zone local does not run" "... and that it does not run"
zc set local 'network[0].ports=["0.0.0.0:7702:72", "[::]:7703:73", "7704:74"]' >/dev/null
is "$(for p in 72 73 74; do yes_no local $p 192.0.2.9; yes_no local $p 2001:db8::9; done | xargs)" "yes no no yes yes yes" \
    "an address asks by its own family"
like "$(zc network explain local 73)" "\\[::\\]:7703" "... and an IPv6 address stands in brackets"
zc delete local
is "$(yes_no db 80 "$(addr other)") $(yes_no db 80 "$(addr web)") $(yes_no db 80 "$(addr web 0 1)")" "no yes yes" "a zone's address is that zone"
zc network set app --rule "from $(addr web)/32 to zone db deny" >/dev/null
is "$(yes_no db 80 web) $(yes_no db 80 "$(addr web)") $(yes_no db 80 "$(addr web 0 1)")" "no no yes" "... and no more than that address"
zc network set app --rule "from label tier=web to label tier=db allow tcp 80" --rule "to label tier=db deny" >/dev/null
is "$(zc network explain db 81/udp 10.1.2.3 -o json | jq .allowed)" false "... for an address"
# ---- relabel ----
status_is 0 "a zone gets another label" zc set other labels.tier=web
is "$(from other "http://$db/")" db "... and is let in at once (IPv4)"
is "$(from other "http://[$db6]/")" db "... (IPv6)"
zc set web labels.tier=x >/dev/null
closed web "http://$db/" "... and one that lost it is out (IPv4)"
closed web "http://[$db6]/" "... (IPv6)"
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
for z in other db; do ns $z ip -6 neigh flush all; done
is "$(udp other "[$db6]" 5000)" hi "... and who is allowed finds the other"
is "$(from remote "http://$(addr web)/")" web "a whole network by its name"
zc network set app --rule "from $(addr web)/32 allow icmp" --rule "from $(addr web 0 1)/128 allow icmp" --policy deny
for to in "$db" "$db6"; do
    ns web ping -c 1 -W 2 "$to" >/dev/null; ok $? "an address; ping: let in to $to"
    ns other ping -c 1 -W 1 "$to" >/dev/null; [ $? != 0 ]; ok $? "... from no other address"
done
closed web "http://$db/" "... nor by anything but ping"
zc network set app --policy allow
status_is 0 "a rule that names nobody is taken" zc network set app --rule "from label tier=nowhere to zone db allow tcp 1"
like "$out" "no zone is label tier=nowhere" "... with a warning"
zc network show app -o json | jq .rules >"$T/rules"
never() { like "$(zc network set app --rule "$1" 2>&1)" "$2" "never fits, with a warning: $1"; }
never "to zone remote allow tcp 1" "no zone on network app is zone remote"
never "to label tier=none deny" "no zone is label tier=none"
never "to network far deny" "not those of network far"
never "to 10.1.2.3 deny" "10.1.2.3 lies outside of network app"
never "from 192.0.2.2 to $db6 allow" "one address is IPv4 and the other IPv6"
is "$(zc network set app --rule "from 0.0.0.0/0 to $db allow" --rule "to network app allow" --rule "from network far to label tier=db allow" 2>&1 | grep -c rule)" 0 "no warning where a rule may fit"
zc network set app --rule "$(jq -r '.[0]' "$T/rules")" >/dev/null
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
gw=$(zc network show app -o json | jq -r .gateway4) gw6=$(zc network show app -o json | jq -r .gateway6)
mac=$(ns db ip -j link show eth0 | jq -r '.[0].address') its=$(ns web ip -j link show eth0 | jq -r '.[0].address')
hears() { # hears FILTER COMMAND…: does db's link see it? With patience=… looks: when it should
    nsenter -n -t "$pid_db" tcpdump -lnni eth0 "$1" >"$T/heard" 2>"$T/tcpdump" & local t=$!
    until_ok grep -q listening "$T/tcpdump"
    "${@:2}" >/dev/null 2>&1
    tries=${patience:-4} until_ok grep -q . "$T/heard"
    local heard=$?
    kill $t 2>/dev/null
    wait $t 2>/dev/null
    return $heard
}
patience=50 hears "icmp" ns web ping -c 1 -W 1 "$db"; ok $? "(control: its own packets are heard)"
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
forged=("icmp and src $gw|hping3 -1 -c 1 -a $gw $db|a forged IPv4 source"
    "udp and src 10.99.99.99|hping3 -2 -c 1 -p 53 -a 10.99.99.99 $db|... whatever it is"
    "arp src $gw and ether src $its|nping -c 1 --arp --arp-type arp-reply --arp-sender-ip $gw --arp-target-ip $db $db|a forged ARP reply"
    "ether src 02:00:00:00:00:77|nping -c 1 -e eth0 --source-mac 02:00:00:00:00:77 --dest-mac $mac --icmp $db|a foreign MAC"
    "icmp6 and ip6[40] == 134 and ether src $its|python3 $T/ra.py ra|a router advertisement"
    "icmp6 and ip6[40] == 136 and ether src $its|python3 $T/ra.py na $gw6|a neighbour advertisement for the gateway"
    "udp src port 67|python3 $T/ra.py dhcp $db|a DHCP server's offer"
    "vlan 7|$here/frame.py $mac $(addr web) $db 7007 7007 7|a frame with a VLAN's tag (IPv4)"
    "vlan 8|$here/frame.py $mac $(addr web 0 1) $db6 7008 7008 8|... (IPv6)")
pretend() { # pretend 0|1 WORD: all of them; 0: each must be heard, of three (a busy machine's hping3 and nping give up early)
    local filter command name heard
    for each in "${forged[@]}"; do
        IFS='|' read -r filter command name <<<"$each"
        for _ in 1 2 3; do
            patience=$([ "$1" = 0 ] && echo 50) hears "$filter" ns web $command; heard=$?
            [ $heard != 0 ] && [ "$1" = 0 ] || break
        done
        [ $((heard != 0)) = "$1" ]; ok $? "$2: $name"
    done
}
pretend 1 "not heard"
patience=50 hears "icmp" ns web ping -c 1 -W 1 "$db"; ok $? "(control)"
status_is 0 "a zone that is trusted, at once" zc set web 'network[0].trusted=true'
pretend 0 "... may send what it likes"
zc set web 'network[0].trusted=false' >/dev/null
pretend 1 "... until it is not"
# ---- a firewall of the zone's own ----
status_is 0 "a zone with NET_ADMIN" zc create own --network far --cap-add NET_ADMIN --image host -- sh -c "$serve"
zc start own && eventually own from remote "http://$(addr own)/" >/dev/null
is "$(from remote "http://$(addr own):81/")" own "... is reached"
status_is 0 "nft in it" zc exec own -- nft 'add table inet mine; add chain inet mine i { type filter hook input priority 0; }; add rule inet mine i tcp dport 80 drop'
closed remote "http://$(addr own)/" "... drops what it says"
is "$(from remote "http://$(addr own):81/")" own "... and no more"
status_is 0 "iptables in it" zc exec own -- iptables-nft -A INPUT -p tcp --dport 81 -j DROP
closed remote "http://$(addr own):81/" "... too"
is "$(nft list tables | grep -vc "$inst")" 0 "... and nothing of it is the host's"
status_is 1 "the zone's nft does not see the host's tables" zc exec own -- nft list table inet "$inst"
status_is 1 "a zone without NET_ADMIN has no such say" zc exec remote -- nft add table inet mine
zc restart -t 0 own >/dev/null
is "$(eventually own from remote "http://$(addr own)/")" own "a restart of the zone begins without them"
# ---- names that rules know ----
zc delete --force $(zc list -q) >/dev/null
zc create web --network app --image host -- sleep 1000 && zc create db --network app --set 'depends=[web]' --image host -- sleep 1000
zc create shared --network zone:web --image host -- sleep 1000
zc network set app --rule "from zone web to zone db deny" >/dev/null
status_is 6 "a zone that rules name is not renamed" zc rename web www
like "$out" "rules of network app name it" "... which, is said"
like "$out" "hint: zonectl network set app with a --rule" "... with the remedy"
status_is 0 "... and has its name" zc start web
is "$(zc network explain db 80 web -o json | jq .allowed)" false "... which the deny holds for" && zc stop -t 0 web
status_is 6 "nor on the other side" zc rename db data
zc network set app --rule "from network far allow" >/dev/null
status_is 6 "nor one on which another depends" zc rename web www
like "$out" "depends of zone db names it" "... which, is said"
zc set db depends= >/dev/null
status_is 6 "nor one whose network another has" zc rename web www
like "$out" "hint: zonectl set shared network= first" "... with the remedy"
zc set shared network= >/dev/null
status_is 0 "without them it is" zc rename web www
status_is 6 "a network that rules of another name is not deleted" zc network delete far
like "$out" "rules of network app name it" "... which, is said"
zc network set app --rule "from network app allow" >/dev/null
status_is 0 "without them it is" zc network delete far
zc set db 'depends=[www, remote]' >/dev/null
zc network set app --rule "from zone www to zone db deny" --rule "from zone www deny udp" --rule "from zone db allow" >/dev/null
status_is 0 "a zone that rules name is deleted" zc delete --force www
like "$out" 'network app: its rule "from zone www to zone db deny" \(and 1 more\) stays, and is about the next zone of the name www' \
    "... and the rule that stays is named"
like "$out" "zone db depends on it still.*'depends=\[remote\]'" "... and who depends on it"
is "$(zc network show app -o json | jq -c '.spec.rules | length')" 3 "... it stays indeed"
zc network set app --rule "from zone db allow" >/dev/null
is "$(zc delete shared 2>&1)" "" "of another nothing is said"
zc delete --force $(zc list -q) >/dev/null
zc network delete app many
for set in flows4 flows6 openers; do nft flush set bridge "$inst" $set; done # ways back that time out by themselves
nothing_left
finish
