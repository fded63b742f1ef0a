/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links, addresses and routes as netlink messages, added to a batch; nothing is sent here. Must never name a
 * link by an index that was read before something else could have happened to it, save within one call.
 * Sources: rtnetlink(7), linux/if_link.h, linux/veth.h. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>

int net_ifindex(int sock, const char *name)
{
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    return ioctl(sock, SIOCGIFINDEX, &r) < 0 ? -errno : r.ifr_ifindex;
}

static void put_name(struct nl_msg *m, const char *name)
{
    nla_put_string(m, IFLA_IFNAME, name);
}

/* What both ends of a pair have alike. Pieces of more than 64 KiB are for IPv4 alone: IPv6's bear a jumbo header of 8 bytes, which
 * makes each too long for the next link where it is forwarded (6.18). Kernels before 6.3 do not know the attribute and leave it out,
 * as netlink does with all that it does not know; Debian 12's headers have no name for it. */
enum { NET_BIG_TCP = 180 * 1024, GSO_IPV4_MAX_SIZE = 63 };

static void put_end(struct nl_msg *m, const struct net_network *n)
{
    nla_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
    nla_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
    if (n->mtu)
        nla_put_u32(m, IFLA_MTU, n->mtu);
    if (n->big_tcp)
        nla_put_u32(m, GSO_IPV4_MAX_SIZE, NET_BIG_TCP);
}

/* One request bears both ends: the peer with its name, MAC and namespace, already up; the host end in its bridge, still down: it
 * goes up by a later message, when its IPv6 is off, because up with it means a link-local address, multicast reports, DAD and a
 * route on a port that needs none. Undo: net_msg_del of the host end. */
void net_msg_veth(struct net_batch *b, const struct net_link_plan *l, int bridge, int ns)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
    struct nl_msg *m =
        net_batch_add(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof(i), "create the veth pair");
    put_name(m, l->host_ifname);
    nla_put_u32(m, IFLA_MASTER, (uint32_t)bridge);
    put_end(m, &l->network);
    struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);
    nla_put_string(m, IFLA_INFO_KIND, "veth");
    struct nlattr *data = nla_nest_start(m, IFLA_INFO_DATA);
    struct nlattr *peer = nla_nest_start(m, VETH_INFO_PEER);
    struct ifinfomsg pi = {0};
    nlmsg_append(m, &pi, sizeof(pi), NLMSG_ALIGNTO);
    put_name(m, l->ifname);
    nla_put(m, IFLA_ADDRESS, 6, l->mac);
    put_end(m, &l->network);
    nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)ns);
    nla_nest_end(m, peer);
    nla_nest_end(m, data);
    nla_nest_end(m, info);
}

/* The kernel looks at it only in a change of a link that is there (6.18: rtnl_newlink ignores IFLA_AF_SPEC). */
void net_msg_no_addrconf(struct net_batch *b, const char *ifname)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
    struct nl_msg *m = net_batch_add(b, RTM_SETLINK, 0, &i, sizeof(i), "turn IPv6 autoconfiguration off");
    put_name(m, ifname);
    struct nlattr *spec = nla_nest_start(m, IFLA_AF_SPEC);
    struct nlattr *six = nla_nest_start(m, AF_INET6);
    nla_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    nla_nest_end(m, six);
    nla_nest_end(m, spec);
    net_batch_fine(b, EAFNOSUPPORT); /* a kernel without IPv6 */
}

void net_msg_up(struct net_batch *b, const char *ifname, int index)
{
    struct ifinfomsg i = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct nl_msg *m = net_batch_add(b, RTM_SETLINK, 0, &i, sizeof(i), "set the link up");
    if (ifname)
        put_name(m, ifname);
}

/* What is for the bridge itself (LLDP, LACP) would pass no prerouting: the bridge would learn its sender and the host hear it as if
 * it came from the link (6.18: br_handle_frame). Forwarded like all else it meets the bridge table, which drops it. The kernel
 * refuses to have pause frames (01) forwarded; it drops those itself.
 *
 * hairpin: where br_netfilter hands bridged packets to the inet hooks, a zone that calls its own published port is translated inside
 * the bridge and must leave by the port it came in at. What a port in this mode would echo besides, the bridge table drops. */
void net_msg_port(struct net_batch *b, const char *ifname, bool hairpin)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
    struct nl_msg *m = net_batch_add(b, RTM_NEWLINK, 0, &i, sizeof(i), "set the port's mode");
    put_name(m, ifname);
    struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);
    nla_put_string(m, IFLA_INFO_SLAVE_KIND, "bridge");
    struct nlattr *data = nla_nest_start(m, IFLA_INFO_SLAVE_DATA);
    nla_put_u16(m, IFLA_BRPORT_GROUP_FWD_MASK, 0xfffd);
    if (hairpin)
        nla_put_u8(m, IFLA_BRPORT_MODE, 1);
    nla_nest_end(m, data);
    nla_nest_end(m, info);
}

void net_msg_del(struct net_batch *b, const char *ifname)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
    put_name(net_batch_add(b, RTM_DELLINK, 0, &i, sizeof(i), "delete the link"), ifname);
    net_batch_fine(b, ENODEV);
}

/* A bridge takes the lowest MAC of its ports unless one is given. No STP, no delay before it forwards;
 * snooping off, because without a querier it only costs timers per port. Repeats are harmless: no NLM_F_EXCL.
 */
