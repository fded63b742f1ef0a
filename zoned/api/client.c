/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client of the API: one kept-alive connection to zoned's socket. Blocking, no threads; no time limit but
 * that of the connect, because a start may take what it takes and the user has Ctrl-C. */
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "zoned/api/api.h"
#include "zoned/api/http.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

#define BODY_MAX (64u << 20)
#define LINE_MAX_BYTES (1u << 20)
#define CONNECT_SECONDS 10

struct api_client {
    char *path;
    bool used; /* the connection has carried a request: zoned may have closed it since */
    struct api_wire wire;
};

static int unreachable(struct err *e, const char *path, int code)
{
    int r = err_sysk(e, ERR_UNREACHABLE, code, "cannot reach zoned at %s", path);
    if (code == EACCES || code == EPERM)
        err_hint(e, "run it as root, or join the group zoned-admin, zoned-operator or zoned-viewer");
    else
        err_hint(e,
                 "start it with `systemctl start zoned`, or name its socket with --socket or ZONED_SOCKET");
    return r;
}

/* A path longer than sun_path is reached through its folder's descriptor. */
static int socket_address(const char *path, struct sockaddr_un *sa, int *dir)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof(sa->sun_path)) {
        memcpy(sa->sun_path, path, strlen(path));
        return 0;
    }
    const char *slash = strrchr(path, '/');
    if (!slash)
        return -ENAMETOOLONG;
    auto_free char *folder = xstrndup(path, (size_t)(slash - path) + 1);
    *dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir < 0)
        return -errno;
    int n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", *dir, slash + 1);
    return n < 0 || (size_t)n >= sizeof(sa->sun_path) ? -ENAMETOOLONG : 0;
}

static int do_connect(struct api_client *c, struct err *e)
{
    auto_fd int fd = -1, dir = -1;
    struct sockaddr_un sa;
    int r = socket_address(c->path, &sa, &dir);
    if (r < 0)
        return unreachable(e, c->path, -r);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    struct timeval limit = {CONNECT_SECONDS, 0}, none = {0, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    do
        r = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return unreachable(e, c->path, errno == EAGAIN ? ETIMEDOUT : errno);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
    c->wire.fd = take_fd(&fd);
    c->wire.pos = c->wire.have = 0;
    c->used = false;
    return 0;
}

int api_open(const char *socket_path, struct api_client **out, struct err *e)
{
    struct api_client *c = malloc(sizeof(*c)); /* not zeroed: the buffer's pages stay untouched */
    if (!c)
        return err_set(e, ERR_INTERNAL, ENOMEM, "out of memory");
    c->path = xstrdup(socket_path);
    c->wire.fd = -1;
    int r = do_connect(c, e);
    if (r < 0) {
        api_close(c);
        return r;
    }
    *out = c;
    return 0;
}

void api_close(struct api_client *c)
{
    if (!c)
        return;
    close_fd(&c->wire.fd);
    free(c->path);
    free(c);
}

void api_answer_done(struct api_answer *a)
{
    js_free(a->body);
    free(a->text);
    memset(a, 0, sizeof(*a));
}

static int send_all(int fd, struct iovec *iov, unsigned n)
{
    while (n) {
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
        ssize_t r = sendmsg(fd, &m, MSG_NOSIGNAL);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        while (n && (size_t)r >= iov->iov_len) {
            r -= (ssize_t)iov->iov_len;
            iov++;
            n--;
        }
        if (n) {
            iov->iov_base = (char *)iov->iov_base + r;
            iov->iov_len -= (size_t)r;
        }
    }
    return 0;
}

struct request {
    const char *method, *path;
    const char *text; /* body, or NULL */
    int in_fd;        /* body, or -1 */
    bool upgrade;
};

/* Length of what a regular file still holds; -1: unknown, to be sent in chunks. */
static int64_t body_length(int fd)
{
    struct stat st;
    off_t at;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (at = lseek(fd, 0, SEEK_CUR)) < 0 || at > st.st_size)
        return -1;
    return st.st_size - at;
}

static void request_head(const struct request *q, int64_t length, struct str *head)
{
    str_addf(head, "%s /v1%s HTTP/1.1\r\nHost: zoned\r\n", q->method, q->path);
    if (q->upgrade)
        str_add(head, "Connection: Upgrade\r\nUpgrade: " API_UPGRADE "\r\n");
    if (q->text)
        str_addf(head, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(q->text));
    else if (q->in_fd >= 0 && length >= 0)
        str_addf(head, "Content-Type: application/x-tar\r\nContent-Length: %lld\r\n", (long long)length);
    else if (q->in_fd >= 0)
        str_add(head, "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n");
    else if (strcmp(q->method, "GET") != 0)
        str_add(head, "Content-Length: 0\r\n");
    str_add(head, "\r\n");
}

