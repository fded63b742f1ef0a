/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: v2 */
/* What is refused and what is undone: conflicts, half-made zones, ports of a running zone, many ports, rates,
 * counters, doctor. */
#include "lab.h"
#include "netstack/priv.h"
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/resource.h>

static struct net_ctx *ctx;
static struct net_network net;
static struct net_pool *pool;
static json *saved;
static int lan;

static void setup(void)
{
    struct err e = {0};
    lan = ns_new();
    sh(-1, "ip link set lo up; echo 0 > /proc/sys/net/ipv4/ip_forward");
    cable(-1, "lan0", "192.0.2.1/24", "2001:db8:1::1/64", lan, "192.0.2.2/24", "2001:db8:1::2/64");
    sh(-1, "ip route add 10.0.0.0/9 via 192.0.2.2; ip route add 10.128.0.0/10 via 192.0.2.2 table 77");
    sh(-1, "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"); /* many servers are set so */
    int r = net_network_choose("zoned", "default", &net, &e);
    ok(r == 0 && net.subnet4.bytes[0] == 10 && net.subnet4.bytes[1] >= 192,
       "the choice avoids the routes of every table");
    sh(-1, "ip route del 10.0.0.0/9; ip route del 10.128.0.0/10 table 77");
    is_int(net_ctx_new("zoned", &ctx, &e), 0, "context");
    ok(!net_network_is_up(ctx, &net), "not up yet");
    is_int(net_network_up(ctx, &net, &saved, &e), 0, "network up");
    ok(net_network_is_up(ctx, &net), "up");
    pool = net_pool_new(&net);
}

static int up(struct lab_zone *z, struct err *e)
{
    return net_zone_up(ctx, &z->link, 1, z->ns, z->hold, &z->nhold, e);
}

static void test_conflict(void)
{
    struct lab_zone a, b;
    struct err e = {0};
    zone_plan(&a, "zoned", "a", &net, pool);
    zone_plan(&b, "zoned", "b", &net, pool);
    zone_port(&a, "8080:80");
    zone_port(&b, "8079:79");
    zone_port(&b, "8080:80");
    is_int(up(&a, &e), 0, "first zone");
    while (a.nhold) /* so that the table itself is asked, not the host's sockets */
        close_fd(&a.hold[--a.nhold]);
    auto_free char *before = picture();
    is_int(up(&b, &e), -EADDRINUSE, "a second zone with the same port is refused");
    is_int(e.kind, ERR_CONFLICT, "as a conflict");
    ok(strstr(e.text, "8080/tcp") && strstr(e.text, "another zone"), "that names the port: %s", e.text);
    auto_free char *after = picture();
    is_str(after, before, "and nothing of it is left");
    err_clear(&e);
    is_int(net_zone_down(ctx, &b.link, 1, &e) || net_zone_gone(ctx, &b.link, 1, &e), 0, "its recovery");
    auto_free char *later = picture();
    is_str(later, before, "leaves the first zone's port alone");
    /* the same plan again is what recovery after a crash may do: the name exists, so it is refused and not
     * destroyed */
    is_int(up(&a, &e), -EEXIST, "a link that exists is refused");
    auto_free char *same = picture();
    is_str(same, before, "and stays");
    err_clear(&e);
    is_int(net_zone_down(ctx, &a.link, 1, &e), 0, "down without waiting");
    zone_gone(&a);
    zone_gone(&b);
}

static void test_undone(void)
{
    struct lab_zone a;
    struct err e = {0};
    auto_free char *before = picture();
    zone_plan(&a, "zoned", "u", &net, pool);
    zone_port(&a, "8080:80");
    auto_fd int null = open("/dev/null", O_RDONLY);
    ok(net_zone_up(ctx, &a.link, 1, null, a.hold, &a.nhold, &e) < 0, "no namespace: %s", e.text);
    err_clear(&e);
    strcpy(a.link.network.bridge, "nobridge");
    ok(up(&a, &e) < 0 && strstr(e.text, "not up"), "no bridge: %s", e.text);
    err_clear(&e);
    a.link.network = net;
    a.link.network.gateway4.bytes[0] = 9; /* a route that the kernel refuses, after the links were made */
    ok(up(&a, &e) < 0 && strstr(e.text, "default route"), "no route: %s", e.text);
    err_clear(&e);
    a.link.network = net;
    strcpy(a.link.host_ifname, "eth7");
    ok(up(&a, &e) < 0 && e.kind == ERR_INVALID, "a foreign link name: %s", e.text);
    err_clear(&e);
    is_int(a.nhold, 0, "no socket is held");
    auto_free char *after = picture();
    is_str(after, before, "nothing is left of any");
    is_int(net_zone_up(ctx, NULL, 0, a.ns, NULL, NULL, &e), 0, "no links: lo only");
    is_int(sh(a.ns, "ip -o link show lo | grep -q 'LOOPBACK,UP'"), 0, "which is up");
    zone_gone(&a);
}

