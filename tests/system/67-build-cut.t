#!/usr/bin/env bash
# Builds that are cut off: zoned and its worker killed at random instants (ROUNDS=100 for more), the client gone, a disk that fills
# up at every stage. The store always verifies; no zone, mount, process or folder of a build is left; the next build goes on.
. "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-16}
mkdir -p "$T/tree/bin" "$T/tree/tmp" "$T/r/files" "$T/disk"
cp /bin/busybox "$T/tree/bin/busybox"
for a in sh cat echo sleep dd; do ln "$T/tree/bin/busybox" "$T/tree/bin/$a"; done
tar -C "$T/tree" -cf "$T/base.tar" .
head -c 3000000 /dev/urandom >"$T/r/files/noise"
cat >"$T/r/recipe.yaml" <<END
name: cut
from: tar:$T/base.tar
copy: [{from: files, to: /opt/files}]
run:
  - dd if=/dev/urandom of=/noise bs=1000 count=3000; echo one >/ran
  - echo two >>/ran
config: {cmd: [/bin/cat, /ran]}
END
build() { timeout 60 "$BIN/zonectl" image build -f "$T/r/recipe.yaml" "$@"; }
worker() { pgrep -x zone-image -P "$zoned_pid" | head -1; }
quiet() { # until nothing works any more
    for _ in $(seq 100); do
        [ -z "$(zc list -q)$(worker)" ] && [ -z "$(ls "$ROOT/lib/tmp")" ] && return
        sleep 0.05
    done
}
left() { # what a build must not leave
    zc list -q
    grep "$ROOT" /proc/self/mountinfo | grep -v lxcfs | cut -d' ' -f5
    ls "$ROOT/etc/zones" "$ROOT/lib/tmp" | grep -v :
    pgrep -a '^sup:build-' || true
    ls "$ROOT/run" | grep build-
    ls "$ROOT/lib/zones" | grep build-
    for g in $(find /sys/fs/cgroup -type d -path "*/$inst.slice/build-*" 2>/dev/null); do echo "$g: $(cat "$g/cgroup.procs" 2>/dev/null | xargs)"; done
    ip -o link | grep -o 'build-[^:@]*'
}
in_store() { find "$ROOT/lib/images/blobs" "$ROOT/lib/layers" "$ROOT/lib/images/roots" "$ROOT/lib/images/layers" "$ROOT/lib/images/staging" "$ROOT/lib/staging" -mindepth 1 -maxdepth 2 ! -path "*/layers/*/*" ! -path "*/blobs/sha???" ! -path "*/layers/host-*" ! -path "*/staging/zone*" 2>/dev/null | sort; }
empty_store() {
    zc image list -o json | jq -r '.[].ref // empty' | while read -r ref; do zc image delete "$ref"; done
    zc image prune >/dev/null 2>&1
}
start_zoned
ok $? "zoned answers"
inst=$(instance)
zc run --rm host true
quiet
before=$(picture "$inst")
t0=$(date +%s%N)
status_is 0 "a build that nobody disturbs" build
ms=$((($(date +%s%N) - t0) / 1000000))
echo "# takes $ms ms"
empty_store
is "$(in_store)" "" "deleted and pruned: the store is empty"

# ---- killed at random instants ----
bad=0 seen=0 done=0
for i in $(seq "$rounds"); do
    # a worker's rounds take the whole time of a build, so that there is one to kill at most instants of it
    build $([ $((i % 2)) = 1 ] || echo --no-cache) >"$T/out" 2>&1 & client=$!
    sleep "$(printf '0.%03d' $((20 + RANDOM % (ms < 900 ? ms * 3 / 4 : 900))))"
    if [ $((i % 2)) = 0 ]; then
        p=$(worker) && kill -9 "$p" 2>/dev/null && seen=$((seen + 1))
    else
        kill9_zoned
    fi
    wait $client
    got=$?
    [ $got = 0 ] && done=$((done + 1))
    [ -n "$zoned_pid" ] || start_zoned || { bad=$((bad + 1)); echo "# round $i: zoned does not start"; break; }
    quiet
    l=$(left)
    [ -z "$l" ] || { bad=$((bad + 1)); printf '# round %s (status %s): left: %s\n' "$i" "$got" "$(echo "$l" | xargs)"; }
    v=$(zc image verify 2>&1) || { bad=$((bad + 1)); echo "# round $i: $v" | head -3; }
    [ $((i % 4)) != 0 ] || empty_store # so that every step is cut, not only the last
done
is $bad 0 "$rounds kills of zoned and of $seen workers: nothing is left, the store always verifies ($done builds were faster)"
[ $seen -gt 3 ]
ok $? "... workers were killed"
status_is 0 "then a build goes through" build
is "$(zc run --rm localhost/cut:latest)" "one
two" "... and is whole"
quiet
same "$(picture "$inst")" "$before" "the host is as it was"
empty_store
is "$(in_store)" "" "nothing is orphaned"
kill "$zoned_pid" && wait "$zoned_pid"
zoned_pid=

# ---- a disk that fills up, at every stage ----
truncate -s 96M "$T/small" && mkfs.ext4 -q -O ^has_journal "$T/small" && mount -o loop "$T/small" "$T/disk"
ROOT_BEFORE=$ROOT ROOT=$T/disk/root ZONED_SOCKET=$T/disk/root/run/zoned.sock
end_small() {
    [ -n "$zoned_pid" ] && kill "$zoned_pid" && wait "$zoned_pid" 2>/dev/null
    zoned_pid=
    for p in $(pgrep -f "zone-sup --server $ROOT|^/usr/bin/lxcfs .*$ROOT"); do kill -9 "$p" 2>/dev/null; done
    umount -l "$ROOT/run/lxcfs/mnt" 2>/dev/null
    for p in $(cut -d" " -f1 "$ROOT"/run/names/*/pid 2>/dev/null); do kill -9 "$p" 2>/dev/null; done
    umount -l "$T/disk"
    ROOT=$ROOT_BEFORE
}
trap '(exit $?); end_small; finish' EXIT
mkdir -p "$ROOT"
start_zoned
ok $? "zoned on a small disk"
inst=$(instance)
free() { df --output=avail -k "$T/disk" | tail -1; }
refused=0 wrong=0
for leave in 30000 15000 9500 6000 1000 0; do
    rm -f "$T/disk/filler"
    fill=$(($(free) - leave))
    [ $fill -gt 0 ] && dd if=/dev/zero of="$T/disk/filler" bs=1K count=$fill 2>/dev/null
    out=$(build 2>&1)
    got=$?
    if [ $got != 0 ]; then
        refused=$((refused + 1))
        echo "$out" | grep -qE "No space|full|expands to more" || { wrong=$((wrong + 1)); echo "# $leave kB left: $got $(echo "$out" | tail -3)"; }
    fi
    zc image verify >/dev/null 2>&1 || { wrong=$((wrong + 1)); echo "# $leave kB left: $(zc image verify 2>&1 | tail -3)"; }
    rm -f "$T/disk/filler"
    quiet
    l=$(left)
    [ -z "$l" ] || { wrong=$((wrong + 1)); echo "# $leave kB left: $(echo "$l" | xargs)"; }
    empty_store
done
[ $refused -gt 3 ]
ok $? "with less and less room $refused builds were refused"
is $wrong 0 "... each said that the disk is full, nothing was left, the store always verified"
status_is 0 "with room again it is built" build
empty_store
is "$(in_store)" "" "... and nothing is orphaned"
end_small
trap finish EXIT
finish
