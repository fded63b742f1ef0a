/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's network, up and down. Up crosses into the kernel a fixed number of times: one batch of links on
 * the host, one batch inside the zone, one nft transaction. Down is the undo of each and of all: links by
 * name, elements by key and data; what is not there is success, so rollback, stop and recovery are the same
 * call. May assume: the network is up. Must never delete a link or element that is not this plan's. */
#include "base/clock.h"
#include "base/proc.h"
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <sys/syscall.h>

#define LINKS_MAX 16u
#define NAME_WAIT_US 200000u
#define SOURCE_TABLES 1000u /* routing tables of a zone's links, by the number in the name */
#define MAC_WAIT_US 10000u
#define MAC_TRIES 300u

static int check(const struct net_ctx *c, const struct net_link_plan *links, unsigned n, struct err *e)
{
    char prefix[6];
    net_link_prefix(c->instance, prefix);
    if (n > LINKS_MAX)
        return err_set(e, ERR_LIMIT, E2BIG, "a zone has at most %u links", LINKS_MAX);
    for (unsigned i = 0; i < n; i++) /* the anti-spoofing chain knows our links by this prefix */
        if (!str_starts(links[i].host_ifname, prefix) || strnlen(links[i].host_ifname, 16) > 15)
            return err_set(e, ERR_INVALID, EINVAL,
                           "link %.15s: the host's end must be named by net_host_ifname",
                           links[i].host_ifname);
    return 0;
}

bool net_has_pair(const struct net_link_plan *l)
{
    return l->network.type != SPEC_NET_MACVLAN;
}

/* Of a link's two names the host's is by its start alone; the other may be one that the zone gave a link itself. */
static int born(struct nl_sock *s, struct net_batch *b, const struct net_link_plan *l, struct err *e)
{
    struct err own = {0};
    int r = net_batch_send(s, b, net_has_pair(l) ? l->host_ifname : l->ifname, &own);
    if (own.code != EEXIST || if_nametoindex(l->host_ifname))
        return r < 0 ? err_set(e, own.kind, own.code, "%s", own.text) : 0;
    r = err_set(e, ERR_CONFLICT, EEXIST,
                "network %s: the zone has a link %s of its own making, and this one is to bear that name",
                l->network.name, l->ifname);
    err_hint(e, "give that one another name, inside: ip link set %s name NAME (while it is down)", l->ifname);
    return r;
}

static int macvlan(struct nl_sock *s, const struct net_link_plan *l, int ns, unsigned *made, struct err *e)
{
    struct net_batch b = {0};
    int parent = net_ifindex(nl_socket_get_fd(s), l->network.parent);
    if (parent < 0)
        return err_set(e, ERR_NOT_FOUND, ENODEV, "network %s: this host has no link %s", l->network.name,
                       l->network.parent);
    net_msg_macvlan(&b, l, parent, ns);
    int r = born(s, &b, l, e);
    *made += r == 0 || b.lost;
    return r;
}

/* A port of a bridge needs no IPv6 of its own. With it each port that is up has a route to ff00::/8, all of them in one list of the
 * host's table, which the kernel walks whenever a link comes or goes: a millisecond and a half among a thousand (6.18). It would
 * also announce itself. While down, because going up makes the route; no netlink message says this. */
static int without_ipv6(struct net_ctx *c, const char *ifname, struct err *e)
{
    char path[64];
    struct err own = {0};
    snprintf(path, sizeof(path), "sys/net/ipv6/conf/%.15s/disable_ipv6", ifname);
    int procfs = net_ctx_procfs(c, e);
    if (procfs < 0)
        return procfs;
    int r = procfs_write(procfs, path, "1", &own);
    return r < 0 && r != -ENOENT ? err_set(e, own.kind, own.code, "%s", own.text)
                                 : 0; /* a kernel without IPv6 */
}

