/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network on the host: bridge, addresses, its place in our tables, forwarding. Up is a repair: it makes
 * what is missing. Down is its own undo and takes "not there" as success. Order up: bridge without
 * forwarding, table, then the switches, so that no packet is forwarded before the rules stand. Order down:
 * the reverse. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>

static int bridge_up(struct net_ctx *c, struct nl_sock *s, const struct net_network *n, struct err *e)
{
    struct net_batch b = {0};
    net_msg_bridge(&b, n);
    net_msg_no_addrconf(&b, n->bridge);
    int r = net_batch_send(s, &b, n->bridge, e);
    if (r < 0)
        return r;
    int index = net_ifindex(nl_socket_get_fd(s), n->bridge);
    if (index < 0)
        return err_sysk(e, ERR_INTERNAL, -index, "%s", n->bridge);
    r = n->subnet6.family ? net_six_on(c, n->bridge, e) : 0;
    if (r < 0)
        return r;
    net_msg_up(&b, NULL, index);
    if (n->gateway4.family)
        net_msg_addr(&b, index, &n->gateway4);
    if (n->gateway6.family) {
        struct net_addr local = net_link_local(n->mac);
        net_msg_addr(&b, index, &local);
        net_msg_addr(&b, index, &n->gateway6);
    }
    return net_batch_send(s, &b, n->bridge, e);
}

static int check(const struct net_network *n, struct err *e)
{
    size_t len = strnlen(n->bridge, sizeof(n->bridge));
    bool good = len > 0 && len < sizeof(n->bridge) && (n->subnet4.family || n->subnet6.family);
    for (size_t i = 0; good && i < len; i++) /* it becomes nft's text and a path of /proc/sys */
        good =
            strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", n->bridge[i]) != NULL;
    return good ? 0
                : err_set(e, ERR_INVALID, EINVAL, "network %.32s: no usable bridge name or no subnet",
                          n->name);
}

static bool in_table(struct net_ctx *c, const struct net_network *n)
{
    struct net_nft *nft;
    auto_done(net_strv_done) char **bridges = NULL;
    return net_ctx_nft(c, &nft, NULL) == 0 &&
           net_nft_names(nft, c->instance, "bridges", &bridges, NULL) == 0 && strv_has(bridges, n->bridge);
}

static int up_all(struct net_ctx *c, const struct net_network *n, struct net_opened *o, struct err *e)
{
    struct nl_sock *s;
    int r = net_ctx_rt(c, &s, e);
    if (r == 0)
        r = bridge_up(c, s, n, e);
    if (r == 0)
        r = net_forward_plan(c, n, o, e);
    if (r == 0)
        r = net_table_up(c, n, o->v4, o->v6, o->all6, e);
    return r < 0 ? r : net_forward_apply(c, n, o, e);
}

static bool no_network(struct net_ctx *c)
{
    struct net_nft *nft;
    auto_done(net_strv_done) char **bridges = NULL;
    return net_ctx_nft(c, &nft, NULL) == 0 &&
           net_nft_names(nft, c->instance, "bridges", &bridges, NULL) == 0 && !bridges;
}

int net_network_up(struct net_ctx *c, const struct net_network *n, json **saved, struct err *e)
{
    auto_done(net_opened_done) struct net_opened o = {0};
    if (saved && *saved)
        net_opened_merge_json(&o, *saved);
    int r = check(n, e);
    if (r < 0)
        return r;
    bool was_up = net_network_is_up(c, n), first = no_network(c);
    r = up_all(c, n, &o, e);
    if (r < 0) {
        if (!was_up)
            net_network_down(c, n, first, NULL, NULL);
        return err_prefix(e, "network %s", n->name);
    }
    if (saved) {
        js_free(*saved);
        *saved = net_opened_to_json(&o);
    }
    return 0;
}

static int down_last(struct net_ctx *c, const json *saved, struct err *e)
{
    auto_done(net_opened_done) struct net_opened o = {0};
    struct net_nft *nft;
    int r = net_ctx_nft(c, &nft, e);
    if (r == 0) /* the sets know what a crash kept from the state file */
        r = net_opened_merge_table(nft, c->instance, &o, e);
    if (r < 0)
        return r;
    net_opened_merge_json(&o, saved);
    r = net_forward_restore(c, &o, e);
    return r < 0 ? r : net_table_down(c, e);
}

int net_network_down(struct net_ctx *c, const struct net_network *n, bool last, const json *saved,
                     struct err *e)
{
    struct nl_sock *s;
    struct net_batch b = {0};
    int r = check(n, e);
    if (r == 0)
        r = net_ctx_rt(c, &s, e);
    if (r < 0)
        return r;
    bool known = !last && in_table(c, n);
    net_msg_del(&b, n->bridge);
    r = net_batch_send(s, &b, n->bridge, e);
    if (r == 0 && last)
        r = down_last(c, saved, e);
    else if (r == 0 && known)
        r = net_table_remove_network(c, n, e);
    return r < 0 ? err_prefix(e, "network %s", n->name) : 0;
}

bool net_network_is_up(struct net_ctx *c, const struct net_network *n)
{
    struct nl_sock *s;
    return net_ctx_rt(c, &s, NULL) == 0 && net_ifindex(nl_socket_get_fd(s), n->bridge) > 0 && in_table(c, n);
}
