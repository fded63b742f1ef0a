/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: v2 */
/* Real packets through a real bridge: what is published is reached, what is not is not, and down leaves
 * nothing. The whole runs with ip_forward and bridge-nf-call-iptables each 0 and 1 beforehand, beside a table
 * of a user's own. */
#include "lab.h"

static const char users_table[] =
    "table inet mine { set s { type ipv4_addr; elements = { 203.0.113.7 }; }; "
    "chain input { type filter hook input priority 0; policy drop; ip saddr @s drop; accept; }; "
    "chain forward { type filter hook forward priority 10; policy accept; ct state invalid drop; }; }; "
    "table ip nat2 { chain post { type nat hook postrouting priority 110; policy accept; }; }";

struct lab {
    int host, lan, wan;
    struct net_ctx *ctx;
    struct net_network net, other;
    struct net_pool *pool, *other_pool;
    struct lab_zone web, db, far; /* far is on the other network */
    json *saved;
    char gw4[64], gw6[64];
    bool forward, nf;
};

static void lan_up(struct lab *l, bool forward, bool nf)
{
    if (unshare(CLONE_NEWNET) < 0)
        abort();
    l->host = ns_own();
    l->lan = ns_new();
    l->wan = ns_new();
    l->forward = forward;
    l->nf = nf;
    sh(-1,
       "ip link set lo up; echo %d > /proc/sys/net/ipv4/ip_forward; echo %d > "
       "/proc/sys/net/ipv6/conf/all/forwarding;"
       "modprobe -q br_netfilter; for f in iptables ip6tables; do echo %d > "
       "/proc/sys/net/bridge/bridge-nf-call-$f; done; nft '%s'",
       forward, forward, nf, users_table);
    cable(l->host, "lan0", "192.0.2.1/24", "2001:db8:1::1/64", l->lan, "192.0.2.2/24", "2001:db8:1::2/64");
    cable(l->host, "wan0", "198.51.100.1/24", "2001:db8:2::1/64", l->wan, "198.51.100.2/24",
          "2001:db8:2::2/64");
    sh(l->lan, "ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8:1::1");
    sh(l->wan, "ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8:2::1");
    usleep(NUDGE);
}

static int zones_up(struct lab *l)
{
    struct err e = {0};
    int r = net_ctx_new("zoned", &l->ctx, &e);
    r = r < 0 ? r : net_network_choose("zoned", "default", &l->net, &e);
    r = r < 0 ? r : net_network_choose_beside("zoned", "other", &l->net, 1, &l->other, &e);
    r = r < 0 ? r : net_network_up(l->ctx, &l->net, &l->saved, &e);
    r = r < 0 ? r : net_network_up(l->ctx, &l->other, &l->saved, &e);
    l->pool = net_pool_new(&l->net);
    l->other_pool = net_pool_new(&l->other);
    zone_plan(&l->web, "zoned", "web", &l->net, l->pool);
    zone_plan(&l->db, "zoned", "db", &l->net, l->pool);
    zone_plan(&l->far, "zoned", "far", &l->other, l->other_pool);
    zone_port(&l->web, "8080:80");
    zone_port(&l->web, "5353:53/udp");
    zone_port(&l->web, "127.0.0.1:8443:443");
    zone_port(&l->web, "192.0.2.1:9000-9002:7000-7002");
    struct lab_zone *all[] = {&l->web, &l->db, &l->far};
    for (unsigned i = 0; r == 0 && i < 3; i++)
        r = net_zone_up(l->ctx, &all[i]->link, 1, all[i]->ns, all[i]->hold, &all[i]->nhold, &e);
    net_addr_print(&l->net.gateway4, false, l->gw4);
    net_addr_print(&l->net.gateway6, false, l->gw6);
    is_int(r, 0, "networks and zones come up (ip_forward %d, bridge-nf %d)", l->forward, l->nf);
    if (r < 0)
        printf("# %s\n", e.text);
    usleep(NUDGE);
    return r;
}

