#!/usr/bin/env bash
# Application-zone packages: a zone packed into one file that podman's tools read as an image, installed elsewhere with its
# parameters, asked for on a terminal; what it wants of the host is shown, and refused where it reaches too far; a newer package
# over an installed one, and back; killed at random instants of that.
. "$(dirname "$0")/lib.sh"
mkdir -p "$T/tree/bin" "$T/tree/etc"
cp /bin/busybox "$T/tree/bin/busybox"
for a in sh cat echo sleep httpd touch dd; do ln "$T/tree/bin/busybox" "$T/tree/bin/$a"; done
tar -C "$T/tree" -cf "$T/base.tar" .
start_zoned || ok 1 "zoned starts" "$(cat "$T/zoned.log")"
zc image import "$T/base.tar" base:1 >/dev/null 2>&1 || ok 1 "a base image"

# ---- a vendor: tunes a zone and packs it ----
zc create web --image base:1 -v pages:/srv --memory 64M -e GREETING=hello -- httpd -f -p 80 -h /srv 2>/dev/null
zc start web 2>/dev/null
zc exec web -- sh -c 'echo tuned >/etc/tuned.conf; echo kept >/srv/page'
# a running zone stands still for it, and runs on
zc exec web -- sh -c 'dd if=/dev/zero of=/zeros bs=1000000 count=300 2>/dev/null; i=0; while sleep 0.05; do i=$((i+1)); echo $i >/n; done' & ticks=$!
until_ok zc exec web -- cat /n >/dev/null 2>&1
zc pack web -o "$T/live.zone" --tag localhost/live:1 >"$T/live.out" 2>&1 & packing=$!
seen=$(nap=0.01 tries=200 eventually paused state web)
is "$seen" paused "a running zone stands still while it is packed"
wait $packing
ok $? "... it is packed" "$(cat "$T/live.out")"
is "$(state web)" running "... and runs on"
a=$(zc exec web -- cat /n)
until_ok eval 'b=$(zc exec web -- cat /n); [ -n "$b" ] && [ "$a" != "$b" ]'
ok "$([ "$a" != "$b" ]; echo $?)" "... really"
mkdir "$T/l" && skopeo copy -q "oci-archive:$T/live.zone" "dir:$T/l"
like "$(for f in "$T/l/"*; do zcat -f "$f" 2>/dev/null | tar -tf - 2>/dev/null; done)" "^etc/tuned.conf$" "... with its changes"
zc pack web -o "$T/cut.zone" --tag localhost/cut:1 >/dev/null 2>&1 & packing=$!
nap=0.01 tries=200 eventually paused state web >/dev/null
kill9_zoned
wait $packing
sleep 0.3
start_zoned
is "$(state web) $(zc image list -o json | jq -r '.[].ref' | grep -c cut) $(ls "$T"/cut.zone* 2>/dev/null | wc -l)" "running 0 0" "zoned killed meanwhile: it runs on, no image, no file"
zc exec web -- sh -c ': >/zeros'
zc stop -t 1 web 2>/dev/null
wait $ticks
zc image delete localhost/live:1 >/dev/null; rm -f "$T/live.zone"
cat >"$T/web.yaml" <<'END'
name: web
version: "1.0"
description: a small web server
zone:
  memory: {cap: "${memory}"}
  process: {args: [/bin/sh, -c, "echo $GREETING; exec httpd -f -p 80 -h /srv"], env: {GREETING: "${greeting}", KEY: "${key}"}}
  network: [{link: default, ports: ["${port}:80"]}]
  filesystems: [{target: /srv, volume: "${volume}"}]
parameters:
  - {name: port, type: port, default: 8081, description: port of the host}
  - {name: memory, type: size, default: 64M}
  - {name: greeting, default: hi}
  - {name: volume, default: site}
  - {name: key, required: true, secret: true, description: the key}
END
status_is 0 "pack" zc pack web -o "$T/web.zone" -f "$T/web.yaml"
like "$out" "^localhost/web:1.0@sha256:" "names the image"
like "$(skopeo inspect "docker-archive:$T/web.zone" 2>&1)" '"org.zoned.package": ".*port' "skopeo reads it as docker's archive, its document with it"
is "$(skopeo inspect --raw "oci-archive:$T/web.zone" | jq -r '.layers | length')" 2 "and as an OCI archive"
like "$(tar -xOf "$T/web.zone" manifest.json | jq -r '.[0].RepoTags[0]')" "localhost/web:1.0" "by its name"
mkdir "$T/x" && skopeo copy -q "oci-archive:$T/web.zone" "dir:$T/x"
members=$(for f in "$T/x/"*; do zcat -f "$f" 2>/dev/null | tar -tf - 2>/dev/null; done)
like "$members" "^etc/tuned.conf$" "the zone's changes are in it"
is "$(echo "$members" | grep -c -e srv/page -e resolv.conf -e machine-id)" 0 "its volume and its identity are not"
is "$(zc pack web --tag localhost/plain:1 -o json 2>/dev/null | jq -r .ref)" localhost/plain:1 "--tag, -o json"
is "$(zc image show localhost/plain:1 -o json | jq -r '.config.config.Labels["org.zoned.package"] // .config.Labels["org.zoned.package"]' | jq -r '.name + " " + .zone.memory.cap')" "web 64M" "without a document: the zone as it is"

