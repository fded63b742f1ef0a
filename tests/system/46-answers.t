#!/usr/bin/env bash
# Every answer that tells something is what the OpenAPI document says it is: no field that is not described, each of its type.
. "$(dirname "$0")/lib.sh"
begin
zc pool create batch cpu.cap=0.5 cpu.reserved=0.2 >/dev/null
zc volume create data >/dev/null
zc network create back --type sealed --subnet 10.39.7.0/24 >/dev/null
zc create web --image host --memory 256M --cpu-cap 0.5 -p 127.0.0.1:18046:80 -v data:/srv --network default -e A=b -l tier=web \
    --set restart.policy=always --set memory.warn=80% --set io.write=50M -- sleep 1000
zc create db --image host --network back --set cpu.pool=batch --set cpu.reserved=0.1 --set depends='[web]' -- sleep 1000
zc create rest --image host -- false
status_is 0 "zones, a pool, a volume, networks" zc start web db
is "$(curl -s --unix-socket "$ZONED_SOCKET" 'http://x/v1/zones?spec=0' | jq -c '[.[] | has("spec") or has("division")] | unique')" "[false]" \
    "zones without their specs, for who asks so"
plan='{"sources": [{"text": "{zone: new, image: host, process: {args: [sleep]}, cpu: {reserved: 0.1, pool: batch}}"}]}'
described() { # NAME REQUEST…: each answer is as the document says
    local name=$1 wrong
    shift
    wrong=$(printf '%s\n' "$@" | python3 "$here/answers.py" "$ZONED_SOCKET" 2>&1)
    is "$wrong" "" "$name"
}
zones=()
for z in web db rest; do
    zones+=("GET /v1/zones/$z" "GET /v1/zones/$z/stats" "GET /v1/zones/$z/why?interval_ms=200")
done
described "zones" "GET /v1/zones" "GET /v1/zones?spec=0" "${zones[@]}"
described "what a zone holds" "GET /v1/zones/web/ps" "GET /v1/zones/web/holders" "GET /v1/zones/web/diff" "GET /v1/zones/web/wait?for=running" \
    "GET /v1/zones/web/explain?port=18046"
described "statistics" "GET /v1/stats" "GET /v1/stats?zone=db"
described "pools and plan" "GET /v1/pools" "GET /v1/pools/batch" "POST /v1/plan $plan"
described "volumes, networks, images" "GET /v1/volumes" "GET /v1/volumes/data" "GET /v1/networks" "GET /v1/networks/back" "GET /v1/images"
described "the host" "GET /v1/host" "GET /v1/doctor" "GET /v1/df" "GET /v1/version"
echo 77 >"$(ls -d /sys/fs/cgroup/*/"$inst.slice/web/pids.max" "/sys/fs/cgroup/$inst.slice/web/pids.max" 2>/dev/null | head -1)"
described "a zone that has drifted" "GET /v1/zones/web"
described "changes" 'PATCH /v1/zones/web {"set": ["cpu.shares=200", "hostname=www"]}' 'PATCH /v1/pools/batch {"set": ["cpu.cap=0.6"]}' \
    'PATCH /v1/host {"set": ["cpu.reserved=0.1"]}'
described "verbs" 'POST /v1/zones {"name": "made", "source": {"text": "{image: host, process: {args: [sleep, \"1000\"]}}"}}' \
    'POST /v1/zones {"name": "made2", "source": {"text": "{image: host, process: {args: [sleep, \"1000\"]}}"}, "start": true}' \
    'POST /v1/zones/made/start {"dry_run": true}' 'POST /v1/zones/made/start {"timeout_ms": 20000}' 'POST /v1/zones/made/pause' \
    'POST /v1/zones/made/resume' 'POST /v1/zones/made/kill {"signal": "CONT"}' 'POST /v1/zones/made/restart {"timeout_ms": 0}' \
    'POST /v1/zones/made/stop {"force": true}' 'POST /v1/zones/made/clone {"new": "made3"}' 'POST /v1/zones/made/rename {"new": "made4"}' \
    'DELETE /v1/zones/made2?force=1'
zc delete --force made3 made4 >/dev/null
zc delete --force web db rest >/dev/null
zc pool delete batch >/dev/null
zc volume delete data >/dev/null
zc network delete back >/dev/null
nothing_left
