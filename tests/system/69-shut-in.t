#!/usr/bin/env bash
# The process that reads strangers' images is shut in before their first byte: each job is traced, and what it opens and starts is
# held against the moment of its filter.
. "$(dirname "$0")/lib.sh"
mkdir -p "$T/bin" "$T/trace" "$T/tree/bin" "$T/tree/etc" "$T/r"
cp -r "$BIN"/* "$T/bin/"
mv "$T/bin/zone-image" "$T/bin/zone-image.real"
# the tracer is a grandchild: zoned knows a build's worker by its process
cat >"$T/bin/zone-image" <<END
#!/bin/sh
exec strace -D -f -qq -s 4096 -e trace=open,openat,openat2,execve,seccomp -e signal=none -o "$T/trace/\$\$" "$T/bin/zone-image.real"
END
chmod 755 "$T/bin/zone-image"
BIN=$T/bin
cp /bin/busybox "$T/tree/bin/busybox"
for a in sh cat echo sleep; do ln "$T/tree/bin/busybox" "$T/tree/bin/$a"; done
tar -C "$T/tree" -cf "$T/base.tar" .
start_zoned || ok 1 "zoned starts" "$(cat "$T/zoned.log")"
traced() { # traced NAME COMMAND…: its jobs
    local name=$1 t lines first
    shift
    rm -f "$T"/trace/*
    "$@" >"$T/out" 2>&1
    ok $? "$name" "$(tail -3 "$T/out")"
    until_ok eval '! pgrep -f "strace .*$T/trace" >/dev/null' # it has written all
    for t in "$T"/trace/*; do
        # of the first process: what it did before its filter, without programs' own libraries and the unnamed file of a build
        first=$(awk 'NR == 1 { print $1 }' "$t")
        lines=$(awk -v p="$first" '$1 == p' "$t" | sed '/seccomp(SECCOMP_SET_MODE_FILTER/,$d' | grep -E "open" | grep -vE '"/(etc|lib|usr|dev|proc)|O_TMPFILE|ENOENT')
        is "$lines" "" "... nothing is opened before the filter is on"
        grep -q "^$first .*seccomp(SECCOMP_SET_MODE_FILTER.*= 0" "$t"
        ok $? "... which is on"
        is "$(awk '/seccomp\(SECCOMP_SET_MODE_FILTER/ { on[$1] = 1 } on[$1] && /execve/' "$t")" "" "... and no program is started after it"
    done
}
traced "import" zc image import "$T/base.tar" base:1
traced "list" zc image list
traced "show" zc image show base:1
traced "verify" zc image verify
zc create web --image base:1 -- /bin/sleep 1000 >/dev/null 2>&1
traced "commit" zc commit web made:1
traced "pack" zc pack web -o "$T/web.zone"
traced "install" zc install "$T/web.zone" two
traced "export" zc image export made:1 "$T/made.tar"
traced "export of a root" zc export web --root "$T/root.tar"
printf 'name: b\nfrom: base:1\ncopy: [{text: x, to: /etc/x}]\nrun: [echo a >/a]\nconfig: {cmd: [/bin/cat, /a]}\n' >"$T/r/recipe.yaml"
traced "build" zc image build -f "$T/r/recipe.yaml"
traced "tag" zc image tag made:1 other:1
traced "delete" zc image delete other:1
traced "prune" zc image prune
finish
