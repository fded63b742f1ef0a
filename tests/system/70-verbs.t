#!/usr/bin/env bash
# guest: v2
# The verbs that look at, change and move a zone: set, apply, export, rename, clone, cp, diff, volumes, logs, stats, events, roles.
. "$(dirname "$0")/lib.sh"
begin
cat >"$T/web.yaml" <<'EOF'
# the front
version: 1
zone: web
image: host
process:
  args: [sh, -c, "echo ready; exec sleep 1000"]   # stays
  env: {GREETING: hello}
cpu:
  shares: 200   # twice the usual
labels: {tier: front}
restart: {policy: on-failure, max: 3, backoff: 1s}
EOF
status_is 0 "verify" zc verify -f "$T/web.yaml"
status_is 0 "create -f" zc create web -f "$T/web.yaml"
status_is 7 "a NAME that differs from zone: is refused" zc create other -f "$T/web.yaml"
same "$(zc export web)" "$(cat "$T/web.yaml")" "export gives the file as it was"
is "$(zc export web -o json | jq -c '[.zone, .cpu.shares, .restart.max]')" '["web",200,3]' "... as JSON what it says"
status_is 0 "... which create takes, too" zc create json -f <(zc export -o json web | jq '.zone = "json"')
is "$(zc export json -o json | jq 'del(.zone)')" "$(zc export web -o json | jq 'del(.zone)')" "... as the same"
zc delete json
install -D "$(command -v busybox)" "$T/gone/busybox" && zc create json --image "dir:$T/gone" -- /busybox true && rm -r "$T/gone"
is "$(zc export json -o json | jq -r .image)" "dir:$T/gone" "... also of one that this host cannot run"
sed -i 's/^image:/imgae:/' "$ROOT/etc/zones/json.yaml"
status_is 7 "... of one that cannot be read" zc export json -o json
like "$out" "^json:[0-9]+: imgae: unknown key" "... it says why"
sed -i 's/^imgae:/image:/' "$ROOT/etc/zones/json.yaml"
zc delete json
for o in "-o json" "--output json" "--output=json"; do
    status_is 2 "logs $o" zc logs $o web
    like "$out" "^hint: leave it out: a log is the text" "... is refused with the reason"