static void test_port_check(void)
{
    struct spec_port p = {.host_first = 8088, .host_last = 8090, .zone_first = 80, .proto = SPEC_TCP};
    struct err e = {0};
    char want[64];
    is_int(net_port_check(&p, &e), 0, "free ports");
    serve(-1, false, "127.0.0.1", 8089);
    snprintf(want, sizeof(want), "(pid %d)", (int)lab_pids[0]);
    is_int(net_port_check(&p, &e), -EADDRINUSE, "a port in use");
    ok(e.kind == ERR_CONFLICT && strstr(e.text, "8089/tcp") && strstr(e.text, want) &&
           strstr(e.text, "test_links"),
       "is named with its holder: %s", e.text);
    err_clear(&e);
    p.host_ip = (char *)"192.0.2.1";
    is_int(net_port_check(&p, &e), 0, "free on another address");
    p.host_ip = (char *)"198.51.100.99";
    is_int(net_port_check(&p, &e), 0, "an address that is not there yet");
    is_str(ask(-1, false, "127.0.0.1", 8089), "127.0.0.1", "a connection to it");
    serve_stop();
    p.host_ip = NULL;
    is_int(sh(-1, "grep -q ' 06 00000000:00000000' /proc/net/tcp"), 0, "leaves a TIME_WAIT behind");
    is_int(net_port_check(&p, &e), 0, "which is no reason to refuse");
}

static void test_change(void)
{
    struct lab_zone a;
    struct err e = {0};
    zone_plan(&a, "zoned", "c", &net, pool);
    zone_port(&a, "8080:80");
    zone_port(&a, "8082:82");
    struct net_link_plan before = a.link;
    is_int(up(&a, &e), 0, "a zone with two ports");
    auto_free char *was = picture();
    memset(&a.link.ports, 0, sizeof(a.link.ports));
    zone_port(&a, "8080:81");
    zone_port(&a, "8083:83/udp");
    is_int(net_zone_ports(ctx, &before, &a.link, 1, &e), 0, "other ports");
    auto_free char *map = capture("nft -n list map inet zoned any4");
    ok(strstr(map, "8080 : ") && strstr(map, ". 81") && strstr(map, "17 . 8083") && !strstr(map, "8082"),
       "are what is there");
    is_int(net_zone_ports(ctx, &a.link, &before, 1, &e), 0, "and back");
    auto_free char *is = picture();
    is_str(is, was, "to what was");
    is_int(net_zone_down(ctx, &before, 1, &e) || net_zone_gone(ctx, &before, 1, &e), 0, "down");
    net_link_done(&before);
    zone_gone(&a);
}

static void test_many(void)
{
    struct lab_zone a;
    struct err e = {0};
    zone_plan(&a, "zoned", "m", &net, pool);
    zone_port(&a, "10000-11023:20000-21023");
    uint64_t t = clock_mono_us();
    is_int(up(&a, &e), 0, "1,024 ports, IPv4 and IPv6");
    uint64_t u = clock_mono_us();
    printf("# up with 1,024 ports: %llu us\n", (unsigned long long)(u - t));
    is_int(a.nhold, 64, "64 are held");
    serve(a.ns, false, "0.0.0.0", 20000);
    serve(a.ns, false, "0.0.0.0", 21023);
    usleep(NUDGE);
    is_str(ask(lan, false, "192.0.2.1", 10000), "192.0.2.2", "the first");
    is_str(ask(lan, false, "192.0.2.1", 11023), "192.0.2.2", "the last, to its own number");
    serve_stop();
    t = clock_mono_us();
    is_int(net_zone_down(ctx, &a.link, 1, &e) || net_zone_gone(ctx, &a.link, 1, &e), 0, "down");
    printf("# down with 1,024 ports: %llu us\n", (unsigned long long)(clock_mono_us() - t));
    is_int(sh(-1, "nft list map inet zoned any4 | grep -q elements"), 256, "none is left");
    zone_gone(&a);
}

