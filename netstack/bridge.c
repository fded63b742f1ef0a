/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network on the host: bridge, addresses, its place in our tables, forwarding. One that joins a LAN has no addresses and
 * no forwarding: a bridge of ours with the parent in it, or the operator's own bridge, or (macvlan) the parent alone. Up is a repair: it makes
 * what is missing. Down is its own undo and takes "not there" as success. Order up: bridge without
 * forwarding, table, then the switches, so that no packet is forwarded before the rules stand. Order down:
 * the reverse. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>

/* A link of another kind that bears the bridge's name is somebody else's. */
static int check_ours(struct nl_sock *s, const struct net_network *n, struct err *e)
{
    net_link_list v = {0};
    int r = 0;
    if (net_links(s, n->bridge, &v, NULL) == 0 && v.len && strcmp(v.at[0].kind, "bridge") != 0) {
        err_set(e, ERR_CONFLICT, EEXIST, "the link %s, which has its bridge's name, is no bridge but %s",
                n->bridge, *v.at[0].kind ? v.at[0].kind : "a device");
        r = err_hint(e, "ip link del %s, or ip link set %s name OTHER; the bridge is then made at once",
                     n->bridge, n->bridge);
    }
    vec_done(&v);
    return r;
}

int net_bridge_index(struct nl_sock *s, const struct net_network *n)
{
    net_link_list v = {0};
    int r = net_links(s, n->bridge, &v, NULL);
    r = r < 0 ? r : v.len && !strcmp(v.at[0].kind, "bridge") ? v.at[0].index : -ENODEV;
    vec_done(&v);
    return r;
}

static int bridge_up(struct net_ctx *c, struct nl_sock *s, const struct net_network *n, struct err *e)
{
    struct net_batch b = {0};
    if (str_eq(n->bridge, n->parent)) /* the operator's */
        return 0;
    int r = check_ours(s, n, e);
    r = r < 0 ? r : net_bridge_named(s, n, e);
    if (r < 0)
        return r;
    net_msg_bridge(&b, n);
    net_msg_no_addrconf(&b, n->bridge);
    r = net_batch_send(s, &b, n->bridge, e);
    if (r < 0)
        return r;
    int index = net_ifindex(nl_socket_get_fd(s), n->bridge);
    if (index < 0)
        return err_sysk(e, ERR_INTERNAL, -index, "%s", n->bridge);
    r = n->subnet6.family ? net_six_on(c, n->bridge, e) : 0;
    if (r < 0)
        return r;
    net_msg_up(&b, NULL, index);
    if (n->type == SPEC_NET_BRIDGE) {
        net_msg_master(&b, n->parent, index);
        return net_batch_send(s, &b, n->bridge, e);
    }
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
    bool good = len > 0 && len < sizeof(n->bridge) &&
                (n->subnet4.family || n->subnet6.family || !net_routed_by_us(n));
    for (size_t i = 0; good && i < len; i++) /* it becomes nft's text and a path of /proc/sys */
        good =
            strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", n->bridge[i]) != NULL;
    return good ? 0
                : err_set(e, ERR_INVALID, EINVAL, "network %.32s: no usable bridge name or no subnet",
                          n->name);
}

bool net_routed_by_us(const struct net_network *n)
{
    return !spec_network_joins_lan(n->type);
}

static bool in_table(struct net_ctx *c, const struct net_network *n)
{
    struct net_nft *nft;
    auto_done(net_strv_done) char **bridges = NULL;
    return net_ctx_nft(c, &nft, NULL) == 0 &&
           net_nft_names(nft, c->instance, net_routed_by_us(n) ? "bridges" : "lans", &bridges, NULL) == 0 &&
           strv_has(bridges, n->bridge);
}

/* lame: the tables are made although the bridge cannot be. */
static int up_all(struct net_ctx *c, const struct net_network *n, bool lame, struct net_opened *o,
                  struct err *e)
{
    struct nl_sock *s;
    bool routed = net_routed_by_us(n);
    int r = net_ctx_rt(c, &s, e), bridge = r < 0 ? r : bridge_up(c, s, n, e);
    if (r == 0 && !lame)
        r = bridge;
    if (r == 0) /* what is not opened must not be kept as opened: it would be closed under whoever opens it */
        r = routed && bridge == 0 ? net_forward_plan(c, n, o, e) : net_forward_known(c, o, e);
    if (r == 0)
        r = net_table_up(c, n, o->v4, o->v6, o->all6, e);
    r = bridge < 0 ? bridge : r;
    return r < 0 || !routed ? r : net_forward_apply(c, n, o, e);
}

