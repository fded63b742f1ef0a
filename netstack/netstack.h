/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks, links, addresses, ports. A network is a bridge with subnets, or a host's link that zones join by a bridge or by
 * macvlan; a zone's link is a veth pair with one end in the zone's network namespace, or a macvlan in it; published ports are
 * elements of maps in one nft table of our own. Never touches a foreign table, chain or link. Sources: rtnetlink(7), nft(8),
 * libnl, libnftnl/libnftables. */
#pragma once
#include "base/err.h"
#include "specs/specs.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define NET_BRIDGE_ZONES 1000u

struct net_addr { /* an address with prefix length; family AF_INET or AF_INET6, 0 = none */
    int family;
    unsigned prefix;
    unsigned char bytes[16];
};
int net_addr_parse(const char *text, struct net_addr *out); /* "10.0.0.5", "10.0.0.0/16", "fd00::5" */
void net_addr_print(const struct net_addr *a, bool with_prefix, char buf[64]);
bool net_addr_in(const struct net_addr *a, const struct net_addr *subnet);
bool net_host_has(const struct net_addr *a); /* an address of one of this host's links, or of 127.0.0.0/8 */
bool net_addr_eq(const struct net_addr *a, const struct net_addr *b); /* family and bytes */

/* Names and MACs: pure, stable, from instance and name. A host link's first five letters follow from the
 * instance alone (net_link_prefix), so that leftovers can be told; start_no (modulo 1,296) keeps two starts
 * apart, link is below 36. */
void net_host_ifname(const char *instance, const char *zone, unsigned start_no, unsigned link, char out[16]);
void net_link_prefix(const char *instance, char out[6]);
void net_bridge_name(const char *instance, const char *network, char out[16]);
/* seed: what stays the zone's own for life and is no other's (its machine-id); nth: which of its links to this network. */
void net_mac_of(const char *instance, const char *seed, const char *network, unsigned nth,
                unsigned char mac[6]);
void net_bridge_mac(const char *instance, const char *network, unsigned char mac[6]);
/* The address that a zone makes of a router's prefix and its MAC (EUI-64, RFC 4862); subnet: a /64. */
struct net_addr net_addr_of_mac(const struct net_addr *subnet, const unsigned char mac[6]);

struct net_ctx;
/* A network as zoned keeps it (and writes to its state). */
struct net_network {
    char name[SPEC_NAME_MAX + 1];
    char bridge[16];      /* kernel name, from the instance: "zoned0", or "z" + hash */
    unsigned char mac[6]; /* pinned */
    struct net_addr subnet4, gateway4, subnet6, gateway6; /* gateway carries the subnet's prefix */
    unsigned mtu;                                         /* 0 = the kernel's default */
    bool big_tcp; /* its links take IPv4's TCP in pieces of more than 64 KiB */
    enum spec_network_type type;
    char parent[16];                              /* bridge, macvlan: the host's link */
    struct net_addr first4, last4, first6, last6; /* what `auto` is taken from; family 0 = the whole subnet */
};
/* The network that a spec describes. What it does not give comes from kept (what was made of it before, or NULL), or is
 * chosen as below. Without kept, given subnets are held against what the host routes, bears and asks (its default
 * gateways and resolvers) and against the others: conflict. The LAN of a bridge or macvlan network is the host's own and is
 * not. */
int net_network_make(const char *instance, const struct spec_network *s, const struct net_network *kept,
                     const struct net_network *others, unsigned nothers, struct net_network *out,
                     struct err *e);
/* Would a network of our own that is to come up, or does one that is up, hide a route, an address, a gateway or a resolver that the
 * host has by now? conflict, which says which. What is on its own bridge is its own, and the host's resolver may be a zone. */
struct net_pool; /* which addresses of a network are taken */
struct net_host;
int net_network_check_host(const struct net_host *h, const struct net_network *n, struct net_pool *pool,
                           struct err *e);
