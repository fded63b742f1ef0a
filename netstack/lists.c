/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has: links, addresses, routes. Reads only. Source: rtnetlink(7). */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static void on_link(struct nlmsghdr *h, void *data)
{
    net_link_list *v = data;
    struct nlattr *at[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
    struct ifinfomsg *i = nlmsg_data(h);
    if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(*i), at, IFLA_MAX, NULL) < 0 ||
        !at[IFLA_IFNAME])
        return;
    struct net_link_info *l = vec_add(v);
    snprintf(l->name, sizeof(l->name), "%s", (char *)nla_data(at[IFLA_IFNAME]));
    l->index = i->ifi_index;
    l->mtu = at[IFLA_MTU] ? nla_get_u32(at[IFLA_MTU]) : 0;
    l->master = at[IFLA_MASTER] ? (int)nla_get_u32(at[IFLA_MASTER]) : 0;
    l->up = i->ifi_flags & IFF_UP;
    if (at[IFLA_ADDRESS] && nla_len(at[IFLA_ADDRESS]) == 6)
        memcpy(l->mac, nla_data(at[IFLA_ADDRESS]), 6);
    if (at[IFLA_LINKINFO] && nla_parse_nested(info, IFLA_INFO_MAX, at[IFLA_LINKINFO], NULL) >= 0 &&
        info[IFLA_INFO_KIND])
        snprintf(l->kind, sizeof(l->kind), "%s", (char *)nla_data(info[IFLA_INFO_KIND]));
}

/* only: one link by name, else all. */
int net_links(struct nl_sock *s, const char *only, net_link_list *out, struct err *e)
{
    struct {
        struct ifinfomsg i;
        struct nlattr at;
        char name[16];
    } q = {.i = {.ifi_family = AF_UNSPEC}, .at = {.nla_len = sizeof(q.at) + 16, .nla_type = IFLA_IFNAME}};
    if (!only)
        return net_nl_dump(s, RTM_GETLINK, NLM_F_DUMP, &q.i, sizeof(q.i), on_link, out, e);
    snprintf(q.name, sizeof(q.name), "%s", only);
    return net_nl_dump(s, RTM_GETLINK, 0, &q, sizeof(q), on_link, out, e);
}

static void on_addr(struct nlmsghdr *h, void *data)
{
    struct nlattr *at[IFA_MAX + 1];
    struct ifaddrmsg *i = nlmsg_data(h);
    if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(*i), at, IFA_MAX, NULL) < 0)
        return;
    struct net_addr a = {.family = i->ifa_family, .prefix = i->ifa_prefixlen};
    struct nlattr *which = at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS];
    if (!which || !net_addr_len(&a) || nla_len(which) < net_addr_len(&a))
        return;
    memcpy(a.bytes, nla_data(which), (size_t)net_addr_len(&a));
    *vec_add((net_addr_list *)data) =
        (struct net_addr_info){.addr = a, .index = (int)i->ifa_index, .scope = i->ifa_scope};
}

int net_addrs(struct nl_sock *s, net_addr_list *out, struct err *e)
{
    struct ifaddrmsg i = {.ifa_family = AF_UNSPEC};
    return net_nl_dump(s, RTM_GETADDR, NLM_F_DUMP, &i, sizeof(i), on_addr, out, e);
}

struct routes {
    net_addr_list *covered, *gateways;
};

static void on_route(struct nlmsghdr *h, void *data)
{
    struct routes *out = data;
    struct nlattr *at[RTA_MAX + 1];
    struct rtmsg *r = nlmsg_data(h);
    if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*r), at, RTA_MAX, NULL) < 0)
        return;
    struct net_addr a = {.family = r->rtm_family, .prefix = r->rtm_dst_len};
    struct net_addr g = {.family = r->rtm_family, .prefix = 8u * (unsigned)net_addr_len(&a)};
    int link = at[RTA_OIF] ? (int)nla_get_u32(at[RTA_OIF]) : 0;
    if (at[RTA_GATEWAY] && nla_len(at[RTA_GATEWAY]) >= net_addr_len(&g)) {
        memcpy(g.bytes, nla_data(at[RTA_GATEWAY]), (size_t)net_addr_len(&g));
        *vec_add(out->gateways) = (struct net_addr_info){.addr = g, .index = link};
    }
    if (!at[RTA_DST] || !a.prefix || !net_addr_len(&a) || nla_len(at[RTA_DST]) < net_addr_len(&a))
        return; /* default routes hide nothing */
    memcpy(a.bytes, nla_data(at[RTA_DST]), (size_t)net_addr_len(&a));
    *vec_add(out->covered) = (struct net_addr_info){.addr = a, .index = link};
}

int net_routes(struct nl_sock *s, net_addr_list *out, net_addr_list *gateways, struct err *e)
{
    struct routes both = {out, gateways};
    struct rtmsg r = {.rtm_family = AF_UNSPEC};
    return net_nl_dump(s, RTM_GETROUTE, NLM_F_DUMP, &r, sizeof(r), on_route, &both, e);
}

int net_leftovers(struct net_ctx *c, char ***links, struct err *e)
{
    struct nl_sock *s;
    net_link_list v = {0};
    char prefix[6], **found = NULL;
    net_link_prefix(c->instance, prefix);
    int r = net_ctx_rt(c, &s, e);
    if (r == 0)
        r = net_links(s, NULL, &v, e);
    for (unsigned i = 0; r == 0 && i < v.len; i++) {
        char name[16]; /* an ifb bears its veth's name with another second letter */
        snprintf(name, sizeof(name), "%s", v.at[i].name);
        if (name[1] == 'i')
            name[1] = 'z';
        if (str_starts(name, prefix))
            strv_add(&found, v.at[i].name);
    }
    vec_done(&v);
    if (r == 0)
        *links = found;
    return r;
}
