/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of networks and the zones that they name. A zone is in the sets of its labels and of its name from before its start
 * until after its end, so no packet of it meets rules that do not know it; a change of rules or labels exchanges all of it
 * at once. May assume that plan->links of a zone are what runs. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <errno.h>

typedef VEC(struct net_member) members;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool named(char *const *whos, unsigned n, const char *who)
{
    return n && bsearch(&who, whos, n, sizeof(*whos), by_text);
}

/* The addresses of a zone under one of its names; who must live as long as v. */
static void add_as(const struct plan *p, const char *who, members *v)
{
    for (unsigned i = 0; i < p->links.len; i++) {
        const struct net_addr *both[] = {&p->links.at[i].addr4, &p->links.at[i].addr6};
        for (unsigned k = 0; k < 2; k++)
            if (both[k]->family)
                *vec_add(v) = (struct net_member){.who = who, .addr = *both[k]};
    }
}

/* What of the zone the rules name. The words are d->judged's. */
static void members_of(struct zd *d, const struct plan *p, members *v)
{
    unsigned n = strv_len(d->judged);
    for (unsigned i = 0; i <= p->spec->labels.len && n; i++) {
        auto_free char *who = i < p->spec->labels.len ? xasprintf("label %s=%s", p->spec->labels.at[i].key,
                                                                  p->spec->labels.at[i].value)
                                                      : xasprintf("zone %s", p->zone);
        const char *key = who;
        char **at = bsearch(&key, d->judged, n, sizeof(*d->judged), by_text);
        if (at)
            add_as(p, *at, v);
    }
    for (unsigned i = 0; i < p->links.len; i++) {
        const struct net_entry *on = network_find(d, p->links.at[i].network.name);
        if (on && on->judged && on->net.type != SPEC_NET_MACVLAN)
            *vec_add(v) = (struct net_member){.who = on->net.name, .link = p->links.at[i].host_ifname};
    }
}

static bool has(const members *v, const struct net_member *m)
{
    for (unsigned i = 0; i < v->len; i++)
        if (!v->at[i].link && v->at[i].who == m->who && net_addr_eq(&v->at[i].addr, &m->addr))
            return true;
    return false;
}

static bool on_lan(const struct plan *p)
{
    for (unsigned i = 0; i < p->links.len; i++)
        if (spec_network_joins_lan(p->links.at[i].network.type))
            return true;
    return false;
}

/* On two LANs zones may have the same address: what another is, too, stays. */
static void keep_others(const struct zone *z, members *v)
{
    members theirs = {0};
    unsigned kept = 0;
    for (unsigned i = 0; i < z->d->table_size && on_lan(z->plan); i++)
        for (const struct zone *o = z->d->table[i]; o; o = o->next)
            if (o != z && o->plan && o->judged && on_lan(o->plan))
                members_of(z->d, o->plan, &theirs);
    for (unsigned i = 0; i < v->len; i++)
        if (v->at[i].link || !has(&theirs, &v->at[i]))
            v->at[kept++] = v->at[i];
    v->len = kept;
    vec_done(&theirs);
}

static int change(struct zone *z, bool on, struct err *e)
{
    members v = {0};
    members_of(z->d, z->plan, &v);
    if (!on)
        keep_others(z, &v);
    int r = net_rules_members(z->d->net, v.at, v.len, on, e);
    vec_done(&v);
    return r < 0 ? err_prefix(e, "firewall of zone %s", z->name) : 0;
}

int firewall_join(struct zone *z, struct err *e)
{
    z->judged = true;
    return change(z, true, e);
}

void firewall_leave(struct zone *z)
{
    struct err e = {0};
    if (z->plan && z->judged && change(z, false, &e) < 0)
        log_warning("%s", e.text);
    z->judged = false;
}

/* ---- all of it ---- */
static void add_who(char ***whos, const struct spec_rule_side *s)
{
    auto_free char *who = net_rule_who(s);
    if (who)
        strv_add(whos, who);
}