/* Whether our tables tell of networks; false: that is not known. */
static bool networks_told(struct net_ctx *c, bool *any)
{
    struct net_nft *nft;
    auto_done(net_strv_done) char **bridges = NULL, **lans = NULL;
    bool known = net_ctx_nft(c, &nft, NULL) == 0 &&
                 net_nft_names(nft, c->instance, "bridges", &bridges, NULL) == 0 &&
                 net_nft_names(nft, c->instance, "lans", &lans, NULL) == 0;
    *any = bridges || lans;
    return known;
}

static bool no_network(struct net_ctx *c)
{
    bool any;
    return networks_told(c, &any) && !any;
}

void net_saved_take_over(struct net_ctx *c, json *saved)
{
    bool any;
    if (saved && !js_get(saved, "of") && networks_told(c, &any) && any)
        net_opened_now(saved);
}

static int up(struct net_ctx *c, const struct net_network *n, bool repair, json **saved, struct err *e)
{
    auto_done(net_opened_done) struct net_opened o = {0};
    if (saved && *saved)
        net_opened_merge_json(&o, *saved);
    int r = check(n, e);
    if (r < 0 || n->type == SPEC_NET_MACVLAN)
        return r;
    bool was_up = net_network_is_up(c, n), first = no_network(c);
    r = up_all(c, n, repair, &o, e);
    if (r < 0) {
        if (!was_up && !repair)
            net_network_down(c, n, first, NULL, NULL);
        return err_prefix(e, "network %s", n->name);
    }
    if (saved) {
        js_free(*saved);
        *saved = net_opened_to_json(&o);
    }
    return 0;
}

int net_network_up(struct net_ctx *c, const struct net_network *n, json **saved, struct err *e)
{
    return up(c, n, false, saved, e);
}

int net_network_repair(struct net_ctx *c, const struct net_network *n, json **saved, struct err *e)
{
    return up(c, n, true, saved, e);
}

static bool is_master(struct nl_sock *s, const struct net_network *n)
{
    net_link_list v = {0};
    struct err ignored = {0};
    int mine = net_ifindex(nl_socket_get_fd(s), n->bridge);
    bool is = net_links(s, n->parent, &v, &ignored) == 0 && v.len && v.at[0].master == mine && mine > 0;
    vec_done(&v);
    return is;
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
    if (r != 0)
        return r;
    bool pair = n->type != SPEC_NET_MACVLAN, known = pair && !last && in_table(c, n);
    if (n->type == SPEC_NET_BRIDGE && is_master(s, n))
        net_msg_master(&b, n->parent, 0);
    if (pair && !str_eq(n->bridge, n->parent) && check_ours(s, n, NULL) == 0)
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
    if (net_ctx_rt(c, &s, NULL) < 0)
        return false;
    if (n->type == SPEC_NET_MACVLAN)
        return net_ifindex(nl_socket_get_fd(s), n->parent) > 0;
    return net_bridge_index(s, n) > 0 && in_table(c, n) &&
           (n->type != SPEC_NET_BRIDGE || str_eq(n->bridge, n->parent) || is_master(s, n));
}

bool net_network_is_half_up(struct net_ctx *c, const struct net_network *n)
{
    struct nl_sock *s;
    if (n->type == SPEC_NET_MACVLAN || net_network_is_up(c, n) || net_ctx_rt(c, &s, NULL) < 0)
        return false;
    bool ours = !str_eq(n->bridge, n->parent);
    return (ours && net_bridge_index(s, n) > 0) || in_table(c, n);
}

