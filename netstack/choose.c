/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chooses the subnets of a new network: pure, from names and from a list of what is taken. The same names
 * give the same answer wherever that is free; a /16 that overlaps anything the host routes or bears is passed
 * over. */
#include "netstack/priv.h"
#include <errno.h>

static uint64_t mix(const char *a, const char *b, const char *salt)
{
    auto_free char *text = xasprintf("%s\n%s\n%s", a, b, salt);
    uint64_t h = hash64(text, strlen(text));
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 33;
}

static bool overlap(const struct net_addr *a, const struct net_addr *b)
{
    return net_addr_in(a, b) || net_addr_in(b, a);
}

static bool overlaps(const struct net_addr *a, const struct net_addr *taken, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (overlap(a, &taken[i]))
            return true;
    return false;
}

const struct net_taken *net_taken_find(const net_taken_list *v, const struct net_addr *subnet)
{
    for (unsigned i = 0; i < v->len; i++)
        if (overlap(subnet, &v->at[i].addr))
            return &v->at[i];
    return NULL;
}

/* Order of trial: 10.64–10.255 from a place given by the names, then 10.0–10.63, 172.16–31, 192.168. The low
 * part of 10/8 and 192.168 are what offices and homes use, also where no route tells of it. */
static struct net_addr candidate(unsigned i, unsigned start)
{
    struct net_addr a = {.family = AF_INET, .prefix = 16, .bytes = {10}};
    if (i < 192) {
        a.bytes[1] = (unsigned char)(64 + (start + i) % 192);
    } else if (i < 256) {
        a.bytes[1] = (unsigned char)(i - 192);
    } else if (i < 272) {
        a.bytes[0] = 172;
        a.bytes[1] = (unsigned char)(16 + i - 256);
    } else {
        a.bytes[0] = 192;
        a.bytes[1] = 168;
    }
    return a;
}

void net_gateway_first(const struct net_addr *subnet, struct net_addr *gateway)
{
    *gateway = *subnet;
    gateway->bytes[net_addr_len(subnet) - 1] |= 1;
}

int net_choose_free(const char *instance, const char *name, const char *machine_id,
                    const struct net_addr *taken, unsigned ntaken, struct net_network *out, struct err *e)
{
    struct net_network n = {0};
    snprintf(n.name, sizeof(n.name), "%s", name);
    net_bridge_name(instance, name, n.bridge);
    net_bridge_mac(instance, name, n.mac);
    unsigned start = (unsigned)(mix(instance, name, "subnet4") % 192), i = 0;
    for (; i < 273; i++) {
        n.subnet4 = candidate(i, start);
        if (!overlaps(&n.subnet4, taken, ntaken))
            break;
    }
    if (i == 273)
        return err_set(e, ERR_LIMIT, ENOSPC, "network %s: every private /16 overlaps a route of this host",
                       name),
               err_hint(e, "give it a subnet of your own: zonectl network create %s --subnet …", name);
    uint64_t global = mix(machine_id, instance, "ula"), site = mix(instance, name, "subnet6");
    n.subnet6 = (struct net_addr){.family = AF_INET6, .prefix = 64, .bytes = {0xfd}};
    memcpy(n.subnet6.bytes + 1, &global, 5);
    for (i = 0; i < 65536; i++, site++) {
        n.subnet6.bytes[6] = (unsigned char)(site >> 8);
        n.subnet6.bytes[7] = (unsigned char)site;
        if (!overlaps(&n.subnet6, taken, ntaken))
            break;
    }
    net_gateway_first(&n.subnet4, &n.gateway4);
    net_gateway_first(&n.subnet6, &n.gateway6);
    *out = n;
    return 0;
}
