/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says which rule decides whether somebody reaches a zone's port, in the order in which the tables decide it (netstack's
 * table.c and rules.c). Reads what is configured and running; changes nothing. */
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct question {
    struct zd *d;
    struct zone *to, *from;  /* from NULL: an address, or the host's LAN */
    struct net_addr address; /* given: of a zone too, which is from then; family 0: not given */
    bool host;               /* the address is this host's own */
    enum spec_rule_proto proto;
    unsigned port;
    const char *proto_text, *from_text; /* as asked: "/udp", a zone or an address; or "", NULL */
};
struct answer {
    bool decided, allowed;
    char *rule, *why;
};

static void decide(struct answer *a, bool allowed, char *rule, char *why)
{
    *a = (struct answer){true, allowed, rule, why};
}

static bool has_label(const struct zone *z, const char *label)
{
    const struct spec *s = z && z->plan ? z->plan->spec : z ? z->spec : NULL;
    for (unsigned i = 0; s && i < s->labels.len; i++) {
        auto_free char *is = xasprintf("%s=%s", s->labels.at[i].key, s->labels.at[i].value);
        if (!strcmp(is, label))
            return true;
    }
    return false;
}

/* Whose network the zone has: its own, or that of the zone whose it shares. */
static struct zone *on_network_of(struct zd *d, struct zone *z)
{
    for (unsigned hops = 0; hops < 16; hops++) {
        const struct spec *s = z->plan ? z->plan->spec : z->spec;
        const char *link = s && s->network.len ? s->network.at[0].link : NULL;
        struct zone *next = link && str_starts(link, "zone:") ? registry_find(d, link + 5) : NULL;
        if (!next)
            break;
        z = next;
    }
    return z;
}

/* The address that is given, else those of the zone's leases, which it has from its creation. */
static bool within(const struct zone *z, const struct net_addr *given, const char *subnet)
{
    struct net_addr net;
    if (net_addr_parse(subnet, &net) < 0)
        return false;
    if (given->family || !z)
        return given->family && net_addr_in(given, &net);
    for (unsigned i = 0; i < z->lease.nlinks; i++)
        if (net_addr_in(&z->lease.links[i].addr4, &net) || net_addr_in(&z->lease.links[i].addr6, &net))
            return true;
    return false;
}

static bool side_is(const struct spec_rule_side *s, const struct zone *z, const struct net_addr *a)
{
    switch (s->kind) {
    case SPEC_SIDE_ANY:
        return true;
    case SPEC_SIDE_LABEL:
        return has_label(z, s->name);
    case SPEC_SIDE_ZONE:
        return z && !strcmp(z->name, s->name);
    case SPEC_SIDE_NETWORK:
        return zone_is_on(z, s->name);
    default:
        return within(z, a, s->name);
    }
}

static bool serves(const struct spec_rule *r, const struct question *q)
{
    return r->proto == SPEC_RULE_ANY ||
           (r->proto == q->proto && (!r->first || (q->port >= r->first && q->port <= r->last)));
}

/* The first rule of the network that fits. */
static void by_rules(const struct question *q, const struct net_entry *n, struct answer *a)
{
    static const struct net_addr none;
    unsigned count;
    auto_free struct spec_rule *rules = firewall_rules(n->spec, &count);
    for (unsigned i = 0; i < count && !a->decided; i++)
        if (side_is(&rules[i].from, q->from, &q->address) && side_is(&rules[i].to, q->to, &none) &&
            serves(&rules[i], q))
            decide(a, rules[i].allow, xstrdup(n->spec->rules[i]),
                   xasprintf("rule %u of network %s", i + 1, n->net.name));
}

/* 0.0.0.0 is all of IPv4, :: of IPv6, and no address is both. */
static bool of_family(const struct question *q, const struct spec_port *p)
{
    struct net_addr at;
    return !q->address.family || !p->host_ip || net_addr_parse(p->host_ip, &at) < 0 ||
           at.family == q->address.family;
}

static bool is_proto(const struct question *q, const struct spec_port *p)
{
    return (p->proto == SPEC_TCP && q->proto == SPEC_RULE_TCP) ||
           (p->proto == SPEC_UDP && q->proto == SPEC_RULE_UDP) ||
           (p->proto == SPEC_SCTP && q->proto == SPEC_RULE_SCTP);
}

