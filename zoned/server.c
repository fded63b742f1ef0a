/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP server: libmicrohttpd driven by our event loop. Finds the route, checks role and sizes before it
 * reads a body, decodes, calls the handler, and leaves the rest to server_reply.c. Knows no zone. */
#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "zoned/api/api.h"
#include "zoned/server_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CONNECTIONS_MAX 1024
#define IDLE_SECONDS 10

/* ---- what handlers ask ---- */
const char *zd_param(const struct zd_request *r, unsigned i)
{
    return i < PARAMS_MAX ? r->params[i] : NULL;
}

const char *zd_query(const struct zd_request *r, const char *key)
{
    return MHD_lookup_connection_value(r->conn, MHD_GET_ARGUMENT_KIND, key);
}

struct collect {
    const char *key;
    char **values;
};

static enum MHD_Result collect_value(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct collect *c = cls;
    if (value && !strcmp(key, c->key) && strv_len(c->values) < 4096)
        strv_add(&c->values, value);
    return MHD_YES;
}

char *const *zd_query_all(struct zd_request *r, const char *key)
{
    struct collect c = {key, NULL};
    MHD_get_connection_values(r->conn, MHD_GET_ARGUMENT_KIND, collect_value, &c);
    strv_free(r->query_all);
    r->query_all = c.values;
    return r->query_all;
}

const json *zd_body_of(const struct zd_request *r)
{
    return r->body;
}

int zd_body_fd(const struct zd_request *r)
{
    return r->spool_fd;
}

bool zd_wants_upgrade(const struct zd_request *r)
{
    const char *u = MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_UPGRADE);
    return u && !strcasecmp(u, API_UPGRADE);
}

struct problems *zd_problems(struct zd_request *r)
{
    return &r->problems;
}

void zd_peer(const struct zd_request *r, uid_t *uid, pid_t *pid)
{
    *uid = r->uid;
    *pid = r->pid;
}

enum zd_role zd_role_of(const struct zd_request *r)
{
    return r->role;
}

void zd_on_gone(struct zd_request *r, void (*fn)(struct zd_request *r, void *arg), void *arg)
{
    r->on_gone = fn;
    r->on_gone_arg = arg;
}

/* ---- routing ---- */
static bool match(const char *pattern, const char *url, char *params[PARAMS_MAX])
{
    unsigned n = 0;
    while (*pattern && *url) {
        if (*pattern == '{') {
            size_t len = strcspn(url, "/");
            if (!len || n == PARAMS_MAX)
                return false;
            free(params[n]);
            params[n++] = xstrndup(url, len);
            pattern = strchr(pattern, '}') + 1;
            url += len;
        } else if (*pattern++ != *url++) {
            return false;
        }
    }
    return !*pattern && !*url;
}

static void find_route(struct zd_request *r, const char *method, const char *url)
{
    bool path_known = false;
    for (unsigned i = 0; i < r->server->nroutes; i++) {
        const struct zd_route *route = &r->server->routes[i];
        if (!match(route->pattern, url, r->params))
            continue;
        path_known = true;
        if (!strcmp(route->method, method)) {
            r->route = route;
            return;
        }
    }
    if (path_known)
        err_set(&r->early, ERR_USAGE, EPROTOTYPE, "%s does not take %s", url, method);
    else
        err_set(&r->early, ERR_NOT_FOUND, ENOENT, "no such resource: %.200s", url);
}

static void check_role(struct zd_request *r)
{
    if (r->role >= (r->route ? r->route->role : ROLE_VIEWER))
        return;
    err_clear(&r->early);
    err_set(&r->early, ERR_DENIED, EACCES, "user %u may not do this", (unsigned)r->uid);
    err_hint(
        &r->early,
        "become root, or a member of zoned-viewer (look), zoned-operator (start, stop) or zoned-admin (all)");
}

static uint64_t body_limit(const struct zd_request *r)
{
    return r->route && r->route->body == BODY_SPOOL ? SPOOL_BODY_MAX : JSON_BODY_MAX;
}

