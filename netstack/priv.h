/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of netstack share; nobody outside includes it. */
#pragma once
#include "base/auto.h"
#include "base/str.h"
#include "netstack/netstack.h"
#include <sys/types.h>
#include <sys/uio.h>

struct nl_msg;
struct nl_sock;
struct nlmsghdr;

/* ---- nl: sockets, batches, acknowledgements ---- */
#define NET_TRIES 5u
bool net_again(int code);       /* "not now": nothing was done */
void net_pause(unsigned tries); /* 1, 2, 4 … ms */
struct net_ack {
    int error;      /* 0 or positive errno; -1 = none arrived */
    char text[160]; /* what the kernel said */
};
/* Sends the messages (consecutive sequence numbers from seq) in one crossing and reads their
 * acknowledgements. 0, or -errno when the crossing itself failed. */
int net_nl_send(int fd, struct iovec *iov, unsigned niov);
int net_nl_exchange(int fd, struct iovec *iov, unsigned niov, uint32_t seq, unsigned n, struct net_ack *acks);
int net_nl_open(int protocol, struct nl_sock **out, struct err *e);
void net_nl_close(struct nl_sock *s);

#define NET_BATCH_MAX 40
struct net_batch {
    struct nl_msg *msg[NET_BATCH_MAX];
    const char *what[NET_BATCH_MAX]; /* for the error text: "create veth vz…" */
    int fine[NET_BATCH_MAX];         /* an errno that is success here (EEXIST, ENODEV), or 0 */
    unsigned n;
    int failed; /* index of the first that failed, or -1 */
    bool lost;  /* by the loss of its answer: it may have been done */
};
struct nl_msg *net_batch_add(struct net_batch *b, int type, int flags, const void *head, size_t size,
                             const char *what);
void net_batch_fine(struct net_batch *b, int error); /* for the message added last */
int net_batch_send(struct nl_sock *s, struct net_batch *b, const char *subject, struct err *e);
void net_batch_done(struct net_batch *b);
/* Calls fn for each answer of a dump (or of a single request). */
int net_nl_dump(struct nl_sock *s, int type, int flags, const void *head, size_t size,
                void (*fn)(struct nlmsghdr *h, void *data), void *data, struct err *e);

/* ---- ctx ---- */
struct net_nft;
struct net_ctx {
    char instance[32];
    pid_t owner; /* the process that opened what follows */
    struct nl_sock *rt;
    struct net_nft *nft;
    int procfs;
    pid_t deleter; /* a child that deletes links, 0 = none */
};
void net_reap(struct net_ctx *c, bool block);
int net_ctx_rt(struct net_ctx *c, struct nl_sock **out, struct err *e);
int net_ctx_nft(struct net_ctx *c, struct net_nft **out, struct err *e);
int net_ctx_procfs(struct net_ctx *c, struct err *e);

/* ---- netns ---- */
int net_ns_own(struct err *e); /* fd of the caller's network namespace */
int net_ns_enter(int ns, struct err *e);
/* Comes back; a process that cannot is in a foreign namespace and must not go on: it ends. */
void net_ns_return(int own);

/* ---- link, addr, route: one message each ---- */
int net_ifindex(int sock, const char *name);                          /* -errno */
int net_bridge_index(struct nl_sock *s, const struct net_network *n); /* -ENODEV: none, or of another kind */
void net_msg_veth(struct net_batch *b, const struct net_link_plan *l, int bridge, int ns);
void net_msg_no_addrconf(struct net_batch *b, const char *ifname); /* no IPv6 of the kernel's own making */
void net_msg_up(struct net_batch *b, const char *ifname, int index);
void net_msg_port(struct net_batch *b, const char *ifname, bool hairpin);
void net_msg_del(struct net_batch *b, const char *ifname);
void net_msg_bridge(struct net_batch *b, const struct net_network *n);
void net_msg_master(struct net_batch *b, const char *ifname, int master); /* 0 = none */
void net_msg_macvlan(struct net_batch *b, const struct net_link_plan *l, int parent, int ns);
void net_msg_del_index(struct net_batch *b, int index);
void net_msg_addr(struct net_batch *b, int index, const struct net_addr *a);
void net_msg_default_route(struct net_batch *b, int index, const struct net_addr *gateway);
void net_msg_no_default_route(struct net_batch *b, int index, const struct net_addr *gateway);
/* Answers leave by the link that they came in at: what bears the link's address has a table with the link's gateway. */
void net_msg_source_route(struct net_batch *b, int index, const struct net_addr *addr,
                          const struct net_addr *gateway, unsigned table);
