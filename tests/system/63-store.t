#!/usr/bin/env bash
# Zones of images and the store under stress: volumes, ports and labels of an image, commit and export of a zone, 50 zones of one
# image, kills of zoned and of its worker at random instants of pulls, imports, commits and prunes (ROUNDS=200 for more), several at
# once, a disk that fills up.
. "$(dirname "$0")/lib.sh"
. "$here/store.sh"
lab=$here/image_lab.py
rounds=${ROUNDS:-40}
cd "$T" || exit 1
mkdir disk
truncate -s 120M small && mkfs.ext4 -q -O ^has_journal small && mount -o loop small disk
at_end+=('umount -l "$T/disk"')
mkdir lab && python3 "$lab" rich lab gzip && python3 "$lab" big one 4 3 && python3 "$lab" big two 8 2 && python3 "$lab" large three 4 3
ok $? "images are made"
registry store 5000
ok $? "docker-registry starts" "$(cat registry.log)"
L=localhost:5000/large
out=$(skopeo copy --quiet --dest-tls-verify=false oci:three:latest "docker://$L:0" 2>&1 && skopeo copy --quiet --dest-tls-verify=false oci:three:latest "docker://$L:1" 2>&1)
ok $? "skopeo puts an image there" "$out"
start_zoned
ok $? "zoned answers"
zc image import lab/rich-gzip rich >/dev/null 2>&1

# ---- volumes, ports, labels ----
out=$(zc create web --image rich -P -- 'while :; do sleep 1; done' 2>&1)
like "$out" "port 8080/tcp is published as 3[0-9]{4}" "-P publishes what the image exposes, and says where"
is "$(zc show web -o json | jq -c '[(.spec.network[0].ports | length), (.spec.filesystems | map(.target))]')" '[2,["/kept","/var/data"]]' "... in the spec, and the image's volumes"
is "$(zc volume show web-kept -o json | jq -c .used_by)" '["web"]' "... named after zone and place"
is "$(stat -c '%a %u' "$ROOT/lib/volumes/web-kept") $(cat "$ROOT/lib/volumes/web-kept/changed")" "700 0 2" "a new volume begins with what the image has there"
is "$(zc list -q -l plain=image) $(zc list -q -l plain=other)" "web " "the image's labels are the zone's"
zc set web labels.plain=other >/dev/null
is "$(zc list -q -l plain=image) $(zc list -q -l plain=other)" " web" "... unless it says otherwise"
is "$(zc run --rm -u 0 rich 'echo own >/kept/own; ls /kept' 2>/dev/null | tr '\n' ' ')" "changed first own " "a one-off zone has volumes of its own"
is "$(zc volume list -o json | jq -c 'map(.name) | sort')" '["web-kept","web-var-data"]' "... that go with it"
zc run --rm -v opt:/opt rich 'ls /opt' 2>/dev/null | grep -q last
ok $? "a volume of one's own is filled too"
printf 'zone: ap\nimage: rich\n' >ap.yaml
zc apply -f ap.yaml >/dev/null 2>&1
like "$(zc apply -f ap.yaml 2>&1)" "unchanged" "apply twice changes nothing"
zc start web
port=$(field web '.network[0].ports[] | select(endswith(":8080")) | split(":")[0]')
zc exec -d -u 0 web -- /bin/busybox nc -l -p 8080 -e echo served
sleep 0.5
is "$(timeout 5 /bin/busybox nc 127.0.0.1 "$port" </dev/null)" served "the published port serves"

