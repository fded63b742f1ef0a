/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's published ports and source addresses as elements of our maps and sets. Pure: what it makes, elem.c
 * sends. The layout of the keys follows the types of the sets in table.c: each part padded to four bytes. */
#include "netstack/priv.h"
#include <arpa/inet.h>
#include <linux/netfilter.h>

#define SPAN_MIN 65u /* longer ranges with equal numbers are one interval */

static void key_part(struct net_elem *x, const void *data, unsigned n)
{
    memcpy(x->key + x->key_len, data, n);
    memcpy(x->end + x->key_len, data, n);
    x->key_len = (unsigned char)(x->key_len + (n + 3) / 4 * 4);
}

static void data_part(struct net_elem *x, const void *data, unsigned n)
{
    memcpy(x->data + x->data_len, data, n);
    x->data_len = (unsigned char)(x->data_len + (n + 3) / 4 * 4);
}

static void port_elem(net_elems *v, const struct net_addr *host, enum spec_proto proto, unsigned port,
                      const struct net_addr *to, unsigned zone_port)
{
    struct net_elem *x = vec_add(v);
    bool six = to->family == AF_INET6;
    unsigned char l4 = (unsigned char)proto;
    uint16_t from = htons((uint16_t)port), dest = htons((uint16_t)zone_port);
    x->family = NFPROTO_INET;
    x->set = host ? (six ? "one6" : "one4") : (six ? "any6" : "any4");
    if (host)
        key_part(x, host->bytes, (unsigned)net_addr_len(host));
    key_part(x, &l4, 1);
    key_part(x, &from, 2);
    data_part(x, to->bytes, (unsigned)net_addr_len(to));
    data_part(x, &dest, 2);
}

/* Both ends of the last part of the key; the data is the address alone. */
static void span_elem(net_elems *v, const struct net_addr *host, const struct spec_port *p,
                      const struct net_addr *to)
{
    struct net_elem *x = vec_add(v);
    bool six = to->family == AF_INET6;
    unsigned char l4 = (unsigned char)p->proto;
    uint16_t first = htons(p->host_first), last = htons(p->host_last);
    x->family = NFPROTO_INET;
    x->interval = true;
    x->set = host ? (six ? "onespan6" : "onespan4") : (six ? "span6" : "span4");
    if (host)
        key_part(x, host->bytes, (unsigned)net_addr_len(host));
    key_part(x, &l4, 1);
    key_part(x, &first, 2);
    memcpy(x->end + x->key_len - 4, &last, 2);
    data_part(x, to->bytes, (unsigned)net_addr_len(to));
}

static void rule_elems(net_elems *v, const struct net_port_rule *r, const struct net_addr *to)
{
    struct net_addr host = {0};
    bool given = r->port.host_ip && net_addr_parse(r->port.host_ip, &host) == 0;
    if (!to->family || (given && host.family != to->family))
        return;
    struct net_addr zero = {.family = host.family};
    bool all = !given || net_addr_eq(&host, &zero); /* 0.0.0.0, :: */
    if (r->port.host_first == r->port.zone_first &&
        r->port.host_last - r->port.host_first >= (int)SPAN_MIN - 1) {
        span_elem(v, all ? NULL : &host, &r->port, to);
        return;
    }
    for (unsigned i = 0; i <= (unsigned)(r->port.host_last - r->port.host_first); i++)
        port_elem(v, all ? NULL : &host, r->port.proto, r->port.host_first + i, to, r->port.zone_first + i);
}

/* Elements of one set stand together: a run becomes one message. */
void net_elems_of_ports(net_elems *v, const struct net_link_plan *l)
{
    for (unsigned i = 0; i < l->ports.len; i++)
        rule_elems(v, &l->ports.at[i], &l->ports.at[i].to4);
    for (unsigned i = 0; i < l->ports.len; i++)
        rule_elems(v, &l->ports.at[i], &l->ports.at[i].to6);
}