int net_host_read(struct net_host **out, struct err *e); /* what this host has now: once for all networks */
void net_host_free(struct net_host *h);                  /* NULL is fine */
/* What the network hangs on: nothing but success for networks of our own; a bridge or macvlan network needs its parent,
 * there (not_found) and up, free for a bridge of ours (conflict). Sets n->bridge. */
int net_network_attach(struct net_ctx *c, struct net_network *n, struct err *e);
/* Its MTU against its parent's: a macvlan link cannot have more (invalid). *less: the parent's, where a bridge's zones have more;
 * else 0. A parent that is not there is no matter here. */
int net_network_check_mtu(struct net_ctx *c, const struct net_network *n, unsigned *less, struct err *e);
/* Chooses free subnets (IPv4 /16 inside 10/8 or 172.16/12 or 192.168/16, ULA /64 derived from machine-id and
 * instance) that hide no route of the host; deterministic from instance and name where free. */
int net_network_choose(const char *instance, const char *name, struct net_network *out, struct err *e);
/* The same, and beside networks that zoned knows but that may not be up. */
int net_network_choose_beside(const char *instance, const char *name, const struct net_network *others,
                              unsigned nothers, struct net_network *out, struct err *e);
json *net_network_to_json(const struct net_network *n);
int net_network_from_json(const json *j, struct net_network *out, struct err *e);

/* ---- IPAM: pure ---- */
struct net_pool *net_pool_new(const struct net_network *n);
void net_pool_free(struct net_pool *p);
/* Takes the next free pair (IPv4 and the IPv6 with the same host part), or of one family alone where the other is NULL.
 * What the network does not give comes back with family 0. limit when NET_BRIDGE_ZONES or the range are taken. */
int net_pool_take(struct net_pool *p, struct net_addr *v4, struct net_addr *v6, struct err *e);
/* Whether a zone of the network could have the address at all: invalid outside the subnet, the gateway's, the broadcast's. */
int net_pool_fits(struct net_pool *p, const struct net_addr *a, struct err *e);
/* Takes a given address: invalid outside the subnet, the gateway's, the broadcast's; conflict when taken. */
int net_pool_claim(struct net_pool *p, const struct net_addr *a, struct err *e);
bool net_pool_gave(struct net_pool *p,
                   const struct net_addr *a); /* taken or claimed, but for the gateway's */
/* What is neither taken nor claimed from now on, beside what the pool has given: addresses of others, and what other pools have
 * (they must live until the next call). For networks on a LAN that others are on, too. */
void net_pool_avoid(struct net_pool *p, const struct net_addr *others, unsigned n,
                    struct net_pool *const *beside, unsigned nbeside);
/* The host's own addresses and gateways; free(). */
int net_host_taken(struct net_addr **out, unsigned *n, struct err *e);
void net_pool_release(struct net_pool *p, const struct net_addr *a); /* idempotent */
unsigned net_pool_used(const struct net_pool *p);

/* ---- host side: bridge, table, forwarding ---- */
/* One per process: sockets, kept open; inherited by forks is fine, but each process makes its own before use.
 */
int net_ctx_new(const char *instance, struct net_ctx **out,
                struct err *e); /* instance: "zoned" or a hash; names the table */
void net_ctx_free(struct net_ctx *c);
/* For a process that will have more than 1,000 descriptors: said while it has few; without it tables are then refused
 * (EMFILE). It stays; again is nothing. */
void net_table_keep_descriptor(void);
/* Makes what is missing: table and chains, bridge with MAC, addresses, up, forwarding on these links only,
 * with what was there remembered in *saved (JSON for the state file). Idempotent: also repairs. *saved comes
 * in as what an earlier call gave, or NULL, and goes out complete; the links opened for forwarding also stand
 * in the table, so a crash forgets none. A second network needs the same record: one for the instance. saved
 * itself may be NULL. */
