#!/usr/bin/env bash
# Images from recipes: steps in zones, files, commands, configuration; kept by content, the same digest twice; mistakes named; a
# build that is cut off leaves no zone.
. "$(dirname "$0")/lib.sh"
mkdir -p "$T/tree/bin" "$T/tree/etc" "$T/r/files/sub"
cp /bin/busybox "$T/tree/bin/busybox"
for a in sh cat echo sleep ls stat touch env id; do ln "$T/tree/bin/busybox" "$T/tree/bin/$a"; done
tar -C "$T/tree" -cf "$T/base.tar" .
echo content >"$T/r/files/sub/f"
chmod 640 "$T/r/files/sub/f"
ln -s sub/f "$T/r/files/link"
start_zoned || ok 1 "zoned starts" "$(cat "$T/zoned.log")"
cat >"$T/r/recipe.yaml" <<END
name: tool
version: "1"
description: a tool
from: tar:$T/base.tar
copy:
  - {text: "hello\n", to: /etc/greeting, mode: 0600, owner: "0:33"}
  - {from: files, to: /opt/files}
run:
  - |
    echo "\$(id -u) \$(cat /opt/files/link)" >/ran
    echo said aloud
    printf 'no end of line' >&2
  - echo two >>/ran
config: {cmd: [/bin/cat, /ran], env: {A: b}, user: "1000", expose: [80]}
END
build() { zc image build -f "$T/r/recipe.yaml" "$@"; }
status_is 0 "image build" build
like "$out" "said aloud" "what a step says is told"
like "$out" "^  no end of line$" "... also a last line without an end, and what goes to its standard error"
like "$out" "^localhost/tool:1@sha256:" "and what came of it"
first=$(zc image show localhost/tool:1 -o json | jq -r .digest)
is "$(zc run --rm localhost/tool:1)" "0 content
two" "commands ran as root, files were there"
is "$(zc run --rm localhost/tool:1 stat -c '%a %u:%g' /etc/greeting)" "600 0:33" "owner and mode of a file"
is "$(zc run --rm localhost/tool:1 stat -c '%a %u:%g' /opt/files/sub/f)" "640 0:0" "and of a folder's"
is "$(zc run --rm localhost/tool:1 sh -c 'echo $A $(id -u)')" "b 1000" "the configuration"
is "$(zc image show localhost/tool:1 -o json | jq -r '.history[] | .created_by | split("\n")[0]')" "from: tar
copy: a text to /etc/greeting, files to /opt/files
run: echo \"\$(id -u) \$(cat /opt/files/link)\" >/ran
run: echo two >>/ran
config" "its history names the steps"
is "$(zc image show localhost/tool:1 -o json | jq '(.layers | length) == ([.history[] | select(.empty_layer != true)] | length)')" true "... one for each layer, and one that has none"
is "$(zc list -q)" "" "no zone is left"
is "$(zc image list -o json | jq -r '.[].ref')" localhost/tool:1 "steps are no images to people"
status_is 0 "a rebuild without a change" build
is "$(echo "$out" | grep -vc 'as before\|^localhost\|^reading ')" 0 "does nothing"
like "$out" "^reading $T/base.tar of this host" "... it is said what of the host is read"
is "$(build -o json 2>/dev/null | jq -c '[.digest, .steps - .cached]')" "[\"$first\",0]" "and gives the same image; -o json"
touch "$T/r/files/sub/f"
is "$(build -o json 2>/dev/null | jq -r .digest)" "$first" "a file written anew with the same content is none"
sed -i 's/echo two/echo three/' "$T/r/recipe.yaml"
is "$(build -t other/name:2 -o json 2>/dev/null | jq -c '[.ref, .steps - .cached]')" '["other/name:2",2]' "a change does its step and what follows; -t"
is "$(build --no-cache -o json 2>/dev/null | jq .cached)" 0 "--no-cache"
a=$(build --reproducible -o json 2>/dev/null | jq -r .digest)
zc image delete localhost/tool:1 >/dev/null
zc image prune >/dev/null 2>&1
sleep 1.1
is "$(build --reproducible -o json 2>/dev/null | jq -r .digest)" "$a" "--reproducible: the same digest, all steps done anew"
is "$(SOURCE_DATE_EPOCH=1000000000 zc image build -f "$T/r/recipe.yaml" --reproducible -t e:1 -o json 2>/dev/null | jq -r .cached)" 0 "another time is another image"
is "$(zc image show e:1 -o json | jq -r .created)" "2001-09-09T01:46:40Z" "made then"
printf 'name: empty\nfrom: scratch\ncopy: [{from: files, to: /f}]\n' >"$T/r/s.yaml"
status_is 0 "from nothing" zc image build -f "$T/r/s.yaml"
# a root is a root, whatever lies in it
printf 'name: odd\nfrom: scratch\ncopy: [{text: "[]", to: /manifest.json}, {text: "{}", to: /index.json}, {text: "{}", to: /oci-layout}, {from: files, to: /f}]\n' >"$T/r/odd.yaml"
status_is 0 "from nothing, with files called as those of an archive" zc image build -f "$T/r/odd.yaml"
mkdir "$T/tree2"; cp -a "$T/tree/." "$T/tree2"; echo '[]' >"$T/tree2/manifest.json"; tar -C "$T/tree2" -cf "$T/odd.tar" .
for from in "dir:$T/tree2" "tar:$T/odd.tar"; do
    printf 'name: odd\nfrom: %s\nconfig: {cmd: [/bin/cat, /manifest.json]}\n' "$from" >"$T/r/odd.yaml"
    status_is 0 "... ${from%%:*}: likewise" zc image build -f "$T/r/odd.yaml"
    is "$(zc run --rm localhost/odd:latest)" "[]" "... and runs"
