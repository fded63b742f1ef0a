/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, names, pools, choice, JSON, texts: no kernel, no root. */
#include "base/str.h"
#include "netstack/priv.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <time.h>

static struct net_addr A(const char *text) {
    struct net_addr a = {0};
    net_addr_parse(text, &a);
    return a;
}

static void
test_addr(void)
{
    static const char *const good[] = {"10.0.0.5/32", "10.0.0.0/16", "fd00::5/128", "fd00::/64", "0.0.0.0/0"};
    static const char *const bad[] = {
        "",           "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/16x",
        "fd00::/129", "::1%lo", "localhost",   " 10.0.0.1", "10.0.0.1/+8"};
    char buf[64];
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        struct net_addr a = {0};
        ok(net_addr_parse(good[i], &a) == 0, "parse %s", good[i]);
        net_addr_print(&a, true, buf);
        is_str(buf, good[i], "and print it");
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct net_addr a = {.family = 77};
        ok(net_addr_parse(bad[i], &a) < 0 && a.family == 77, "\"%s\" is refused, out untouched", bad[i]);
    }
    struct net_addr net = A("10.9.0.0/20"), in = A("10.9.15.255"), out = A("10.9.16.0"), six = A("fd00::1");
    ok(net_addr_in(&in, &net) && !net_addr_in(&out, &net) && !net_addr_in(&six, &net), "containment");
}

static void test_names(void)
{
    char a[16], b[16], prefix[6];
    unsigned char m[6], k[6];
    net_host_ifname("zoned", "web", 1, 0, a);
    net_host_ifname("zoned", "web", 2, 0, b);
    net_link_prefix("zoned", prefix);
    ok(strlen(a) == 15 && strcmp(a, b) != 0, "a name of 15 letters, another for another start");
    ok(str_starts(a, prefix) && str_starts(b, prefix), "both with the instance's prefix");
    net_link_prefix("zoned-1a2b3c4d", b);
    ok(strcmp(b, prefix) != 0, "another instance, another prefix");
    net_mac_of("zoned", "web", "default", 0, m);
    net_mac_of("zoned", "web", "default", 1, k);
    ok((m[0] & 3) == 2 && memcmp(m, k, 6) != 0, "MACs are locally administered and differ by link");
    struct net_addr net = A("fd00:1::/64"),
                    of_mac = net_addr_of_mac(&net, (const unsigned char[6]){2, 0x11, 0x22, 0x33, 0x44, 0x55}),
                    want = A("fd00:1::11:22ff:fe33:4455");
    ok(net_addr_eq(&of_mac, &want) && of_mac.prefix == 64, "the address that a zone makes of its MAC");
    net_bridge_name("zoned", "default", a);
    is_str(a, "zoned0", "the default bridge");
    net_bridge_name("zoned", "other", a);
    ok(strlen(a) == 14, "another bridge: %s", a);
}

static unsigned rnd_state;
static unsigned rnd(void)
{
    return (rnd_state = rnd_state * 1103515245u + 12345u) >> 8;
}

/* TEST_SEED, or the time: every run another walk, and any of them again. */
static void rnd_begin(void)
{
    const char *given = getenv("TEST_SEED");
    rnd_state = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
    printf("# TEST_SEED=%u\n", rnd_state);
}

/* What a pool should know, kept as plain arrays by host number. The gateway is number 1 of both families. */
enum { NUMBERS = 65536, FAR = 8 /* IPv6 numbers beyond those that are handed out */ };
struct model {
    bool four[NUMBERS], six[NUMBERS + FAR];
    unsigned room;                             /* IPv4 numbers 2 … room+1 are free at first */
    unsigned n4, n6, either;                   /* either: numbers of the room that one or the other has */
    unsigned twice, outside, refused, at_once; /* what went wrong */
    unsigned takes, claims, last;
};

static struct net_addr numbered(const struct net_addr *subnet, unsigned n)
{
    struct net_addr a = *subnet;
    unsigned len = subnet->family == AF_INET6 ? 16 : 4;
    for (unsigned i = len; n; n >>= 8)
        a.bytes[--i] |= (unsigned char)n;
    return a;
}

static void model_set(struct model *m, bool six, unsigned n, bool on)
{
    bool *at = six ? &m->six[n] : &m->four[n], other = n < NUMBERS && (six ? m->four[n] : m->six[n]);
    if (*at == on)
        return;
    *at = on;
    *(six ? &m->n6 : &m->n4) += on ? 1u : -1u;
    if (!other && n >= 2 && n < m->room + 2)
        m->either += on ? 1u : -1u;
}

