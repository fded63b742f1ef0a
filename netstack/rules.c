/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firewall of networks: rules of operators as chains of our two tables, zones as elements of the sets that the rules
 * name. A connection between zones of one network is judged in the bridge (whose kernel may know no conntrack: a TCP
 * connection is judged at its first packet, of UDP and SCTP the way back is remembered in a set with a timeout), one from
 * elsewhere where it is forwarded. All chains are exchanged in one transaction; a zone that starts or stops is elements
 * only. Must never judge what belongs to a connection that was allowed. */
#include "netstack/priv.h"
#include <inttypes.h>
#include <linux/netfilter.h>

/* The set of who is meant, "m" + hash; 4 or 6 behind it. */
static void set_name(const char *who, int family, char out[24])
{
    snprintf(out, 24, "m%016" PRIx64 "%c", hash64(who, strlen(who)), family == AF_INET ? '4' : '6');
}

static const char *const kinds[] = {
    [SPEC_SIDE_LABEL] = "label", [SPEC_SIDE_ZONE] = "zone", [SPEC_SIDE_NETWORK] = "network"};

char *net_rule_who(const struct spec_rule_side *s)
{
    return s->kind == SPEC_SIDE_LABEL || s->kind == SPEC_SIDE_ZONE
               ? xasprintf("%s %s", kinds[s->kind], s->name)
               : NULL;
}

struct text {
    struct str s;
    const char *instance;
    const char *table; /* "inet" or "bridge" */
    const struct net_guard *guards;
    unsigned nguards;
};

static const struct net_network *network_of(const struct text *t, const char *name)
{
    for (unsigned i = 0; i < t->nguards; i++)
        if (!strcmp(t->guards[i].net->name, name))
            return t->guards[i].net;
    return NULL;
}

/* "ip saddr @m…4 ", or nothing for any; false: this family cannot be meant. */
static bool side(struct text *t, struct str *out, const struct spec_rule_side *s, int family, const char *dir)
{
    const char *ip = family == AF_INET ? "ip" : "ip6";
    const struct net_network *n;
    struct net_addr a;
    char buf[64], set[24];
    auto_free char *who = net_rule_who(s);
    switch (s->kind) {
    case SPEC_SIDE_ANY:
        return true;
    case SPEC_SIDE_LABEL:
    case SPEC_SIDE_ZONE:
        set_name(who, family, set);
        str_addf(out, "%s %s @%s ", ip, dir, set);
        return true;
    case SPEC_SIDE_NETWORK:
        n = network_of(t, s->name);
        if (!n)
            return false;
        a = family == AF_INET ? n->subnet4 : n->subnet6;
        break;
    default:
        if (net_addr_parse(s->name, &a) < 0)
            return false;
    }
    net_addr_print(&a, true, buf);
    if (a.family == family)
        str_addf(out, "%s %s %s ", ip, dir, buf);
    return a.family == family;
}

static void service(struct str *out, const struct spec_rule *r)
{
    static const char *const protos[] = {
        [SPEC_RULE_TCP] = "tcp", [SPEC_RULE_UDP] = "udp", [SPEC_RULE_SCTP] = "sctp"};
    if (r->proto == SPEC_RULE_ICMP)
        str_add(out, "meta l4proto { icmp, icmpv6 } ");
    else if (r->proto != SPEC_RULE_ANY && r->first)
        str_addf(out, "%s dport %u-%u ", protos[r->proto], r->first, r->last);
    else if (r->proto != SPEC_RULE_ANY)
        str_addf(out, "meta l4proto %s ", protos[r->proto]);
}

static void rule(struct text *t, const char *chain, const struct spec_rule *r)
{
    static const int families[] = {AF_INET, AF_INET6};
    const char *yes = !strcmp(t->table, "bridge") ? "goto opened" : "accept";
    bool both = r->from.kind == SPEC_SIDE_ANY && r->to.kind == SPEC_SIDE_ANY;
    for (unsigned i = 0; i < (both ? 1u : 2u); i++) {
        auto_done(str_done) struct str s = {0};
        if (!side(t, &s, &r->from, families[i], "saddr") || !side(t, &s, &r->to, families[i], "daddr"))
            continue;
        service(&s, r);
        str_addf(&t->s, "add rule %s %s %s %s%s\n", t->table, t->instance, chain, s.p ? s.p : "",
                 r->allow ? yes : "drop");
    }
}

/* n: the chain of a network's rules; in the bridge also l: the set of its zones' links, b: the chain of what they send. */
static void name_of(const char *network, char what, char out[24])
{
    snprintf(out, 24, "%c_%016" PRIx64, what, hash64(network, strlen(network)));
}

