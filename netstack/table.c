/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two tables of an instance, `inet` and `bridge`, as nft text loaded in one transaction: sets, maps,
 * chains, rules. Chains are flushed and filled in the same transaction, so a repeat repairs without a gap. A
 * network is an element of the sets, a port an element of a map: no packet and no publishing pays for their
 * number. A long range of ports is one element of a map with intervals that gives the address alone: a map that gave the
 * port too would shift every port onto the first. Must never name a foreign table. Source: nft(8). */
#include "netstack/priv.h"
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <sys/select.h>

#define NET_LAYOUT "9" /* counted up with every change of the skeleton */

/* $ stands for the instance, % for the prefix of its links. */
static const char skeleton[] =
    "add table inet $\n"
    "add set inet $ layout { type ifname; }\n" /* by which version of us the tables were made */
    "flush set inet $ layout\nadd element inet $ layout { \"" NET_LAYOUT "\" }\n"
    "add set inet $ bridges { type ifname; }\n" /* of networks that the host routes */
    "add set inet $ natted { type ifname; }\n"
    "add set inet $ sealed { type ifname; }\n"
    "add set inet $ guarded { type ifname; }\n" /* another firewall lets all in from these */
    "add set inet $ lans { type ifname; }\n"    /* bridges with a link of the host in them */
    "add set inet $ opened4 { type ifname; }\n" /* links on which we turned forwarding on */
    "add set inet $ opened6 { type ifname; }\n"
    "add set inet $ same { type ifname . ifname; }\n" /* from . to: itself, and what it may reach */
    "add set inet $ denied { type ifname . ifname; }\n" /* itself, where zones of one network are closed to each other */
    "add set inet $ near4 { type ifname . ipv4_addr; flags interval; }\n"
    "add set inet $ near6 { type ifname . ipv6_addr; flags interval; }\n"
    /* from . to: addresses of one zone, which would not answer itself from another link */
    "add set inet $ self4 { type ipv4_addr . ipv4_addr; }\n"
    "add set inet $ self6 { type ipv6_addr . ipv6_addr; }\n"
    "add map inet $ any4 { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "add map inet $ any6 { type inet_proto . inet_service : ipv6_addr . inet_service; }\n"
    "add map inet $ one4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "add map inet $ one6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }\n"
    "add map inet $ span4 { type inet_proto . inet_service : ipv4_addr; flags interval; }\n"
    "add map inet $ span6 { type inet_proto . inet_service : ipv6_addr; flags interval; }\n"
    "add map inet $ onespan4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr; flags interval; }\n"
    "add map inet $ onespan6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr; flags interval; }\n"
    /* a zone on several networks asks a resolver that knows the names of all: by its address, the port */
    "add map inet $ ask4 { type ipv4_addr : inet_service; }\n"
    "add map inet $ ask6 { type ipv6_addr : inet_service; }\n"
    "add set inet $ askers { type inet_service; }\n" /* these ports: for nobody else */
    "add set inet $ talks4 { type ipv4_addr; size 65536; flags dynamic; }\n" /* with a resolver, by TCP: few for each zone */
    "add set inet $ talks6 { type ipv6_addr; size 65536; flags dynamic; }\n"
    "add chain inet $ publish\n"
    "add chain inet $ ask\n"
    "add chain inet $ judge\n" /* of rules.c: what operators allow and deny */
    "add chain inet $ from_zone\n"
    "add chain inet $ asked\n"
    "add chain inet $ talks\n"
    "add chain inet $ to_host\n"
    "add chain inet $ to_zone\n"
    "add chain inet $ to_zone_source\n"
    "add chain inet $ strangers\n"
    "add chain inet $ first { type filter hook prerouting priority raw; policy accept; }\n"
    "add chain inet $ prerouting { type nat hook prerouting priority dstnat; policy accept; }\n"
    "add chain inet $ output { type nat hook output priority -100; policy accept; }\n"
    "add chain inet $ input { type filter hook input priority filter; policy accept; }\n"
    "add chain inet $ forward { type filter hook forward priority filter; policy accept; }\n"
    "add chain inet $ postrouting { type nat hook postrouting priority srcnat; policy accept; }\n"
    "flush chain inet $ ask\nflush chain inet $ publish\nflush chain inet $ to_zone\nflush chain inet $ "
    "to_zone_source\n"
    "flush chain inet $ strangers\nflush chain inet $ first\nflush chain inet $ prerouting\n"
    "flush chain inet $ from_zone\nflush chain inet $ asked\nflush chain inet $ talks\nflush chain inet $ "
    "to_host\nflush chain inet $ "
    "input\n"
    "flush chain inet $ output\nflush chain inet $ forward\nflush chain inet $ postrouting\n"
    "add rule inet $ publish dnat ip to ip daddr . meta l4proto . th dport map @one4\n"
    "add rule inet $ publish dnat ip6 to ip6 daddr . meta l4proto . th dport map @one6\n"
    "add rule inet $ publish dnat ip to ip daddr . meta l4proto . th dport map @onespan4\n"
    "add rule inet $ publish dnat ip6 to ip6 daddr . meta l4proto . th dport map @onespan6\n"
    "add rule inet $ publish fib daddr type != local return\n"
    "add rule inet $ publish dnat ip to meta l4proto . th dport map @any4\n"
    "add rule inet $ publish dnat ip6 to meta l4proto . th dport map @any6\n"
    "add rule inet $ publish dnat ip to meta l4proto . th dport map @span4\n"
    "add rule inet $ publish dnat ip6 to meta l4proto . th dport map @span6\n"
    /* What is published on localhost is for this host: a packet from outside to 127.0.0.1 stays the martian that it is,
     * before a translation could give it a way. */
    "add rule inet $ prerouting ip daddr 127.0.0.0/8 return\n"
    "add rule inet $ prerouting iifname @bridges meta l4proto { tcp, udp } th dport 53 fib daddr type local "
    "jump ask\n"
    "add rule inet $ ask meta l4proto { tcp, udp } redirect to :ip saddr map @ask4\n"
    "add rule inet $ ask meta l4proto { tcp, udp } redirect to :ip6 saddr map @ask6\n"
    "add rule inet $ prerouting meta l4proto { tcp, udp, sctp } jump publish\n"
    /* localhost is 127.0.0.1: a resolver at 127.0.0.53 or a service at ::1 stays the host's */
    "add rule inet $ output ip daddr 127.0.0.0/8 ip daddr != 127.0.0.1 return\n"
    "add rule inet $ output ip6 daddr ::1 return\n"
    "add rule inet $ output meta l4proto { tcp, udp, sctp } jump publish\n"
    /* route_localnet is on at our bridges, so what claims 127/8 there goes before anything routes it */
    "add rule inet $ first ip daddr 127.0.0.0/8 iifname @bridges drop\n"
    "add rule inet $ first ip saddr 127.0.0.0/8 iifname @bridges drop\n"
    "add rule inet $ to_zone ct status dnat ct direction original iifname . oifname @denied meta mark set "
    "meta mark | " NET_TRANSLATED "\n"
    "add rule inet $ to_zone ct state established,related accept\n"
    /* Where bridged frames come here too (br_netfilter), neighbours still find each other: no connection, so nothing to judge. */
    "add rule inet $ to_zone icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 "
    "accept\n"
    "add rule inet $ to_zone jump judge\n"
    "add rule inet $ to_zone iifname . oifname @same accept\n"
    "add rule inet $ to_zone iifname @sealed drop\n"
    "add rule inet $ to_zone ct status dnat accept\n"
    "add rule inet $ to_zone drop\n"
    "add rule inet $ forward oifname @bridges goto to_zone\n"
    "add rule inet $ forward iifname @sealed reject with icmpx admin-prohibited\n" /* the way of those that reach a network */
    "add rule inet $ forward iifname @bridges accept\n"
    "add rule inet $ forward jump strangers\n"
    "add rule inet $ to_zone_source ip saddr 127.0.0.0/8 masquerade\n"
    "add rule inet $ to_zone_source ct status dnat oifname . ip saddr @near4 masquerade\n"
    "add rule inet $ to_zone_source ct status dnat oifname . ip6 saddr @near6 masquerade\n"
    "add rule inet $ to_zone_source ct status dnat ip saddr . ip daddr @self4 masquerade\n"
    "add rule inet $ to_zone_source ct status dnat ip6 saddr . ip6 daddr @self6 masquerade\n"
    "add rule inet $ postrouting oifname @bridges goto to_zone_source\n"
    "add rule inet $ postrouting iifname @natted masquerade\n"
    /* Answers to the host before any set is asked, since all of the host's packets pass here; not what a zone began, lest a
     * conversation that was let in once, while the sets were being filled, is let in for ever. */
    "add rule inet $ input ct state established,related ct direction reply accept\n"
    "add rule inet $ input iifname @bridges jump from_zone\n"
    "add rule inet $ from_zone tcp dport 53 ct state new jump talks\n"
    "add rule inet $ from_zone tcp dport @askers ct state new jump talks\n"
    "add rule inet $ from_zone meta l4proto { tcp, udp } th dport @askers goto asked\n"
    "add rule inet $ from_zone iifname @sealed goto to_host\n"
    "add rule inet $ from_zone iifname @guarded goto to_host\n"
    /* of these a zone may have as many as it likes, and nobody asks by them */
    "add rule inet $ talks ip6 saddr fe80::/10 drop\n"
    "add rule inet $ talks add @talks4 { ip saddr ct count over 8 } drop\n"
    "add rule inet $ talks add @talks6 { ip6 saddr ct count over 8 } drop\n"
    "add rule inet $ asked ct status dnat accept\n"
    "add rule inet $ asked drop\n"
    /* Of the host a sealed network has the addresses and the names, and nothing else; so have those whom another firewall
     * trusts because it knows nothing less that lets forwarded packets pass. */
    "add rule inet $ to_host ct state established,related accept\n"
    "add rule inet $ to_host meta l4proto { icmp, icmpv6 } accept\n"
    "add rule inet $ to_host udp dport { 53, 67, 547 } accept\n"
    "add rule inet $ to_host tcp dport 53 accept\n"
    "add rule inet $ to_host drop\n"
    /* What a zone sends bears its own MAC and addresses, and nobody's neighbour announcement but its own. No
     * router's words; and no multicast reports and router solicitations either: nobody here listens to them,
     * and the bridge would copy each to every port, which made a start among 500 zones five times as long. */
    "add table bridge $\n"
    "add set bridge $ macs { type ifname . ether_addr; }\n"
    "add set bridge $ src4 { type ifname . ether_addr . ipv4_addr; }\n"
    "add set bridge $ src6 { type ifname . ether_addr . ipv6_addr; }\n"
    "add set bridge $ own6 { typeof iifname . @th,64,128; }\n"
    /* Link-local addresses that are somebody's: nobody else's. Each is one MAC's, so they have no link beside them; of other
     * addresses two zones on two LANs may have the same. */
    "add set bridge $ known6 { type ipv6_addr; }\n"
    "add set bridge $ target6 { typeof @th,64,128; }\n"
    "add set bridge $ self { type ifname . ifname; }\n"
    "add set bridge $ free { type ifname; }\n" /* links whose addresses are a LAN's, not ours to know */
    "add set bridge $ flows4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; size 262144; flags "
    "dynamic,timeout; timeout 3m; }\n" /* the ways back of UDP and SCTP that a rule let through */
    "add set bridge $ flows6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; size 262144; flags "
    "dynamic,timeout; timeout 3m; }\n"
    "add set bridge $ openers { type ifname; size 65536; flags dynamic,timeout; timeout 1m; }\n"
    "add set bridge $ trusted { type ifname; }\n" /* links that may bear any address, by their spec */
    /* links that hear a router and a DHCP server; and the hardware address for which each may ask */
    "add set bridge $ hear { type ifname; }\n"
    "add set bridge $ asks { typeof iifname . @th,288,48; }\n"
    "add chain bridge $ judge\n"
    "add chain bridge $ whole\n"
    "add chain bridge $ opened\n"
    "add chain bridge $ translated\n"
    "add chain bridge $ six\n"
    "add chain bridge $ dhcp\n"
    "add chain bridge $ client\n"
    "add chain bridge $ output { type filter hook output priority filter; policy accept; }\n"
    /* behind the inet table, where bridged frames meet that too (br_netfilter, at -1) */
    "add chain bridge $ judged { type filter hook forward priority 10; policy accept; }\n"
    "add chain bridge $ first { type filter hook prerouting priority -300; policy accept; }\n"
    "flush chain bridge $ whole\nflush chain bridge $ opened\nflush chain bridge $ six\nflush chain bridge $ "
    "first\n"
    "flush chain bridge $ dhcp\nflush chain bridge $ client\nflush chain bridge $ output\n"
    "flush chain bridge $ judged\nflush chain bridge $ translated\n"
    /* What most packets are not is asked first, and sets last. */
    "add rule bridge $ output icmpv6 type nd-router-advert oifname \"%*\" oifname != @hear drop\n"
    "add rule bridge $ output udp sport { 67, 547 } oifname \"%*\" oifname != @hear drop\n"
    /* Out where it came in: only what the bridge itself translated to this zone, which is addressed to it alone (see
     * net_msg_port). A frame to nobody known that comes back with it ends at the zone's link, which has another address, unless it listens to all. */
    "add rule bridge $ judged ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 iifname . oifname @self "
    "iifname != @trusted drop\n"
    "add rule bridge $ judged iifname \"%*\" jump judge\n"
    /* what has headers that nobody can read to their end (a first fragment too short for them) is nothing that a rule knows */
    "add rule bridge $ whole meta l4proto != 255 return\n"
    "add rule bridge $ whole drop\n"
    /* new ways back are counted, lest one zone fills the sets of all */
    "add rule bridge $ opened meta l4proto != { udp, sctp } return\n"
    "add rule bridge $ opened ip daddr . th dport . ip saddr . th sport @flows4 update @flows4 { ip daddr . "
    "th "
    "dport . ip saddr . th sport } return\n"
    "add rule bridge $ opened ip6 daddr . th dport . ip6 saddr . th sport @flows6 update @flows6 { ip6 daddr "
    ". "
    "th dport . ip6 saddr . th sport } return\n"
    "add rule bridge $ opened update @openers { iifname limit rate over 50/second burst 1000 packets } "
    "return\n"
    "add rule bridge $ opened update @flows4 { ip daddr . th dport . ip saddr . th sport }\n"
    "add rule bridge $ opened update @flows6 { ip6 daddr . th dport . ip6 saddr . th sport }\n"
    "add rule bridge $ translated meta mark set meta mark & " NET_NOT_TRANSLATED "\n"
    "add rule bridge $ translated goto opened\n"
    "add rule bridge $ six iifname @hear icmpv6 type nd-router-solicit iifname . ether saddr @macs ip6 saddr "
    "{ ::, fe80::/10 } accept\n"
    "add rule bridge $ six icmpv6 type { nd-router-advert, nd-redirect, nd-router-solicit, "
    "mld-listener-query,"
    " mld-listener-report, mld-listener-done, mld2-listener-report } drop\n"
    "add rule bridge $ six icmpv6 type nd-neighbor-advert @th,64,10 != 0x3fa iifname . @th,64,128 != @own6 "
    "drop\n"
    "add rule bridge $ six icmpv6 type nd-neighbor-advert @th,64,128 @target6 iifname . @th,64,128 != @own6 "
    "drop\n"
    /* who asks for an address without having one asks whether it is free: for none but his own, and no link-local one of another */
    "add rule bridge $ six icmpv6 type nd-neighbor-solicit ip6 saddr :: @th,64,10 != 0x3fa iifname . "
    "@th,64,128 != @own6 drop\n"
    "add rule bridge $ six icmpv6 type nd-neighbor-solicit ip6 saddr :: @th,64,128 @target6 iifname . "
    "@th,64,128 != @own6 drop\n"
    "add rule bridge $ six iifname . ether saddr . ip6 saddr @src6 accept\n"
    "add rule bridge $ six iifname . ether saddr != @macs drop\n"
    "add rule bridge $ six ip6 saddr @known6 drop\n"
    "add rule bridge $ six ip6 saddr { ::, fe80::/10 } accept\n"
    "add rule bridge $ six drop\n"
    "add rule bridge $ first iifname != \"%*\" accept\n"
    /* what is for the bridge itself (see net_msg_port) */
    "add rule bridge $ first ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 iifname != @trusted drop\n"
    /* most packets: a zone's own, that are not of a protocol in which more is looked at */
    "add rule bridge $ first meta l4proto udp jump dhcp\n"
    "add rule bridge $ first ether type ip iifname . ether saddr . ip saddr @src4 accept\n"
    "add rule bridge $ first ether type ip6 meta l4proto != icmpv6 iifname . ether saddr . ip6 saddr @src6 "
    "accept\n"
    "add rule bridge $ first iifname @trusted accept\n"
    /* whose address a tagged frame bears is read behind its tag, but which VLAN it reaches is not the zone's choice */
    "add rule bridge $ first ether type { 8021q, 8021ad } drop\n"
    "add rule bridge $ first icmpv6 type { nd-router-advert, nd-redirect } drop\n"
    "add rule bridge $ first iifname @free iifname . ether saddr @macs accept\n"
    "add rule bridge $ first iifname . ether saddr . arp saddr ip @src4 iifname . arp saddr ether . arp "
    "saddr ip @src4"
    " accept\n"
    "add rule bridge $ first ether type ip6 goto six\n"
    "add rule bridge $ first drop\n"
    /* what only a DHCP server says; and what a client asks */
    "add rule bridge $ dhcp udp sport { 67, 547 } iifname != @trusted drop\n"
    "add rule bridge $ dhcp udp dport 67 iifname != @trusted iifname != @free goto client\n"
    /* A zone's own DHCP client, with an address or before it has one, asks for its own hardware address. What is too short
     * to tell (a fragment) matches neither. */
    "add rule bridge $ client ether type ip iifname . ether saddr . ip saddr @src4 iifname . @th,288,48 "
    "@asks accept\n"
    "add rule bridge $ client ether type ip iifname . ether saddr @macs ip saddr 0.0.0.0 iifname . "
    "@th,288,48 @asks "
    "accept\n"
    "add rule bridge $ client drop\n";