int net_network_up(struct net_ctx *c, const struct net_network *n, json **saved, struct err *e);
/* The same for a network that zones are on: what fails is not undone, and without its bridge it has its tables all the same. */
int net_network_repair(struct net_ctx *c, const struct net_network *n, json **saved, struct err *e);
/* What a version of us wrote that did not say of which boot it was: of this one, where our tables are still there. At our start. */
void net_saved_take_over(struct net_ctx *c, json *saved);
/* Takes it away again and restores; with the last network the table goes too. Missing is success. */
int net_network_down(struct net_ctx *c, const struct net_network *n, bool last, const json *saved,
                     struct err *e);
bool net_network_is_up(struct net_ctx *c, const struct net_network *n);
/* Not up, and something of it is there: an up or a down was cut off. net_network_down takes it away. */
bool net_network_is_half_up(struct net_ctx *c, const struct net_network *n);
/* The tables are as this version makes them; false after an upgrade: net_network_up makes them so. */
bool net_tables_current(struct net_ctx *c);
/* Zones of `from` may open connections to zones of `to`, or no longer. Idempotent; the table must be there. */
int net_network_reach(struct net_ctx *c, const struct net_network *from, const struct net_network *to,
                      bool on, struct err *e);
#define NET_PORTS_BYTES 8192u /* a bit for each port */
/* Which ports may be in use, from the kernel's tables, which lack what is bound and does not listen: where to ask for each of a
 * long range would stall everybody. SCTP: all. */
void net_ports_used(enum spec_proto proto, unsigned char used[NET_PORTS_BYTES]);
/* A host program (or another zone) that holds this port on this address: 0 free, or conflict naming the
 * pid/program. */
int net_port_check(const struct spec_port *p, struct err *e);

/* ---- a zone's link: what the plan says, applied and undone by zone-sup ---- */
struct net_port_rule {
    struct spec_port port;    /* host_ip owned */
    struct net_addr to4, to6; /* the zone's addresses (family 0 = none) */
};
struct net_link_plan {
    char ifname[16];      /* in the zone: eth0, eth1, … */
    char host_ifname[16]; /* veth's host end, unique by zone and start */
    struct net_network network;
    unsigned char mac[6];
    struct net_addr addr4, addr6; /* with the subnet's prefix */
    VEC(struct net_port_rule) ports;
    uint64_t rate_in, rate_out; /* bits/s or SPEC_UNSET */
    char **aliases;
    bool default_route;
    bool trusted; /* the zone may send from any address: a router, a DHCP server */
    bool dhcp; /* its addresses are the zone's to set: it asks; the network's server and router answer it */
};
json *net_link_to_json(const struct net_link_plan *l);
int net_link_from_json(const json *j, struct net_link_plan *out, struct err *e);
void net_link_done(struct net_link_plan *l);
/* Everything of one zone: lo up, every veth with its peer inside netns_fd (born with name, MAC, up, master
 * bridge in one request), addresses, routes, port elements, anti-spoofing, rates. Batched: few crossings,
 * nothing linear in the number of zones. hold: bound, not listening, sockets for the published ports (at most
 * 64) so that no host program shadows them; caller closes; NULL: none. nlinks 0: only lo. On failure
 * everything is undone. host_ifname must come from net_host_ifname of the context's instance (invalid
 * otherwise: the anti-spoofing rules know links by that prefix). */
int net_zone_up(struct net_ctx *c, const struct net_link_plan *links, unsigned nlinks, int netns_fd,
                int hold[64], unsigned *nhold, struct err *e);
/* Deletes links by name, elements by key (only those that point to this zone); missing is success. Does not wait: a
 * child of this process (without SIGCHLD) waits out the kernel's grace period of some 20 ms; net_ctx_free reaps it. */
int net_zone_down(struct net_ctx *c, const struct net_link_plan *links, unsigned nlinks, struct err *e);
/* After net_zone_down: waits until the links' names are free, at most some milliseconds after the call before. */
int net_zone_gone(struct net_ctx *c, const struct net_link_plan *links, unsigned nlinks, struct err *e);
/* The sockets of net_zone_up alone: for a supervisor that replaces a dead one, or after net_zone_ports (close
 * the old ones first). conflict names the program that has a port. */