/* Host side: each pair, then its host end quiet and up. made: how many were born, or may have been. */
static int host_links(struct net_ctx *c, struct nl_sock *s, const struct net_link_plan *links, unsigned n,
                      int ns, unsigned *made, struct err *e)
{
    bool hairpin = n && net_bridge_nf(c);
    *made = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct net_link_plan *l = &links[i];
        struct net_batch b = {0};
        if (!net_has_pair(l)) {
            int r = macvlan(s, l, ns, made, e);
            if (r < 0)
                return r;
            continue;
        }
        int bridge = net_ifindex(nl_socket_get_fd(s), l->network.bridge);
        if (bridge < 0)
            return err_set(e, ERR_INTERNAL, ENODEV, "network %s is not up: no bridge %s", l->network.name,
                           l->network.bridge);
        net_msg_veth(&b, l, bridge, ns);
        int r = born(s, &b, l, e);
        *made += r == 0 || b.lost;
        if (r == -EXFULL)
            err_hint(e, "a bridge holds 1,023 ports: put the zone on another network");
        if (r < 0)
            return r;
        if ((r = without_ipv6(c, l->host_ifname, e)) < 0)
            return r;
        net_msg_no_addrconf(&b, l->host_ifname); /* for the day on which somebody turns IPv6 on everywhere */
        net_msg_port(&b, l->host_ifname, hairpin);
        net_msg_up(&b, l->host_ifname, 0);
        r = net_batch_send(s, &b, l->host_ifname, e);
        if (r < 0)
            return r;
        if (net_shape_wanted(l) && (r = net_shape_up(s, l, e)) < 0)
            return r;
    }
    return 0;
}

/* On a LAN without an address of ours the zone configures itself, and so does one that asks. */
static bool itself(const struct net_link_plan *l)
{
    return l->dhcp || (!net_routed_by_us(&l->network) && !l->addr4.family && !l->addr6.family);
}

unsigned net_link_table(const struct net_link_plan *l)
{
    return SOURCE_TABLES + (unsigned)atoi(l->ifname + strcspn(l->ifname, "0123456789"));
}

void net_msg_routes(struct net_batch *b, const struct net_link_plan *l, int index)
{
    const struct net_addr *addr[] = {&l->addr4, &l->addr6},
                          *gw[] = {&l->network.gateway4, &l->network.gateway6};
    for (unsigned i = 0; i < 2; i++)
        if (addr[i]->family && gw[i]->family && l->default_route)
            net_msg_default_route(b, index, gw[i]);
        else if (addr[i]->family && gw[i]->family)
            net_msg_source_route(b, index, addr[i], gw[i], net_link_table(l));
}

static void msg_inside(struct net_batch *b, const struct net_link_plan *l, int index)
{
    if (!itself(l))
        net_msg_no_addrconf(b, l->ifname);
    net_msg_up(b, NULL, index);
    if (l->dhcp)
        return;
    if (l->addr4.family)
        net_msg_addr(b, index, &l->addr4);
    if (l->addr6.family) {
        struct net_addr local = net_link_local(l->mac);
        net_msg_addr(b, index, &local);
        net_msg_addr(b, index, &l->addr6);
    }
    net_msg_routes(b, l, index);
}

/* The macvlan of a start before this one bears the same MAC, and goes some time after its namespace: until then the kernel
 * refuses to set the new one up. All of it may be said again. */
static int inside_one(struct nl_sock *s, const struct net_link_plan *l, struct err *e)
{
    for (unsigned tries = 0;; tries++) {
        struct net_batch b = {0};
        struct err own = {0};
        int index = net_ifindex(nl_socket_get_fd(s), l->ifname);
        if (index < 0)
            return err_sysk(e, ERR_INTERNAL, -index, "%s in the zone", l->ifname);
        msg_inside(&b, l, index);
        int r = net_batch_send(s, &b, "inside the zone", &own);
        if (r == 0)
            return 0;
        if (own.code != EADDRINUSE || net_has_pair(l) || tries == MAC_TRIES)
            return err_set(e, own.kind, own.code, "%s", own.text);
        usleep(MAC_WAIT_US);
    }
}

/* A link that configures itself listens to the LAN's router; 2, because the namespace may forward, and because the zone's
 * set-up silences what is not 2. */
static int hear_routers(struct net_ctx *c, const struct net_link_plan *links, unsigned n, int ns,
                        struct err *e)
{
    unsigned wanted = 0;
    for (unsigned i = 0; i < n; i++)
        wanted += itself(&links[i]);
    if (!wanted)
        return 0;
    int procfs = net_ctx_procfs(c, e);
    auto_fd int own = procfs < 0 ? procfs : net_ns_own(e);
    if (own < 0 || net_ns_enter(ns, e) < 0)
        return -EIO;
    for (unsigned i = 0; i < n; i++) {
        char path[64];
        snprintf(path, sizeof(path), "sys/net/ipv6/conf/%.15s/accept_ra", links[i].ifname);
        if (itself(&links[i]))
            (void)procfs_write(procfs, path, "2", NULL); /* no such file: a kernel without IPv6 */
    }
    net_ns_return(own);
    return 0;
}

