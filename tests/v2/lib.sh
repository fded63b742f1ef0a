# Shared by the tests that boot a guest: what goes in, what the guest's images hold.
BIN=${ZONED_BIN:-$here/../../build/release/bin}
top=$(cd "$here/../.." && pwd)
T=$(mktemp -d /var/tmp/zoned-guest.XXXXXX)
trap 'rm -rf --one-file-system "$T"' EXIT
# What our programs link with, and what the tests type.
GUEST_LIBS="libcgroup2 libnl-3-200 libnl-route-3-200 libseccomp2 libyaml-0-2 libjansson4 libcap2 libnftnl11 libmnl0 libsystemd0 libisal2 libzstd1"
GUEST_TOOLS="mount kmod iproute2 nftables curl jq busybox-static iputils-ping procps"
GUEST_LIBS_TRIXIE="${GUEST_LIBS/libcgroup2/libcgroup3} libmicrohttpd12t64 libarchive13t64 libnftables1 libssl3t64"
GUEST_PACKAGES="$GUEST_LIBS libmicrohttpd12 libarchive13 libnftables1 libssl3 $GUEST_TOOLS lxcfs dnsmasq-base python3 zstd openjdk-17-jre-headless"
SECONDS_MAX=${V2_SECONDS:-900}
FILE_MAX=${V2_LIMIT:-240}
GUESTS=1 # a guest has one thread of the host
if [ "${V2:-}" = all ]; then
    GUEST_PACKAGES="$GUEST_PACKAGES ${V2_PACKAGES:?run it by make check-v2}"
    SECONDS_MAX=${V2_SECONDS:-10800}
    FILE_MAX=${V2_LIMIT:-1800}
elif [ -n "${DIVIDE_FULL:-}" ]; then
    SECONDS_MAX=${V2_SECONDS:-5400}
    FILE_MAX=${V2_LIMIT:-5000}
fi
if [ -n "${V2:-}" ] && [ "$V2" != all ]; then
    marked() { printf '%s\n' $V2; }
fi
# The files that a guest runs, relative to the repository; unit tests by their programs. Not what builds from Debian's mirror: the
# guest has no way out, and the commands of packages would take an hour.
type marked >/dev/null 2>&1 || marked() {
    if [ "${V2:-}" = all ]; then grep -L door.py tests/system/*.t; else grep -lE '^# guest: v2' tests/system/*.t; fi
    if [ "${V2_CGROUPS:-v2}" = v1 ]; then grep -L '^# cgroups: v2' tests/v2/guest/*.t; else ls tests/v2/guest/*.t; fi
    grep -lE '^/\* guest: v2' tests/unit/*/test_*.c tests/unit/*/*/test_*.c 2>/dev/null | sed 's|\(.*\)\.c$|build/release/\1|'
}
put_payload() {
    mkdir -p "$T/payload/build/release/bin" "$T/payload/tests"
    cp "$top"/build/release/bin/* "$T/payload/build/release/bin/"
    cp -r "$top/tests/system" "$top/tests/v2" "$T/payload/tests/"
    cp -r "$top/specs" "$T/payload/"
    install -D "$top/cmd/zonectl/elsewhere.c" "$T/payload/cmd/zonectl/elsewhere.c"
    echo "export DIVIDE_FULL=${DIVIDE_FULL:-}" >"$T/payload/environment"
    for f in "$@"; do
        case $f in build/*) install -D "$top/$f" "$T/payload/$f" ;; esac
    done
    [ -z "${V2:-}" ] || put_more "$@"
}
# What only files need that are named by hand: a hostile program, golden files, programs of another version, the Debian roots.
put_more() {
    local tar hostile=build/release/tests/hostile/hostile
    [ ! -e "$top/$hostile" ] || install -D "$top/$hostile" "$T/payload/$hostile"
    cp -r "$top/tests/golden" "$T/payload/tests/"
    if [ -d "$top/build/debug/bin" ]; then
        mkdir -p "$T/payload/build/debug/bin"
        cp "$top"/build/debug/bin/* "$T/payload/build/debug/bin/"
    fi
    (cd "$top" && grep -q images.sh "$@") || return 0
    mkdir -p "$T/payload/cache"
    for tar in $("$top/tests/system/images.sh" nginx trixie firewalld); do cp --reflink=auto "$tar" "$T/payload/cache/"; done
}
# boot SUITE PACKAGES INIT [KERNEL WORDS]: the TAP of GUESTS guests, one after another, on our standard output. V2_CONSOLE=FILE keeps
# what the kernel and the tests' standard error said (with the number of the guest at its end).
boot() {
    local image console=${V2_CONSOLE:-$T/console}
    image=$("$here/image" "$1" $2) || { echo "Bail out! no image"; exit 1; }
    echo "# image: $image"
    if guests "$image" "$3" "$console" ${4:-} | "$here/relay" "$GUESTS"; then return; fi
    tail -n 60 "$console"* | sed 's/^/# console: /'
    return 1
}
# guests IMAGE INIT CONSOLE [KERNEL WORDS]: what the first guest writes, as it comes, then what the others, which run beside it, wrote.
guests() {
    local n
    for n in $(seq 2 "$GUESTS"); do
        "$here/boot" "$1" "$T/payload" "$2" "$SECONDS_MAX" "$3$n" "guest_list=$n" ${4:-} >"$T/stream$n" &
    done
    "$here/boot" "$1" "$T/payload" "$2" "$SECONDS_MAX" "${3}1" guest_list=1 ${4:-}
    wait
    [ "$GUESTS" = 1 ] || cat "$T"/stream*
}
