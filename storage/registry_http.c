/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One attempt of one request by libcurl's multi interface: sets it up, takes headers and body in bounded pieces, says how it
 * ended. Decides nothing: redirects, logins and retries are the session's. Nothing is logged, headers never reach a message. */
#include "base/auto.h"
#include "base/mem.h"
#include "storage/registry.h"
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CONNECT_SECONDS 15
#define TEXT_SECONDS 60L     /* for an answer that is kept in memory */
#define SLOWEST 100L         /* bytes a second over stall_seconds; less is a stall */
#define HEADERS_MAX 65536    /* bytes of all header lines of an answer */
#define ERROR_TEXT_MAX 16384 /* of an answer that is no success */

int reg_http_open(struct reg_session *s, struct err *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(s->multi = curl_multi_init()))
        return err_set(e, ERR_INTERNAL, ENOMEM, "libcurl does not start");
    return 0;
}

void reg_http_close(struct reg_session *s)
{
    if (s->multi)
        curl_multi_cleanup(s->multi);
    s->multi = NULL;
}

/* ---- what comes ---- */
static void keep_header(struct reg_request *r, const char *name, const char *value, size_t n)
{
    struct {
        const char *name;
        char **slot;
    } known[] = {{"location", &r->location},
                 {"content-type", &r->content_type},
                 {"docker-content-digest", &r->digest},
                 {"range", &r->range},
                 {"retry-after", &r->retry_after},
                 {"content-range", &r->content_range},
                 {"oci-chunk-min-length", &r->chunk_min}};
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (!strcasecmp(name, known[i].name)) {
            free(*known[i].slot);
            *known[i].slot = xstrndup(value, n);
        }
    if (!strcasecmp(name, "www-authenticate")) {
        auto_free char *text = xstrndup(value, n);
        reg_challenge_add(&r->challenge, text, &r->challenge_error);
    }
}

static size_t on_header(char *p, size_t one, size_t n, void *arg)
{
    struct reg_request *r = arg;
    char name[64];
    const char *colon = memchr(p, ':', n);
    r->header_bytes += n;
    if (r->header_bytes > HEADERS_MAX) {
        err_set(&r->error, ERR_INVALID, EPROTO, "%s: an answer with more than %d bytes of headers", r->what,
                HEADERS_MAX);
        return 0;
    }
    if (!colon || (size_t)(colon - p) >= sizeof(name) || colon == p)
        return n;
    memcpy(name, p, (size_t)(colon - p));
    name[colon - p] = '\0';
    const char *value = colon + 1, *end = p + n;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr(" \t\r\n", end[-1]))
        end--;
    keep_header(r, name, value, (size_t)(end - value));
    return n;
}

/* The first byte of a download: does the answer go on where we are? */
static int begin_ranged(struct reg_request *r)
{
    enum reg_range g = reg_range_check(r->status, r->content_range, r->have, r->total);
    if (g == REG_RANGE_CONTINUE)
        return 0;
    if (g != REG_RANGE_RESTART)
        return err_set(&r->error, ERR_INVALID, EPROTO,
                       "%s: the registry answers with other bytes than it was asked for", r->what);
    r->have = 0;
    return r->on_restart(r, &r->error);
}

static int take_ranged(struct reg_request *r, const char *p, size_t n)
{
    if (!r->begun && begin_ranged(r) < 0)
        return -1;
    r->begun = true;
    if (r->on_data(r, p, n, &r->error) < 0)
        return -1;
    r->have += n;
    if (r->on_moved)
        r->on_moved(r, n);
    return 0;
}

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
    struct reg_request *r = arg;
    long status = 0;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    r->status = (int)status;
    bool good = status >= 200 && status < 300;
    if (good && r->ranged)
        return take_ranged(r, p, n) == 0 ? n : 0;
    size_t max = good ? r->text_max : ERROR_TEXT_MAX;
    if (r->text.len + n <= max) {
        str_addn(&r->text, p, n);
        return n;
    }
    if (!good)
        return 0; /* enough of an error: on_end sees the status */
    err_set(&r->error, ERR_LIMIT, EFBIG, "%s: the registry's answer is larger than %zu bytes", r->what, max);
    return 0;
}

