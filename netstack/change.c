/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes the links of a running zone: some go, some come, the rest gets other ports, rates, another default route. Order:
 * leave, join, ports, rates, routes; undo: the same with both sides exchanged. What is done already is success, so the same
 * call repairs what a kill left halfway. Must never touch a link that is the same on both sides but for what changed. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>

#define LINKS_MAX 16u

struct side {
    const struct net_link_plan *at;
    unsigned n;
};
struct change {
    struct net_ctx *c;
    struct side before, after;
    int ns;
};

static bool same_link(const struct net_link_plan *a, const struct net_link_plan *b)
{
    return !strcmp(a->host_ifname, b->host_ifname) && !strcmp(a->ifname, b->ifname) &&
           !strcmp(a->network.name, b->network.name) && !memcmp(a->mac, b->mac, 6) && a->dhcp == b->dhcp &&
           net_addr_eq(&a->addr4, &b->addr4) && net_addr_eq(&a->addr6, &b->addr6);
}

static const struct net_link_plan *find(const struct side *s, const struct net_link_plan *l)
{
    for (unsigned i = 0; i < s->n; i++)
        if (same_link(&s->at[i], l))
            return &s->at[i];
    return NULL;
}

/* Those of a that b lacks; borrowed contents. */
static unsigned without(const struct side *a, const struct side *b, struct net_link_plan out[LINKS_MAX])
{
    unsigned n = 0;
    for (unsigned i = 0; i < a->n; i++)
        if (!find(b, &a->at[i]))
            out[n++] = a->at[i];
    return n;
}

static int leave(const struct change *x, struct err *e)
{
    struct net_link_plan gone[LINKS_MAX];
    unsigned n = without(&x->before, &x->after, gone);
    if (!n)
        return 0;
    int r = net_zone_down(x->c, gone, n, e);
    r = r < 0 ? r : net_leave_inside(gone, n, x->ns, e);
    return r < 0 ? r : net_zone_gone(x->c, gone, n, e);
}

/* By its MAC: it may bear another name by now, and another link its own. */
static bool macvlan_in(struct nl_sock *zone, const struct net_link_plan *l, bool unknown)
{
    net_link_list v = {0};
    bool is = net_links(zone, NULL, &v, NULL) < 0 && unknown;
    for (unsigned i = 0; i < v.len; i++)
        is |= !strcmp(v.at[i].kind, "macvlan") && !memcmp(v.at[i].mac, l->mac, 6);
    vec_done(&v);
    return is;
}

static bool there(struct nl_sock *host, struct nl_sock *zone, const struct net_link_plan *l)
{
    return net_has_pair(l) ? net_ifindex(nl_socket_get_fd(host), l->host_ifname) > 0
                           : macvlan_in(zone, l, false);
}

/* A link that is there already lacks at most its elements: a repair, or the way back from a failure. */
static int join(const struct change *x, struct err *e)
{
    struct net_link_plan come[LINKS_MAX], have[LINKS_MAX];
    struct nl_sock *host, *zone = NULL;
    unsigned all = without(&x->after, &x->before, come), n = 0, nhave = 0;
    if (!all)
        return 0;
    int r = net_ctx_rt(x->c, &host, e);
    r = r < 0 ? r : net_zone_socket(x->ns, &zone, e);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < all; i++)
        if (there(host, zone, &come[i]))
            have[nhave++] = come[i];
        else
            come[n++] = come[i];
    net_nl_close(zone);
    r = n ? net_zone_up(x->c, come, n, x->ns, NULL, NULL, e) : 0;
    return r == 0 && nhave ? net_zone_elements(x->c, have, nhave, e) : r;
}

static int trust(struct net_ctx *c, const struct net_link_plan *l, struct err *e)
{
    struct net_nft *nft;
    struct net_link_plan with = *l;
    net_elems v = {0}, one = {0};
    int busy, r = net_ctx_nft(c, &nft, e);
    with.trusted = true;
    net_elems_of_source(&v, &with);
    for (unsigned i = 0; i < v.len; i++)
        if (!strcmp(v.at[i].set, "trusted"))
            *vec_add(&one) = v.at[i];
    if (r == 0)
        r = l->trusted ? net_nft_add(nft, c->instance, &one, &busy, e)
                       : net_nft_del(nft, c->instance, &one, e);
    vec_done(&v);
    vec_done(&one);
    return r;
}

static int rest(const struct change *x, struct err *e)
{
    struct net_link_plan old[LINKS_MAX], new[LINKS_MAX];
    struct nl_sock *s;
    unsigned n = 0;
    for (unsigned i = 0; i < x->after.n; i++) {
        const struct net_link_plan *was = find(&x->before, &x->after.at[i]);
        if (!was)
            continue;
        old[n] = *was;
        new[n++] = x->after.at[i];
    }
    int r = n ? net_zone_ports(x->c, old, new, n, e) : 0;
    for (unsigned i = 0; r == 0 && i < n; i++)
        if (old[i].trusted != new[i].trusted)
            r = trust(x->c, &new[i], e);
    if (r == 0)
        r = net_ctx_rt(x->c, &s, e);
    for (unsigned i = 0; r == 0 && i < n; i++)
        if (net_has_pair(&new[i]))
            r = net_shape_change(s, &old[i], &new[i], e);
    return r;
}