static void subnets(struct text *t, const struct net_guard *g, const char *in, const char *verdict)
{
    const struct net_addr *both[] = {&g->net->subnet4, &g->net->subnet6};
    char subnet[64], chain[24];
    name_of(g->net->name, 'n', chain);
    for (unsigned i = 0; i < 2; i++) {
        net_addr_print(both[i], true, subnet);
        if (both[i]->family)
            str_addf(&t->s, "add rule %s %s %s %s daddr %s %s %s\n", t->table, t->instance, in,
                     i ? "ip6" : "ip", subnet, verdict, chain);
    }
}

/* A frame is judged by the network whose link it came in at: whom it reaches by its MAC may have addresses on others, too. Where
 * something is denied, what is addressed to no zone of the network (broadcast, multicast, link-local, a zone's address on
 * another network) goes to none; a router among the zones is trusted. */
static void bridged(struct text *t, const struct net_guard *g)
{
    char links[24], chain[24], all[64];
    name_of(g->net->name, 'l', links);
    name_of(g->net->name, 'b', chain);
    str_addf(&t->s, "add chain bridge %s %s\nflush chain bridge %s %s\n", t->instance, chain, t->instance,
             chain);
    if (g->closed)
        str_addf(&t->s, "add rule bridge %s %s ip6 saddr fe80::/10 drop\n", t->instance, chain);
    if (g->closed && g->net->subnet4.family) {
        struct net_addr last = net_addr_last(&g->net->subnet4);
        net_addr_print(&last, false, all);
        str_addf(&t->s, "add rule bridge %s %s ip daddr %s drop\n", t->instance, chain, all);
    }
    subnets(t, g, chain, "goto");
    if (g->closed)
        str_addf(&t->s, "add rule bridge %s %s oifname != @trusted ether type { ip, ip6 } drop\n",
                 t->instance, chain);
    str_addf(&t->s, "add rule bridge %s judge iifname @%s goto %s\n", t->instance, links, chain);
}

static void guard(struct text *t, const struct net_guard *g)
{
    char chain[24];
    bool bridge = !strcmp(t->table, "bridge");
    name_of(g->net->name, 'n', chain);
    str_addf(&t->s, "add chain %s %s %s\nflush chain %s %s %s\n", t->table, t->instance, chain, t->table,
             t->instance, chain);
    for (unsigned i = 0; i < g->nrules; i++)
        rule(t, chain, &g->rules[i]);
    if (bridge)
        str_addf(&t->s,
                 "add rule bridge %s %s meta mark & " NET_TRANSLATED " != 0 goto translated\n"
                 "add rule bridge %s %s %s\n",
                 t->instance, chain, t->instance, chain, g->deny ? "drop" : "goto opened");
    else if (g->deny) /* what the host sends back into the network it came from: only what is published */
        str_addf(&t->s,
                 "add element inet %s denied { \"%s\" . \"%s\" }\n"
                 "add rule inet %s %s iifname \"%s\" ct status dnat accept\n"
                 "add rule inet %s %s iifname \"%s\" drop\n",
                 t->instance, g->net->bridge, g->net->bridge, t->instance, chain, g->net->bridge, t->instance,
                 chain, g->net->bridge);
    if (bridge)
        bridged(t, g);
    else
        subnets(t, g, "judge", "jump");
}

static bool active(const struct net_guard *g)
{
    return g->nrules || g->deny;
}

/* Sets that the rules name, with who is in them. */
static void sets(struct text *t, const struct net_member *members, unsigned n, char *const *whos)
{
    char set[24], addr[64];
    bool bridge = !strcmp(t->table, "bridge");
    for (; whos && *whos; whos++)
        for (unsigned i = 0; i < 2; i++) {
            set_name(*whos, i ? AF_INET6 : AF_INET, set);
            str_addf(&t->s, "add set %s %s %s { type %s; }\nflush set %s %s %s\n", t->table, t->instance, set,
                     i ? "ipv6_addr" : "ipv4_addr", t->table, t->instance, set);
        }
    for (unsigned i = 0; bridge && i < t->nguards; i++) {
        name_of(t->guards[i].net->name, 'l', set);
        if (active(&t->guards[i]))
            str_addf(&t->s, "add set bridge %s %s { type ifname; }\nflush set bridge %s %s\n", t->instance,
                     set, t->instance, set);
    }
    for (unsigned i = 0; i < n; i++) {
        if (members[i].link) {
            name_of(members[i].who, 'l', set);
            if (bridge)
                str_addf(&t->s, "add element bridge %s %s { \"%s\" }\n", t->instance, set, members[i].link);
            continue;
        }
        set_name(members[i].who, members[i].addr.family, set);
        net_addr_print(&members[i].addr, false, addr);
        str_addf(&t->s, "add element %s %s %s { %s }\n", t->table, t->instance, set, addr);
    }
}

