#!/usr/bin/env bash
# SCTP through published ports: its traffic needs a module that the build machine's kernel lacks and Debian's has. From the LAN, from
# the host and from another zone, IPv4 and IPv6; the sources that a zone sees; what is not published. Runs in the guest only.
. "$(dirname "$0")/../../system/lib.sh"
FORWARD=1
. "$(dirname "$0")/../../system/lan.sh"
modprobe sctp
begin
mkdir "$T/srv"
cat >"$T/srv/sctp.py" <<'P'
import os, socket, sys
what, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
if what == "ask":
    s.settimeout(float(os.environ.get("ASK", 20)))  # a first packet that is lost comes again after three seconds
    s.connect((address, port))
    print(s.recv(100).decode())
    sys.exit()
s.bind((address, port))
s.listen(8)
while True:
    c, who = s.accept()
    c.sendall(f"{port} {who[0]}".encode())
    c.close()
P
ask() { python3 "$T/srv/sctp.py" ask "$@" 2>&1 | tail -1; }
as() { ip netns exec lan python3 "$T/srv/sctp.py" ask "$@" 2>&1 | tail -1; }
status_is 0 "a zone publishes SCTP: a port, and a range of them" zc create s --image host -p 5000:9000/sctp -p 5001-5003:9001-9003/sctp \
    --set 'filesystems=[{target: /srv, bind: "'"$T/srv"'", mode: ro}]' -- sh -c 'for p in 9000 9001 9002 9003 9004; do python3 /srv/sctp.py serve :: $p & done; wait'
status_is 0 "... and starts" zc start s
answers() { # all five servers
    local p
    for p in 9000 9001 9002 9003 9004; do [ "$(ask "$(addr s)" $p)" = "$p ::ffff:$gw" ] || return; done
}
gw=$(zc network show default -o json | jq -r .gateway4)
until_ok answers
ok $? "the host reaches it by its own address" "$(ask "$(addr s)" 9004)"
is "$(as 192.0.2.1 5000)" "9000 ::ffff:192.0.2.2" "the LAN reaches the published port, and the zone sees who it is (IPv4)"
is "$(as 2001:db8:1::1 5000)" "9000 2001:db8:1::2" "... (IPv6)"
for p in 5001 5002 5003; do
    is "$(as 192.0.2.1 $p)" "$((p + 4000)) ::ffff:192.0.2.2" "port $p of the range goes to its own"
done
like "$(ask 192.0.2.1 5000)" "^9000 " "the host reaches it by the published port"
like "$(ask 127.0.0.1 5000)" "^9000 " "... by localhost"
like "$(zc run --rm --set 'filesystems=[{target: /srv, bind: "'"$T/srv"'", mode: ro}]' host python3 /srv/sctp.py ask 192.0.2.1 5000)" "^9000 " "another zone reaches it by the published port"
ASK=3 as 192.0.2.1 5004 | grep -q "^9"; [ $? != 0 ]; ok $? "what is not published is not there"
ip -n lan route add "$(zc network show default -o json | jq -r .subnet4)" via 192.0.2.1
ASK=3 as "$(addr s)" 9004 | grep -q "^9"; [ $? != 0 ]; ok $? "... not by the zone's own address either"
zc set s 'network[0].ports=[]' >/dev/null
ASK=3 as 192.0.2.1 5000 | grep -q "^9"; [ $? != 0 ]; ok $? "taken back while it runs"
zc set s 'network[0].ports=["5005:9004/sctp"]' >/dev/null
is "$(as 192.0.2.1 5005)" "9004 ::ffff:192.0.2.2" "another one while it runs"
zc delete --force s >/dev/null
nothing_left
finish