# ---- commit and export ----
zc exec -u 0 web -- sh -c 'rm /opt/hard; echo new >/opt/new; ln /opt/new /opt/new2; rm -r /hidden; mkdir /hidden; chown 5:6 /opt/new; ln -s /opt /elsewhere; echo v >/kept/volume'
digest=$(zc commit web mine:1 2>/dev/null)
like "$digest" "^sha256:" "commit of a running zone"
is "$(state web)" running "... which runs on"
is "$(zc image show mine:1 -o json | jq -c '[.layers[0:3][].digest] == ($ARGS.positional[0] | fromjson)' --args "$(zc image show rich -o json | jq -c '[.layers[].digest]')")" true "the layers below are the same blobs"
is "$(zc run --rm -u 0 mine:1 'cat /opt/new2; stat -c "%u %g %h" /opt/new; ls /opt/hard /hidden 2>&1; cat /elsewhere/last; ls /kept' 2>/dev/null)" "new
5 6 2
ls: /opt/hard: No such file or directory
/hidden:
lastchanged
first" "a zone of it has the changes, and no volume's data"
is "$(zc image show mine:1 -o json | jq -c '.config | [.Cmd[0], .Labels.plain]')" '["while :; do sleep 1; done","other"]' "the image says what the spec said"
zc image export mine:1 mine.tar 2>/dev/null && umoci unpack --image "$(skopeo copy -q oci-archive:mine.tar oci:mine.dir:1 && echo mine.dir:1)" theirs >/dev/null 2>&1
ok $? "umoci unpacks it"
zc stop web
zc export web --root web.tar 2>/dev/null && mkdir web && tar --numeric-owner --xattrs --xattrs-include='*' --acls -C web -xpf web.tar
ok $? "export of a zone's root"
drop() { grep -vE '^(etc|run|dev|kept|var|\.)( |/|$)'; }
same "$(python3 "$lab" tree web | drop)" "$(python3 "$lab" tree theirs/rootfs | drop)" "... is what umoci made of the commit"
# roots that are no image: an archive, a folder of the host with something mounted in it
mkdir -p plain/bin plain/etc plain/sub "plain/a,b:c" && cp /bin/busybox plain/bin/sh && echo below >plain/etc/word && ln plain/etc/word "plain/a,b:c/link" && chown 7:8 plain/etc/word
python3 -c 'import os; os.setxattr("plain/etc/word", "user.mine", b"x")'
tar --xattrs --numeric-owner -C plain -cf plain.tar . && mount -t tmpfs none plain/sub && echo no >plain/sub/hidden
for kind in "tar:$T/plain.tar" "dir:$T/plain"; do
    zc create other --image "$kind" -e A=b -- /bin/sh -c 'echo new >/etc/new; cat /etc/word; read x </etc/new; echo $x $A; echo /sub/*' >/dev/null 2>&1
    zc start other >/dev/null 2>&1; zc wait other >/dev/null 2>&1
    status_is 0 "commit of a zone of ${kind%%:*}:" zc commit other "other:1"
    is "$(zc run --rm other:1)" "$(zc logs other)" "... an image of it does the same"
    is "$(zc image show other:1 -o json | jq -c '[(.layers | length), .config.Env]')" '[2,["A=b"]]' "... its root is one layer, its changes another"
    zc export other --root other.tar >/dev/null 2>&1
    ok $? "export of its root"
    is "$(tar -tf other.tar | grep -cE '^(etc/new|etc/word|a,b:c/link|sub/)$') $(tar -tf other.tar | grep -c hidden)" "4 0" "... below and above, not what is mounted there"
    zc image export other:1 o.tar >/dev/null 2>&1 && rm -rf o.dir o.un && skopeo copy -q oci-archive:o.tar oci:o.dir:1 && umoci unpack --image o.dir:1 o.un >/dev/null 2>&1
    is "$(stat -c '%u %g %h' o.un/rootfs/etc/word) $(python3 -c 'import os; print(os.getxattr("o.un/rootfs/etc/word", "user.mine").decode())') $(ls o.un/rootfs/sub)" "7 8 2 x " "... umoci unpacks it: owner, links and attributes"
    zc delete other && zc image delete other:1
done >kinds.log 2>&1
cat kinds.log
umount plain/sub
status_is 9 "commit of a zone without an image of the store" bash -c "'$BIN/zonectl' create h --image host -- true && '$BIN/zonectl' commit h x"
status_is 9 "export of one" zc export h --root h.tar
status_is 7 "commit to a name that is none" zc commit web 'No Name'
status_is 3 "commit of no zone" zc commit nope x
[ ! -e h.tar ]
ok $? "... leaves nothing"
zc create pause --image rich -- 'i=0; while sleep 0.05; do i=$((i+1)); echo $i >/tmp/n; done' && zc start pause
# zoned dies while a zone stands still for a commit: its supervisor lets it go on
zc exec -u 0 pause -- dd if=/dev/zero of=/opt/zeros bs=1M count=300 2>/dev/null
zc commit pause p:1 >/dev/null 2>&1 &
nap=0.02 eventually paused state pause >/dev/null
is "$(state pause)" paused "a running zone stands still for a commit"
kill9_zoned
wait $! 2>/dev/null
sleep 0.3
start_zoned
is "$(state pause)" running "... and goes on when zoned dies meanwhile"
a=$(zc exec pause -- cat /tmp/n) && sleep 0.3 && b=$(zc exec pause -- cat /tmp/n)
[ "$a" != "$b" ]
ok $? "... it does"
is "$(workers)" "" "no worker is left"
zc delete --force web pause ap h
zc volume delete $(zc volume list -o json | jq -r '.[].name')

