/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with the host's network for zones. Reads only: an accept in our table does not override a
 * drop in another base chain, and we set no policy in a foreign table, so the operator is told the chain and
 * the remedy. */
#include "base/proc.h"
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

struct foreign {
    const char *instance;
    json *out;
    bool hooked4, hooked6; /* Docker or ufw know of us */
    char **chains;         /* "ip filter FORWARD": others' that judge what is forwarded */
};

static void problem(json *out, char *text, const char *remedy)
{
    json *j = js_object();
    js_set_str(j, "problem", text);
    js_set_str(j, "remedy", remedy);
    js_add(out, j);
    free(text);
}

static const char *remedy_for(const char *table, const char *chain)
{
    if (!strcmp(chain, "FORWARD") && !strcmp(table, "filter"))
        return "accept the zones' bridges in the chain that is kept for you: with Docker DOCKER-USER, with "
               "ufw "
               "/etc/ufw/before.rules (ufw route allow), else iptables -I FORWARD -i zoned0 -j ACCEPT and "
               "the same with -o";
    if (!strcmp(table, "firewalld"))
        return "firewall-cmd --permanent --zone=trusted --add-interface=zoned0, then firewall-cmd --reload";
    return "add to that chain: iifname zoned0 accept; oifname zoned0 accept";
}

static const char *family_name(uint32_t family)
{
    return family == NFPROTO_INET ? "inet" : family == NFPROTO_IPV4 ? "ip" : "ip6";
}

/* A rule that may drop what zones send: it names one of our links, or no link at all. */
static bool may_block(const char *rule, const char *prefix)
{
    bool drops = str_ends(rule, " drop") || !strcmp(rule, "drop") || strstr(rule, "reject") != NULL;
    bool link =
        strstr(rule, "ifname") != NULL || strstr(rule, "iif ") != NULL || strstr(rule, "oif ") != NULL;
    return drops && !strstr(rule, "invalid") &&
           (!link || strstr(rule, "zoned0") || strstr(rule, prefix) || strstr(rule, "\"zb"));
}

static void check_rules(struct foreign *f, const char *chain)
{
    char prefix[6];
    auto_free char *text = net_table_list(chain);
    char *save = NULL;
    net_link_prefix(f->instance, prefix);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line += strspn(line, " \t");
        char *handle = strstr(line, " # handle");
        if (handle)
            *handle = '\0';
        if (!strchr(line, '{') && may_block(line, prefix))
            problem(f->out,
                    xasprintf("the rule \"%s\" of the nft chain %s drops zones' traffic", line, chain),
                    "before it, accept the zones' bridges: iifname zoned0 accept; oifname zoned0 accept");
    }
}

static void on_chain(struct nlmsghdr *h, void *data)
{
    struct foreign *f = data;
    struct nftnl_chain *c = nftnl_chain_alloc();
    if (!c || nftnl_chain_nlmsg_parse(h, c) < 0)
        goto out;
    uint32_t family = nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY);
    const char *table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE),
               *name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);
    if (!nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM) || !table || !name || !strcmp(table, f->instance))
        goto out;
    bool known = !strcmp(table, "filter") && !strcmp(name, "FORWARD") &&
                 ((family == NFPROTO_IPV4 && f->hooked4) || (family == NFPROTO_IPV6 && f->hooked6));
    bool ours = family == NFPROTO_INET || family == NFPROTO_IPV4 || family == NFPROTO_IPV6;
    if (ours && nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) == NF_INET_FORWARD) {
        auto_free char *chain = xasprintf("%s %s %s", family_name(family), table, name);
        strv_add(&f->chains, chain);
    }
    if (ours && !known && nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) == NF_INET_FORWARD &&
        nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_DROP)
        problem(f->out,
                xasprintf("the chain %s of the nft table %s %s drops what is forwarded unless a rule of its "
                          "own accepts it",
                          name, family_name(family), table),
                remedy_for(table, name));
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
        problem(out, xstrdup("legacy iptables has a filter table, which nft does not show"),
                "iptables-legacy -S FORWARD tells whether it drops; accept the zones' bridges there if so");
}

json *net_doctor(struct net_ctx *c)
{
    json *out = js_array();
    struct nl_sock *s = NULL;
    struct err e = {0};
    struct foreign f = {.instance = c->instance,
                        .out = out,
                        .hooked4 = net_hooks_there(c, false),
                        .hooked6 = net_hooks_there(c, true)};
    char buf[256];
    if (net_nl_open(NETLINK_NETFILTER, &s, &e) < 0) {
        problem(out, xasprintf("no nfnetlink: %s", e.text), "a kernel with nf_tables (modprobe nf_tables)");
        return out;
    }
    struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP, 0);
    if (net_nl_dump(s, h->nlmsg_type, NLM_F_DUMP, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN, on_chain, &f,
                    &e) < 0)
        problem(out, xasprintf("nf_tables does not answer: %s", e.text),
                "modprobe nf_tables, and run as root");
    net_nl_close(s);
    for (char **chain = f.chains; chain && *chain; chain++)
        check_rules(&f, *chain);
    strv_free(f.chains);
    check_legacy(c, out);
    return out;
}
