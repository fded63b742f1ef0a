/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fork server: started when it does not answer, asked to fork supervisors. It outlives zoned on purpose.
 */
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define KEEPER_TIMEOUT_MS 5000

static int call(struct zd *d, json *request, const int *fds, unsigned nfds, json **reply, struct err *e)
{
    unsigned none = 0;
    auto_fd int sock = sup_connect(d->keeper_socket, e);
    if (sock < 0) {
        js_free(request);
        return sock;
    }
    return sup_call(sock, request, fds, nfds, reply, NULL, &none, KEEPER_TIMEOUT_MS, e);
}

static json *op(const char *name, const char *zone)
{
    json *o = js_object();
    js_set_str(o, "op", name);
    if (zone)
        js_set_str(o, "zone", zone);
    return o;
}

static int on_end(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    struct zd *d = arg;
    struct err e = {0};
    d->keeper_io = sd_event_source_disable_unref(d->keeper_io);
    close(fd);
    log_warning("the fork server went away: another one is started");
    if (keeper_ensure(d, &e) < 0)
        log_error("%s", e.text);
    return 0;
}

/* Its end is seen at once: what it kept of the zones must be kept again. */
static void watch(struct zd *d, pid_t pid)
{
    int fd = pid > 0 ? pidfd_open_pid(pid) : -1;
    if (d->keeper_io) {
        int old = sd_event_source_get_io_fd(d->keeper_io);
        d->keeper_io = sd_event_source_disable_unref(d->keeper_io);
        close(old);
    }
    if (fd >= 0 && sd_event_add_io(d->event, &d->keeper_io, fd, EPOLLIN, on_end, d) < 0)
        close(fd);
}

/* 1: a server of our version answers; 0: none, or one of another version, which is told to go. */
static int probe(struct zd *d)
{
    json *reply = NULL;
    struct err e = {0};
    int r = call(d, op("hello", NULL), NULL, 0, &reply, &e);
    bool same = r == 0 && str_eq(js_get_str(reply, "version", ""), ZONED_VERSION);
    if (same)
        watch(d, (pid_t)js_get_int(reply, "pid", 0));
    js_free(reply);
    if (r == 0 && !same)
        keeper_quit(d);
    return r == 0 && same;
}

/* A supervisor that is asked for its status gives the fork server, which is new, what it keeps. */
static void keep_again(struct zd *d)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            if (z->sup_fd >= 0)
                (void)sup_request(z, op("status", NULL), NULL, 0, NULL, NULL, NULL);
}

/* Double fork: the server is nobody's child here, so it needs no reaping and sees no signal of ours. */
static int spawn_server(struct zd *d, int ready[2], struct err *e)
{
    auto_free char *program = path_join(d->bin_dir, "zone-sup");
    pid_t pid = fork();
    if (pid < 0)
        return err_sys(e, "fork");
    if (pid == 0) {
        if (setsid() < 0 || fork() != 0)
            _exit(0);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(ready[1], 3);
        close_range(4, ~0u, 0);
        char server[] = "--server", ready_fd[] = "--ready", three[] = "3";
        char *argv[] = {program, server, d->run_dir, ready_fd, three, NULL};
        execv(program, argv);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    return 0;
}

/* The server closes its end of the pipe once it listens, after writing one byte. */
static int wait_ready(int fd, const char *program_dir, struct err *e)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;
    if (poll(&p, 1, KEEPER_TIMEOUT_MS) != 1 || read(fd, &byte, 1) != 1)
        return err_set(e, ERR_INTERNAL, ETIMEDOUT, "the fork server %s/zone-sup did not start", program_dir);
    return 0;
}

int keeper_ensure(struct zd *d, struct err *e)
{
    if (probe(d))
        return 0;
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    int r = spawn_server(d, ready, e);
    close(ready[1]);
    if (r == 0)
        r = wait_ready(ready[0], d->bin_dir, e);
    close(ready[0]);
    if (r < 0 || !probe(d))
        return r;
    lxcfs_tell_keeper(d);
    keep_again(d);
    return 0;
}

int keeper_start(struct zd *d, struct zone *z, const char *name, int run_dirfd, const struct session_start *s,
                 struct err *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair");
    int fds[4] = {z->lock_fd, run_dirfd, pair[1], s ? s->fd : -1};
    json *o = op(name, z->name);
    if (s) {
        js_set_bool(o, "session", true);
        js_set_bool(o, "session_tty", s->tty);
        js_set_bool(o, "session_stdin", s->wants_stdin);
        js_set_int(o, "rows", s->rows);
        js_set_int(o, "cols", s->cols);
    }
    js_ref(o);
    int r = call(d, o, fds, s ? 4 : 3, NULL, e);
    if (r == -ECONNREFUSED || r == -ENOENT || (e && e->kind == ERR_UNREACHABLE)) { /* it died: one more try */
        err_clear(e);
        r = keeper_ensure(d, e);
        if (r == 0)
            r = call(d, js_ref(o), fds, s ? 4 : 3, NULL, e);
    }
    js_free(o);
    close(pair[1]);
    if (r < 0) {
        close(pair[0]);
        return err_prefix(e, "supervisor of zone %s", z->name);
    }
    r = sup_attach_zone(d, z, pair[0], e);
    if (r ==
        0) /* the lock is its life's: a copy of ours, and of every worker that we fork, would outlive it */
        close_fd(&z->lock_fd);
    return r;
}

int keeper_kept(struct zd *d, const char *zone, char ***names, int *fds, unsigned *n, struct err *e)
{
    unsigned room = *n;
    *n = 0;
    auto_fd int sock = sup_connect(d->keeper_socket, e);
    auto_js json *reply = NULL;
    int r =
        sock < 0 ? sock : sup_call(sock, op("kept", zone), NULL, 0, &reply, fds, &room, KEEPER_TIMEOUT_MS, e);
    if (r < 0)
        return r;
    *n = room;
    *names = js_get_strv(reply, "names");
    return strv_len(*names) == room
               ? 0
               : err_set(e, ERR_INTERNAL, EPROTO, "keeper: names and descriptors differ");
}

void keeper_drop(struct zd *d, const char *zone)
{
    (void)call(d, op("drop", zone), NULL, 0, NULL, NULL);
}

int keeper_part(struct zd *d, const int *files, unsigned n, struct err *e)
{
    return call(d, op("part", NULL), files, n, NULL, e);
}

int keeper_quit(struct zd *d)
{
    return call(d, op("quit", NULL), NULL, 0, NULL, NULL);
}