static int send_file(int sock, int in_fd, int64_t length)
{
    static char buf[65536];
    for (;;) {
        size_t want = length >= 0 && (uint64_t)length < sizeof(buf) ? (size_t)length : sizeof(buf);
        ssize_t n = want ? read(in_fd, buf, want) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        char size[24];
        int sn = snprintf(size, sizeof(size), "%zx\r\n", (size_t)n);
        struct iovec chunk[] = {{size, (size_t)sn}, {buf, (size_t)n}, {(char *)"\r\n", 2}};
        struct iovec plain[] = {{buf, (size_t)n}};
        if (length >= 0 && !n)
            return length ? -EIO : 0;
        int r = length >= 0 ? send_all(sock, plain, 1) : send_all(sock, chunk, 3);
        if (r < 0 || !n)
            return r;
        length -= length >= 0 ? n : 0;
    }
}

static int send_request(struct api_client *c, const struct request *q)
{
    struct str head = {0};
    int64_t length = q->in_fd >= 0 ? body_length(q->in_fd) : 0;
    request_head(q, length, &head);
    struct iovec iov[] = {{head.p, head.len}, {(char *)q->text, q->text ? strlen(q->text) : 0}};
    int r = send_all(c->wire.fd, iov, q->text && *q->text ? 2 : 1);
    str_done(&head);
    if (r == 0 && q->in_fd >= 0)
        r = send_file(c->wire.fd, q->in_fd, length);
    return r;
}

static int broken(struct api_client *c, struct err *e, int r)
{
    close_fd(&c->wire.fd);
    if (r == -EPROTO)
        return err_set(e, ERR_INTERNAL, EPROTO, "what answers at %s does not speak HTTP as zoned does",
                       c->path);
    err_sysk(e, ERR_UNREACHABLE, -r, "zoned closed the connection before its answer was complete");
    return err_hint(e, "it may be restarting: look with `zonectl list`, and at its journal");
}

/* Sends and reads the answer's head. A kept-alive connection that zoned closed meanwhile is made anew, once,
 * where asking twice does no harm. */
static int exchange(struct api_client *c, const struct request *q, struct api_head *h, struct err *e)
{
    for (int tries = 0;; tries++) {
        int r;
        if (c->wire.fd < 0 && (r = do_connect(c, e)) < 0)
            return r;
        bool stale = c->used;
        c->used = true;
        int sent = send_request(c, q);
        /* EPIPE: the refusal of a body that was too large may be waiting. */
        if (sent < 0 && sent != -EPIPE && sent != -ECONNRESET) {
            close_fd(&c->wire.fd);
            return err_sysk(e, ERR_INTERNAL, -sent, "sending the request");
        }
        r = api_wire_head(&c->wire, h, q->upgrade);
        if (r == 0)
            return 0;
        if (r == -EPIPE && stale && tries == 0 && !strcmp(q->method, "GET")) {
            close_fd(&c->wire.fd);
            continue;
        }
        return broken(c, e, r);
    }
}

static int read_body(struct api_client *c, const struct api_head *h, struct str *out, struct err *e)
{
    struct api_body b;
    const char *piece;
    size_t n;
    int r;
    api_body_start(&b, h);
    while ((r = api_body_next(&c->wire, &b, &piece, &n)) > 0) {
        if (out->len + n > BODY_MAX) {
            close_fd(&c->wire.fd);
            return err_set(e, ERR_LIMIT, EFBIG, "the answer is larger than %u MiB", BODY_MAX >> 20);
        }
        str_addn(out, piece, n);
    }
    if (r < 0)
        return broken(c, e, r);
    if (h->close || b.mode == API_BODY_TO_END)
        close_fd(&c->wire.fd);
    return 0;
}

static enum err_kind kind_of_status(int status)
{
    for (int k = ERR_INTERNAL; k < ERR_KIND_MAX; k++)
        if (err_http_status((enum err_kind)k) == status)
            return (enum err_kind)k;
    return status == 401 ? ERR_DENIED : status == 405 || status == 404 ? ERR_NOT_FOUND : ERR_INTERNAL;
}

static int refusal(int status, const struct str *text, struct err *e, struct problems *details)
{
    struct err got = {0};
    auto_js json *body = text->len ? js_parse(text->p, text->len, NULL) : NULL;
    json *error = js_get(body, "error");
    if (js_type_of(error) == JS_OBJECT)
        js_to_err(error, &got, details);
    else
        err_set(&got, kind_of_status(status), EIO, "zoned answered with status %d", status);
    if (got.kind == ERR_NONE)
        got.kind = ERR_INTERNAL;
    if (e && !err_is(e))
        *e = got;
    return -got.code;
}

