#!/usr/bin/env bash
# Beside other firewalls: tables flushed and reloaded under us are back within a second, Docker's and ufw's DROP do not stop
# zones, doctor names what does; foreign tables stay as they are to the letter. The namespace plays the host.
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
begin
serve='mkdir -p /srv/www && hostname >/srv/www/index.html && busybox httpd -p [::]:80 -h /srv/www; exec sleep 1000'
zc network create app --rule "to label tier=db deny" && zc network create side --type sealed
zc create web --set 'network=[{link: default, ports: ["8080:80", "9000-9100:9000-9100"]},{link: app},{link: side}]' --image host -- sh -c "$serve"
zc create db --network app -l tier=db --image host -- sh -c "$serve"
zc start web db
ok $? "zones on three networks, rules, ports"
eventually web curl -fs -m 1 http://127.0.0.1:8080/ >/dev/null
works() { [ "$(lan curl -fs -m 1 http://192.0.2.1:8080/)" = web ] && [ "$(curl -fs -m 1 http://127.0.0.1:8080/)" = web ] && works6; }
works6() { [ "$(lan curl -fs -m 1 'http://[2001:db8:1::1]:8080/')" = web ]; }
works; ok $? "published: from the LAN and here"
ours() { { nft list table inet "$inst"; nft list table bridge "$inst"; } | grep -v expires | sed 's/elements = {//; s/[,}]//g; s/^[ \t]*//; s/ *$//' | sort; }
full=$(ours)
back() { tries=10 eventually "$full" ours >/dev/null; }
nft flush ruleset
back; ok $? "flush ruleset: all of it is back within a second" "$(diff <(echo "$full") <(ours 2>&1))"
works; ok $? "... and works"
ns web curl -fs -m 0.6 "http://$(addr db)/" >/dev/null; [ $? != 0 ]; ok $? "... the rules too"
nft delete table bridge "$inst"; back; ok $? "one table deleted"
nft flush table inet "$inst"; back; ok $? "one table emptied"
nft flush chain inet "$inst" postrouting; back; ok $? "one chain emptied"
for set in any4 ask4 same bridges; do nft flush set inet "$inst" $set 2>/dev/null || nft flush map inet "$inst" $set; done
back; ok $? "sets and maps emptied" "$(diff <(echo "$full") <(ours 2>&1))"
nft flush set bridge "$inst" src4; back; ok $? "... what a zone may send from"
nft delete element inet "$inst" any4 "$(nft list map inet "$inst" any4 | sed -n 's/.*\(tcp . 8080 : [^,}]*\).*/{ \1 }/p')"
back; ok $? "one element deleted: the port is published again" "$(diff <(echo "$full") <(ours 2>&1))"
works; ok $? "... and works"
for _ in 1 2 3 4 5; do nft flush ruleset; sleep 0.02; done; back; ok $? "five times in a row" "$(diff <(echo "$full") <(ours 2>&1))"
kill9_zoned
nft flush ruleset
start_zoned
back; ok $? "flushed while zoned is away: back with it" "$(diff <(echo "$full") <(ours 2>&1))"
kill9_zoned
nft flush map inet "$inst" any4
nft flush set bridge "$inst" src4
start_zoned
back; ok $? "sets emptied while zoned is away: filled again with it" "$(diff <(echo "$full") <(ours 2>&1))"
# ---- the kernel takes nothing for a while ----
fails() { grep -c "the network's tables: " "$T/zoned.log"; }
a=$(grep -c "they are as they were" "$T/zoned.log") b=$(fails)
strace -qq -p "$zoned_pid" -o "$T/refusals" -e trace=sendto,sendmsg -e inject=sendto,sendmsg:error=EPERM & refuser=$!
until_ok test -e "$T/refusals"; sleep 0.2
nft flush ruleset
more_fails() { [ "$(fails)" -gt "$b" ]; }
until_ok more_fails; ok $? "no table can be written: the log says so"
is "$(grep -c "they are as they were" "$T/zoned.log")" "$a" "... and not that all is well"
kill -INT $refuser; wait $refuser 2>/dev/null
same "$(tries=60 eventually "$full" ours)" "$full" "... it can again: all of it is back, though nothing tells"
works; ok $? "... and works"
count() { zc events 2>/dev/null | grep -c network-repaired; }
a=$(grep -c "they are as they were" "$T/zoned.log"); sleep 1; is "$(grep -c "they are as they were" "$T/zoned.log")" "$a" "it does not answer itself"
zc stop -t 0 db >/dev/null; zc start db >/dev/null; is "$(grep -c "they are as they were" "$T/zoned.log")" "$a" "... nor its supervisors"
# ---- the host's side of a network ----
br=$(zc network show app -o json | jq -r .gateway4) && br=$(ip -o -4 addr | awk -v g="$br/" 'index($4, g) == 1 { print $2 }')
host_end() { ip -j link | jq -r ".[] | select(.ifindex == $(ns "$1" ip -j link show "${2:-eth0}" | jq .[0].link_index)) | .ifname"; }
side() { # what it is, without counters and what zones do
    ip -o addr show "$br" | sed -E 's/valid_lft.*//; s/^[0-9]+: //' | sort
    ip -o link show "$br" | grep -o "[<,]UP[,>]"
    cat /proc/sys/net/ipv4/conf/"$br"/{forwarding,route_localnet} /proc/sys/net/ipv6/conf/"$br"/disable_ipv6
    ip -o link show master "$br" | grep -c "[<,]UP[,>]"
    curl -fs -m 1 "http://$(addr db)/"
}
whole=$(side)
healed() { same "$(tries=30 eventually "$whole" side)" "$whole" "$1"; }
ip -4 addr flush dev "$br"; healed "a bridge's addresses flushed: they are back"
ip -6 addr flush dev "$br"; healed "... its IPv6 addresses"
ip link set "$br" down; healed "a bridge set down is up"
sysctl -qw "net.ipv4.conf.$br.forwarding=0"; healed "its forwarding turned off is on"
sysctl -qw "net.ipv4.conf.$br.route_localnet=0"; healed "... and route_localnet"
ip link set "$br" down; ip link set "$br" name foreign0; ip link set foreign0 up; healed "a bridge renamed has its name again"
is "$(ip -o link show foreign0 2>/dev/null)" "" "... and is no second one"
ip link del "$br"; healed "a bridge deleted is there again, with its zones"
# ---- somebody else's link has the bridge's name ----
told() { zc events -o json | jq -r --arg e "$1" 'select(.network == "app" and .event == $e) | .event' | wc -l; }
full=$(ours) downs=$(told network-down) lines=$(wc -l <"$T/zoned.log")
said() { tail -n +$((lines + 1)) "$T/zoned.log" | grep -c "network app.*$br.* is no bridge"; }
wrong() { zc network show app -o json | jq -r '"\(.up) \(.error)"'; }
shown() { wrong | grep -q "^false .*$br.* is no bridge but veth .*ip link del $br"; }
ip link set "$br" down; ip link set "$br" name foreign0; ip link add "$br" type veth peer name foreign1; ip link del foreign0
index() { ip -j link show "$br" | jq .[0].ifindex; }
other=$(index)
until_ok shown; ok $? "another link has the bridge's name: network show says what to do" "$(wrong)"
like "$(zc doctor)" "LACK .*$br.* is no bridge but veth .*ip link del $br" "... and doctor"
nft flush ruleset
tables() { ours | grep -v "$br"; }
others=$(echo "$full" | grep -v "$br")
same "$(tries=30 eventually "$others" tables)" "$others" "... tables flushed meanwhile are back, its own too"
works; ok $? "... and other networks work"
status_is 125 "... no zone comes up on it" zc run --rm --network app host true
like "$out" "$br.* is no bridge but veth" "... which says why"
for _ in 1 2 3 4 5 6 7 8 9 10; do ip link set "$br" up; ip link set "$br" down; sleep 0.3; done
is "$(told network-down)" $((downs + 1)) "... an event says so, once"
ip link set "$(host_end db)" down; sleep 1
is "$(tail -n +$((lines + 1)) "$T/zoned.log" | grep "zone .*set the link's bridge")" "" "... nor is a zone put under it"
is "$(said)" 1 "... and one line of the log"
is "$(index)" "$other" "... and the link is left alone"
stop_zoned; start_zoned
until_ok shown; ok $? "... zoned that starts anew says it"
is "$(index)" "$other" "... and leaves it alone"
ip link del "$br"; healed "... it goes: the bridge is there, with its zones"
is "$(told network-up)" 1 "... as an event says"
is "$(zc network show app -o json | jq -c '[.up, .error]')" '[true,null]' "... and network show"
same "$(tries=30 eventually "$full" ours)" "$full" "... with all its rules"
end=$(host_end db)
ip link set "$end" down; healed "a zone's host end set down is up"
ip link set "$end" nomaster; healed "... taken out of its bridge it is in it again"
sup=$(sup_of db)
kill -STOP "$sup" # a change of the zone is under way
zc set db tasks=333 >/dev/null 2>&1 & set=$!
until_ok grep -q 333 "$ROOT/etc/zones/db.yaml"
ip link set "$end" nomaster
sleep 1 # that is told
kill -CONT "$sup"
wait $set
healed "... also when that is told while the zone is changed"
sleep 0.6 # what was told of all this
a=$(grep -c "another program changed" "$T/zoned.log")
zc restart -t 0 db >/dev/null; zc network create brief; zc network delete brief; sleep 1.5
is "$(grep -c "another program changed" "$T/zoned.log")" "$a" "what we do ourselves is nobody else's"
end=$(host_end db)
kill9_zoned
ip link set "$end" nomaster; ip addr flush dev "$br"
start_zoned; healed "changed while zoned is away: as it was, with it"
ip link del "$(host_end db)"
is "$(eventually true field db '.network[0].missing')" true "a link deleted is shown as missing"
like "$(zc doctor)" "LACK .*zone db lacks a link" "... and by doctor"
zc export db >"$T/db.yaml"
like "$(zc apply -f "$T/db.yaml")" "^db: heal" "... apply makes it again"
is "$(field db '.network[0].missing') $(eventually db curl -fs -m 1 "http://$(addr db)/")" "false db" "... and it works"
# ---- Docker's tables ----
docker() {
    for family in ip ip6; do
        nft -f - <<N
table $family filter {
 chain DOCKER-USER { counter return; }
 chain DOCKER-FORWARD { oifname "docker0" drop; }
 chain FORWARD { type filter hook forward priority filter; policy drop; counter jump DOCKER-USER; counter jump DOCKER-FORWARD; }
}
N
    done
}
undocker() { nft delete table ip filter && nft delete table ip6 filter; }
docker
theirs() { { nft list table ip filter; nft list table ip6 filter; } | grep -v "$inst" | sed 's/ packets [0-9]* bytes [0-9]*//'; }
foreign=$(theirs)
tries=20 until_ok works
works; ok $? "Docker comes with its FORWARD DROP: zones are reached"
ns web ping -c 1 -W 1 192.0.2.2 >/dev/null && ns web ping -c 1 -W 1 2001:db8:1::2 >/dev/null; ok $? "... and reach out"
is "$(theirs)" "$foreign" "what is Docker's stays as it was, to the letter"
for family in ip ip6; do
    is "$(nft list chain $family filter DOCKER-USER | grep -c "$inst")" 4 "two marked rules for each network with a way out ($family)"