static void servers(struct lab *l)
{
    while (l->web.nhold) /* [::]:5353 is held, which the host's own 127.0.0.53:5353 would meet */
        close_fd(&l->web.hold[--l->web.nhold]);
    serve(l->web.ns, false, "0.0.0.0", 80);
    serve(l->web.ns, false, l->web.ip6, 80);
    serve(l->web.ns, true, l->web.ip4, 53);
    serve(l->web.ns, true, l->web.ip6, 53);
    serve(l->web.ns, false, "0.0.0.0", 443);
    serve(l->web.ns, false, "0.0.0.0", 7001);
    serve(l->lan, false, "192.0.2.2", 7777);
    serve(l->lan, false, "2001:db8:1::2", 7777);
    serve(l->wan, false, "198.51.100.2", 7777);
    serve(-1, true, "127.0.0.53", 5353);
    serve(-1, false, "192.0.2.1", 22);
}

static void test_published(struct lab *l)
{
    is_str(ask(l->lan, false, "192.0.2.1", 8080), "192.0.2.2", "LAN, tcp: reached, and the source is kept");
    is_str(ask(l->lan, true, "192.0.2.1", 5353), "192.0.2.2", "LAN, udp");
    is_str(ask(l->lan, false, "2001:db8:1::1", 8080), "2001:db8:1::2", "LAN, tcp over IPv6");
    is_str(ask(l->lan, true, "2001:db8:1::1", 5353), "2001:db8:1::2", "LAN, udp over IPv6");
    is_str(ask(l->lan, false, "192.0.2.1", 9001), "192.0.2.2", "LAN: the second of a shifted range");
    is_str(ask(-1, false, "192.0.2.1", 8080), "192.0.2.1", "host, by its address");
    is_str(ask(-1, false, "127.0.0.1", 8080), l->gw4, "host, by 127.0.0.1: arrives from the gateway");
    is_str(ask(-1, true, "127.0.0.1", 5353), l->gw4, "host, by 127.0.0.1, udp");
    is_str(ask(-1, false, "2001:db8:1::1", 8080), "2001:db8:1::1", "host, by its IPv6 address");
    is_str(ask(-1, false, "127.0.0.1", 8443), l->gw4, "published on localhost: from the host");
    is_str(ask(-1, true, "127.0.0.53", 5353), "127.0.0.1", "127.0.0.53 stays the host's own");
    is_str(ask_in_vain(l->lan, false, "192.0.2.1", 8443), "refused",
           "published on localhost: not from the LAN");
    is_str(ask_in_vain(l->lan, false, "192.0.2.1", 8081), "refused", "an unpublished port is refused");
    is_str(ask_in_vain(l->lan, false, "198.51.100.1", 9001), "refused",
           "published on one address: not on another");
    is_str(ask_in_vain(-1, false, "::1", 8080), "refused", "::1 is left alone");
}

static void test_between(struct lab *l)
{
    is_str(ask(l->db.ns, false, l->web.ip4, 80), l->db.ip4, "zone to zone");
    is_str(ask(l->db.ns, false, l->web.ip6, 80), l->db.ip6, "zone to zone over IPv6");
    is_str(ask(l->db.ns, false, "192.0.2.1", 8080), l->gw4,
           "hairpin: by the host's address, from the gateway");
    is_str(ask(l->db.ns, false, "2001:db8:1::1", 8080), l->gw6, "hairpin over IPv6");
    is_str(ask(l->db.ns, false, l->gw4, 8080), l->gw4, "hairpin: by the gateway's address");
    is_str(ask(l->web.ns, false, "192.0.2.1", 8080), l->gw4, "a zone reaches its own published port");
    is_str(ask_in_vain(l->far.ns, false, l->web.ip4, 80), "timeout", "another network: not directly");
    is_str(ask_in_vain(l->far.ns, false, l->web.ip6, 80), "timeout",
           "another network: not directly over IPv6");
    is_str(ask(l->far.ns, false, "192.0.2.1", 8080), l->far.ip4, "another network: what is published");
    is_str(ask(l->db.ns, false, "192.0.2.1", 22), l->db.ip4, "a service of the host is reached");
}