done
printf 'name: up\nfrom: localhost/tool:1\nrun: [echo more >/more]\nconfig: {env: {A: c, B: d}}\n' >"$T/r/u.yaml"
status_is 0 "from an image" zc image build -f "$T/r/u.yaml"
is "$(zc run --rm localhost/up:latest sh -c 'echo $A $B $(cat /more) $(id -u)')" "c d more 1000" "with what it says and what is added"
sed 's/name: up/name: px/; s/echo more/echo $http_proxy/' "$T/r/u.yaml" | http_proxy=http://nobody:1 zc image build -f - >/dev/null 2>&1
is "$(zc run --rm localhost/px:latest cat /more) $(zc image show localhost/px:latest -o json | grep -c nobody)" "http://nobody:1 0" "proxies reach the steps and are not kept"
# a base that names a program and a volume of its own: a step is neither run by the one nor lost in the other
printf 'name: proud\nfrom: localhost/tool:1\nconfig: {entrypoint: [/bin/echo, mine], volumes: [/data]}\n' >"$T/r/e.yaml"
zc image build -f "$T/r/e.yaml" >/dev/null 2>&1
volumes=$(zc volume list -o json | jq -r '.[].name')
printf 'name: over\nfrom: localhost/proud:latest\ncopy: [{text: copied, to: /data/c}]\nrun: [echo ran >/data/r]\nconfig: {entrypoint: [/bin/sh, -c], cmd: ["cat /data/c /data/r"]}\n' >"$T/r/o.yaml"
status_is 0 "from an image with an entrypoint and a volume" zc image build -f "$T/r/o.yaml"
is "$(zc volume list -o json | jq -r '.[].name')" "$volumes" "... no volume of a build is left"
is "$(zc run --rm localhost/over:latest)" "copiedran" "... what was copied and run is in the image, in the volume's folder too"
printf 'name: d\nfrom: dir:%s\nconfig: {cmd: [/bin/echo, dir]}\n' "$T/tree" >"$T/r/d.yaml"
status_is 0 "from a folder" zc image build -f "$T/r/d.yaml"
is "$(zc run --rm localhost/d:latest)" dir "runs"
status_is 0 "an image of ours, all checked" zc image verify

