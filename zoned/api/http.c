/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading HTTP/1.1 answers: heads, and bodies by length, in chunks or to the end of the connection. Every
 * size is bounded before it is believed; a header that contradicts itself is garbage, not a guess. */
#include "zoned/api/http.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static int parse_length(const char *v, size_t n, int64_t *out)
{
    int64_t x = 0;
    if (!n || n > 18)
        return -EPROTO;
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)v[i]))
            return -EPROTO;
        x = x * 10 + (v[i] - '0');
    }
    *out = x;
    return 0;
}

static bool is(const char *v, size_t n, const char *word)
{
    return strlen(word) == n && !strncasecmp(v, word, n);
}

/* Whether a comma-separated list holds the word. */
static bool holds(const char *v, size_t n, const char *word)
{
    while (n) {
        const char *comma = memchr(v, ',', n);
        size_t part = comma ? (size_t)(comma - v) : n, skip = part + (comma ? 1 : 0);
        const char *p = v;
        while (part && (*p == ' ' || *p == '\t'))
            p++, part--;
        while (part && (p[part - 1] == ' ' || p[part - 1] == '\t'))
            part--;
        if (is(p, part, word))
            return true;
        v += skip;
        n -= skip;
    }
    return false;
}

static int head_field(struct api_head *h, const char *name, size_t nn, const char *v, size_t vn)
{
    if (is(name, nn, "content-length")) {
        int64_t x;
        if (parse_length(v, vn, &x) < 0 || (h->length >= 0 && h->length != x))
            return -EPROTO;
        h->length = x;
    } else if (is(name, nn, "transfer-encoding")) {
        if (!is(v, vn, "chunked"))
            return -EPROTO;
        h->chunked = true;
    } else if (is(name, nn, "connection")) {
        h->close |= holds(v, vn, "close");
    } else if (is(name, nn, "upgrade")) {
        h->upgrade = true;
    } else if (is(name, nn, "content-type")) {
        size_t i = 0;
        for (; i < vn && i < sizeof(h->type) - 1 && v[i] != ';' && v[i] != ' '; i++)
            h->type[i] = (char)tolower((unsigned char)v[i]);
        h->type[i] = '\0';
    }
    return 0;
}

static int head_line(struct api_head *h, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    if (!colon || colon == line || colon[-1] == ' ' || line[0] == ' ' || line[0] == '\t')
        return -EPROTO;
    const char *v = colon + 1;
    size_t vn = n - (size_t)(v - line);
    while (vn && (*v == ' ' || *v == '\t'))
        v++, vn--;
    while (vn && (v[vn - 1] == ' ' || v[vn - 1] == '\t'))
        vn--;
    return head_field(h, line, (size_t)(colon - line), v, vn);
}