int net_hold(const struct net_link_plan *links, unsigned nlinks, int hold[64], unsigned *nhold,
             struct err *e);
/* The ports of a running zone for which there was no place: conflict names the first that a program of the host has taken since,
 * to which nobody comes. */
int net_hold_rest(const struct net_link_plan *links, unsigned nlinks, struct err *e);
/* Published ports of a running zone: exactly these now. */
int net_zone_ports(struct net_ctx *c, const struct net_link_plan *before, const struct net_link_plan *after,
                   unsigned nlinks, struct err *e);
/* Changes the links of a running zone: leaves those that are in before alone, joins those in after alone (a link is the same
 * when host_ifname, network, MAC and addresses are), and gives the rest its new ports, rates and default route. On failure
 * all is as before. Also the repair after a kill in the midst of it: what is done already is success. */
int net_zone_change(struct net_ctx *c, const struct net_link_plan *before, unsigned nbefore,
                    const struct net_link_plan *after, unsigned nafter, int netns_fd, struct err *e);
/* A macvlan of a running zone, under whatever name it has there by now; true also where that cannot be known. */
bool net_link_there(const struct net_link_plan *l, int netns_fd);
/* The host's end into its bridge again, which is another one under the same name. */
int net_link_rejoin(struct net_ctx *c, const struct net_link_plan *l, struct err *e);
/* A pair's host end is in its bridge and up: 1; it was not and is again: 2; it is gone: 0; or the error. */
int net_link_whole(struct net_ctx *c, const struct net_link_plan *l, struct err *e);
/* What net_network_up made on the host is there as it made it: bridge, addresses, switches. Our tables are not looked at. */
bool net_network_whole(struct net_ctx *c, const struct net_network *n);
/* Counters of a link's host end, from the zone's view (in = to the zone). */
struct net_counters {
    uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
};
struct net_count {
    int index; /* of the host end, from net_link_index */
    bool there;
    struct net_counters count;
};
int net_link_index(struct net_ctx *c, const char *host_ifname); /* or -errno */
/* Fills count and there of all by one dump; sorts them by index. */
int net_count_links(struct net_ctx *c, struct net_count *at, unsigned n, struct err *e);
const struct net_count *net_count_find(const struct net_count *sorted, unsigned n, int index); /* or NULL */
/* Names of host links and of map elements that bear this instance: recovery and tests. strv / count. */
int net_leftovers(struct net_ctx *c, char ***links, struct err *e);

/* Text of the zone's /etc/hosts and /etc/resolv.conf. host_resolv: content of the host's file; loopback
 * resolvers are replaced by the upstream ones of systemd-resolved where it runs, else dropped. malloc'd. */
char *net_hosts_text(const char *hostname, const struct net_link_plan *links, unsigned nlinks);
char *net_resolv_text(const char *host_resolv);
/* A zone's resolv.conf: the resolver of its first network that has one (at its gateway; a LAN's has none), and the host's search and
 * options behind ours; without one host_text as it is. host_text: of net_resolv_text. malloc'd. */
#define NET_DOMAIN "zone.internal"
char *net_resolv_of_zone(const char *host_text, const struct net_link_plan *links, unsigned nlinks);
/* Lines of a hosts(5) file: the link's addresses with NAME.zone.internal, NAME and aliases. malloc'd. */
char *net_names_text(const char *zone, const struct net_link_plan *l);
/* Elements of these links in our tables: for links that are up and whose elements were lost. Idempotent. */
int net_zone_elements(struct net_ctx *c, const struct net_link_plan *links, unsigned n, struct err *e);
/* What lies between two links of one zone, which net_zone_elements does not know: before gives way to after. Idempotent. */
int net_zone_selves(struct net_ctx *c, const struct net_link_plan *before, unsigned nbefore,
                    const struct net_link_plan *after, unsigned nafter, struct err *e);

