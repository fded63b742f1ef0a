/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What zones ask of networks: who names one, which must be up for a spec, what a type cannot do. */
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <errno.h>

static bool uses(const struct spec *s, const char *network)
{
    for (unsigned i = 0; s && i < s->network.len; i++)
        if (str_eq(s->network.at[i].link, network))
            return true;
    return false;
}

char **network_zones(struct zd *d, const char *name)
{
    unsigned n;
    char **list = NULL;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        if (uses(all[i]->spec, name) || (all[i]->plan && uses(all[i]->plan->spec, name)))
            strv_add(&list, all[i]->name);
    return list;
}

#define USERS_NAMED 3u

char *network_users(struct zd *d, const char *name)
{
    unsigned n, users = 0;
    struct str s = {0};
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        if ((store_names(d, all[i], uses, name) || (all[i]->plan && uses(all[i]->plan->spec, name))) &&
            users++ < USERS_NAMED)
            str_addf(&s, "%s%s", s.len ? ", " : "", all[i]->name);
    if (users > USERS_NAMED)
        str_addf(&s, " and %u more", users - USERS_NAMED);
    auto_free char *list = str_take(&s);
    return users ? xasprintf("zone%s %s", users > 1 ? "s" : "", list) : NULL;
}

/* Rules that name a network would be those of the next one of that name. */
static int check_unnamed(struct zd *d, const char *name, struct err *e)
{
    char **naming = firewall_naming(d, SPEC_SIDE_NETWORK, name);
    int r = 0;
    for (char **n = naming; n && *n && r == 0; n++) {
        if (!strcmp(*n, name))
            continue;
        r = err_set(e, ERR_BUSY, EBUSY, "network %s is in use: rules of network %s name it", name, *n);
        err_hint(e, "zonectl network set %s with a --rule for each of its rules that shall stay", *n);
    }
    strv_free(naming);
    return r;
}

int network_check_unused(struct zd *d, const struct net_entry *n, struct err *e)
{
    auto_free char *zones = network_users(d, n->net.name);
    if (zones) {
        err_set(e, ERR_BUSY, EBUSY, "network %s is in use by %s", n->net.name, zones);
        return err_hint(e, "delete the zones or take the link out of their specs first");
    }
    for (unsigned i = 0; i < d->networks.len; i++)
        if (strv_has(d->networks.at[i]->spec->reach, n->net.name))
            return err_set(e, ERR_BUSY, EBUSY, "network %s is in use: network %s may reach it", n->net.name,
                           d->networks.at[i]->net.name);
    return check_unnamed(d, n->net.name, e);
}

int network_check_reach(struct zd *d, const struct spec_network *s, struct err *e)
{
    for (char **r = s->reach; r && *r; r++) {
        const struct net_entry *n = network_find(d, *r);
        if (!n)
            return err_set(e, ERR_NOT_FOUND, ENOENT, "reach: network %s does not exist", *r);
        if (spec_network_joins_lan(n->net.type))
            return err_set(e, ERR_INVALID, EINVAL, "reach: the host does not route network %s (type %s)", *r,
                           spec_network_type_name(n->net.type));
    }
    return 0;
}

static int each_network(struct zd *d, const struct spec *s,
                        int (*of)(struct zd *d, struct net_entry *n, struct err *e), struct err *e)
{
    for (unsigned i = 0; i < s->network.len; i++) {
        const char *link = s->network.at[i].link;
        if (!network_is_name(link))
            continue;
        struct net_entry *n = network_get(d, link, e);
        int r = n ? of(d, n, e) : -ENOENT;
        if (r < 0)
            return r;
    }
    return 0;
}

int networks_needed(struct zd *d, const struct spec *s, struct err *e)
{
    return each_network(d, s, network_ensure_up, e);
}

static int has_parent(struct zd *d, struct net_entry *n, struct err *e)
{
    unsigned less;
    int r = net_network_attach(d->net, &n->net, e);
    return r < 0 ? r : net_network_check_mtu(d->net, &n->net, &less, e);
}

int networks_there(struct zd *d, const struct spec *s, struct err *e)
{
    return each_network(d, s, has_parent, e);
}

bool network_is_name(const char *link)
{
    return link && strcmp(link, "none") && strcmp(link, "host") && !str_starts(link, "zone:");
}

/* Who asks needs somebody who answers. */
static void check_dhcp(struct zd *d, const struct net_entry *n, unsigned link, struct problems *ps)
{
    auto_free char *key = xasprintf("network[%u].dhcp", link);
    if (spec_network_joins_lan(n->net.type))
        problem_add(
            ps, ERR_INVALID, NULL, 0, key,
            "network %s is %s: its LAN's own servers answer (without an address there a zone asks them)",
            n->net.name, spec_network_type_name(n->net.type));
    else if (n->net.subnet6.family && n->net.subnet6.prefix != 64)
        problem_add(
            ps, ERR_INVALID, NULL, 0, key,
            "the IPv6 subnet of network %s is a /%u: routers advertise a /64, no other makes an address",
            n->net.name, n->net.subnet6.prefix);
    else if (!names_there(d))
        problem_add(ps, ERR_UNSUPPORTED, NULL, 0, key, "dnsmasq is not there (package dnsmasq-base)");
}

static void add(struct problems *ps, const struct err *e, const char *key)
{
    problem_add(ps, e->kind, NULL, 0, key, "%s", e->text);
    if (e->hint[0])
        problem_hint(ps, "%s", e->hint);
}

/* Who has it is the leases' to say. */
static void check_addresses(const struct net_entry *n, const struct spec_link *l, unsigned link,
                            struct problems *ps)
{
    auto_free char *key = xasprintf("network[%u].address", link);
    for (char **a = l->address; a && *a; a++) {
        struct err e = {0};
        struct net_addr addr;
        if (net_addr_parse(*a, &addr) == 0 && net_pool_fits(n->pool, &addr, &e) < 0)
            add(ps, &e, key);
    }
}

/* What a network's type cannot do is refused, never ignored. */
void networks_check(struct zd *d, const struct spec *s, struct problems *ps)
{
    for (unsigned i = 0; i < s->network.len; i++) {
        const struct spec_link *l = &s->network.at[i];
        struct err e = {0};
        const struct net_entry *n = network_is_name(l->link) ? network_get(d, l->link, &e) : NULL;
        auto_free char *link = xasprintf("network[%u].link", i);
        auto_free char *ports = xasprintf("network[%u].ports", i),
                       *rates = xasprintf("network[%u].rate_in", i);
        if (err_is(&e))
            add(ps, &e, link);
        if (!n)
            continue;
        check_addresses(n, l, i, ps);
        const char *type = spec_network_type_name(n->net.type);
        if (l->dhcp)
            check_dhcp(d, n, i, ps);
        if (l->ports.len && n->net.type != SPEC_NET_NAT && n->net.type != SPEC_NET_ROUTED)
            problem_add(ps, ERR_INVALID, NULL, 0, ports,
                        "network %s is %s: the host publishes nothing of it (nat and routed do)", l->link,
                        type);
        if ((l->rate_in != SPEC_UNSET || l->rate_out != SPEC_UNSET) && n->net.type == SPEC_NET_MACVLAN)
            problem_add(ps, ERR_UNSUPPORTED, NULL, 0, rates,
                        "network %s is macvlan: the host has no end of the link to hold a rate (a bridge "
                        "network has)",
                        l->link);
    }
}

bool zone_is_on(const struct zone *z, const char *network)
{
    return z && uses(z->plan ? z->plan->spec : z->spec, network);
}