void net_table_expand(struct str *s, const char *text, const char *instance)
{
    char prefix[6];
    net_link_prefix(instance, prefix);
    for (const char *p = text; *p; p++)
        if (*p == '$')
            str_add(s, instance);
        else if (*p == '%')
            str_add(s, prefix);
        else
            str_addn(s, p, 1);
}

static unsigned runs;

unsigned net_table_runs(void)
{
    return runs;
}

/* libnftables (1.0.6) waits with select(2), whose sets end at descriptor 1,023: beyond, glibc aborts the process. So a
 * daemon of many zones keeps a low one, and gives it up while libnftables has its socket there. */
static bool keeping;
static int kept = -1;

static void keep(void)
{
    if (kept < 0)
        kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (kept >= FD_SETSIZE)
        close_fd(&kept);
}

void net_table_keep_descriptor(void)
{
    keeping = true;
    keep();
}

static void nft_end(struct nft_ctx *n)
{
    if (n)
        nft_ctx_free(n);
    if (keeping)
        keep();
}

static int nft_begin(struct nft_ctx **out, struct err *e)
{
    errno = EMFILE; /* what an open that gave a high number leaves there */
    keep();
    if (kept < 0)
        return err_set(e, ERR_LIMIT, errno, "nft: no file descriptor below %d is free: %s", FD_SETSIZE,
                       strerror(errno));
    close_fd(&kept);
    *out = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!*out) {
        nft_end(NULL);
        return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "nftables is not available");
    }
    nft_ctx_buffer_output(*out);
    nft_ctx_buffer_error(*out);
    return 0;
}

