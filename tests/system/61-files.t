#!/usr/bin/env bash
# What a zone's files are: filesystems of every kind, devices, limits, identity; cp, diff and clone of zones in every state;
# the sparse root of image: host. As a user types it, in tables where cases repeat.
tar=$("$(dirname "$0")/images.sh" nginx) || exit 1
. "$(dirname "$0")/lib.sh"
# The host's secrets: planted where only this namespace sees them.
canary=CANARY-5b1f0c
for dir in /root /home /srv /opt /mnt /var/lib /etc/ssh; do
    mkdir -p $dir && mount -t tmpfs tmpfs $dir && echo $canary >$dir/secret && chmod 644 $dir/secret
done
begin
mkdir -p "$T/dir" && echo in-dir >"$T/dir/f" && echo in-file >"$T/file" && chmod 777 "$T/dir" && chmod 755 "$T"
ln -s /etc "$T/dir/link"

# ---- one key, one command in the zone, what it prints ----
cases() {
    while IFS='¦' read -r name sets cmd want; do
        [ -z "$name" ] && continue
        args=()
        for s in $sets; do args+=(--set "$(printf '%s' "$s" | tr '~' ' ')"); done
        out=$(zc run --rm --network none "${args[@]}" "${image:-host}" sh -c "$cmd" 2>&1 | tr '\n' ' ')
        like "$out" "^$want *\$" "$name"
    done
}
cases <<EOF
bind of a folder¦filesystems=[{target:~/d,bind:~$T/dir}]¦cat /d/f; echo x >/d/new && cat /d/new¦in-dir x
... read-only¦filesystems=[{target:~/d,bind:~$T/dir,mode:~ro}]¦cat /d/f; touch /d/no¦in-dir .*Read-only file system
... cannot be made writable from inside¦filesystems=[{target:~/d,bind:~$T/dir,mode:~ro}]¦mount -o remount,rw /d; touch /d/no¦.*(denied|permitted).*Read-only file system
bind of a file¦filesystems=[{target:~/etc/app.conf,bind:~$T/file}]¦cat /etc/app.conf; echo more >>/etc/app.conf; wc -l </etc/app.conf¦in-file 2
... read-only¦filesystems=[{target:~/etc/app.conf,bind:~$T/file,mode:~ro}]¦cat /etc/app.conf; echo >>/etc/app.conf¦in-file more .*Read-only file system
tmpfs has its size¦filesystems=[{target:~/t,tmpfs:~8M}]¦df -m --output=size,fstype /t | tail -1; dd if=/dev/zero of=/t/x bs=1M count=9 2>&1 | grep -c 'No space'¦ *8 tmpfs 1
shm has its size¦shm=16M¦df -m --output=size /dev/shm | tail -1¦ *16
... 64 MB by default¦¦df -m --output=size /dev/shm | tail -1¦ *64
read-only root¦security.read_only_root=true filesystems=[{target:~/w,tmpfs:~1M}]¦touch /x; touch /etc/x; echo y >/w/y && cat /w/y¦.*'?/x'?: Read-only.*'?/etc/x'?: Read-only file system y
a sysctl¦sysctls={net.ipv4.tcp_fin_timeout:~43}¦cat /proc/sys/net/ipv4/tcp_fin_timeout¦43
... is not the host's¦sysctls={net.ipv4.ip_forward:~1}¦cat /proc/sys/net/ipv4/ip_forward¦1
capabilities by default¦¦grep CapBnd /proc/self/status¦CapBnd:.00000000800405fb
... one more¦security.capabilities.add=[NET_RAW]¦grep CapBnd /proc/self/status¦CapBnd:.00000000800425fb
... one less¦security.capabilities.drop=[CHOWN]¦grep CapBnd /proc/self/status; touch /f; chown 1 /f¦CapBnd:.*5fa chown: .*not permitted
... none¦security.capabilities.drop=[ALL]¦grep CapEff /proc/self/status¦CapEff:.0000000000000000
user by number¦process.user="1234:77"¦id -u; id -g; id -G¦1234 77 77
user by name¦process.user=www-data¦id -un; id -gn; echo \$HOME¦www-data www-data /var/www
cwd¦process.cwd=/usr/share¦pwd¦/usr/share
limits¦limits={nofile:~300,memlock:~1M,core:~0}¦ulimit -n; ulimit -c; grep 'locked' /proc/self/limits¦300 0 Max locked memory +1048576 +1048576.*
fewer files than its start needs¦limits.nofile=16¦ulimit -n; ulimit -Hn; cat /etc/hostname | wc -l¦16 16 1
a device¦devices=[/dev/fuse]¦stat -c %t:%T /dev/fuse; head -c0 /dev/fuse && echo opens¦a:e5 opens
... and no other¦devices=[/dev/fuse]¦ls /dev/kmsg /dev/mem /dev/net/tun 2>&1 | grep -c 'No such'¦3
tun makes a link¦devices=[/dev/net/tun] security.capabilities.add=[NET_ADMIN]¦ip tuntap add dev t0 mode tun && ip -o link show t0 | cut -d: -f2¦ *t0
a device node is of no use¦¦mknod /x c 1 3; ls /x¦.*not permitted.*No such file.*
EOF
image=tar:$tar cases <<EOF
a tar's root: a user of its own¦process.user=www-data¦id -u; touch /var/x¦33 .*Permission denied
... a folder of the image as cwd¦process.cwd=/etc/nginx¦ls nginx.conf¦nginx.conf
EOF
is "$(ls "$T/dir" | tr '\n' ' ')" "f link new " "a read-only bind was not written"
is "$(stat -c %u "$T/dir/new")" 0 "a bind is idmapped: the zone's root wrote as 0"
mkdir -p "$T/img/etc" "$T/img/real" && cp -a /bin/busybox "$T/img/busybox" && ln -s ../../../../../../etc "$T/img/out"
# a root whose name means something to overlay's options, and one that is a mount of its own
odd="$T/a:b,c\\d, e"
cp -a "$T/img" "$odd"
status_is 0 "a folder with : , and \\ in its name is a root" zc run --rm --network none --name odd "dir:$odd" /busybox sh -c 'echo x >/written && [ -e /busybox ]'
is "$([ -e "$odd/written" ]; echo $?)" 1 "... and stays as it was"
mkdir "$T/mnt:x" && mount --bind "$T/img" "$T/mnt:x"
status_is 0 "so is a mount point" zc run --rm --network none "dir:$T/mnt:x" /busybox true
umount "$T/mnt:x"
is "$(zc run --rm --network none --set 'filesystems=[{target: /out/planted, tmpfs: 1M}]' "dir:$T/img" /busybox ls /etc 2>&1 | grep -c planted; ls /etc | grep -c planted)" "1
0" "a target behind a link stays inside the root"
status_is 3 "create with a bind that is not there" zc create nobind --image host -v vol:/v -v "$T/nothing:/d" -- true
like "$out" "hint: make $T/nothing first" "... is named"
status_is 3 "... and leaves no zone" zc show nobind
status_is 3 "... and no volume" zc volume show vol
mkdir "$T/nothing"
zc create nobind --image host --set "filesystems=[{target: /d, bind: $T/nothing}]" -- true
rmdir "$T/nothing"
status_is 3 "a bind that is not there" zc start nobind
like "$out" "filesystem /d: bind .*nothing" "... is named"
for bad in / /proc /sys/kernel /dev "$ROOT/lib/zones"; do
    zc set nobind "filesystems[0].bind=$bad" >/dev/null
    zc clear nobind >/dev/null 2>&1
    status_is 5 "bind of $bad is refused" zc start nobind