static int inside(struct nl_sock *s, const struct net_link_plan *links, unsigned n, struct err *e)
{
    struct net_batch b = {0};
    net_msg_up(&b, NULL, 1); /* lo is the first link of every namespace */
    unsigned i = 0;
    if (n && net_has_pair(&links[0])) { /* nearly always there is one link: one crossing for both */
        int index = net_ifindex(nl_socket_get_fd(s), links[0].ifname);
        if (index >= 0)
            msg_inside(&b, &links[i++], index);
    }
    int r = net_batch_send(s, &b, "inside the zone", e);
    for (; r == 0 && i < n; i++)
        r = inside_one(s, &links[i], e);
    return r;
}

int net_zone_socket(int ns, struct nl_sock **out, struct err *e)
{
    auto_fd int own = net_ns_own(e);
    if (own < 0)
        return own;
    int r = net_ns_enter(ns, e);
    if (r < 0)
        return r;
    r = net_nl_open(NETLINK_ROUTE, out, e);
    net_ns_return(own);
    return r;
}

static int add_elements(struct net_ctx *c, const struct net_link_plan *links, unsigned n, bool one_zone,
                        struct err *e)
{
    struct net_nft *nft;
    net_elems v = {0};
    int busy = -1, r = n ? net_ctx_nft(c, &nft, e) : 0;
    for (unsigned i = 0; i < n; i++)
        net_elems_of_source(&v, &links[i]);
    for (unsigned i = 0; i < n; i++)
        net_elems_of_ports(&v, &links[i]);
    if (one_zone)
        net_elems_of_self(&v, links, n);
    if (r == 0 && v.len) {
        struct err own = {0};
        r = net_nft_add(nft, c->instance, &v, &busy, &own);
        if (r < 0 && busy >= 0 && v.at[busy].family == NFPROTO_INET) {
            char what[96];
            net_elem_describe(&v.at[busy], what, sizeof(what));
            r = err_set(e, ERR_CONFLICT, EADDRINUSE, "%s is published by another zone", what);
        } else if (r < 0) {
            r = err_set(e, own.kind, own.code, "%s", own.text);
        }
    }
    vec_done(&v);
    return r;
}

int net_zone_elements(struct net_ctx *c, const struct net_link_plan *links, unsigned n, struct err *e)
{
    return add_elements(c, links, n, false, e);
}

static int del_elements(struct net_ctx *c, const struct net_link_plan *links, unsigned n, struct err *e)
{
    struct net_nft *nft;
    net_elems v = {0};
    int r = n ? net_ctx_nft(c, &nft, e) : 0;
    for (unsigned i = 0; i < n; i++)
        net_elems_of_source(&v, &links[i]);
    for (unsigned i = 0; i < n; i++)
        net_elems_of_ports(&v, &links[i]);
    net_elems_of_self(&v, links, n);
    if (r == 0 && v.len)
        r = net_nft_del(nft, c->instance, &v, e);
    vec_done(&v);
    return r;
}

/* By index: a name may be another link's by the time that a child who deletes behind our back gets on. */
static void del_one(struct net_batch *b, struct nl_sock *s, const char *name)
{
    int index = net_ifindex(nl_socket_get_fd(s), name);
    if (index > 0)
        net_msg_del_index(b, index);
}

static void del_batch(struct net_batch *b, struct nl_sock *s, const struct net_link_plan *links, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char ifb[16];
        if (!net_has_pair(&links[i])) /* goes with the namespace, or by net_zone_leave */
            continue;
        del_one(b, s, links[i].host_ifname);
        net_shape_ifb(links[i].host_ifname, ifb);
        if (links[i].rate_out != SPEC_UNSET)
            del_one(b, s, ifb);
    }
}

static int del_links(struct nl_sock *s, const struct net_link_plan *links, unsigned n, struct err *e)
{
    struct net_batch b = {0};
    del_batch(&b, s, links, n);
    return net_batch_send(s, &b, "links", e);
}

/* Deleting a link takes 0.3 ms of work and then 15–25 ms in rcu_barrier, without RTNL and with the name
 * already free (6.18, netdev_run_todo). A child waits that out. It keeps no descriptor but the socket, since
 * the caller's locks and pipes must not outlive the caller; no signal tells of its end (exit signal 0), so a
 * loop on SIGCHLD never meets it. */
static int del_links_behind(struct net_ctx *c, struct nl_sock *s, const struct net_link_plan *links,
                            unsigned n, struct err *e)
{
    struct clone_args args = {.exit_signal = 0};
    struct net_batch b = {0};
    net_reap(c, true);
    del_batch(&b, s, links, n);
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid < 0) {
        net_batch_done(&b);
        return del_links(s, links, n, e);
    }
    if (pid == 0) {
        unsigned fd = (unsigned)nl_socket_get_fd(s);
        if (fd)
            close_range(0, fd - 1, 0);
        close_range(fd + 1, ~0u, 0);
        _exit(net_batch_send(s, &b, "links", NULL) < 0);
    }
    net_batch_done(&b);
    c->deleter = pid;
    net_nl_close(take_ptr(&c->rt)); /* the answers in its queue are the child's */
    return 0;
}

