#!/usr/bin/env bash
# A root folder that is full, then read-only: every verb says so in one line, nothing is half done, zones that run go on, and
# with room again all works.
. "$(dirname "$0")/lib.sh"
truncate -s 64M "$T/disk" && mkfs.ext4 -q -O ^has_journal "$T/disk" && mount -o loop "$T/disk" "$ROOT" || exit 1
at_end+=('until_ok umount "$ROOT"')
begin
zc create run --image host -- sh -c 'i=0; while sleep 0.1; do i=$((i+1)); echo tick $i; done' && zc start run
zc create rest --image host -- sleep 1000
pid=$(field run .pid)
listing() { (cd "$ROOT" && find etc lib -maxdepth 3 ! -path '*/zones/run/*' ! -name filler ! -name 'zone.spare' ! -name 'zone.part' ! -name 'zone.[0-9]*' | sort); sha256sum "$ROOT"/etc/zones/*; }
fill() { dd if=/dev/zero of="$ROOT/filler" bs=64k 2>/dev/null; dd if=/dev/zero of="$ROOT/filler2" bs=1k 2>/dev/null; cat /dev/zero >"$ROOT/filler3" 2>/dev/null; sync "$ROOT"; }
mkdir -p "$T/img/bin" && cp /bin/busybox "$T/img/bin/" && tar -C "$T/img" -cf "$T/img.tar" . && head -c 300000 /dev/urandom >"$T/big"
before=$(picture "$inst" | grep -v loop)
fill
listed=$(listing)
refused() { # refused NAME COMMAND…: status 8 or 1, one line that says why; nothing changed
    local name=$1
    shift
    out=$(timeout 20 "$@" 2>&1)
    local got=$?
    like "$got:$out" "^(8|5|125):.*([Nn]o space|full|[Rr]ead-only)" "$name: status $got, said"
    is "$(printf '%s\n' "$out" | grep -c '^zonectl: ')" 1 "... in one line: $(printf '%s' "$out" | grep '^zonectl: ' | cut -c1-100)"
    same "$(listing)" "$listed" "... and nothing is changed"
}
full_or_readonly() {
    refused "create" "$BIN/zonectl" create new --image host -- true
    refused "create from an archive" "$BIN/zonectl" create new --image "tar:$T/img.tar" -- true
    refused "set" "$BIN/zonectl" set rest "labels.text=$(head -c 3900 /dev/zero | tr '\0' x)"
    refused "volume create" "$BIN/zonectl" volume create "vol-$(head -c 20 /dev/zero | tr '\0' v)"
    refused "clone" "$BIN/zonectl" clone rest twin
    refused "cp into a zone" "$BIN/zonectl" cp "$T/big" run:/root/big
    is "$(field run '.state + " " + (.pid|tostring)')" "running $pid" "the zone that runs runs on"
    is "$(zc exec run -- echo hi)" hi "exec works in it"
    status_is 0 "list" zc list
}
full_or_readonly
out=$(zc start rest 2>&1)
got=$?
like "$got" "^(0|8|1)$" "start on the full disk: $got $(echo "$out" | head -1 | cut -c1-100)"
zc stop --force rest >/dev/null 2>&1
zc clear rest >/dev/null 2>&1
status_is 0 "a zone can be stopped" zc stop -t 1 run
is "$(state run)" installed "... and is installed"
rm -f "$ROOT"/filler*
status_is 0 "room again: start" zc start run
sleep 0.5
like "$(zc logs -n 1 run)" "^tick [1-9]" "... its log goes on"
status_is 0 "... create" zc create new --image "tar:$T/img.tar" -- /bin/busybox true
status_is 0 "... and run" zc start new rest
zc wait new --for stopped -t 10 >/dev/null
status_is 0 "... set" zc set rest labels.a=b
zc delete --force new rest >/dev/null
zc create rest --image host -- sleep 1000

# ---- kill -9 while full: the next zoned adopts ----
fill
pid=$(field run .pid)
kill9_zoned
start_zoned
ok $? "zoned starts on a full disk"
is "$(field run '.state + " " + (.pid|tostring)')" "running $pid" "... and adopts"
rm -f "$ROOT"/filler*

# ---- read-only specs and data ----
listed=$(listing)
for d in etc lib; do mount --bind "$ROOT/$d" "$ROOT/$d" && mount -o remount,bind,ro "$ROOT/$d"; done
refused "read-only: set" "$BIN/zonectl" set rest labels.x=y
refused "read-only: create" "$BIN/zonectl" create new --image host -- true
refused "read-only: delete" "$BIN/zonectl" delete rest
status_is 0 "read-only: list" zc list
umount "$ROOT/lib" "$ROOT/etc"
status_is 0 "writable again: set" zc set rest labels.x=y
zc delete --force rest run >/dev/null
is "$(zc list -q)" "" "all zones can be deleted"
is "$(ls "$ROOT/lib/zones" | wc -l)" 0 "and no folder of a zone is left"
# ---- more entries than an archive may have ----
python3 - "$T/entries.tar.gz" <<'PY'
import gzip, sys, tarfile
h = tarfile.TarInfo("d")
h.type, h.mode = tarfile.DIRTYPE, 0o755
one = h.tobuf()
with gzip.open(sys.argv[1], "wb", 1) as f:
    for _ in range(1001):
        f.write(one * 1000)
    f.write(bytes(1024))
PY
out=$("$BIN/zonectl" create many --image "tar:$T/entries.tar.gz" -- true 2>&1)
like "$?:$out" "^8:.*1000000 entries" "an archive of 1,001,000 entries: $(echo "$out" | head -1 | cut -c1-100)"
status_is 3 "... leaves no zone" zc show many
is "$(ls "$ROOT/lib/staging" | grep -v '^zone\.')" "" "... and nothing in staging"
stop_zoned
mount -o remount,ro "$ROOT" 2>/dev/null || { for p in $(pgrep -f "zone-sup --server $ROOT"); do kill -9 $p; done; sleep 0.3; mount -o remount,ro "$ROOT"; }
out=$(timeout 10 "$BIN/zoned" --root "$ROOT" 2>&1)
like "$?:$out" "^[1-9][0-9]*:.*[Rr]ead-only" "zoned on a read-only folder says so and ends: $(echo "$out" | tail -1 | cut -c1-90)"
mount -o remount,rw "$ROOT"
