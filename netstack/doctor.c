/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with the host's network for zones. Reads only: an accept in our table does not override a
 * drop in another base chain, and we set no policy in a foreign table, so the operator is told the chain and
 * the remedy, unless that firewall has been told of us (hooks.c). */
#include "base/proc.h"
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

struct chain {
    char *table, *name; /* "ip filter", "FORWARD" */
    bool input, drops;  /* judges what comes in, not what is forwarded; by its policy */
};

struct foreign {
    struct net_ctx *c;
    json *out;
    char **bridges, **known; /* whose traffic must pass; of networks that are up */
    VEC(struct chain) chains;
};

static void problem(json *out, char *text, char *remedy)
{
    json *j = js_object();
    js_set_str(j, "problem", text);
    js_set_str(j, "remedy", remedy);
    js_add(out, j);
    free(text);
    free(remedy);
}

static char *remedy_for(const struct foreign *f, const struct chain *k)
{
    if (str_ends(k->table, " firewalld"))
        return xasprintf(
            "firewall-cmd --zone=trusted --change-interface=%s, or let zoned reach the system bus",
            f->bridges[0]);
    auto_free char *names = strv_join(f->bridges, "\", \"");
    if (!strcmp(k->table, "ip filter") || !strcmp(k->table, "ip6 filter"))
        return xasprintf("%stables -I %s -i %s %s-j ACCEPT%s, for each of \"%s\"",
                         strchr(k->table, '6') ? "ip6" : "ip", k->name, f->bridges[0],
                         k->input ? "-p udp --dport 53 " : "", k->input ? "" : " and the same with -o",
                         names);
    if (k->input)
        return xasprintf(
            "before it: iifname { \"%s\" } meta l4proto { tcp, udp } th dport { 53, 67, 547 } accept", names);
    return xasprintf("before it: iifname { \"%s\" } accept; oifname { \"%s\" } accept", names, names);
}

/* The rule without what stands in quotation marks, but for names of links: comments and log prefixes are no verdicts. */
static void strip(char *rule)
{
    static const char *const free_text[] = {"comment \"", "prefix \""};
    for (unsigned i = 0; i < ARRAY_LEN(free_text); i++)
        for (char *p; (p = strstr(rule, free_text[i]));) {
            char *end = strchr(p + strlen(free_text[i]), '"');
            end = end ? end + 1 : p + strlen(p);
            memmove(p, end, strlen(end) + 1);
        }
    for (size_t n = strlen(rule); n && rule[n - 1] == ' ';)
        rule[--n] = '\0';
}

/* Is about some addresses, ports or states only; what it does to them is its maker's wish. */
static bool is_narrow(const char *rule)
{
    static const char *const narrow[] = {"type ", "jump ", "goto ", "addr ", "port ", "ct state", "!= "};
    for (unsigned i = 0; i < ARRAY_LEN(narrow); i++)
        if (strstr(rule, narrow[i]))
            return true;
    return false;
}

static bool names_link(const char *rule, const char *way, const char *link)
{
    auto_free char *quoted = xasprintf("\"%s\"", link);
    return strstr(rule, way) && strstr(rule, quoted);
}

/* Drops whatever comes over whatever link, or over one of ours. */
static bool may_block(const struct foreign *f, const char *rule)
{
    if (is_narrow(rule) || (!str_ends(rule, "drop") && !strstr(rule, "reject")))
        return false;
    bool ours = false, link = strstr(rule, "ifname") || strstr(rule, "iif ") || strstr(rule, "oif ");
    for (char **b = f->bridges; *b; b++)
        ours |= names_link(rule, "ifname", *b);
    return ours || !link;
}

/* What the chain has not accepted so far: from these bridges, to these. */
struct open_ways {
    char **in, **out;
};

static bool is_open(const struct open_ways *w)
{
    return strv_len(w->in) || strv_len(w->out);
}

static void accept_some(const struct foreign *f, const struct chain *k, const char *rule, struct open_ways *w)
{
    bool names = k->input && strstr(rule, "port ") && strstr(rule, "53") && !strstr(rule, "!= ");
    if (!str_ends(rule, "accept") || (is_narrow(rule) && !names))
        return;
    for (char **b = f->bridges; *b; b++) {
        if (names_link(rule, "iifname", *b))
            strv_remove(w->in, *b);
        if (names_link(rule, "oifname", *b))
            strv_remove(w->out, *b);
    }
}

static bool passes_by(const struct foreign *f, const struct chain *k, const char *rule)
{
    char target[128];
    const char *j = strstr(rule, "jump ");
    return j && sscanf(j, "jump %127s", target) == 1 && net_hooks_pass(f->c, k->table, target, f->known);
}