/* The whole answer into *a, or its error into e. */
static int take_answer(struct api_client *c, const struct api_head *h, struct api_answer *a, struct err *e,
                       struct problems *details)
{
    struct str text = {0};
    int r = read_body(c, h, &text, e);
    if (r == 0 && h->status >= 400)
        r = refusal(h->status, &text, e, details);
    json *body = NULL;
    if (r == 0 && !strcmp(h->type, "application/json") && text.len && !(body = js_parse(text.p, text.len, e)))
        r = err_prefix(e, "zoned's answer");
    if (r == 0 && a) {
        *a = (struct api_answer){.status = h->status, .body = body, .text_len = body ? 0 : text.len};
        a->text = body ? NULL : str_take(&text);
        body = NULL;
    }
    js_free(body);
    str_done(&text);
    return r;
}

int api_call(struct api_client *c, const char *method, const char *path, json *body, struct api_answer *a,
             struct err *e, struct problems *details)
{
    auto_free char *text = body ? js_dump(body, false) : NULL;
    js_free(body);
    struct request q = {.method = method, .path = path, .text = text, .in_fd = -1};
    struct api_head h;
    int r = exchange(c, &q, &h, e);
    return r < 0 ? r : take_answer(c, &h, a, e, details);
}

int api_transfer(struct api_client *c, const char *method, const char *path, int in_fd, int out_fd,
                 struct err *e, struct problems *details)
{
    struct request q = {.method = method, .path = path, .in_fd = in_fd};
    struct api_head h;
    int r = exchange(c, &q, &h, e);
    if (r < 0 || h.status >= 400 || out_fd < 0)
        return r < 0 ? r : take_answer(c, &h, NULL, e, details);
    struct api_body b;
    const char *piece;
    size_t n;
    api_body_start(&b, &h);
    while ((r = api_body_next(&c->wire, &b, &piece, &n)) > 0) {
        if ((r = fd_write_full(out_fd, piece, n)) < 0) {
            close_fd(&c->wire.fd);
            return err_sysk(e, ERR_INTERNAL, -r, "writing what zoned sent");
        }
    }
    if (r < 0)
        return broken(c, e, r);
    if (h.close || b.mode == API_BODY_TO_END)
        close_fd(&c->wire.fd);
    return 0;
}

/* Hands out the whole lines of s and keeps the rest. */
static int give_lines(struct str *s, bool end, int (*line)(void *arg, const char *text, size_t n), void *arg)
{
    size_t at = 0;
    int r = 0;
    while (at < s->len && !r) {
        char *nl = memchr(s->p + at, '\n', s->len - at);
        if (!nl && !end)
            break;
        size_t n = nl ? (size_t)(nl - (s->p + at)) : s->len - at;
        r = line(arg, s->p + at, n);
        at += n + (nl ? 1 : 0);
    }
    if (at) {
        memmove(s->p, s->p + at, s->len - at);
        s->len -= at;
        s->p[s->len] = '\0';
    }
    return r;
}

int api_follow(struct api_client *c, const char *method, const char *path, json *body,
               int (*line)(void *arg, const char *text, size_t n), void *arg, struct err *e,
               struct problems *details)
{
    auto_free char *sent = body ? js_dump(body, false) : NULL;
    js_free(body);
    struct request q = {.method = method, .path = path, .text = sent, .in_fd = -1};
    struct api_head h;
    int r = exchange(c, &q, &h, e), stop = 0;
    if (r < 0 || h.status >= 400)
        return r < 0 ? r : take_answer(c, &h, NULL, e, details);
    struct api_body b;
    struct str text = {0};
    const char *piece;
    size_t n;
    api_body_start(&b, &h);
    while (!stop && (r = api_body_next(&c->wire, &b, &piece, &n)) > 0) {
        str_addn(&text, piece, n);
        stop = give_lines(&text, text.len > LINE_MAX_BYTES, line, arg);
    }
    if (!stop && r == 0)
        stop = give_lines(&text, true, line, arg);
    str_done(&text);
    if (stop || h.close || b.mode == API_BODY_TO_END)
        close_fd(&c->wire.fd); /* what is left of the answer goes with the connection */
    return r < 0 ? broken(c, e, r) : 0;
}

int api_upgrade(struct api_client *c, const char *path, json *body, int *fd, struct api_answer *a,
                struct err *e, struct problems *details)
{
    auto_free char *text = body ? js_dump(body, false) : NULL;
    js_free(body);
    struct request q = {.method = "POST", .path = path, .text = text, .in_fd = -1, .upgrade = true};
    struct api_head h;
    int r = exchange(c, &q, &h, e);
    if (r < 0)
        return r;
    if (h.status == 101) {
        *fd = take_fd(&c->wire.fd);
        return 0;
    }
    r = take_answer(c, &h, a, e, details);
    if (r == 0)
        *fd = -1;
    return r;
}

char *api_quote(const char *s)
{
    struct str out = {0};
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
                     strchr("-._~", ch);
        if (plain)
            str_addn(&out, s, 1);
        else
            str_addf(&out, "%%%02X", ch);
    }
    return str_take(&out);
}