static void test_outside(struct lab *l)
{
    is_str(ask(l->db.ns, false, "192.0.2.2", 7777), "192.0.2.1", "egress is masqueraded");
    is_str(ask(l->db.ns, false, "2001:db8:1::2", 7777), "2001:db8:1::1", "egress over IPv6 is masqueraded");
    is_str(ask_in_vain(l->lan, false, l->web.ip4, 80), "timeout", "the LAN does not reach a zone's address");
    is_str(ask_in_vain(l->lan, false, l->web.ip6, 80), "timeout", "nor its IPv6 address");
    const char *through = ask_in_vain(l->lan, false, "198.51.100.2", 7777);
    is_str(through, l->forward ? "192.0.2.2" : "timeout", "LAN to WAN: %s",
           l->forward ? "as before" : "we opened no road");
}

static void test_forged(struct lab *l)
{
    auto_fd int lo = ear("127.0.0.1", 9999);
    auto_fd int gw = ear(l->gw4, 9998);
    const unsigned char *me = l->db.link.mac;
    ask(l->db.ns, false, "192.0.2.1", 22);
    frame_udp(l->db.ns, l->net.mac, me, l->db.ip4, l->gw4, 9998);
    is_int(heard(gw), 1, "control: a hand-made frame with true addresses arrives");
    frame_udp(l->db.ns, l->net.mac, me, l->db.ip4, "127.0.0.1", 9999);
    is_int(heard(lo), 0, "a frame to 127.0.0.1 does not arrive");
    frame_udp(l->db.ns, l->net.mac, me, "127.0.0.1", l->gw4, 9998);
    is_int(heard(gw), 0, "a frame from 127.0.0.1 does not arrive");
    frame_udp(l->db.ns, l->net.mac, me, l->web.ip4, l->gw4, 9998);
    is_int(heard(gw), 0, "a frame with another zone's address does not arrive");
    frame_udp(l->db.ns, l->net.mac, l->web.link.mac, l->db.ip4, l->gw4, 9998);
    is_int(heard(gw), 0, "a frame with another zone's MAC does not arrive");
    sh(-1, "ip neigh flush dev %s", l->net.bridge);
    frame_arp(l->db.ns, me, me, l->web.ip4, l->gw4);
    frame_arp(l->db.ns, me, l->web.link.mac, l->db.ip4, l->gw4);
    usleep(NUDGE);
    is_int(sh(-1, "ip neigh show dev %s | grep -q .", l->net.bridge) == 0, 0,
           "a forged ARP claim does not arrive");
    frame_arp(l->db.ns, me, me, l->db.ip4, l->gw4);
    usleep(NUDGE);
    is_int(sh(-1, "ip neigh show dev %s | grep -q .", l->net.bridge), 0, "control: a true one does");
}

static void test_forged_six(struct lab *l)
{
    struct net_addr a;
    /* an address that is not its own, by the zone's own hand */
    sh(l->db.ns,
       "ip addr add fd12:3456::7/64 dev eth0 nodad; ip -6 route add %s dev eth0 src fd12:3456::7 metric 1",
       l->web.ip6);
    is_str(ask_in_vain(l->db.ns, false, l->web.ip6, 80), "timeout", "a foreign IPv6 source does not arrive");
    sh(l->db.ns, "ip addr del fd12:3456::7/64 dev eth0; ip -6 route del %s dev eth0 metric 1 2>/dev/null",
       l->web.ip6);
    is_str(ask(l->db.ns, false, l->web.ip6, 80), l->db.ip6, "control: its own does");
    /* the gateway's address on the zone's link: its announcement must not turn anybody's mind */
    sh(l->db.ns, "ip addr add %s/64 dev eth0 nodad", l->gw6);
    sh(l->web.ns, "ip -6 neigh flush dev eth0");
    is_str(ask(l->web.ns, false, "2001:db8:1::2", 7777), "2001:db8:1::1",
           "a zone cannot announce the gateway's address");
    char *mac = NULL;
    int own = ns_own();
    if (setns(l->web.ns, CLONE_NEWNET) == 0)
        mac = capture("ip -6 neigh show");
    if (setns(own, CLONE_NEWNET) < 0)
        abort();
    close(own);
    char theirs[18];
    snprintf(theirs, sizeof(theirs), "%02x:%02x:%02x:%02x:%02x:%02x", l->db.link.mac[0], l->db.link.mac[1],
             l->db.link.mac[2], l->db.link.mac[3], l->db.link.mac[4], l->db.link.mac[5]);
    ok(net_addr_parse(l->gw6, &a) == 0 && !strstr(mac, theirs), "and no neighbour table names it");
    free(mac);
    sh(l->db.ns, "ip addr del %s/64 dev eth0", l->gw6);
}

