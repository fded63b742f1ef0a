#!/usr/bin/env bash
# Attacks from inside, by root of a zone, on every way in and out (security.md, R1 to R12). After each defence stands its control:
# the same attack where the defence is off, or against a tool that does without it; it must win there, so that "held" means something.
. "$(dirname "$0")/lib.sh"
probe=$top/build/release/tests/hostile/hostile
begin
mkdir -p "$T/out" && echo secret >"$T/out/f" && chmod 711 "$T" && chmod 777 "$T/out" && chmod 666 "$T/out/f"
cp "$probe" "$T/hostile" && chmod 755 "$T/hostile"
bind="{target: /hostile, bind: $T/hostile, mode: ro}"
make_zone() { # make_zone NAME OPTIONS…
    local name=$1
    shift
    zc create "$name" --set "filesystems=[$bind]" "$@" --image host -- sleep 1000 >/dev/null && zc start "$name"
}
in_zone() { zc exec evil -- /hostile "$@" 2>/dev/null; }
make_zone evil
pid=$(field evil .pid)
host_state() { sha256sum "$BIN"/* /etc/passwd /etc/shadow "$T/out/f" 2>/dev/null; ls "$T/out"; cat /proc/sys/kernel/core_pattern; grep -c . /proc/self/mountinfo; }
host_before=$(host_state)

# ---- R3: no program of the host in reach ----
is "$(in_zone exe /proc/1/exe)" held "PID 1's program cannot be written"
zc exec evil -- sh -c 'printf "#!/proc/self/exe --server /tmp/x\n" >/again; chmod 755 /again'
zc exec evil -- /again >/dev/null 2>&1
is $? 2 "a program that says #!/proc/self/exe runs what exec came from"
sup=$(pgrep -f "zone-sup --server $ROOT" | head -1)
like "$(readlink "/proc/$sup/exe")" "^/memfd:zone-sup" "... which is a copy in memory"
is "$("$T/hostile" exe "/proc/$sup/exe")" held "... sealed also for root of the host"
cp /bin/true "$T/plain" && is "$("$T/hostile" exe "$T/plain")" "won writing $T/plain" "control: a program on a disk can be written"

# ---- R4, R5: handles to the outside; of who runs, and of who enters ----
is "$(in_zone handles 0)" held "no process of the zone has a handle to the outside"
(zc exec evil -- /hostile handles 8 >"$T/handles" 2>"$T/handles.n"; zc exec evil -- /hostile ptrace 4 >"$T/ptrace" 2>"$T/ptrace.n") &
job=$!
end=$((SECONDS + 12)) entered=0
while [ $SECONDS -lt $end ] && kill -0 $job 2>/dev/null; do
    for _ in 1 2 3 4; do zc exec evil -- true & done
    wait $(jobs -p | grep -vx -e $job -e "$zoned_pid")
    entered=$((entered + 4))
done
wait $job
is "$(cat "$T/handles")" held "... nor of $entered that enter meanwhile ($(cat "$T/handles.n"))"
is "$(cat "$T/ptrace")" held "... nor can one be traced before it is the zone's ($(cat "$T/ptrace.n"))"
nsenter -t "$pid" -a -S 0 -G 0 setpriv --bounding-set=-all --inh-caps=-all sleep 5 9<"$T/out/f" </dev/null >/dev/null 2>&1 &
leak=$!
sleep 0.3
like "$(in_zone handles 0)" "^won /proc/[0-9]+/fd/9 $T/out/f" "control: one that enters with a descriptor of the host is found"
kill $leak 2>/dev/null
wait $leak 2>/dev/null
bad=0
for fd in $(seq 3 40); do zc exec -w /proc/self/fd/$fd evil -- ls / >/dev/null 2>&1 && bad=$((bad + 1)); done
is $bad 0 "no working folder behind a descriptor (38 tries)"
zc exec -w /proc/1/root evil -- true 2>/dev/null
is $? 125 "... nor behind another link of /proc, the zone's own either"
zc exec evil -- ln -s /usr/share /short
is "$(zc exec -w /short evil -- pwd -P)" /usr/share "... but behind one of a file system"
is "$(cd / && exec 9<"$T" && "$T/hostile" handles 0 >/dev/null; cd /proc/self/fd/9 && pwd -P)" "$T" "control: with a descriptor left open that is a way out"

# ---- the caller's terminal ----
like "$(timeout 10 script -qec "$BIN/zonectl exec -t evil -- /hostile tiocsti" /dev/null | tr -d '\r')" "^held" "nothing is typed into the caller's terminal"
if [ "$(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1)" = 1 ]; then
    like "$(timeout 10 script -qec "$T/hostile tiocsti" /dev/null | tr -d '\r')" "won TIOCSTI" "control: on the host it is"
    zc create free --set "filesystems=[$bind]" --set security.seccomp=unconfined --set 'security.capabilities.add=[SYS_ADMIN]' --image host -- sleep 100 && zc start free
    like "$(timeout 10 script -qec "$BIN/zonectl exec -t free -- /hostile tiocsti" /dev/null | tr -d '\r')" "won TIOCSTI" "control: and where the filter is off"
    caller=$(timeout 10 script -qec "$BIN/zonectl exec -t free -- /hostile tiocsti; read -t 0.2 -n 1 c; echo got=\$c" /dev/null </dev/null | tr -d '\r')
    like "$caller" "got=[^#]*$" "... and even there only into a terminal of its own"
fi

# ---- default profile: each defence, and the same with it off ----
is "$(in_zone mounts)" held "nothing is unmasked, remounted, mounted"
is "$(in_zone families)" held "no AF_VSOCK, no AF_ALG"
is "$(in_zone devices)" held "no device node"
paths="/proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/kernel/modprobe /sys/kernel/uevent_helper /sys/power/state /proc/sys/vm/drop_caches /sys/kernel/mm/ksm/run /proc/sys/net/ipv4/ip_forward"
is "$(in_zone writes $paths)" held "nothing of the kernel's is writable"
like "$("$T/hostile" writes $paths)" "^won writing" "control: on the host it is"
if "$T/hostile" families | grep -q won; then
    [ -z "$(zc list -q | grep -x free)" ] || is "$(zc exec free -- /hostile families)" "won a socket " "control: families without the filter"
fi
[ -z "$(zc list -q | grep -x free)" ] || like "$(zc exec free -- /hostile mounts)" "^won" "control: with CAP_SYS_ADMIN and no filter it may, in its own namespace"
is "$("$T/hostile" devices)" "won a device node " "control: root of the host makes and opens one"
make_zone system-like --set 'security.capabilities.add=[SYS_ADMIN, MKNOD]'
is "$(zc exec system-like -- /hostile devices)" held "no device node with CAP_MKNOD either"
is "$(zc exec system-like -- /hostile writes $paths)" held "nothing of the kernel's with CAP_SYS_ADMIN either"
is "$(zc exec system-like -- sh -c 'umount /proc/sys 2>/dev/null; echo x >/proc/sys/kernel/core_pattern' 2>/dev/null; cat /proc/sys/kernel/core_pattern)" "$(echo "$host_before" | grep -x "$(cat /proc/sys/kernel/core_pattern)")" "... also after it took the cover off"
zc exec system-like -- mount -o remount,bind,rw /usr 2>/dev/null
is "$(zc exec system-like -- sh -c 'touch /usr/planted 2>/dev/null && echo won || echo held'; ls /usr/planted 2>/dev/null)" held "the host's /usr stays read-only"
zc delete --force system-like >/dev/null

# ---- R1: links that move while zoned writes ----
zc exec evil -- mkdir -p /s "$T/out" 2>/dev/null
zc exec evil -- ln -s "$T/out" /t
mkdir "$T/many" && for i in $(seq 500); do echo planted >"$T/many/p$i"; done
zc exec evil -- /hostile swap /s /t $([ "${FAST:-}" ] && echo 120 || echo 14) >/dev/null & # as long as all copies take
job=$!
sleep 0.3
rounds=0
for _ in 1 2 3 4; do zc cp "$T/many" evil:/s/ >/dev/null 2>&1; rounds=$((rounds + 500)); done
leaks=0
for _ in $(seq 100); do zc cp evil:/s/f "$T/got" >/dev/null 2>&1 && grep -q secret "$T/got" && leaks=$((leaks + 1)); rm -f "$T/got"; done
is "$(ls "$T/out"):$leaks" "f:0" "cp: $rounds files into and 100 out of a folder that a link takes the place of"
won=0
for _ in $(seq 3000); do
    if [ -d "/proc/$pid/root/s" ] && [ ! -L "/proc/$pid/root/s" ]; then echo planted 2>/dev/null >"/proc/$pid/root/s/race"; fi
    [ -e "$T/out/race" ] && won=1 && break
done
is $won 1 "control: looking first and writing then, through /proc/PID/root, is caught"
rm -f "$T/out/race"
wait $job

# ---- R1: targets of mounts in a volume that a running zone changes ----
zc volume create shared >/dev/null
zc create swapper --set "filesystems=[$bind, {target: /v, volume: shared}]" --image host -- sh -c "mkdir /v/a; ln -s ../../../../../../../../etc /v/b; exec /hostile swap /v/a /v/b 20"
zc start swapper
sleep 0.3
placed=0 refused=0 wrong=0
for _ in $(seq 60); do
    out=$(zc run --rm --network none --set 'filesystems=[{target: /v, volume: shared}, {target: /v/a/in, tmpfs: 1M}]' host sh -c 'grep -c " /v/a/in \| /v/b/in \| /etc/in " /proc/self/mountinfo' 2>&1)
    case $out in 1) placed=$((placed + 1)) ;; *"mount target"*|*moved*|*"/v/a/in"*) refused=$((refused + 1)) ;; *) wrong=$((wrong + 1)); echo "# $out" ;; esac
done
is $wrong 0 "mount targets that move: $placed placed in the zone, $refused refused"
[ ! -e /etc/in ] && ! grep -q ' /etc/in ' /proc/self/mountinfo
ok $? "... none on the host"
zc delete --force swapper >/dev/null && zc volume delete shared

# ---- images that lie: links where the start mounts ----
for what in dev proc sys etc run tmp usr; do
    rm -rf "$T/img" && mkdir -p "$T/img/bin" && cp /bin/busybox "$T/img/bin/" && ln -s busybox "$T/img/bin/sh" && chmod 755 "$T/img"
    ln -s "$T/out" "$T/img/$what"
    out=$(zc run --rm --network none "dir:$T/img" /bin/sh -c 'echo ran' 2>&1)
    like "$out:$(ls "$T/out")" "^(ran|.*(/$what|not a folder|target).*):f\$" "/$what of the image is a link to the host: $(echo "$out" | head -1 | cut -c1-60)"
done

# ---- R5, user strings: the zone's own files as traps ----
for trap in 'mkfifo /etc/passwd' 'ln -s /dev/zero /etc/passwd' 'truncate -s 4G /etc/passwd' 'mkdir /etc/passwd' \
    'printf "www-data:x:4294967296:0::/:/bin/sh\n" >/etc/passwd' 'printf "www-data:x:0x0:0::/:/bin/sh\n" >/etc/passwd' 'printf "www-data:x:-1:0::/:/bin/sh\n" >/etc/passwd'; do
    zc exec evil -- sh -c "rm -rf /etc/passwd; $trap"
    out=$(timeout 10 "$BIN/zonectl" exec -u www-data evil -- id -u 2>&1)
    like "$?:$out" "^125:.*no such user" "user names: $trap"
done
for user in 4294967296 -1 +0 ' 0' 0x0 65536 ''; do
    out=$(zc exec -u "$user" evil -- id -u 2>&1)
    [ "$out" != 0 ] || [ -z "$user" ]
    ok $? "user '$user' is not root ($(echo "$out" | tail -1 | cut -c1-50))"
done

# ---- R9: the socket, from inside ----
mkdir "$T/run" && mount --bind "$ROOT/run" "$T/run" && chmod 711 "$ROOT" "$ROOT/run" && chmod 666 "$ZONED_SOCKET"
status_is 5 "root of a zone that reaches the socket may do nothing" \
    "$BIN/zonectl" run --rm --set "filesystems=[{target: /r, bind: $T/run}, {target: /zonectl, bind: $BIN/zonectl, mode: ro}]" -e ZONED_SOCKET=/r/zoned.sock host /zonectl list
status_is 0 "control: root of the host may" env ZONED_SOCKET="$T/run/zoned.sock" "$BIN/zonectl" list
umount "$T/run"
chmod 600 "$ZONED_SOCKET"
is "$(stat -c %a "$ROOT/lib")" 700 "a zone's own setuid programs are out of the host users' reach"

# ---- R11, R12: a zone that hangs or fills up is still ours ----
zc exec -d evil -- sh -c 'while :; do :; done'
zc pause evil
status_is 0 "a frozen zone can be stopped" timeout 20 "$BIN/zonectl" stop --force evil
for p in $(pgrep -f "zone-sup --server $ROOT"); do cat "/proc/$p/cgroup"; done | grep -q "/evil"
is $? 1 "no supervisor is in a zone's group"
same "$(host_state)" "$host_before" "the host's files are as before"
zc delete --force $(zc list -q) >/dev/null
nothing_left
