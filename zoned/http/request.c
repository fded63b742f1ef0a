/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request from its first line to its answer: checks before the body is read, the body, the handler, and
 * the wait for an answer that comes later. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "zoned/api/api.h"
#include "zoned/http/impl.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

static struct zd_conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

/* ---- waiting ---- */
static int on_hup(sd_event_source *src, int fd, uint32_t events, void *arg)
{
    struct zd_conn *c = arg;
    struct zd_request *r = c->request;
    c->watch = sd_event_source_disable_unref(c->watch);
    if (!r || !r->suspended)
        return 0;
    if (r->stream)
        zd_stream_cut(r->stream);
    else if (r->gone)
        r->gone(r, r->gone_arg);
    return 0;
}

/* MHD does not look at a suspended connection. A hangup is the end of the client; that it only closed its
 * writing side (EPOLLRDHUP) is not: it may still wait for the answer. */
void zd_conn_suspend(struct zd_conn *c)
{
    MHD_suspend_connection(c->mhd);
    c->request->suspended = true;
    int r = sd_event_add_io(c->server->event, &c->watch, c->fd, 0, on_hup, c);
    if (r < 0)
        log_warning("cannot watch a client: %s", strerror(-r));
}

void zd_conn_resume(struct zd_conn *c)
{
    if (!c->request->suspended)
        return;
    c->request->suspended = false;
    c->watch = sd_event_source_disable_unref(c->watch);
    MHD_resume_connection(c->mhd);
    zd_kick(c->server);
}

void zd_conn_abandon(struct zd_conn *c)
{
    struct zd_request *r = c->request;
    if (!r || !r->suspended)
        return;
    if (r->stream)
        zd_stream_cut(r->stream);
    else if (r->gone)
        r->gone(r, r->gone_arg);
    if (!r->suspended)
        return;
    zd_conn_resume(c);
    r->server = NULL;
    r->conn = NULL;
    c->request = NULL;
}

/* ---- begin ---- */
void *zd_on_uri(void *arg, const char *uri, struct MHD_Connection *mhd)
{
    struct zd_server *s = arg;
    struct zd_request *r = xcalloc(1, sizeof(*r));
    r->server = s;
    r->conn = conn_of(mhd);
    r->uri = xstrdup(uri);
    r->id = ++s->requests;
    r->spool_fd = -1;
    if (r->conn) {
        r->conn->deadline = clock_mono_us() + s->limits.request_us;
        r->conn->request = r;
    }
    return r;
}

static int check_role(const struct zd_request *r, enum zd_role need, struct err *e)
{
    const struct zd_peer *p = &r->conn->peer;
    if (p->role >= need && p->role != ROLE_NONE)
        return 0;
    if (p->role != ROLE_NONE)
        err_set(e, ERR_DENIED, EACCES, "user %u is %s, this needs %s", (unsigned)p->uid,
                zd_role_name(p->role), zd_role_name(need));
    else if (p->foreign)
        err_set(e, ERR_DENIED, EACCES, "the caller lives in another user namespace");
    else
        err_set(e, ERR_DENIED, EACCES, "user %u may not use zoned", (unsigned)p->uid);
    return err_hint(e, "run it as root, or have the user added to the group %s", zd_role_name(need));
}

static bool header_has(struct zd_request *r, const char *name, const char *word)
{
    const char *v = MHD_lookup_connection_value(r->conn->mhd, MHD_HEADER_KIND, name);
    return v && strcasestr(v, word);
}

static uint64_t body_limit(const struct zd_request *r)
{
    return r->route->body == BODY_SPOOL ? r->server->limits.spool : r->server->limits.json;
}

static int too_large(const struct zd_request *r, struct err *e)
{
    char size[24];
    print_size(body_limit(r), size);
    return err_set(e, ERR_LIMIT, EFBIG, "the body of the request is larger than %s", size);
}

/* Everything that can be said before the body is read. status: of the error answer, 0 for that of its kind.
 */
