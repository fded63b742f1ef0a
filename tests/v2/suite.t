#!/usr/bin/env bash
# The tests that bear the mark "guest: v2" (V2=all: the whole system suite), run by a Debian 12 kernel with cgroup v2 alone.
# V2_CGROUPS=v1: the same kernel with v1's hierarchies alone. V2_LIMIT: seconds that each file has (240; V2=all: 1,800).
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
case ${V2_CGROUPS:=v2} in v1 | v2) ;; *) echo "Bail out! V2_CGROUPS: v1 or v2" && exit 1 ;; esac
files=$(cd "$top" && marked)
put_payload $files
count=$(wc -w <<<"$files")
GUESTS=$((count > 1 && $(nproc) > 1 ? 2 : 1))
n=0
for f in $files; do
    echo "$f $FILE_MAX" >>"$T/payload/list$((n++ % GUESTS + 1))"
done
boot bookworm "$GUEST_PACKAGES" /payload/tests/v2/guest-init "cgroups=$V2_CGROUPS"
