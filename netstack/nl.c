/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink: sockets, several requests in one crossing, their answers. The kernel handles a request inside
 * sendmsg(2), so after it every answer is in the receive queue and nothing here waits. May assume: one
 * socket, one user at a time. Must never: change the sequence of a batch, or say again what the kernel may
 * have done: only what it answered with "not now" (EINTR, EAGAIN, ENOBUFS), which it has not. Sources:
 * netlink(7), libnl's core API. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_MAX (64u << 10)
#define SOCKET_BUFFER (4 << 20) /* answers of 1,024 ports fit; memory is used only as filled */

int net_nl_open(int protocol, struct nl_sock **out, struct err *e)
{
    struct nl_sock *s = nl_socket_alloc();
    if (!s)
        return err_set(e, ERR_LIMIT, ENOMEM, "netlink socket");
    int r = nl_connect(s, protocol);
    if (r < 0) {
        nl_socket_free(s);
        return err_set(e, ERR_INTERNAL, EIO, "netlink socket: %s", nl_geterror(r));
    }
    int on = 1, size = SOCKET_BUFFER, fd = nl_socket_get_fd(s);
    /* without CAP_NET_ADMIN in the first user namespace the forced sizes are refused: the plain ones do for
     * few ports */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    *out = s;
    return 0;
}

void net_nl_close(struct nl_sock *s)
{
    if (s)
        nl_socket_free(s);
}

bool net_again(int code)
{
    return code == EINTR || code == EAGAIN || code == ENOBUFS;
}

void net_pause(unsigned tries)
{
    usleep(1000u << (tries < 5 ? tries : 5));
}

static void read_ack(struct nlmsghdr *h, struct net_ack *a)
{
    struct nlmsgerr *m = NLMSG_DATA(h);
    a->error = -m->error;
    if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    size_t skip = NLMSG_HDRLEN + sizeof(*m); /* NETLINK_CAP_ACK: the request itself is not repeated */
    if (!(h->nlmsg_flags & NLM_F_CAPPED))
        skip += NLMSG_ALIGN(m->msg.nlmsg_len) - sizeof(struct nlmsghdr);
    if (h->nlmsg_len <= skip)
        return;
    struct nlattr *at =
        nla_find((struct nlattr *)((char *)h + skip), (int)(h->nlmsg_len - skip), NLMSGERR_ATTR_MSG);
    if (at)
        snprintf(a->text, sizeof(a->text), "%.*s", nla_len(at), (char *)nla_data(at));
}

int net_nl_send(int fd, struct iovec *iov, unsigned niov)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct msghdr m = {
        .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = iov, .msg_iovlen = niov};
    for (unsigned tries = 0; sendmsg(fd, &m, 0) < 0; tries++) { /* nothing has been handled yet */
        if (!net_again(errno) || tries == NET_TRIES)
            return -errno;
        net_pause(tries);
    }
    return 0;
}

int net_nl_exchange(int fd, struct iovec *iov, unsigned niov, uint32_t seq, unsigned n, struct net_ack *acks)
{
    for (unsigned i = 0; i < n; i++)
        acks[i] = (struct net_ack){.error = -1};
    int r = net_nl_send(fd, iov, niov);
    if (r < 0)
        return r;
    auto_free char *buf = xcalloc(1, RECEIVE_MAX);
    for (unsigned got = 0; got < n;) {
        ssize_t len = recv(fd, buf, RECEIVE_MAX, MSG_DONTWAIT);
        if (len < 0 && (errno == EINTR || errno == ENOBUFS))
            continue;
        if (len <= 0)
            break;
        for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
            if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - seq >= n)
                continue; /* an echo, or the rest of something older */
            got += acks[h->nlmsg_seq - seq].error < 0;
            read_ack(h, &acks[h->nlmsg_seq - seq]);
        }
    }
    return 0;
}

struct nl_msg *net_batch_add(struct net_batch *b, int type, int flags, const void *head, size_t size,
                             const char *what)
{
    struct nl_msg *m = b->n < NET_BATCH_MAX ? nlmsg_alloc_size(1024) : NULL;
    if (!m || !nlmsg_put(m, NL_AUTO_PORT, 0, type, (int)size, flags | NLM_F_REQUEST | NLM_F_ACK)) {
        fprintf(stderr, "netstack: batch too long or out of memory\n");
        abort();
    }
    memcpy(nlmsg_data(nlmsg_hdr(m)), head, size);
    b->what[b->n] = what;
    b->fine[b->n] = 0;
    return b->msg[b->n++] = m;
}

void net_batch_fine(struct net_batch *b, int error)
{
    b->fine[b->n - 1] = error;
}

void net_batch_done(struct net_batch *b)
{
    for (unsigned i = 0; i < b->n; i++)
        nlmsg_free(b->msg[i]);
    b->n = 0;
}

static int batch_error(struct net_batch *b, unsigned i, const struct net_ack *a, const char *subject,
                       struct err *e)
{
    int code = a->error < 0 ? ENOBUFS : a->error;
    enum err_kind kind = ERR_INTERNAL;
    b->lost = a->error < 0;
    if (code == EBUSY || net_again(code))
        kind = ERR_BUSY;
    else if (code == EOPNOTSUPP)
        kind = ERR_UNSUPPORTED;
    else if (code == EEXIST)
        kind = ERR_CONFLICT;
    else if (code == EPERM)
        kind = ERR_DENIED;
    else if (code == EXFULL || code == ENOSPC)
        kind = ERR_LIMIT;
    b->failed = (int)i;
    if (b->lost)
        return err_sysk(e, kind, code, "%s: %s: the kernel's answer was lost", subject, b->what[i]);
    return err_sysk(e, kind, code, "%s: %s%s%s", subject, b->what[i], *a->text ? ": " : "", a->text);
}

