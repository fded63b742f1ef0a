#!/usr/bin/env bash
# A Debian trixie host with its systemd and its kernel (6.12, which has CPU partitions at any depth): zoned as its units, zones that
# live over what systemd does, CPUs of a zone's own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
put_payload
make -s -C "$top" install DESTDIR="$T/payload/install" >/dev/null || { echo "Bail out! make install"; exit 1; }
# Built here, on Debian 12: the one library that trixie has under another name comes along.
install -D -t "$T/payload/install/usr/lib/x86_64-linux-gnu" "$(ldd "$BIN/zoned" | awk '$1 == "libcgroup.so.2" { print $3 }')"
boot trixie "$GUEST_LIBS_TRIXIE $GUEST_TOOLS systemd systemd-sysv" /sbin/init \
    "guest_setup=/payload/tests/v2/systemd-setup systemd.show_status=0 systemd.log_target=console systemd.log_level=warning"