static int begin(struct zd_request *r, const char *method, int *status, char **allow, struct err *e)
{
    int rc = check_role(r, ROLE_VIEWER, e);
    if (rc < 0)
        return rc;
    rc = zd_url_parse(r->uri, &r->url, e);
    if (rc < 0) {
        *status = e->kind == ERR_INVALID ? MHD_HTTP_BAD_REQUEST : 0;
        return rc;
    }
    r->route = zd_route_find(r->server->routes, r->server->nroutes, method, &r->url, r->param, allow, e);
    if (!r->route) {
        *status = *allow ? MHD_HTTP_METHOD_NOT_ALLOWED : 0;
        return -e->code;
    }
    r->nparams = zd_url_match(&r->url, r->route->pattern, r->param);
    rc = check_role(r, r->route->role, e);
    if (rc < 0)
        return rc;
    const char *length = MHD_lookup_connection_value(r->conn->mhd, MHD_HEADER_KIND, "Content-Length");
    uint64_t n = 0;
    if (length && parse_u64(length, body_limit(r), &n) < 0) {
        *status = MHD_HTTP_CONTENT_TOO_LARGE;
        return too_large(r, e);
    }
    r->upgrade = header_has(r, "Connection", "upgrade") && header_has(r, "Upgrade", API_UPGRADE);
    if (r->route->body != BODY_SPOOL)
        return 0;
    r->spool_fd = openat(r->server->tmp_dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return r->spool_fd < 0 ? err_sys(e, "cannot make a file for the body of the request") : 0;
}

/* ---- body ---- */
static int receive(struct zd_request *r, const char *data, size_t n, struct err *e)
{
    r->received += n;
    if (r->received > body_limit(r))
        return too_large(r, e);
    if (r->route->body == BODY_JSON)
        str_addn(&r->body, data, n);
    if (r->route->body != BODY_SPOOL)
        return 0;
    r->conn->deadline = clock_mono_us() + r->server->limits.request_us;
    int rc = fd_write_full(r->spool_fd, data, n);
    return rc < 0 ? err_sysk(e, rc == -ENOSPC ? ERR_LIMIT : ERR_INTERNAL, -rc,
                             "cannot keep the body of the request")
                  : 0;
}

static int check_fields(struct zd_request *r, struct err *e)
{
    if (r->route->body == BODY_NONE && r->received > 2) { /* {} says nothing */
        err_set(e, ERR_INVALID, EINVAL, "%s %s takes no body", r->route->method, r->route->pattern);
        return err_hint(e, "what it takes stands in the address: see /v1/openapi.json");
    }
    zd_fields_check(r->route, &r->url, r->object, &r->problems);
    return r->problems.len ? problems_to_err(&r->problems, e, "the request") : 0;
}

static void handle(struct zd_request *r)
{
    struct err e = {0};
    int status = 0;
    r->handled = true;
    int rc = zd_body_parse(r->body.p, r->body.len, &r->object, &e);
    str_done(&r->body);
    rc = rc < 0 ? rc : check_fields(r, &e);
    if (rc < 0)
        status = MHD_HTTP_BAD_REQUEST;
    else if (r->spool_fd >= 0 && lseek(r->spool_fd, 0, SEEK_SET) < 0)
        rc = err_sys(&e, "cannot read the body of the request");
    if (rc == 0)
        rc = r->route->handle(r->server->d, r, &e);
    if (rc >= 0 || r->answered)
        return;
    if (!err_is(&e) && r->problems.len)
        problems_to_err(&r->problems, &e, "the request");
    else if (!err_is(&e))
        err_sysk(&e, ERR_INTERNAL, -rc, "%s", r->route->operation ? r->route->operation : r->route->pattern);
    zd_reply_error_status(r, status, NULL, &e, &r->problems);
}

static enum MHD_Result queue(struct zd_request *r)
{
    struct MHD_Response *response = take_ptr(&r->response);
    enum MHD_Result ok = MHD_queue_response(r->conn->mhd, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return ok;
}

/* Of a request that is refused already: a client that is still sending would have its connection closed under it and never read
 * why, so its body is taken and dropped. One that waits for "100 Continue", or announces more than that or does not say how much, is answered
 * at once. */
static bool drops_body(const struct zd_request *r)
{
    uint64_t n = 0;
    const char *length = MHD_lookup_connection_value(r->conn->mhd, MHD_HEADER_KIND, "Content-Length");
    return !MHD_lookup_connection_value(r->conn->mhd, MHD_HEADER_KIND, "Expect") &&
           !MHD_lookup_connection_value(r->conn->mhd, MHD_HEADER_KIND, "Transfer-Encoding") &&
           (!length || parse_u64(length, r->server->limits.json, &n) == 0);
}

static enum MHD_Result refuse(struct zd_request *r, int status, const char *allow, const struct err *e)
{
    r->handled = true;
    zd_reply_error_status(r, status, allow, e, NULL);
    if (drops_body(r))
        return MHD_YES;
    r->conn->deadline = 0;
    return queue(r);
}

static enum MHD_Result drop(struct zd_request *r, size_t n)
{
    r->received += n;
    return r->received > r->server->limits.json ? MHD_NO : MHD_YES;
}

enum MHD_Result zd_on_request(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **context)
{
    struct zd_request *r = *context;
    struct err e = {0};
    if (!r || !r->conn || r->conn->refused)
        return MHD_NO;
    if (!r->begun) {
        int status = 0;
        auto_free char *allow = NULL;
        r->begun = true;
        return begin(r, method, &status, &allow, &e) == 0 ? MHD_YES : refuse(r, status, allow, &e);
    }
    if (*size > 0) {
        size_t n = *size;
        *size = 0;
        if (r->handled)
            return drop(r, n);
        if (receive(r, data, n, &e) == 0)
            return MHD_YES;
        zd_refuse_raw(r->conn->fd, e.code == EFBIG ? MHD_HTTP_CONTENT_TOO_LARGE : err_http_status(e.kind),
                      &e);
        return MHD_NO;
    }
    r->conn->deadline = 0;
    if (!r->handled)
        handle(r);
    if (r->response)
        return queue(r);
    zd_conn_suspend(r->conn);
    return MHD_YES;
}

/* ---- end ---- */
void zd_request_free(struct zd_request *r)
{
    for (unsigned i = 0; i < r->nlists; i++)
        strv_free(r->lists[i]);
    free(r->lists);
    zd_url_done(&r->url);
    str_done(&r->body);
    js_free(r->object);
    close_fd(&r->spool_fd);
    problems_done(&r->problems);
    free(r->uri);
    free(r);
}

void zd_on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                     enum MHD_RequestTerminationCode how)
{
    struct zd_server *s = arg;
    struct zd_conn *c = conn_of(mhd);
    struct zd_request *r = c ? c->request : NULL; /* not *context: an abandoned one may be freed by now */
    *context = NULL;
    if (!r)
        return;
    c->request = NULL;
    c->deadline = clock_mono_us() + s->limits.idle_us;
    if (r->response)
        MHD_destroy_response(r->response);
    if (r->stream)
        zd_stream_forget(r->stream);
    if (r->take)
        zd_call_later(s, r->take, r->take_arg, -1);
    zd_request_free(r);
}

/* ---- what handlers ask ---- */
const char *zd_param(const struct zd_request *r, unsigned i)
{
    return r->nparams > 0 && i < (unsigned)r->nparams ? r->url.part[r->param[i]] : NULL;
}

const char *zd_query(const struct zd_request *r, const char *key)
{
    for (unsigned i = 0; i < r->url.npairs; i++)
        if (str_eq(r->url.pair[i].key, key))
            return r->url.pair[i].value;
    return NULL;
}

bool zd_query_flag(const struct zd_request *r, const char *key, bool absent)
{
    const char *text = zd_query(r, key);
    bool value = absent;
    if (text)
        (void)zd_is_flag(text, &value);
    return value;
}

char *const *zd_query_all(struct zd_request *r, const char *key)
{
    char **list = NULL;
    for (unsigned i = 0; i < r->url.npairs; i++)
        if (str_eq(r->url.pair[i].key, key))
            strv_add(&list, r->url.pair[i].value);
    if (!list)
        list = xcalloc(1, sizeof(*list));
    r->lists = xrealloc(r->lists, r->nlists + 1, sizeof(*r->lists));
    r->lists[r->nlists++] = list;
    return list;
}

const json *zd_body_of(const struct zd_request *r)
{
    return r->object;
}

int zd_body_fd(const struct zd_request *r)
{
    return r->spool_fd;
}

bool zd_wants_upgrade(const struct zd_request *r)
{
    return r->upgrade;
}

struct problems *zd_problems(struct zd_request *r)
{
    return &r->problems;
}

uint64_t zd_request_id(const struct zd_request *r)
{
    return r->id;
}

void zd_peer(const struct zd_request *r, uid_t *uid, pid_t *pid)
{
    *uid = r->conn ? r->conn->peer.uid : (uid_t)-1;
    *pid = r->conn ? r->conn->peer.pid : 0;
}

enum zd_role zd_role_of(const struct zd_request *r)
{
    return r->conn ? r->conn->peer.role : ROLE_NONE;
}

void zd_on_gone(struct zd_request *r, void (*fn)(struct zd_request *r, void *arg), void *arg)
{
    r->gone = fn;
    r->gone_arg = arg;
}
