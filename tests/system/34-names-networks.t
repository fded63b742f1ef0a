#!/usr/bin/env bash
# Names over several networks: a zone on two finds the zones of both, a zone on one learns nothing of the other, a sealed
# network answers its names and forwards nothing; all of it follows join, leave and alias; clashes are refused.
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
printf 'nameserver 192.0.2.2\nsearch corp.test\n' >"$T/resolv.conf"
mount --bind "$T/resolv.conf" "$(readlink -f /etc/resolv.conf)"
ip netns exec lan dnsmasq -k -C /dev/null --no-resolv --no-hosts --user=root --pid-file= --address=/example.test/198.51.100.7 \
    --bind-interfaces --interface=eth0 --except-interface=lo --log-queries --log-facility=- 2>"$T/upstream.log" &
begin
zc network create back --type sealed && zc network create side
ask() { zc exec "$1" -- getent ahostsv4 "$2" | awk 'NR == 1 { print $1 }'; }
# comes ZONE NAME WANT: within a second; gone ZONE NAME: no more
comes() { tries=10 eventually "$3" ask "$1" "$2" >/dev/null; }
gone() { tries=10 eventually "" ask "$1" "$2" >/dev/null; }
zc create web --network default --image host -- sleep 1000
zc create db --image host --set 'network=[{link: back, aliases: [sql]}]' -- sleep 1000
zc create app --image host --set 'network=[{link: default},{link: back, aliases: [api]}]' -- sleep 1000
zc start web db app >/dev/null
comes app web "$(addr web)"; ok $? "a zone on two networks finds a zone of the first"
comes app db "$(addr db)"; ok $? "... and of the second"
comes app sql.zone.internal "$(addr db)"; ok $? "... and its alias"
is "$(zc exec app -- getent hosts "$(addr db)" | awk '{ print $2 }')" db.zone.internal "... and back from its address"
comes app host.example.test 198.51.100.7; ok $? "... and what the host's resolver knows"
comes web app "$(addr app)"; ok $? "it is found on the first network, by its address there"
comes db app "$(addr app 1)"; ok $? "... and on the second"
comes db api "$(addr app 1)"; ok $? "... by the alias that it has there"
is "$(ask web api)" "" "... and nowhere else"
is "$(ask web db)$(ask db web)" "" "zones without a network in common do not find each other"
gw=$(zc network show default -o json | jq -r .gateway4) gw6=$(zc network show default -o json | jq -r .gateway6)
dig_of() { zc exec "$1" -- dig +short +time=1 +tries=1 "${@:2}" 2>&1; }
zc exec app -- sh -c 'command -v dig' >/dev/null || dig_of() { ns "$1" dig +short +time=1 +tries=1 "${@:2}" 2>&1; }
is "$(dig_of app "@$gw" db.zone.internal)" "$(addr db)" "dig: UDP, IPv4"
is "$(dig_of app "@$gw6" db.zone.internal)" "$(addr db)" "dig: UDP, IPv6"
is "$(dig_of app +tcp "@$gw" db.zone.internal)" "$(addr db)" "dig: TCP"
is "$(dig_of web "@$gw" db.zone.internal)" "" "a zone of one network asks the same gateway and learns nothing"
port=$(ls "$ROOT/run/names" | sed -n 's/^+\([0-9]*\)+.*/\1/p')
like "$(dig_of web -p "$port" "@$gw" db.zone.internal)" "timed out|no servers" "... nor at the port behind it"
like "$(ip netns exec lan dig +time=1 +tries=1 -p "$port" @192.0.2.1 db.zone.internal)" "timed out|refused|no servers" "... and nor does the LAN"
# A conversation with that port that was let in once is not let in for ever: askers are away while zoned adopts its zones.
pid=$(field web .pid) from=$(addr web)
asked() { nsenter -n -t "$pid" dig +short +time=1 +tries=1 -b "$from#40123" -p "$port" "@$gw" db.zone.internal 2>&1; }
want=$(addr db)
kill -STOP "$zoned_pid" # it would put them back
nft flush set inet "$inst" askers
is "$(asked)" "$want" "(control: without the rule's set the port answers)"
nft add element inet "$inst" askers "{ $port }"
like "$(asked)" "timed out|no servers" "a conversation that was let in once is not let in for ever"
kill -CONT "$zoned_pid"
# ---- sealed ----
: >"$T/upstream.log"
s=$(date +%s%N)
is "$(ask db host.example.test)" "" "a sealed network forwards nothing"
[ $((($(date +%s%N) - s) / 1000000)) -lt 3000 ]; ok $? "... and says so at once"
! grep -q example "$T/upstream.log"; ok $? "... the host's resolver heard nothing"
like "$(ns db dig +time=1 +tries=1 "@$(zc network show back -o json | jq -r .gateway4)" host.example.test)" NXDOMAIN "... it is told as not there"
# ---- join, leave, alias ----
zc set web 'network[1]={link: back, aliases: [www]}' >/dev/null
comes db web "$(addr web 1)"; ok $? "joined: found there"
comes db www "$(addr web 1)"; ok $? "... by its alias"
comes web db "$(addr db)"; ok $? "... and finds"
comes web app "$(addr app)"; ok $? "... on both"
like "$(zc exec web -- cat /etc/hosts)" "$(addr web 1)	web" "its own /etc/hosts has the new address"
zc set web 'network=[{link: back}]' >/dev/null
comes web db "$(addr db)"; ok $? "the first network left: names of the second are found"
like "$(zc exec web -- cat /etc/resolv.conf)" "nameserver $(zc network show back -o json | jq -r .gateway4)" "... its resolv.conf follows"
gone app web.nowhere; gone db www; ok $? "... an alias that went is gone"
is "$(ask web host.example.test)" "" "... and there is no way out"
networks() { printf '{"set": ["network=[%s]"]}' "$1"; }
# whoever rewrites /etc/hosts is held up: neither a change behind it nor who enters the zone comes before it
sup=$(awk '/^PPid/ { print $2 }' "/proc/$(field web .pid)/status")
hold_up() { # MICROSECONDS
    strace -f -qq -o "$T/slow" -e trace=pwrite64 -e inject=pwrite64:delay_enter="$1" -p "$sup" & slow=$!
    until_ok grep -q TracerPid:.*[1-9] "/proc/$sup/status"
}
hold_up 100000
curl -sS --unix-socket "$ZONED_SOCKET" -X PATCH -d "$(networks '{link: default}')" -o /dev/null http://x/v1/zones/web \
    --next -sS --unix-socket "$ZONED_SOCKET" -X PATCH -d "$(networks '{link: default}, {link: back}')" -o /dev/null http://x/v1/zones/web