int net_table_try(const char *text, struct err *e)
{
    struct nft_ctx *n;
    int r = nft_begin(&n, e);
    if (r < 0)
        return r;
    runs++;
    errno = 0;
    if (nft_run_cmd_from_buffer(n, text) != 0) {
        int code = errno ? errno : EIO;
        const char *said = nft_ctx_get_error_buffer(n);
        enum err_kind kind = code == EPERM                      ? ERR_DENIED
                             : code == EBUSY || net_again(code) ? ERR_BUSY
                                                                : ERR_INTERNAL;
        r = err_set(e, kind, code, "nft: %.300s", said && *said ? said : strerror(code));
    }
    nft_end(n);
    return r;
}

/* What is run here may all be said again (add, flush, delete after add), also where answers were lost. */
int net_table_run(const char *text, struct err *e)
{
    for (unsigned tries = 0;; tries++) {
        struct err own = {0};
        int r = net_table_try(text, &own);
        if (r == 0)
            return 0;
        if (own.kind != ERR_BUSY || tries == NET_TRIES)
            return err_set(e, own.kind, own.code, "%s", own.text);
        net_pause(tries);
    }
}

static void in_set(struct str *s, const char *verb, const char *instance, const char *set, const char *bridge)
{
    str_addf(s, "%s element inet %s %s { \"%s\" }\n", verb, instance, set, bridge);
}