static bool refused(const struct net_batch *b, const struct net_ack *acks, unsigned i)
{
    return acks[i].error > 0 && acks[i].error != b->fine[i];
}

/* The messages that are open, in one crossing; their answers go to their places. */
static int send_open(struct nl_sock *s, struct net_batch *b, const bool *open, struct net_ack *acks)
{
    struct iovec iov[NET_BATCH_MAX];
    struct net_ack got[NET_BATCH_MAX];
    unsigned n = 0, at[NET_BATCH_MAX];
    uint32_t seq = 0;
    for (unsigned i = 0; i < b->n; i++) {
        struct nlmsghdr *h = nlmsg_hdr(b->msg[i]);
        if (!open[i])
            continue;
        h->nlmsg_seq = nl_socket_use_seq(s);
        seq = n ? seq : h->nlmsg_seq;
        iov[n] = (struct iovec){.iov_base = h, .iov_len = NLMSG_ALIGN(h->nlmsg_len)};
        at[n++] = i;
    }
    int r = n ? net_nl_exchange(nl_socket_get_fd(s), iov, n, seq, n, got) : 0;
    for (unsigned i = 0; r == 0 && i < n; i++)
        acks[at[i]] = got[i];
    return r;
}

/* What was answered with "not now" is said again, and with it what failed behind it, perhaps for lack of it. */
static int send_rounds(struct nl_sock *s, struct net_batch *b, struct net_ack *acks)
{
    bool open[NET_BATCH_MAX];
    memset(open, true, sizeof(open));
    for (unsigned tries = 0;; tries++) {
        unsigned first = 0;
        int r = send_open(s, b, open, acks);
        while (first < b->n && !(refused(b, acks, first) && net_again(acks[first].error)))
            first++;
        if (r < 0 || first == b->n || tries == NET_TRIES)
            return r;
        for (unsigned i = 0; i < b->n; i++)
            open[i] = i >= first && refused(b, acks, i);
        net_pause(tries);
    }
}

int net_batch_send(struct nl_sock *s, struct net_batch *b, const char *subject, struct err *e)
{
    struct net_ack acks[NET_BATCH_MAX] = {0};
    b->failed = -1;
    b->lost = false;
    int r = send_rounds(s, b, acks);
    if (r < 0)
        err_sysk(e, net_again(-r) ? ERR_BUSY : ERR_INTERNAL, -r, "%s: netlink", subject);
    for (unsigned i = 0; r == 0 && i < b->n; i++)
        if (acks[i].error && acks[i].error != b->fine[i])
            r = batch_error(b, i, &acks[i], subject, e);
    net_batch_done(b);
    return r;
}

/* Reads the answers of one request; 1 = the list is at its end. */
static int read_answers(char *buf, ssize_t len, uint32_t seq, bool dump,
                        void (*fn)(struct nlmsghdr *h, void *data), void *data)
{
    for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
        if (h->nlmsg_seq != seq)
            continue;
        if (h->nlmsg_type == NLMSG_DONE)
            return 1;
        if (h->nlmsg_type == NLMSG_ERROR) {
            int code = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
            return code ? code : 1;
        }
        fn(h, data);
        if (!dump)
            return 1;
    }
    return 0;
}

struct dump {
    void (*fn)(struct nlmsghdr *h, void *data);
    void *data;
    bool any; /* told already */
};

static void tell(struct nlmsghdr *h, void *data)
{
    struct dump *d = data;
    d->any = true;
    d->fn(h, d->data);
}

static int dump_once(struct nl_sock *s, struct nlmsghdr *h, struct dump *d)
{
    int fd = nl_socket_get_fd(s);
    struct iovec iov = {.iov_base = h, .iov_len = h->nlmsg_len};
    h->nlmsg_seq = nl_socket_use_seq(s);
    int r = net_nl_send(fd, &iov, 1);
    auto_free char *buf = xcalloc(1, RECEIVE_MAX);
    while (r == 0) {
        ssize_t len = recv(fd, buf, RECEIVE_MAX, 0);
        if (len < 0 && errno == EINTR)
            continue;
        r = len < 0    ? -errno
            : len == 0 ? -EIO
                       : read_answers(buf, len, h->nlmsg_seq, h->nlmsg_flags & NLM_F_DUMP, tell, d);
    }
    return r;
}

/* A dump that the kernel marks as interrupted is not read again: a second pass would double what stands in
 * the list, and every user of a list takes it as a hint or matches by name. One that failed before it told anything is. */
int net_nl_dump(struct nl_sock *s, int type, int flags, const void *head, size_t size,
                void (*fn)(struct nlmsghdr *h, void *data), void *data, struct err *e)
{
    char q[256] = {0};
    struct nlmsghdr *h = (void *)q;
    struct dump d = {fn, data, false};
    int r;
    *h = (struct nlmsghdr){.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size),
                           .nlmsg_type = (uint16_t)type,
                           .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST)};
    memcpy(NLMSG_DATA(h), head, size);
    for (unsigned tries = 0; (r = dump_once(s, h, &d)) < 0; tries++) {
        if (!net_again(-r) || d.any || tries == NET_TRIES)
            return err_sysk(e, net_again(-r) ? ERR_BUSY : ERR_INTERNAL, -r, "netlink dump");
        net_pause(tries);
    }
    return 0;
}
