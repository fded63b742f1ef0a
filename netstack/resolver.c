/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which resolver a zone's questions reach: by default the one at its gateway's port 53; a zone on several networks is sent to
 * one that knows the names of all, by its source address (which anti-spoofing makes its own). Elements only; the rules
 * are table.c's. Never touches a question that goes elsewhere. */
#include "netstack/priv.h"
#include <arpa/inet.h>
#include <linux/netfilter.h>

static void ask_elem(net_elems *v, const struct net_addr *from, unsigned port)
{
    uint16_t to = htons((uint16_t)port);
    if (!from->family)
        return;
    struct net_elem *x = vec_add(v);
    x->family = NFPROTO_INET;
    x->set = from->family == AF_INET ? "ask4" : "ask6";
    x->key_len = (unsigned char)net_addr_len(from);
    memcpy(x->key, from->bytes, x->key_len);
    memcpy(x->data, &to, sizeof(to));
    x->data_len = sizeof(to);
}

static void port_elem(net_elems *v, unsigned port)
{
    uint16_t p = htons((uint16_t)port);
    struct net_elem *x = vec_add(v);
    *x = (struct net_elem){.set = "askers", .family = NFPROTO_INET, .key_len = sizeof(p)};
    memcpy(x->key, &p, sizeof(p));
}

int net_resolver_set(struct net_ctx *c, const struct net_link_plan *l, unsigned port, bool on, struct err *e)
{
    struct net_nft *nft;
    net_elems v = {0};
    int busy, r = net_ctx_nft(c, &nft, e);
    if (on)
        port_elem(&v, port);
    ask_elem(&v, &l->addr4, port);
    ask_elem(&v, &l->addr6, port);
    if (r == 0)
        r = on ? net_nft_add(nft, c->instance, &v, &busy, e) : net_nft_del(nft, c->instance, &v, e);
    vec_done(&v);
    return r;
}

int net_resolver_close(struct net_ctx *c, unsigned port, struct err *e)
{
    struct net_nft *nft;
    net_elems v = {0};
    int r = net_ctx_nft(c, &nft, e);
    port_elem(&v, port);
    if (r == 0)
        r = net_nft_del(nft, c->instance, &v, e);
    vec_done(&v);
    return r;
}

int net_resolvers_forget(struct net_ctx *c, struct err *e)
{
    struct net_nft *nft;
    auto_done(net_strv_done) char **bridges = NULL;
    int r = net_ctx_nft(c, &nft, e);
    if (r == 0)
        r = net_nft_names(nft, c->instance, "bridges", &bridges, e);
    return r < 0 || !bridges ? r : net_table_forget_askers(c, e);
}