int net_zone_selves(struct net_ctx *c, const struct net_link_plan *before, unsigned nbefore,
                    const struct net_link_plan *after, unsigned nafter, struct err *e)
{
    struct net_nft *nft;
    net_elems old = {0}, new = {0}, gone = {0};
    int busy, r = 0;
    net_elems_of_self(&old, before, nbefore);
    net_elems_of_self(&new, after, nafter);
    for (unsigned i = 0; i < old.len; i++)
        if (!net_elems_find(&new, &old.at[i]))
            *vec_add(&gone) = old.at[i];
    if (new.len || gone.len)
        r = net_ctx_nft(c, &nft, e);
    if (r == 0 && new.len)
        r = net_nft_add(nft, c->instance, &new, &busy, e);
    if (r == 0 && gone.len)
        r = net_nft_del(nft, c->instance, &gone, e);
    vec_done(&old);
    vec_done(&new);
    vec_done(&gone);
    return r;
}

static void msg_no_default(struct net_batch *b, const struct net_link_plan *l, int index)
{
    if (l->addr4.family && l->network.gateway4.family)
        net_msg_no_default_route(b, index, &l->network.gateway4);
    if (l->addr6.family && l->network.gateway6.family)
        net_msg_no_default_route(b, index, &l->network.gateway6);
}

/* Only where the link that bears it changed: what a zone with NET_ADMIN did to its own routes stays. */
static int routes(const struct change *x, struct err *e)
{
    struct nl_sock *zone = NULL;
    struct net_batch b = {0};
    int r = net_zone_socket(x->ns, &zone, e);
    if (r < 0)
        return r;
    for (unsigned pass = 0; pass < 2; pass++) /* away first: a table holds one default route */
        for (unsigned i = 0; r == 0 && i < x->after.n; i++) {
            const struct net_link_plan *l = &x->after.at[i], *was = find(&x->before, l);
            int index = net_ifindex(nl_socket_get_fd(zone), l->ifname);
            if (!was || l->dhcp || was->default_route == l->default_route || index < 0)
                continue;
            if (pass == 0 && !l->default_route)
                msg_no_default(&b, l, index);
            else if (pass == 1)
                net_msg_routes(&b, l, index);
            r = net_batch_send(zone, &b, "routes of the zone", e);
        }
    net_nl_close(zone);
    return r;
}

bool net_link_there(const struct net_link_plan *l, int netns_fd)
{
    struct nl_sock *s = NULL;
    bool is = net_zone_socket(netns_fd, &s, NULL) < 0 || macvlan_in(s, l, true);
    net_nl_close(s);
    return is;
}

int net_link_rejoin(struct net_ctx *c, const struct net_link_plan *l, struct err *e)
{
    struct nl_sock *s;
    struct net_batch b = {0};
    int r = net_ctx_rt(c, &s, e);
    int bridge = r < 0 ? r : net_bridge_index(s, &l->network);
    if (r < 0 || bridge < 0)
        return r < 0 ? r : err_sysk(e, ERR_INTERNAL, -bridge, "the bridge %s", l->network.bridge);
    net_msg_master(&b, l->host_ifname, bridge);
    net_msg_up(&b, l->host_ifname, 0);
    net_msg_port(&b, l->host_ifname, net_bridge_nf(c));
    return net_batch_send(s, &b, l->host_ifname, e);
}

static int carry_out(const struct change *x, struct err *e)
{
    int r = leave(x, e);
    r = r < 0 ? r : join(x, e);
    r = r < 0 ? r : rest(x, e);
    r = r < 0 ? r : net_zone_selves(x->c, x->before.at, x->before.n, x->after.at, x->after.n, e);
    return r < 0 ? r : routes(x, e);
}

int net_zone_change(struct net_ctx *c, const struct net_link_plan *before, unsigned nbefore,
                    const struct net_link_plan *after, unsigned nafter, int netns_fd, struct err *e)
{
    struct change x = {c, {before, nbefore}, {after, nafter}, netns_fd},
                  back = {c, {after, nafter}, {before, nbefore}, netns_fd};
    struct err own = {0};
    if (nbefore > LINKS_MAX || nafter > LINKS_MAX)
        return err_set(e, ERR_LIMIT, E2BIG, "a zone has at most %u links", LINKS_MAX),
               err_hint(e, "let it leave a network first");
    int r = carry_out(&x, &own);
    if (r == 0)
        return 0;
    (void)carry_out(&back, NULL);
    r = err_set(e, own.kind, own.code, "%s", own.text);
    return own.hint[0] ? err_hint(e, "%s", own.hint) : r;
}
