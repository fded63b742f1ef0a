/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server: libmicrohttpd on its own epoll, driven by our event loop; connections, their limits and
 * deadlines. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "zoned/http/http.h"
#include "zoned/http/impl.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TICK_US 1000000u
#define STALLED_S 60u /* neither side moves: idle between requests, or an answer that is not read */
#define LATER_MAX 100000u

void zd_call_later(struct zd_server *s, void (*fn)(void *arg, int fd), void *arg, int fd)
{
    struct zd_later *l = xcalloc(1, sizeof(*l));
    *l = (struct zd_later){.fn = fn, .arg = arg, .fd = fd};
    *s->later_end = l;
    s->later_end = &l->next;
    zd_kick(s);
}

static void run_later(struct zd_server *s)
{
    for (unsigned n = 0; s->later && n < LATER_MAX; n++) {
        struct zd_later *l = s->later;
        if (!(s->later = l->next))
            s->later_end = &s->later;
        l->fn(l->arg, l->fd);
        free(l);
    }
}

void zd_kick(struct zd_server *s)
{
    if (s->kick)
        (void)sd_event_source_set_enabled(s->kick, SD_EVENT_ONESHOT);
}

static void run(struct zd_server *s)
{
    MHD_UNSIGNED_LONG_LONG wait = 0;
    (void)MHD_run(s->mhd);
    run_later(s);
    /* Time that passes is the tick's business; here only: is there more to do at once? */
    if (MHD_get_timeout(s->mhd, &wait) == MHD_YES && wait == 0)
        zd_kick(s);
}

static int on_io(sd_event_source *src, int fd, uint32_t events, void *arg)
{
    run(arg);
    return 0;
}

static int on_kick(sd_event_source *src, void *arg)
{
    run(arg);
    return 0;
}

/* MHD's own timeout starts anew with every byte; a request has one deadline however slowly it drips. */
static int on_tick(sd_event_source *src, uint64_t usec, void *arg)
{
    struct zd_server *s = arg;
    uint64_t now = clock_mono_us();
    for (struct zd_conn *c = s->conns; c; c = c->next)
        if (c->deadline && now > c->deadline) {
            c->deadline = 0;
            c->refused = true;
            (void)shutdown(c->fd, SHUT_RDWR);
        }
    run(s);
    if (s->conns) {
        (void)sd_event_source_set_time(src, now + TICK_US);
        (void)sd_event_source_set_enabled(src, SD_EVENT_ONESHOT);
    }
    return 0;
}

static void start_tick(struct zd_server *s)
{
    int on = SD_EVENT_OFF;
    if (sd_event_source_get_enabled(s->tick, &on) >= 0 && on != SD_EVENT_OFF)
        return;
    (void)sd_event_source_set_time(s->tick, clock_mono_us() + TICK_US);
    (void)sd_event_source_set_enabled(s->tick, SD_EVENT_ONESHOT);
}

/* Root may fill the house, others a quarter of it, strangers next to nothing. */
static bool too_many(const struct zd_conn *c, struct err *e)
{
    const struct zd_server *s = c->server;
    unsigned same = 0, strangers = 0, max = c->peer.uid == 0 ? s->limits.in_all : s->limits.per_user;
    for (const struct zd_conn *o = s->conns; o; o = o->next) {
        same += o->peer.uid == c->peer.uid;
        strangers += o->peer.role == ROLE_NONE;
    }
    if (same < max && (c->peer.role != ROLE_NONE || strangers < ZD_STRANGERS_MAX))
        return false;
    err_set(e, ERR_LIMIT, EMFILE, "too many connections of user %u (at most %u)", (unsigned)c->peer.uid, max);
    err_hint(e, "close some, or keep one open for several requests");
    return true;
}