/* Seconds that n bytes take from one namespace to an address in another. */
static double stream(int from, int to, const char *address, size_t n)
{
    static char block[16384];
    struct sockaddr_storage ss;
    socklen_t len = lab_addr(address, 6000, &ss);
    int own = ns_own(), on = 1;
    if (setns(to, CLONE_NEWNET) < 0)
        abort();
    auto_fd int l = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(l, (void *)&ss, len) < 0 || listen(l, 1) < 0 || setns(from, CLONE_NEWNET) < 0)
        abort();
    auto_fd int c = socket(AF_INET, SOCK_STREAM, 0);
    if (setns(own, CLONE_NEWNET) < 0)
        abort();
    close(own);
    uint64_t t = clock_mono_us();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (connect(c, (void *)&ss, len) < 0)
            _exit(1);
        for (size_t k = 0; k < n; k += sizeof(block))
            (void)!write(c, block, sizeof(block));
        _exit(0);
    }
    close_fd(&c);
    auto_fd int s = accept(l, NULL, NULL);
    while (read(s, block, sizeof(block)) > 0)
        ;
    waitpid(pid, NULL, 0);
    return (double)(clock_mono_us() - t) / 1e6;
}

/* The token bucket of a link as the kernel has it: its rate; with `bytes` also that so many went through it and
 * that it held some back. How long that took says more of the machine than of us. */
static void qdisc(const char *ifname, const char *rate, unsigned long long bytes)
{
    char cmd[128];
    unsigned long long sent = 0, over = 0;
    snprintf(cmd, sizeof(cmd), "tc -s qdisc show dev %s root", ifname);
    auto_free char *t = capture(cmd);
    const char *counters = strstr(t, "Sent ");
    ok(strstr(t, "qdisc tbf 1: ") && strstr(t, rate), "%s has a bucket of %s", ifname, rate);
    ok(counters &&
           sscanf(counters, "Sent %llu bytes %*u pkt (dropped %*u, overlimits %llu", &sent, &over) == 2,
       "... with counters");
    if (bytes)
        ok(sent >= bytes && over > 0, "... through which %llu bytes went, held back %llu times", sent, over);
}

static void test_rates(void)
{
    struct lab_zone a;
    struct err e = {0};
    struct net_counters c = {0};
    char ifb[16];
    auto_fd int host = ns_own();
    zone_plan(&a, "zoned", "r", &net, pool);
    a.link.rate_in = 20000000;
    a.link.rate_out = 8000000;
    is_int(up(&a, &e), 0, "a zone with rates");
    if (err_is(&e))
        printf("# %s\n", e.text);
    usleep(NUDGE);
    qdisc(a.link.host_ifname, "rate 20700Kbit", 0);
    net_shape_ifb(a.link.host_ifname, ifb);
    qdisc(ifb, "rate 8280Kbit", 0);
    printf("# 20 Mbit/s in: 2.5 MB took %.2f s\n", stream(host, a.ns, a.ip4, 2500000));
    printf("# 8 Mbit/s out: 1 MB took %.2f s\n", stream(a.ns, host, "192.0.2.1", 1000000));
    qdisc(a.link.host_ifname, "rate 20700Kbit", 2500000);
    qdisc(ifb, "rate 8280Kbit", 1000000);
    struct net_count n[2] = {{.index = 1 << 30}, {.index = net_link_index(ctx, a.link.host_ifname)}};
    is_int(net_count_links(ctx, n, 2, &e), 0, "counters");
    ok(n[0].there && !n[1].there, "of the one that exists");
    c = n[0].count;
    ok(c.rx_bytes > 2500000 && c.tx_bytes > 1000000 && c.tx_bytes < 2500000,
       "are the zone's: %llu in, %llu out", (unsigned long long)c.rx_bytes, (unsigned long long)c.tx_bytes);
    char **left = NULL;
    net_leftovers(ctx, &left, &e);
    is_int(strv_len(left), 2, "the veth and its ifb bear the instance");
    strv_free(left);
    left = NULL;
    is_int(net_zone_down(ctx, &a.link, 1, &e) || net_zone_gone(ctx, &a.link, 1, &e), 0, "down");
    net_leftovers(ctx, &left, &e);
    is_int(strv_len(left), 0, "both are gone");
    zone_gone(&a);
}

