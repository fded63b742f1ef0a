/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which zone publishes which host port. Looked up by port, so the cost of a start does not grow with the
 * zones. */
#include "base/str.h"
#include "zoned/zoned.h"
#include <errno.h>

struct port_claim {
    struct port_claim *next;
    struct zone *zone;
    uint16_t port;
    char *host_ip;
};

static struct port_claim **bucket(struct zd *d, enum spec_proto proto, uint16_t port)
{
    return &d->ports[proto == SPEC_UDP][port % 1024];
}

static const struct port_claim *taken(struct zd *d, const struct spec_port *p, uint16_t port,
                                      const struct zone *z)
{
    for (const struct port_claim *c = *bucket(d, p->proto, port); c; c = c->next)
        if (c->port == port && c->zone != z &&
            (!c->host_ip || !p->host_ip || !strcmp(c->host_ip, p->host_ip)))
            return c;
    return NULL;
}

static void add(struct zd *d, struct zone *z, const struct spec_port *p)
{
    for (unsigned port = p->host_first; port <= p->host_last; port++) {
        struct port_claim **b = bucket(d, p->proto, (uint16_t)port), *c = xcalloc(1, sizeof(*c));
        *c = (struct port_claim){*b, z, (uint16_t)port, xstrdup(p->host_ip)};
        *b = c;
    }
}

/* A conflict with another zone, or with a program of the host. */
static void check(struct zd *d, struct zone *z, const struct spec_port *p, unsigned link, bool ask_host,
                  struct problems *ps)
{
    auto_free char *key = xasprintf("network[%u].ports", link);
    for (unsigned port = p->host_first; port <= p->host_last; port++) {
        const struct port_claim *c = taken(d, p, (uint16_t)port, z);
        if (!c)
            continue;
        problem_add(ps, ERR_CONFLICT, NULL, 0, key, "host port %u/%s is published by zone %s", port,
                    p->proto == SPEC_UDP ? "udp" : "tcp", c->zone->name);
        return;
    }
    struct err e = {0};
    if (ask_host && net_port_check(p, &e) < 0)
        problem_add(ps, e.kind, NULL, 0, key, "%s", e.text);
}

int ports_claim(struct zd *d, struct zone *z, const struct spec *s, bool ask_host, struct problems *ps)
{
    unsigned before = ps->len;
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++)
            check(d, z, &s->network.at[i].ports.at[k], i, ask_host, ps);
    if (ps->len > before)
        return -EADDRINUSE;
    ports_release(d, z);
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++)
            add(d, z, &s->network.at[i].ports.at[k]);
    z->links_claimed = true;
    return 0;
}

void ports_release(struct zd *d, struct zone *z)
{
    if (!z->links_claimed)
        return;
    for (unsigned t = 0; t < 2; t++)
        for (unsigned b = 0; b < 1024; b++)
            for (struct port_claim **p = &d->ports[t][b]; *p;) {
                struct port_claim *c = *p;
                if (c->zone != z) {
                    p = &c->next;
                    continue;
                }
                *p = c->next;
                free(c->host_ip);
                free(c);
            }
    z->links_claimed = false;
}
