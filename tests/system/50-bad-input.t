#!/usr/bin/env bash
# Bad input: each refused with a clear error, and nothing is left behind.
. "$(dirname "$0")/lib.sh"
begin
for name in '..' 'a/b' 'Abc' 'a-' '' "$(printf 'a%.0s' {1..33})" 'a b' 'ä'; do
    status_is 7 "name '$name'" zc create "$name" --image host -- true
done
spec() { printf '%s\n' "$1" >"$T/s.yaml"; }
spec 'zone: x
image: host
cpu: {shares: 5, shares: 6}
process: {args: [true]}'
status_is 7 "duplicate key" zc verify -f "$T/s.yaml"
like "$out" "s.yaml:3" "... with file and line"
spec 'zone: x
image: host
colour: red
cpu: {shares: 0, cap: -1}
memory: {cap: 1}'
status_is 7 "several problems" zc verify -f "$T/s.yaml"
is "$(echo "$out" | grep -c 's.yaml:[0-9]')" 4 "... all at once"
printf 'zone: y\nimage: host\nprocess: {args: ["true"]}\n' >"$T/good.yaml"
status_is 7 "of two specs the first is bad" zc verify -f "$T/s.yaml" -f "$T/good.yaml"
is "$(echo "$out" | grep -c 's.yaml:[0-9]')" 4 "... verify says so"
status_is 7 "of two specs the second is bad" zc verify "$T/good.yaml" "$T/s.yaml"
status_is 3 "... one is not there, and the other is looked at too" zc verify -f "$T/none.yaml" -f "$T/s.yaml"
is "$(echo "$out" | grep -c 's.yaml:[0-9]')" 4 "... with all its problems"
status_is 0 "two good ones" zc verify -f "$T/good.yaml" -f "$T/good.yaml"
status_is 7 "of two specs of a plan the first is bad" zc plan -f "$T/s.yaml" -f "$T/good.yaml"
status_is 7 "plan: of two specs one is bad" zc plan -f "$T/good.yaml" -f "$T/s.yaml"
is "$(echo "$out" | grep -c 's.yaml:[0-9]')" 4 "... with all its problems"
# What the networks of this host do not have.
printf 'zone: x\nimage: host\nprocess: {args: ["true"]}\nnetwork:\n  - link: nowhere\n' >"$T/nowhere.yaml"
printf 'zone: x\nimage: host\nprocess: {args: ["true"]}\nnetwork:\n  - link: default\n    address: 203.0.113.9\n' >"$T/outside.yaml"
for verb in "verify -f" "plan -f" "create x -f" "apply -f" "apply -n -f"; do
    status_is 3 "$verb: a network that is not there" zc $verb "$T/nowhere.yaml"
    like "$out" "nowhere.yaml:5: network\[0\].link: network nowhere does not exist" "... with file and line"
    like "$out" "^hint: zonectl network list" "... and the remedy"
    status_is 7 "$verb: an address outside of the subnet" zc $verb "$T/outside.yaml"
    like "$out" "outside.yaml:6: network\[0\].address: address 203.0.113.9 is not in the network's subnet" "... with file and line"
done
zc create long --image host -- true && head -c 1100000 /dev/zero | tr '\0' '#' >>"$ROOT/etc/zones/long.yaml"
status_is 7 "a spec on disk over 1 MiB" zc start long
zc delete long
# What this host cannot do, too.
zc network create shut --type sealed
spec 'zone: x
image: host
process: {args: ["true"]}
cpu:
  shares: 100
  cap: 4096
  set: 4095
memory: {hugepages: 1}
network:
  - link: shut
    ports: ["1:1"]'
for verb in verify plan create "apply -n"; do
    status_is 7 "$verb: what this host cannot do" zc $verb -f "$T/s.yaml"
    like "$(echo "$out" | xargs -d '\n')" "$T/s.yaml:6: cpu.cap: 4096 is more .*$T/s.yaml:7: cpu.set: .*$T/s.yaml:8: memory.hugepages: " "... with file and line"