static void blame(struct foreign *f, const struct chain *k, const char *rule)
{
    const char *whom = k->input ? "zones' questions for names and addresses" : "zones' traffic";
    char *text =
        rule ? xasprintf("the rule \"%s\" of the nft chain %s %s drops %s", rule, k->table, k->name, whom)
             : xasprintf("the chain %s of the nft table %s drops %s unless a rule of its own accepts it",
                         k->name, k->table, whom);
    problem(f->out, text, remedy_for(f, k));
}

/* In their order, up to where zones' traffic is accepted: what comes after that does not see it. */
static bool check_rules(struct foreign *f, const struct chain *k, char *text, struct open_ways *w)
{
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line && is_open(w); line = strtok_r(NULL, "\n", &save)) {
        line += strspn(line, " \t");
        char *handle = strstr(line, " # handle");
        if (handle)
            *handle = '\0';
        strip(line);
        if (str_ends(line, "{"))
            continue;
        if (passes_by(f, k, line))
            return true;
        accept_some(f, k, line, w);
        if (is_open(w) && may_block(f, line))
            blame(f, k, line);
    }
    return !is_open(w);
}

static void check_chain(struct foreign *f, const struct chain *k)
{
    auto_free char *whole = xasprintf("%s %s", k->table, k->name), *text = net_table_list(whole);
    struct open_ways w = {.in = strv_copy(f->bridges), .out = k->input ? NULL : strv_copy(f->bridges)};
    /* a chain without text went away just now */
    if (text && !check_rules(f, k, text, &w) && k->drops)
        blame(f, k, NULL);
    strv_free(w.in);
    strv_free(w.out);
}

static void on_chain(struct nlmsghdr *h, void *data)
{
    static const char *const families[] = {
        [NFPROTO_INET] = "inet", [NFPROTO_IPV4] = "ip", [NFPROTO_IPV6] = "ip6"};
    struct foreign *f = data;
    struct nftnl_chain *c = nftnl_chain_alloc();
    if (!c || nftnl_chain_nlmsg_parse(h, c) < 0)
        goto out;
    uint32_t family = nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY),
             hook = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM);
    const char *table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE),
               *name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME),
               *family_name = family < ARRAY_LEN(families) ? families[family] : NULL;
    if (family_name && nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM) && table && name &&
        strcmp(table, f->c->instance) && (hook == NF_INET_FORWARD || hook == NF_INET_LOCAL_IN))
        *vec_add(&f->chains) = (struct chain){.table = xasprintf("%s %s", family_name, table),
                                              .name = xstrdup(name),
                                              .input = hook == NF_INET_LOCAL_IN,
                                              .drops = nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_DROP};
out:
    if (c)
        nftnl_chain_free(c);
}

static void check_legacy(struct net_ctx *c, json *out)
{
    auto_free char *text = NULL;
    int procfs = net_ctx_procfs(c, NULL);
    if (procfs >= 0 && procfs_read(procfs, "self/net/ip_tables_names", 4096, &text, NULL) == 0 &&
        strstr(text, "filter"))
        problem(
            out, xstrdup("legacy iptables has a filter table, which nft does not show"),
            xstrdup(
                "iptables-legacy -S FORWARD tells whether it drops; accept the zones' bridges there if so"));
}

/* Before the first network is up it is asked what would be. */
static char **bridges_of(char *const *known)
{
    char **bridges = strv_copy(known);
    if (!strv_len(bridges))
        strv_add(&bridges, "zoned0");
    return bridges;
}

json *net_doctor(struct net_ctx *c, const struct net_pass *pass)
{
    struct nl_sock *s = NULL;
    struct err e = {0};
    struct foreign f = {.c = c, .out = js_array()};
    char buf[256];
    if (net_nl_open(NETLINK_NETFILTER, &s, &e) < 0) {
        problem(f.out, xasprintf("no nfnetlink: %s", e.text),
                xstrdup("a kernel with nf_tables (modprobe nf_tables)"));
        return f.out;
    }
    struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP, 0);
    if (net_nl_dump(s, h->nlmsg_type, NLM_F_DUMP, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN, on_chain, &f,
                    &e) < 0)
        problem(f.out, xasprintf("nf_tables does not answer: %s", e.text),
                xstrdup("modprobe nf_tables, and run as root"));
    net_nl_close(s);
    for (unsigned i = 0; i < f.chains.len; i++) {
        struct chain *k = &f.chains.at[i];
        f.known = k->input ? pass->askers : pass->forwarded;
        f.bridges = bridges_of(f.known);
        check_chain(&f, k);
        strv_free(f.bridges);
        free(k->table);
        free(k->name);
    }
    vec_done(&f.chains);
    check_legacy(c, f.out);
    return f.out;
}