/* An address as nft takes a raw number. */
static void target(struct str *s, const char *verb, const char *instance, const struct net_addr *a)
{
    str_addf(s, "%s element bridge %s target6 { 0x", verb, instance);
    for (unsigned i = 0; i < 16; i++)
        str_addf(s, "%02x", a->bytes[i]);
    str_add(s, " }\n");
}

static void elements(struct str *s, const char *verb, const char *instance, const struct net_network *n)
{
    char a[64];
    if (!net_routed_by_us(n)) {
        in_set(s, verb, instance, "lans", n->bridge);
        return;
    }
    in_set(s, verb, instance, "bridges", n->bridge);
    if (n->type == SPEC_NET_NAT)
        in_set(s, verb, instance, "natted", n->bridge);
    if (n->type == SPEC_NET_SEALED)
        in_set(s, verb, instance, "sealed", n->bridge);
    str_addf(s, "%s element inet %s same { \"%s\" . \"%s\" }\n", verb, instance, n->bridge, n->bridge);
    if (n->subnet4.family) {
        net_addr_print(&n->subnet4, true, a);
        str_addf(s, "%s element inet %s near4 { \"%s\" . %s }\n", verb, instance, n->bridge, a);
    }
    if (n->subnet6.family) {
        net_addr_print(&n->subnet6, true, a);
        str_addf(s, "%s element inet %s near6 { \"%s\" . %s }\n", verb, instance, n->bridge, a);
        struct net_addr local = net_link_local(n->mac);
        net_addr_print(&local, false, a);
        str_addf(s, "%s element bridge %s known6 { %s }\n", verb, instance, a);
        target(s, verb, instance, &local);
    }
}