/* ---- other firewalls ---- */
struct net_pass {        /* what they must let pass */
    char **forwarded;    /* bridges whose traffic is forwarded; strv */
    char **askers;       /* bridges whose zones ask the host for names and addresses; strv */
    VEC(unsigned) ports; /* of resolvers */
};
/* In the chains that Docker and ufw keep for their users: marked accepts for this and for nothing else; none where no such
 * chain is. Idempotent; an empty one takes all away. */
int net_hooks_set(struct net_ctx *c, const struct net_pass *pass, struct err *e);
/* From these bridges, and from no other, the host is asked for names and addresses and nothing else, whatever another firewall lets
 * in. While our tables are there. */
int net_guard_set(struct net_ctx *c, char *const *bridges, struct err *e);
/* So begin the names of supervisors, whose changes of our tables are no foreigner's. */
#define NET_SUPERVISOR "sup:"

/* What other programs do to nftables: readable when there is something; read takes all of it and tells what it was. What a
 * process of our name or a supervisor does is ours. */
struct net_watch;
enum {
    NET_WATCH_OURS = 1 /* our tables lost something */,
    NET_WATCH_OTHERS = 2,   /* chains or rules of others */
    NET_WATCH_SWITCHES = 4, /* the host's forwarding was turned on or off */
    NET_WATCH_LINKS = 8,    /* one of the links named to net_watch_links came, went or changed */
    NET_WATCH_ADDRS = 16,   /* the host got or lost an address */
    NET_WATCH_ENDS = 32     /* host ends of zones' links went, or are down or in no bridge: net_watch_ends */
};
int net_watch_open(const char *instance, struct net_watch **out, struct err *e);
int net_watch_fd(const struct net_watch *w);
unsigned net_watch_read(struct net_watch *w);
void net_watch_close(struct net_watch *w); /* NULL is fine */
/* These links of the host are told of: parents whatever changes, bridges of ours when they are less than they were. With neither
 * the kernel tells of no link at all. */
int net_watch_links(struct net_watch *w, char *const *parents, char *const *bridges, struct err *e);
/* Names since the last call, strv in *names; NULL: any, there were too many. */
bool net_watch_ends(struct net_watch *w, char ***names);

/* ---- rules between zones ---- */
/* A network's rules, in their order; deny: what no rule allows; neither: none are left. closed: something is denied on it, and what
 * is addressed to no zone (broadcast, multicast, link-local) does not pass. */
struct net_guard {
    const struct net_network *net;
    const struct spec_rule *rules;
    unsigned nrules;
    bool deny, closed;
};
/* An address of somebody that rules name; or, with link, the host's end of a link on a network that has rules. */
struct net_member {
    const char *who; /* as net_rule_who gives it; of a link, its network's name */
    struct net_addr addr;
    const char *link; /* or NULL */
};
/* "label tier=web", "zone db": whom a side names by something that zones have; NULL: nobody such. malloc'd. */
char *net_rule_who(const struct spec_rule_side *s);
/* All rules of all networks, at once, instead of those before. whos: all that they name; gone: what those before named and
 * these do not; members: who runs. The table must be there. */
int net_rules_load(struct net_ctx *c, const struct net_guard *guards, unsigned nguards, char *const *whos,
                   char *const *gone, const struct net_member *members, unsigned nmembers, struct err *e);
/* A zone comes or goes: elements of sets that net_rules_load made. Idempotent. */
int net_rules_members(struct net_ctx *c, const struct net_member *members, unsigned n, bool on,
                      struct err *e);
/* What this link's zone asks of its gateway (port 53) goes to a resolver on another port of the gateway, which nobody else
 * may ask; or no longer. Idempotent. close: that resolver is no more; forget: none is. */
int net_resolver_set(struct net_ctx *c, const struct net_link_plan *l, unsigned port, bool on, struct err *e);
int net_resolver_close(struct net_ctx *c, unsigned port, struct err *e);
int net_resolvers_forget(struct net_ctx *c, struct err *e);
/* What is wrong with the host's network for zones: foreign chains that drop what must pass, missing modules. For doctor.
 * [{problem,remedy}] */
json *net_doctor(struct net_ctx *c, const struct net_pass *pass);
