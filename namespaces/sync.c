/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ends of a start: blocking the child, letting it go, and one record back. What comes back was
 * perhaps written by a zone's process that got hold of the descriptor: lengths are checked and texts ended
 * before anything is believed. */
#include "base/clock.h"
#include "base/proc.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_WAIT_MS 5000

int nspace_sync_pair(int fds[2], struct err *e)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return err_sys(e, "socket pair");
    return 0;
}

/* The pipes that the caller made for a zone become its root's, which hands them to the program's user: else
 * /dev/stderr cannot be opened. Only nameless ones: a fifo of the host keeps its owner. */
void nspace_own_pipes(const int stdio[3], uint32_t uid_base)
{
    struct statfs sf;
    for (int i = 0; i < 3; i++)
        if (fstatfs(stdio[i], &sf) == 0 && sf.f_type == PIPEFS_MAGIC)
            (void)!fchown(stdio[i], uid_base, uid_base);
}

/* In the child. End of file: the parent is gone or gave up. */
int nspace_sync_wait(int fd, char want)
{
    char c = 0;
    ssize_t n;
    do
        n = read(fd, &c, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 && c == want ? 0 : -ECANCELED;
}

void nspace_sync_fail(int fd, const struct err *e)
{
    (void)!send(fd, e, sizeof(*e), MSG_NOSIGNAL);
    _exit(127);
}

void nspace_child_kill(pid_t pid, int pidfd)
{
    if (pid <= 0)
        return;
    if (pidfd < 0 || pidfd_kill(pidfd, SIGKILL) < 0)
        kill(pid, SIGKILL);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        poll(&p, 1, KILL_WAIT_MS); /* a process stuck in the kernel must not hold us for ever */
    waitpid(pid, NULL, pidfd >= 0 ? WNOHANG : 0);
}

/* zone-init's record: the errno of execve, as a shell would judge it. */
static int exec_error(int code, struct err *e)
{
    if (code == ENOENT)
        return err_set(e, ERR_INVALID, ENOENT, "command not found in the zone");
    if (code == EACCES || code == ENOEXEC || code == EPERM || code == ENOTDIR || code == EISDIR ||
        code == ELOOP)
        return err_set(e, ERR_INVALID, EACCES, "command cannot be executed: %s", strerror(code));
    return err_sysk(e, ERR_INTERNAL, code > 0 && code < 4096 ? code : EIO, "start the command");
}

static int take_record(const void *buf, size_t n, struct err *e)
{
    struct err got;
    int code;
    if (n == sizeof(code)) {
        memcpy(&code, buf, sizeof(code));
        return exec_error(code, e);
    }
    if (n != sizeof(got))
        return err_set(e, ERR_INTERNAL, EPROTO, "the zone's first process answered with %zu bytes", n);
    memcpy(&got, buf, sizeof(got));
    got.text[sizeof(got.text) - 1] = got.hint[sizeof(got.hint) - 1] = '\0';
    if (got.code <= 0 || got.code > 4095 || got.kind <= ERR_NONE || got.kind >= ERR_KIND_MAX)
        return err_set(e, ERR_INTERNAL, EPROTO, "the zone's first process answered with a broken record");
    int r = err_set(e, got.kind, got.code, "%s", got.text);
    if (got.hint[0])
        err_hint(e, "%s", got.hint);
    return r;
}

/* A child that failed while the parent still worked on it makes the parent fail too, at the next thing that is gone:
 * the child's own record, if there is one, tells why. r otherwise. */
int nspace_sync_reason(int fd, int r, struct err *e)
{
    char buf[sizeof(struct err) + 1];
    ssize_t n = -1;
    for (int i = 0; n < 0 && i < 2; i++) /* ECONNRESET comes once, before the record (see wait_answer) */
        n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n <= 0)
        return r;
    err_clear(e);
    return take_record(buf, (size_t)n, e);
}

int nspace_go_send(struct nspace_child *c, struct err *e)
{
    char go = NSPACE_GO;
    c->unheard = send(c->sync_fd, &go, 1, MSG_NOSIGNAL) < 0; /* it failed while it built the root */
    return c->unheard && errno != EPIPE && errno != ECONNRESET ? err_sys(e, "go") : 0;
}

/* End of file: it runs, unless it never took the go byte. The kernel tells that by ECONNRESET, once and before a record that
 * lies in the queue (af_unix.c, unix_release_sock; sock_error comes first in
 * __skb_try_recv_datagram): read on. */
int nspace_go_answer(struct nspace_child *c, struct err *e)
{
    char buf[sizeof(struct err) + 1];
    for (;;) {
        ssize_t got = recv(c->sync_fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (got > 0)
            return take_record(buf, (size_t)got, e);
        if (got == 0)
            return c->unheard ? err_set(e, ERR_INTERNAL, ECHILD,
                                        "the zone's first process was killed before it started")
                              : 1;
        if (errno == ECONNRESET)
            c->unheard = true;
        else if (errno == EAGAIN)
            return 0;
        else if (errno != EINTR)
            return err_sys(e, "answer of the zone's first process");
    }
}

static int wait_answer(struct nspace_child *c, uint64_t timeout_ms, struct err *e)
{
    uint64_t until = clock_mono_us() / 1000 + timeout_ms;
    int r;
    while ((r = nspace_go_answer(c, e)) == 0) {
        uint64_t now = clock_mono_us() / 1000;
        struct pollfd p = {.fd = c->sync_fd, .events = POLLIN};
        if (now >= until)
            return err_set(e, ERR_INTERNAL, ETIMEDOUT, "the zone's first process did not start in %llu ms",
                           (unsigned long long)timeout_ms);
        (void)poll(&p, 1, (int)(until - now));
    }
    return r < 0 ? r : 0;
}

int nspace_go(struct nspace_child *c, uint64_t timeout_ms, struct err *e)
{
    int r = nspace_go_send(c, e);
    if (r < 0)
        return r;
    r = wait_answer(c, timeout_ms, e);
    close_fd(&c->sync_fd);
    if (r < 0) {
        nspace_child_kill(c->pid, c->pidfd);
        c->pid = 0;
    }
    return r;
}

void nspace_child_done(struct nspace_child *c)
{
    if (c->sync_fd >= 0)
        nspace_child_kill(c->pid, c->pidfd);
    close_fd(&c->sync_fd);
    close_fd(&c->pidfd);
    close_fd(&c->userns_fd);
    close_fd(&c->netns_fd);
}
