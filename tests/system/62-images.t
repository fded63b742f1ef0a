#!/usr/bin/env bash
# The image store: what umoci, skopeo and podman make comes in, is unpacked as they unpack it, runs with its config, and goes out
# so that they read it. Bad archives are refused and leave nothing. Kills and full disks are in 63-store.t.
. "$(dirname "$0")/lib.sh"
. "$here/store.sh"
lab=$here/image_lab.py
tree() { python3 "$lab" tree "$1"; }
merged() { # merged REF DIR: the unpacked layers as a zone sees them
    local lowers
    lowers=$(zc image show "$1" -o json | jq -r '.lowers | join(":")')
    mkdir -p "$2" none
    case $lowers in *:*) ;; *) lowers=$lowers:$T/none ;; esac # an overlay takes two
    (cd "$ROOT/lib/layers" && mount -t overlay -o "ro,userxattr,lowerdir=$lowers" lower "$T/$2")
}
cd "$T" || exit 1
mkdir lab bad
python3 "$lab" rich lab gzip && python3 "$lab" rich lab mixed && python3 "$lab" bad bad
ok $? "images are made"
start_zoned
ok $? "zoned answers"
is "$(zc image list -o json)" "[]" "the store is empty"
empty=$(in_store)

# ---- in: every kind, told by content; unpacked as umoci does ----
status_is 0 "import of an OCI folder" zc image import lab/rich-gzip rich:1
like "$out" "docker.io/library/rich:1" "... says its name"
like "$out" "1 device nodes below /dev were left out" "... and what was left out"
umoci unpack --image lab/rich-gzip:latest theirs >umoci.log 2>&1
ok $? "umoci unpacks it" "$(tail -3 umoci.log)"
merged rich:1 ours
tree theirs/rootfs >theirs.txt
tree ours >ours.txt
[ "$(wc -l <ours.txt)" -gt 50 ]
ok $? "$(wc -l <ours.txt) nodes with owner, mode, times, links, holes, attributes, capabilities, ACLs"
same "$(cat ours.txt)" "$(cat theirs.txt)" "... are the same as umoci's"
[ "$(stat -c %b ours/opt/sparse)" -lt 2000 ]
ok $? "a sparse file stays sparse"
umount ours
skopeo copy -q oci:lab/rich-gzip:latest oci-archive:rich.oci.tar:other && skopeo copy -q oci:lab/rich-gzip:latest docker-archive:rich.docker.tar:example.com/r:2
ok $? "skopeo makes archives"
status_is 0 "import of an OCI archive, named by itself" zc image import rich.oci.tar
is "$out" "localhost/rich:other" "... without unpacking it again"
# the third tree: what podman makes of the same archive
pod() { TMPDIR=$T/pod podman --root "$T/pod/root" --runroot "$T/pod/run" --tmpdir "$T/pod/tmp" --storage-driver=vfs --events-backend=none "$@" 2>>podman.log; }
mkdir pod && loaded=$(pod load -q -i rich.oci.tar | sed 's/.*: //') && at=$(pod image mount "$loaded")
ok $? "podman loads it" "$(tail -3 podman.log)"
# podman 4.3 gives no ACLs, and the folder that a whiteout was in the time at which it took it out
podmans() { sed 's/ system\.posix_acl[^ ]*//; s/^\(var [^ ]* [^ ]* [^ ]*\) [0-9]*/\1/'; }
same "$(tree "$at" | podmans)" "$(podmans <theirs.txt)" "... the same tree, but for ACLs and one folder's time"
pod image umount "$loaded" >/dev/null && pod rmi -f "$loaded" >/dev/null
gzip -k rich.docker.tar
status_is 0 "import of docker save's archive, compressed" zc image import rich.docker.tar.gz
like "$out" "^example.com/r:2$" "... named by its tag"
is "$(find "$ROOT/lib/layers" -mindepth 1 -maxdepth 1 | wc -l)" "$(zc image show rich:1 -o json | jq '.lowers | length')" "layers are there once"
zc image delete rich:1 localhost/rich:other example.com/r:2 && zc image prune >/dev/null
same "$(in_store)" "$empty" "deleted and pruned: nothing is left"
status_is 0 "import with gzip, zstd and plain layers" zc image import lab/rich-mixed rich:1
merged rich:1 ours
same "$(tree ours)" "$(cat theirs.txt)" "... the same tree"
tar --numeric-owner --xattrs --xattrs-include='*' --acls -C ours --exclude ./dev -cf root.tar .
umount ours
for kind in gzip zstd xz bzip2; do $kind -k -c root.tar >root.tar.$kind; done
for kind in tar tar.gzip tar.zstd tar.xz tar.bzip2; do
    out=$(zc image import root.$kind root:$kind 2>&1) && merged root:$kind ours
    ok $? "import of a root, $kind" "$out"
    same "$(tree ours | grep -v ^dev)" "$(grep -v ^dev theirs.txt)" "... the same tree"
    umount ours
    zc image delete root:$kind && zc image prune >/dev/null