hosts=$(zc exec web -- cat /etc/hosts)
like "$hosts" "$(addr web)	web" "two changes close behind each other: who enters the zone then reads the last in /etc/hosts"
like "$hosts" "$(addr web 1)	web" "... all of it"
is "$(awk '/pwrite64.*DELAYED/ { print $1 }' "$T/slow" | sort -u | wc -l)" 2 "(both were held up)"
kill $slow; wait $slow 2>/dev/null
hold_up 8000000
zc set web 'network=[{link: back}, {link: default}]' >/dev/null
s=$(date +%s)
is "$(zc exec web -- echo in)" in "one that never ends"
[ $(($(date +%s) - s)) -lt 6 ]; ok $? "... holds nobody up for long"
kill $slow; wait $slow 2>/dev/null
zc restart -t 0 web >/dev/null
zc set web 'network=[{link: back}]' >/dev/null
zc exec web -- sh -c 'echo nameserver 192.0.2.9 >/etc/resolv.conf'
zc set web 'network=[{link: default}]' >/dev/null
is "$(zc exec web -- cat /etc/resolv.conf)" "nameserver 192.0.2.9" "what a zone wrote itself stays"
gone db web; ok $? "left: not found any more"
zc stop -t 0 web >/dev/null && zc start web >/dev/null
comes web app "$(addr app)"; ok $? "the next start writes it anew"
# ---- clashes ----
zc create twin --image host --set 'network=[{link: back, aliases: [sql]}]' -- sleep 9
status_is 4 "an alias that another zone has on this network" zc start twin
like "$out" "sql is an alias of zone db on network back" "... says whose"
zc set twin 'network[0].aliases=[db]' >/dev/null
status_is 4 "an alias that is another zone's name" zc start twin
like "$out" "db is the name of zone db" "... says so"
zc set twin 'network[0].aliases=[APP.zone.internal]' >/dev/null
status_is 4 "... however it is written" zc start twin
zc set twin 'network=[{link: side, aliases: [sql]}]' >/dev/null
status_is 0 "on another network it is free" zc start twin
status_is 4 "a running zone that takes an alias that is taken" zc set app 'network[1].aliases=[sql]'
comes db api "$(addr app 1)"; ok $? "... keeps its own"
zc export app | grep -q api; ok $? "... on disk too"
zc stop -t 0 db >/dev/null
status_is 0 "an alias whose zone has stopped is free" zc set app 'network[1].aliases=[sql]'
status_is 4 "... and then the other does not start" zc start db
zc set app 'network[1].aliases=[]' >/dev/null && zc start db >/dev/null
for bad in 'a_b' 'x..y' '-x' "$(printf 'a%.0s' $(seq 64))"; do
    status_is 7 "alias ${bad:0:8} is no name" zc set app "network[1].aliases=[\"$bad\"]"
done
# ---- crashes ----
comes app db "$(addr db)"; ok $? "names are there"
pid=$(cut -d' ' -f1 "$ROOT/run/names/+$port+"*/pid)
kill9_zoned
start_zoned
is "$(cut -d' ' -f1 "$ROOT/run/names/+$port+"*/pid)" "$pid" "zoned killed: the resolver of both networks is adopted"
comes app db "$(addr db)"; ok $? "... and asked"
kill9_zoned
kill -9 "$(zc show app -o json 2>/dev/null | jq .pid)" 2>/dev/null
start_zoned
kill -9 "$pid"
until_ok comes app db "$(addr db)"
comes app db "$(addr db)"; ok $? "the resolver killed: names are back"
zc delete --force app >/dev/null
zc stop -t 0 twin >/dev/null # its network stays without a zone, whose resolver must go with it nevertheless
kill9_zoned
start_zoned
[ -z "$(ls "$ROOT/run/names" | grep '^+')" ]; ok $? "one that nobody needs ends when zoned comes back"
[ -z "$(nft list set inet "$inst" askers | grep elements)$(nft list map inet "$inst" ask4 | grep elements)" ]; ok $? "... and its elements are gone"
zc delete --force $(zc list -q) >/dev/null
zc network delete back side
nothing_left
finish