# ---- prune: what led to an image stays while that does, all else goes ----
on_disk() { (cd "$ROOT/lib" && find images/blobs images/layers images/roots images/staging layers -mindepth 1 -maxdepth 2 ! -path '*/layers/*/*' ! -path 'layers/*/*' ! -name 'sha???' ! -name 'host-*' | sort); }
needed() { # blobs that image list's images name, themselves and their manifests
    jq -r '.manifests[].digest' "$ROOT/lib/images/index.json" | sort -u | while IFS=: read -r _ m; do
        echo "images/blobs/sha256/$m"
        jq -r '.config.digest, .layers[].digest' "$ROOT/lib/images/blobs/sha256/$m" | sed 's#sha256:#images/blobs/sha256/#'
    done | sort -u
}
names() { jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"] // "-"' "$ROOT/lib/images/index.json" | grep -c "$1"; }
zc image list -o json | jq -r '.[].ref' | while read -r ref; do zc image delete "$ref"; done
status_is 0 "all deleted: prune" zc image prune
is "$(on_disk)" "" "... leaves nothing, no step either"
printf 'name: p\nfrom: tar:%s\nrun: [echo a >/a, echo b >/b]\nconfig: {cmd: [/bin/cat, /a, /b]}\n' "$T/base.tar" >"$T/r/pr.yaml"
prunes() { zc image build -f "$T/r/pr.yaml" -o json "$@" 2>/dev/null | jq -c '[.steps, .cached]'; }
is "$(prunes)" "[4,0]" "built"
is "$(names zoned-cache)" 4 "four steps are kept by name, and nothing else of the build"
zc image prune >/dev/null
is "$(prunes)" "[4,4]" "after a prune a rebuild still does nothing"
is "$(on_disk | grep blobs/)" "$(needed)" "... and no blob is there that is not needed"
sed -i 's/echo b /echo c /' "$T/r/pr.yaml"
is "$(prunes)" "[4,2]" "another last command"
before=$(on_disk | grep -c blobs/)
out=$(zc image prune -o json)
is "$(echo "$out" | jq -c '[.images > 0, .layers, (.bytes > 0)]')" "[true,1,true]" "prune frees the former image and the one layer that was its own"
is "$(on_disk | grep blobs/)" "$(needed)" "... every blob of it, and none else"
is "$(prunes)" "[4,4]" "... what led to the new one stays"
sed -i 's/cmd: .*/cmd: [\/bin\/cat, \/a]}/' "$T/r/pr.yaml"
is "$(prunes -t keep:1) $(names zoned-cache)" "[4,3] 5" "another configuration beside it"
zc image delete keep:1; zc image prune >/dev/null
is "$(names zoned-cache) $(zc image list -o json | jq length)" "4 1" "... goes with its image, small as it is"
is "$(zc image prune -o json | jq -c '[.images, .blobs, .layers, .bytes]')" "[0,0,0,0]" "a second prune has nothing to do"
zc run -d --rm --name holds localhost/p:latest /bin/sleep 1000 >/dev/null 2>&1
zc image delete localhost/p:latest; zc image prune >/dev/null
is "$(zc exec holds -- cat /a)" a "a zone keeps what it stands on"
zc delete --force holds; zc image prune >/dev/null
is "$(on_disk)" "" "... and then nothing is left"
build >/dev/null 2>&1

# ---- a package ----
cat >"$T/r/p.yaml" <<'END'
name: pk
from: localhost/tool:1
config: {cmd: [/bin/sh, -c, "echo $WORD"], user: "0"}
zone:
  process: {env: {WORD: "${word}"}}
  memory: {cap: "${memory}"}
parameters:
  - {name: word, required: true}
  - {name: memory, type: size, default: 64M}
END
status_is 0 "a package from a recipe" zc image build -f "$T/r/p.yaml"
status_is 7 "it needs its parameter" zc install localhost/pk:latest
status_is 0 "and is installed" zc install localhost/pk:latest --set word=spoken
zc start pk >/dev/null 2>&1; zc wait pk >/dev/null 2>&1
is "$(zc logs pk)" spoken "and used"
zc delete pk

# ---- bad input ----
bad() { # bad STATUS TEXT PATTERN NAME
    printf '%b' "$2" >"$T/r/b.yaml"
    status_is "$1" "$4" zc image build -f "$T/r/b.yaml"
    like "$out" "$3" "... says so"
}
bad 7 'name: b\nfrom: scratch\ncolour: red\n' 'b.yaml:3: colour: unknown key' "an unknown key"
bad 7 'name: b\nfrom: localhost/tool:1\nzone: {tasks: x}\n' 'b.yaml:3: zone.tasks' "a mistake in the zone part"
bad 7 'name: b\nfrom: localhost/tool:1\ncopy: [{from: ../x, to: /x}]\n' "leads out of the recipe" "a file from outside"
bad 3 'name: b\nfrom: localhost/tool:1\ncopy: [{from: none, to: /x}]\n' "copy: none" "a file that is not there"
ln -s /etc/passwd "$T/r/leak"; ln -s / "$T/r/out"
bad 3 'name: b\nfrom: localhost/tool:1\ncopy: [{from: out/etc/passwd, to: /x}]\n' "copy: out/etc/passwd" "a path through a link"
bad 7 'name: b\nfrom: localhost/tool:1\nrun: [echo before; false]\n' "run: echo before; false: status 1" "a command that fails"
bad 7 'name: b\nfrom: localhost/tool:1\nrun: ["kill -9 $$"]\n' "status 137" "a command that dies"
bad 3 'name: b\nfrom: tar:/nowhere.tar\n' "/nowhere.tar" "a tar that is not there"
bad 1 'name: b\nfrom: nobody.invalid/x:1\n' "pulling it" "an image that nobody has"
status_is 2 "no recipe" zc image build
status_is 2 "a strange time" env SOURCE_DATE_EPOCH=then "$BIN/zonectl" image build -f "$T/r/s.yaml" --reproducible
refused() { # refused BODY-PART PATTERN: what the API says
    like "$(curl -s --unix-socket "$ZONED_SOCKET" -d '{"source":{"text":"name: b\nfrom: scratch\n"},'"$1}" http://x/v1/images/build | jq -r 'select(.error).error | .kind + ": " + .message')" "^invalid: $2" "refused: $1"
}
refused '"epoch":"5"' "the request: epoch: must be a whole number"
refused '"epoch":-1' "the request: epoch: must be a whole number"
refused '"epoch":253402300800' "epoch: must be seconds"
refused '"env":"http_proxy=x"' "the request: env: must be a list"
refused '"env":["http_proxy"]' "env: .* is no proxy"
for v in LD_PRELOAD=/x PERL5OPT=-d APT_CONFIG=/x http_proxy_x=1 =1; do refused "\"env\":[\"$v\"]" "env: \"$v\" is no proxy"; done
is "$(zc list -q)" "" "no zone is left"
is "$(zc image list -o json | jq -r '.[].ref' | grep -c localhost/b)" 0 "no image"
# a step of before whose blob is lost is done again, on what it stands on
printf 'name: lost\nfrom: localhost/tool:1\nrun: [echo a >/a, echo b >/b]\nconfig: {user: "0", cmd: [/bin/cat, /a, /b, /etc/greeting]}\n' >"$T/r/lost.yaml"
zc image build -f "$T/r/lost.yaml" >/dev/null 2>&1
top=$(zc image show localhost/lost:latest -o json | jq -r '.digest' | cut -d: -f2)
layer=$(jq -r '.layers[-1].digest' "$ROOT/lib/images/blobs/sha256/$top" | cut -d: -f2)
mv "$ROOT/lib/images/blobs/sha256/$layer" "$T/lost"
status_is 0 "a step whose layer is lost" zc image build -f "$T/r/lost.yaml" -t lost:2
is "$(zc run --rm lost:2 2>&1)" "a
b
hello" "... is done again, on what it stands on"
mv "$T/lost" "$ROOT/lib/images/blobs/sha256/$layer"