/* What is no opening of a connection is let through; what answers one that was opened, too. */
static const char bridge_head[] =
    "add rule bridge $ judge meta protocol ip6 jump whole\n"
    "add rule bridge $ judge ip frag-off & 0x1fff != 0 return\n"
    "add rule bridge $ judge frag frag-off != 0 return\n"
    "add rule bridge $ judge tcp flags & (syn | ack) != syn return\n"
    "add rule bridge $ judge icmp type != echo-request return\n"
    "add rule bridge $ judge icmpv6 type != echo-request return\n"
    "add rule bridge $ judge meta l4proto { udp, sctp } ip saddr . th sport . ip daddr . th dport @flows4 "
    "return\n"
    "add rule bridge $ judge meta l4proto { udp, sctp } ip6 saddr . th sport . ip6 daddr . th dport @flows6 "
    "return\n";

/* The mark is ours alone: whoever else set it has not opened anything by it. Its own chain before br_netfilter (-1), and only where
 * something is judged: of what a frame costs between zones of one network, each hook is a part that can be measured. */
static const char marks[] =
    "add chain bridge $ forward { type filter hook forward priority filter; policy accept; }\n"
    "flush chain bridge $ forward\n"
    "add rule bridge $ forward meta mark & " NET_TRANSLATED
    " != 0 meta mark set meta mark & " NET_NOT_TRANSLATED "\n";
static const char no_marks[] =
    "add chain bridge $ forward\nflush chain bridge $ forward\ndelete chain bridge $ forward\n";

/* Chains and sets that nothing names any more; made first, so that a missing one is no error. */
static void drop_chain(struct text *t, const char *network, char what)
{
    char name[24];
    name_of(network, what, name);
    str_addf(&t->s, "add chain %s %s %s\nflush chain %s %s %s\ndelete chain %s %s %s\n", t->table,
             t->instance, name, t->table, t->instance, name, t->table, t->instance, name);
}

static void drop(struct text *t, char *const *gone)
{
    char name[24];
    for (unsigned i = 0; i < t->nguards; i++) {
        const char *network = t->guards[i].net->name;
        if (active(&t->guards[i]))
            continue;
        if (!strcmp(t->table, "bridge")) {
            drop_chain(t, network, 'b');
            name_of(network, 'l', name);
            str_addf(&t->s, "add set bridge %s %s { type ifname; }\ndelete set bridge %s %s\n", t->instance,
                     name, t->instance, name);
        }
        drop_chain(t, network, 'n');
    }
    for (; gone && *gone; gone++)
        for (unsigned i = 0; i < 2; i++) {
            set_name(*gone, i ? AF_INET6 : AF_INET, name);
            str_addf(&t->s, "add set %s %s %s { type %s; }\ndelete set %s %s %s\n", t->table, t->instance,
                     name, i ? "ipv6_addr" : "ipv4_addr", t->table, t->instance, name);
        }
}

int net_rules_load(struct net_ctx *c, const struct net_guard *guards, unsigned nguards, char *const *whos,
                   char *const *gone, const struct net_member *members, unsigned nmembers, struct err *e)
{
    struct text t = {.instance = c->instance, .guards = guards, .nguards = nguards};
    bool any = false;
    for (unsigned i = 0; i < nguards; i++)
        any |= active(&guards[i]);
    for (unsigned k = 0; k < 2; k++) {
        t.table = k ? "bridge" : "inet";
        str_addf(&t.s, "flush chain %s %s judge\n", t.table, c->instance);
        if (!k)
            str_addf(&t.s, "flush set inet %s denied\n", c->instance);
        sets(&t, members, nmembers, whos);
        if (k)
            net_table_expand(&t.s, any ? marks : no_marks, c->instance);
        if (k && any)
            net_table_expand(&t.s, bridge_head, c->instance);
        for (unsigned i = 0; i < nguards; i++)
            if (active(&guards[i]))
                guard(&t, &guards[i]);
        drop(&t, gone);
    }
    int r = net_table_run(t.s.p, e);
    str_done(&t.s);
    return r;
}

static void member_elem(struct net_elem *x, const struct net_member *m, int family, char set[24])
{
    if (m->link)
        name_of(m->who, 'l', set);
    else
        set_name(m->who, m->addr.family, set);
    *x = (struct net_elem){.set = set, .family = family};
    x->key_len = (unsigned char)(m->link ? 16 : net_addr_len(&m->addr));
    if (m->link)
        memcpy(x->key, m->link, strnlen(m->link, 15));
    else
        memcpy(x->key, m->addr.bytes, x->key_len);
}

int net_rules_members(struct net_ctx *c, const struct net_member *members, unsigned n, bool on, struct err *e)
{
    struct net_nft *nft;
    net_elems v = {0};
    int busy, r = n ? net_ctx_nft(c, &nft, e) : 0;
    auto_free char(*names)[24] = xcalloc(n + 1, sizeof(*names));
    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0; i < n; i++)
            if (k || !members[i].link)
                member_elem(vec_add(&v), &members[i], k ? NFPROTO_BRIDGE : NFPROTO_INET, names[i]);
    if (r == 0 && n)
        r = on ? net_nft_add(nft, c->instance, &v, &busy, e) : net_nft_del(nft, c->instance, &v, e);
    vec_done(&v);
    return r;
}