static void walk_take(struct model *m, struct net_pool *p, const struct net_network *n)
{
    struct net_addr v4 = {0}, v6 = {0};
    struct err e = {0};
    unsigned rest = m->last;
    m->last = 0;
    if (net_pool_take(p, &v4, &v6, &e) < 0) {
        m->refused += e.kind != ERR_LIMIT ||
                      (m->n4 < NET_BRIDGE_ZONES && m->n6 < NET_BRIDGE_ZONES && m->either < m->room);
        return;
    }
    unsigned host = ((unsigned)v4.bytes[2] << 8 | v4.bytes[3]) & ((1u << (32 - n->subnet4.prefix)) - 1);
    struct net_addr want4 = numbered(&n->subnet4, host), want6 = numbered(&n->subnet6, host);
    m->takes++;
    m->refused += m->n4 >= NET_BRIDGE_ZONES || m->n6 >= NET_BRIDGE_ZONES;
    m->outside += !net_addr_eq(&v4, &want4) || !net_addr_eq(&v6, &want6) || host < 2 || host > m->room + 1 ||
                  v4.prefix != n->subnet4.prefix || v6.prefix != n->subnet6.prefix;
    m->twice += m->four[host] || m->six[host];
    m->at_once += rest && host == rest && m->either + 1 < m->room;
    model_set(m, false, host, true);
    model_set(m, true, host, true);
}

static void walk_claim(struct model *m, struct net_pool *p, const struct net_network *n)
{
    bool six = rnd() % 2, far = six && rnd() % 8 == 0;
    unsigned near = m->room < 1200 ? m->room + 2 : 1200,
             host = far ? NUMBERS + rnd() % FAR : rnd() % (near + 1);
    struct net_addr a = numbered(six ? &n->subnet6 : &n->subnet4, host);
    bool taken = six ? m->six[host] : m->four[host], own = host < 2 || (!six && host == m->room + 2);
    struct err e = {0};
    enum err_kind want = own                                         ? ERR_INVALID
                         : taken                                     ? ERR_CONFLICT
                         : (six ? m->n6 : m->n4) >= NET_BRIDGE_ZONES ? ERR_LIMIT
                                                                     : ERR_NONE;
    net_pool_claim(p, &a, &e);
    m->refused += e.kind != want;
    if (e.kind == ERR_NONE) {
        m->claims++;
        m->twice += taken;
        model_set(m, six, host, true);
    }
    m->last = 0;
}

/* Some number that is taken, of one family or of both; released twice, which is nothing. */
static void walk_release(struct model *m, struct net_pool *p, const struct net_network *n)
{
    unsigned start = rnd() % (NUMBERS + FAR), both = rnd() % 2;
    for (unsigned i = 0; i < NUMBERS + FAR; i++) {
        unsigned host = (start + i) % (NUMBERS + FAR);
        bool four = host < NUMBERS && m->four[host], six = m->six[host];
        if (!four && !six)
            continue;
        for (unsigned k = 0; k < 2; k++) {
            struct net_addr a = numbered(k ? &n->subnet6 : &n->subnet4, host);
            if (!(k ? six : four) || (k && four && !both))
                continue;
            net_pool_release(p, &a);
            net_pool_release(p, &a);
            model_set(m, k, host, false);
        }
        m->last = host < NUMBERS && !m->four[host] && !m->six[host] ? host : 0;
        return;
    }
}

/* Random takes, claims and releases against the model. The pool fills, and empties by and by. */
static void property(const char *subnet, unsigned steps)
{
    struct net_network n = {.subnet4 = A(subnet), .subnet6 = A("fd00:1::/64"), .gateway6 = A("fd00:1::1/64")};
    n.gateway4 = n.subnet4;
    n.gateway4.bytes[3] |= 1;
    struct net_pool *p = net_pool_new(&n);
    struct model *m = xcalloc(1, sizeof(*m));
    m->room = (1u << (32 - n.subnet4.prefix)) - 3;
    unsigned wrong_count = 0;
    for (unsigned i = 0; i < steps; i++) {
        unsigned what = rnd() % 10;
        if (what < (i / (steps / 4) % 2 ? 5u : 2u))
            walk_release(m, p, &n);
        else if (what < 8)
            walk_take(m, p, &n);
        else
            walk_claim(m, p, &n);
        wrong_count += net_pool_used(p) != (m->n4 > m->n6 ? m->n4 : m->n6);
    }
    ok(m->takes > steps / 100 && m->claims > steps / 100, "%s, %u steps: %u takes, %u claims", subnet, steps,
       m->takes, m->claims);
    is_int(m->twice, 0, "no address twice");
    is_int(m->outside, 0, "all inside, none the gateway's, equal host parts");
    is_int(m->at_once, 0, "the last released is not given at once");
    is_int(m->refused, 0, "refused when full, taken or the network's own, and only then");
    is_int(wrong_count, 0, "the count is right");
    net_pool_free(p);
    free(m);
}

