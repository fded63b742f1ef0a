#!/usr/bin/env bash
# Two hundred zones at once, each with its network; the cost of one more is printed; all deleted, nothing left.
. "$(dirname "$0")/lib.sh"
N=${ZONES:-200}
begin
us() { echo $(($(date +%s%N) / 1000)); }
for i in $(seq "$N"); do
    zc create z$i --image host -- sleep 10000 || break
    t0=$(us)
    zc start z$i || break
    echo $(($(us) - t0)) >>"$T/starts"
done
is "$(zc list -o json | jq '[.[] | select(.state == "running")] | length')" "$N" "$N zones run"
is "$(zc list -o json | jq -r '.[].network[0].addresses[0]' | sort -u | wc -l)" "$N" "$N different addresses"
is "$(for p in $(zc list -o json | jq -r '.[].pid'); do awk '/^Uid:/{print $2}' /proc/$p/status; done | sort -u | wc -l)" "$N" \
    "$N different uid ranges"
med() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
echo "# start: first 20 $(head -20 "$T/starts" | med) us, last 20 $(tail -20 "$T/starts" | med) us (medians)"
t0=$(us)
zc list >/dev/null
t1=$(us)
zc stats >/dev/null
echo "# list $((t1 - t0)) us, stats $(($(us) - t1)) us"
first=$(field z1 '.network[0].addresses[0]')
zc exec z$N -- ping -c 1 -W 2 "$first" >/dev/null
ok $? "the last reaches the first"
echo "# zoned: $(awk '/^Private_/{s += $2} END {print s}' /proc/$zoned_pid/smaps_rollup) kB private"
# with each zone's counters open zoned has thousands of descriptors; one look opens some
looked() { zc stats >/dev/null && [ "$(ls "/proc/$zoned_pid/fd" | wc -l)" -gt 1024 ]; }
[ "$N" -lt 200 ] || until_ok looked; ok $? "more descriptors than select(2) has places for"
status_is 0 "one more network" zc network create late
status_is 0 "... comes up and is joined" zc set z1 'network=[{link: default}, {link: late}]'
status_is 0 "... and left" zc set z1 'network[1]='
status_is 0 "... and deleted" zc network delete late
kill9_zoned
start_zoned
is "$(zc list -o json | jq '[.[] | select(.state == "running")] | length')" "$N" "all are adopted after a kill -9"
t0=$(us)
zc delete --force $(zc list -q) >/dev/null
echo "# all deleted in $((($(us) - t0) / 1000)) ms"
is "$(zc list -q)" "" "all deleted"
nothing_left