/* Exactly these. */
static void opened(struct str *s, const char *instance, const char *set, char *const *names)
{
    str_addf(s, "flush set inet %s %s\n", instance, set);
    for (; names && *names; names++)
        str_addf(s, "add element inet %s %s { \"%s\" }\n", instance, set, *names);
}

int net_table_up(struct net_ctx *c, const struct net_network *n, char *const *opened4, char *const *opened6,
                 bool all6, struct err *e)
{
    auto_done(str_done) struct str s = {0};
    net_table_expand(&s, skeleton, c->instance);
    elements(&s, "add", c->instance, n);
    opened(&s, c->instance, "opened4", opened4);
    opened(&s, c->instance, "opened6", opened6);
    /* where forwarding is on only because of us, what neither enters nor leaves our links does not pass */
    str_addf(&s, "add rule inet %s strangers meta nfproto ipv4 iifname @opened4 drop\n", c->instance);
    str_addf(&s, "add rule inet %s strangers meta nfproto ipv6 %s drop\n", c->instance,
             all6 ? "" : "iifname @opened6");
    return net_table_run(s.p, e);
}

bool net_tables_current(struct net_ctx *c)
{
    struct net_nft *nft;
    auto_done(net_strv_done) char **layout = NULL;
    return net_ctx_nft(c, &nft, NULL) == 0 && net_nft_names(nft, c->instance, "layout", &layout, NULL) == 0 &&
           strv_has(layout, NET_LAYOUT);
}

