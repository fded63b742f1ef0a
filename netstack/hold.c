/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports of the host: is one taken, by whom, and sockets that are bound and never listen, so that no host
 * program takes a published port and wonders why nobody comes. No SO_REUSEADDR: with it another program with
 * it could bind as well. Must never listen on or read from these sockets. Source: socket(7), proc(5). */
#include "base/file.h"
#include "netstack/priv.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define HOLD_MAX 64u
#define PROC_NET_MAX (8u << 20)

static int bind_one(const struct net_addr *host, enum spec_proto proto, unsigned port, bool reuse)
{
    int type = (proto == SPEC_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, on = 1, off = 0;
    int protocol = proto == SPEC_SCTP ? IPPROTO_SCTP : 0;
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bool both = !host->family, is6 = both || host->family == AF_INET6;
    auto_fd int fd = socket(is6 ? AF_INET6 : AF_INET, type, protocol);
    if (fd < 0 && both && errno == EAFNOSUPPORT) {
        is6 = false;
        fd = socket(AF_INET, type, protocol);
    }
    if (fd < 0)
        return -errno;
    /* an address that the host does not have yet (DHCP) may be published: it counts from the moment it comes
     */
    setsockopt(fd, is6 ? IPPROTO_IPV6 : IPPROTO_IP, is6 ? IPV6_FREEBIND : IP_FREEBIND, &on, sizeof(on));
    if (is6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, both ? &off : &on, sizeof(on));
    if (reuse)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &off, sizeof(off)); /* the smallest: nobody reads */
    memcpy(is6 ? (void *)&six.sin6_addr : (void *)&four.sin_addr, host->bytes, is6 ? 16 : 4);
    int r = is6 ? bind(fd, (void *)&six, sizeof(six)) : bind(fd, (void *)&four, sizeof(four));
    return r < 0 ? -errno : take_fd(&fd);
}

/* The inode of a socket on this port that is not merely in TIME_WAIT, from one of /proc/net/{tcp,udp}{,6}; 0
 * = none. */
static unsigned long find_inode(const char *file, unsigned port, const struct net_addr *host)
{
    auto_free char *text = NULL;
    unsigned long found = 0;
    if (file_read(AT_FDCWD, file, PROC_NET_MAX, &text, NULL, NULL) < 0)
        return 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line && !found; line = strtok_r(NULL, "\n", &save)) {
        char addr[40];
        unsigned local, state, remote;
        unsigned long inode;
        if (sscanf(line, "%*u: %39[0-9A-F]:%x %*[0-9A-F]:%x %x %*s %*s %*s %*u %*u %lu", addr, &local,
                   &remote, &state, &inode) == 5 &&
            local == port && inode && !remote) {
            uint32_t four = host->family == AF_INET ? *(const uint32_t *)host->bytes : 0;
            if (!four || strlen(addr) != 8 || !strtoul(addr, NULL, 16) || strtoul(addr, NULL, 16) == four)
                found = inode;
        }
    }
    return found;
}

static bool holds(const char *pid, const char *want)
{
    char path[64], link[64];
    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    auto_dir DIR *d = opendir(path);
    for (struct dirent *f; d && (f = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), f->d_name, link, sizeof(link) - 1);
        if (n > 0 && (link[n] = '\0', !strcmp(link, want)))
            return true;
    }
    return false;
}

/* "nginx (pid 812)", or "another program". Only on the way to an error: it walks all of /proc. */
static void name_holder(unsigned long inode, char *buf, size_t size)
{
    char want[48];
    snprintf(buf, size, "another program");
    snprintf(want, sizeof(want), "socket:[%lu]", inode);
    auto_dir DIR *d = opendir("/proc");
    for (struct dirent *p; inode && d && (p = readdir(d));) {
        char path[64];
        auto_free char *comm = NULL;
        if (p->d_name[0] < '1' || p->d_name[0] > '9' || !holds(p->d_name, want))
            continue;
        snprintf(path, sizeof(path), "/proc/%.20s/comm", p->d_name);
        if (file_read(AT_FDCWD, path, 64, &comm, NULL, NULL) < 0)
            return;
        comm[strcspn(comm, "\n")] = '\0';
        snprintf(buf, size, "%.31s (pid %.10s)", comm, p->d_name);
        return;
    }
}

static unsigned long owner(const struct net_addr *host, enum spec_proto proto, unsigned port)
{
    if (proto == SPEC_SCTP) /* its tables tell no inode: "another program" */
        return 1;
    static const char *const files[2][2] = {{"/proc/self/net/tcp", "/proc/self/net/tcp6"},
                                            {"/proc/self/net/udp", "/proc/self/net/udp6"}};
    unsigned long inode = find_inode(files[proto == SPEC_UDP][0], port, host);
    return inode ? inode : find_inode(files[proto == SPEC_UDP][1], port, host);
}