# ---- an operator ----
status_is 0 "install --dry-run shows what it asks and wants" zc install "$T/web.zone" two --dry-run --set key=k
like "$out" "wants port: 8081:80" "ports"
like "$out" "wants memory: at most 64M" "memory"
like "$out" "key = \(secret\)" "a secret is not shown"
is "$(zc list -q)" web "nothing was done"
is "$(zc install "$T/web.zone" two --dry-run -o json 2>/dev/null | jq -c '[.missing, (.wants | length), .new]')" '[["key"],0,true]' "-o json"
status_is 7 "what is missing is refused without a terminal" zc install "$T/web.zone" two
like "$out" "set key: is missing" "named"
like "$out" "hint: --set key=VALUE" "with the remedy"
is "$(zc list -q)" web "nothing is left"
status_is 7 "a value of the wrong type" zc install "$T/web.zone" two --set key=k --set port=http
status_is 7 "a parameter that is none" zc install "$T/web.zone" two --set key=k --set prot=1
like "$out" "the package has no parameter prot" "named"
status_is 0 "install" zc install "$T/web.zone" two --set key=s3cret --set port=8082
is "$(zc list -o json | jq -r '.[] | select(.name == "two") | .state + " " + .image')" "installed localhost/web:1.0" "it is installed"
like "$out" "^two$" "and told"
is "$(printf '%s' "$out" | grep -c s3cret)" 0 "its secret is not"
is "$(stat -c %a "$ROOT/etc/zones/two.yaml")" 600 "nor can others read it"
zc start two 2>/dev/null
zc exec two -- sh -c 'echo site >/srv/page; echo mine >/mine'
page=$(until_ok curl -s http://127.0.0.1:8082/page)
is "$page" site "it serves"
is "$(zc logs two | head -1)" hi "a parameter's default"
is "$(zc exec two -- cat /etc/tuned.conf)" tuned "the vendor's tuning"
is "$(zc show two -o json | jq -c '.package | [.name, .version, .back]')" '["web","1.0",false]' "show names the package"
is "$(echo "GET /v1/zones" | python3 "$here/answers.py" "$ZONED_SOCKET" 2>&1)" "" "... as the API's document describes it"
# on a terminal
asked() { until_ok grep -qsE "$1" "$T/talk"; } # as people do: what is typed is an answer
rm -f "$T/talk"
{ asked 'the key \(string\):'; echo typed; asked 'install it\?'; echo y; sleep 0.6; } |
    script -qefc "'$BIN/zonectl' install '$T/web.zone' three --set port=8083 --set volume=third" /dev/null >"$T/talk" 2>&1
like "$(cat "$T/talk")" "key, the key \(string\):" "a terminal is asked for what is missing"
like "$(cat "$T/talk")" "install it\?" "and whether"
is "$(grep -c typed "$T/talk")" 0 "a secret is typed without being seen"
is "$(zc export three | grep -o 'KEY: [a-z]*')" "KEY: typed" "what was typed is there"
rm -f "$T/talk"
{ asked 'install it\?'; echo n; sleep 0.4; } | script -qefc "'$BIN/zonectl' install '$T/web.zone' four --set key=k" /dev/null >"$T/talk" 2>&1
is "$(zc list -q | grep -c four)" 0 "no is no"
zc delete three

# ---- a newer package over it ----
zc set two memory.cap=80M labels.tier=front >/dev/null 2>&1
sed -i 's/"1.0"/"2.0"/; s/default: hi/default: hola/; s/env: {/env: {NEW: "1", /' "$T/web.yaml"
zc pack web -o "$T/web2.zone" -f "$T/web.yaml" >/dev/null 2>&1
status_is 4 "not over a running zone" zc install "$T/web2.zone" two
zc stop -t 1 two 2>/dev/null
status_is 0 "install over it" zc install "$T/web2.zone" two
like "$out" "in place of 1.0" "says over what"
zc start two 2>/dev/null
page=$(until_ok curl -s http://127.0.0.1:8082/page)
is "$page" site "volume and port are as they were"
like "$(zc logs two)" "^hola$" "the package's news are there"
is "$(field two '[.spec.memory.cap, .spec.labels.tier, .spec.process.env.NEW, .spec.process.env.KEY] | join(" ")')" "80M front 1 s3cret" "the operator's settings too"
zc exec two -- cat /mine >/dev/null 2>&1
ok $((! $?)) "the root is the new package's"
status_is 4 "not back while it runs" zc install --back two
zc stop -t 1 two 2>/dev/null
status_is 0 "and back" zc install --back two
like "$out" "two is web 1.0 again" "says to what"
zc start two 2>/dev/null
is "$(zc exec two -- cat /mine)" mine "with the root of then"
is "$(field two '[.spec.memory.cap, .spec.process.env.GREETING, .package.version] | join(" ")')" "80M hi 1.0" "and its settings"
zc stop -t 1 two 2>/dev/null
status_is 3 "a zone of no package has nothing to go back to" zc install --back web
status_is 4 "a zone of no package is not changed" zc install "$T/web2.zone" web --set key=k
status_is 4 "nor one of another package" bash -c "printf 'name: other\nzone: {}\n' >'$T/o.yaml'; '$BIN/zonectl' pack web -o '$T/o.zone' -f '$T/o.yaml' >/dev/null 2>&1; '$BIN/zonectl' install '$T/o.zone' two"
# packed again: its parameters are parameters, its secret is not in it
status_is 0 "an installed zone is packed again" zc pack two -o "$T/two.zone"
is "$(tar -xOf "$T/two.zone" | zcat -f 2>/dev/null | grep -ac s3cret)" 0 "no secret is in it"
like "$(skopeo inspect "docker-archive:$T/two.zone")" 'port.:80' "parameters are"

# ---- too much ----
cat >"$T/greedy.yaml" <<'END'
name: greedy
zone:
  network: [{link: host}]
  filesystems: [{target: /host, bind: /etc}]
  devices: [/dev/fuse]
  security: {capabilities: {add: [NET_ADMIN]}}
END
zc pack web -o "$T/greedy.zone" -f "$T/greedy.yaml" >/dev/null 2>&1
status_is 5 "what reaches the host is denied" zc install "$T/greedy.zone"
for w in "folder of the host /etc at /host" "capability NET_ADMIN" "device /dev/fuse" "network host"; do like "$out" "$w" "named: $w"; done
like "$out" "hint: --allow network,binds,capabilities,devices" "with the words"
status_is 5 "some words are not enough" zc install "$T/greedy.zone" --allow binds,network
status_is 7 "a word that is none" zc install "$T/greedy.zone" --allow everything
is "$(zc list -q | grep -c greedy)" 0 "nothing is left"
status_is 0 "allowed" zc install "$T/greedy.zone" --allow network,binds --allow capabilities,devices
zc delete greedy
pack_yaml() { # pack_yaml NAME ZONE-PART: a package of that name; version 1 unless $version says otherwise
    printf 'name: %s\nversion: "%s"\nzone: %s\n' "$1" "${version:-1}" "$2" >"$T/g.yaml"
    zc pack web -o "$T/$1.zone" -f "$T/g.yaml" >/dev/null 2>&1 || ok 1 "$1 is packed"
}
denied() { # denied NAME ZONE-PART WANT WORD
    pack_yaml "$1" "$2"
    status_is 5 "$3 is denied" zc install "$T/$1.zone"
    like "$out" "wants $3" "... named"
    like "$out" "hint: --allow $4," "... with its word"
    is "$(zc list -q | grep -c "^$1\$")" 0 "... nothing is left"
}
denied spoof '{network: [{link: default, trusted: true}]}' "trust: sends as anybody on default" network
denied whole '{init: system}' "init: a whole system" capabilities
denied dumper '{limits: {core: 1M}}' "core dumps: where the host" privileges
denied thief '{filesystems: [{target: /loot, volume: pages}]}' "another zone's volume: pages, of web" volumes
zc network create ruled --subnet 10.40.7.0/24 >/dev/null 2>&1
zc network set ruled --rule "from label tier=web to any allow tcp 5432" >/dev/null 2>&1
denied label '{labels: {tier: web}}' "a rule's label: tier=web, on ruled" network
zc network set ruled --rule "from zone named to any allow tcp 5433" >/dev/null 2>&1
denied named '{network: [{link: ruled}]}' "a rule's zone: named, on ruled" network
zc network delete ruled >/dev/null 2>&1
# whose volume it is cannot be told while a zone's file cannot be read
zc volume create whose >/dev/null 2>&1
cp "$ROOT/etc/zones/web.yaml" "$T/web.kept"
echo 'nonsense: [' >>"$ROOT/etc/zones/web.yaml"
stop_zoned; start_zoned
pack_two() { printf 'name: heir\nzone: {filesystems: [{target: /loot, volume: whose}]}\n' >"$T/g.yaml"; zc pack two -o "$T/heir.zone" -f "$T/g.yaml" >/dev/null 2>&1; }
pack_two || ok 1 "heir is packed"
status_is 5 "a volume that may be of a zone whose file cannot be read" zc install "$T/heir.zone"
like "$out" "wants perhaps another zone's volume: whose, web's file cannot be read" "... named"
like "$out" "hint: --allow volumes," "... with its word"
cp "$T/web.kept" "$ROOT/etc/zones/web.yaml"
stop_zoned; start_zoned
zc volume delete whose >/dev/null 2>&1
# all that weighs upon others is shown, also what needs no word
zc volume create stray >/dev/null 2>&1
pack_yaml shown '{cpu: {shares: 500, burst: 0.5, cap: 1, set: "0"}, tasks: 9999, io: {weight: 10}, shm: 128M, depends: [two], labels: {a: b}, sysctls: {net.core.somaxconn: "9"}, limits: {nofile: 70000, memlock: 1G}, memory: {swap: 1M}, network: [{link: default, aliases: [db], address: 10.99.0.9}], filesystems: [{target: /s, volume: stray}]}'
out=$(zc install "$T/shown.zone" --dry-run 2>&1)
for w in "cpu.shares: 500" "cpu.burst: 0.5" "cpu.set: 0" "tasks: 9999" "io.weight: 10" "shm: " "depends: .*two" "labels.a: b" "sysctls.net.core.somaxconn: 9" "limits.nofile: 70000" "limits.memlock: " "memory.swap: " "name: db on default" "address: 10.99.0.9 on default" "volume with data: stray exists already"; do
    like "$out" "wants $w" "shown: $w"
done
zc volume delete stray >/dev/null 2>&1
# what this host lacks is said at once, and a dry run ends as the install would
pack_yaml lacking '{cpu: {pool: nopool}, network: [{link: nonet}, {link: nonet2}]}'
for dry in --dry-run ""; do
    status_is 3 "a pool and networks that are not there${dry:+, a dry run}" zc install "$T/lacking.zone" $dry
    is "$(echo "$out" | grep -cE '^(cpu.pool|network\[[01]\].*): ')" 3 "... all named"
done
is "$(zc install "$T/lacking.zone" --dry-run -o json 2>/dev/null | jq -r .refused.kind) $(zc list -q | grep -c lacking)" "not_found 0" "... in the answer, too"
status_is 7 "a dry run without a value that is needed" zc install "$T/web.zone" three --dry-run
# what the operator has set is shown as it will be
pack_yaml tuned '{cpu: {shares: 300}, network: [{link: default, ports: ["18080:80"]}]}'
zc install "$T/tuned.zone" >/dev/null 2>&1
zc set tuned cpu.shares=500 'network[0].ports=["19090:80"]' >/dev/null
version=2 pack_yaml tuned '{cpu: {shares: 300}, network: [{link: default, ports: ["18080:80"]}], tasks: 99}'
out=$(zc install "$T/tuned.zone" --dry-run 2>&1)
is "$(echo "$out" | grep -E 'wants (port|cpu.shares)' | xargs)" "wants port: 19090:80 wants cpu.shares: 500" "an installed zone's own settings are what is shown"
zc install "$T/tuned.zone" >/dev/null 2>&1
is "$(field tuned '"\(.spec.cpu.shares) \(.spec.network[0].ports[0]) \(.spec.tasks)"')" "500 19090:80 99" "... and what is installed"
zc delete tuned
# what was allowed once is no leave for more
pack_yaml greedy '{devices: [/dev/fuse]}'
status_is 0 "a device, allowed" zc install "$T/greedy.zone" --allow devices
version=2 pack_yaml greedy '{devices: [/dev/fuse], tasks: 77}'
status_is 0 "a newer package with the same device needs no word" zc install "$T/greedy.zone"
version=3 pack_yaml greedy '{devices: [/dev/fuse, /dev/null]}'
status_is 5 "one more device needs its word again" zc install "$T/greedy.zone"
is "$(printf '%s\n' "$out" | grep -c '^devices: ')" 1 "... and that one alone is named"
is "$(field greedy .package.version)" 2 "... the zone is as it was"
zc delete greedy
# what is installed is what was shown
code=$(curl -s -o "$T/e.json" -w '%{http_code}' --unix-socket "$ZONED_SOCKET" -d '{"ref":"localhost/web:1.0","name":"swapped","set":{"key":"k"},"digest":"sha256:0000"}' http://x/v1/install)
is "$code $(jq -r .error.kind "$T/e.json") $(zc list -q | grep -c swapped)" "409 conflict 0" "a reference that names another package than was shown"
# ... also when the name is given to another image while zoned has not yet made the zone of it
retag() { # retag FROM TO: the image of FROM under the name TO, behind zoned's back
    jq --arg from "$1" --arg to "$2" '(.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $from)) as $f
        | (.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $to)) |= . + {digest: $f.digest, size: $f.size}' \
        "$ROOT/lib/images/index.json" >"$T/index" && cp "$T/index" "$ROOT/lib/images/index.json"
}
meanwhile() { # meanwhile BODY: an install with zoned held between the look and the deed; what came of it
    for _ in $(seq 20); do
        cp "$ROOT/lib/images/index.json" "$T/index.kept"
        curl -s --unix-socket "$ZONED_SOCKET" -d "$1" http://x/v1/install >"$T/meanwhile" & client=$!
        worker=
        for _ in $(seq 2000); do worker=$(cat "/proc/$zoned_pid/task/$zoned_pid/children"); [ -n "${worker// /}" ] && break; done
        kill -STOP "$zoned_pid"
        nap=0.01 tries=200 until_ok grep -q '^State:.Z' "/proc/${worker// /}/status" 2>/dev/null
        retag localhost/web:2.0 localhost/web:1.0
        kill -CONT "$zoned_pid"
        wait $client
        cp "$T/index.kept" "$ROOT/lib/images/index.json"
        grep -q "has become another image" "$T/meanwhile" && break
        zc delete swapped >/dev/null 2>&1
    done
    jq -r 'select(.error).error | .kind + ": " + .message' "$T/meanwhile"
}
like "$(meanwhile '{"ref":"localhost/web:1.0","name":"swapped","set":{"key":"k","port":"8099","volume":"fresh"}}')" "^conflict: localhost/web:1.0 has become another image meanwhile" "... a conflict that says so"
is "$(zc volume list -o json | jq -r '.[].name' | grep -c fresh)" 0 "... no volume of it is left"
is "$(zc list -q | grep -c swapped)" 0 "... and no zone is left"
status_is 7 "an ordinary image is no package" zc install base:1 x
like "$out" "is an ordinary image" "says so"
printf 'name: bad\nzone: {memory: {cap: "${m}"}}\n' >"$T/bad.yaml"
status_is 7 "a document with a mistake" zc pack web -o "$T/bad.zone" -f "$T/bad.yaml"
like "$out" "bad.yaml:2: zone.memory.cap: .*names no parameter" "file, line and key"
ok "$([ ! -e "$T/bad.zone" ]; echo $?)" "no file is left"
status_is 3 "no such zone" zc pack none -o "$T/n.zone"
status_is 2 "no file and no name" zc pack web
status_is 3 "no such file" zc install "$T/none.zone"
code=$(curl -s -o "$T/e.json" -w '%{http_code}' --unix-socket "$ZONED_SOCKET" -d '{"ref":"localhost/web:1.0","name":"api"}' http://x/v1/install)
is "$code $(jq -r '.error.kind + " " + .error.details[0].key' "$T/e.json")" "422 invalid set key" "the API says which parameter lacks"

# ---- killed on the way ----
bad=""
for i in $(seq 12); do
    before=$(field two .package.version)
    if [ "$before" = 1.0 ]; then zc install "$T/web2.zone" two >/dev/null 2>&1 & else zc install --back two >/dev/null 2>&1 & fi
    sleep "0.0$((i * 8 % 100))"
    kill9_zoned
    wait $! 2>/dev/null
    start_zoned || { bad="$bad no-start"; break; }
    now=$(field two '.package.version + " " + .spec.process.env.GREETING + " " + .state + " " + .spec.memory.cap')
    case $now in "1.0 hi installed 80M" | "2.0 hola installed 80M") ;; *) bad="$bad [$i: $now]" ;; esac
    left=$(ls "$ROOT/lib/zones/two" | grep -E '^(next|aside)' | xargs)
    [ -z "$left" ] || bad="$bad [$i: $left]"
done
is "$bad" "" "zoned killed at twelve instants of a change: the old or the new, whole"
status_is 0 "the store is as it should be" zc image verify
zc start two 2>/dev/null
page=$(until_ok curl -s http://127.0.0.1:8082/page)
is "$page" site "and the zone serves"
finish
