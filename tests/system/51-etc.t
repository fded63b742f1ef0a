#!/usr/bin/env bash
# The files below etc, as an editor leaves them: names that YAML takes for something else, holes, typos, and edits by hand. None
# keeps zoned from its work, each is told with file and line, and none is lost.
. "$(dirname "$0")/lib.sh"
begin
etc=$ROOT/etc
alive() { kill -0 "$zoned_pid" 2>/dev/null && zc list -q >/dev/null; }
again() { stop_zoned; start_zoned; ok $? "zoned starts again" "$(tail -3 "$T/zoned.log")"; }
# ---- names that YAML takes for nothing ----
status_is 0 "a pool whose name YAML takes for nothing" zc pool create null cpu.shares=50
status_is 0 "... changed" zc pool set null cpu.shares=60
is "$(zc pool list -o json | jq -c 'map([.name,.spec.cpu.shares])')" '[["null",60]]' "... shown"
printf 'pool:\ncpu: {shares: 5}\n' >"$etc/pools/hole.yaml"
status_is 0 "a pool's file without the name's value" zc pool list
alive
ok $? "... ends nothing"
again
is "$(zc pool list -o json | jq -c 'map(.name)')" '["null"]' "zoned has what it had"
like "$(grep 'hole.yaml' "$T/zoned.log")" "hole.yaml:1: pool: is missing" "... and says what is wrong, where"
printf 'pool:\n' >"$etc/pools/null.yaml"
status_is 0 "its name is taken out of the file" zc pool list
alive
ok $? "... which ends nothing"
rm "$etc/pools/hole.yaml"
status_is 0 "the pool goes" zc pool delete null
# ---- networks: what is written is read back ----
for name in null true 12; do status_is 0 "a network called $name" zc network create "$name" --type sealed; done
i=0
for parent in '#x' '@x' '[x' '~' 'x#y' 'null'; do
    i=$((i + 1))
    ip link add "$parent" type veth peer name "peer$i" && ip link set "$parent" up
    status_is 0 "a parent called $parent" zc network create "odd$i" --type macvlan --parent "$parent"
done
was=$(zc network list -o json | jq -c 'map([.name,.type,.parent]) | sort')
again
is "$(zc network list -o json | jq -c 'map([.name,.type,.parent]) | sort')" "$was" "all are there after zoned's restart"
for name in null true 12 odd1 odd2 odd3 odd4 odd5 odd6; do zc network delete "$name" || echo "$name"; done >"$T/out" 2>&1
is "$(cat "$T/out")" "" "... and can be deleted"
for i in 1 2 3 4 5 6; do ip link delete "peer$i"; done
# ---- a network's file is broken ----
file=$etc/networks/back.yaml
zc network create back --type sealed --rule 'allow tcp 80' && zc create web --network back --image host -- sleep 1000
has=$(zc show web -o json | jq -c '.network[0].addresses')
cp "$file" "$T/back.yaml"
sed -i 's/^type:/tpye:/' "$file"
line=$(grep -n tpye "$file" | cut -d: -f1)
says="back.yaml:$line: tpye: unknown key"
like "$(zc network show back -o json | jq -r '.error, .pending' | xargs)" "$says .* true$" "show tells of a broken file, with its line"
status_is 7 "... set does not write over it" zc network set back --policy deny
like "$out" "$says" "... and says why"
again
like "$(zc network list -o json | jq -r '.[] | select(.name == "back") | .error')" "$says" "after a restart the list tells"
status_is 7 "... show" zc network show back
like "$out" "$says" "... with file and line"
like "$out" "hint: mend .*back.yaml" "... and the remedy"
like "$(zc doctor)" "$says" "... doctor, too"
is "$(zc show web -o json | jq -c '.network[0].addresses')" "$has" "its zone keeps its address"
status_is 7 "... cannot be changed" zc set web labels.tier=web
like "$out" "$says" "... which says why"
status_is 7 "... or start" zc start web
like "$out" "$says" "... which says why"
status_is 4 "a network of that name is not written over it" zc network create back
like "$out" "$says" "... which says why"
is "$(grep -c tpye "$file")" 1 "the file is as it was"
zc create other --network null --image host -- true >/dev/null 2>&1
{ cat "$T/back.yaml"; echo '# ours'; } >"$file"
status_is 0 "mended, it is there again" zc network show back
is "$(zc network show back -o json | jq -c '[.error, .pending, .addresses_used > 0]')" '[null,false,true]' "... with what its zones hold"
status_is 0 "a second zone on it" zc create web2 --network back --image host -- sleep 1000
is "$(zc show web -o json | jq -c '.network[0].addresses')" "$has" "its zone has the address that it had"
status_is 0 "... and starts" zc start web web2
is "$(zc list -o json | jq -r '.[].network[].addresses[]' | sort | uniq -d)" "" "no address is given twice"
# ---- a network's file is edited ----
cat >"$file" <<'EOF_FILE'
# the back office
network: back
type: sealed
rules:
  - allow tcp 80
  - allow tcp 443 # by hand