# ---- the label of builds is theirs ----
zc create build-0123456789ab --image localhost/tool:1 >/dev/null 2>&1
status_is 4 "no zone is given the label of builds, by set" zc set build-0123456789ab labels.zoned.build=x
like "$out" "label zoned.build is of builds alone" "... says so"
printf 'zone: build-0123456789ab\nimage: localhost/tool:1\nlabels: {zoned.build: x}\n' >"$T/lab.yaml"
status_is 4 "... nor by apply" zc apply -f "$T/lab.yaml"
zc create other --image localhost/tool:1 --set labels.zoned.build=x >/dev/null 2>&1
is "$? $(zc list -q)" "4 build-0123456789ab" "... nor by create; a zone that is only named like one stays"
zc delete build-0123456789ab

# ---- a build's zone is the build's alone, from its making until its files are a layer ----
printf 'name: held\nfrom: localhost/tool:1\nrun: [echo a >/a; until test -e /go; do sleep 0.05; done]\nconfig: {user: "0", cmd: [/bin/cat, /a]}\n' >"$T/r/held.yaml"
zc image build -f "$T/r/held.yaml" >"$T/l.out" 2>&1 & b=$!
for _ in $(seq 100); do zc list -o json | jq -e '.[] | select(.state == "running")' >/dev/null && break; sleep 0.05; done
z=$(zc list -q | grep '^build-')
printf 'zone: %s\nimage: localhost/tool:1\n' "$z" >"$T/held-spec.yaml"
not_ours() { # not_ours COMMAND…: busy
    status_is 6 "refused: ${*/$z/ZONE}" zc "$@"
    like "$out" "zone $z: it is of a build under way" "... says so"
}
zc create mine --image localhost/tool:1 >/dev/null 2>&1
not_ours restart "$z"
status_is 125 "nor is anything run in it" zc exec "$z" -- touch /a
like "$out" "zone $z: it is of a build under way" "... says so"
not_ours set "$z" process.cwd=/tmp
not_ours delete --force "$z"
not_ours apply -f "$T/held-spec.yaml"
not_ours cp "$T/held-spec.yaml" "$z:/a"
not_ours commit "$z" stolen:1
not_ours clone "$z" theirs
w=$(pgrep -x zone-image -P "$zoned_pid")
kill -STOP "$w" # the step ends, its files are not read yet
nsenter -t "$(zc show "$z" -o json | jq .pid)" -U -m -S 0 -G 0 /bin/busybox sh -c ": >/go"
timeout 30 "$BIN/zonectl" wait "$z" --for stopped
not_ours start "$z"
not_ours rename "$z" theirs
not_ours delete "$z"
kill -CONT "$w"
wait $b
ok $? "the build goes on to its end" "$(cat "$T/l.out")"
is "$(zc run --rm localhost/held:latest)" a "... with what its step did"
is "$(zc list -q)" mine "... and its zone is gone"
printf 'name: long\nfrom: localhost/tool:1\nrun: [sleep 1000]\n' >"$T/r/l.yaml"
zc image build -f "$T/r/l.yaml" >"$T/l.out" 2>&1 & b=$!
for _ in $(seq 100); do zc list -o json | jq -e '.[] | select(.state == "running")' >/dev/null && break; sleep 0.05; done
z=$(zc list -q | grep '^build-')
status_is 0 "stop is anybody's" zc stop -t 1 "$z"
wait $b
is "$?" 7 "... and fails the step"
like "$(cat "$T/l.out")" "run: sleep 1000: status" "... which says so"
zc delete mine