done

# ---- what there is ----
is "$(zc image list -o json | jq -c '[.[] | [.ref, .layers, .platform, .shared, .own == .size]]')" '[["docker.io/library/rich:1",3,"linux/amd64",0,true]]' "list"
zc image tag rich:1 again:x
is "$(zc image list -o json | jq -c 'map(.ref)')" '["docker.io/library/rich:1","docker.io/library/again:x"]' "one more name"
id=$(zc image show rich:1 -o json | jq -r .id)
is "$(zc image show "${id:0:12}" -o json | jq -r .id)" "$id" "found by the beginning of its id"
status_is 4 "a name is deleted, not an id with two" zc image delete "${id:0:12}"
zc image delete again:x
like "$(zc image show rich:1)" "config.WorkingDir: /srv/app/" "show, for people"
status_is 3 "show of what is not there" zc image show nothing
like "$out" "zonectl: image show nothing: image nothing is not in the store" "... says so"
status_is 2 "an unknown word" zc image improt x
like "$out" "did you mean import" "... and what was meant"
status_is 0 "verify" zc image verify

# ---- zones of it ----
is "$(zc run --rm rich:1 2>&1)" "uid=33(web) gid=33(web) groups=44(logs)
/srv/app
image kept" "the image's entrypoint, command, user with groups, folder, environment"
is "$(zc run --rm -e WORD=mine -w / -u 5:6 rich:1 'id; pwd; echo $WORD $OTHER' 2>&1)" "uid=5 gid=6
/
mine kept" "... each overridden"
is "$(zc run --rm --entrypoint '' rich:1 /bin/echo plain)" plain "... and the entrypoint"
is "$(zc run --rm --entrypoint /bin/echo rich:1)" "" "an entrypoint of one's own has no command of the image's"
zc create web --image rich:1 -- 'trap "exit 7" USR1; touch /tmp/well; while :; do sleep 0.1; done'
zc start web
ok $? "a zone of it starts"
zc wait web --for healthy -t 20
ok $? "the image's health check"
is "$(zc set web process.env.WORD=x -o json | jq -c '[.changes[] | [.key, .when]]')" '[["process.env.WORD","next boot"]]' "only what was changed counts as changed"
is "$(zc exec web -- sh -c 'echo $OTHER')" kept "exec has the image's environment"
zc image delete rich:1 && zc image prune >/dev/null
zc stop web
is "$(field web .exit_status)" 7 "the image's stop signal"
zc start web
ok $? "the zone starts again though its image lost its name and was pruned"
is "$(zc image list -o json | jq -c 'map(.ref)')" '[null]' "... which kept what the zone needs"
zc delete --force web
status_is 1 "create from an image that is not there: its registry is asked, which nobody reaches here" zc create web --image rich:1
zc image prune >/dev/null
same "$(in_store)" "$empty" "without the zone nothing is left"
for i in $(seq 1 5); do zc image import lab/rich-gzip same:$i >/dev/null 2>&1 & done
wait $(jobs -p | grep -v "^$zoned_pid$")
is "$(zc image list -o json | jq length)" 5 "five imports at once"
is "$(find "$ROOT/lib/layers" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' | wc -l)" 3 "... unpacked the layers once"
status_is 0 "... and all is well" zc image verify
zc image delete same:1 same:2 same:3 same:4

