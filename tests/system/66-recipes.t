#!/usr/bin/env bash
# The recipes that are shipped: each built from Debian, installed as a package and used: nginx, PostgreSQL, Redis, a Java application,
# a .NET assembly on Mono, a whole system with systemd and sshd. One debootstrapped base for all.
here=$(cd "$(dirname "$0")" && pwd)
if [ "${ZONED_TEST_INSIDE:-}" != "$0" ]; then # the door out stays outside
    export ZONED_DOOR=/tmp/zoned-door.$$.sock
    "$here/door.py" out "$ZONED_DOOR" & echo $! >"$ZONED_DOOR.pid"
fi
. "$here/lib.sh"
"$here/door.py" in "$ZONED_DOOR" 3142 & door=$!
end() { kill $door "$(cat "$ZONED_DOOR.pid")" 2>/dev/null; rm -f "$ZONED_DOOR" "$ZONED_DOOR.pid"; finish; }
trap end EXIT
ip address add 198.51.100.1/32 dev lo
export http_proxy=http://198.51.100.1:3142 no_proxy=127.0.0.1
R=$top/specs/packages
start_zoned || ok 1 "zoned starts" "$(cat "$T/zoned.log")"

get() { # get URL: what it says, when it does
    local answer
    for _ in $(seq 300); do answer=$(curl -s --noproxy '*' --max-time 5 "$1") && [ -n "$answer" ] && break; sleep 0.2; done
    echo "$answer"
}
built() { # built NAME: as a package, with the base as before from the second on
    local out
    out=$(zc image build --reproducible -f "$R/$1/recipe.yaml" 2>&1)
    ok $? "$1: built" "$(echo "$out" | tail -5)"
    echo "# $1: $(echo "$out" | grep -c 'as before') steps as before, $(zc image list -o json | jq -r ".[] | select(.ref | startswith(\"localhost/$1:\")) | (.size / 1048576 | floor | tostring) + \" MiB, own \" + (.own / 1048576 | floor | tostring) + \" MiB\"")"
}
installed() { # installed NAME --set…
    local out ref=$1
    ref=$(zc image list -o json | jq -r ".[].ref | select(startswith(\"localhost/$1:\"))")
    out=$(zc install "$ref" "$@" 2>&1 && zc start "$1" 2>&1)
    ok $? "$1: installed and started" "$out"
}
gone() { zc stop -t 5 "$1" >/dev/null 2>&1; zc delete --force "$1" >/dev/null 2>&1; }

built nginx
installed nginx --set port=8080
like "$(get http://127.0.0.1:8080/)" "nginx in a zone" "nginx: serves"
is "$(zc show nginx -o json | jq -r .spec.memory.cap)" 128M "nginx: with what the recipe says of the zone"
gone nginx

built redis
installed redis --set password=s3cret --set port=6379
rcli() { zc exec redis -- env REDISCLI_AUTH="$1" redis-cli "${@:2}" 2>&1; }
for _ in $(seq 100); do [ "$(rcli s3cret ping)" = PONG ] && break; sleep 0.1; done
is "$(rcli s3cret set k v) $(rcli s3cret get k)" "OK v" "redis: keeps"
like "$(zc exec redis -- redis-cli get k 2>&1)" NOAUTH "redis: not without the password"
is "$(zc exec redis -- sh -c 'cat /proc/[0-9]*/cmdline' | tr '\0' ' ' | grep -c s3cret)" 0 "redis: the password is on no command line"
zc restart redis >/dev/null 2>&1
for _ in $(seq 100); do [ "$(rcli s3cret ping)" = PONG ] && break; sleep 0.1; done
is "$(rcli s3cret get k)" v "redis: and kept it over a restart, on its volume"
gone redis

built postgresql
installed postgresql --set password=pg --set port=5432
sql() { zc exec postgresql -- env PGPASSWORD=pg psql -h 127.0.0.1 -U postgres -Atc "$1" 2>&1; }
for _ in $(seq 200); do [ "$(sql 'select 1')" = 1 ] && break; sleep 0.2; done
is "$(sql 'create table t (a int)') $(sql 'insert into t values (42)') $(sql 'select a from t')" "CREATE TABLE INSERT 0 1 42" "postgresql: stores"
like "$(zc exec postgresql -- env PGPASSWORD=no psql -h 127.0.0.1 -U postgres -Atc 'select 1' 2>&1)" "authentication failed" "postgresql: not without the password"
zc restart postgresql >/dev/null 2>&1
for _ in $(seq 200); do [ "$(sql 'select 1')" = 1 ] && break; sleep 0.2; done
is "$(sql 'select a from t')" 42 "postgresql: and kept it, on its volume"
gone postgresql

built java
installed java --set memory=200M --set cpus=1 --set port=8082
is "$(get http://127.0.0.1:8082/ | sed 's/heap \(9[0-9]\|10[0-9]\)$/heap of the zone/')" "cpus 1 heap of the zone" "java: the JVM sees the zone's CPUs and memory"
gone java

built mono
installed mono --set greeting=salve --set port=8083
is "$(get http://127.0.0.1:8083/)" "salve from mono" "mono: the assembly answers"
gone mono

built system
ssh-keygen -q -t ed25519 -N '' -f "$T/key"
installed system --allow capabilities --set "key=$(cat "$T/key.pub")" --set port=2222
login() { ssh -q -i "$T/key" -p 2222 -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 root@127.0.0.1 "$@"; }
for _ in $(seq 100); do login true && break; sleep 0.5; done
is "$(login cat /proc/1/comm)" systemd "system: ssh lets in, systemd is PID 1"
is "$(login systemctl is-active ssh)" active "system: its services run"
is "$(login hostname)" system "system: under its own name"
gone system
is "$(zc list -q)" "" "no zone is left"
status_is 0 "the store is as it should be" zc image verify
digest() { zc image list -o json | jq -r '.[] | select(.ref | startswith("localhost/redis:")) | .digest'; }
first=$(digest)
stop_zoned
ROOT=$T/other && mkdir "$ROOT" && export ZONED_SOCKET=$ROOT/run/zoned.sock && start_zoned
built redis
like "$first" "^sha256:" "redis: its digest"
is "$(digest)" "$first" "--reproducible: a store that has nothing makes the same from Debian"
end
