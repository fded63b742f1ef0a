/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the host's side of a network is as we made it: the bridge with its addresses and switches, a zone's host end in it.
 * Anybody with ip(8) may change that. Looks, and puts one port right; a network is made whole by net_network_up. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static bool has(const net_addr_list *v, int index, const struct net_addr *want)
{
    for (unsigned i = 0; i < v->len; i++)
        if (v->at[i].index == index && net_addr_eq(&v->at[i].addr, want))
            return true;
    return !want->family;
}

static bool addressed(struct nl_sock *s, const struct net_network *n, int index)
{
    net_addr_list v = {0};
    struct net_addr local = n->gateway6.family ? net_link_local(n->mac) : (struct net_addr){0};
    bool is = net_addrs(s, &v, NULL) < 0 ||
              (has(&v, index, &n->gateway4) && has(&v, index, &n->gateway6) && has(&v, index, &local));
    vec_done(&v);
    return is;
}

bool net_network_whole(struct net_ctx *c, const struct net_network *n)
{
    struct nl_sock *s;
    net_link_list v = {0};
    if (net_ctx_rt(c, &s, NULL) < 0)
        return true; /* nobody knows */
    if (!net_routed_by_us(n))
        return net_network_is_up(c, n);
    bool is = net_links(s, n->bridge, &v, NULL) == 0 && v.len && v.at[0].up &&
              !strcmp(v.at[0].kind, "bridge") && addressed(s, n, v.at[0].index) && net_forward_there(c, n);
    vec_done(&v);
    return is;
}

/* The bridge is told by its MAC, which is the network's alone. Down first: older kernels rename no link that is up (EBUSY). */
int net_bridge_named(struct nl_sock *s, const struct net_network *n, struct err *e)
{
    net_link_list v = {0};
    struct net_batch b = {0};
    if (net_ifindex(nl_socket_get_fd(s), n->bridge) > 0)
        return 0;
    int r = net_links(s, NULL, &v, e);
    for (unsigned i = 0; r == 0 && i < v.len; i++) {
        if (strcmp(v.at[i].kind, "bridge") != 0 || memcmp(v.at[i].mac, n->mac, 6) != 0)
            continue;
        struct ifinfomsg down = {.ifi_index = v.at[i].index, .ifi_change = IFF_UP},
                         name = {.ifi_index = v.at[i].index};
        (void)net_batch_add(&b, RTM_SETLINK, 0, &down, sizeof(down), "set the link down");
        nla_put_string(net_batch_add(&b, RTM_SETLINK, 0, &name, sizeof(name), "name the bridge"), IFLA_IFNAME,
                       n->bridge);
        r = net_batch_send(s, &b, v.at[i].name, e);
        break;
    }
    vec_done(&v);
    return r;
}

int net_link_whole(struct net_ctx *c, const struct net_link_plan *l, struct err *e)
{
    struct nl_sock *s;
    net_link_list v = {0};
    int r = net_ctx_rt(c, &s, e);
    r = r < 0 ? r : net_links(s, l->host_ifname, &v, NULL);
    bool there = r == 0 && v.len, joined = false;
    if (there) {
        int bridge = net_bridge_index(s, &l->network);
        joined = bridge < 0 /* comes back by itself */ || (v.at[0].master == bridge && v.at[0].up);
    }
    vec_done(&v);
    if (!there)
        return r < 0 && r != -ENODEV ? r : 0;
    r = joined ? 0 : net_link_rejoin(c, l, e);
    return r < 0 ? r : joined ? 1 : 2;
}
