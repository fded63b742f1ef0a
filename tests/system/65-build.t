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
  - echo two >>/ran
config: {cmd: [/bin/cat, /ran], env: {A: b}, user: "1000", expose: [80]}
END
build() { zc image build -f "$T/r/recipe.yaml" "$@"; }
status_is 0 "image build" build
like "$out" "said aloud" "what a step says is told"
like "$out" "^localhost/tool:1@sha256:" "and what came of it"
first=$(zc image show localhost/tool:1 -o json | jq -r .digest)
is "$(zc run --rm localhost/tool:1)" "0 content
two" "commands ran as root, files were there"
is "$(zc run --rm localhost/tool:1 stat -c '%a %u:%g' /etc/greeting)" "600 0:33" "owner and mode of a file"
is "$(zc run --rm localhost/tool:1 stat -c '%a %u:%g' /opt/files/sub/f)" "640 0:0" "and of a folder's"
is "$(zc run --rm localhost/tool:1 sh -c 'echo $A $(id -u)')" "b 1000" "the configuration"
is "$(zc list -q)" "" "no zone is left"
is "$(zc image list -o json | jq -r '.[].ref')" localhost/tool:1 "steps are no images to people"
status_is 0 "a rebuild without a change" build
is "$(echo "$out" | grep -vc 'as before\|^localhost')" 0 "does nothing"
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
printf 'name: up\nfrom: localhost/tool:1\nrun: [echo more >/more]\nconfig: {env: {A: c, B: d}}\n' >"$T/r/u.yaml"
status_is 0 "from an image" zc image build -f "$T/r/u.yaml"
is "$(zc run --rm localhost/up:latest sh -c 'echo $A $B $(cat /more) $(id -u)')" "c d more 1000" "with what it says and what is added"
sed 's/name: up/name: px/; s/echo more/echo $http_proxy/' "$T/r/u.yaml" | http_proxy=http://nobody:1 zc image build -f - >/dev/null 2>&1
is "$(zc run --rm localhost/px:latest cat /more) $(zc image show localhost/px:latest -o json | grep -c nobody)" "http://nobody:1 0" "proxies reach the steps and are not kept"
printf 'name: d\nfrom: dir:%s\nconfig: {cmd: [/bin/echo, dir]}\n' "$T/tree" >"$T/r/d.yaml"
status_is 0 "from a folder" zc image build -f "$T/r/d.yaml"
is "$(zc run --rm localhost/d:latest)" dir "runs"
status_is 0 "an image of ours, all checked" zc image verify

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
bad 7 'name: b\nfrom: localhost/tool:1\nrun: [echo before; false]\n' "run echo before; false: status 1" "a command that fails"
bad 7 'name: b\nfrom: localhost/tool:1\nrun: ["kill -9 $$"]\n' "status 137" "a command that dies"
bad 3 'name: b\nfrom: tar:/nowhere.tar\n' "/nowhere.tar" "a tar that is not there"
bad 1 'name: b\nfrom: nobody.invalid/x:1\n' "pulling it" "an image that nobody has"
status_is 2 "no recipe" zc image build
status_is 2 "a strange time" env SOURCE_DATE_EPOCH=then "$BIN/zonectl" image build -f "$T/r/s.yaml" --reproducible
is "$(zc list -q)" "" "no zone is left"
is "$(zc image list -o json | jq -r '.[].ref' | grep -c localhost/b)" 0 "no image"

# ---- cut off ----
printf 'name: long\nfrom: localhost/tool:1\nrun: [sleep 1000]\n' >"$T/r/l.yaml"
perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$BIN/zonectl" image build -f "$T/r/l.yaml" >"$T/l.out" 2>&1 & b=$!
for _ in $(seq 100); do zc list -o json | jq -e '.[] | select(.state == "running")' >/dev/null && break; sleep 0.05; done
like "$(zc list -q)" "^build-" "a step runs in a zone"
kill -INT $b
wait $b
for _ in $(seq 100); do [ -z "$(zc list -q)" ] && break; sleep 0.05; done
is "$(zc list -q)" "" "Ctrl-C: the zone goes"
"$BIN/zonectl" image build -f "$T/r/l.yaml" >"$T/l.out" 2>&1 & b=$!
for _ in $(seq 100); do zc list -o json | jq -e '.[] | select(.state == "running")' >/dev/null && break; sleep 0.05; done
kill9_zoned
wait $b
start_zoned
for _ in $(seq 100); do [ -z "$(zc list -q)" ] && break; sleep 0.05; done
is "$(zc list -q)" "" "zoned killed: the next one takes the zone away"
status_is 0 "the store is as it should be" zc image verify
finish