static void conn_open(struct zd_server *s, struct MHD_Connection *mhd, void **context)
{
    struct zd_conn *c = xcalloc(1, sizeof(*c));
    struct err e = {0};
    c->server = s;
    c->mhd = mhd;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    zd_groups_refresh(&s->groups);
    zd_peer_of(c->fd, &s->groups, &c->peer);
    c->deadline = clock_mono_us() + s->limits.request_us;
    if (too_many(c, &e)) {
        c->refused = true;
        zd_refuse_raw(c->fd, err_http_status(e.kind), &e);
    }
    c->next = s->conns;
    if (c->next)
        c->next->prev = c;
    s->conns = c;
    s->nconns++;
    start_tick(s);
    *context = c;
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct zd_server *s = arg;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        conn_open(s, mhd, context);
        return;
    }
    struct zd_conn *c = *context;
    if (!c)
        return;
    sd_event_source_disable_unref(c->watch);
    *(c->prev ? &c->prev->next : &s->conns) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->nconns--;
    free(c);
    *context = NULL;
}

/* Decoding is ours (decode.c): MHD leaves the address as it came. */
static size_t keep_escapes(void *arg, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

static void on_log(void *arg, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *arg, const char *fmt, va_list ap)
{
    char line[256];
    vsnprintf(line, sizeof(line), fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    log_debug("http: %s", line);
}

static int start_http(struct zd_server *s, int listen_fd, struct err *e)
{
    struct sigaction pipe_action;
    int pipes = sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_IGN;
    s->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        zd_on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, s->limits.in_all, MHD_OPTION_CONNECTION_TIMEOUT, STALLED_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ZD_HEAD_MAX, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        s, MHD_OPTION_NOTIFY_COMPLETED, zd_on_completed, s, MHD_OPTION_URI_LOG_CALLBACK, zd_on_uri, s,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, pipes,
        MHD_OPTION_END);
    if (!s->mhd)
        return err_set(e, ERR_INTERNAL, EIO, "cannot start the HTTP server");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    int r = info ? sd_event_add_io(s->event, &s->io, info->epoll_fd, EPOLLIN, on_io, s) : -EIO;
    if (r >= 0)
        r = sd_event_add_defer(s->event, &s->kick, on_kick, s);
    if (r >= 0)
        r = sd_event_add_time(s->event, &s->tick, CLOCK_MONOTONIC, UINT64_MAX, 1, on_tick, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->tick, SD_EVENT_OFF);
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "cannot watch the HTTP server") : 0;
}

int zd_server_new(struct zd *d, struct sd_event *event, const char *socket_path, int listen_fd, int tmp_dirfd,
                  const struct zd_route *routes, unsigned nroutes, struct zd_server **out, struct err *e)
{
    struct zd_server *s = xcalloc(1, sizeof(*s));
    s->d = d;
    s->event = sd_event_ref(event);
    s->tmp_dirfd = tmp_dirfd;
    s->routes = routes;
    s->nroutes = nroutes;
    s->later_end = &s->later;
    s->limits = (struct zd_limits){.json = 3u << 20,
                                   .spool = 4ull << 30,
                                   .stream = 1u << 20,
                                   .request_us = 10000000,
                                   .idle_us = STALLED_S * 1000000ull,
                                   .per_user = 256,
                                   .in_all = 1024};
    zd_groups_refresh(&s->groups);
    int fd = listen_fd, r;
    if (fd < 0) {
        fd = zd_socket_open(socket_path, &s->groups, e);
        s->unlink_path = fd >= 0 ? xstrdup(socket_path) : NULL;
    } else if (fd_nonblock(fd, true) < 0 || fd_cloexec(fd, true) < 0)
        fd = err_sys(e, "the socket that was handed over");
    r = fd < 0 ? fd : start_http(s, fd, e);
    if (r < 0) {
        if (!s->mhd && listen_fd < 0)
            close_fd(&fd);
        zd_server_free(s);
        return r;
    }
    *out = s;
    return 0;
}

void zd_server_free(struct zd_server *s)
{
    if (!s)
        return;
    for (struct zd_conn *c = s->conns; c; c = c->next)
        zd_conn_abandon(c);
    sd_event_source_disable_unref(s->io);
    if (s->mhd)
        MHD_stop_daemon(s->mhd);
    run_later(s);
    sd_event_source_disable_unref(s->kick);
    sd_event_source_disable_unref(s->tick);
    if (s->unlink_path)
        (void)unlink(s->unlink_path);
    free(s->unlink_path);
    sd_event_unref(s->event);
    free(s);
}
