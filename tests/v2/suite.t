#!/usr/bin/env bash
# The tests that bear the mark "guest: v2" (V2=all: the whole system suite), run by a Debian 12 kernel with cgroup v2 alone.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
files=$(cd "$top" && marked)
put_payload $files
for f in $files; do echo "$f"; done >"$T/payload/list"
console=${V2_CONSOLE:-$T/console} # V2_CONSOLE=FILE keeps what the kernel and the tests' standard error said
image=$("$here/image" bookworm $GUEST_PACKAGES) || { echo "Bail out! no image"; exit 1; }
echo "# image: $image"
"$here/boot" "$image" "$T/payload" /payload/tests/v2/guest-init "$SECONDS_MAX" "$console" | "$here/relay"
status=("${PIPESTATUS[@]}")
[ "${status[*]}" = "0 0" ] || sed 's/^/# console: /' "$console" | tail -60
[ "${status[*]}" = "0 0" ]
