#!/usr/bin/env bash
# DHCP and router advertisements for zones that ask: a real client (busybox udhcpc, the kernel's own router discovery, rdisc6)
# gets exactly what zoned leased; who does not ask hears nothing; nobody gets another's by a forged MAC.
. "$(dirname "$0")/lib.sh"
begin
mac() { ns "$1" ip -o link show "${2:-eth0}" | grep -o 'link/ether [^ ]*' | cut -d' ' -f2; }
script=$(base64 -w0 <<'S'
#!/bin/sh
case $1 in bound | renew) ;; *) exit 0 ;; esac
busybox ip -4 addr flush dev $interface
busybox ip addr add $ip/$mask dev $interface
[ -z "$router" ] || busybox ip route replace default via $router
echo "$ip/$mask router=$router dns=$dns mtu=$mtu domain=$domain hostname=$hostname lease=$lease" >/tmp/lease
S
)
init="echo $script | base64 -d >/tmp/udhcpc && chmod +x /tmp/udhcpc && mkdir -p /srv/www && hostname >/srv/www/index.html && busybox httpd -p [::]:80 -h /srv/www; exec sleep 1000"
zone() { # NAME SPEC-OF-LINKS: it runs, with the rights that a client needs
    zc create "$1" --set "network=$2" --set 'security.capabilities.add=[NET_ADMIN, NET_RAW]' --image host -- sh -c "$init" && zc start "$1"
}
lease() { # ZONE [LINK]: what its client gets
    zc exec "$1" -- sh -c "for _ in 1 2 3 4 5 6 7 8 9 10; do [ -x /tmp/udhcpc ] && break; sleep 0.1; done; rm -f /tmp/lease; busybox udhcpc -n -q -f -t ${tries:-8} -T 1 -O mtu -O hostname -i ${2:-eth0} -s /tmp/udhcpc" >/dev/null 2>&1
    zc exec "$1" -- cat /tmp/lease 2>/dev/null
}
six() { ns "$1" ip -6 -o addr show dev "${2:-eth0}" scope global | awk '{ print $4 }'; }
six_is() { [ "$(six "$1" "${3:-eth0}")" = "$2/64" ]; }
zc network create app --mtu 1400 && zc network create shut --type sealed
gw=$(zc network show app -o json | jq -r .gateway4) gw6=$(zc network show app -o json | jq -r .gateway6)
# ---- who asks ----
status_is 0 "a zone that asks" zone d '[{link: app, dhcp: true, ports: ["8080:80"]}]'
zone p '[{link: app}]'
is "$(ns d ip -4 -o addr show dev eth0)" "" "nobody gave it an address"
like "$(lease d)" "^$(addr d)/(16|255.255.0.0|[0-9.]+) router=$gw dns=$gw mtu=1400 domain=zone.internal hostname=d lease=3600\$" "its client gets what zoned leased, gateway, resolver, MTU and names"
until_ok six_is d "$(addr d 0 1)"; ok $? "its kernel makes the address that zoned knows, from the network's prefix and its MAC" "$(six d) $(addr d 0 1)"
like "$(ns d ip -6 route show default)" "via fe80::.* proto ra" "... and a default route from what the router says"
is "$(ns d cat /proc/sys/net/ipv6/conf/eth0/mtu)" 1400 "... and the MTU"
up() { [ "$(curl -fs -m 1 "$1")" = "$2" ]; }
until_ok up "http://$(addr d)/" d; ok $? "it is reached (IPv4)"
until_ok up "http://[$(addr d 0 1)]/" d; ok $? "... (IPv6)"
until_ok up http://127.0.0.1:8080/ d; ok $? "... at its published port"
is "$(ns d rdisc6 -1 -q -w 2000 eth0 2>/dev/null | head -1)" "$(zc network show app -o json | jq -r .subnet6)" "rdisc6: the network's prefix"
like "$(ns d rdisc6 -1 -w 2000 eth0 2>/dev/null)" "Recursive DNS server.*: $gw6|$gw6" "... and resolver"
zc exec p -- getent ahostsv4 d | grep -q "$(addr d)"; ok $? "others find it by name"
# ---- who does not ----
hears() { # ZONE FILTER COMMAND…: what is heard there meanwhile
    : >"$T/td.$1"
    nsenter -n -t "$(field "$1" .pid)" timeout 10 tcpdump -lnni eth0 -c 1 "$2" >"$T/heard.$1" 2>"$T/td.$1" & local td=$!
    until_ok grep -q listening "$T/td.$1"
    "${@:3}"
    for _ in $(seq $([ "${FAST:-}" ] && echo 40 || echo 4)); do # an emulated guest takes its time
        kill -0 $td 2>/dev/null || break # it has heard one
        sleep 0.1
    done
    kill $td 2>/dev/null
    wait $td 2>/dev/null
    grep -q IP "$T/heard.$1"
}
ra="(icmp6 and ip6[40] == 134) or udp src port 67 or udp src port 547"
pid() { cut -d' ' -f1 "$ROOT/run/dhcp/$1/pid" 2>/dev/null; }
restarted() { [ -n "$(pid app)" ] && [ "$(pid app)" != "$1" ]; }
cat >"$T/rs.py" <<'P'
import socket, struct
src, dst = b"\0" * 16, socket.inet_pton(socket.AF_INET6, "ff02::2")
def packet(check): return struct.pack("!BBHI", 133, 0, check, 0)
t = sum(struct.unpack("!24H", src + dst + struct.pack("!II", 8, 58) + packet(0)))
t = (t & 0xffff) + (t >> 16)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind(("eth0", 0x86dd))
mac = s.getsockname()[4]
s.send(b"\x33\x33\0\0\0\2" + mac + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 8, 58, 255) + src + dst + packet(~t & 0xffff))
P
nameless() { ns d python3 "$T/rs.py"; } # who asks without an address is answered to all
hears d "$ra" nameless; ok $? "(control: what is said to all is heard by who asks)"
hears p "$ra" nameless; [ $? != 0 ]; ok $? "who does not ask hears no router and no server" "$(cat "$T/heard.p")"
is "$(ns p rdisc6 -1 -r 1 -q -w 500 eth0 2>/dev/null)" "" "... and gets no answer from the router"
is "$(tries=2 lease p)" "" "... nor a lease"
was=$(pid app) && kill -9 "$was"
until_ok restarted "$was"; ok $? "the server killed: there is another"
like "$(lease d)" "^$(addr d)/" "... which leases the same"
# ---- sealed, several links ----
status_is 0 "on two networks" zone two '[{link: app, dhcp: true}, {link: shut, dhcp: true}]'
like "$(lease two eth0)" "^$(addr two)/.* router=$gw " "the first link bears the way out"
like "$(lease two eth1)" "^$(addr two 1)/.* router= dns=" "a sealed network gives none"
until_ok six_is two "$(addr two 1 1)" eth1; ok $? "... and IPv6"
is "$(ns two ip -6 route show default dev eth1)" "" "... without a way out there either"
# ---- sealed, with a way to another network ----
zone q '[{link: shut, dhcp: true}]'
like "$(lease q)" "^$(addr q)/.* router= " "who is on a sealed network alone gets no router"
zc network set shut --reach app
six_way() { [ -n "$(ns "$1" ip -6 route show default dev "$2")" ]; }
until_ok six_way q eth0; ok $? "one that reaches another bears its way there (IPv6)" "$(ns q ip -6 route)"
like "$(lease q)" "^$(addr q)/.* router=$(zc network show shut -o json | jq -r .gateway4) " "... and IPv4"
ns q ping -c 1 -W 2 "$(addr d)" >/dev/null; ok $? "... it gets there"
until_ok ns q ping -6 -c 1 -W 1 "$(addr d 0 1)" >/dev/null; ok $? "... IPv6 too"
like "$(lease two eth1)" "^$(addr two 1)/.* router= " "who has another way keeps that one"
like "$(ns two ip -6 route get 2001:db8::1)" " dev eth0 " "... IPv6 too" "$(ns two ip -6 route show default)"
zc network set shut --reach ""
no_way() { [ -z "$(ns "$1" ip -6 route show default dev "$2")" ]; }
until_ok no_way q eth0; ok $? "closed again it bears none" "$(ns q ip -6 route)"
like "$(lease q)" "^$(addr q)/.* router= " "... IPv4 neither"
zc delete --force q >/dev/null
# ---- forged ----
cat >"$T/forge.py" <<'P'
import fcntl, os, socket, struct, sys
kind, chaddr, ip, ether, gateway = sys.argv[1], *[bytes.fromhex(a.replace(":", "")) if ":" in a else a for a in sys.argv[2:6]]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
s.bind(("eth0", 0))
def opt(n, b): return bytes([n, len(b)]) + b
typ = {"discover": 1, "request": 3, "decline": 4, "release": 7}[kind.split("-")[0]]
options = opt(53, bytes([typ])) + opt(61, b"\1" + chaddr)
if typ in (3, 4): options += opt(50, socket.inet_aton(ip))
if typ in (4, 7): options += opt(54, socket.inet_aton(gateway))
ciaddr = socket.inet_aton(ip) if typ == 7 else b"\0" * 4
boot = struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234, 0, 0x8000) + ciaddr + b"\0" * 12 + chaddr + b"\0" * 10 + b"\0" * 192 + b"\x63\x82\x53\x63" + options + b"\xff"
udp = struct.pack("!HHHH", 68, 67, 8 + len(boot), 0) + boot
def packet(payload, flags, src):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), os.getpid() & 0xffff, flags, 64, 17, 0, socket.inet_aton(src), b"\xff" * 4)
    t = sum(struct.unpack("!10H", head)); t = (t & 0xffff) + (t >> 16); t = ~((t & 0xffff) + (t >> 16)) & 0xffff
    return b"\xff" * 6 + ether + b"\x08\0" + head[:10] + struct.pack("!H", t) + head[12:] + payload