static bool is_local(const struct spec_port *p)
{
    return p->host_ip && str_starts(p->host_ip, "127.");
}

static const struct spec_port *published(const struct question *q, const struct spec_link *l)
{
    for (unsigned i = 0; i < l->ports.len; i++) {
        const struct spec_port *p = &l->ports.at[i];
        unsigned last = p->zone_first + (p->host_last - p->host_first);
        if (is_proto(q, p) && q->port >= p->zone_first && q->port <= last && of_family(q, p))
            return p;
    }
    return NULL;
}

/* The zone's other port that who asks reaches by the host's of that number; 0: none. */
static unsigned behind(const struct question *q, const struct spec_link *l)
{
    for (unsigned i = 0; i < l->ports.len; i++) {
        const struct spec_port *p = &l->ports.at[i];
        unsigned port = p->zone_first + (q->port - p->host_first);
        if (is_proto(q, p) && q->port >= p->host_first && q->port <= p->host_last && port != q->port &&
            of_family(q, p) && !(is_local(p) && q->from))
            return port;
    }
    return 0;
}

static bool reaches(const struct question *q, const struct net_entry *n)
{
    for (unsigned i = 0; i < q->d->networks.len; i++) {
        const struct net_entry *other = q->d->networks.at[i];
        if (zone_is_on(q->from, other->net.name) && strv_has(other->spec->reach, n->net.name))
            return true;
    }
    return false;
}

static bool only_sealed(const struct question *q)
{
    bool some = false;
    for (unsigned i = 0; i < q->d->networks.len; i++)
        if (zone_is_on(q->from, q->d->networks.at[i]->net.name)) {
            some = true;
            if (q->d->networks.at[i]->net.type != SPEC_NET_SEALED)
                return false;
        }
    return some;
}

static void by_port(const struct question *q, const struct spec_link *l, struct answer *a)
{
    const struct spec_port *p = published(q, l);
    bool local = p && is_local(p);
    if (!p || (local && zone_is_on(q->from, l->link))) /* whom the network's policy tells more */
        return;
    bool six = p->host_ip && strchr(p->host_ip, ':');
    auto_free char *at = xasprintf("%s%s%s%s%u", six ? "[" : "", p->host_ip ? p->host_ip : "", six ? "]" : "",
                                   p->host_ip ? ":" : "", p->host_first + q->port - p->zone_first);
    if (local)
        decide(a, false, NULL, xasprintf("published on %s, for this host alone", at));
    else if (q->from && only_sealed(q))
        decide(a, false, NULL,
               xasprintf("published on the host's port %s, which a zone of a sealed network does not reach",
                         at));
    else
        decide(a, true, NULL, xasprintf("published: through the host's port %s (from everywhere)", at));
}

/* Through one link of the zone. */
static void through(const struct question *q, const struct spec_link *l, struct answer *a)
{
    const struct net_entry *n = network_find(q->d, l->link);
    if (!n)
        return;
    if (spec_network_joins_lan(n->net.type)) {
        decide(a, true, NULL, xasprintf("network %s is a LAN: the LAN decides", n->net.name));
        return;
    }
    if (q->host || q->from == q->to) {
        decide(a, true, NULL,
               q->host ? xstrdup("this host itself: rules judge what it forwards")
                       : xasprintf("both are on the network of zone %s: nothing lies between", q->to->name));
        return;
    }
    bool same = zone_is_on(q->from, n->net.name);
    by_rules(q, n, a);
    if (!a->decided && same && n->spec->deny)
        by_port(q, l, a);
    if (!a->decided && same)
        decide(a, !n->spec->deny, NULL,
               xasprintf("no rule fits: the policy of network %s is %s", n->net.name,
                         n->spec->deny ? "deny" : "allow (zones of one network reach each other)"));
    if (!a->allowed && q->from && !same && !a->decided && reaches(q, n))
        decide(a, true, NULL,
               xasprintf("a network of zone %s may reach network %s (--reach)", q->from->name, n->net.name));
    if (!a->decided)
        by_port(q, l, a);
    unsigned port = a->decided ? 0 : behind(q, l);
    if (port)
        decide(
            a, false, NULL,
            xasprintf("%u is a port of the host: behind it is the zone's port %u (zonectl network explain %s "
                      "%u%s%s%s says who reaches it)",
                      q->port, port, q->to->name, port, q->proto_text, q->from_text ? " " : "",
                      q->from_text ? q->from_text : ""));
    if (!a->decided)
        decide(a, false, NULL,
               xasprintf(
                   q->from ? "no network in common: networks are closed to each other (no rule, no --reach, "
                             "port not published) on network %s"
                           : "not published on network %s: what comes from outside passes only to published "
                             "ports",
                   n->net.name));
}

