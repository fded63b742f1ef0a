#!/usr/bin/env python3
"""frame.py DMAC SOURCE DESTINATION SPORT DPORT [VLAN]: one UDP datagram over eth0 in a frame made by hand, which no route of the
sender's has a say in: to 127.0.0.1 at a neighbour's MAC, for example, or with a VLAN's tag. To port 67 it is a DHCP client's question."""
import socket, struct, sys


def summed(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


dmac, src, dst, sport, dport, *vlan = sys.argv[1:]
six = ":" in src
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0x800))
says = b"\1\1\6" + bytes(25) + s.getsockname()[4] + bytes(202) + b"\x63\x82\x53\x63\x35\1\1\xff" if dport == "67" else b"xx"
udp = struct.pack("!HHHH", int(sport), int(dport), 8 + len(says), 0) + says  # without a checksum, as UDP over IPv4 may be
if six:
    ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
    udp = udp[:6] + summed(ends + struct.pack("!II", len(udp), 17) + udp) + udp[8:]
    head = struct.pack("!IHBB", 0x60000000, len(udp), 17, 64) + ends
else:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(dst))
    head = head[:10] + summed(head) + head[12:]
kind = struct.pack("!H", 0x86DD if six else 0x0800)
if vlan:
    kind = struct.pack("!HH", 0x8100, int(vlan[0])) + kind
s.send(bytes.fromhex(dmac.replace(":", "")) + s.getsockname()[4] + kind + head + udp)