done
zc delete nobind

# ---- volumes: shared, with a life of their own ----
zc create v1 --image host -- sleep 1000 && zc set v1 "filesystems=[{target: /srv/data, volume: data}]" >/dev/null
status_is 3 "a volume that is not there" zc start v1
like "$out" "hint: zonectl volume create data" "... with the remedy"
zc clear v1
status_is 0 "volume create" zc volume create data
status_is 4 "... twice" zc volume create data
zc create v2 --image host -v data:/data -v data:/ro:ro -- sleep 1000
status_is 0 "two zones start with it" zc start v1 v2
zc exec v1 -- sh -c 'echo shared >/srv/data/f; chown www-data:www-data /srv/data/f; mkdir /srv/data/d'
is "$(zc exec v2 -- sh -c 'cat /data/f; stat -c %u:%g /data/f; cat /ro/f')" "shared
33:33
shared" "what one writes the other reads, with the same owner"
is "$(stat -c %u:%g "$ROOT/lib/volumes/data/f")" 33:33 "on disk the ids are zone-relative"
zc exec v2 -- touch /ro/no 2>/dev/null
[ $? != 0 ]
ok $? "read-only where asked"
status_is 6 "a volume in use is not deleted" zc volume delete data
zc delete --force v1 v2
is "$(zc volume show data -o json | jq -c '[.name, .used_by]')" '["data",[]]' "the volume outlives its zones"
zc create v3 --image host -v data:/data -- true
kill9_zoned
echo 'colour: red' >>"$ROOT/etc/zones/v3.yaml"
start_zoned
status_is 6 "a volume that a zone may use whose spec cannot be read is not deleted" zc volume delete data
like "$out" "volume data may be used by zone v3, whose spec cannot be read: .*v3.yaml:[0-9]+: colour: unknown key" "... says why"
zc delete v3
is "$(zc run --rm -v data:/d host cat /d/f)" shared "... with its files"
status_is 0 "... and goes by delete" zc volume delete data
status_is 3 "... for good" zc volume show data