mkdir "$T/plain" && cp "$T/base.tar" "$T/plain/layer.tar"
printf '{"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(sha256sum <"$T/base.tar" | cut -c1-64)" >"$T/plain/config.json"
echo '[{"Config":"config.json","RepoTags":["plain:1"],"Layers":["layer.tar"]}]' >"$T/plain/manifest.json"
tar -C "$T/plain" -cf "$T/plain.tar" . && zc image import "$T/plain.tar" >/dev/null
printf 'name: onplain\nfrom: plain:1\nrun: [echo hello >/hello]\n' >"$T/r/onplain.yaml"
zc image build -f "$T/r/onplain.yaml" >/dev/null 2>&1
is "$(zc image show localhost/onplain -o json | jq -c '[(.layers | length), ([.history[] | select(.empty_layer != true)] | length)]')" "[2,2]" \
    "on an image that tells no history: an entry for each layer"
# ---- cut off while mmdebstrap works: a mirror that never answers ----
python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 8953))
held = []
while True: held.append(s.accept()); open("'"$T/asked"'", "w")' & mirror=$!
printf 'name: deb\nfrom: debian:bookworm\nmirror: http://127.0.0.1:8953/debian\n' >"$T/r/deb.yaml"
of_host() { grep -lsa "no_proxy=cut.$$" /proc/[0-9]*/environ; } # what the build has started
debris() { ls "$ROOT/lib/staging" "$ROOT/lib/tmp" | grep -E "build|mmdebstrap"; ls -d /tmp/mmdebstrap.* 2>/dev/null; of_host; cut -d' ' -f5 /proc/self/mountinfo | grep -E "mmdebstrap|staging"; }
before=$(debris)
for how in zone-image zonectl zoned; do
    rm -f "$T/asked"
    no_proxy=cut.$$ perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$BIN/zonectl" image build -f "$T/r/deb.yaml" >"$T/l.out" 2>&1 & b=$!
    for _ in $(seq 200); do [ -e "$T/asked" ] && break; sleep 0.05; done
    ok "$([ -e "$T/asked" ] && [ "$(of_host | wc -l)" -gt 2 ]; echo $?)" "mmdebstrap is at work"
    case $how in
    zone-image) kill -9 "$(pgrep -x zone-image -P "$zoned_pid")" ;;
    zonectl) kill -INT $b ;;
    zoned) kill9_zoned ;;
    esac
    wait $b
    [ -n "$zoned_pid" ] || start_zoned
    for _ in $(seq 100); do [ "$(debris)" = "$before" ] && break; sleep 0.05; done
    same "$(debris)" "$before" "... killed with $how: no process, mount or folder of it is left"
