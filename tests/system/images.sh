#!/usr/bin/env bash
# images.sh NAME…: makes the Debian roots that the system tests use, once per machine, and prints their paths. The tests' own
# network namespace has no way out, so call it before lib.sh. nginx: bookworm with nginx-light; trixie: with its own systemd;
# firewalld: no root, only what that package and its library hold: installed it would begin to guard this machine.
set -eu
cache=${ZONED_TEST_CACHE:-/var/tmp/zoned-cache}
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
declare -A suite=([nginx]=bookworm [trixie]=trixie)
declare -A packages=([nginx]=nginx-light [trixie]=systemd,systemd-sysv,dbus)
mirror() { # the Debian mirror that this machine's apt uses
    { apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Created-By: Packages' 2>/dev/null
      echo http://deb.debian.org/debian; } | head -1
}
make_firewalld() { # TAR
    local dir=$cache/.firewalld.$$ deb
    mkdir -p "$dir/root" && (cd "$dir" && apt-get download -q firewalld python3-firewall)
    for deb in "$dir"/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
    tar -C "$dir/root" -cf "$1" .
    rm -rf "$dir"
}
for name in "$@"; do
    tar=$cache/$name.tar
    if [ ! -s "$tar" ] && [ "$name" = firewalld ]; then
        make_firewalld "$cache/.$name.$$.tar" >"$cache/$name.log" 2>&1 || { tail -5 "$cache/$name.log" >&2; exit 1; }
        mv "$cache/.$name.$$.tar" "$tar"
    elif [ ! -s "$tar" ]; then
        tmp=$cache/.$name.$$.tar
        trap 'rm -f "$tmp"' EXIT
        mmdebstrap --variant=minbase --include="${packages[$name]}" "${suite[$name]}" "$tmp" "$(mirror)" >"$cache/$name.log" 2>&1 ||
            { tail -5 "$cache/$name.log" >&2; exit 1; }
        mv "$tmp" "$tar"
    fi
    echo "$tar"
done