static void check_length(struct zd_request *r)
{
    uint64_t n = 0;
    const char *given = MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (given && (parse_u64(given, UINT64_MAX, &n) < 0 || n > body_limit(r)))
        err_set(&r->early, ERR_LIMIT, EFBIG, "a body of %.20s bytes is too large (at most %llu)", given,
                (unsigned long long)body_limit(r));
}

/* ---- one request ---- */
static struct zd_request *request_new(struct zd_server *s, struct MHD_Connection *conn, const char *method,
                                      const char *url)
{
    struct zd_request *r = xcalloc(1, sizeof(*r));
    r->server = s;
    r->conn = conn;
    r->spool_fd = -1;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    r->role = zd_peer_role(info->connect_fd, &r->uid, &r->pid);
    find_route(r, method, url);
    check_role(r);
    if (!err_is(&r->early))
        check_length(r);
    return r;
}

static void request_free(struct zd_request *r)
{
    sd_event_source_disable_unref(r->watch);
    if (r->take) /* the client went away before the 101 reached it */
        r->take(r->take_arg, -1);
    for (unsigned i = 0; i < PARAMS_MAX; i++)
        free(r->params[i]);
    strv_free(r->query_all);
    str_done(&r->text);
    js_free(r->body);
    close_fd(&r->spool_fd);
    problems_done(&r->problems);
    free(r);
}

