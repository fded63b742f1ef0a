/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which zone publishes which host port. Looked up by port and kept by zone, so that neither start nor stop pays for the
 * ports of others. */
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <errno.h>

#define ASKED_EACH                                                                                           \
    64u /* as many as a zone's supervisor holds: a range of more is looked up in the kernel's tables first */

struct port_claim {
    struct port_claim *next, *of_zone; /* in the bucket; of the same zone */
    struct zone *zone;
    enum spec_proto proto;
    uint16_t port;
    char *host_ip;
};

static struct port_claim **bucket(struct zd *d, uint16_t port)
{
    return &d->ports[port % 1024];
}

static bool overlap(const struct port_claim *c, const struct spec_port *p, uint16_t port)
{
    return c->port == port && c->proto == p->proto && spec_host_ips_meet(c->host_ip, p->host_ip);
}

static const struct port_claim *taken(struct zd *d, const struct spec_port *p, uint16_t port,
                                      const struct zone *z)
{
    for (const struct port_claim *c = *bucket(d, port); c; c = c->next)
        if (c->zone != z && overlap(c, p, port))
            return c;
    return NULL;
}

/* Published by this zone already, on the same address: its supervisor holds it. z NULL: by whichever. */
static bool held(struct zd *d, const struct spec_port *p, uint16_t port, const struct zone *z)
{
    for (const struct port_claim *c = *bucket(d, port); c; c = c->next)
        if (overlap(c, p, port) && (!z || (c->zone == z && (!c->host_ip || str_eq(c->host_ip, p->host_ip)))))
            return true;
    return false;
}

static void add(struct zd *d, struct zone *z, const struct spec_port *p)
{
    for (unsigned port = p->host_first; port <= p->host_last; port++) {
        struct port_claim **b = bucket(d, (uint16_t)port), *c = xcalloc(1, sizeof(*c));
        *c = (struct port_claim){*b, z->claims, z, p->proto, (uint16_t)port, xstrdup(p->host_ip)};
        *b = z->claims = c;
    }
}

/* A program of the host on one of the ports that are new. */
static void check_host(struct zd *d, const struct zone *z, const struct spec_port *p, const char *key,
                       struct problems *ps)
{
    unsigned char used[NET_PORTS_BYTES];
    bool wide = p->host_last - p->host_first >= (int)ASKED_EACH;
    if (wide)
        net_ports_used(p->proto, used);
    for (unsigned port = p->host_first; port <= p->host_last; port++) {
        struct spec_port one = *p;
        struct err e = {0};
        if (wide && !(used[port / 8] >> port % 8 & 1))
            continue;
        one.host_first = one.host_last = (uint16_t)port;
        if (held(d, p, (uint16_t)port, z) || net_port_check(&one, &e) == 0)
            continue;
        problem_add(ps, e.kind, NULL, 0, key, "%s", e.text);
        if (e.hint[0])
            problem_hint(ps, "%s", e.hint);
        return;
    }
}

/* A conflict with another zone, or with a program of the host. */
static void check(struct zd *d, const struct zone *z, const struct spec_port *p, unsigned link, bool ask_host,
                  struct problems *ps)
{
    auto_free char *key = xasprintf("network[%u].ports", link);
    for (unsigned port = p->host_first; port <= p->host_last; port++) {
        const struct port_claim *c = taken(d, p, (uint16_t)port, z);
        if (!c)
            continue;
        problem_add(ps, ERR_CONFLICT, NULL, 0, key, "host port %u/%s is published by zone %s", port,
                    spec_proto_name(p->proto), c->zone->name);
        return;
    }
    if (ask_host)
        check_host(d, z, p, key, ps);
}

int ports_find_free(struct zd *d, enum spec_proto proto, uint16_t first, uint16_t last, uint16_t *out,
                    struct err *e)
{
    for (unsigned port = first; port <= last; port++) {
        struct spec_port p = {.host_first = (uint16_t)port, .host_last = (uint16_t)port, .proto = proto};
        if (taken(d, &p, (uint16_t)port, NULL) || net_port_check(&p, NULL) < 0)
            continue;
        *out = (uint16_t)port;
        return 0;
    }
    err_set(e, ERR_LIMIT, EADDRNOTAVAIL, "no port of the host from %u to %u is free", first, last);
    return err_hint(
        e, "say which port: host port and zone port, as in 8080:80; zonectl list shows those that are given");
}

int ports_check(struct zd *d, const struct zone *z, const struct spec *s, bool ask_host, struct problems *ps)
{
    unsigned before = ps->len;
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++)
            check(d, z, &s->network.at[i].ports.at[k], i, ask_host, ps);
    return ps->len > before ? -EADDRINUSE : 0;
}

int ports_claim(struct zd *d, struct zone *z, const struct spec *s, bool ask_host, struct problems *ps)
{
    int r = ports_check(d, z, s, ask_host, ps);
    if (r < 0)
        return r;
    ports_release(d, z);
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++)
            add(d, z, &s->network.at[i].ports.at[k]);
    return 0;
}

void ports_check_host(struct zd *d, const struct spec *s, struct problems *ps)
{
    for (unsigned i = 0; i < s->network.len; i++) {
        auto_free char *key = xasprintf("network[%u].ports", i);
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++)
            check_host(d, NULL, &s->network.at[i].ports.at[k], key, ps);
    }
}

static void unlink_claim(struct zd *d, const struct port_claim *c)
{
    struct port_claim **p = bucket(d, c->port);
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
}

void ports_release(struct zd *d, struct zone *z)
{
    while (z->claims) {
        struct port_claim *c = z->claims;
        z->claims = c->of_zone;
        unlink_claim(d, c);
        free(c->host_ip);
        free(c);
    }
}
