/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small laboratory: network namespaces as host, zones and LANs; servers that answer with the address they
 * saw; frames made by hand. Everything runs in namespaces of the test's own and ends with it. */
#pragma once
#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include "netstack/netstack.h"
#include "tests/unit/tap.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define UNUSED __attribute__((unused))

static pid_t lab_pids[64];
static unsigned lab_npids;

UNUSED static void lab_begin(void)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        printf("Bail out! this test needs root: %s\n", strerror(errno));
        exit(1);
    }
}

UNUSED static int ns_own(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* A new network namespace; the caller stays where it is. */
UNUSED static int ns_new(void)
{
    int own = ns_own();
    if (unshare(CLONE_NEWNET) < 0)
        abort();
    int ns = ns_own();
    if (setns(own, CLONE_NEWNET) < 0)
        abort();
    close(own);
    return ns;
}

__attribute__((format(printf, 2, 3))) UNUSED static int sh(int ns, const char *fmt, ...)
{
    va_list ap;
    auto_free char *cmd = NULL;
    va_start(ap, fmt);
    if (vasprintf(&cmd, fmt, ap) < 0)
        abort();
    va_end(ap);
    int own = ns_own();
    if (ns >= 0 && setns(ns, CLONE_NEWNET) < 0)
        abort();
    int r = system(cmd);
    if (setns(own, CLONE_NEWNET) < 0)
        abort();
    close(own);
    return r;
}

UNUSED static char *capture(const char *cmd)
{
    struct str s = {0};
    char buf[4096];
    size_t n;
    fflush(stdout);
    FILE *f = popen(cmd, "r");
    while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
        str_addn(&s, buf, n);
    if (f)
        pclose(f);
    return str_take(&s);
}

/* Links, routes, rules and the switches that matter: equal before and after. */
UNUSED static char *picture(void)
{
    return capture("ip -o link | awk -F': ' '{print $2}' | sort; { ip -4 route; ip -6 route; } | sed 's, "
                   "linkdown,,'; nft list ruleset; tc qdisc;"
                   "for f in /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding"
                   " /proc/sys/net/ipv4/conf/*/route_localnet /proc/sys/net/ipv6/conf/*/*forwarding"
                   " /proc/sys/net/ipv6/conf/*/accept_ra; do echo $f $(cat $f); done");
}

static socklen_t lab_addr(const char *text, unsigned port, struct sockaddr_storage *ss)
{
    struct sockaddr_in6 *six = (void *)ss;
    struct sockaddr_in *four = (void *)ss;
    memset(ss, 0, sizeof(*ss));
    if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        return sizeof(*six);
    }
    four->sin_family = AF_INET;
    four->sin_port = htons((uint16_t)port);
    inet_pton(AF_INET, text, &four->sin_addr);
    return sizeof(*four);
}

static void lab_text(const struct sockaddr_storage *ss, char *buf, size_t n)
{
    const void *a = ss->ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)ss)->sin6_addr
                                              : (void *)&((struct sockaddr_in *)ss)->sin_addr;
    inet_ntop(ss->ss_family, a, buf, (socklen_t)n);
}

static void lab_serve(int fd, bool udp)
{
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t n = sizeof(peer);
        char buf[64] = "";
        int c = udp ? fd : accept(fd, (void *)&peer, &n);
        if (udp && recvfrom(fd, buf, sizeof(buf), 0, (void *)&peer, &n) < 0)
            continue;
        if (c < 0)
            continue;
        lab_text(&peer, buf, sizeof(buf));
        if (udp) {
            sendto(fd, buf, strlen(buf) + 1, 0, (void *)&peer, n);
        } else {
            (void)!write(c, buf, strlen(buf) + 1);
            close(c);
        }
    }
}

/* A server in a namespace that answers each caller with the address it saw. */
UNUSED static void serve(int ns, bool udp, const char *address, unsigned port)
{
    int ready[2];
    char ok_byte = 1;
    if (pipe(ready) < 0)
        abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct sockaddr_storage ss;
        socklen_t n = lab_addr(address, port, &ss);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ns >= 0 && setns(ns, CLONE_NEWNET) < 0)
            _exit(1);
        int fd = socket(ss.ss_family, udp ? SOCK_DGRAM : SOCK_STREAM, 0), on = !udp;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, (void *)&ss, n) < 0 || (!udp && listen(fd, 16) < 0)) {
            perror(address);
            _exit(1);
        }
        (void)!write(ready[1], &ok_byte, 1);
        close(ready[1]);
        lab_serve(fd, udp);
    }
    close(ready[1]);
    (void)!read(ready[0], &ok_byte, 1);
    close(ready[0]);
    lab_pids[lab_npids++] = pid;
}

UNUSED static void serve_stop(void)
{
    while (lab_npids) {
        kill(lab_pids[--lab_npids], SIGKILL);
        waitpid(lab_pids[lab_npids], NULL, 0);
    }
}

