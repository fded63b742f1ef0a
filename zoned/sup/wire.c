/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between zoned, the fork server and supervisors: one JSON object per SOCK_SEQPACKET record,
 * descriptors beside it. May assume that both ends are ours and root's (the sockets lie in 0700 folders; the
 * listener checks the peer). Must never block without a bound, and never hold a message buffer longer than
 * the call. */
#include "zoned/sup/rt.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A socket's path is at most 107 bytes; the folder's descriptor makes a short one of any. */
static int address_of(const char *path, int *dirfd, struct sockaddr_un *sa, struct err *e)
{
    sa->sun_family = AF_UNIX;
    *dirfd = -1;
    if (strlen(path) < sizeof(sa->sun_path)) {
        strcpy(sa->sun_path, path);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    auto_free char *dir = xstrndup(path, (size_t)(slash - path));
    *dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dirfd < 0)
        return err_sys(e, "%s", dir);
    int n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", *dirfd, slash + 1);
    if (n < 0 || (size_t)n >= sizeof(sa->sun_path))
        return err_set(e, ERR_INVALID, ENAMETOOLONG, "socket name %s is too long", path);
    return 0;
}

int sup_connect(const char *socket_path, struct err *e)
{
    struct sockaddr_un sa;
    auto_fd int dirfd = -1;
    int r = address_of(socket_path, &dirfd, &sa, e);
    if (r < 0)
        return r;
    auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        return err_sysk(e, ERR_UNREACHABLE, errno, "connect %s", socket_path);
    return take_fd(&fd);
}

int sup_listen_at(int dirfd, const char *name, struct err *e)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/%s", dirfd, name);
    auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        /* The caller holds the lock of the folder, so a socket that lies there is a dead one's. */
        if (errno != EADDRINUSE || unlinkat(dirfd, name, 0) < 0 ||
            bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
            return err_sys(e, "bind %s", name);
    }
    if (listen(fd, 128) < 0)
        return err_sys(e, "listen on %s", name);
    return take_fd(&fd);
}

int sup_send(int sock, const json *message, const int *fds, unsigned nfds, struct err *e)
{
    auto_free char *text = js_dump(message, false);
    if (!text)
        return err_set(e, ERR_INTERNAL, EINVAL, "message cannot be written as JSON");
    size_t n = strlen(text);
    if (n > SUP_MESSAGE_MAX)
        return err_set(e, ERR_LIMIT, EMSGSIZE, "message of %zu bytes (at most %u)", n, SUP_MESSAGE_MAX);
    int r = fd_send(sock, text, n, fds, nfds);
    return r < 0 ? err_sysk(e, ERR_UNREACHABLE, -r, "send to supervisor") : 0;
}

/* The size of the next record without taking it: 0 at end of file. */
static ssize_t peek(int sock)
{
    char c;
    ssize_t n;
    do
        n = recv(sock, &c, 1, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int wait_readable(int sock, int timeout_ms)
{
    uint64_t end = clock_mono_us() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000;
    for (;;) {
        struct pollfd p = {sock, POLLIN, 0};
        int left = timeout_ms;
        if (timeout_ms > 0) {
            uint64_t now = clock_mono_us();
            left = now >= end ? 0 : (int)((end - now + 999) / 1000);
        }
        int r = poll(&p, 1, left);
        if (r > 0)
            return 0;
        if (r == 0)
            return timeout_ms == 0 ? -EAGAIN : -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int sup_recv(int sock, int timeout_ms, json **out, int *fds, unsigned *nfds, struct err *e)
{
    int r = wait_readable(sock, timeout_ms);
    if (r == -EAGAIN)
        return r;
    if (r < 0)
        return err_sysk(e, ERR_UNREACHABLE, -r, "waiting for a supervisor's message");
    ssize_t size = peek(sock);
    if (size == -EAGAIN)
        return -EAGAIN;
    if (size == -ECONNRESET)
        size = 0;
    if (size < 0)
        return err_sysk(e, ERR_UNREACHABLE, (int)-size, "reading a supervisor's message");
    if (size == 0) {
        if (nfds)
            *nfds = 0;
        return 0;
    }
    size_t room = size > (ssize_t)SUP_MESSAGE_MAX ? 1 : (size_t)size; /* 1: cut off, and so refused below */
    auto_free char *buf = xrealloc(NULL, room, 1);
    unsigned got = nfds ? *nfds : 0;
    ssize_t n = fd_recv(sock, buf, room, fds, &got, MSG_DONTWAIT);
    if (n < 0)
        return err_sysk(e, ERR_UNREACHABLE, (int)-n, "reading a supervisor's message");
    json *j = js_parse(buf, (size_t)n, e);
    if (!j || js_type_of(j) != JS_OBJECT) {
        js_free(j);
        fd_close_all(fds, got);
        return err_set(e, ERR_INVALID, EPROTO, "message is not a JSON object"), -EPROTO;
    }
    *out = j;
    if (nfds)
        *nfds = got;
    return 1;
}

int sup_call(int sock, json *request, const int *fds, unsigned nfds, json **reply, int *rfds, unsigned *nrfds,
             int timeout_ms, struct err *e)
{
    auto_js json *m = request;
    int r = sup_send(sock, m, fds, nfds, e);
    if (r < 0)
        return r;
    auto_js json *got = NULL;
    r = sup_recv(sock, timeout_ms, &got, rfds, nrfds, e);
    if (r == 0)
        return err_set(e, ERR_UNREACHABLE, EPIPE, "the supervisor closed the connection");
    if (r < 0)
        return r;
    const json *error = js_get(got, "error");
    if (error) {
        if (nrfds) {
            fd_close_all(rfds, *nrfds);
            *nrfds = 0;
        }
        struct err tmp = {0}, *t = e ? e : &tmp;
        js_to_err(error, t, NULL);
        return t->code ? -t->code : -EIO;
    }
    if (reply)
        *reply = take_ptr(&got);
    return 0;
}
