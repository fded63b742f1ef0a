#!/usr/bin/env bash
# The files below etc, as an editor leaves them: names that YAML takes for something else, holes, typos, and edits by hand. None
# keeps zoned from its work, each is told with file and line, and none is lost.
. "$(dirname "$0")/lib.sh"
begin
etc=$ROOT/etc
alive() { kill -0 "$zoned_pid" 2>/dev/null && zc list -q >/dev/null; }
again() { stop_zoned; start_zoned; ok $? "zoned starts again" "$(tail -3 "$T/zoned.log")"; }
# ---- names that YAML takes for nothing ----
status_is 0 "a pool whose name YAML takes for nothing" zc pool create null cpu.shares=50
status_is 0 "... changed" zc pool set null cpu.shares=60
is "$(zc pool list -o json | jq -c 'map([.name,.spec.cpu.shares])')" '[["null",60]]' "... shown"
printf 'pool:\ncpu: {shares: 5}\n' >"$etc/pools/hole.yaml"
status_is 0 "a pool's file without the name's value" zc pool list
alive
ok $? "... ends nothing"
again
is "$(zc pool list -o json | jq -c 'map(.name)')" '["null"]' "zoned has what it had"
like "$(grep 'hole.yaml' "$T/zoned.log")" "hole.yaml:1: pool: is missing" "... and says what is wrong, where"
printf 'pool:\n' >"$etc/pools/null.yaml"
status_is 0 "its name is taken out of the file" zc pool list
alive
ok $? "... which ends nothing"
rm "$etc/pools/hole.yaml"
status_is 0 "the pool goes" zc pool delete null
status_is 0 "the default network is up again" zc run --rm host true
nothing_left
