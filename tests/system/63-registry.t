#!/usr/bin/env bash
# Images from registries and to them, with Debian's docker-registry and skopeo: pulled, run, pushed back byte by byte; what is
# missing is pulled by create and run; logins, private authorities, several platforms; cut off by Ctrl-C and continued.
. "$(dirname "$0")/lib.sh"
. "$here/store.sh"
PORT=5000

# an image of busybox, made by hand, so that nothing of ours made it
mkdir -p "$T/img/blobs/sha256" "$T/tree/bin" "$T/tree/etc"
cp /bin/busybox "$T/tree/bin/busybox"
for a in sh cat echo id sleep; do ln "$T/tree/bin/busybox" "$T/tree/bin/$a"; done
echo 'app:x:1000:1000::/:/bin/sh' >"$T/tree/etc/passwd"
blob() { # blob FILE: into the layout; prints digest and size
    local d
    d=$(sha256sum <"$1" | cut -d' ' -f1)
    cp "$1" "$T/img/blobs/sha256/$d"
    echo "$d $(stat -c %s "$1")"
}
image() { # image ARCH: prints digest and size of a manifest
    local layer config diff
    tar -C "$T/tree" --numeric-owner -cf "$T/layer.tar" .
    diff=$(sha256sum <"$T/layer.tar" | cut -d' ' -f1)
    gzip -nf "$T/layer.tar"
    layer=($(blob "$T/layer.tar.gz"))
    echo "{\"architecture\":\"$1\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/bin/cat\",\"/etc/passwd\"],\"Env\":[\"GREETING=hello\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$diff\"]}}" >"$T/config.json"
    config=($(blob "$T/config.json"))
    echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:${config[0]}\",\"size\":${config[1]}},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:${layer[0]}\",\"size\":${layer[1]}}]}" >"$T/manifest.json"
    blob "$T/manifest.json"
}
amd=($(image amd64))
arm=($(image arm64))
entry() { echo "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:$2\",\"size\":$3,\"platform\":{\"os\":\"linux\",\"architecture\":\"$1\"}}"; }
echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[$(entry arm64 "${arm[@]}"),$(entry amd64 "${amd[@]}")]}" >"$T/multi.json"
multi=($(blob "$T/multi.json"))
echo '{"imageLayoutVersion":"1.0.0"}' >"$T/img/oci-layout"
echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:${amd[0]}\",\"size\":${amd[1]},\"annotations\":{\"org.opencontainers.image.ref.name\":\"one\"}},{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"sha256:${multi[0]}\",\"size\":${multi[1]},\"annotations\":{\"org.opencontainers.image.ref.name\":\"multi\"}}]}" >"$T/img/index.json"

registry plain $PORT || ok 1 "docker-registry starts" "$(cat "$T/registry.log")"
L=localhost:$PORT
out=$(skopeo copy --quiet --dest-tls-verify=false "oci:$T/img:one" "docker://$L/app:1" 2>&1 &&
    skopeo copy --quiet --all --dest-tls-verify=false "oci:$T/img:multi" "docker://$L/multi:1" 2>&1)
ok $? "skopeo puts two images into the registry" "$out"
start_zoned || ok 1 "zoned starts" "$(cat "$T/zoned.log")"

# ---- pull ----
status_is 0 "image pull" zc image pull $L/app:1
like "$out" "$L/app:1@sha256:${amd[0]}" "tells the digest"
like "$out" "download" "and what it did, a line for each blob"
status_is 0 "again" zc image pull $L/app:1
like "$out" "exists" "all is there already"
is "$(zc image list -o json | jq -r '.[].ref')" "$L/app:1" "it is in the list"
is "$(zc image pull -o json $L/app:1 2>/dev/null | jq -r .digest)" "sha256:${amd[0]}" "-o json"
is "$(zc run --rm $L/app:1)" "app:x:1000:1000::/:/bin/sh" "it runs"
status_is 0 "of several platforms this host's is taken" zc image pull $L/multi:1
like "$out" "sha256:${amd[0]}" "amd64"
status_is 0 "--platform takes another" zc image pull --platform linux/arm64 "$L/multi:1"
like "$out" "sha256:${arm[0]}" "arm64"
status_is 3 "a platform that is not there" zc image pull --platform linux/s390x $L/multi:1
status_is 0 "by digest" zc image pull "$L/app@sha256:${amd[0]}"
cmp -s "$ROOT/lib/images/blobs/sha256/${amd[0]}" "$T/img/blobs/sha256/${amd[0]}"
ok $? "the manifest is in the store byte by byte"