done
zc doctor -o json | jq -e '.[] | select(.check | startswith("network")) | .ok' >/dev/null; ok $? "doctor has nothing to say"
undocker && docker
tries=20 until_ok works
works; ok $? "Docker restarts: they are there again"
lan curl -fs -m 0.6 "http://$(addr web)/" >/dev/null; [ $? != 0 ]; ok $? "what is not published stays closed"
nft add rule ip filter FORWARD drop && nft add rule ip6 filter FORWARD drop
zc doctor >/dev/null; ok $? "a rule behind the jump to our rules is nothing to doctor"
nft insert rule ip filter FORWARD drop
like "$(zc doctor; true)" 'rule "drop" of the nft chain ip filter FORWARD' "doctor names a foreign rule that drops"
undocker && docker
nft insert rule ip6 filter FORWARD drop
like "$(zc doctor; true)" 'rule "drop" of the nft chain ip6 filter FORWARD' "... one for IPv6"
undocker
nft -f - <<'N'
table inet corp {
 chain guard { type filter hook forward priority 10; policy drop; ct state established accept; }
}
N
like "$(zc doctor; true)" "chain guard of the nft table inet corp drops" "... and a policy that does"
like "$(zc doctor; true)" "remedy: .*accept" "... with the remedy"
nft delete table inet corp
# ---- who turns forwarding on for its own ----
ip netns add box && ip link add box0 type veth peer name eth0 netns box && ip addr add 198.51.100.1/24 dev box0 && ip link set box0 up
ip -n box addr add 198.51.100.2/24 dev eth0 && ip -n box link set eth0 up && ip -n box link set lo up && ip -n box route add default via 198.51.100.1
ip -n lan route add 198.51.100.0/24 via 192.0.2.1 && ip -n box -6 route add default dev lo
passes() { lan ping -c 1 -W 0.3 198.51.100.2 >/dev/null; }
if [ "${FORWARD:-0}" = 0 ]; then
    passes; [ $? != 0 ]; ok $? "while only we forward, what is not for zones does not pass"
    sysctl -qw net.ipv4.ip_forward=1
    tries=10 until_ok passes
    passes; ok $? "Docker, started after us, turns forwarding on: its containers are reached within a second"
    works; ok $? "... and zones"
    sysctl -qw net.ipv4.ip_forward=0
    tries=20 until_ok works
    works; ok $? "... and off again: zones are reached"
    passes; [ $? != 0 ]; ok $? "... and the rest is closed"
fi
ip link del box0 && ip netns del box
# ---- iptables itself, ufw ----
if command -v iptables-nft >/dev/null; then
    iptables-nft -P FORWARD DROP && iptables-nft -N ufw-before-forward && iptables-nft -A FORWARD -j ufw-before-forward
    tries=20 until_ok works
    works; ok $? "ufw's chains by iptables: zones are reached"
    like "$(iptables-nft -S ufw-before-forward)" "ACCEPT" "... by a rule that iptables shows"
    iptables-nft -F ufw-before-forward
    tries=20 until_ok works
    works; ok $? "... a reload of ufw"
    nft delete table ip filter
fi
docker
sleep 0.5
zc delete --force web db >/dev/null && zc network delete app side
stop_zoned
is "$(nft list ruleset | grep -c "$inst")" 0 "with the last network all that bears our name is gone"
is "$(theirs)" "$foreign" "... and Docker's is as it was"
is "$(sysctl -n net.ipv4.conf.up0.forwarding)" "${FORWARD:-0}" "... and forwarding"
finish