static int status_line(struct api_head *h, const char *line, size_t n)
{
    if (n < 12 || memcmp(line, "HTTP/1.", 7) || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
        return -EPROTO;
    for (int i = 9; i < 12; i++)
        if (!isdigit((unsigned char)line[i]))
            return -EPROTO;
    if (n > 12 && line[12] != ' ')
        return -EPROTO;
    h->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    h->close = line[7] == '0';
    return h->status >= 100 && h->status < 600 ? 0 : -EPROTO;
}

int api_head_parse(const char *text, size_t n, struct api_head *h)
{
    struct api_head out = {.length = -1};
    bool first = true;
    if (memchr(text, '\0', n))
        return -EPROTO;
    while (n) {
        const char *nl = memchr(text, '\n', n);
        if (!nl || nl == text || nl[-1] != '\r')
            return -EPROTO;
        size_t line = (size_t)(nl - text) - 1, skip = line + 2;
        if (!line)
            break;
        if ((first ? status_line(&out, text, line) : head_line(&out, text, line)) < 0)
            return -EPROTO;
        first = false;
        text += skip;
        n -= skip;
    }
    if (first || (out.chunked && out.length >= 0))
        return -EPROTO;
    *h = out;
    return 0;
}

int api_chunk_parse(const char *line, size_t n, uint64_t *size)
{
    uint64_t x = 0;
    size_t i = 0;
    for (; i < n && isxdigit((unsigned char)line[i]); i++) {
        int c = tolower((unsigned char)line[i]);
        if (x >> 40)
            return -EPROTO;
        x = x << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (!i || (i < n && line[i] != ';' && line[i] != ' ' && line[i] != '\t'))
        return -EPROTO;
    *size = x;
    return 0;
}

/* More bytes behind those in the buffer: their number, 0 at the end of the connection, -errno. */
static ssize_t wire_fill(struct api_wire *w, int flags)
{
    if (w->pos == w->have)
        w->pos = w->have = 0;
    if (w->have == sizeof(w->buf) && w->pos) {
        memmove(w->buf, w->buf + w->pos, w->have - w->pos);
        w->have -= w->pos;
        w->pos = 0;
    }
    if (w->have == sizeof(w->buf))
        return -EPROTO;
    ssize_t r;
    do
        r = recv(w->fd, w->buf + w->have, sizeof(w->buf) - w->have, flags);
    while (r < 0 && errno == EINTR);
    if (r > 0 && !(flags & MSG_PEEK))
        w->have += (size_t)r;
    return r < 0 ? -errno : r;
}

/* Length of the head in the buffer with its empty line, or 0. */
static size_t head_end(const struct api_wire *w, size_t have)
{
    const char *p = memmem(w->buf + w->pos, have - w->pos, "\r\n\r\n", 4);
    return p ? (size_t)(p - (w->buf + w->pos)) + 4 : 0;
}

static int fill_head(struct api_wire *w, bool exact, size_t *len)
{
    while (!(*len = head_end(w, w->have))) {
        bool none = w->have == w->pos;
        ssize_t r = wire_fill(w, exact ? MSG_PEEK : 0);
        if (r <= 0)
            return none && (!r || r == -ECONNRESET) ? -EPIPE : r ? (int)r : -ECONNRESET;
        if (!exact)
            continue;
        /* Peeked: take what belongs to the head and leave the first frames in the socket. */
        size_t end = head_end(w, w->have + (size_t)r), take = end ? w->pos + end - w->have : (size_t)r;
        if (recv(w->fd, w->buf + w->have, take, MSG_WAITALL) != (ssize_t)take)
            return -EIO;
        w->have += take;
    }
    return 0;
}

int api_wire_head(struct api_wire *w, struct api_head *h, bool exact)
{
    for (;;) {
        size_t len;
        int r = fill_head(w, exact, &len);
        if (r == 0)
            r = api_head_parse(w->buf + w->pos, len, h);
        if (r < 0)
            return r;
        w->pos += len;
        if (h->status >= 200 || h->status == 101)
            return 0;
    }
}

void api_body_start(struct api_body *b, const struct api_head *h)
{
    *b = (struct api_body){.mode = API_BODY_TO_END};
    if (h->chunked) {
        b->mode = API_BODY_CHUNKED;
    } else if (h->length >= 0 || h->status == 204 || h->status == 304) {
        b->mode = API_BODY_LENGTH;
        b->left = h->length > 0 && h->status != 204 && h->status != 304 ? (uint64_t)h->length : 0;
    }
}

/* One line without its CRLF; valid until the next fill. */
static int wire_line(struct api_wire *w, const char **line, size_t *n)
{
    for (;;) {
        char *start = w->buf + w->pos, *nl = memchr(start, '\n', w->have - w->pos);
        if (nl) {
            if (nl == start || nl[-1] != '\r')
                return -EPROTO;
            *line = start;
            *n = (size_t)(nl - start) - 1;
            w->pos += *n + 2;
            return 0;
        }
        ssize_t r = wire_fill(w, 0);
        if (r <= 0)
            return r ? (int)r : -ECONNRESET;
    }
}

/* Stands b at the next chunk's data, or at the end behind the trailers. */
static int next_chunk(struct api_wire *w, struct api_body *b)
{
    const char *line;
    size_t n;
    int r;
    if (b->in_chunk && ((r = wire_line(w, &line, &n)) < 0 || n))
        return r < 0 ? r : -EPROTO;
    b->in_chunk = false;
    if ((r = wire_line(w, &line, &n)) < 0 || (r = api_chunk_parse(line, n, &b->left)) < 0)
        return r;
    if (b->left) {
        b->in_chunk = true;
        return 0;
    }
    b->ended = true;
    do
        r = wire_line(w, &line, &n);
    while (r == 0 && n);
    return r;
}

int api_body_next(struct api_wire *w, struct api_body *b, const char **piece, size_t *n)
{
    int r;
    if (b->mode == API_BODY_CHUNKED && !b->left && !b->ended && (r = next_chunk(w, b)) < 0)
        return r;
    if (b->ended || (b->mode != API_BODY_TO_END && !b->left))
        return 0;
    if (w->pos == w->have) {
        ssize_t got = wire_fill(w, 0);
        if (got < 0)
            return (int)got;
        if (!got) {
            b->ended = true;
            return b->mode == API_BODY_TO_END ? 0 : -ECONNRESET;
        }
    }
    *piece = w->buf + w->pos;
    *n = w->have - w->pos;
    if (b->mode != API_BODY_TO_END && *n > b->left)
        *n = (size_t)b->left;
    b->left -= b->mode != API_BODY_TO_END ? *n : 0;
    w->pos += *n;
    return 1;
}