static char **sorted_set(char **v)
{
    char **out = NULL;
    unsigned n = strv_len(v);
    if (!v)
        return NULL;
    qsort(v, n, sizeof(*v), by_text);
    for (unsigned i = 0; i < n; i++)
        if (!i || strcmp(v[i], v[i - 1]) != 0)
            strv_add(&out, v[i]);
    strv_free(v);
    return out;
}

struct spec_rule *firewall_rules(const struct spec_network *s, unsigned *n)
{
    struct spec_rule *rules = xcalloc(strv_len(s->rules) + 1, sizeof(*rules));
    *n = 0;
    for (char **t = s->rules; t && *t; t++)
        if (!spec_rule_parse(*t, &rules[*n])) /* checked when it was read */
            (*n)++;
    return rules;
}

static struct net_guard *guards(struct zd *d, const char *without, char ***whos)
{
    struct net_guard *g = xcalloc(d->networks.len + 1, sizeof(*g));
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct net_entry *n = d->networks.at[i];
        g[i].net = &n->net;
        if (str_eq(n->net.name, without))
            continue;
        g[i].rules = firewall_rules(n->spec, &g[i].nrules);
        g[i].closed = g[i].deny = n->spec->deny;
        for (unsigned k = 0; k < g[i].nrules; k++) {
            g[i].closed |= !g[i].rules[k].allow;
            add_who(whos, &g[i].rules[k].from);
            add_who(whos, &g[i].rules[k].to);
        }
    }
    *whos = sorted_set(*whos);
    return g;
}

static char **missing_in(char *const *whos, char *const *old)
{
    char **gone = NULL;
    unsigned n = strv_len(whos);
    for (; old && *old; old++)
        if (!named(whos, n, *old))
            strv_add(&gone, *old);
    return gone;
}

static void all_members(struct zd *d, members *v)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        if (all[i]->plan && all[i]->judged)
            members_of(d, all[i]->plan, v);
}

static bool some_up(const struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i]->up && d->networks.at[i]->net.type != SPEC_NET_MACVLAN)
            return true;
    return false;
}

/* Who is judged and which networks have rules, as of these guards. on: now; else as before, which judged and whos keep. */
static void judge_by(struct zd *d, const struct net_guard *g, bool on, bool *judged, char ***whos)
{
    char **was = d->judged;
    d->judged = *whos;
    *whos = was;
    for (unsigned i = 0; i < d->networks.len; i++) {
        struct net_entry *n = d->networks.at[i];
        if (on)
            judged[i] = n->judged;
        n->judged = on ? g[i].nrules || g[i].deny : judged[i];
    }
}

int firewall_load(struct zd *d, const char *without, struct err *e)
{
    char **whos = NULL;
    members v = {0};
    struct net_guard *g = guards(d, without, &whos);
    auto_free bool *judged = xcalloc(d->networks.len + 1, sizeof(*judged));
    judge_by(d, g, true, judged, &whos);
    char **gone = missing_in(d->judged, whos);
    all_members(d, &v);
    int r = some_up(d) ? net_rules_load(d->net, g, d->networks.len, d->judged, gone, v.at, v.len, e) : 0;
    if (r < 0) /* what is loaded is what was */
        judge_by(d, g, false, judged, &whos);
    vec_done(&v);
    for (unsigned i = 0; i < d->networks.len; i++)
        free((void *)g[i].rules);
    free(g);
    strv_free(gone);
    strv_free(whos);
    return r;
}

static bool judges(const struct zd *d)
{
    bool any = d->judged != NULL;
    for (unsigned i = 0; i < d->networks.len; i++)
        any |= d->networks.at[i]->judged;
    return any;
}

void firewall_follow(struct zone *z)
{
    struct err e = {0};
    if (judges(z->d) && firewall_load(z->d, NULL, &e) < 0)
        log_error("firewall: %s", e.text);
}

/* ---- whom rules name ---- */
char **firewall_rules_naming(const struct spec_network *s, enum spec_side_kind kind, const char *name)
{
    char **list = NULL;
    for (char **t = s->rules; t && *t; t++) {
        struct spec_rule r;
        if (spec_rule_parse(*t, &r) == NULL && ((r.from.kind == kind && !strcmp(r.from.name, name)) ||
                                                (r.to.kind == kind && !strcmp(r.to.name, name))))
            strv_add(&list, *t);
    }
    return list;
}