# ---- cp, diff, clone: of zones that run, are paused, are at rest ----
zc create m --image "tar:$tar" -- sh -c 'echo own >/root/own; rm /etc/motd; rm -r /etc/nginx; mkdir /etc/nginx; echo new >/etc/nginx/nginx.conf; chmod 600 /etc/issue; ln -s /etc/shadow /root/link; ln -s ../../../../../srv /root/out; exec sleep 1000'
status_is 0 "diff of a zone that never ran" zc diff m
is "$(zc diff m | wc -l)" 0 "... is empty"
mkdir -p "$T/tree/sub" && echo deep >"$T/tree/sub/f" && chmod 640 "$T/tree/sub/f" && ln -s sub/f "$T/tree/l"
status_is 0 "cp into a zone that never ran" zc cp "$T/tree" m:/opt
zc start m
until_ok zc exec m -- test -L /root/link
# what copies is a process in the zone, and stopped there: who waits for it can leave, and then nobody keeps anything
zc exec m -- truncate -s 64M /root/large
truncate -s 64M "$T/large"
sup=$(sup_of m)
stopped_copy() { # stopped_copy SRC DST: $copy, with its $job stopped before it had ended
    local first rest
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        env --default-signal=INT "$BIN/zonectl" cp "$1" "$2" >/dev/null 2>&1 & copy=$!
        while kill -0 $copy 2>/dev/null; do
            read -r first job rest <"/proc/$sup/task/$sup/children" # the first one is the zone
            [ -n "$job" ] && kill -STOP "$job" 2>/dev/null && break
        done
        [ -n "$job" ] && until_ok grep -qs "^State:.T" "/proc/$job/status" && return
    done
    return 1
}
kept() { ls -l "/proc/$zoned_pid/fd" | grep -c deleted; wc -w <"/proc/$sup/task/$sup/children"; }
none=$(kept)
for sides in "m:/root/large $T/large.out" "$T/large m:/root/large.in"; do
    stopped_copy $sides
    ok $? "a copy that is stopped in the zone (${sides%% *})"
    kill -0 $copy && kill -INT $copy
    ended $copy
    wait $copy
    is $? 130 "... ^C ends it"
    is "$(eventually "$none" kept)" "$none" "... and nobody keeps anything of it"
    kill -CONT "$job" 2>/dev/null