/* ---- what a LAN network hangs on ---- */
static int find_parent(struct nl_sock *s, const struct net_network *n, struct net_link_info *out,
                       struct err *e)
{
    net_link_list v = {0};
    struct err own = {0};
    int r = net_links(s, n->parent, &v, &own);
    if (r == 0 && v.len)
        *out = v.at[0];
    bool found = r == 0 && v.len;
    vec_done(&v);
    if (found)
        return 0;
    err_set(e, ERR_NOT_FOUND, ENODEV, "network %s: this host has no link %s", n->name, n->parent);
    return err_hint(e, "ip link shows the links; the network needs its parent whenever a zone starts");
}

/* A bridge would take the link's addresses from the host: what the host uses stays its own. */
static int check_free(struct nl_sock *s, const struct net_network *n, const struct net_link_info *p,
                      struct err *e)
{
    int mine = net_ifindex(nl_socket_get_fd(s), n->bridge);
    if (p->master && p->master == mine)
        return 0;
    if (p->master) {
        err_set(e, ERR_CONFLICT, EBUSY, "network %s: the link %s belongs to another bridge or bond", n->name,
                n->parent);
        return err_hint(e, "name that bridge as the parent");
    }
    net_addr_list addrs = {0};
    int r = net_addrs(s, &addrs, e);
    bool used = false;
    for (unsigned i = 0; i < addrs.len; i++)
        used |= addrs.at[i].index == p->index && addrs.at[i].scope < RT_SCOPE_LINK;
    vec_done(&addrs);
    if (r < 0 || !used)
        return r;
    err_set(e, ERR_CONFLICT, EBUSY, "network %s: the host uses the link %s (it has addresses)", n->name,
            n->parent);
    return err_hint(
        e, "give the addresses to a bridge with %s in it and name that as the parent, or take type macvlan",
        n->parent);
}

int net_network_attach(struct net_ctx *c, struct net_network *n, struct err *e)
{
    struct nl_sock *s;
    struct net_link_info p = {0};
    if (net_routed_by_us(n))
        return 0;
    int r = net_ctx_rt(c, &s, e);
    r = r < 0 ? r : find_parent(s, n, &p, e);
    if (r == 0 && !p.up) {
        err_set(e, ERR_CONFLICT, ENETDOWN, "network %s: the link %s is down", n->name, n->parent);
        r = err_hint(e, "ip link set %s up", n->parent);
    }
    if (r < 0 || n->type == SPEC_NET_MACVLAN)
        return r;
    if (!strcmp(p.kind, "bridge")) {
        snprintf(n->bridge, sizeof(n->bridge), "%s", n->parent);
        return 0;
    }
    net_bridge_name(c->instance, n->name, n->bridge);
    return check_free(s, n, &p, e);
}

int net_network_check_mtu(struct net_ctx *c, const struct net_network *n, unsigned *less, struct err *e)
{
    struct nl_sock *s;
    struct net_link_info p = {0};
    *less = 0;
    if (net_routed_by_us(n) || !n->mtu)
        return 0;
    int r = net_ctx_rt(c, &s, e);
    if (r < 0 || find_parent(s, n, &p, NULL) < 0 || !p.mtu || p.mtu >= n->mtu)
        return r;
    if (n->type != SPEC_NET_MACVLAN) {
        *less = p.mtu;
        return 0;
    }
    err_set(e, ERR_INVALID, EINVAL, "network %s: mtu: %u is more than its parent %s has (%u)", n->name,
            n->mtu, n->parent, p.mtu);
    return err_hint(e, "ip link set %s mtu %u, where its card and LAN can, or a network with at most %u",
                    n->parent, n->mtu, p.mtu);
}

/* ---- who may reach whom ---- */
int net_network_reach(struct net_ctx *c, const struct net_network *from, const struct net_network *to,
                      bool on, struct err *e)
{
    struct net_nft *nft;
    net_elems v = {0};
    struct net_elem *x = vec_add(&v);
    int busy, r = net_ctx_nft(c, &nft, e);
    *x = (struct net_elem){.set = "same", .family = NFPROTO_INET, .key_len = 32};
    memcpy(x->key, from->bridge, strlen(from->bridge));
    memcpy(x->key + 16, to->bridge, strlen(to->bridge));
    if (r == 0)
        r = on ? net_nft_add(nft, c->instance, &v, &busy, e) : net_nft_del(nft, c->instance, &v, e);
    vec_done(&v);
    return r;
}