/* How many broadcasts of its own a zone gets back. */
static int echoes(struct lab *l)
{
    char got[256];
    int own = ns_own(), n = 0;
    struct sockaddr_ll from;
    socklen_t size = sizeof(from);
    if (setns(l->db.ns, CLONE_NEWNET) < 0)
        abort();
    auto_fd int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ARP));
    if (setns(own, CLONE_NEWNET) < 0)
        abort();
    close(own);
    frame_arp(l->db.ns, l->db.link.mac, l->db.link.mac, l->db.ip4, "10.1.1.1");
    usleep(NUDGE);
    while (recvfrom(fd, got, sizeof(got), 0, (void *)&from, &size) > 0)
        n += from.sll_pkttype != PACKET_OUTGOING;
    return n;
}

static void test_echo(struct lab *l)
{
    is_int(echoes(l), 0, "no echo of a broadcast");
    sh(-1, "nft flush chain bridge zoned judged");
    is_int(echoes(l), l->nf, "control: without the rule a port in hairpin mode echoes");
}

static void test_repair(struct lab *l)
{
    struct err e = {0};
    is_int(net_network_up(l->ctx, &l->net, &l->saved, &e), 0, "network up again");
    is_str(ask(l->lan, false, "192.0.2.1", 8080), "192.0.2.2", "and the ports are still published");
    sh(-1, "nft flush chain inet zoned forward; nft flush chain inet zoned publish");
    is_int(net_network_up(l->ctx, &l->net, &l->saved, &e), 0, "network up after damage");
    is_str(ask(l->lan, false, "192.0.2.1", 8080), "192.0.2.2", "repairs the chains");
}

static void lab_down(struct lab *l, const char *before, const char *mine)
{
    struct err e = {0};
    struct lab_zone *all[] = {&l->web, &l->db, &l->far};
    auto_free char *now = capture("nft list table inet mine; nft list table ip nat2");
    ok(strstr(mine, "policy drop") && strstr(mine, "nat2"), "the user has tables");
    is_str(now, mine, "which are untouched");
    for (unsigned i = 0; i < 3; i++) {
        is_int(net_zone_down(l->ctx, &all[i]->link, 1, &e), 0, "zone down");
        is_int(net_zone_down(l->ctx, &all[i]->link, 1, &e) || net_zone_gone(l->ctx, &all[i]->link, 1, &e), 0,
               "zone down again");
    }
    auto_free char *maps = capture(
        "nft list map inet zoned any4 | grep -c elements; nft list set bridge zoned macs | grep -c elem");
    is_str(maps, "0\n0\n", "no element is left");
    char **left = NULL;
    ok(net_leftovers(l->ctx, &left, &e) == 0 && !left, "no link is left");
    is_int(net_network_down(l->ctx, &l->other, false, l->saved, &e), 0, "first network down");
    is_int(net_network_down(l->ctx, &l->net, true, l->saved, &e), 0, "last network down");
    is_int(net_network_down(l->ctx, &l->net, true, l->saved, &e), 0, "and again");
    if (err_is(&e))
        printf("# %s\n", e.text);
    auto_free char *after = picture();
    is_str(after, before, "links, routes, rules and switches are as before");
    for (unsigned i = 0; i < 3; i++)
        zone_gone(all[i]);
    net_pool_free(l->pool);
    net_pool_free(l->other_pool);
    js_free(l->saved);
    net_ctx_free(l->ctx);
    close(l->host);
    close(l->lan);
    close(l->wan);
}

int main(void)
{
    lab_begin();
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct lab l = {0};
        lan_up(&l, i & 1, i & 2);
        auto_free char *before = picture(),
                       *mine = capture("nft list table inet mine; nft list table ip nat2");
        if (zones_up(&l) == 0) {
            servers(&l);
            test_published(&l);
            test_between(&l);
            test_outside(&l);
            test_forged(&l);
            test_forged_six(&l);
            test_echo(&l);
            test_repair(&l);
            serve_stop();
        }
        lab_down(&l, before, mine);
    }
    return done_testing();
}