static void claim_is(struct net_pool *p, const char *text, enum err_kind kind)
{
    struct err e = {0};
    struct net_addr a = A(text);
    net_pool_claim(p, &a, &e);
    is_str(err_kind_name(e.kind), err_kind_name(kind), "claim %s", text);
}

static void test_claims(void)
{
    struct net_network n = {.subnet4 = A("10.5.0.0/16"),
                            .gateway4 = A("10.5.0.1/16"),
                            .subnet6 = A("fd00::/64"),
                            .gateway6 = A("fd00::1/64")};
    struct net_pool *p = net_pool_new(&n);
    claim_is(p, "10.5.0.2", ERR_NONE);
    claim_is(p, "fd00::2", ERR_NONE);
    claim_is(p, "10.5.0.2", ERR_CONFLICT);
    claim_is(p, "10.5.0.1", ERR_INVALID);
    claim_is(p, "10.5.0.0", ERR_INVALID);
    claim_is(p, "10.5.255.255", ERR_INVALID);
    claim_is(p, "10.6.0.2", ERR_INVALID);
    claim_is(p, "fd01::2", ERR_INVALID);
    claim_is(p, "fd00::dead:beef:0:1", ERR_NONE);
    claim_is(p, "fd00::dead:beef:0:1", ERR_CONFLICT);
    is_int(net_pool_used(p), 2, "one IPv4, two IPv6 addresses: two");
    struct net_addr v4, v6, far = A("fd00::dead:beef:0:1");
    net_pool_release(p, &far);
    net_pool_release(p, &far);
    claim_is(p, "fd00::dead:beef:0:1", ERR_NONE);
    struct err e = {0};
    ok(net_pool_take(p, &v4, &v6, &e) == 0 && v4.bytes[3] == 3, "take passes over what was claimed");
    net_pool_free(p);
}

static void test_avoid(void)
{
    struct net_network n = {.type = SPEC_NET_MACVLAN,
                            .subnet4 = A("192.0.2.0/24"),
                            .first4 = A("192.0.2.10"),
                            .last4 = A("192.0.2.13"),
                            .subnet6 = A("2001:db8::/64")};
    struct net_pool *p = net_pool_new(&n), *q = net_pool_new(&n);
    struct net_addr v4, v6, host[] = {A("192.0.2.10"), A("2001:db8::dead:beef:0:1")};
    struct err e = {0};
    claim_is(q, "192.0.2.11", ERR_NONE);
    claim_is(q, "2001:db8::dead:beef:0:2", ERR_NONE);
    net_pool_avoid(p, host, 2, &q, 1);
    claim_is(p, "192.0.2.10", ERR_CONFLICT);
    claim_is(p, "192.0.2.11", ERR_CONFLICT);
    claim_is(p, "2001:db8::dead:beef:0:1", ERR_CONFLICT);
    claim_is(p, "2001:db8::dead:beef:0:2", ERR_CONFLICT);
    ok(net_pool_take(p, &v4, &v6, &e) == 0 && v4.bytes[3] == 12, "take passes over what others have");
    ok(net_pool_take(p, &v4, &v6, &e) == 0 && v4.bytes[3] == 13, "... each of them");
    ok(net_pool_take(p, &v4, &v6, &e) < 0 && e.kind == ERR_LIMIT, "... and there are no more");
    net_pool_avoid(p, NULL, 0, NULL, 0);
    claim_is(p, "192.0.2.11", ERR_NONE);
    net_pool_free(p);
    net_pool_free(q);
}

static void test_full(void)
{
    struct net_network n = {.subnet4 = A("10.5.0.0/16"), .gateway4 = A("10.5.0.1/16")};
    struct net_pool *p = net_pool_new(&n);
    struct net_addr v4, v6;
    struct err e = {0};
    unsigned i = 0;
    while (net_pool_take(p, &v4, &v6, &e) == 0)
        i++;
    is_int(i, NET_BRIDGE_ZONES, "a bridge's worth of zones");
    is_int(e.kind, ERR_LIMIT, "then the limit");
    is_int(v6.family, 0, "no IPv6 where the network has none");
    net_pool_free(p);
}

