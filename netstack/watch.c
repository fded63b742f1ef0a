/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells when somebody else changed the nft ruleset: tables flushed or reloaded under us, chains of other firewalls that come
 * and go. The kernel says what changed, then (in the message of the new generation) who did it. Reads only; never waits. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define ROOM                                                                                                 \
    (64                                                                                                      \
     << 20) /* 10,000 rules exchanged are some 20 MB of news, which wait while zoned works on; used only as filled */

struct net_watch {
    struct nl_sock *s;
    unsigned runs; /* of our own transactions, at the last reading */
    char instance[32];
    bool ours, others; /* of the generation that is being told */
};

int net_watch_open(const char *instance, struct net_watch **out, struct err *e)
{
    struct nl_sock *s = NULL;
    int group = NFNLGRP_NFTABLES, room = ROOM, r = net_nl_open(NETLINK_NETFILTER, &s, e);
    if (r < 0)
        return r;
    int fd = nl_socket_get_fd(s);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
        r = err_sys(e, "listen to nftables");
        net_nl_close(s);
        return r;
    }
    struct net_watch *w = xcalloc(1, sizeof(*w));
    w->s = s;
    snprintf(w->instance, sizeof(w->instance), "%s", instance);
    *out = w;
    return 0;
}

int net_watch_fd(const struct net_watch *w)
{
    return nl_socket_get_fd(w->s);
}

void net_watch_close(struct net_watch *w)
{
    if (w)
        net_nl_close(w->s);
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

/* By the process's name: its number is the kernel's, which differs from ours in a pid namespace. */
static bool by_us(const struct nlmsghdr *h)
{
    char name[16] = "";
    (void)prctl(PR_GET_NAME, name, 0, 0, 0);
    return str_eq(text_of(h, NFTA_GEN_PROC_NAME), name);
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

unsigned net_watch_read(struct net_watch *w)
{
    static char buf[65536];
    unsigned found = 0;
    for (;;) {
        ssize_t n = recv(net_watch_fd(w), buf, sizeof(buf), MSG_DONTWAIT);
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