void net_msg_bridge(struct net_batch *b, const struct net_network *n)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
    struct nl_msg *m = net_batch_add(b, RTM_NEWLINK, NLM_F_CREATE, &i, sizeof(i), "create the bridge");
    put_name(m, n->bridge);
    nla_put(m, IFLA_ADDRESS, 6, n->mac);
    if (n->mtu)
        nla_put_u32(m, IFLA_MTU, n->mtu);
    struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);
    nla_put_string(m, IFLA_INFO_KIND, "bridge");
    struct nlattr *data = nla_nest_start(m, IFLA_INFO_DATA);
    nla_put_u32(m, IFLA_BR_STP_STATE, 0);
    nla_put_u32(m, IFLA_BR_FORWARD_DELAY, 0);
    nla_put_u16(m, IFLA_BR_GROUP_FWD_MASK, 0);
    nla_put_u8(m, IFLA_BR_MCAST_SNOOPING, 0);
    nla_nest_end(m, data);
    nla_nest_end(m, info);
}

void net_msg_addr(struct net_batch *b, int index, const struct net_addr *a)
{
    struct ifaddrmsg i = {.ifa_family = (unsigned char)a->family,
                          .ifa_prefixlen = (unsigned char)a->prefix,
                          .ifa_index = (unsigned)index,
                          .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0};
    struct nl_msg *m =
        net_batch_add(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &i, sizeof(i), "set the address");
    nla_put(m, IFA_LOCAL, net_addr_len(a), a->bytes);
    nla_put(m, IFA_ADDRESS, net_addr_len(a), a->bytes);
    if (a->family == AF_INET && a->prefix < 31) {
        struct net_addr all = net_addr_last(a);
        nla_put(m, IFA_BROADCAST, 4, all.bytes);
    }
}

void net_msg_master(struct net_batch *b, const char *ifname, int master)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
    struct nl_msg *m = net_batch_add(b, RTM_SETLINK, 0, &i, sizeof(i), "set the link's bridge");
    put_name(m, ifname);
    nla_put_u32(m, IFLA_MASTER, (uint32_t)master);
    if (!master)
        net_batch_fine(b, ENODEV);
}

/* Born in the zone's namespace with its name and MAC. Mode bridge: zones of one parent see each other. It has no host end:
 * the parent's driver is all that the host has of it. Undo: in the zone (net_msg_del_index), or with the namespace. */
void net_msg_macvlan(struct net_batch *b, const struct net_link_plan *l, int parent, int ns)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
    struct nl_msg *m =
        net_batch_add(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof(i), "create the macvlan");
    put_name(m, l->ifname);
    nla_put_u32(m, IFLA_LINK, (uint32_t)parent);
    nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)ns);
    nla_put(m, IFLA_ADDRESS, 6, l->mac);
    if (l->network.mtu)
        nla_put_u32(m, IFLA_MTU, l->network.mtu);
    struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);
    nla_put_string(m, IFLA_INFO_KIND, "macvlan");
    struct nlattr *data = nla_nest_start(m, IFLA_INFO_DATA);
    nla_put_u32(m, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
    nla_nest_end(m, data);
    nla_nest_end(m, info);
}

void net_msg_del_index(struct net_batch *b, int index)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    net_batch_add(b, RTM_DELLINK, 0, &i, sizeof(i), "delete the link");
    net_batch_fine(b, ENODEV);
}

static void msg_route(struct net_batch *b, int type, int flags, int index, const struct net_addr *gateway,
                      unsigned table, const char *what)
{
    struct rtmsg r = {.rtm_family = (unsigned char)gateway->family,
                      .rtm_table = table < 256 ? (unsigned char)table : RT_TABLE_UNSPEC,
                      .rtm_protocol = RTPROT_STATIC,
                      .rtm_scope = RT_SCOPE_UNIVERSE,
                      .rtm_type = RTN_UNICAST};
    struct nl_msg *m = net_batch_add(b, type, flags, &r, sizeof(r), what);
    nla_put(m, RTA_GATEWAY, net_addr_len(gateway), gateway->bytes);
    nla_put_u32(m, RTA_OIF, (uint32_t)index);
    nla_put_u32(m, RTA_TABLE, table);
}

static void msg_rule(struct net_batch *b, int type, int flags, const struct net_addr *addr, unsigned table,
                     const char *what)
{
    struct fib_rule_hdr r = {.family = (unsigned char)addr->family,
                             .src_len = (unsigned char)(8 * net_addr_len(addr)),
                             .action = FR_ACT_TO_TBL};
    struct nl_msg *m = net_batch_add(b, type, flags, &r, sizeof(r), what);
    nla_put(m, FRA_SRC, net_addr_len(addr), addr->bytes);
    nla_put_u32(m, FRA_TABLE, table);
    nla_put_u32(m, FRA_PRIORITY, table);
}

void net_msg_source_route(struct net_batch *b, int index, const struct net_addr *addr,
                          const struct net_addr *gateway, unsigned table)
{
    msg_route(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, gateway, table,
              "set the link's own route");
    msg_rule(b, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, addr, table, "set the rule of the link's address");
    net_batch_fine(b, EEXIST);
}

/* The route goes with the link. */
void net_msg_no_source_route(struct net_batch *b, const struct net_addr *addr, unsigned table)
{
    msg_rule(b, RTM_DELRULE, 0, addr, table, "take the rule of the link's address away");
    net_batch_fine(b, ENOENT);
}

void net_msg_no_default_route(struct net_batch *b, int index, const struct net_addr *gateway)
{
    msg_route(b, RTM_DELROUTE, 0, index, gateway, RT_TABLE_MAIN, "take the default route away");
    net_batch_fine(b, ESRCH); /* the zone itself has taken it away */
}

void net_msg_default_route(struct net_batch *b, int index, const struct net_addr *gateway)
{
    msg_route(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, gateway, RT_TABLE_MAIN,
              "set the default route");
}