done
like "$out" "$T/s.yaml:11: network\[0\].ports: network shut is sealed" "... in a list, too"
spec "zone: x
image: host
process: {args: ['true']}
cpu: {dedicated: $(nproc)}"
status_is 8 "a promise that does not fit" zc plan -f "$T/s.yaml"
like "$out" "^$T/s.yaml:4: cpu.dedicated: " "... with file and line"
zc create kept --image host -- true
echo 'cpu: {cap: 4096}' >>"$ROOT/etc/zones/kept.yaml"
status_is 7 "a start of what this host cannot do" zc start kept
like "$out" "^$ROOT/etc/zones/kept.yaml:[0-9]+: cpu.cap: 4096 is more" "... with file and line"
status_is 7 "a change without a file" zc create x --image host --set cpu.cap=4096 -- true
like "$out" "^cpu.cap: 4096 is more" "... with the key alone"
zc delete kept
zc network delete shut
spec 'a: &a [x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]
e: [*d, *d, *d, *d, *d, *d, *d, *d, *d]'
status_is 7 "an alias bomb" zc verify -f "$T/s.yaml"
head -c 3000 /dev/urandom >"$T/s.yaml"
status_is 7 "binary garbage" zc verify -f "$T/s.yaml"
(echo 'zone: x'; head -c 2097152 /dev/zero | tr '\0' '#') >"$T/s.yaml"
out=$(zc verify -f "$T/s.yaml" 2>&1)
is "$?" 7 "a 2 MiB spec"
mkdir "$T/empty" && : >"$T/file" && ln -s / "$T/link" && mkdir "$T/ro"
for image in "dir:$T/none" "dir:$T/empty" "dir:$T/file" "dir:$T/link" "tar:$T/none" "tar:$T/empty" "dir:/" 'Nginx:1'; do
    out=$(zc create x --image "$image" -- true 2>&1)
    like "$?" "^(3|7|9)$" "image $image"
done
hostile() { # NAME PYTHON: a tar made by python
    python3 - "$T/$1.tar" <<EOF
import tarfile, io, sys
t = tarfile.open(sys.argv[1], "w")
def add(name, **kw):
    i = tarfile.TarInfo(name)
    for k, v in kw.items(): setattr(i, k, v)
    t.addfile(i, io.BytesIO(b"x" * i.size))
add("bin", type=tarfile.DIRTYPE, mode=0o755)
$2
t.close()
EOF
    status_is 7 "tar with $1 is refused" zc create h --image "tar:$T/$1.tar" -- true
    status_is 3 "... and leaves no zone" zc show h
}
hostile dotdot 'add("../evil", size=1)'
hostile hardlink-outside 'add("l", type=tarfile.LNKTYPE, linkname="../../etc/passwd")'
hostile device 'add("bin/sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0)'
hostile through-symlink 'add("s", type=tarfile.SYMTYPE, linkname="/etc"); add("s/evil", size=1)'
[ ! -e /etc/evil ] && [ ! -e "$ROOT/lib/evil" ]
ok $? "nothing was written outside"
head -c 100000 /dev/urandom | gzip >"$T/t.gz" && head -c 5000 "$T/t.gz" >"$T/trunc.tar"
status_is 7 "a truncated archive" zc create h --image "tar:$T/trunc.tar" -- true
is "$(ls "$ROOT/lib/staging" | grep -v "^zone\.")" "" "staging holds nothing but the folder for the next zone"

# What a body or a query may not hold is refused before anything is done.
zc create typed --image host -- sleep 1000 >/dev/null
api() { curl -s -w '\n%{http_code}' --unix-socket "$ZONED_SOCKET" -X "$1" ${3:+-d "$3"} "http://x/v1$2" | jq -rs '"\(.[1]) \(.[0].error.kind) \(.[0].error.message) \([.[0].error.details[]?.key])"'; }
a_spec='"sources": [{"text": "{zone: typed, image: host, process: {args: [sleep, \"2000\"]}, tasks: 77}"}]'
for body in '"dry_run": "true"' '"dry_run": 1' '"dryrun": true'; do
    like "$(api POST /apply "{$a_spec, $body}")" "^400 invalid .*dry_?run: " "apply with {$body}"
    like "$(api POST /zones/typed/start "{$body}")" "^400 invalid .*dry_?run: " "start with {$body}"
done
is "$(state typed) $(field typed .spec.tasks)" "installed 4096" "... neither applied nor started"
many=$(jq -nc '{sources: [range(257) | {text: "{zone: z\(.), image: host, process: {args: [sleep]}}"}]}')
like "$(api POST /plan "$many")" "^[0-9]+ limit .*257 specs at once \(at most 256\)" "a plan of more zones than are reckoned at once"
zc start typed >/dev/null
for body in '"set": "cpu.cap=0.4"' '"sets": ["cpu.cap=0.4"]' '"cpu": {"cap": 0.4}' ""; do
    for what in zones/typed host; do like "$(api PATCH /$what "${body:+{$body\}}")" "^400 invalid .*(set|cpu)" "PATCH $what {$body}"; done