done
is "$(zc help logs | grep -c -- --output) $(zc help list | grep -c -- --output)" "0 1" "... and not in its help"
status_is 0 "set of a zone at rest" zc set web memory.cap=100T tasks=500 labels.floor=two
like "$out" "tasks: .* \(at its start\)" "... counts at its start"
like "$out" "labels.*\(applied live\)" "... but not what zoned alone keeps"
like "$out" "memory.cap: more than the .* of this machine" "... and a cap that bounds nothing is remarked"
zc set web memory.cap= tasks= labels.floor= >/dev/null
status_is 0 "start" zc start web
is "$(zc exec web -- sh -c 'echo $GREETING')" hello "the spec's environment"
status_is 0 "a bound that is reached already" zc set web tasks=1
like "$out" "tasks: [0-9]+ run already: no new one can start until fewer than 1 are left" "... says what that means"
like "$(zc set web tasks= memory.cap=100T 2>&1)" "bounds nothing" "a cap that bounds nothing is remarked live"
is "$(zc set web cpu.shares=301 2>&1)" "cpu.shares: 200 -> 301 (applied live)" "... and not at each later change"
status_is 7 "one key with two values" zc set web cpu.cap=1 cpu.shares=7 cpu.cap=2
like "$out" "cpu.cap: is given twice: cpu.cap=1 and cpu.cap=2" "... says which"
status_is 7 "a value of set that is refused" zc set web memory.cap=1
like "$out" "^set: memory.cap: 1 is out of range" "... is named as one of set, with no line of the file"
is "$(printf '%s\n' "$out" | grep -c "web.yaml")" 0 "... which says nothing of it"
status_is 7 "a key with two letters exchanged" zc set web 'network[0].prots=1'
like "$out" "did you mean network.*ports|did you mean ports" "... is guessed"
status_is 7 "a name that is nearly the host's" zc set @hots cpu.reserved=0.1
like "$out" "hint: the host's own part is @host" "... is guessed too"
status_is 0 "a pool" zc pool create verbs
status_is 7 "a zone's key, which pools lack" zc pool set verbs memory.cap=1G
like "$out" "memory.cap.*unknown key .a pool has pool, cpu.shares, .*cpu.idle: zonectl.1" "... says which they have"
status_is 7 "one that the host's part lacks" zc set @host cpu.cap=1
like "$out" "cpu.cap.*unknown key .@host has cpu.shares, cpu.reserved, memory.reserved: zonectl.1" "... says which it has"
zc pool delete verbs
status_is 7 "a zone without an image" zc create imageless
like "$out" "image: is missing .*create has --image" "... says how it gets one"
is "$(printf '%s\n' "$out" | grep -c '(request)')" 0 "... and names no file that is none"
# ---- dependencies that are not there ----
says="depends: zone nosuch does not exist: until it does, the host's boot does not start zone needy"
like "$(zc create needy --depends nosuch --image host -- sleep 1000 2>&1)" "$says" "a dependency that is not there is remarked at create"
like "$(zc start needy 2>&1)" "$says" "... at the start"
is "$(zc set needy labels.a=b 2>&1 | grep -c depends)" 0 "... not at a change of something else"
like "$(zc export needy | zc verify -f - 2>&1)" "$says" "... at verify"
zc stop -t 0 needy && zc set needy depends= >/dev/null
like "$(zc set needy 'depends=[nosuch]' 2>&1)" "$says" "... at the set that names it"
zc set needy 'depends=[web]' >/dev/null
is "$(zc start needy 2>&1)" "" "of one that is there nothing is said"
mkdir "$T/pair" && printf 'zone: a-needs\nimage: host\ndepends: [b-needed]\nprocess: {args: [sleep, "9"]}\n' >"$T/pair/a.yaml"
printf 'zone: b-needed\nimage: host\nprocess: {args: [sleep, "9"]}\n' >"$T/pair/b.yaml"
is "$(zc apply -f "$T/pair" 2>&1 | grep -c "does not exist")" 0 "nor of one that the same apply makes"
zc delete --force needy a-needs b-needed >/dev/null
is "$(field web '[.spec.cpu.cap, .spec.cpu.shares] | map(. // "-") | join(" ")')" "- 301" "... and changes nothing"
status_is 0 "set several keys" zc set web cpu.shares=300 memory.cap=64M
like "$out" "cpu.shares.*live" "... says applied live"
like "$(zc export web)" "shares: 300   # twice the usual" "... and keeps the comment"
is "$(cat /sys/fs/cgroup/cpu/$inst.slice/web/cpu.shares 2>/dev/null || echo $(($(cat /sys/fs/cgroup/$inst.slice/web/cpu.weight) * 1024 / 100)))" 3072 "... and the kernel has it"
is "$(cat /sys/fs/cgroup/memory/$inst.slice/web/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/$inst.slice/web/memory.max)" 67108864 "... the memory cap too"
zc create few --image host --set limits.nofile=16 -- sleep 1000
status_is 0 "a zone with fewer files than its start needs" zc start few
is "$(zc exec few -- sh -c 'ulimit -n; ulimit -Hn' | xargs)" "16 16" "... exec has them too"
zc delete --force few
status_is 0 "set a key of the next boot" zc set web hostname=front
like "$out" "next boot" "... says at next boot"
is "$(field web .pending)" true "pending is shown"
status_is 7 "a bad value changes nothing" zc set web cpu.shares=400 cpu.cap=-1
is "$(zc show web -o json | jq .spec.cpu.shares)" 300 "... one transaction"
zc restart web >/dev/null
is "$(zc exec web -- hostname)" front "the next boot has it"
zc export web | sed 's/shares: 300/shares: 500/' >"$T/new.yaml"
status_is 0 "apply --dry-run" zc apply -f "$T/new.yaml" --dry-run
is "$(zc show web -o json | jq .spec.cpu.shares)" 300 "... changes nothing"
status_is 0 "apply" zc apply -f "$T/new.yaml"
is "$(zc show web -o json | jq .spec.cpu.shares)" 500 "... changes"
status_is 0 "start --dry-run prints the plan" zc start web --dry-run
like "$out" "rootfs|spawn" "... with its steps"
zc stop -t 1 web >/dev/null
zc create mark --image host -- sh -c 'echo mine >/root/file; rm /etc/shells; sleep 1000' && zc start mark
sleep 0.5
like "$(zc diff mark)" "A +/root/file" "diff shows an added file"
like "$(zc diff mark)" "D +/etc/shells" "diff shows a deleted one"
echo outside >"$T/in.txt"
status_is 0 "cp into a zone" zc cp "$T/in.txt" mark:/root/in.txt
is "$(zc exec mark -- cat /root/in.txt)" outside "... is there"
status_is 0 "cp out of a zone" zc cp mark:/root/file "$T/out.txt"
is "$(cat "$T/out.txt")" mine "... is here"
status_is 3 "cp of what is not there" zc cp mark:/root/none "$T/out.txt"
is "$out" "zonectl: cp mark:/root/none $T/out.txt: none: No such file or directory" "... says that and nothing else"
zc exec mark -- sh -c 'cp /usr/bin/id /root/id; chown 5:5 /root/id; chmod 6777 /root/id'
(umask 022 && zc cp mark:/root/id "$T/id")
is "$(stat -c '%a %u' "$T/id")" "755 0" "a setuid file of a zone is no setuid file of the host's root"
zc stop -t 1 mark >/dev/null
status_is 0 "clone" zc clone mark twin
zc set twin 'process.args=["sleep", "1000"]' >/dev/null
zc start twin mark
is "$(zc exec twin -- cat /root/file)" mine "the clone has the changes"
[ "$(zc exec twin -- cat /etc/machine-id)" != "$(zc exec mark -- cat /etc/machine-id)" ]
ok $? "and a machine-id of its own"
[ "$(field twin '.network[0].addresses[0]')" != "$(field mark '.network[0].addresses[0]')" ]
ok $? "and an address of its own"
zc stop -t 1 twin >/dev/null
status_is 0 "rename" zc rename twin second
status_is 3 "the old name is gone" zc show twin
zc start second
is "$(zc exec second -- cat /root/file)" mine "the new one has the data"
status_is 0 "volume create" zc volume create data
zc create v1 --image host -v data:/data -- sh -c 'echo shared >/data/x; sleep 1000' && zc start v1
zc create v2 --image host -v data:/data:ro -- sleep 1000 && zc start v2
sleep 0.3
is "$(zc exec v2 -- cat /data/x)" shared "a volume is shared"
is "$(zc exec v2 -- stat -c %u /data/x)" 0 "... with zone-relative ids"
zc exec v2 -- touch /data/y 2>/dev/null
[ $? != 0 ]
ok $? "... read-only where asked"
status_is 6 "a volume in use is not deleted" zc volume delete data
zc delete --force v1 v2 >/dev/null
status_is 0 "a volume lives longer than its zones" zc volume show data
status_is 0 "volume delete" zc volume delete data
status_is 3 "... again" zc volume delete data
like "$out" "volume list" "... says where to look"
status_is 0 "a volume is made with the zone that names it" zc create v3 --image host -v fresh:/data -- sleep 1000
like "$out" "volume fresh is new" "... and a note says so"
zc start v3
status_is 4 "a running zone is not deleted" zc delete v3
like "$out" "delete --force v3" "... and the hint says how"
status_is 0 "restart -t" zc restart -t 1 v3
zc delete --force v3 >/dev/null
status_is 0 "the new volume stays" zc volume delete fresh
for verb in "run -it --rm host" "run -i --tty --rm host" "exec -it mark --" "exec -ti mark"; do
    status_is 125 "$verb without a terminal" timeout -k 1 20 "$BIN/zonectl" $verb sh </dev/null
    like "$out" "^zonectl: .*: -t: standard input is not a terminal" "... says so"
    like "$out" "^hint: leave out -t" "... and what helps"