void net_msg_no_source_route(struct net_batch *b, const struct net_addr *addr, unsigned table);
/* Name, kind and bridge of every link. */
struct net_link_info {
    char name[16], kind[16];
    unsigned char mac[6];
    bool up;
    int index, master;
    unsigned mtu;
};
typedef VEC(struct net_link_info) net_link_list;
int net_links(struct nl_sock *s, const char *only, net_link_list *out, struct err *e);
struct net_addr net_link_local(const unsigned char mac[6]);
struct net_addr net_addr_last(const struct net_addr *subnet); /* IPv4: to all in it */
int net_addr_len(const struct net_addr *a);                   /* bytes of the family: 4, 16, 0 */
struct net_addr_info {
    struct net_addr addr;
    int index, scope;
};
typedef VEC(struct net_addr_info) net_addr_list;
int net_addrs(struct nl_sock *s, net_addr_list *out, struct err *e);
/* Of all tables: what they cover, and the gateways of all of them, with the link that they lead to (0: none). */
int net_routes(struct nl_sock *s, net_addr_list *out, net_addr_list *gateways, struct err *e);

/* whole.c: a bridge of ours that somebody gave another name has its own again */
int net_bridge_named(struct nl_sock *s, const struct net_network *n, struct err *e);

/* ---- zone ---- */
int net_zone_socket(int ns, struct nl_sock **out, struct err *e); /* NETLINK_ROUTE inside */
/* The chain ("ip filter", "DOCKER-USER") is one that other firewalls keep for such as us, and accepts these bridges. */
bool net_hooks_pass(struct net_ctx *c, const char *table, const char *chain, char *const *bridges);
unsigned net_link_table(const struct net_link_plan *l);
void net_msg_routes(struct net_batch *b, const struct net_link_plan *l,
                    int index); /* the default one, or its own */
int net_leave_inside(const struct net_link_plan *links, unsigned n, int ns, struct err *e);

/* ---- shape ---- */
bool net_shape_wanted(const struct net_link_plan *l);
void net_shape_ifb(const char *host_ifname, char out[16]);
int net_shape_up(struct nl_sock *s, const struct net_link_plan *l, struct err *e);
/* On a link that is there: the rates of after, where they differ from those of before. */
int net_shape_change(struct nl_sock *s, const struct net_link_plan *before, const struct net_link_plan *after,
                     struct err *e);

/* ---- nft: the table (by text) and its elements (by message) ---- */
int net_table_up(struct net_ctx *c, const struct net_network *n, char *const *opened4, char *const *opened6,
                 bool all6, struct err *e);
int net_table_remove_network(struct net_ctx *c, const struct net_network *n, struct err *e);
int net_table_forget_askers(struct net_ctx *c, struct err *e);
void net_table_expand(struct str *s, const char *text, const char *instance); /* $ and % */
/* "ip filter FORWARD": its text with handles, or NULL; malloc'd. */
char *net_table_list(const char *chain);
int net_table_run(const char *text, struct err *e); /* may be said again: what is text must allow it */
unsigned net_table_runs(void);                      /* so often has this process run one */
int net_table_try(const char *text, struct err *e); /* once; busy: "not now", or an answer was lost */
int net_table_down(struct net_ctx *c, struct err *e);

