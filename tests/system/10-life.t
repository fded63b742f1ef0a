#!/usr/bin/env bash
# guest: v2
# A zone's life from create to delete: states, exit statuses, exec, logs, and nothing left at the end.
. "$(dirname "$0")/lib.sh"
begin

status_is 0 "create" zc create web --image host -- sleep 1000
is "$(zc list -o json | jq -r '.[0].name + " " + .[0].state')" "web installed" "list shows it installed"
is "$(zc list -o json | jq -c '.[0].spec')" "$(zc show web -o json | jq -c .spec)" "... with its spec, as show does"
status_is 4 "create again is a conflict" zc create web --image host -- sleep 1
like "$out" "web exists" "... and says so"
status_is 0 "start" zc start web
is "$(state web)" running "it runs"
status_is 0 "start again succeeds" zc start web
pid=$(field web .pid)
[ -d "/proc/$pid" ]
ok $? "pid of PID 1 is a host process"
base=$(awk '/^Uid:/{print $2}' "/proc/$pid/status")
[ "$base" -ge 65536 ]
ok $? "root of the zone is nobody on the host (uid $base)"
is "$(zc exec web -- id -u)" 0 "root inside"
is "$(zc exec web -- hostname)" web "hostname is the zone's name"
is "$(zc exec web -- cat /run/zone/name)" web "/run/zone/name"
is "$(zc exec web -- sh -c 'echo $container')" zoned "container=zoned"
is "$(echo hello | zc exec -i web -- cat)" hello "standard input reaches exec"
is "$(zc exec web -- sh -c 'echo out; echo err >&2' 2>/dev/null)" out "standard output alone"
is "$(zc exec web -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err "standard error alone"
status_is 7 "exit status passes" zc exec web -- sh -c 'exit 7'
status_is 143 "death by signal is 128+N" zc exec web -- sh -c 'kill -TERM $$'
status_is 127 "not found is 127" zc exec web -- /no/such/program
status_is 126 "not executable is 126" zc exec web -- /etc/hostname
status_is 0 "ps" zc ps web
like "$out" "sleep 1000" "ps shows the program"
like "$(zc exec web -- sh -c 'echo $$; ls /proc | grep -c "^[0-9]"')" "" "proc is its own"
is "$(zc exec web -- sh -c 'kill -0 '"$$"' 2>&1 | grep -c "No such process"')" 1 "host processes are not there"
status_is 0 "pause" zc pause web
is "$(state web)" paused "paused"
status_is 0 "resume" zc resume web
status_is 4 "delete of a running zone is refused" zc delete web
status_is 0 "restart" zc restart web
is "$(state web)" running "runs again"
status_is 0 "stop" zc stop -t 1 web
is "$(state web)" installed "installed again"
status_is 0 "stop again succeeds" zc stop web
status_is 0 "delete" zc delete web
status_is 3 "it is gone" zc show web

status_is 0 "run passes 0" zc run --rm host true
status_is 3 "run passes 3" zc run --rm host sh -c 'exit 3'
is "$(zc run --rm host echo one)" one "run prints"
is "$(echo in | zc run --rm -i host cat)" in "run reads"
status_is 127 "run of a missing command is 127" zc run --rm host /no/such
status_is 126 "run of what is not executable is 126" zc run --rm host /etc/hostname
zc create bad --image host -- /no/such
status_is 7 "start of a command that does not exist is 7" zc start bad
is "$(state bad)" failed "the zone is failed"
status_is 4 "a failed zone does not start" zc start bad
status_is 0 "clear" zc clear bad
is "$(state bad)" installed "installed after clear"
zc delete bad
zc create talk --image host -- sh -c 'echo one; echo two >&2; exit 5'
zc start talk
zc wait talk --for stopped
is "$(field talk .exit_status)" 5 "exit status is kept"
is "$(zc logs talk | sort | tr '\n' ' ')" "one two " "the log is kept"
zc delete talk
nothing_left