# ---- what a one-off zone stands on stays ----
zc image tag rich once:1
zc run -d --rm --name once --entrypoint /bin/sleep once:1 1000 >/dev/null 2>&1
zc image tag rich keep:1 && zc image delete rich once:1 keep:1 && zc image prune >/dev/null
is "$(zc exec once -- cat /opt/last 2>&1)" last "a prune leaves a one-off zone its root"
zc delete --force once
zc image prune >/dev/null
zc image import lab/rich-gzip rich >/dev/null 2>&1

# ---- 50 zones of one image ----
layers=$(du -s --block-size=1K "$ROOT/lib/layers" | cut -f1)
count=$(ls "$ROOT/lib/layers" | wc -l)
zc run --rm rich true 2>/dev/null
before=$(du -s --block-size=1K "$ROOT/lib" | cut -f1)
for i in $(seq 50); do zc create z$i --image rich --set process.entrypoint=[] -- sleep 1000 >/dev/null 2>&1; done
zc start $(seq -f z%g 50)
ok $? "50 zones of one image run"
after=$(du -s --block-size=1K "$ROOT/lib" | cut -f1)
[ $(((after - before) / 50)) -lt 200 ]
ok $? "a zone takes $(((after - before) / 50)) kB of the disk, its layers $layers kB"
is "$(ls "$ROOT/lib/layers" | wc -l)" "$count" "no layer is there twice"
zc delete --force $(seq -f z%g 50)
zc volume delete $(zc volume list -o json | jq -r '.[].name')
zc image delete rich mine:1 && zc image prune >/dev/null
is "$(in_store)" "" "deleted and pruned: the store is empty"

# ---- kill -9 at random instants ----
note() { "$BIN/zonectl" "$@"; echo "$*: $?" >>done; }
work() { # until it is told to stop: everything that changes the store
    local i=0
    while [ ! -e enough ]; do
        i=$((i + 1))
        until_ok zc list -q
        note image pull $L:$((i % 2)) &
        note image import one one:$((i % 3))
        note image import two two:1 &
        note image prune
        zc create k$i --image one:$((i % 3)) -- true && note commit k$i done:$((i % 2)) && zc delete k$i
        zc image delete one:$(((i + 1) % 3))
        wait
        zc image delete two:1 $L:$((i % 2))
        note image prune
    done >work.log 2>&1
}
whole() { grep -c "$1.*: 0$" done; } # of these operations
work & worker=$!
bad=0 seen=0
for i in $(seq "$rounds"); do
    sleep 0.$(printf %03d $((RANDOM % 400)))
    if [ $((i % 2)) = 0 ]; then
        for p in $(workers); do kill -9 "$p" 2>/dev/null && seen=$((seen + 1)); done
    else
        kill9_zoned
        sleep 0.05
        [ -z "$(workers)" ] || { bad=$((bad + 1)); echo "# round $i: workers outlive zoned: $(workers)"; }
        start_zoned || { bad=$((bad + 1)); echo "# round $i: zoned does not start"; }
    fi
    out=$(zc image verify 2>&1) || { bad=$((bad + 1)); echo "# round $i: $out" | head -3; }
done
touch enough
wait $worker
is $bad 0 "$rounds kills of zoned and of $seen workers: the store always verifies, no worker outlives zoned"
echo "# $(grep -c pull done) pulls ($(whole pull) whole), $(grep -c import done) imports ($(whole import)), $(grep -c commit done) commits ($(whole commit)), $(grep -c prune done) prunes ($(whole prune))"
[ "$(grep -c pull done)" -ge 2 ]
ok $? "... pulls among what was cut off"
zc delete --force $(zc list -q) 2>/dev/null
zc image list -o json | jq -r '.[].ref // empty' | while read -r ref; do zc image delete "$ref"; done
zc image prune >/dev/null
ok $? "deleted and pruned"
is "$(in_store)" "" "nothing is orphaned"
is "$(workers)" "" "no process is left"
clients=
for i in 1 2 3 4; do zc image import one p:$i >/dev/null 2>&1 & clients="$clients $!"; done
for i in 1 2 3; do zc image prune >/dev/null 2>&1 & clients="$clients $!"; done
wait $clients
status_is 0 "prunes and imports at once" zc image verify
is "$(zc image list -o json | jq length)" 4 "... all four images are there"
zc image delete p:1 p:2 p:3 p:4