EOF_FILE
is "$(zc network show back -o json | jq .pending)" true "an edit by hand is seen"
status_is 0 "set" zc network set back --policy deny
is "$(zc network show back -o json | jq -c '[.pending, .policy, .rules]')" '[false,"deny",["allow tcp 80","allow tcp 443"]]' "... has what was edited, too"
is "$(grep -c -e 'the back office' -e 'by hand' "$file")" 2 "... and keeps its comments"
sed -i 's/^type:.*/type: nat/' "$file"
status_is 4 "an edit that a network cannot follow" zc network set back --policy allow
like "$out" "back.yaml: type was edited" "... is named"
is "$(grep -c '^policy: deny' "$file")" 1 "... and the file stays"
sed -i 's/^type:.*/type: sealed/' "$file"
out=$(zc network set back --rule 'allow tcp 22' 2>&1)
like "$out" "comments in a rewritten part were lost" "a list that takes another's place says what went with it"
zc delete --force web web2 && zc network delete back
# ---- ... while its zones run ----
file=$etc/networks/secure.yaml
iptables -N DOCKER-USER && iptables -I FORWARD -j DOCKER-USER
zc network create secure --policy deny --rule 'allow tcp 80'
zc network create wide --type sealed --reach secure
for zone in s1 s2; do zc create $zone --set 'network=[{link: secure, dhcp: true}]' --image host -- sh -c 'ip link set eth0 up; exec sleep 1000'; done
zc create beside --image host -- sleep 1000 # its network, which is known, has all rules loaded
status_is 0 "zones on a network that denies" zc start s1 s2 beside
for zone in s1 s2; do ns $zone ip addr add "$(addr $zone)/16" dev eth0; done
reaches() { ns s1 ping -c 1 -W 1 "$(addr s2)" >/dev/null 2>&1; }
server() { cut -d' ' -f1 "$ROOT/run/dhcp/secure/pid"; }
hooks() { iptables -S DOCKER-USER | grep -oE 'zoned[^ ]* ?|-[io] [^ ]+' | sort | xargs; }
denied() { nft list chain bridge "$inst" judge; }
guards=$(denied) dhcp=$(server) hook=$(hooks) net=$(zc network show secure -o json | jq -c 'del(.pending, .error)')
reaches; is $? 1 "... do not reach each other"
like "$hook" "$(zc network show secure -o json | jq -r .bridge)" "... and other firewalls let them pass"
cp "$file" "$T/secure.yaml"
for broken in 's/^policy:/polciy:/' 's/^network: .*/network: default/'; do
    sed -i "$broken" "$file" && cp "$file" "$T/broken.yaml"
    case $broken in *polciy*) says="secure.yaml:$(grep -n polciy "$file" | cut -d: -f1): polciy: unknown key" ;; *) says="secure.yaml names network default" ;; esac
    again
    reaches; is $? 1 "the file is broken ($says), zoned starts anew: what was denied is denied"
    same "$(denied)" "$guards" "... by the same rules"
    is "$(server) $(kill -0 "$dhcp" && echo runs)" "$dhcp runs" "... its DHCP server runs on"
    is "$(eventually "$hook" hooks)" "$hook" "... other firewalls let its zones pass"
    like "$(cat "$T/zoned.log")" "$says.* runs on as it was taken last" "... zoned's log says what is wrong"
    like "$(zc network show secure -o json | jq -r '.error, .pending' | xargs)" "$says.* true$" "... show"
    like "$(zc network list -o json | jq -r '.[] | select(.name == "secure") | .error')" "$says" "... list"
    like "$(zc doctor)" "$says" "... doctor"
    is "$(zc network show secure -o json | jq -c 'del(.pending, .error)')" "$net" "... all else is as it was"
    out=$(zc network set secure --policy allow 2>&1)
    like "$? $out" "^[47] .*secure.yaml" "... set does not write over it, and says why"
    status_is 6 "... nor is it deleted, for it is in use" zc network delete secure
    status_is 4 "... or made again" zc network create secure
    status_is 0 "... its zones change" zc set s2 labels.tier=web
    status_is 0 "... and start anew" zc restart s2
    ns s2 ip addr add "$(addr s2)/16" dev eth0
    reaches; is $? 1 "... as denied as before"
    cmp -s "$file" "$T/broken.yaml"; ok $? "... and the file is as it was"
    again
    reaches; is $? 1 "... after another start of zoned, too"
    cp "$T/secure.yaml" "$file"
    is "$(zc network show secure -o json | jq -c '[.error, .pending]')" '[null,false]' "mended, all is in order"
    same "$(denied)" "$guards" "... with its rules"
