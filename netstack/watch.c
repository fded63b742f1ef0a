/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells when somebody else changed the nft ruleset: tables flushed or reloaded under us, chains of other firewalls that come
 * and go. The kernel says what changed, then (in the message of the new generation) who did it. And when the host's switches
 * of forwarding change: Docker and podman turn it on for their own. And when the host gets or loses an address. And of the few
 * links of the host that networks hang on, of our bridges and zones' host ends. Reads only; never waits. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netconf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define ROOM                                                                                                 \
    (64                                                                                                      \
     << 20) /* 10,000 rules exchanged are some 20 MB of news, which wait while zoned works on; used only as filled */

#define LINKS_ROOM (4 << 20) /* a thousand zones that start tell of some thousand links of 1 to 2 KB */

#define ENDS_MAX 256u

struct watched {
    char name[16];
    int index; /* as it was told last: what gets another name is told of, too */
    bool ours;
};
struct net_watch {
    int both;           /* epoll of these */
    struct nl_sock *s;  /* nftables */
    struct nl_sock *rt; /* switches, addresses, links */
    VEC(struct watched) links;
    char prefix[6]; /* of zones' host ends */
    char **ends;
    unsigned nends;
    unsigned runs; /* of our own transactions, at the last reading */
    char instance[32];
    bool ours, others; /* of the generation that is being told */
};

static int join(struct nl_sock *s, int group, struct err *e)
{
    return setsockopt(nl_socket_get_fd(s), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0
               ? err_sys(e, "listen to netlink group %d", group)
               : 0;
}

static int open_both(struct net_watch *w, struct err *e)
{
    int room = ROOM, r = net_nl_open(NETLINK_NETFILTER, &w->s, e);
    r = r < 0 ? r : net_nl_open(NETLINK_ROUTE, &w->rt, e);
    w->both = r < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (r < 0 || w->both < 0)
        return r < 0 ? r : err_sys(e, "epoll");
    struct nl_sock *all[] = {w->s, w->rt};
    for (unsigned i = 0; i < 2; i++) {
        struct epoll_event ev = {.events = EPOLLIN};
        if (epoll_ctl(w->both, EPOLL_CTL_ADD, nl_socket_get_fd(all[i]), &ev) < 0)
            return err_sys(e, "epoll");
    }
    (void)setsockopt(nl_socket_get_fd(w->s), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    r = join(w->s, NFNLGRP_NFTABLES, e);
    static const int groups[] = {RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, RTNLGRP_IPV4_IFADDR,
                                 RTNLGRP_IPV6_IFADDR};
    for (unsigned i = 0; i < ARRAY_LEN(groups) && r == 0; i++)
        r = join(w->rt, groups[i], e);
    return r;
}

static void watch(struct net_watch *w, char *const *names, bool ours)
{
    for (; names && *names; names++) {
        struct watched *l = vec_add(&w->links);
        snprintf(l->name, sizeof(l->name), "%s", *names);
        l->index = net_ifindex(nl_socket_get_fd(w->rt), *names);
        l->ours = ours;
    }
}

int net_watch_links(struct net_watch *w, char *const *parents, char *const *bridges, struct err *e)
{
    int fd = nl_socket_get_fd(w->rt), room = LINKS_ROOM, group = RTNLGRP_LINK;
    bool had = w->links.len > 0;
    w->links.len = 0;
    watch(w, parents, false);
    watch(w, bridges, true);
    if (had == (w->links.len > 0))
        return 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    if (!had)
        return join(w->rt, group, e);
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group));
    return 0;
}

bool net_watch_ends(struct net_watch *w, char ***names)
{
    bool any = w->nends > 0;
    if (w->nends > ENDS_MAX)
        strv_free(w->ends), w->ends = NULL;
    *names = take_ptr(&w->ends);
    w->nends = 0;
    return any;
}

