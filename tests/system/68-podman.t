#!/usr/bin/env bash
# Podman beside us, over Debian's docker-registry and over files: what podman makes and pushes is pulled, run and pushed back byte by
# byte; what is committed here and a packed zone are run by podman as ordinary images.
. "$(dirname "$0")/lib.sh"
. "$here/store.sh"
L=localhost:5000
mkdir -p "$T/pod" "$T/tree/bin" "$T/tree/etc"
registry plain 5000 || ok 1 "docker-registry starts" "$(cat "$T/registry.log")"
at_end+=('umount "$T/pod"')
mount -t tmpfs podman "$T/pod" # it syncs the disk again and again
# crun refuses a hybrid of cgroups: podman sees the first version alone, in a mount namespace of its own; rlimits above ours are not ours to give
pod() {
    TMPDIR=$T/pod unshare -m --propagation private sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec podman "$@"' podman \
        --root "$T/pod/root" --runroot "$T/pod/run" --tmpdir "$T/pod/tmp" --volumepath "$T/pod/volumes" --storage-driver=vfs --events-backend=none \
        --cgroup-manager=cgroupfs "$@" 2>>"$T/podman.log"
}
pod_run() { pod run --rm --runtime crun --network none --cgroups=disabled --ulimit nofile=1024:4096 --ulimit nproc=1000:1000 "$@"; }
raw() { skopeo inspect --raw --tls-verify=false "docker://$L/$1"; }
ours() { cat "$ROOT/lib/images/blobs/sha256/$(zc image show "$1" -o json | jq -r .manifest | cut -d: -f2)"; }
cp /bin/busybox "$T/tree/bin/busybox"
for a in sh cat echo id sleep env; do ln "$T/tree/bin/busybox" "$T/tree/bin/$a"; done
echo 'app:x:1000:1000::/:/bin/sh' >"$T/tree/etc/passwd"
echo said >"$T/tree/etc/word"
seq 300 >"$T/words"
start_zoned || ok 1 "zoned starts" "$(cat "$T/zoned.log")"

# ---- podman's image ----
tar -C "$T/tree" --numeric-owner -cf "$T/tree.tar" .
pod import -q -c 'CMD ["/bin/cat","/etc/word"]' -c 'ENV GREETING=hello' "$T/tree.tar" localhost/theirs:1 >/dev/null
ok $? "podman makes an image" "$(tail -3 "$T/podman.log")"
for format in oci v2s2; do
    pod push -q --tls-verify=false --format $format localhost/theirs:1 "$L/theirs:$format"
    ok $? "podman pushes it as $format" "$(tail -3 "$T/podman.log")"
    status_is 0 "we pull it" zc image pull "$L/theirs:$format"
    is "$(zc run --rm "$L/theirs:$format" 2>&1)" said "... run it"
    is "$(ours "$L/theirs:$format" | sha256sum)" "$(raw "theirs:$format" | sha256sum)" "... keep its manifest byte by byte"
    status_is 0 "... push it back under another name" zc image push "$L/theirs:$format" "$L/back:$format"
    is "$(raw "back:$format" | sha256sum)" "$(raw "theirs:$format" | sha256sum)" "... the same bytes"
    pod pull -q --tls-verify=false "$L/back:$format" >/dev/null
    like "$(pod image inspect "$L/back:$format" | jq -r '.[0].RepoDigests[]')" "^$L/back@$(zc image show "$L/theirs:$format" -o json | jq -r .manifest)\$" "... and podman knows it by the same digest"
done

# ---- ours ----
zc create web --image "$L/theirs:oci" -u app -w /etc -e EXTRA=1 -l tier=front -p 8080:80 --set 'process.args=["/bin/sh","-c","cat word; echo $GREETING $EXTRA $(id -u) $PWD"]' >/dev/null 2>&1
zc start web >/dev/null 2>&1; zc wait web >/dev/null 2>&1
zc cp "$T/words" web:/etc/word >/dev/null 2>&1
status_is 0 "a zone becomes an image" zc commit web "$L/ours:1"
status_is 0 "it is pushed" zc image push "$L/ours:1"
is "$(raw ours:1 | sha256sum)" "$(ours "$L/ours:1" | sha256sum)" "the registry has our manifest byte by byte"
pod pull -q --tls-verify=false "$L/ours:1" >/dev/null
ok $? "podman pulls it" "$(tail -3 "$T/podman.log")"
is "$(pod image inspect "$L/ours:1" | jq -c '.[0] | [.Digest, .Config.User, .Config.WorkingDir, .Config.Labels.tier, (.Config.ExposedPorts | keys[0])]')" \
    "[\"$(zc image show "$L/ours:1" -o json | jq -r .manifest)\",\"app\",\"/etc\",\"front\",\"80/tcp\"]" "... reads its digest and configuration"
is "$(pod_run "$L/ours:1")" "$(cat "$T/words")
hello 1 1000 /etc" "... and runs it: files, environment, user and folder" "$(tail -3 "$T/podman.log")"

# ---- a package ----
printf 'name: web\nversion: "3"\nzone: {process: {args: [/bin/sh, -c, "echo $WORD"], env: {WORD: "${word}"}}}\nparameters: [{name: word, default: packed}]\n' >"$T/web.yaml"
status_is 0 "pack" zc pack web -o "$T/web.zone" -f "$T/web.yaml"
pod load -q -i "$T/web.zone" >"$T/loaded"
ok $? "podman loads the .zone file" "$(tail -3 "$T/podman.log")"
like "$(cat "$T/loaded")" "localhost/web:3" "... by its name"
is "$(pod image inspect localhost/web:3 | jq -r '.[0].Config.Labels["org.zoned.package"]' | jq -c '[.name, .version, .parameters[0].default]')" '["web","3","packed"]' "... its document is a label there"
is "$(pod_run localhost/web:3 cat /etc/word)" "$(cat "$T/words")" "... and it runs as an ordinary image"
status_is 0 "a package is pushed like an image" zc image push localhost/web:3 "$L/web:3"
pod pull -q --tls-verify=false "$L/web:3" >/dev/null
is "$(pod_run "$L/web:3" cat /etc/word)" "$(cat "$T/words")" "podman runs it from the registry"
zc image delete localhost/web:3 >/dev/null; zc image prune >/dev/null 2>&1
zc install "$L/web:3" two --set word=pulled >/dev/null 2>&1
zc start two >/dev/null 2>&1; zc wait two >/dev/null 2>&1
is "$(zc logs two)" pulled "we install it from there"
status_is 0 "the store is as it should be" zc image verify
finish
