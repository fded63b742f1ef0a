/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers: now or later, whole or as a stream, or as a connection handed over. A request is suspended in the
 * library until its answer is there; the library then asks once more and gets it. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "zoned/api/api.h"
#include "zoned/server_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define STREAM_QUEUE_MAX (1u << 20)

void zd_answer(struct zd_request *r, int status, struct MHD_Response *response)
{
    if (r->answered) {
        MHD_destroy_response(response);
        return;
    }
    r->answered = true;
    r->status = status;
    r->response = response;
    r->watch = sd_event_source_disable_unref(r->watch);
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->conn);
        zd_server_kick(r->server);
    }
}

static struct MHD_Response *with_type(struct MHD_Response *m, const char *type)
{
    MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(m, MHD_HTTP_HEADER_SERVER, "zoned/" ZONED_VERSION);
    return m;
}

void zd_reply_text(struct zd_request *r, int status, const char *content_type, char *text)
{
    zd_answer(
        r, status,
        with_type(MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE), content_type));
}

void zd_reply_json(struct zd_request *r, int status, json *body)
{
    char *text = js_dump(body, false);
    js_free(body);
    zd_reply_text(r, status, "application/json", text);
}

void zd_reply_error(struct zd_request *r, const struct err *e, const struct problems *ps)
{
    json *o = js_object();
    js_set(o, "error", js_from_err(e, ps));
    int status = e->kind == ERR_LIMIT && e->code == EFBIG ? 413
                 : e->code == EPROTOTYPE                  ? 405
                                                          : err_http_status(e->kind);
    zd_reply_json(r, status, o);
}

void zd_reply_fd(struct zd_request *r, const char *content_type, int fd)
{
    struct stat st = {0};
    (void)fstat(fd, &st);
    zd_answer(r, 200, with_type(MHD_create_response_from_fd64((uint64_t)st.st_size, fd), content_type));
}

/* ---- upgrade ---- */

/* The library shuts its descriptor down when it forgets an upgraded connection (0.9.75), which would end the
 * session that got the duplicate: so another socket takes the descriptor's place first. */
static void forget_quietly(MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
        (void)dup3(pair[0], sock, O_CLOEXEC);
        close(pair[0]);
        close(pair[1]);
    }
    MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
}

static void upgraded(void *cls, struct MHD_Connection *conn, void *con_cls, const char *extra,
                     size_t extra_size, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
    struct zd_request *r = cls;
    /* A client must wait for the 101 before it sends frames: bytes already read cannot be put back. */
    int fd = extra_size ? -1 : fcntl(sock, F_DUPFD_CLOEXEC, 3);
    if (fd >= 0)
        (void)fd_nonblock(fd, false);
    forget_quietly(sock, urh);
    void (*take)(void *, int) = r->take;
    r->take = NULL;
    take(r->take_arg, fd);
    zd_server_kick(r->server);
}

void zd_reply_upgrade(struct zd_request *r, void (*take)(void *arg, int fd), void *arg)
{
    struct MHD_Response *m = MHD_create_response_for_upgrade(upgraded, r);
    MHD_add_response_header(m, MHD_HTTP_HEADER_UPGRADE, API_UPGRADE);
    r->take = take;
    r->take_arg = arg;
    zd_answer(r, MHD_HTTP_SWITCHING_PROTOCOLS, m);
}

/* ---- streams ---- */
struct zd_stream {
    struct zd_server *server;
    struct MHD_Connection *conn;
    struct str queue;
    size_t sent;
    bool ended, broken, suspended;
    sd_event_source *watch;
    void (*closed)(void *arg);
    void *arg;
};

static void wake(struct zd_stream *s)
{
    if (!s->suspended)
        return;
    s->suspended = false;
    s->watch = sd_event_source_disable_unref(s->watch);
    MHD_resume_connection(s->conn);
    zd_server_kick(s->server);
}

static int stream_client_gone(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
    struct zd_stream *s = arg;
    s->broken = true;
    wake(s);
    return 0;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct zd_stream *s = cls;
    if (s->broken)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t left = s->queue.len - s->sent;
    if (left) {
        size_t n = left < max ? left : max;
        memcpy(buf, s->queue.p + s->sent, n);
        s->sent += n;
        if (s->sent == s->queue.len)
            s->sent = s->queue.len = 0;
        return (ssize_t)n;
    }
    if (s->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(s->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    (void)sd_event_add_io(s->server->event, &s->watch, info->connect_fd, 0, stream_client_gone, s);
    s->suspended = true;
    MHD_suspend_connection(s->conn);
    return 0;
}

static void stream_free(void *cls)
{
    struct zd_stream *s = cls;
    sd_event_source_disable_unref(s->watch);
    if (s->closed)
        s->closed(s->arg);
    str_done(&s->queue);
    free(s);
}

struct zd_stream *zd_reply_stream(struct zd_request *r, const char *content_type, void (*closed)(void *arg),
                                  void *arg)
{
    struct zd_stream *s = xcalloc(1, sizeof(*s));
    *s = (struct zd_stream){.server = r->server, .conn = r->conn, .closed = closed, .arg = arg};
    zd_answer(
        r, 200,
        with_type(MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, stream_read, s, stream_free),
                  content_type));
    return s;
}

void zd_stream_write(struct zd_stream *s, const void *data, size_t n)
{
    if (s->broken || s->ended || !n)
        return;
    if (s->queue.len - s->sent + n > STREAM_QUEUE_MAX)
        s->broken = true; /* it does not read: cut off */
    else
        str_addn(&s->queue, data, n);
    wake(s);
}

void zd_stream_end(struct zd_stream *s)
{
    s->ended = true;
    wake(s);
}