int net_watch_open(const char *instance, struct net_watch **out, struct err *e)
{
    struct net_watch *w = xcalloc(1, sizeof(*w));
    w->both = -1;
    snprintf(w->instance, sizeof(w->instance), "%s", instance);
    net_link_prefix(instance, w->prefix);
    int r = open_both(w, e);
    if (r < 0)
        net_watch_close(w);
    else
        *out = w;
    return r;
}

int net_watch_fd(const struct net_watch *w)
{
    return w->both;
}

void net_watch_close(struct net_watch *w)
{
    if (!w)
        return;
    net_nl_close(w->s);
    net_nl_close(w->rt);
    close_fd(&w->both);
    vec_done(&w->links);
    strv_free(w->ends);
    free(w);
}

/* A text among the attributes of a message, or NULL. */
static const char *text_of(const struct nlmsghdr *h, uint16_t type)
{
    const struct nlattr *a = mnl_nlmsg_get_payload_offset(h, sizeof(struct nfgenmsg));
    const char *end = mnl_nlmsg_get_payload_tail(h);
    for (; mnl_attr_ok(a, (int)(end - (const char *)a)); a = mnl_attr_next(a))
        if (mnl_attr_get_type(a) == type)
            return mnl_attr_get_str(a);
    return NULL;
}

/* The attribute with the table's name is number 1 in messages of tables, chains and rules. */
static bool is_table(const struct net_watch *w, const struct nlmsghdr *h)
{
    return str_eq(text_of(h, 1), w->instance);
}

/* By the process's name: its number is the kernel's, which differs from ours in a pid namespace. Supervisors put in and take away
 * what is their zones'. */
static bool by_us(const struct nlmsghdr *h)
{
    char name[16] = "";
    const char *who = text_of(h, NFTA_GEN_PROC_NAME);
    (void)prctl(PR_GET_NAME, name, 0, 0, 0);
    return str_eq(who, name) || (who && str_starts(who, NET_SUPERVISOR));
}

static unsigned take(struct net_watch *w, const struct nlmsghdr *h)
{
    unsigned found = 0;
    switch (h->nlmsg_type & 0xff) {
    case NFT_MSG_DELTABLE:
    case NFT_MSG_DELCHAIN:
    case NFT_MSG_DELRULE:
        if (is_table(w, h))
            w->ours = true;
        else
            w->others = true;
        break;
    case NFT_MSG_DELSETELEM:
        w->ours |= is_table(w, h);
        break;
    case NFT_MSG_NEWCHAIN:
        w->others |= !is_table(w, h);
        break;
    case NFT_MSG_NEWGEN:
        if (!by_us(h))
            found = (w->ours ? NET_WATCH_OURS : 0) | (w->others ? NET_WATCH_OTHERS : 0);
        w->ours = w->others = false;
        break;
    default:
        break;
    }
    return found;
}

static char buf[65536];

/* The switch of all links, not those that we turn ourselves. */
static bool of_all(const struct nlmsghdr *h)
{
    struct nlattr *at[NETCONFA_MAX + 1];
    struct netconfmsg *m = nlmsg_data(h);
    return h->nlmsg_type == RTM_NEWNETCONF &&
           nlmsg_parse((struct nlmsghdr *)h, sizeof(*m), at, NETCONFA_MAX, NULL) >= 0 &&
           at[NETCONFA_IFINDEX] && at[NETCONFA_FORWARDING] &&
           (int)nla_get_u32(at[NETCONFA_IFINDEX]) == NETCONFA_IFINDEX_ALL;
}

static void told_end(struct net_watch *w, const char *name)
{
    if (w->nends <= ENDS_MAX && !strv_has(w->ends, name)) {
        strv_add(&w->ends, name);
        w->nends++;
    }
}

/* Of a thousand links that come and go few are watched, and the name lies at the front of the message. What we do ourselves
 * makes a bridge of ours more than it was, or zoned knows of it. */
