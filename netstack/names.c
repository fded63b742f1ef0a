/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and MACs that follow from instance, zone and network. Pure. The first five letters of a host link
 * follow from the instance alone: the anti-spoofing chain and net_leftovers know our links by them. */
#include "netstack/priv.h"

static void base36(uint64_t v, unsigned digits, char *out)
{
    for (unsigned i = digits; i-- > 0; v /= 36)
        out[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[v % 36];
}

/* FNV-1a alone leaves the low digits of short, similar names alike: mix the bits (murmur3's finaliser). */
static uint64_t hash_of(const char *a, const char *b, unsigned salt)
{
    char text[192];
    int n = snprintf(text, sizeof(text), "%s/%s/%u", a, b, salt);
    uint64_t h = hash64(text, (size_t)(n < (int)sizeof(text) ? n : (int)sizeof(text) - 1));
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 33;
}

void net_link_prefix(const char *instance, char out[6])
{
    memcpy(out, "vz", 2);
    base36(hash_of(instance, "links", 0), 3, out + 2);
    out[5] = '\0';
}

void net_host_ifname(const char *instance, const char *zone, unsigned start_no, unsigned link, char out[16])
{
    net_link_prefix(instance, out);
    base36(hash_of(instance, zone, 1), 7, out + 5);
    base36(start_no, 2, out + 12);
    base36(link, 1, out + 14);
    out[15] = '\0';
}

void net_bridge_name(const char *instance, const char *network, char out[16])
{
    if (!strcmp(instance, "zoned") && !strcmp(network, "default")) {
        strcpy(out, "zoned0");
        return;
    }
    memcpy(out, "zb", 2); /* "zb" and twelve digits: no word of a user's own */
    base36(hash_of(instance, network, 2), 12, out + 2);
    out[14] = '\0';
}

static void mac_from(uint64_t h, unsigned char mac[6])
{
    memcpy(mac, &h, 6);
    mac[0] = (unsigned char)((mac[0] & 0xfc) | 0x02); /* locally administered, unicast */
}

void net_mac_of(const char *instance, const char *seed, const char *network, unsigned nth,
                unsigned char mac[6])
{
    auto_free char *both = xasprintf("%s/%s", seed, network);
    mac_from(hash_of(instance, both, 16 + nth), mac);
}

void net_bridge_mac(const char *instance, const char *network, unsigned char mac[6])
{
    mac_from(hash_of(instance, network, 3), mac);
}

/* fe80::/64 with the MAC's EUI-64, as the kernel would make it, but without its DAD and its second of
 * waiting. A router needs one: the kernel solicits neighbours from it whenever a packet's own source is not
 * of that link (6.18, ndisc). */
struct net_addr net_link_local(const unsigned char mac[6])
{
    const struct net_addr net = {.family = AF_INET6, .prefix = 64, .bytes = {0xfe, 0x80}};
    return net_addr_of_mac(&net, mac);
}

struct net_addr net_addr_of_mac(const struct net_addr *subnet, const unsigned char mac[6])
{
    struct net_addr a = *subnet;
    const unsigned char id[8] = {mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    memcpy(a.bytes + 8, id, sizeof(id));
    return a;
}