char **firewall_naming(struct zd *d, enum spec_side_kind kind, const char *name)
{
    char **list = NULL;
    for (unsigned i = 0; i < d->networks.len; i++) {
        char **rules = firewall_rules_naming(d->networks.at[i]->spec, kind, name);
        if (rules)
            strv_add(&list, d->networks.at[i]->net.name);
        strv_free(rules);
    }
    return list;
}

/* ---- what a rule names and nobody is, and what never comes this way ---- */
static bool is_who(const struct zone *z, const char *who)
{
    if (str_starts(who, "zone ") && !strcmp(z->name, who + 5))
        return true;
    const struct spec *has = zone_has(z);
    for (unsigned k = 0; has && k < has->labels.len; k++) {
        auto_free char *is = xasprintf("label %s=%s", has->labels.at[k].key, has->labels.at[k].value);
        if (!strcmp(is, who))
            return true;
    }
    return false;
}

/* network: on which; NULL: on any. */
static bool somebody(struct zd *d, const char *who, const char *network)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next)
            if (is_who(z, who) && (!network || zone_is_on(z, network)))
                return true;
    return false;
}

static char *unnamed(struct zd *d, const struct spec_rule_side *s)
{
    auto_free char *who = net_rule_who(s);
    if (who && !somebody(d, who, NULL))
        return xasprintf("no zone is %s", who);
    if (s->kind == SPEC_SIDE_NETWORK && !network_find(d, s->name))
        return xasprintf("network %s does not exist", s->name);
    return NULL;
}

static bool overlap(const struct net_addr *a, const struct net_addr *b)
{
    return net_addr_in(a, b) || net_addr_in(b, a);
}

/* A network's rules judge what reaches its own zones. */
static char *reached(struct zd *d, const struct net_entry *n, const struct spec_rule_side *to)
{
    auto_free char *who = net_rule_who(to);
    struct net_addr a;
    if (who && !somebody(d, who, n->net.name))
        return xasprintf("no zone on network %s is %s, and its rules are about what reaches its own zones",
                         n->net.name, who);
    if (to->kind == SPEC_SIDE_NETWORK && strcmp(to->name, n->net.name) != 0)
        return xasprintf("rules of network %s are about what reaches its own zones, not those of network %s",
                         n->net.name, to->name);
    if (to->kind == SPEC_SIDE_ADDRESS && net_addr_parse(to->name, &a) == 0 && !overlap(&a, &n->net.subnet4) &&
        !overlap(&a, &n->net.subnet6))
        return xasprintf("%s lies outside of network %s, whose zones its rules are about", to->name,
                         n->net.name);
    return NULL;
}

static char *families(const struct spec_rule *r)
{
    struct net_addr from, to;
    if (r->from.kind != SPEC_SIDE_ADDRESS || r->to.kind != SPEC_SIDE_ADDRESS ||
        net_addr_parse(r->from.name, &from) < 0 || net_addr_parse(r->to.name, &to) < 0 ||
        from.family == to.family)
        return NULL;
    return xstrdup("one address is IPv4 and the other IPv6: no packet has both");
}

#define WARNINGS_MAX 20u

json *firewall_warnings(struct zd *d, const struct net_entry *n)
{
    json *out = js_array();
    for (char **t = n->spec->rules; t && *t && js_len(out) < WARNINGS_MAX; t++) {
        struct spec_rule r;
        if (spec_rule_parse(*t, &r))
            continue;
        char *from = unnamed(d, &r.from), *to = unnamed(d, &r.to);
        char *why[] = {from, to ? to : reached(d, n, &r.to), families(&r)};
        for (unsigned i = 0; i < ARRAY_LEN(why); i++) {
            auto_free char *text = why[i] ? xasprintf("rule \"%s\": %s", *t, why[i]) : NULL;
            if (text)
                js_add(out, js_string(text));
            free(why[i]);
        }
    }
    return out;
}