static void take_body(struct zd_request *r, const char *data, size_t n)
{
    r->received += n;
    if (err_is(&r->early))
        return;
    if (r->received > body_limit(r)) {
        err_set(&r->early, ERR_LIMIT, EFBIG, "the body is too large (at most %llu bytes)",
                (unsigned long long)body_limit(r));
    } else if (r->route->body != BODY_SPOOL) {
        str_addn(&r->text, data, n);
    } else {
        if (r->spool_fd < 0)
            r->spool_fd = openat(r->server->tmp_dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        ssize_t w = r->spool_fd < 0 ? -1 : write(r->spool_fd, data, n);
        if (w != (ssize_t)n)
            err_set(&r->early, ERR_LIMIT, errno ? errno : ENOSPC, "no room for the body");
    }
}

static int decode(struct zd_request *r, struct err *e)
{
    if (r->route->body == BODY_SPOOL && r->spool_fd < 0)
        return err_set(e, ERR_INVALID, EINVAL, "the request has no body");
    if (r->route->body == BODY_SPOOL)
        return lseek(r->spool_fd, 0, SEEK_SET) < 0 ? err_sys(e, "body") : 0;
    if (r->route->body != BODY_JSON || !r->text.len)
        return 0;
    r->body = js_parse(r->text.p, r->text.len, e);
    str_done(&r->text);
    if (!r->body)
        return -EINVAL;
    if (js_type_of(r->body) != JS_OBJECT)
        return err_set(e, ERR_INVALID, EINVAL, "the body must be a JSON object");
    return 0;
}

static int client_gone(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
    struct zd_request *r = arg;
    r->watch = sd_event_source_disable_unref(r->watch);
    r->gone = true;
    if (r->on_gone)
        r->on_gone(r, r->on_gone_arg);
    return 0;
}

static enum MHD_Result send_answer(struct zd_request *r)
{
    enum MHD_Result ok = MHD_queue_response(r->conn, (unsigned)r->status, r->response);
    MHD_destroy_response(r->response);
    r->response = NULL;
    return ok;
}

static enum MHD_Result dispatch(struct zd_request *r)
{
    struct err e = r->early;
    r->dispatched = true;
    if (err_is(&e) || decode(r, &e) < 0 || r->route->handle(r->server->d, r, &e) < 0) {
        if (!err_is(&e))
            err_set(&e, ERR_INTERNAL, EIO, "the handler gave no reason");
        zd_reply_error(r, &e, &r->problems);
    }
    if (r->answered)
        return send_answer(r);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    (void)sd_event_add_io(r->server->event, &r->watch, info->connect_fd, 0, client_gone, r);
    r->suspended = true;
    MHD_suspend_connection(r->conn);
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **con_cls)
{
    struct zd_request *r = *con_cls;
    if (!r) {
        *con_cls = r = request_new(cls, conn, method, url);
        return err_is(&r->early) ? dispatch(r) : MHD_YES; /* refused before the body is read */
    }
    if (r->answered)
        return r->response ? send_answer(r) : MHD_YES;
    if (*size) {
        take_body(r, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return r->dispatched ? MHD_YES : dispatch(r);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct zd_request *r = *con_cls;
    *con_cls = NULL;
    if (!r)
        return;
    if (r->response)
        MHD_destroy_response(r->response);
    request_free(r);
}

/* ---- the loop ---- */
static void run(struct zd_server *s);

static int on_timer(sd_event_source *src, uint64_t usec, void *arg)
{
    run(arg);
    return 0;
}

static void arm_timer(struct zd_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    bool wanted = MHD_get_timeout(s->mhd, &ms) == MHD_YES;
    if (s->timer && !wanted) {
        (void)sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
        return;
    }
    if (!wanted)
        return;
    if (!s->timer) {
        (void)sd_event_add_time_relative(s->event, &s->timer, CLOCK_MONOTONIC, ms * 1000, 0, on_timer, s);
        return;
    }
    (void)sd_event_source_set_time_relative(s->timer, ms * 1000);
    (void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void run(struct zd_server *s)
{
    (void)MHD_run(s->mhd);
    arm_timer(s);
}

static int on_io(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
    run(arg);
    return 0;
}

static int on_defer(sd_event_source *src, void *arg)
{
    run(arg);
    return 0;
}

/* The library must look at its connections soon, but not from inside one of its own callbacks. */
void zd_server_kick(struct zd_server *s)
{
    if (!s->defer)
        (void)sd_event_add_defer(s->event, &s->defer, on_defer, s);
    (void)sd_event_source_set_enabled(s->defer, SD_EVENT_ONESHOT);
}

/* ---- the socket ---- */
static int listen_on(const char *path, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a.sun_path))
        return err_set(e, ERR_INVALID, ENAMETOOLONG, "socket %s: at most %zu bytes", path,
                       sizeof(a.sun_path) - 1);
    memcpy(a.sun_path, path, strlen(path) + 1);
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    (void)unlink(path); /* the instance's lock is ours: a socket here is a dead one's */
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 512) < 0)
        return err_sys(e, "socket %s", path);
    struct group *g = getgrnam("zoned-admin");
    if (chmod(path, 0666) < 0 || (g && chown(path, 0, g->gr_gid) < 0))
        return err_sys(e, "socket %s", path);
    return take_fd(&fd);
}

static void mhd_log(void *cls, const char *fmt, va_list ap)
{
    char text[400];
    vsnprintf(text, sizeof(text), fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http: %s", text);
}

static int start_library(struct zd_server *s, struct err *e)
{
    s->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, s, MHD_OPTION_EXTERNAL_LOGGER, mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_END);
    if (!s->mhd)
        return err_set(e, ERR_INTERNAL, EIO, "the HTTP server does not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    int r = sd_event_add_io(s->event, &s->io, info->epoll_fd, EPOLLIN, on_io, s);
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "event source of the server") : 0;
}

int zd_server_new(struct zd *d, struct sd_event *event, const char *socket_path, int listen_fd, int tmp_dirfd,
                  const struct zd_route *routes, unsigned nroutes, struct zd_server **out, struct err *e)
{
    struct zd_server *s = xcalloc(1, sizeof(*s));
    *s = (struct zd_server){
        .d = d, .event = event, .tmp_dirfd = tmp_dirfd, .routes = routes, .nroutes = nroutes};
    s->listen_fd = listen_fd >= 0 ? listen_fd : listen_on(socket_path, e);
    int r = s->listen_fd < 0 ? s->listen_fd : start_library(s, e);
    if (r < 0) {
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
    sd_event_source_disable_unref(s->io);
    sd_event_source_disable_unref(s->timer);
    sd_event_source_disable_unref(s->defer);
    /* The library refuses to stop while requests are suspended (0.9.75 panics). This is the end of the
     * process: the kernel closes the connections, and clients see the end of file. */
    close_fd(&s->listen_fd);
    free(s);
}