static int read_port(const char *text, struct question *q, struct err *e)
{
    uint64_t port;
    size_t n = text ? strcspn(text, "/") : 0;
    auto_free char *number = xstrndup(text ? text : "", n);
    const char *proto = text && text[n] ? text + n + 1 : "tcp";
    q->proto = !strcmp(proto, "tcp")    ? SPEC_RULE_TCP
               : !strcmp(proto, "udp")  ? SPEC_RULE_UDP
               : !strcmp(proto, "sctp") ? SPEC_RULE_SCTP
                                        : SPEC_RULE_ANY;
    if (q->proto == SPEC_RULE_ANY || parse_u64(number, 65535, &port) < 0 || !port)
        return err_set(e, ERR_INVALID, EINVAL, "port \"%.40s\": wanted is a zone's port like 5432 or 53/udp",
                       text ? text : "");
    q->port = (unsigned)port;
    q->proto_text = text + n;
    return 0;
}

static bool has_address(const struct zone *z, const struct net_addr *a)
{
    for (unsigned i = 0; i < z->lease.nlinks; i++)
        if (net_addr_eq(&z->lease.links[i].addr4, a) || net_addr_eq(&z->lease.links[i].addr6, a))
            return true;
    return false;
}

static struct zone *zone_at(struct zd *d, const struct net_addr *a)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            if (has_address(z, a))
                return z;
    return NULL;
}

static int read_from(const char *text, struct question *q, struct err *e)
{
    q->from_text = text;
    if (!text)
        return 0;
    if (net_addr_parse(text, &q->address) == 0) {
        q->from = zone_at(q->d, &q->address);
        q->host = !q->from && net_host_has(&q->address);
        return 0;
    }
    int r = registry_get(q->d, text, &q->from, e);
    if (r == 0)
        q->from = on_network_of(q->d, q->from);
    return r;
}

static json *answer_json(struct answer *a, const char *network)
{
    json *o = js_object();
    js_set_bool(o, "allowed", a->allowed);
    js_set_str(o, "network", network);
    js_set_str(o, "rule", a->rule);
    js_set_str(o, "why", a->why);
    free(a->rule);
    free(a->why);
    return o;
}

int h_explain_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct question q = {.d = d};
    int k = registry_get(d, zd_param(r, 0), &q.to, e);
    k = k < 0 ? k : read_port(zd_query(r, "port"), &q, e);
    k = k < 0 ? k : read_from(zd_query(r, "from"), &q, e);
    const char *asked = k < 0 ? NULL : q.to->name;
    q.to = k < 0 ? NULL : on_network_of(d, q.to);
    const struct spec *s = k < 0 ? NULL : q.to->plan ? q.to->plan->spec : q.to->spec;
    if (k == 0 && !s)
        k = err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", q.to->name);
    if (k < 0)
        return k;
    json *o = js_object(), *links = js_array();
    bool allowed = false;
    for (unsigned i = 0; i < s->network.len; i++) {
        struct answer a = {0};
        through(&q, &s->network.at[i], &a);
        if (!a.decided)
            decide(
                &a, false, NULL,
                xasprintf("link %s is no network of zoned: its rules are not ours", s->network.at[i].link));
        allowed |= a.allowed;
        js_add(links, answer_json(&a, s->network.at[i].link));
    }
    js_set_str(o, "zone", asked);
    js_set_str(o, "network_of", q.to->name);
    js_set_str(o, "port", zd_query(r, "port"));
    js_set_str(o, "from", zd_query(r, "from"));
    js_set_bool(o, "running", q.to->plan != NULL);
    js_set_bool(o, "allowed", allowed);
    js_set(o, "links", links);
    zd_reply_json(r, 200, o);
    return 0;
}
