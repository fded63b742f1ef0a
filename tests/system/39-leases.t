#!/usr/bin/env bash
# Addresses: over random verbs and a zoned killed among them no two zones have one, and none changes that nobody changed; over
# a reboot of the host zones and bridges keep theirs. SEED=… repeats a walk, VERBS=… makes it longer.
. "$(dirname "$0")/lib.sh"
. "$here/lan.sh"
begin
RANDOM=${SEED:=$(($(date +%s) % 32768))}
echo "# SEED=$SEED"
# ---- random verbs ----
zc network create app --subnet 10.37.0.0/28 --subnet fd77::/64 # eleven addresses and the gateway's: it fills
bridge_mac() { ip -j link show "$(zc network show "$1" -o json | jq -r .bridge)" | jq -r '.[0].address'; }
zc run --rm --network app host true
before_mac=$(bridge_mac app) some_mac=
leases() { zc list -o json | jq -r '.[] | .name as $z | .network | to_entries[] | "\($z) \(.key) \(.value.link) \(.value.addresses | join(" "))"' | sort | sed "/^$/d"; }
zone() { echo "z$((RANDOM % 9))"; }
address() { case $((RANDOM % 3)) in 0) echo auto ;; *) echo "10.37.0.$((RANDOM % 13 + 2))" ;; esac; }
verb() { # verb A B: one of them, over these zones
    case $((RANDOM % 10)) in
        0 | 1) zc create "$1" --image host --set "network=[{link: app, address: $(address)}]" -- sleep 1000 ;;
        2) zc create "$1" --image host --set 'network=[{link: app}, {link: default}]' -- sleep 1000 ;;
        3) zc set "$1" "network[0].address=$(address)" ;;
        4) zc rename "$1" "$2" ;;
        5) zc clone "$1" "$2" ;;
        6) zc delete --force "$1" ;;
        7) zc stop -t 0 "$1" ;;
        *) zc start "$1" ;;
    esac
}
others() { grep -vE "^($a|$b) |^$" <<<"$1"; }
done_=0 twice='' moved='' other='' alone=''
was=$(leases)
killed=$((RANDOM % (${VERBS:=150} / 2) + VERBS / 4))
for i in $(seq "$VERBS"); do
    a=$(zone) b=$(zone)
    if [ "$i" = "$killed" ]; then
        verb "$a" "$b" >/dev/null 2>&1 & half=$!
        sleep "0.0$((RANDOM % 10))"
        kill9_zoned
        wait $half
        start_zoned
    else
        said=$(verb "$a" "$b" 2>&1)
        case $? in 0) done_=$((done_ + 1)) ;; 3 | 4 | 8) ;; *) other="$other; $i: $said" ;; esac
    fi
    now=$(leases)
    twice="$twice$(cut -d' ' -f4- <<<"$now" | tr ' ' '\n' | sed '/^$/d' | sort | uniq -d | sed "s/^/$i: /")"
    moved="$moved$(diff <(others "$was") <(others "$now") | sed "s/^/$i: $a $b: /")"
    was=$now
done
[ "$done_" -gt $((VERBS / 4)) ]; ok $? "$VERBS random verbs, of which $done_ could be; zoned killed at the $killed."
is "$other" "" "... the others met what was not there or not free"
is "$twice" "" "... after none of them two zones have one address"
is "$moved" "" "... and none that it did not name has another"
zc start $(zc list -q) >/dev/null 2>&1
settled() { ! zc list -o json | jq -e '.[] | select(.state == "ready" or .state == "shutting_down")' >/dev/null; }
until_ok settled
for z in $(zc list -o json | jq -r '.[] | select(.state == "running") | .name'); do
    has=$(ns "$z" ip -j addr | jq -r '[.[] | select(.ifname != "lo") | .addr_info[] | select(.scope == "global") | .local] | sort | join(" ")')
    [ "$has" = "$(field "$z" '[.network[].addresses[]] | sort | join(" ")')" ] || alone="$alone $z: $has"
done
is "$alone" "" "... and those that run have what zoned says ($(zc list -o json | jq '[.[] | select(.state == "running")] | length'))"
is "$(bridge_mac app)" "$before_mac" "the bridge's MAC is the same, whoever came and went"
zc delete --force $(zc list -q) >/dev/null
# ---- a reboot: nothing runs, and of what the kernel had and of run/ nothing is there ----
zc network create far
zc create first --network far --image host -- sleep 1000
zc create one --autoboot --set 'network=[{link: far},{link: default}]' --image host -- sleep 1000
zc create two --network far --image host -- sleep 1000
zc start first one two && zc delete --force first >/dev/null # the lowest address of far is free
ok $? "zones on a network whose subnets zoned chose, one of them with autoboot"
lasting() {
    zc network list -o json | jq -r '.[] | "\(.name) \(.subnet4) \(.subnet6)"'  | sort
    for each in default far; do bridge_mac $each; done
    leases
    for each in one two; do ns $each ip -j link | jq -r '.[] | "\(.ifname) \(.address)"'; done
}
was=$(lasting)
pids="$(field one .pid) $(field two .pid)"
kill9_zoned
take_down
kill -9 $pids
for p in $pids; do ended "$p"; done
for l in $(ip -j link show type bridge | jq -r '.[].ifname'); do ip link del "$l"; done
nft flush ruleset
grep -o " $ROOT/run[^ ]*" /proc/self/mountinfo | sort -r | while read -r m; do umount -l "$m"; done
find "$ROOT/run" -xdev -mindepth 1 -delete
for _ in 1 2 3; do find /sys/fs/cgroup -depth -type d -path "*/$inst.slice/*" -exec rmdir {} + 2>/dev/null; done
is "$(ip -o link | grep -cE ': (z|v)')$(nft list ruleset)$(ls -A "$ROOT/run")" 0 "the host reboots: no links, no tables, no run/"
start_zoned
eventually running state one >/dev/null; ok $? "the one with autoboot comes by itself"
status_is 0 "the other is started" zc start two
same "$(lasting)" "$was" "subnets, bridges' MACs, addresses and MACs of zones are what they were"
zc delete --force one two >/dev/null
zc network delete app far
finish