/* IFLA_GSO_MAX_SIZE and IFLA_GSO_IPV4_MAX_SIZE, which Debian 12's headers do not name; 0: this kernel has none. */
static void sizes(int ns, const char *ifname, unsigned out[2])
{
    enum { GSO_IPV4_MAX_SIZE = 63 };
    struct err e = {0};
    char answer[16384];
    int own = net_ns_own(&e);
    (void)net_ns_enter(ns, &e);
    auto_fd int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        struct nlmsghdr h;
        struct ifinfomsg i;
    } ask = {{sizeof(ask), RTM_GETLINK, NLM_F_REQUEST, 1, 0}, {.ifi_index = net_ifindex(s, ifname)}};
    ssize_t n = send(s, &ask, sizeof(ask), 0) == sizeof(ask) ? recv(s, answer, sizeof(answer), 0) : -1;
    net_ns_return(own);
    const struct nlmsghdr *h = (void *)answer;
    unsigned left = n > 0 && h->nlmsg_type == RTM_NEWLINK ? (unsigned)IFLA_PAYLOAD(h) : 0;
    for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(h)); RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == IFLA_GSO_MAX_SIZE || a->rta_type == GSO_IPV4_MAX_SIZE)
            memcpy(&out[a->rta_type == GSO_IPV4_MAX_SIZE], RTA_DATA(a), sizeof(*out));
}

static void pieces(const struct lab_zone *z, bool big)
{
    unsigned host[2] = {0}, zone[2] = {0};
    auto_fd int own = ns_own();
    sizes(own, z->link.host_ifname, host);
    sizes(z->ns, z->link.ifname, zone);
    ok(host[0] == 65536 && zone[0] == 65536, "pieces over IPv6 are as ever: %u, %u", host[0], zone[0]);
    unsigned want = host[1] ? (big ? 180 * 1024 : 65536) : 0;
    ok(host[1] == want && zone[1] == want, "over IPv4: %u, %u", host[1], zone[1]);
}

static void test_big_tcp(void)
{
    struct err e = {0};
    for (int big = 0; big < 2; big++) {
        struct lab_zone a;
        zone_plan(&a, "zoned", "p", &net, pool);
        a.link.network.big_tcp = big;
        is_int(up(&a, &e), 0, "a zone on a network %s big pieces", big ? "with" : "without");
        pieces(&a, big);
        is_int(net_zone_down(ctx, &a.link, 1, &e) || net_zone_gone(ctx, &a.link, 1, &e), 0, "down");
        zone_gone(&a);
    }
}

static unsigned ills(const char *rules, char *const *bridges)
{
    char **known = strv_copy(bridges);
    sh(-1, "nft 'table inet foreign { %s; }'", rules);
    auto_js json *list = net_doctor(ctx, &(struct net_pass){.forwarded = known, .askers = known});
    sh(-1, "nft delete table inet foreign");
    strv_free(known);
    return (unsigned)js_len(list);
}

#define FORWARD(policy, rules) "chain f { type filter hook forward priority 0; policy " policy "; " rules " }"
#define INPUT(policy, rules) "chain i { type filter hook input priority 0; policy " policy "; " rules " }"

