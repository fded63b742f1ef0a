/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers without an end in sight: a bounded queue between who writes and who reads. The connection is
 * suspended while the queue is empty; a client that lets it fill up is cut off. */
#include "base/mem.h"
#include "zoned/http/impl.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define BLOCK 16384u

struct zd_stream {
    struct zd_server *server;   /* NULL: nobody reads, and only zd_stream_end is awaited */
    struct zd_request *request; /* NULL: gone, and the response will follow */
    struct str queue;
    size_t used; /* of the queue, sent already */
    size_t head; /* what of its beginning is still there */
    bool ended, dead;
    void (*closed)(void *arg);
    void (*fill)(void *arg); /* NULL: whoever writes does it when he likes */
    void *arg;
};

static void stream_free(void *arg, int fd)
{
    struct zd_stream *s = arg;
    if (s->closed)
        s->closed(s->arg);
    str_done(&s->queue);
    free(s);
}

/* MHD drops its response, at whatever moment: the owner hears of it outside. */
static void on_response_gone(void *arg)
{
    struct zd_stream *s = arg;
    s->dead = true;
    if (s->server)
        zd_call_later(s->server, stream_free, s, -1);
}

static ssize_t on_read(void *arg, uint64_t pos, char *buf, size_t max)
{
    struct zd_stream *s = arg;
    if (s->dead || !s->request)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (s->queue.len == s->used && s->fill && !s->ended)
        s->fill(s->arg);
    size_t n = s->queue.len - s->used;
    if (n == 0) {
        if (s->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        zd_conn_suspend(s->request->conn);
        return 0;
    }
    n = n < max ? n : max;
    memcpy(buf, s->queue.p + s->used, n);
    s->used += n;
    s->head -= n < s->head ? n : s->head;
    if (s->used == s->queue.len)
        s->used = s->queue.len = 0;
    return (ssize_t)n;
}

struct zd_stream *zd_reply_stream(struct zd_request *r, const char *content_type, void (*closed)(void *arg),
                                  void *arg)
{
    struct zd_stream *s = xcalloc(1, sizeof(*s));
    *s = (struct zd_stream){.server = r->server, .request = r, .closed = closed, .arg = arg};
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_read, s, on_response_gone);
    if (r->server)
        r->stream = s;
    else
        s->request = NULL;
    zd_answer(r, MHD_HTTP_OK, content_type, response);
    return s;
}

static void wake(struct zd_stream *s)
{
    if (s->request && s->request->suspended)
        zd_conn_resume(s->request->conn);
}

void zd_stream_pull(struct zd_stream *s, void (*fill)(void *arg))
{
    s->fill = fill;
    if (!s->server)
        zd_stream_end(s);
    else
        wake(s);
}

void zd_stream_more(struct zd_stream *s)
{
    wake(s);
}

void zd_stream_begin(struct zd_stream *s, const void *data, size_t n)
{
    if (s->dead || n == 0)
        return;
    str_addn(&s->queue, data, n);
    s->head += n;
    wake(s);
}

void zd_stream_write(struct zd_stream *s, const void *data, size_t n)
{
    if (s->dead || n == 0)
        return;
    if (s->queue.len - s->used - s->head + n > s->server->limits.stream) {
        if (s->request)
            (void)shutdown(s->request->conn->fd, SHUT_RDWR);
        zd_stream_cut(s);
        return;
    }
    if (s->used > s->server->limits.stream) { /* keep the buffer from growing by what was sent */
        memmove(s->queue.p, s->queue.p + s->used, s->queue.len - s->used);
        s->queue.len -= s->used;
        s->used = 0;
    }
    str_addn(&s->queue, data, n);
    wake(s);
}

void zd_stream_end(struct zd_stream *s)
{
    s->ended = true;
    if (!s->server)
        stream_free(s, -1);
    else
        wake(s);
}

void zd_stream_cut(struct zd_stream *s)
{
    s->dead = true;
    wake(s);
}

void zd_stream_forget(struct zd_stream *s)
{
    s->request = NULL;
}