done
zc exec m -- sh -c 'rm /root/large*'
both() { # both STATE: the same in every state
    status_is 0 "$1: cp of a file in" zc cp "$T/file" "m:/root/in-$1"
    status_is 0 "$1: cp of a folder in" zc cp "$T/tree" "m:/root/tree-$1"
    status_is 0 "$1: cp of a file out" zc cp m:/root/own "$T/out-$1"
    is "$(cat "$T/out-$1")" own "$1: ... is here"
    status_is 0 "$1: cp of a folder out" zc cp m:/opt/tree "$T/tree-$1"
    is "$(cat "$T/tree-$1/sub/f"; readlink "$T/tree-$1/l"; stat -c %a "$T/tree-$1/sub/f")" "deep
sub/f
640" "$1: ... with its link and modes"
    status_is 3 "$1: cp of what is not there" zc cp m:/root/none "$T/none"
    status_is 3 "$1: cp to a folder that is not there" zc cp "$T/file" m:/root/none/f
    zc cp m:/root/link "$T/link-$1" 2>/dev/null
    is "$(readlink "$T/link-$1")" /etc/shadow "$1: a link comes as a link"
    status_is 3 "$1: a link of the zone does not lead to the host's files" zc cp m:/root/out/secret "$T/secret-$1"
    zc cp "$T/file" "m:/root/out/planted-$1"
    is "$(ls /srv; zc cp "m:/srv/planted-$1" - | tar tf -)" "secret
planted-$1" "$1: ... nor to its folders"
}
both running
zc pause m && both paused
is "$(field m .state)" paused "still paused"
status_is 0 "clone of a paused zone" zc clone m p
zc resume m
zc stop -t 1 m >/dev/null && both installed
is "$(field m .state)" installed "still at rest"
status_is 4 "cp to where only a running zone has files" zc cp "$T/file" m:/proc/x
like "$out" "hint: zonectl start m" "... with the remedy"
like "$(zc diff m | sort | tr '\n' ' ')" "A +/root/in-installed.*A +/root/in-paused.*A +/root/in-running.*C +/etc/issue .*C +/etc/nginx .*C +/etc/nginx/nginx.conf .*D +/etc/motd .*D +/etc/nginx/sites-enabled " "diff: added, changed, deleted, and what an opaque folder hides"
is "$(zc diff m | grep -c -e /etc/nginx/sites-enabled/)" 0 "... a deleted folder is one line"
status_is 0 "clone of a zone at rest" zc clone m c
zc set c 'process.args=["sleep", "1000"]' >/dev/null && zc set p 'process.args=["sleep", "1000"]' >/dev/null
status_is 0 "all three start" zc start m c p
is "$(for z in m c p; do zc exec $z -- cat /root/own; done | sort -u)" own "clones have the changes"
is "$(zc exec c -- cat /root/tree-paused/l; zc exec p -- ls /root/tree-running)" "deep
l
sub" "... and what was copied in"
for what in 'cat /etc/machine-id' 'cat /sys/class/net/eth0/address' 'hostname' 'hostname -I'; do
    is "$(for z in m c p; do zc exec $z -- sh -c "$what"; done | sort -u | wc -l)" 3 "each has its own: $what"
done
zc exec c -- sh -c 'echo changed >/root/own'
is "$(zc exec m -- cat /root/own)" own "a clone's writes are its own"
sizes=$(zc df -o json | jq -c '[.[] | select(.what == "zones") | .bytes] | sort')
layer=$(zc df -o json | jq '[.[] | select(.name | startswith("tar-")) | .bytes] | add')
[ "$(echo "$sizes" | jq 'max')" -lt $((layer / 100)) ]
ok $? "a clone costs its changes: $sizes of $layer bytes"
zc stop -t 1 m c p >/dev/null
visited() { nap=0 until_ok pgrep -P "$zoned_pid" >/dev/null; } # a worker is there
zc cp m:/usr - >"$T/usr.tar" & cp=$!
visited
status_is 6 "a zone at rest is held while its files are read" zc start m
wait $cp
[ "$(tar tf "$T/usr.tar" | wc -l)" -gt 1000 ]
ok $? "... and all of them come ($(tar tf "$T/usr.tar" | wc -l))"
zc cp m:/usr - >"$T/usr.tar" 2>/dev/null & cp=$!
visited
kill9_zoned
wait $cp
start_zoned
status_is 0 "a copy that zoned's death cut off leaves the zone free" zc start m
eventually 1 pgrep -fc "zoned --root $ROOT" >/dev/null
is "$(pgrep -fa "zoned --root $ROOT" | grep -vc "^$zoned_pid ")" 0 "... and no worker ($(pgrep -fa "zoned --root $ROOT" | grep -v "^$zoned_pid " | while read -r p _; do grep -E '^(Name|PPid|State|NSpid)' /proc/$p/status; done | xargs))"
zc delete --force m c p x >/dev/null 2>&1

# ---- an archive is needed once ----
layers() { ls "$ROOT/lib/layers" | grep -c ^tar-; }
n0=$(layers)
echo old >"$T/img/version" && tar cf "$T/small.tar" -C "$T/img" .
(for i in 1 2 3; do zc create s$i --image "tar:$T/small.tar" -- /busybox sleep 1000 & done; wait)
is "$(zc list -q | grep -c '^s[123]$') $(($(layers) - n0))" "3 1" "three creates at once unpack it once"
is "$(field s1 .state)" installed "... and install"
mv "$T/small.tar" "$T/away.tar"
status_is 0 "a zone starts without its archive" zc start s1
status_is 3 "... a new one is not made without" zc create s4 --image "tar:$T/small.tar" -- true
echo new >"$T/img/version" && tar cf "$T/small.tar" -C "$T/img" .
zc stop -t 1 s1 >/dev/null
status_is 0 "its clone needs it neither" zc clone s1 s4
zc create s5 --image "tar:$T/small.tar" -- /busybox sleep 1000
zc start s1 s4 s5 >/dev/null
is "$(for z in s1 s4 s5; do zc exec $z -- /busybox cat /version; done | xargs)" "old old new" "a new archive of that name is for new zones"
rm "$T/small.tar"
status_is 0 "cp needs no archive either" zc cp "$T/file" s2:/
is "$(zc diff s2)" "$(zc diff s2 | grep ' /file$')" "... nor diff"
zc delete --force s1 s2 s3 s4 s5 >/dev/null