done
status_is 0 "-t alone needs none" timeout 20 "$BIN/zonectl" run -t --rm host tty </dev/null
status_is 127 "run names the command that is not there" zc run --rm host -it sh
like "$out" "-it: command not found" "... by name"
like "$out" "before IMAGE" "... and where options go"
is "$(zc logs web | grep -c ready)" 2 "logs of two starts"
like "$(zc logs --timestamps -n 1 web)" "^20[0-9-]+T.* ready" "logs with timestamps"
like "$(zc stats -o json | jq -r '.zones[].name' | tr '\n' ' ')" "mark" "stats"
like "$(zc events)" 'running +mark' "events"
# -o json of what changes something, remarks of several zones, lists in order, what completes
for i in 1 2; do zc create js$i --image host -p 198.51.100.7:1807$i:80 -- sleep 1000 >/dev/null; done
out=$(zc start js1 js2 2>&1 >/dev/null)
like "$out" "^zone js1: .*198.51.100.7" "a remark of several starts names its zone"
is "$(zc kill -s CONT -o json js1 | jq -r .name)" js1 "kill -o json"
is "$(zc delete --force -o json js1)" "{}" "delete -o json"
printf 'zone: js3\nimage: host\nprocess: {args: [sleep, "1000"]}\nnetwork: [{link: default, ports: ["198.51.100.7:18073:80"]}]\n' >"$T/js2.yaml"
like "$(zc apply -f "$T/js2.yaml" 2>&1)" "^zone js3: .*198.51.100.7" "... and one of apply"
zc delete --force js2 js3 >/dev/null
is "$(zc network create jsn --type sealed -o json | jq -r .name) $(zc network set jsn --policy deny -o json | jq -r .name)" "jsn jsn" "network create and set -o json"
zc pool create zz >/dev/null && zc pool create aa >/dev/null
is "$(zc pool list -o json | jq -r '.[].name' | xargs)" "aa zz" "pools are listed by name"
zc completion bash >"$T/completion"
completed() { # WORD…: what bash completes the last one to
    PATH=$BIN:$PATH bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zonectl; echo "${COMPREPLY[*]}"' "$T/completion" "$@"
}
is "$(completed zonectl --output json sta)" "start stats" "completion after --output"
is "$(completed zonectl -o json sta)" "start stats" "... and -o"
is "$(completed zonectl pool s)" "show set" "... of a pool's words"
is "$(completed zonectl pool show z)" "zz" "... of pools"
is "$(completed zonectl network delete js)" "jsn" "... of networks"
is "$(completed zonectl create x --network js)" "jsn" "... also as an option's value"
zc network delete jsn && zc pool delete aa && zc pool delete zz
like "$(zc top -h)" "T W D I E .*tasks, waiting" "top -h names the keys as they are"
zc create hinted --image host -- sleep 1000 >/dev/null
status_is 4 "resume of a zone that does not run" zc resume hinted
like "$out" "hint: zonectl start hinted" "... says what helps"
zc start hinted >/dev/null
status_is 4 "rename of one that runs" zc rename hinted other
like "$out" "hint: zonectl stop hinted" "... says so, too"
zc delete --force hinted >/dev/null
tell() { zc events -o json | jq -rc "select($1) | del(.time) | to_entries | map(\"\\(.key)=\\(.value)\") | join(\" \")" | xargs; }
changes_of() { tell '.event == "changed" and .zone == "web"' | wc -w; }
was=$(changes_of)
zc set web cpu.shares=150 >/dev/null
is "$(($(changes_of) - was))" 2 "a change is an event"
zc set web cpu.shares=150 >/dev/null
is "$(($(changes_of) - was))" 2 "... what changes nothing is none"
zc pool create told cpu.cap=0.5 >/dev/null && zc pool set told cpu.cap=0.6 >/dev/null && zc pool set told cpu.cap=0.6 >/dev/null && zc pool delete told
is "$(tell '.pool == "told"')" "event=pool_created pool=told event=pool_changed pool=told event=pool_deleted pool=told" "a pool's events name it"
zc network create told --type sealed >/dev/null && zc network delete told
is "$(tell '.network == "told"')" "event=network-created network=told event=network-deleted network=told" "a network's events name it as a network"
zc volume create told >/dev/null && zc volume delete told
is "$(tell '.volume == "told"')" "event=volume_created volume=told event=volume_deleted volume=told" "a volume's, too"
zc create told --image host -- true >/dev/null && zc rename told tale >/dev/null && zc delete tale
is "$(tell '.event == "renamed" and .zone == "told"')" "event=renamed zone=told new=tale" "a new name is told"
is "$(timeout 2 "$BIN/zonectl" events -f | grep -c ' renamed .*told')" 1 "events -f begins with what happened"
status_is 0 "df" zc df
status_is 0 "doctor" zc doctor
like "$(curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/metrics)" 'zoned_zone_cpu_seconds_total\{zone="mark"\}' "metrics"
is "$(curl -s --unix-socket "$ZONED_SOCKET" http://x/v1/openapi.json | jq -r .openapi)" 3.1.0 "the API's own description"
like "$(zc list -l tier=front -q)" "^web$" "list by label"
like "$(zc list -o yaml)" "name: mark" "YAML output"
like "$(script -qec "$BIN/zonectl exec -t mark -- tty" /dev/null | tr -d '\r')" "/dev/pts/" "exec -t has a terminal"
like "$(script -qec "$BIN/zonectl exec -t mark -- sh -c 'stty size'" /dev/null </dev/null | tr -d '\r')" "^[0-9]+ [0-9]+" "... with a size"
# ---- words of other managers: each is answered by what is to be typed here, which there is ----
told=0 wrong= rows=$(sed -nE 's/^    \{(SPEC|"[^"]*"), "([^"]*)", "([^"]*)"\},$/\1\t\2\t\3/p' "$top/cmd/zonectl/elsewhere.c")
while IFS=$'\t' read -r of word say; do
    of=${of//\"/} of=${of/SPEC/create run}
    for verb in ${of:--}; do
        got=$(zc ${verb#-} "$word" 2>&1 </dev/null)
        [ $? != 0 ] && [ "$(tail -1 <<<"$got")" = "hint: $say" ] && told=$((told + 1)) || wrong+="$verb $word: $got"$'\n'
    done
    while read -r _ verb second; do
        case $verb in
            image | network | volume | pool) zc help "$verb" | grep -qE "^Usage: .*[ |]$second[| ]" ;;
            *) zc help "$verb" >/dev/null 2>&1 ;;
        esac || wrong+="$word: there is no $verb $second"$'\n'
    done < <(grep -oE 'zonectl [a-z]+( [a-z]+)?' <<<"$say")
    for option in $(grep -oE -- '--[a-z-]+' <<<"$say"); do
        for verb in run image network list logs; do zc help $verb; done | grep -qE -- " $option( |$)" || wrong+="$word: there is no $option"$'\n'
    done
done <<<"$rows"
is "$([ $told -gt 90 ] && echo many)$wrong" many "words of other managers have an answer that is true"
status_is 0 "... the options work" zc create docked --image host --network none --set 'health.exec=[sh, -c, true]' \
    --set 'sysctls={net.core.somaxconn: 4096}' --set limits.nofile=900 --set security.seccomp=unconfined --set security.no_new_privs=false -- sleep 1000
zc set docked 'network=[{link: default}]' >/dev/null && zc network create second >/dev/null
status_is 0 "... a network is connected" zc set docked 'network[]={link: second}'
status_is 0 "... and disconnected" zc set docked 'network[1]='
is "$(zc show docked -o json | jq -c '[.spec.network[].link]')" '["default"]' "... it alone"
zc delete docked && zc network delete second
is "$(for word in rmx kil hal dele killall rmxx; do zc $word; done 2>&1 | grep -oE 'mean [a-z]+' | xargs)" "mean rm mean kill mean halt" "what ends something is offered for one slip alone"
like "$(zc sotp 2>&1)" "mean stop" "... as two letters swapped are"
status_is 7 "--cpus with an amount" zc create some --image host --cpus 1.5
like "$out" "^hint: .*--cpu-cap 1.5$" "... names what is one"
status_is 0 "--cpus with a number" zc create some --image host --cpus 1 -- true
is "$out" "cpu.set: CPU number 1 alone; for the time of 1 CPU: --cpu-cap 1" "... is remarked"
zc delete some
is "$(zc create some --image host --cpus 0-1 -- true 2>&1)" "" "... a list is not"
zc delete some
status_is 2 "ps without a name" zc ps
like "$out" "all zones: zonectl list" "... says where all are"
chmod 711 "$T"
is "$(setpriv --reuid 65533 --regid 65533 --clear-groups "$BIN/zonectl" list 2>&1 >/dev/null | head -1 | grep -c 'may not')" 1 "a stranger is told so"
zc create boot --image host --autoboot --set 'depends=[base]' -- sleep 1000
zc create base --image host --autoboot -- sleep 1000
zc create also --image host --autoboot --network zone:base -- sleep 1000
zc delete --force mark second >/dev/null
"$BIN/zoned" --root "$ROOT" --shutdown
wait "$zoned_pid"
start_zoned
status_is 0 "autoboot starts a zone and what it depends on" zc wait boot --for running
is "$(state base)" running "... in order"
is "$(zc list -o json | jq '[.[] | {(.name): .uptime}] | add | .base >= .boot')" true "... the dependency first"
tries=30 eventually running state also >/dev/null; is "$(state also)" running "who has its network starts after it, too"
zc delete --force also boot base web >/dev/null
# ---- what waits for the next boot waits ----
zc volume create data >/dev/null && zc create waits -v data:/data --image host -- sleep 1000 && zc start waits
status_is 0 "rights are asked for while it runs" zc set waits 'security.capabilities.add=[SYS_ADMIN]' security.seccomp=unconfined process.stop_timeout=40s filesystems=
like "$out" "capabilities.add: .*at next boot" "... at the next boot"
rights() { zc exec waits -- grep -E 'CapBnd|Seccomp:|NoNewPrivs' /proc/self/status; }
had=$(rights)
status_is 0 "a live change" zc set waits cpu.shares=50 labels.a=b
is "$(echo "$out" | grep -c 'at next boot')" 0 "... tells of itself alone"
same "$(rights)" "$had" "... and brings nothing else"
is "$(field waits .pending) $(field waits .division.shares)" "true 50" "... which is pending"
status_is 6 "a volume that is still mounted is not deleted" zc volume delete data
zc set waits 'network=[{link: host}]' >/dev/null
status_is 0 "another stack waits, too, and stands in nobody's way" zc set waits cpu.shares=60
is "$(field waits '.network[0].link')" default "... it has its links until then"
zc export waits >"$T/waits.yaml"
status_is 0 "apply of the same" zc apply -f "$T/waits.yaml"
like "$out" "^waits: unchanged" "... has nothing to do"
kill9_zoned; start_zoned
is "$(field waits .pending)" true "pending over the death of zoned"
out=$(zc set waits 'network=[{link: default}]' 'security.capabilities.add=' security.seccomp= process.stop_timeout= 'filesystems=[{target: /data, volume: data}]' 2>&1)
like "$out" "what waited for the next boot is taken back" "set back: it says so"
is "$(field waits .pending)" false "set back it is not pending"
sed -i 's/^cpu:/cpu:\n  cap: 0.5/' "$ROOT/etc/zones/waits.yaml"
is "$(field waits '[.pending, .division.cap]' | jq -c .)" "[true,null]" "a file edited by hand is pending"
echo 'hu: x' >>"$ROOT/etc/zones/waits.yaml"
like "$(field waits .error)" "waits.yaml:[0-9]+: hu: unknown key|waits.yaml: hu: unknown key" "... a broken one is told"
sed -i '$d' "$ROOT/etc/zones/waits.yaml"
is "$(field waits '[.pending, .error]' | jq -c .)" "[true,null]" "... until it is mended"
status_is 0 "a set of something else brings what is live in it" zc set waits cpu.shares=70
is "$(field waits '[.pending, .division.cap, .division.shares]' | jq -c .)" "[false,0.5,70]" "... and all is as the file says"
zc set waits 'filesystems=' >/dev/null
zc restart -t 0 waits
status_is 0 "what waited is so at the next start" zc volume delete data
zc delete --force waits >/dev/null
same "$(picture "$inst" | sed '/^\[links\]/,/^\[cgroups\]/d')" "$(echo "$before" | sed '/^\[links\]/,/^\[cgroups\]/d')" "nothing is left"
stop_zoned
eventually "" pgrep -f "zone-sup --server $ROOT" >/dev/null
is "$(pgrep -f "zone-sup --server $ROOT")" "" "no supervisor waits for a zone of a daemon that is gone"