# ---- push ----
status_is 0 "image push under another name" zc image push $L/app:1 $L/other/app:2
like "$out" "$L/other/app:2@sha256:${amd[0]}" "tells the digest"
skopeo inspect --raw --tls-verify=false "docker://$L/other/app:2" >"$T/back.json" 2>/dev/null
cmp -s "$T/back.json" "$T/img/blobs/sha256/${amd[0]}"
ok $? "skopeo reads the same manifest, byte by byte"
before=$(find "$R/plain" -path '*blobs*' -name data -printf '%f %p %s\n' | sort)
status_is 0 "a push after a pull" zc image push $L/app:1
same "$(find "$R/plain" -path '*blobs*' -name data -printf '%f %p %s\n' | sort)" "$before" "sends nothing new: layers are what they were"
status_is 3 "push of what is not in the store" zc image push nothing:1 $L/x:1

# ---- what is missing is pulled ----
zc image delete $L/app:1 >/dev/null
zc image prune >/dev/null
status_is 0 "run pulls an image that is not there" zc run --rm $L/other/app:2 echo ran
like "$out" "image $L/other/app:2 is not in the store: pulling it" "says so"
like "$out" "^ran$" "and runs it"
zc image delete $L/other/app:2 >/dev/null
status_is 0 "so does create" zc create pulled --image $L/other/app:2
is "$(zc list -o json | jq -r '.[] | .name + " " + .state')" "pulled installed" "the zone is installed"
zc delete pulled
status_is 3 "create of what the registry lacks" zc create none --image $L/none:1
like "$out" "pull of $L/none:1: .*not there" "the registry's answer is told"
status_is 125 "run: our own failure is 125" zc run --rm $L/none:1 true
is "$(zc list -q)" "" "no zone is left"
code=$(curl -s -o "$T/e.json" -w '%{http_code}' --unix-socket "$ZONED_SOCKET" -d "{\"name\":\"a\",\"set\":[\"image=$L/none:1\"]}" http://x/v1/zones)
is "$code $(jq -r '.error.details[0] | .key + ": " + .message' "$T/e.json")" "404 image: $L/none:1 is not in the store" "the API says which image lacks"
code=$(curl -sN -o "$T/s.json" -w '%{http_code}' --unix-socket "$ZONED_SOCKET" -d "{\"ref\":\"$L/app:1\"}" http://x/v1/images/pull)
is "$code $(tail -1 "$T/s.json" | jq -r .result.digest)" "200 sha256:${amd[0]}" "curl is a full client: lines of progress, and last the result"

# ---- bad input ----
status_is 7 "a reference that is none" zc image pull 'Not A Ref'
status_is 7 "a platform that is none" zc image pull --platform linux $L/app:1
status_is 3 "no such image" zc image pull $L/app:none
status_is 2 "no reference" zc image pull
status_is 2 "options of another word" zc image list --platform linux/arm64
status_is 1 "no such registry" zc image pull localhost:1/app:1
like "$out" "localhost:1" "names it"
code=$(curl -s -o "$T/e.json" -w '%{http_code}' --unix-socket "$ZONED_SOCKET" -d '{"ref":"a:1","credential":"x"}' http://x/v1/images/pull)
is "$code $(jq -r .error.message "$T/e.json")" "400 the request: credential: must be an object" "the API: a credential of the wrong kind"
code=$(curl -s -o "$T/e.json" -w '%{http_code}' --unix-socket "$ZONED_SOCKET" -d '{"ref":"a:1","credential":{"username":"x"}}' http://x/v1/images/pull)
like "$code $(cat "$T/e.json")" "422 .*credential: username and password" "the API: half a credential"
code=$(curl -s -o "$T/e.json" -w '%{http_code}' --unix-socket "$ZONED_SOCKET" -d '{}' http://x/v1/images/pull)
is "$code" "400" "the API: no reference"

# ---- TLS with an authority of our own, and a login ----
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ours -keyout "$T/ca.key" -out "$T/ca.pem" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$T/tls.key" -out "$T/tls.csr" 2>/dev/null
openssl x509 -req -in "$T/tls.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -days 2 -out "$T/tls.pem" \
    -extfile <(echo 'subjectAltName=IP:127.0.0.1') 2>/dev/null
htpasswd -Bbn user 'pass word' >"$T/htpasswd" 2>/dev/null
S=127.0.0.1:5443
registry safe 5443 "  tls: {certificate: $T/tls.pem, key: $T/tls.key}
auth: {htpasswd: {realm: test, path: $T/htpasswd}}" || ok 1 "docker-registry with TLS starts" "$(cat "$T/registry.log")"
status_is 1 "an unknown authority is refused" zc image push $L/app:1 $S/app:1
status_is 5 "--ca: known; without a login it is denied" zc image push --ca "$T/ca.pem" $L/app:1 $S/app:1
mkdir -p "$HOME/.docker" "$HOME/.config/containers/certs.d/$S"
printf '{"auths":{"%s":{"auth":"%s"}}}' $S "$(printf 'user:pass word' | base64)" >"$HOME/.docker/config.json"
chmod 600 "$HOME/.docker/config.json"
cp "$T/ca.pem" "$HOME/.config/containers/certs.d/$S/ca.crt"
status_is 0 "with docker's login and containers' certs.d" zc image push $L/app:1 $S/app:1
status_is 0 "and pulled" zc image pull $S/app:1
like "$out" "sha256:${amd[0]}" "the same digest"
is "$(grep -rls -e "pass word" -e "$(printf 'user:pass word' | base64)" "$T/zoned.log" "$ROOT")" "" "the password is in no file of ours"
status_is 7 "--ca of a file that is none" zc image pull --ca "$T/manifest.json" $S/app:1
status_is 3 "--ca of a file that is not there" zc image pull --ca "$T/nothing" $S/app:1

# ---- Ctrl-C leaves resumable parts and a clean store ----
head -c 24000000 /dev/urandom >"$T/tree/big"
big=($(image amd64))
echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:${big[0]}\",\"size\":${big[1]},\"annotations\":{\"org.opencontainers.image.ref.name\":\"big\"}}]}" >"$T/img/index.json"
skopeo copy --quiet --dest-tls-verify=false "oci:$T/img:big" "docker://$L/big:1" >/dev/null 2>&1
layer=$(jq -r '.layers[0].digest' "$T/img/blobs/sha256/${big[0]}")
slow=$T/slow.py # a door to the registry with 6 MB a second
cat >"$slow" <<'END'
import socket, sys, threading, time
s = socket.create_server(("127.0.0.1", 5001)); s.listen(16)
def pump(a, b, slow):
    try:
        while (d := a.recv(65536)):
            b.sendall(d)
            if slow: time.sleep(len(d) / 6e6)
        b.shutdown(socket.SHUT_WR)
    except OSError: pass
while True:
    c, _ = s.accept()
    u = socket.create_connection(("127.0.0.1", 5000))
    threading.Thread(target=pump, args=(c, u, False), daemon=True).start()
    threading.Thread(target=pump, args=(u, c, True), daemon=True).start()
END
python3 "$slow" &
until_ok heard_at 5001
part=$ROOT/lib/images/staging/sha256-${layer#sha256:}.part
have() { stat -c %s "$part" 2>/dev/null || echo 0; }
perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$BIN/zonectl" image pull localhost:5001/big:1 >"$T/cut.out" 2>&1 & pull=$! # a shell ignores it for what it puts into the background
until_ok eval '[ "$(have)" -gt 4000000 ]'
kill -INT $pull
wait $pull
is $? 130 "Ctrl-C ends a pull"
is "$(eventually "" workers)" "" "its worker is gone"
first=$(have)
ok $((first > 4000000 ? 0 : 1)) "a part is left ($first bytes)"
status_is 0 "the store is clean" zc image verify
is "$(zc image list -o json | jq -r '.[] | select(.ref | test("big")) | .ref')" "" "no image by that name"
status_is 0 "the pull is continued" zc image pull localhost:5001/big:1
like "$out" "${big[0]}" "and ends well"
is "$(have)" 0 "the part is gone"
status_is 0 "the store is clean again" zc image verify
status_is 1 "a registry whose name is unknown" zc image pull nosuch.invalid/big:1
like "$out" "hint: is the registry's name right, and does this host resolve names" "... says what to look at"
# on a terminal: bars in place
zc image delete localhost:5001/big:1 >/dev/null; zc image prune >/dev/null
out=$(script -qec "$BIN/zonectl image pull localhost:5001/big:1" /dev/null </dev/null | cat -v)
like "$out" '\[=+\.+\] .*/s ' "a terminal has bars with a rate"
finish