static void test_doctor(void)
{
    auto_js json *well = net_doctor(ctx, &(struct net_pass){0});
    is_int(js_len(well), 0, "nothing is wrong");
    sh(-1, "nft 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }'");
    auto_js json *ill = net_doctor(ctx, &(struct net_pass){0});
    ok(js_len(ill) == 1 && strstr(js_get_str(js_at(ill, 0), "problem", ""), "FORWARD") &&
           strstr(js_get_str(js_at(ill, 0), "remedy", ""), "iptables -I FORWARD -i zoned0"),
       "a chain that drops is named with the remedy");
    sh(-1, "nft delete table ip filter");
    char first[] = "zb1",
         second[] = "zb2", *const two[] = {first, second, NULL}, *const one[] = {first, NULL};
    is_int(ills(FORWARD("drop", "iifname \"zb1\" accept; oifname \"zb1\" accept;"), two), 1,
           "one of two bridges");
    is_int(ills(FORWARD("drop", "iifname \"zb1\" accept; oifname \"zb1\" accept; iifname \"zb2\" accept; "
                                "oifname \"zb2\" accept comment \"x\";"),
                two),
           0, "each by rules of its own");
    is_int(ills(FORWARD("drop", "iifname { zb1, zb2 } accept; oifname { zb1, zb2 } counter accept;"), two), 0,
           "both at once");
    is_int(
        ills(FORWARD(
                 "accept",
                 "iifname \"zb1\" tcp dport 22 accept; oifname \"zb1\" ct state established accept; drop;"),
             one),
        1, "accepts of a port or a state alone do not hide a drop");
    is_int(ills(FORWARD("accept", "iifname != \"zb1\" accept; oifname != \"zb1\" accept; drop;"), one), 1,
           "nor those of others");
    is_int(ills(FORWARD("accept", "log prefix \"dropped: \" drop;"), one), 1, "a drop that logs");
    is_int(ills(FORWARD("accept", "counter accept comment \"do not drop\";"), one), 0, "a word in a comment");
    is_int(ills(FORWARD("accept", "ip saddr 192.0.2.7 drop; tcp dport 25 reject;"), one), 0,
           "some hosts and ports");
    is_int(ills(FORWARD("accept", "iifname \"eth7\" drop; iifname \"zb1\" drop;"), one), 1,
           "of our links only");
    is_int(ills(INPUT("drop", "tcp dport 22 accept;"), one), 1, "questions for names are dropped");
    is_int(ills(INPUT("drop", "iifname \"zb1\" udp dport { 53, 67 } accept;"), one), 0, "... and accepted");
}

/* libnftables waits with select(2), whose sets end at descriptor 1,023; a daemon of many zones has more. */
static void test_descriptors(void)
{
    struct err e = {0};
    int low[FD_SETSIZE], n = 0, high;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    sh(-1, "nft 'table ip other { " FORWARD("drop", "") "; }'");
    while (n < FD_SETSIZE && (low[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && low[n] < FD_SETSIZE)
        n++;
    high = n < FD_SETSIZE ? low[n] : -1;
    ok(high >= FD_SETSIZE, "all descriptors below %d are taken", FD_SETSIZE);
    is_int(net_table_run("add table inet zoned\n", &e), -EMFILE, "none was kept: refused, and no abort");
    ok(strstr(e.text, "descriptor") != NULL, "with the reason: %s", e.text);
    ok(net_table_list("inet zoned forward") == NULL, "nothing is listed");
    auto_js json *ills = net_doctor(ctx, &(struct net_pass){0});
    is_int(js_len(ills), 0, "nothing is said of a chain without text");
    err_clear(&e);
    close_fd(&low[--n]);
    net_table_keep_descriptor();
    ok(fcntl(FD_SETSIZE - 1, F_GETFD) == FD_CLOEXEC, "one is kept");
    is_int(net_table_run("add table inet zoned\n", &e), 0, "a table is loaded: %s", e.text);
    auto_free char *text = net_table_list("inet zoned forward");
    ok(text && strstr(text, "chain forward"), "and listed");
    is_int(net_table_run("add table inet zoned\n", &e), 0, "and again");
    close_fd(&high);
    while (n)
        close_fd(&low[--n]);
    sh(-1, "nft delete table ip other");
}

int main(void)
{
    lab_begin();
    setvbuf(stdout, NULL, _IOLBF, 0);
    setup();
    test_conflict();
    test_undone();
    test_port_check();
    test_change();
    test_many();
    test_rates();
    test_big_tcp();
    test_doctor();
    test_descriptors();
    struct err e = {0};
    is_int(net_network_down(ctx, &net, true, saved, &e), 0, "network down");
    js_free(saved);
    net_pool_free(pool);
    net_ctx_free(ctx);
    return done_testing();
}