done
kill $mirror
bad 1 'name: deb\nfrom: debian:bookworm\nmirror: http://127.0.0.1:8953/debian\n' "/usr/bin/mmdebstrap: .*" "a mirror that is not there is no mistake of the recipe's"

# ---- cut off ----
printf 'name: long\nfrom: localhost/tool:1\nrun: [sleep 1000]\n' >"$T/r/l.yaml"
perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$BIN/zonectl" image build -f "$T/r/l.yaml" >"$T/l.out" 2>&1 & b=$!
for _ in $(seq 100); do zc list -o json | jq -e '.[] | select(.state == "running")' >/dev/null && break; sleep 0.05; done
like "$(zc list -q)" "^build-" "a step runs in a zone"
like "$(grep -hE '^(NoNewPrivs|Seccomp):' "/proc/$(pgrep -x zone-image -P "$zoned_pid")/status" | xargs)" "NoNewPrivs: 1 Seccomp: 2" "the worker may make few calls, and start no program"
kill -INT $b
wait $b
for _ in $(seq 100); do [ -z "$(zc list -q)" ] && break; sleep 0.05; done
is "$(zc list -q)" "" "Ctrl-C: the zone goes"
"$BIN/zonectl" image build -f "$T/r/l.yaml" >"$T/l.out" 2>&1 & b=$!
for _ in $(seq 100); do zc list -o json | jq -e '.[] | select(.state == "running")' >/dev/null && break; sleep 0.05; done
like "$(zc list -q)" "^build-" "a step runs in a zone"
kill9_zoned
wait $b
start_zoned
for _ in $(seq 100); do [ -z "$(zc list -q)" ] && break; sleep 0.05; done
is "$(zc list -q)" "" "zoned killed: the next one takes the zone away"
status_is 0 "the store is as it should be" zc image verify
finish