/* The names are free within a millisecond, long before the deleting child may end. The look-up by name takes no lock, so
 * giving up the CPU is all that the child needs; a child that failed is made good for by deleting here. */
static int await_names(struct nl_sock *s, const struct net_link_plan *links, unsigned n, struct err *e)
{
    uint64_t until = clock_mono_us() + NAME_WAIT_US;
    for (unsigned i = 0; i < n; i++) {
        char ifb[IFNAMSIZ] = "";
        if (links[i].rate_out != SPEC_UNSET)
            net_shape_ifb(links[i].host_ifname, ifb);
        while (if_nametoindex(links[i].host_ifname) || (*ifb && if_nametoindex(ifb))) {
            if (clock_mono_us() > until)
                return del_links(s, links, n, e);
            sched_yield();
        }
    }
    return 0;
}

/* What is left inside when links go: the rules of their addresses; and links without a host end, which are told by their MAC,
 * because a zone may have given its link another name. */
int net_leave_inside(const struct net_link_plan *links, unsigned n, int ns, struct err *e)
{
    struct nl_sock *s = NULL;
    struct net_batch b = {0};
    net_link_list v = {0};
    int r = net_zone_socket(ns, &s, e);
    if (r < 0)
        return r;
    r = net_links(s, NULL, &v, e);
    for (unsigned i = 0; r == 0 && i < n; i++) {
        for (unsigned k = 0; k < v.len; k++)
            if (!net_has_pair(&links[i]) && !strcmp(v.at[k].kind, "macvlan") &&
                !memcmp(v.at[k].mac, links[i].mac, 6))
                net_msg_del_index(&b, v.at[k].index);
        if (links[i].addr4.family)
            net_msg_no_source_route(&b, &links[i].addr4, net_link_table(&links[i]));
        if (links[i].addr6.family)
            net_msg_no_source_route(&b, &links[i].addr6, net_link_table(&links[i]));
        r = net_batch_send(s, &b, "links of the zone", e);
    }
    vec_done(&v);
    net_nl_close(s);
    return r;
}

int net_zone_up(struct net_ctx *c, const struct net_link_plan *links, unsigned nlinks, int netns_fd,
                int hold[64], unsigned *nhold, struct err *e)
{
    struct nl_sock *host = NULL, *zone = NULL;
    int sockets[64];
    unsigned nsockets = 0, made = 0;
    int r = check(c, links, nlinks, e);
    if (r == 0 && hold)
        r = net_hold(links, nlinks, sockets, &nsockets, e);
    if (r == 0)
        r = net_ctx_rt(c, &host, e);
    if (r == 0)
        r = host_links(c, host, links, nlinks, netns_fd, &made, e);
    if (r == 0)
        r = net_zone_socket(netns_fd, &zone, e);
    if (r == 0)
        r = hear_routers(c, links, nlinks, netns_fd, e);
    if (r == 0)
        r = inside(zone, links, nlinks, e);
    net_nl_close(zone);
    if (r == 0)
        r = add_elements(c, links, nlinks, true, e); /* all or none: nothing of it to undo */
    if (r < 0) {
        if (made) {
            del_links(host, links, made, NULL);
            net_leave_inside(links, made, netns_fd, NULL);
        }
        for (unsigned i = 0; i < nsockets; i++)
            close_fd(&sockets[i]);
        return r;
    }
    if (hold) {
        memcpy(hold, sockets, nsockets * sizeof(int));
        *nhold = nsockets;
    }
    return 0;
}

int net_zone_down(struct net_ctx *c, const struct net_link_plan *links, unsigned nlinks, struct err *e)
{
    struct nl_sock *s = NULL;
    int r = check(c, links, nlinks, e), q;
    if (r < 0 || !nlinks)
        return r;
    r = del_elements(c, links, nlinks, e); /* unpublish first: nobody is sent to an address that is going */
    q = net_ctx_rt(c, &s, e);
    if (q == 0)
        q = del_links_behind(c, s, links, nlinks, e); /* whatever r is */
    return r < 0 ? r : q;
}

int net_zone_gone(struct net_ctx *c, const struct net_link_plan *links, unsigned nlinks, struct err *e)
{
    struct nl_sock *s = NULL;
    int r = check(c, links, nlinks, e);
    if (r < 0 || !nlinks)
        return r;
    r = net_ctx_rt(c, &s, e);
    return r < 0 ? r : await_names(s, links, nlinks, e);
}