/* ---- what goes ---- */
static size_t on_read(char *p, size_t one, size_t n, void *arg)
{
    struct reg_request *r = arg;
    uint64_t left = r->body_size - r->body_sent;
    size_t want = n * one < left ? n * one : (size_t)left;
    ssize_t got = want ? pread(r->body_fd, p, want, (off_t)(r->body_from + r->body_sent)) : 0;
    if (got < 0 || (want && !got)) {
        err_sys(&r->error, "%s: reading the blob", r->what);
        return CURL_READFUNC_ABORT;
    }
    r->body_sent += (uint64_t)got;
    if (r->on_moved && got)
        r->on_moved(r, (uint64_t)got);
    return (size_t)got;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct reg_request *r = arg;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > r->body_size)
        return CURL_SEEKFUNC_FAIL;
    r->body_sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static void set_body(CURL *c, struct reg_request *r)
{
    r->body_sent = 0;
    if (!strcmp(r->method, "HEAD")) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (r->body_fd >= 0) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_size);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(c, CURLOPT_READDATA, r);
        curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(c, CURLOPT_SEEKDATA, r);
        curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
    } else if (strcmp(r->method, "GET") != 0) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body ? r->body : "");
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
    }
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_headers(struct reg_session *s, CURL *c, struct reg_request *r)
{
    struct curl_slist *l = curl_slist_append(NULL, "Expect:");
    for (char **h = r->headers; h && *h; h++)
        if (!r->foreign || strncasecmp(*h, "authorization:", 14) != 0)
            l = curl_slist_append(l, *h);
    if (!r->foreign && !r->no_auth && !r->is_token && s->auth_header)
        l = curl_slist_append(l, s->auth_header);
    if (r->ranged && r->have) {
        char range[64];
        snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)r->have);
        l = curl_slist_append(l, range);
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, l);
    r->header_list = l;
}

static void set_connection(struct reg_session *s, CURL *c, struct reg_request *r)
{
    curl_easy_setopt(c, CURLOPT_URL, r->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOWEST);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)s->stall_seconds);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "zoned/" ZONED_VERSION);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->why);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L);
    if (!r->ranged && r->body_fd < 0)
        curl_easy_setopt(c, CURLOPT_TIMEOUT, TEXT_SECONDS);
    if (s->ca) {
        struct curl_blob ca = {s->ca, strlen(s->ca), CURL_BLOB_NOCOPY};
        curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca);
    }
}

static void forget_answer(struct reg_request *r)
{
    char **texts[] = {&r->location,    &r->content_type,  &r->digest,   &r->range,
                      &r->retry_after, &r->content_range, &r->chunk_min};
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
    str_done(&r->text);
    reg_challenge_done(&r->challenge);
    err_clear(&r->challenge_error);
    r->status = 0;
    r->header_bytes = 0;
    r->begun = false;
    r->why[0] = '\0';
}

int reg_http_start(struct reg_session *s, struct reg_request *r, struct err *e)
{
    CURL *c = curl_easy_init();
    if (!c)
        return err_set(e, ERR_INTERNAL, ENOMEM, "libcurl gives no handle");
    forget_answer(r);
    r->easy = c;
    set_connection(s, c, r);
    set_body(c, r);
    set_headers(s, c, r);
    curl_easy_setopt(c, CURLOPT_PRIVATE, r);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    if (curl_multi_add_handle(s->multi, c) == CURLM_OK)
        return 0;
    reg_http_stop(s, r);
    return err_set(e, ERR_INTERNAL, EIO, "libcurl takes no more transfers");
}

void reg_http_stop(struct reg_session *s, struct reg_request *r)
{
    if (r->easy) {
        curl_multi_remove_handle(s->multi, r->easy);
        curl_easy_cleanup(r->easy);
    }
    curl_slist_free_all(r->header_list);
    r->easy = r->header_list = NULL;
}

static enum reg_failure failure_of(struct reg_request *r, CURLcode code)
{
    curl_off_t connected = 0;
    curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME_T, &connected);
    switch (code) {
    case CURLE_OK:
        return REG_ANSWERED;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SSL_CONNECT_ERROR:
        return REG_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return connected ? REG_LOST : REG_UNREACHABLE;
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return REG_LOST;
    default:
        return REG_FATAL;
    }
}

/* A body that we refused to take further is an answer if its status is no success. */
static enum reg_failure how_it_ended(struct reg_request *r, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    r->status = (int)status;
    if (code == CURLE_WRITE_ERROR && !err_is(&r->error) && (status < 200 || status >= 300))
        return REG_ANSWERED;
    if (code != CURLE_OK && !r->why[0])
        snprintf(r->why, sizeof(r->why), "%s", curl_easy_strerror(code));
    return failure_of(r, code);
}

int reg_http_turn(struct reg_session *s, int wait_ms,
                  void (*finished)(struct reg_session *, struct reg_request *, enum reg_failure),
                  struct err *e)
{
    int running = 0, left = 0;
    bool any = false;
    if (curl_multi_perform(s->multi, &running) != CURLM_OK)
        return err_set(e, ERR_INTERNAL, EIO, "libcurl fails");
    for (CURLMsg *m = curl_multi_info_read(s->multi, &left); m; m = curl_multi_info_read(s->multi, &left)) {
        struct reg_request *r = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
        enum reg_failure f = how_it_ended(r, m->data.result);
        reg_http_stop(s, r);
        finished(s, r, f);
        any = true;
    }
    if (!any && curl_multi_poll(s->multi, NULL, 0, wait_ms, NULL) != CURLM_OK)
        return err_set(e, ERR_INTERNAL, EIO, "libcurl fails");
    return 0;
}