static unsigned of_link(struct net_watch *w, const struct nlmsghdr *h)
{
    const struct ifinfomsg *i = nlmsg_data(h);
    struct nlattr *a = nlmsg_find_attr((struct nlmsghdr *)h, sizeof(*i), IFLA_IFNAME);
    const char *name = a ? nla_get_string(a) : "";
    bool there = h->nlmsg_type == RTM_NEWLINK, is = false;
    if (!a || i->ifi_family != AF_UNSPEC)
        return 0;
    for (unsigned k = 0; k < w->links.len; k++) {
        struct watched *l = &w->links.at[k];
        bool named = !strcmp(name, l->name), same = l->index == i->ifi_index;
        is |= (named || same) && !(l->ours && named && same && there && i->ifi_flags & IFF_UP);
        if (named)
            l->index = there ? i->ifi_index : -1;
        else if (same)
            l->index = -1;
        if (named)
            return is ? NET_WATCH_LINKS : 0;
    }
    if (is || !str_starts(name, w->prefix))
        return is ? NET_WATCH_LINKS : 0;
    if (there && i->ifi_flags & IFF_UP && nlmsg_find_attr((struct nlmsghdr *)h, sizeof(*i), IFLA_MASTER))
        return 0;
    told_end(w, name);
    return NET_WATCH_ENDS;
}

static bool is_bridge(const struct net_watch *w, int index)
{
    for (unsigned k = 0; k < w->links.len; k++)
        if (w->links.at[k].ours && w->links.at[k].index == index)
            return true;
    return false;
}

static bool shut(const struct net_watch *w, const struct nlmsghdr *h)
{
    struct nlattr *at[NETCONFA_MAX + 1];
    return nlmsg_parse((struct nlmsghdr *)h, sizeof(struct netconfmsg), at, NETCONFA_MAX, NULL) >= 0 &&
           at[NETCONFA_IFINDEX] && at[NETCONFA_FORWARDING] && !nla_get_u32(at[NETCONFA_FORWARDING]) &&
           is_bridge(w, (int)nla_get_u32(at[NETCONFA_IFINDEX]));
}

static unsigned of_message(struct net_watch *w, const struct nlmsghdr *h)
{
    switch (h->nlmsg_type) {
    case RTM_NEWNETCONF:
        return (of_all(h) ? NET_WATCH_SWITCHES : 0) | (shut(w, h) ? NET_WATCH_LINKS : 0);
    case RTM_NEWADDR:
        return NET_WATCH_ADDRS;
    case RTM_DELADDR:
        return NET_WATCH_ADDRS |
               (is_bridge(w, (int)((const struct ifaddrmsg *)nlmsg_data(h))->ifa_index) ? NET_WATCH_LINKS
                                                                                        : 0);
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return of_link(w, h);
    default:
        return 0;
    }
}

static unsigned read_switches(struct net_watch *w)
{
    unsigned found = 0;
    for (;;) {
        ssize_t n = recv(nl_socket_get_fd(w->rt), buf, sizeof(buf), MSG_DONTWAIT);
        if (n < 0 && errno == ENOBUFS) {
            w->nends = ENDS_MAX + 1;
            found |= NET_WATCH_SWITCHES | NET_WATCH_LINKS | NET_WATCH_ADDRS | NET_WATCH_ENDS;
        } else if (n <= 0 && !(n < 0 && errno == EINTR)) {
            return found;
        }
        for (struct nlmsghdr *h = (void *)buf; n > 0 && NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n))
            found |= of_message(w, h);
    }
}

unsigned net_watch_read(struct net_watch *w)
{
    unsigned found = read_switches(w);
    for (;;) {
        ssize_t n = recv(nl_socket_get_fd(w->s), buf, sizeof(buf), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 &&
            errno ==
                ENOBUFS) { /* what was lost may have been ours; after work of our own it was that work's news */
            found |= NET_WATCH_OTHERS | (w->runs == net_table_runs() ? NET_WATCH_OURS : 0);
            continue;
        }
        if (n <= 0) {
            w->runs = net_table_runs();
            return found;
        }
        for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n))
            found |= take(w, h);
    }
}