done
stop_zoned # an older zoned kept no spec beside what was chosen
jq 'del(.spec)' "$ROOT/lib/networks/secure.json" >"$T/secure.json" && cp "$T/secure.json" "$ROOT/lib/networks/secure.json"
cp "$T/broken.yaml" "$file"
start_zoned
status_is 7 "a network that is up, and of which an older zoned kept no spec, is not known while its file is broken" zc network show secure
cp "$T/secure.yaml" "$file"
status_is 0 "... mended, it is" zc network show secure
same "$(denied)" "$guards" "... with its rules"
reaches; is $? 1 "... which hold"
is "$(eventually "$hook" hooks)" "$hook" "... other firewalls let its zones pass"
dhcp_runs() { kill -0 "$(server)"; }
until_ok dhcp_runs; ok $? "... its DHCP server runs"
dhcp=$(server)
rm "$file"
like "$(zc network show secure -o json | jq -r .error)" "secure.yaml is missing" "the file is removed: network show says so"
again
reaches; is $? 1 "zoned starts anew without it: what was denied is denied"
same "$(denied)" "$guards" "... by the same rules"
is "$(server) $(kill -0 "$dhcp" && echo runs)" "$dhcp runs" "... its DHCP server runs on"
is "$(eventually "$hook" hooks)" "$hook" "... other firewalls let its zones pass"
like "$(cat "$T/zoned.log")" "secure.yaml.* runs on as it was taken last" "... zoned's log says what is wrong"
like "$(zc events -o json | jq -r 'select(.event == "network-file-missing") | "\(.network) \(.reason)"')" "^secure .*secure.yaml is missing" "... an event"
like "$(zc network show secure -o json | jq -r '.error, .pending' | xargs)" "secure.yaml is missing: .*zonectl network set secure.* true$" "... show, with the remedy"
like "$(zc network list -o json | jq -r '.[] | select(.name == "secure") | .error')" "secure.yaml is missing" "... list"
like "$(zc doctor)" "LACK .*secure.yaml is missing" "... doctor"
is "$(zc network show secure -o json | jq -c 'del(.pending, .error)')" "$net" "... all else is as it was"
status_is 0 "... its zones start anew" zc restart s2
ns s2 ip addr add "$(addr s2)/16" dev eth0
reaches; is $? 1 "... as denied as before"
status_is 0 "... set writes it again" zc network set secure --policy deny
is "$(zc network show secure -o json | jq -c '[.error, .pending]')" '[null,false]' "... and all is in order"
again
same "$(denied)" "$guards" "... with its rules"
rm "$file" && stop_zoned
jq 'del(.spec)' "$ROOT/lib/networks/secure.json" >"$T/old.json" && cp "$T/old.json" "$ROOT/lib/networks/secure.json"
start_zoned
like "$(zc doctor)" "LACK .*secure.yaml is missing, and what it said was not kept" "an older zoned kept nothing of it: doctor says what is open"
like "$(zc network list -o json | jq -r '.[] | select(.name == "secure") | .type + .error')" "^broken.*secure.yaml is missing" "... list"
status_is 4 "... show" zc network show secure
like "$(zc events -o json | jq -r 'select(.event == "network-file-missing") | .reason' | tail -1)" "was not kept" "... an event"
cp "$T/secure.yaml" "$file"
is "$(zc network show secure -o json | jq -c '[.error, .pending]')" '[null,false]' "... put back, all is in order"
same "$(denied)" "$guards" "... with its rules"
status_is 0 "its rules change" zc network set secure --policy allow
reaches; ok $? "... at once"
sed -i 's/^type:/tpye:/' "$file"
again
reaches; ok $? "... and are what counts over a broken file"
zc network set default --policy deny && rm "$etc/networks/default.yaml"
again
is "$(zc network show default -o json | jq -c '[.policy, (.error | test("is missing")), .zones]')" '["deny",true,["beside"]]' "default without its file denies what it denied, for it has a zone"
zc network set default --policy allow
rm "$etc/networks/default.yaml"
zc stop -t 0 s1 s2 beside
again
is "$(zc network show default -o json | jq -c '[.policy, .error]') $(ls "$etc/networks/default.yaml")" "[\"allow\",null] $etc/networks/default.yaml" "... and is made anew when it has none"
status_is 7 "when no zone runs, networks go, and a start of zoned leaves it unknown" zc network show secure
like "$out" "secure.yaml:[0-9]*: tpye: unknown key" "... which says why"
rm "$file"
again
status_is 3 "... as without its file" zc network show secure
cp "$T/secure.yaml" "$file"
status_is 0 "... until it is mended" zc start s1 s2
bridge=$(zc network show secure -o json | jq -r .bridge)
zc stop -t 0 s1 s2
is "$(ip -o link show "$bridge" | wc -l)" 1 "its bridge stays when its last zone ends"
rm "$file"
kill9_zoned
start_zoned
status_is 3 "a network without file and zones when zoned starts is none" zc network show secure
is "$(ip -o link show "$bridge" 2>/dev/null; nft list ruleset | grep "$bridge")" "" "... and nothing of it stays"
cp "$T/secure.yaml" "$file"
status_is 0 "... until its file is there again" zc start s1 s2
zc delete --force s1 s2 beside && zc network delete wide secure
nft delete table ip filter
# ---- a lease that another version, or nobody, has written ----
zc create old --image host -- sleep 1000
lease=$ROOT/lib/zones/old/lease.json has=$(zc show old -o json | jq -c '.network[0].addresses')
cp "$lease" "$T/lease.json"
for what in 's/"format": *1/"format": 2/' 's/}/]/'; do
    sed -i "$what" "$lease" && cp "$lease" "$T/was.json"
    status_is 9 "a start over a lease with $what" zc start old
    like "$out" "lib/zones/old/lease.json" "... names the file"
    like "$out" "^hint: .*new machine-id" "... and the remedy"
    again
    status_is 9 "... after a restart of zoned as well" zc start old
    status_is 9 "... a set, too" zc set old network[0].rate_in=1M
    cmp -s "$lease" "$T/was.json"
    ok $? "... and the file is as it was"
    cp "$T/lease.json" "$lease"
