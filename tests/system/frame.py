#!/usr/bin/env python3
"""frame.py DMAC SOURCE DESTINATION SPORT DPORT: one UDP datagram over eth0 in a frame made by hand, which no route of the sender's
has a say in: to 127.0.0.1 at a neighbour's MAC, for example."""
import socket, struct, sys

dmac, src, dst, sport, dport = sys.argv[1:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0x800))
udp = struct.pack("!HHHH", int(sport), int(dport), 9, 0) + b"x"  # without a checksum, as UDP over IPv4 may be
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(dst))
total = sum(struct.unpack("!10H", head))
while total >> 16:
    total = (total & 0xFFFF) + (total >> 16)
head = head[:10] + struct.pack("!H", total ^ 0xFFFF) + head[12:]
s.send(bytes.fromhex(dmac.replace(":", "")) + s.getsockname()[4] + b"\x08\x00" + head + udp)