done
like "$(api POST /pools '{"name": "p", "cpu": {"cap": 0.5}}')" "^400 invalid the request: cpu: is not known \(name, set\)" "a pool with a field that is none"
status_is 3 "... is not made" zc pool show p
for body in '"timeout_ms": 500.0' '"force": 1' '"force": "true"'; do like "$(api POST /zones/typed/stop "{$body}")" "^400 invalid" "stop with {$body}"; done
like "$(api DELETE "/zones/typed?force=yes")" "^400 invalid .*force: must be 1, 0, true or false" "a query that says neither yes nor no"
like "$(api DELETE /zones/typed '{"force": true}')" "^400 invalid .*takes no body" "a body where none is read"
is "$(state typed)" running "... and the zone runs on"
is "$(api DELETE "/zones/typed?force=true")" "200 null null []" "force=true is force=1"

raw() { timeout 20 python3 - "$ZONED_SOCKET" <<EOF
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(15)
$1
EOF
}
like "$(raw 's.sendall(b"POST /v1/zones HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n"); print(s.recv(200))')" "413" "a 1 GiB Content-Length is refused at once"
like "$(raw 's.sendall(b"POST /v1/zones HTTP/1.1\r\nHost: x\r\nContent-Le"); print(s.recv(200) or "closed")')" "closed|408|400" "half a request and silence"
like "$(raw 's.sendall(b"\x00\xff garbage\r\n\r\n"); print(s.recv(200) or "closed")')" "closed|400" "garbage"
raw '
c = []
try:
    for i in range(5000):
        k = socket.socket(socket.AF_UNIX); k.setblocking(False); c.append(k)
        try: k.connect(sys.argv[1])
        except BlockingIOError: pass
except OSError: pass
' 2>/dev/null
status_is 0 "5,000 connections later it still answers" zc list
"$BIN/zoned" --root "$ROOT" >"$T/second.log" 2>&1
is $? 4 "a second zoned on the same root is refused"
chmod 711 "$T" "$ROOT" "$ROOT/run"
chmod 666 "$ZONED_SOCKET"
status_is 5 "an unprivileged user is refused" setpriv --reuid 65534 --regid 65534 --clear-groups "$BIN/zonectl" list
zc create same --image host -- sleep 100
for i in $(seq 20); do zc start same >"$T/s$i" 2>&1 & pids[$i]=$!; done
bad=0
for i in $(seq 20); do wait "${pids[$i]}" || bad=$((bad + 1)); done
is $bad 0 "start from 20 clients at once: one start, 20 successes"
(zc stop -t 2 same >/dev/null 2>&1 &)
sleep 0.1
out=$(zc start same 2>&1)
like "$?" "^(0|4|6)$" "start while stopping has a clear answer"
zc wait same --for stopped -t 10 >/dev/null 2>&1
zc stop -t 0 same >/dev/null 2>&1
at_once() { # at_once COMMAND…: from 20 clients; how many had which status
    local i
    for i in $(seq 20); do
        ("$@" >/dev/null 2>&1
        echo $?) &
    done | sort | uniq -c | awk '{ print $2 ":" $1 }' | xargs
}
zc start same >/dev/null
is "$(at_once "$BIN/zonectl" stop -t 0 same)" "0:20" "stop from 20 clients at once: all succeed"
like "$(at_once "$BIN/zonectl" create twin --image host -- sleep 100)" "^0:1 4:19$" "create from 20 clients: one zone, the others are told"
like "$(at_once "$BIN/zonectl" delete twin)" "^0:1 3:19$" "delete from 20 clients: one deletes, the others find nothing"
(zc start same >/dev/null 2>&1 &)
out=$(zc delete same 2>&1)
like "$?:$out" "^(0:|[46]:.*(under way|cannot delete))" "delete while starting has a clear answer"
# busy for as long as the start is under way: one operation at a time
goes() { zc delete --force same; ! zc show same; }
until_ok goes >/dev/null 2>&1
status_is 3 "... and after delete --force it is gone" zc show same
status_is 125 "exec in a zone that is not there" zc exec nope -- true
status_is 2 "an unknown verb" zc frobnicate
status_is 2 "an unknown option" zc list --frobnicate
status_is 10 "zoned not reachable" env ZONED_SOCKET=/nonexistent "$BIN/zonectl" list
nothing_left