/* An element: key and data are what the kernel compares, each part padded to 4 bytes. */
/* A bit of the packet's mark, set in the inet table for the bridge's, which cannot ask conntrack: the host translated this packet
 * to a published port. No mark enters a zone. */
#define NET_TRANSLATED "0x00800000"
#define NET_NOT_TRANSLATED "0xff7fffff"

struct net_elem {
    const char *set;                          /* a literal */
    int family;                               /* NFPROTO_INET or NFPROTO_BRIDGE: which of the two tables */
    unsigned char key[48], data[24], end[48]; /* end: an interval's last key, where the set has intervals */
    unsigned char key_len, data_len;
    bool interval;
};
typedef VEC(struct net_elem) net_elems;
int net_nft_open(struct net_nft **out, struct err *e);
void net_nft_close(struct net_nft *n);
/* All or none. busy: index of an element that is there with other data (-1 = none). */
int net_nft_add(struct net_nft *n, const char *table, const net_elems *v, int *busy, struct err *e);
/* Deletes those that are there with this very data; others and missing ones are left alone. */
int net_nft_del(struct net_nft *n, const char *table, const net_elems *v, struct err *e);
/* ifnames in a set of the inet table; a missing table is an empty set. strv */
int net_nft_names(struct net_nft *n, const char *table, const char *set, char ***out, struct err *e);
/* The elements of a zone's links. */
void net_elems_of_ports(net_elems *v, const struct net_link_plan *l);
const struct net_elem *net_elems_find(const net_elems *v,
                                      const struct net_elem *x); /* by set and key; NULL */
void net_elems_of_source(net_elems *v, const struct net_link_plan *l);
void net_elems_of_self(net_elems *v, const struct net_link_plan *links,
                       unsigned n); /* all links of the zone */
void net_elem_describe(const struct net_elem *x, char *buf, size_t size);

/* ---- forward ---- */
struct net_opened {
    char **v4, **v6; /* links whose forwarding we turned on */
    char **ra;       /* links whose accept_ra went from 1 to 2 */
    bool all6;       /* below 6.17: the switch of all links */
};
int net_six_on(struct net_ctx *c, const char *ifname,
               struct err *e);         /* lifts the host's disable_ipv6 from a link of ours */
bool net_bridge_nf(struct net_ctx *c); /* bridged packets pass the inet hooks */
int net_forward_plan(struct net_ctx *c, const struct net_network *n, struct net_opened *o, struct err *e);
int net_forward_known(struct net_ctx *c, struct net_opened *o, struct err *e); /* what is opened already */
bool net_forward_there(struct net_ctx *c, const struct net_network *n);        /* of its bridge */
int net_forward_apply(struct net_ctx *c, const struct net_network *n, const struct net_opened *o,
                      struct err *e);
int net_forward_restore(struct net_ctx *c, const struct net_opened *o, struct err *e);
int net_opened_merge_table(struct net_nft *nft, const char *table, struct net_opened *o, struct err *e);
json *net_opened_to_json(const struct net_opened *o);
void net_opened_now(json *j); /* of this boot and network namespace */
void net_opened_merge_json(struct net_opened *o, const json *j);
void net_opened_done(struct net_opened *o);
void net_strv_done(char ***v); /* for auto_done */

/* ---- choose: pure ---- */
struct net_taken { /* what a subnet must not cover */
    struct net_addr addr;
    const char *what; /* "a route of this host", … */
    int index;        /* of the link it is on, 0: none */
};
typedef VEC(struct net_taken) net_taken_list;
const struct net_taken *net_taken_find(const net_taken_list *v, const struct net_addr *subnet);
void net_gateway_first(const struct net_addr *subnet, struct net_addr *gateway);
bool net_routed_by_us(const struct net_network *n); /* nat, sealed, routed */
bool net_has_pair(const struct net_link_plan *l);   /* a veth, so a host end */
int net_choose_free(const char *instance, const char *name, const char *machine_id,
                    const struct net_addr *taken, unsigned ntaken, struct net_network *out, struct err *e);