done
status_is 0 "with its own lease it starts" zc start old
is "$(zc show old -o json | jq -c '.network[0].addresses') $(jq -r .machine_id "$lease")" "$has $(jq -r .machine_id "$T/lease.json")" \
    "... and is who it was"
zc delete --force old
# ---- a zone's file is edited ----
zc network create nn && zc pool create pp && zc volume create vv >/dev/null && zc create hand --image host -- sleep 1000
cp "$etc/zones/hand.yaml" "$T/hand.yaml"
printf 'network: [{link: nn}]\ncpu: {pool: pp}\nfilesystems: [{target: /srv, volume: vv}]\n' >>"$etc/zones/hand.yaml"
for what in "network nn" "pool pp" "volume vv"; do
    status_is 6 "$what is what an edit by hand names" zc ${what% *} delete ${what#* }
    like "$out" "$what is (in use|used) by zone hand" "... and is kept"
done
status_is 0 "... for the zone's start" zc start hand
status_is 0 "... which ends" zc stop -t 0 hand
cp "$T/hand.yaml" "$etc/zones/hand.yaml"
for what in "network nn" "pool pp" "volume vv"; do
    status_is 0 "$what is not named any more" zc ${what% *} delete ${what#* }
done
status_is 0 "... and the zone starts without" zc start hand
zc delete --force hand
# ---- a pool's file is broken ----
printf 'pool: hole\ncpu: {sharse: 5}\n' >"$etc/pools/hole.yaml"
status_is 7 "a pool with a typo" zc pool show hole
like "$out" "hole.yaml:2: cpu.sharse: unknown key" "... says where"
like "$(zc doctor)" "hole.yaml:2: cpu.sharse: unknown key" "... so does doctor"
status_is 4 "... none is written over it" zc pool create hole
sed -i s/sharse/shares/ "$etc/pools/hole.yaml"
is "$(zc pool list -o json | jq -c 'map([.name, .spec.cpu.shares])')" '[["hole",5]]' "... mended it is there"
status_is 0 "... and goes" zc pool delete hole
# ---- the host's part is broken ----
status_is 0 "a part for the host" zc set @host cpu.reserved=0.1
printf 'cpu:\n  resrved: 0.2\n' >"$etc/host.yaml"
says="host.yaml:2: cpu.resrved: unknown key"
like "$(zc show @host -o json | jq -r '.error, .pending, .spec.cpu.reserved' | xargs)" "$says.* true 0.1$" "a typo in it is told, what was counts on"
again
like "$(cat "$T/zoned.log")" "$says.*: the host has no part of its own" "... zoned's log says it"
like "$(zc show @host -o json | jq -r '.error, .pending, .spec.cpu.reserved' | xargs)" "$says.* true null$" "... and show"
like "$(zc doctor)" "$says" "... and doctor"
status_is 7 "... set does not write over it" zc set @host cpu.reserved=0.3
like "$out" "$says" "... and says why"
status_is 0 "... zones run all the same" zc run --rm host true
sed -i s/resrved/reserved/ "$etc/host.yaml"
is "$(zc show @host -o json | jq -c '[.error, .pending]')" '[null,true]' "mended, it is pending"
status_is 0 "... counts with the next set" zc set @host memory.reserved=1M
is "$(zc show @host -o json | jq -c '[.error, .pending, .spec.cpu.reserved]')" '[null,false,0.2]' "... with all that it says"
rm "$etc/host.yaml" && again
status_is 0 "the default network is up again" zc run --rm host true
nothing_left