int net_guard_set(struct net_ctx *c, char *const *bridges, struct err *e)
{
    auto_done(str_done) struct str s = {0};
    opened(&s, c->instance, "guarded", bridges);
    return net_table_run(s.p, e);
}

int net_table_remove_network(struct net_ctx *c, const struct net_network *n, struct err *e)
{
    auto_done(str_done) struct str s = {0};
    elements(&s, "add", c->instance, n); /* so that deleting a missing one is no error */
    elements(&s, "delete", c->instance, n);
    return net_table_run(s.p, e);
}

int net_table_down(struct net_ctx *c, struct err *e)
{
    auto_free char *text =
        xasprintf("add table inet %s\ndelete table inet %s\nadd table bridge %s\ndelete table bridge %s\n",
                  c->instance, c->instance, c->instance, c->instance);
    return net_table_run(text, e);
}

int net_table_forget_askers(struct net_ctx *c, struct err *e)
{
    auto_free char *text =
        xasprintf("flush map inet %s ask4\nflush map inet %s ask6\nflush set inet %s askers\n", c->instance,
                  c->instance, c->instance);
    return net_table_run(text, e);
}

char *net_table_list(const char *chain)
{
    struct nft_ctx *n;
    if (nft_begin(&n, NULL) < 0)
        return NULL;
    auto_free char *command = xasprintf("list chain %s\n", chain);
    char *text = NULL;
    nft_ctx_output_set_flags(n, NFT_CTX_OUTPUT_HANDLE);
    if (nft_run_cmd_from_buffer(n, command) == 0)
        text = xstrdup(nft_ctx_get_output_buffer(n));
    nft_end(n);
    return text;
}
