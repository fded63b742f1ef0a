/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which running zone answers to which name on which network: a name is one zone's. Looked up by name and kept by zone, like
 * ports. Names are compared as a resolver does: without regard to case, short or with our domain. */
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <ctype.h>
#include <errno.h>

struct alias_claim {
    struct alias_claim *next, *of_zone; /* in the bucket; of the same zone */
    struct zone *zone;
    char network[SPEC_NAME_MAX + 1];
    char *name; /* lower case, without our domain */
};

static char *plain(const char *name)
{
    char *s = xstrdup(name);
    if (str_ends(s, "." NET_DOMAIN))
        s[strlen(s) - strlen("." NET_DOMAIN)] = '\0';
    for (char *p = s; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return s;
}

static struct alias_claim **bucket(struct zd *d, const char *name)
{
    return &d->aliases[hash64(name, strlen(name)) % ARRAY_LEN(d->aliases)];
}

static const struct alias_claim *taken(struct zd *d, const char *network, const char *name,
                                       const struct zone *z)
{
    for (const struct alias_claim *c = *bucket(d, name); c; c = c->next)
        if (c->zone != z && !strcmp(c->network, network) && !strcmp(c->name, name))
            return c;
    return NULL;
}

static void check(struct zd *d, const struct zone *z, const struct spec_link *l, unsigned i, const char *name,
                  struct problems *ps)
{
    auto_free char *key = xasprintf("network[%u].aliases", i), *n = plain(name);
    const struct alias_claim *c = taken(d, l->link, n, z);
    if (!c)
        return;
    bool of_zone = !strcmp(c->name, c->zone->name);
    problem_add(ps, ERR_CONFLICT, NULL, 0, key,
                "%s is %s zone %s on network %s already (a name is one zone's)", name,
                of_zone ? "the name of" : "an alias of", c->zone->name, l->link);
}

static void add(struct zd *d, struct zone *z, const char *network, const char *name)
{
    char *n = plain(name);
    struct alias_claim **b = bucket(d, n), *c = xcalloc(1, sizeof(*c));
    *c = (struct alias_claim){.next = *b, .of_zone = z->aliases, .zone = z, .name = n};
    snprintf(c->network, sizeof(c->network), "%s", network);
    *b = z->aliases = c;
}

int aliases_check(struct zd *d, const struct zone *z, const struct spec *s, struct problems *ps)
{
    unsigned before = ps->len;
    for (unsigned i = 0; i < s->network.len; i++) {
        const struct spec_link *l = &s->network.at[i];
        if (!network_is_name(l->link))
            continue;
        check(d, z, l, i, z->name, ps);
        for (char **a = l->aliases; a && *a; a++)
            check(d, z, l, i, *a, ps);
    }
    return ps->len > before ? -EEXIST : 0;
}

int aliases_claim(struct zd *d, struct zone *z, const struct spec *s, struct problems *ps)
{
    int r = aliases_check(d, z, s, ps);
    if (r < 0)
        return r;
    aliases_release(d, z);
    for (unsigned i = 0; i < s->network.len; i++) {
        const struct spec_link *l = &s->network.at[i];
        if (!network_is_name(l->link))
            continue;
        add(d, z, l->link, z->name);
        for (char **a = l->aliases; a && *a; a++)
            add(d, z, l->link, *a);
    }
    return 0;
}

void aliases_release(struct zd *d, struct zone *z)
{
    while (z->aliases) {
        struct alias_claim *c = z->aliases, **p = bucket(d, c->name);
        z->aliases = c->of_zone;
        while (*p != c)
            p = &(*p)->next;
        *p = c->next;
        free(c->name);
        free(c);
    }
}