static struct net_elem *source_elem(net_elems *v, const char *set, const struct net_link_plan *l, bool mac,
                                    const struct net_addr *a)
{
    char name[16] = "";
    struct net_elem *x = vec_add(v);
    x->family = NFPROTO_BRIDGE;
    x->set = set;
    memcpy(name, l->host_ifname, strnlen(l->host_ifname, sizeof(name)));
    key_part(x, name, sizeof(name));
    if (mac)
        key_part(x, l->mac, 6);
    if (a)
        key_part(x, a->bytes, (unsigned)net_addr_len(a));
    return x;
}

static void known_elem(net_elems *v, const char *set, const struct net_addr *a)
{
    struct net_elem *x = vec_add(v);
    x->family = NFPROTO_BRIDGE;
    x->set = set;
    key_part(x, a->bytes, (unsigned)net_addr_len(a));
}

void net_elems_of_source(net_elems *v, const struct net_link_plan *l)
{
    if (!net_has_pair(l))
        return;
    struct net_elem *self = source_elem(v, "self", l, false, NULL);
    key_part(self, self->key, 16);
    if (l->network.type == SPEC_NET_BRIDGE && !l->addr4.family && !l->addr6.family)
        source_elem(v, "free", l, false, NULL);
    if (l->trusted)
        source_elem(v, "trusted", l, false, NULL);
    if (l->dhcp || !net_routed_by_us(&l->network)) { /* a LAN's servers are not ours to silence */
        source_elem(v, "hear", l, false, NULL);
        source_elem(v, "asks", l, true, NULL);
    }
    source_elem(v, "macs", l, true, NULL);
    if (l->addr4.family)
        source_elem(v, "src4", l, true, &l->addr4);
    if (!l->addr6.family)
        return;
    struct net_addr local = net_link_local(l->mac);
    source_elem(v, "src6", l, true, &l->addr6);
    source_elem(v, "src6", l, true, &local);
    source_elem(v, "own6", l, false, &l->addr6);
    source_elem(v, "own6", l, false, &local);
    known_elem(v, "known6", &local);
    known_elem(v, "target6", &local);
}

static void pair_elem(net_elems *v, const struct net_addr *from, const struct net_addr *to)
{
    if (!from->family || from->family != to->family)
        return;
    struct net_elem *x = vec_add(v);
    x->family = NFPROTO_INET;
    x->set = from->family == AF_INET6 ? "self6" : "self4";
    key_part(x, from->bytes, (unsigned)net_addr_len(from));
    key_part(x, to->bytes, (unsigned)net_addr_len(to));
}

/* On LANs of others two zones may have the same addresses. */
static bool pair(const struct net_link_plan *from, const struct net_link_plan *to)
{
    return to->ports.len && net_routed_by_us(&from->network) && net_routed_by_us(&to->network);
}

void net_elems_of_self(net_elems *v, const struct net_link_plan *links, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < n; k++)
            if (i != k && pair(&links[i], &links[k]))
                pair_elem(v, &links[i].addr4, &links[k].addr4);
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < n; k++)
            if (i != k && pair(&links[i], &links[k]))
                pair_elem(v, &links[i].addr6, &links[k].addr6);
}

const struct net_elem *net_elems_find(const net_elems *v, const struct net_elem *x)
{
    for (unsigned i = 0; i < v->len; i++)
        if (!strcmp(v->at[i].set, x->set) && !memcmp(v->at[i].key, x->key, sizeof(x->key)))
            return &v->at[i];
    return NULL;
}

void net_elem_describe(const struct net_elem *x, char *buf, size_t size)
{
    char addr[INET6_ADDRSTRLEN] = "";
    unsigned at = 0;
    uint16_t port;
    if (str_starts(x->set, "one")) {
        bool six = str_ends(x->set, "6");
        inet_ntop(six ? AF_INET6 : AF_INET, x->key, addr, sizeof(addr));
        at = six ? 16 : 4;
    }
    memcpy(&port, x->key + at + 4, 2);
    snprintf(buf, size, "port %s%s%u/%s", addr, *addr ? ":" : "", ntohs(port),
             spec_proto_name((enum spec_proto)x->key[at]));
}