# ---- much to delete ----
zc create big --image host -v heap:/heap -- sh -c 'for d in /root/d /heap/d; do python3 -c "
import os, sys
for i in range(5):
    os.makedirs(f\"$d{i}\")
    for k in range(500): open(f\"$d{i}/{k}\", \"w\")
os.chdir(\"$d\" + \"0\")
for i in range(1200): os.mkdir(\"deep\"); os.chdir(\"deep\")
"; done; echo made; exec sleep 1000'
zc start big
made() { zc logs big | grep -q made; }
tries=300 until_ok made
is "$(zc logs big)" made "a zone makes 2,500 files and nests 1,200 folders, twice"
is "$(zc diff big | grep -c ' /root/d')" 3705 "diff names all"
is "$(zc df -o json | jq '[.[] | select(.name == "big" or .name == "heap") | .bytes > 4800000] | all')" true "df counts all"
zc pause big
status_is 0 "a clone has it too" zc clone big huge
zc delete --force big & slow=$!
quick=0
while kill -0 $slow 2>/dev/null; do timeout 2 "$BIN/zonectl" list -q >/dev/null || quick=1; done
wait $slow
is "$? $quick" "0 0" "zoned answers while a zone is deleted"
zc delete huge
is "$(zc volume delete heap; ls "$ROOT/lib/tmp" "$ROOT/lib/volumes" | grep -v :)" "" "when a delete has returned all of it is gone"

# ---- the sparse root ----
zc create h1 --image host -- sleep 1000
zc create h2 --image host -- sleep 1000
zc start h1 h2
h() { zc exec h1 -- sh -c "$1" 2>&1; }
is "$(h 'awk "BEGIN {print 6 * 7}"; python3 -c "print(6 * 7)"; perl -e "print 6 * 7"')" "42
42
42" "awk, python3 and perl"
like "$(h 'ssh-keygen -q -t ed25519 -N "" -f /root/key && cat /root/key.pub')" "^ssh-ed25519 .* root@h1" "ssh-keygen"
is "$(h 'LC_ALL=C.UTF-8 locale charmap; locale >/dev/null && echo fine')" "UTF-8
fine" "locale"
is "$(h 'getent passwd 0; getent hosts localhost | cut -d" " -f1; getent services http | cut -d" " -f1')" "root:x:0:0:root:/root:/bin/sh
::1
http" "names of users, hosts, services"
is "$(h "grep -rlsF $canary / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr; echo end")" end "no secret of the host is visible"
is "$(h 'ls -A /root /home /srv /opt /mnt /media /boot | grep -v -e : -e "^key" -e "^\$" -e "^$"')" "" "... its folders are empty"
is "$(h 'ls -d /etc/shadow /etc/gshadow /etc/sudoers /etc/ssh /etc/ssl/private /etc/fstab /etc/apt /var/lib/dpkg /etc/crontab 2>/dev/null')" "" "... nor its /etc and /var/lib"
is "$(h 'touch /usr/x 2>&1; rm /usr/bin/awk 2>&1' | grep -c 'Read-only')" 2 "/usr is read-only"
is "$(h 'cat /run/zone/name; tr "\0" "\n" </proc/1/environ | grep ^container')" "h1
container=zoned" "/run/zone/name and container=zoned"
ids=$(cat /etc/machine-id 2>/dev/null; for z in h1 h2; do zc exec $z -- cat /etc/machine-id; done)
is "$(echo "$ids" | sort -u | wc -l)" "$(echo "$ids" | wc -l)" "each zone has a machine-id of its own"
zc restart h1
is "$(zc exec h1 -- cat /etc/machine-id)" "$(echo "$ids" | tail -2 | head -1)" "... which stays"
zc delete --force h1 h2 >/dev/null
nothing_left