src = sys.argv[6] if len(sys.argv) > 6 else "0.0.0.0"
if "-" in kind:
    n = int(kind.split("-")[1])
    s.send(packet(udp[:n], 0x2000, src)); s.send(packet(udp[n:], n // 8, src))
else:
    s.send(packet(udp, 0, src))
s.settimeout(1)
import time
end = time.time() + 1
while time.time() < end:
    try: data = s.recv(2000)
    except OSError: break
    if data[23] == 17 and data[34:36] == b"\0\x43": print(socket.inet_ntoa(data[58:62])); break
P
zone e '[{link: app, dhcp: true}]'
dm=$(mac d) em=$(mac e) pm=$(mac p) da=$(addr d) ea=$(addr e)
forge() { ns "$1" python3 "$T/forge.py" "${@:2}"; }
is "$(forge e discover "$em" "$ea" "$em" "$gw")" "$ea" "(control: the forger's own question is answered)"
is "$(forge e discover "$dm" "$da" "$em" "$gw")" "" "a question with another's hardware address in it gets no answer"
is "$(forge e discover "$dm" "$da" "$dm" "$gw")" "" "... nor from another's MAC"
is "$(forge e discover-24 "$dm" "$da" "$em" "$gw" "$ea")" "" "... nor in fragments of which the first does not tell"
is "$(forge e discover-64 "$dm" "$da" "$em" "$gw" "$ea")" "" "... or does"
is "$(forge e discover-64 "$em" "$ea" "$em" "$gw" "$ea")" "$ea" "(control: fragments are put together)"
question() { ns e "$here/frame.py" ffffffffffff 0.0.0.0 255.255.255.255 68 67 "$@"; } # [VLAN]
hears d "udp dst port 67" question; ok $? "(control: a question is heard by all)"
hears d "vlan 9 and udp dst port 67" question 9; [ $? != 0 ]; ok $? "... but with a VLAN's tag by nobody" "$(cat "$T/heard.d")"
is "$(forge p discover "$dm" "$da" "$pm" "$gw" "$(addr p)")" "" "... nor from who does not ask"
is "$(forge p discover "$pm" "$(addr p)" "$pm" "$gw")" "" "... even for itself"
forge e decline "$dm" "$da" "$em" "$gw" >/dev/null; forge p decline "$dm" "$da" "$pm" "$gw" "$(addr p)" >/dev/null; forge e release "$dm" "$da" "$em" "$gw" >/dev/null
like "$(lease d)" "^$da/" "nobody declines or releases for another"
is "$(forge e request "$em" "$da" "$em" "$gw" | grep -x "$da")" "" "nobody is given an address that is another's"
ns e ip addr add "$da/16" dev eth0; ns e ping -c 1 -W 1 -I "$da" "$gw" >/dev/null; [ $? != 0 ]; ok $? "... nor takes it"
ns e ip addr del "$da/16" dev eth0
# ---- live ----
status_is 0 "a running zone begins to ask" zc set p 'network[0].dhcp=true'
pa=$(addr p)
like "$(lease p)" "^$pa/" "... and gets the address that it had"
until_ok six_is p "$(addr p 0 1)"; ok $? "... and IPv6"
zc set p "network[0].address=$(echo "$pa" | sed 's/\.[0-9]*$/.250/')" >/dev/null
like "$(lease p)" "^$(echo "$pa" | sed 's/\.[0-9]*$/.250/')/" "another fixed address is leased at once"
status_is 0 "it asks no more" zc set p 'network[0].dhcp=false'
like "$(ns p ip -4 -o addr show dev eth0)" "$(addr p)/" "... and has its address again"
is "$(ns p ip route show default | awk '{ print $3 }')" "$gw" "... and its gateway"
# ---- zoned away ----
was=$(pid app)
kill9_zoned
nsenter -n -t "$(pgrep -f "sup:d" | head -1)" true 2>/dev/null
kill -0 "$was"; ok $? "zoned killed: the server lives on"
start_zoned
is "$(pid app)" "$was" "... and is adopted"
like "$(lease e)" "^$ea/" "... and leases"
kill9_zoned
kill -9 "$was"
start_zoned
until_ok restarted "$was"
like "$(lease e)" "^$ea/" "both killed: both are back"
# ---- an address that changes hands ----
zc delete --force d >/dev/null
status_is 0 "a new zone with the address of one that went" zone h "[{link: app, dhcp: true, address: $da}]"
like "$(lease h)" "^$da/.* hostname=h " "... is leased it"
zc stop -t 0 h >/dev/null && zc start h >/dev/null
like "$(lease h)" "^$da/" "... and again after a restart"
# ---- refused ----
zc network create long --subnet 10.38.0.0/16 --subnet fd98::/112
status_is 7 "a fixed IPv6 address follows from the MAC" zc create x --set 'network=[{link: app, dhcp: true, address: "fd00::5"}]' --image host -- true
like "$out" "network\[0\].address.*MAC" "... says so"
status_is 7 "no network, no DHCP" zc create x --set 'network=[{link: none, dhcp: true}]' --image host -- true
status_is 7 "two links to one network" zc create x --set 'network=[{link: app, dhcp: true}, {link: app}]' --image host -- true
status_is 7 "a prefix of which no address can be made" zc create x --set 'network=[{link: long, dhcp: true}]' --image host -- true
like "$out" "/64" "... says which can"
ip link add up0 type veth peer name up1 && ip link set up0 up && ip link set up1 up && zc network create lan0 --type macvlan --parent up0
status_is 7 "a LAN has a server of its own" zc create x --set 'network=[{link: lan0, dhcp: true}]' --image host -- true
zc network delete lan0 long && ip link del up0
like "$(zc doctor -o json | jq -c '[.[] | select(.check | startswith("dnsmasq")) | .ok]')" "^\[true(,true)*\]$" "doctor: all is well"
# ---- gone ----
zc delete --force $(zc list -q) >/dev/null
zc network delete app shut
nothing_left
is "$(pgrep -f "dnsmasq.*dhcp-hostsdir.*" -a | grep -c "$ROOT")" 0 "... no server either"
finish
