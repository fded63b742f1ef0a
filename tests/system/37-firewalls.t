#!/usr/bin/env bash
# Beside the real ufw and the real firewalld of this distribution, each with its defaults: zones are published, reach out, find
# each other by name and get addresses; the host's own services stay closed to them; a reload and a restart of theirs change
# nothing; nothing of ours stays in theirs. The namespace plays the host: its /etc is an overlay, its bus its own.
firewalld=$("$(dirname "$0")/images.sh" firewalld) || exit 1
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
mkdir -p "$T"/etc/{up,work} "$T/fw" && tar -C "$T/fw" -xf "$firewalld"
mount -t overlay overlay -o "lowerdir=$T/fw/etc:/etc,upperdir=$T/etc/up,workdir=$T/etc/work" /etc
# firewalld alone sees itself in /usr: zones of the host's own files need a /usr whose filesystem has id-mapped mounts
unshare -m --propagation private sh -c "mount -t overlay overlay -o lowerdir=$T/fw/usr:/usr /usr && exec sleep 1000" &
its=$!
firewall-cmd() { nsenter -m -t "$its" firewall-cmd "$@"; }
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$T/bus
cat >"$T/bus.conf" <<C
<busconfig><type>system</type><listen>unix:path=$T/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*"/><allow eavesdrop="true"/></policy></busconfig>
C
dbus-daemon --config-file="$T/bus.conf" --nofork --nopidfile 2>"$T/bus.log" &
firewall=
at_end+=('umount -l /etc')
until_ok test -S "$T/bus"
firewalld_starts() {
    nsenter -m -t "$its" firewalld --nofork --nopid >>"$T/firewalld.log" 2>&1 &
    firewall=$!
    until_ok firewall-cmd --state >/dev/null 2>&1
}
firewalld_ends() {
    kill "$firewall" && wait "$firewall"
    firewall=
}
begin
serve='mkdir -p /srv/www && hostname >/srv/www/index.html && busybox httpd -p [::]:80 -h /srv/www; exec sleep 1000'
zc network create side --type sealed
zc create web --set 'network=[{link: default, ports: ["8080:80"]}]' --image host -- sh -c "$serve"
zc create db --image host -- sh -c "$serve"
zc create two --set 'network=[{link: default},{link: side}]' --image host -- sleep 1000
zc create three --network side --image host -- sleep 1000
zc create dyn --set 'network=[{link: default, dhcp: true}]' --image host --cap-add NET_ADMIN --cap-add NET_RAW -- sleep 1000
zc start web db two three
ok $? "zones on two networks"
busybox httpd -f -p 0.0.0.0:7000 -h /usr &
why=
need() { timeout 3 "$@" >/dev/null 2>&1 || why="$why [$*]"; }
all_work() {
    why=
    need sh -c "[ \"\$(ip netns exec lan curl -fs -m 1 http://192.0.2.1:8080/)\" = web ]"
    need sh -c "[ \"\$(ip netns exec lan curl -fs -m 1 'http://[2001:db8:1::1]:8080/')\" = web ]"
    need curl -fs -m 1 http://127.0.0.1:8080/
    need "$BIN/zonectl" exec web ping -c 1 -W 1 192.0.2.2
    need "$BIN/zonectl" exec web ping -c 1 -W 1 2001:db8:1::2
    need "$BIN/zonectl" exec web curl -fs -m 1 http://db/
    need "$BIN/zonectl" exec two getent hosts db
    need "$BIN/zonectl" exec two getent hosts three
    need "$BIN/zonectl" exec three getent hosts two
    [ -z "$why" ]
}
soon() { tries=4 nap=0.3 until_ok all_work; }
asks_address() { zc start dyn && ns dyn timeout 10 busybox udhcpc -i eth0 -n -q -t 5 -T 1 -s /bin/true >/dev/null 2>&1; local s=$?; zc stop -t 0 dyn >/dev/null; return $s; }
gateway() { ns web ip -j route show default | jq -r '.[0].gateway'; }
soon; ok $? "before: published, outward, by name on one network and on two" "$why"
asks_address; ok $? "... an address by DHCP"
doctor_says() { zc doctor -o json | jq -r '.[] | select((.check | startswith("network")) and (.ok | not)) | .problem // .error // .message // tostring'; }
is "$(doctor_says)" "" "... doctor has nothing to say"
# ---- ufw ----
nft 'table ip filter { chain DOCKER-USER { iifname "zb1" tcp dport 22 counter accept comment "zoned"; }; }'
ufw --force enable >"$T/ufw.log" 2>&1; ok $? "ufw comes" "$(cat "$T/ufw.log")"
soon; ok $? "... all of it works" "$why"
asks_address; ok $? "... an address by DHCP"
ns web curl -s -m 0.6 "http://$(gateway):7000/" >/dev/null; [ $? != 0 ]; ok $? "... and the host's own services stay closed to zones"
is "$(doctor_says)" "" "... doctor has nothing to say"
like "$(iptables -S ufw-before-input)" "-i zb.* --dport 53 .*ACCEPT" "... by rules that iptables shows"
ufw reload >/dev/null 2>&1; soon; ok $? "ufw reloads: all of it works" "$why"
zc stop -t 0 two >/dev/null; zc start two; soon; ok $? "a zone comes again" "$why"
zc stop -t 0 web db two three >/dev/null
zc network delete side 2>/dev/null
zc set two 'network=[{link: default}]' >/dev/null; zc delete three >/dev/null; zc network delete side
ok $? "a network goes"
is "$(nft list table ip filter | grep -c "$inst")" "$(nft list table ip filter | grep "$inst" | grep -c "$(ip -br link | awk '/^zb/ { print $1 }')")" "... and its rules in ufw's chains"
like "$(nft list chain ip filter DOCKER-USER)" 'dport 22 .*comment "zoned"' "a rule of somebody's own stays, whatever its comment"
ufw --force disable >/dev/null 2>&1
nft delete table ip filter; nft delete table ip6 filter
# ---- firewalld ----
zc network create side --type sealed && zc set two 'network=[{link: default},{link: side}]' >/dev/null
zc create three --network side --image host -- sleep 1000
firewalld_starts; ok $? "firewalld comes" "$(tail -5 "$T/firewalld.log")"
zc start web db two three
soon; ok $? "... all of it works" "$why"
is "$(firewall-cmd --zone=trusted --list-interfaces | wc -w)" 2 "... as both bridges are trusted"
ns web curl -s -m 0.6 "http://$(gateway):7000/" >/dev/null; [ $? != 0 ]; ok $? "... and the host's own services stay closed to zones"
is "$(doctor_says)" "" "... doctor has nothing to say"
firewall-cmd --reload >/dev/null; soon; ok $? "firewalld reloads: all of it works" "$why"
firewalld_ends; firewalld_starts; soon; ok $? "firewalld starts again: all of it works" "$why"
kill9_zoned
firewall-cmd --reload >/dev/null
start_zoned; soon; ok $? "reloaded while zoned was away: all of it works with it" "$why"
bridge=$(zc network show default -o json | jq -r .bridge)
like "$(firewall-cmd --get-zone-of-interface="$bridge")" "^trusted$" "(the default network's bridge is trusted)"
firewall-cmd --zone=dmz --change-interface="$bridge" >/dev/null; zc network create more >/dev/null; zc run --rm --network more host true; sleep 0.3
is "$(firewall-cmd --get-zone-of-interface="$bridge")" dmz "an operator's own choice for a bridge stays"
like "$(doctor_says)" "firewalld" "... and doctor names what drops then" 
firewall-cmd --zone=dmz --add-port=7000/tcp >/dev/null
host_answers() { ns web curl -s -m 0.6 "http://$(gateway):7000/" >/dev/null; }
until_ok host_answers; ok $? "... and what its rules open of the host is open"
firewall-cmd --zone=trusted --change-interface="$bridge" >/dev/null
until_ok eval '! host_answers'; ok $? "trusted by hand: the host is closed to zones again"
sleep 0.3
host_answers; [ $? != 0 ]; ok $? "... and stays so"
soon; ok $? "... all else works" "$why"
kill -STOP "$firewall"; zc network create late >/dev/null
status_is 0 "a zone starts while firewalld does not answer" zc run -d --name slow --network late host sleep 1000
kill -9 "$firewall"; wait "$firewall" 2>/dev/null
firewalld_starts
trusts() { [ "$(firewall-cmd --get-zone-of-interface="$1" 2>/dev/null)" = trusted ]; }
until_ok trusts "$(zc network show late -o json | jq -r .bridge)"; ok $? "... and is let pass by the one that comes after it was killed"
zc delete --force slow web db two three dyn >/dev/null; zc network delete side more late >/dev/null
stop_zoned
is "$(eventually "" firewall-cmd --zone=trusted --list-interfaces)" "" "with the networks their bridges leave firewalld"
finish