static int conflict(const struct net_addr *host, enum spec_proto proto, unsigned port, unsigned long inode,
                    struct err *e)
{
    char holder[96], addr[64];
    name_holder(inode, holder, sizeof(holder));
    net_addr_print(host, false, addr);
    err_set(e, ERR_CONFLICT, EADDRINUSE, "port %s%s%u/%s is in use by %s", addr, *addr ? ":" : "", port,
            spec_proto_name(proto), holder);
    if (port == 53 && !*addr) /* on the bridges' addresses, which nobody outside has */
        return err_hint(e, "zones' own names are answered at port 53: publish it on one address of the host "
                           "(ADDRESS:53:53)");
    return err_hint(e, "stop that program, or publish another port of the host");
}

/* A bound socket; -EPROTONOSUPPORT, without e: this kernel knows no SCTP, so nobody holds such a port; or -errno with e
 * set. Connections of a server that has gone stay in TIME_WAIT for a minute
 * and belong to nobody: they are no reason to refuse. */
static int take(const struct spec_port *p, unsigned port, struct err *e)
{
    struct net_addr host = {0};
    unsigned long inode = 0;
    if (p->host_ip && net_addr_parse(p->host_ip, &host) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "\"%.60s\" is no IP address", p->host_ip);
    int fd = bind_one(&host, p->proto, port, false);
    if (fd == -EADDRINUSE && !(inode = owner(&host, p->proto, port)))
        fd = bind_one(&host, p->proto, port, true);
    if (fd == -EADDRINUSE)
        return conflict(&host, p->proto, port, inode, e);
    if (fd == -EPROTONOSUPPORT && p->proto == SPEC_SCTP)
        return fd;
    if (fd < 0)
        return err_sysk(e, ERR_INTERNAL, -fd, "hold port %u/%s", port, spec_proto_name(p->proto));
    return fd;
}

static void mark_used(const char *file, unsigned char used[NET_PORTS_BYTES])
{
    auto_free char *text = NULL;
    char *save = NULL;
    if (file_read(AT_FDCWD, file, PROC_NET_MAX, &text, NULL, NULL) < 0)
        return;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        unsigned port;
        if (sscanf(line, "%*u: %*[0-9A-F]:%x", &port) == 1 && port / 8 < NET_PORTS_BYTES)
            used[port / 8] |= (unsigned char)(1u << port % 8);
    }
}

void net_ports_used(enum spec_proto proto, unsigned char used[NET_PORTS_BYTES])
{
    memset(used, proto == SPEC_SCTP ? 0xff : 0, NET_PORTS_BYTES);
    mark_used(proto == SPEC_UDP ? "/proc/self/net/udp" : "/proc/self/net/tcp", used);
    mark_used(proto == SPEC_UDP ? "/proc/self/net/udp6" : "/proc/self/net/tcp6", used);
}

int net_port_check(const struct spec_port *p, struct err *e)
{
    for (unsigned port = p->host_first; port <= p->host_last; port++) {
        auto_fd int fd = take(p, port, e);
        if (fd == -EPROTONOSUPPORT)
            return 0;
        if (fd < 0)
            return fd;
    }
    return 0;
}

/* Ports one by one before ranges: there are places for 64, and who publishes a range leaves others the less. */
typedef int (*port_fn)(const struct spec_port *p, unsigned port, void *data);
static int each_port(const struct net_link_plan *links, unsigned nlinks, port_fn fn, void *data)
{
    int r = 0;
    for (int ranges = 0; ranges < 2; ranges++)
        for (unsigned i = 0; i < nlinks; i++)
            for (unsigned k = 0; k < links[i].ports.len; k++) {
                const struct spec_port *p = &links[i].ports.at[k].port;
                if ((p->host_first != p->host_last) != ranges)
                    continue;
                for (unsigned port = p->host_first; port <= p->host_last && !r; port++)
                    r = fn(p, port, data);
            }
    return r;
}

struct holding {
    int *fds;
    unsigned n;
    struct err *e;
};

static int hold_one(const struct spec_port *p, unsigned port, void *data)
{
    struct holding *h = data;
    if (h->n == HOLD_MAX)
        return 1;
    int fd = take(p, port, h->e);
    if (fd == -EPROTONOSUPPORT)
        return 0;
    if (fd >= 0)
        h->fds[h->n++] = fd;
    return fd < 0 ? fd : 0;
}

int net_hold(const struct net_link_plan *links, unsigned nlinks, int hold[64], unsigned *nhold, struct err *e)
{
    struct holding h = {hold, 0, e};
    int r = each_port(links, nlinks, hold_one, &h);
    while (r < 0 && h.n)
        close_fd(&hold[--h.n]);
    *nhold = h.n;
    return r < 0 ? r : 0;
}

static bool can_hold(enum spec_proto proto)
{
    auto_fd int fd = proto == SPEC_SCTP ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP) : -1;
    return proto != SPEC_SCTP || fd >= 0;
}

/* Whoever has one of these came after the zone, or it would not have started. */
static int check_one(const struct spec_port *p, unsigned port, void *data)
{
    struct holding *h = data;
    if (h->n < HOLD_MAX) {
        h->n += can_hold(p->proto);
        return 0;
    }
    auto_fd int fd = take(p, port, h->e);
    return fd < 0 && fd != -EPROTONOSUPPORT ? fd : 0;
}

int net_hold_rest(const struct net_link_plan *links, unsigned nlinks, struct err *e)
{
    struct holding h = {NULL, 0, e};
    return each_port(links, nlinks, check_one, &h);
}