# ---- out ----
zc image export same:5 out.tar
ok $? "export"
is "$(skopeo inspect --raw oci-archive:out.tar | sha256sum)" "$(skopeo inspect --raw oci:lab/rich-gzip:latest | sha256sum)" "skopeo reads the same manifest from it"
is "$(skopeo inspect --config docker-archive:out.tar | jq -S .)" "$(skopeo inspect --config oci:lab/rich-gzip:latest | jq -S .)" "... and, as docker's archive, the same config"
zc image export same:5 - 2>/dev/null | zc image import - piped:1 2>/dev/null
is "$(zc image show piped:1 -o json | jq -r .manifest)" "$(zc image show same:5 -o json | jq -r .manifest)" "export into a pipe and import out of it"
is "$(ls /var/tmp/zonectl-image.* 2>/dev/null)" "" "... leaves no file"
zc image delete piped:1
zc image export same:5 out.dir --format oci
is "$(cd out.dir && find blobs -type f | sort | xargs sha256sum)" "$(cd lab/rich-gzip && find blobs -type f | sort | xargs sha256sum)" "export to a folder: byte by byte what came in"
# podman takes its time (it syncs the disk again and again): in the background, on a disk in memory
podman_tree() {
    local p="podman --root $T/pod/root --runroot $T/pod/run --tmpdir $T/pod/tmp --storage-driver=vfs --events-backend=none"
    mkdir -p pod && mount -t tmpfs podman pod && TMPDIR=$T/pod $p load -q -i out.tar && tree "$($p image mount docker.io/library/same:5)" >podman.txt
}
podman_tree >podman.log 2>&1 & podman=$!
umoci unpack --image out.dir:5 again >umoci.log 2>&1
ok $? "umoci reads the folder" "$(tail -3 umoci.log)"
same "$(tree again/rootfs)" "$(cat theirs.txt)" "... the same tree"
zc image export same:5 root-out.tar --format root && mkdir x && tar --numeric-owner --xattrs --xattrs-include='*' --acls -C x -xpf root-out.tar
ok $? "export of the files alone"
same "$(tree x)" "$(cat theirs.txt)" "... the same tree"
status_is 7 "export where a folder is" zc image export same:5 out.dir
status_is 7 "an unknown format" zc image export same:5 z.tar --format zip
is "$(ls z.tar out.tar.* 2>&1 | grep -c -v 'No such')" 0 "... leaves nothing"
zc image delete same:5 && zc image prune >/dev/null

# ---- bad input: refused with a reason, and nothing is left ----
cp out.tar cut.tar && truncate -s -600000 cut.tar && mv cut.tar bad/
head -c 100000 /dev/urandom >bad/noise.tar
touch bad/empty.tar
mkfifo bad/pipe.tar
for b in bad/*; do
    name=${b#bad/}
    out=$(timeout 60 "$BIN/zonectl" image import "$b" bad:"${name%%.*}" 2>&1)
    got=$?
    case $got in 7 | 8 | 9) r=0 ;; *) r=1 ;; esac
    ok $r "$name: $(echo "$out" | grep '^zonectl: ' | sed 's/.*import of [^ ]*: //' | cut -c1-120)" "status $got: $out"
done
is "$(zc image list -o json)" "[]" "none of them is in the store"
ls /tmp/escaped "$T"/escaped "$ROOT"/lib/escaped >/dev/null 2>&1
[ $? != 0 ]
ok $? "nothing escaped"
status_is 0 "the store is well" zc image verify
zc image prune >/dev/null
same "$(in_store)" "$empty" "... and empty after a prune"
status_is 3 "a file that is not there" zc image import nowhere.tar
status_is 7 "a name that is none" zc image import out.tar 'Bad Name'
is "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$ZONED_SOCKET" -X POST -d '{"path": "../x"}' http://x/v1/images/import)" 422 "the API refuses a relative path"
is "$(curl -s --unix-socket "$ZONED_SOCKET" -X POST -d "{\"path\": \"$T/out.tar\"}" http://x/v1/images/import | tail -1 | jq -c .result.names)" '["docker.io/library/same:5"]' "the API's stream ends with the result"
wait $podman
ok $? "podman load takes the export" "$(tail -5 podman.log)"
# it knows no ACLs, and gives a folder that the last layer implies the time of its own work
plain() { sed 's/ system.posix_acl_[a-z]*=[0-9a-f]*//; s/^\(var [^ ]* [^ ]* [^ ]*\) .*/\1/' "$1"; }
same "$(plain podman.txt)" "$(plain ours.txt)" "... and makes the same tree"
umount pod