# ---- two prunes and a pull at once ----
zc image prune >/dev/null
zc image pull $L:0 >/dev/null 2>&1
full=$(in_store) bad=0
for i in $(seq $((rounds / 8 + 1))); do # what the image needs lies about without a name, or all is to be fetched
    zc image delete $L:0
    [ $((i % 2)) = 0 ] || zc image prune >/dev/null
    zc image pull $L:0 >at.pull 2>&1 & pull=$!
    zc image prune >at.prune1 2>&1 & one=$!
    sleep 0.$(printf %03d $((RANDOM % 250)))
    zc image prune >at.prune2 2>&1 & two=$!
    for p in $pull $one $two; do wait $p || { bad=$((bad + 1)); echo "# round $i: $(tail -qn2 at.*)"; }; done
    zc image prune >/dev/null
    out=$(zc image verify 2>&1) || { bad=$((bad + 1)); echo "# round $i: $out" | head -3; }
    [ "$(in_store)" = "$full" ] || { bad=$((bad + 1)); echo "# round $i: $(diff <(echo "$full") <(in_store))" | head -5; }
    out=$(zc run --rm $L:0 'cat /opt/last; ls /data/2' 2>&1 | tr '\n' ' ')
    [ "${out: -12}" = "last0 1 2 3 " ] || { bad=$((bad + 1)); echo "# round $i: it does not run: $out"; }
done
is $bad 0 "two prunes and a pull at once, $i times: all end well, the store verifies, the image is whole and runs, nothing is orphaned"
zc image delete $L:0; zc image prune >/dev/null
is "$(in_store)" "" "... deleted and pruned, the store is empty"
"$BIN/zonectl" image import two gone:1 >/dev/null 2>&1 & client=$!
nap=0.01 until_ok eval '[ -n "$(workers)" ]'
kill -TERM $client
wait $client 2>/dev/null
is "$(eventually "" workers)" "" "the work ends with who asked for it"
status_is 0 "... the store is well" zc image verify
stop_zoned

# ---- a disk that fills up, at every stage ----
ROOT_BEFORE=$ROOT ROOT=$T/disk/root ZONED_SOCKET=$T/disk/root/run/zoned.sock
mkdir -p "$ROOT"
start_zoned
zc image import lab/rich-gzip rich >/dev/null 2>&1
zc create old --image rich --set process.entrypoint=[] -- sleep 1000 2>/dev/null && zc start old
free() { df --output=avail -k "$T/disk" | tail -1; }
refused=0 wrong=0
for leave in 40000 30000 22000 15000 8000 3000 500 0; do
    rm -f disk/filler
    fill=$(($(free) - leave))
    [ $fill -gt 0 ] && dd if=/dev/zero of=disk/filler bs=1K count=$fill 2>/dev/null
    for what in "image import one full:1" "image import two full:2" "commit old full:3" "image tag rich full:4" "image export rich disk/out.tar"; do
        out=$(timeout 60 "$BIN/zonectl" $what 2>&1)
        got=$?
        [ $got = 0 ] && continue
        refused=$((refused + 1))
        echo "$got $out" | grep -qE '^8.*|No space|full|expands to more' || { wrong=$((wrong + 1)); echo "# $leave kB left: $what: $got $out" | head -4; }
    done
    zc image verify >/dev/null 2>&1 || { wrong=$((wrong + 1)); echo "# $leave kB left: $(zc image verify 2>&1 | tail -3)"; }
    [ "$(zc exec old -- cat /opt/last 2>&1)" = last ] || { wrong=$((wrong + 1)); echo "# $leave kB left: the zone does not go on"; }
    rm -f disk/filler disk/out.tar*
    zc image list -o json | jq -r '.[].ref // empty' | grep full: | while read -r ref; do zc image delete "$ref"; done
    zc image prune >/dev/null 2>&1 || { wrong=$((wrong + 1)); echo "# $leave kB left: prune $(zc image prune 2>&1)"; }
done
[ $refused -gt 10 ]
ok $? "with less and less room $refused operations were refused"
is $wrong 0 "... each said that the disk is full, the store always verified, the zone went on"
status_is 0 "with room again all works" zc image import one full:1
zc delete --force old
zc volume delete $(zc volume list -o json | jq -r '.[].name')
zc image delete rich full:1 && zc image prune >/dev/null
is "$(in_store)" "" "... and nothing is orphaned"
take_down
ROOT=$ROOT_BEFORE