static int lab_ask(bool udp, const char *address, unsigned port, char reply[64], int timeout)
{
    struct sockaddr_storage ss;
    socklen_t n = lab_addr(address, port, &ss);
    auto_fd int fd = socket(ss.ss_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    if (connect(fd, (void *)&ss, n) < 0 && errno != EINPROGRESS)
        return -errno;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (udp && send(fd, "x", 1, 0) < 0)
        return -errno;
    if (poll(&p, 1, timeout) <= 0)
        return -ETIMEDOUT;
    ssize_t got = recv(fd, reply, 63, 0);
    if (got < 0)
        return -errno;
    reply[got] = '\0';
    return 0;
}

/* From a namespace: what the server at address:port says it saw, or "refused", "timeout", … */
UNUSED static const char *ask_within(int ns, bool udp, const char *address, unsigned port, int timeout)
{
    static char reply[64];
    int own = ns_own();
    if (ns >= 0 && setns(ns, CLONE_NEWNET) < 0)
        abort();
    int r = lab_ask(udp, address, port, reply, timeout);
    if (setns(own, CLONE_NEWNET) < 0)
        abort();
    close(own);
    if (r < 0)
        snprintf(reply, sizeof(reply), "%s",
                 r == -ECONNREFUSED ? "refused"
                 : r == -ETIMEDOUT  ? "timeout"
                                    : strerror(-r));
    return reply;
}
#define ask(ns, udp, address, port) ask_within(ns, udp, address, port, 2000)
#define ask_in_vain(ns, udp, address, port) ask_within(ns, udp, address, port, 250)

/* A veth between two namespaces with addresses on both ends. */
UNUSED static void cable(int host, const char *host_if, const char *host4, const char *host6, int other,
                         const char *other4, const char *other6)
{
    sh(host, "ip link add %s type veth peer name eth0 netns /proc/%d/fd/%d", host_if, (int)getpid(), other);
    sh(host, "ip addr add %s dev %s; ip addr add %s dev %s nodad; ip link set %s up", host4, host_if, host6,
       host_if, host_if);
    sh(other,
       "ip link set lo up; ip addr add %s dev eth0; ip addr add %s dev eth0 nodad; ip link set eth0 up",
       other4, other6);
}
#define NUDGE 20000 /* µs: a carrier is seen by the kernel's linkwatch work */

static uint16_t ip_sum(const void *data, size_t n)
{
    const uint16_t *p = data;
    uint32_t s = 0;
    for (; n > 1; n -= 2)
        s += *p++;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

/* Puts a hand-made Ethernet frame on eth0 of a namespace. */
static void frame_send(int ns, const void *frame, size_t n)
{
    int own = ns_own();
    if (setns(ns, CLONE_NEWNET) < 0)
        abort();
    auto_fd int fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0"), .sll_halen = 6};
    sendto(fd, frame, n, 0, (void *)&to, sizeof(to));
    if (setns(own, CLONE_NEWNET) < 0)
        abort();
    close(own);
}

UNUSED static void frame_udp(int ns, const unsigned char to[6], const unsigned char from[6], const char *src,
                             const char *dst, unsigned port)
{
    unsigned char f[64] = {0};
    memcpy(f, to, 6);
    memcpy(f + 6, from, 6);
    f[12] = 8; /* IPv4 */
    unsigned char *ip = f + 14, *udp = ip + 20;
    memcpy(ip, (unsigned char[]){0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17}, 10);
    inet_pton(AF_INET, src, ip + 12);
    inet_pton(AF_INET, dst, ip + 16);
    uint16_t sum = ip_sum(ip, 20);
    memcpy(ip + 10, &sum, 2);
    memcpy(udp, (unsigned char[]){0x10, 0, (unsigned char)(port >> 8), (unsigned char)port, 0, 12},
           6); /* no checksum */
    frame_send(ns, f, 46);
}

UNUSED static void frame_arp(int ns, const unsigned char from[6], const unsigned char claim_mac[6],
                             const char *claim_ip, const char *target_ip)
{
    unsigned char f[60] = {0};
    memset(f, 0xff, 6);
    memcpy(f + 6, from, 6);
    memcpy(f + 12, (unsigned char[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 10);
    memcpy(f + 22, claim_mac, 6);
    inet_pton(AF_INET, claim_ip, f + 28);
    inet_pton(AF_INET, target_ip, f + 38);
    frame_send(ns, f, 42);
}

/* A bound UDP socket of the caller's namespace, and how many datagrams wait there. */
UNUSED static int ear(const char *address, unsigned port)
{
    struct sockaddr_storage ss;
    socklen_t n = lab_addr(address, port, &ss);
    int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(fd, (void *)&ss, n) < 0)
        perror(address);
    return fd;
}
UNUSED static int heard(int fd)
{
    char buf[64];
    int n = 0;
    usleep(NUDGE);
    while (recv(fd, buf, sizeof(buf), 0) >= 0)
        n++;
    return n;
}

/* ---- zones ---- */
struct lab_zone {
    int ns;
    struct net_link_plan link;
    int hold[64];
    unsigned nhold;
    char ip4[64], ip6[64];
};

UNUSED static void zone_plan(struct lab_zone *z, const char *instance, const char *name,
                             const struct net_network *n, struct net_pool *pool)
{
    struct err e = {0};
    memset(z, 0, sizeof(*z));
    z->ns = ns_new();
    z->link.network = *n;
    z->link.rate_in = z->link.rate_out = SPEC_UNSET;
    z->link.default_route = true;
    strcpy(z->link.ifname, "eth0");
    net_host_ifname(instance, name, 1, 0, z->link.host_ifname);
    net_mac_of(instance, name, n->name, 0, z->link.mac);
    net_pool_take(pool, &z->link.addr4, &z->link.addr6, &e);
    net_addr_print(&z->link.addr4, false, z->ip4);
    net_addr_print(&z->link.addr6, false, z->ip6);
}

UNUSED static void zone_port(struct lab_zone *z, const char *text)
{
    struct err e = {0};
    struct net_port_rule *r = vec_add(&z->link.ports);
    if (spec_parse_port(text, &r->port, &e) < 0)
        abort();
    r->to4 = z->link.addr4;
    r->to6 = z->link.addr6;
}

UNUSED static void zone_gone(struct lab_zone *z)
{
    while (z->nhold)
        close_fd(&z->hold[--z->nhold]);
    close_fd(&z->ns);
    net_link_done(&z->link);
}
