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

static void chain_name(const struct net_guard *g, char out[24])
{
    snprintf(out, 24, "n_%016" PRIx64, hash64(g->net->name, strlen(g->net->name)));
}

static void guard(struct text *t, const struct net_guard *g)
{
    char chain[24], subnet[64];
    bool bridge = !strcmp(t->table, "bridge");
    chain_name(g, chain);
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
    const struct net_addr *subnets[] = {&g->net->subnet4, &g->net->subnet6};
    if (bridge && g->closed && g->net->subnet4.family) {
        struct net_addr all = net_addr_last(&g->net->subnet4);
        net_addr_print(&all, false, subnet);
        str_addf(&t->s, "add rule bridge %s judge ip daddr %s drop\n", t->instance, subnet);
    }
    for (unsigned i = 0; i < 2; i++) {
        net_addr_print(subnets[i], true, subnet);
        if (subnets[i]->family)
            str_addf(&t->s, "add rule %s %s judge %s daddr %s %s %s\n", t->table, t->instance,
                     i ? "ip6" : "ip", subnet, bridge ? "goto" : "jump", chain);
    }
}

/* Sets that the rules name, with who is in them. */
static void sets(struct text *t, const struct net_member *members, unsigned n, char *const *whos)
{
    char set[24], addr[64];
    for (; whos && *whos; whos++)
        for (unsigned i = 0; i < 2; i++) {
            set_name(*whos, i ? AF_INET6 : AF_INET, set);
            str_addf(&t->s, "add set %s %s %s { type %s; }\nflush set %s %s %s\n", t->table, t->instance, set,
                     i ? "ipv6_addr" : "ipv4_addr", t->table, t->instance, set);
        }
    for (unsigned i = 0; i < n; i++) {
        if (members[i].closed) {
            if (!strcmp(t->table, "bridge"))
                str_addf(&t->s, "add element bridge %s closed { \"%s\" }\n", t->instance, members[i].closed);
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
    "return\n"
    "add rule bridge $ judge ip6 saddr fe80::/10 iifname @closed drop\n";

/* Where something is denied, what is addressed to no zone of the network (multicast, link-local, a zone's address on another
 * network) goes to none; a router among the zones is trusted. */
static const char bridge_tail[] =
    "add rule bridge $ judge iifname @closed oifname != @trusted ether type { ip, ip6 } drop\n";

static bool active(const struct net_guard *g)
{
    return g->nrules || g->deny;
}

/* Chains and sets that nothing names any more; made first, so that a missing one is no error. */
static void drop(struct text *t, char *const *gone)
{
    char name[24];
    for (unsigned i = 0; i < t->nguards; i++) {
        chain_name(&t->guards[i], name);
        if (!active(&t->guards[i]))
            str_addf(&t->s, "add chain %s %s %s\nflush chain %s %s %s\ndelete chain %s %s %s\n", t->table,
                     t->instance, name, t->table, t->instance, name, t->table, t->instance, name);
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
        str_addf(&t.s, "flush chain %s %s judge\nflush set %s %s %s\n", t.table, c->instance, t.table,
                 c->instance, k ? "closed" : "denied");
        sets(&t, members, nmembers, whos);
        if (k && any)
            net_table_expand(&t.s, bridge_head, c->instance);
        for (unsigned i = 0; i < nguards; i++)
            if (active(&guards[i]))
                guard(&t, &guards[i]);
        if (k && any)
            net_table_expand(&t.s, bridge_tail, c->instance);
        drop(&t, gone);
    }
    int r = net_table_run(t.s.p, e);
    str_done(&t.s);
    return r;
}

static struct net_elem closed_elem(const char *ifname)
{
    struct net_elem x = {.set = "closed", .family = NFPROTO_BRIDGE, .key_len = 16};
    memcpy(x.key, ifname, strnlen(ifname, 15));
    return x;
}

int net_rules_members(struct net_ctx *c, const struct net_member *members, unsigned n, bool on, struct err *e)
{
    struct net_nft *nft;
    net_elems v = {0};
    int busy, r = n ? net_ctx_nft(c, &nft, e) : 0;
    auto_free char(*names)[24] = xcalloc(n + 1, sizeof(*names));
    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0; i < n; i++) {
            const struct net_addr *a = &members[i].addr;
            if (members[i].closed) {
                if (k)
                    *vec_add(&v) = closed_elem(members[i].closed);
                continue;
            }
            struct net_elem *x = vec_add(&v);
            set_name(members[i].who, a->family, names[i]);
            *x = (struct net_elem){.set = names[i],
                                   .family = k ? NFPROTO_BRIDGE : NFPROTO_INET,
                                   .key_len = (unsigned char)net_addr_len(a)};
            memcpy(x->key, a->bytes, x->key_len);
        }
    if (r == 0 && n)
        r = on ? net_nft_add(nft, c->instance, &v, &busy, e) : net_nft_del(nft, c->instance, &v, e);
    vec_done(&v);
    return r;
}