static void test_choose(void)
{
    struct net_network a, b;
    struct err e = {0};
    net_choose_free("zoned", "default", "id", NULL, 0, &a, &e);
    net_choose_free("zoned", "default", "id", NULL, 0, &b, &e);
    ok(net_addr_eq(&a.subnet4, &b.subnet4) && net_addr_eq(&a.subnet6, &b.subnet6),
       "the same names, the same subnets");
    ok(a.subnet6.bytes[0] == 0xfd && a.subnet6.prefix == 64 && a.subnet4.prefix == 16, "a ULA /64 and a /16");
    struct net_addr inside = a.subnet4, ten = A("10.0.0.0/8"), all[3];
    inside.bytes[2] = 7;
    inside.prefix = 24;
    net_choose_free("zoned", "default", "id", &inside, 1, &b, &e);
    ok(!net_addr_eq(&a.subnet4, &b.subnet4), "a /24 of the host inside it: another");
    net_choose_free("zoned", "default", "id", &ten, 1, &b, &e);
    is_int(b.subnet4.bytes[0], 172, "all of 10/8 taken: 172.16/12");
    all[0] = ten;
    all[1] = A("172.16.0.0/12");
    net_choose_free("zoned", "default", "id", all, 2, &b, &e);
    is_int(b.subnet4.bytes[0], 192, "then 192.168/16");
    all[2] = A("192.168.3.0/24");
    ok(net_choose_free("zoned", "default", "id", all, 3, &b, &e) < 0 && e.kind == ERR_LIMIT,
       "then none: limit");
    net_choose_free("zoned", "default", "id", &a.subnet6, 1, &b, &e);
    ok(!net_addr_eq(&a.subnet6, &b.subnet6), "a taken ULA: another");
}

static void test_json(void)
{
    struct net_link_plan l = {.rate_in = 100000000,
                              .rate_out = SPEC_UNSET,
                              .default_route = true,
                              .dhcp = true},
                         m;
    struct err e = {0};
    net_choose_free("zoned", "default", "id", NULL, 0, &l.network, &e);
    strcpy(l.ifname, "eth0");
    net_host_ifname("zoned", "web", 1, 0, l.host_ifname);
    net_mac_of("zoned", "web", "default", 0, l.mac);
    l.addr4 = A("10.1.0.2/16");
    struct net_port_rule *r = vec_add(&l.ports);
    spec_parse_port("127.0.0.1:9000-9003:7000-7003/udp", &r->port, &e);
    r->to4 = l.addr4;
    auto_js json *j = net_link_to_json(&l);
    is_int(net_link_from_json(j, &m, &e), 0, "a plan comes back from JSON");
    auto_js json *k = net_link_to_json(&m);
    auto_free char *x = js_dump(j, false), *y = js_dump(k, false);
    is_str(y, x, "and is the same");
    js_set_str(j, "host_ifname", "../../etc");
    net_link_done(&m);
    memset(&m, 0, sizeof(m));
    ok(net_link_from_json(j, &m, &e) < 0 && e.kind == ERR_INVALID && !m.ports.at,
       "a malformed one is refused");
    ok(net_network_from_json(NULL, &l.network, &e) < 0, "none is refused");
    net_link_done(&l);
}

static void test_text(void)
{
    struct net_link_plan l = {.addr4 = A("10.1.0.2/16"), .addr6 = A("fd00::2/64")};
    auto_free char *h = net_hosts_text("web", &l, 1), *none = net_hosts_text("web", NULL, 0);
    is_str(h,
           "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.1.0.2\tweb\nfd00::2\tweb\n",
           "hosts");
    ok(strstr(none, "127.0.1.1\tweb"), "hosts without a link");
    auto_free char *r =
        net_resolv_text("# x\nsearch a.example b.example\nnameserver 192.0.2.53\nnameserver 127.0.0.53\n"
                        "nameserver fe80::1%eth0\nnameserver ::1\noptions edns0\n");
    is_str(r, "search a.example b.example\nnameserver 192.0.2.53\noptions edns0\n",
           "resolv.conf without loopback");
    auto_free char *empty = net_resolv_text(NULL);
    is_str(empty, "", "no resolv.conf");
}

int main(void)
{
    test_addr();
    test_names();
    rnd_begin();
    property("10.5.0.0/16", 20000);
    property("10.5.7.0/24", 20000);
    property("10.5.7.16/29", 2000);
    test_claims();
    test_avoid();
    test_full();
    test_choose();
    test_json();
    test_text();
    return done_testing();
}
