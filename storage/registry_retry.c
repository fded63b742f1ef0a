/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an answer means: try again and when, go on at which byte, or which error for a person. Pure. Sources: RFC 9110 (429 in
 * RFC 6585, Retry-After, Content-Range), OCI distribution-spec 1.1 (error codes). */
#define _XOPEN_SOURCE 700
#include "base/auto.h"
#include "base/json.h"
#include "base/mem.h"
#include "storage/registry.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIRST_DELAY 250 /* ms, doubled each time */
#define LONGEST_DELAY 30000
#define LONGEST_ASKED 120 /* seconds that a registry may make us wait */
#define TRIES 5           /* without a byte gained */
#define TRIES_IN_ALL 200  /* a server that gives one byte each time */

/* Seconds, or a date; -1: neither. */
static int64_t asked_seconds(const char *text, int64_t now)
{
    uint64_t seconds;
    struct tm tm = {0};
    if (!text)
        return -1;
    if (parse_u64(text, INT32_MAX, &seconds) == 0)
        return (int64_t)seconds;
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (!end || *end)
        return -1;
    int64_t at = (int64_t)timegm(&tm);
    return at > now ? at - now : 0;
}

static bool status_is_passing(int status)
{
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

int64_t reg_retry_after(const struct reg_outcome *o, int64_t now, unsigned random)
{
    if (o->failure == REG_FATAL || (o->failure == REG_UNREACHABLE && !o->reached_before) ||
        (o->failure == REG_ANSWERED && !status_is_passing(o->status)))
        return -1;
    if (o->attempt + 1 >= TRIES || o->attempts + 1 >= TRIES_IN_ALL)
        return -1;
    int64_t delay = FIRST_DELAY << (o->attempt < 10 ? o->attempt : 10);
    int64_t asked = o->failure == REG_ANSWERED ? asked_seconds(o->retry_after, now) : -1;
    if (asked > LONGEST_ASKED)
        return -1;
    delay = delay > LONGEST_DELAY ? LONGEST_DELAY : delay;
    delay += (int64_t)(random % (unsigned)(delay / 4 + 1)); /* so that many hosts do not come back at once */
    return asked * 1000 > delay ? asked * 1000 : delay;
}

enum reg_range reg_range_check(int status, const char *content_range, uint64_t have, uint64_t total)
{
    unsigned long long first, last, all;
    int end = 0;
    if (status == 416)
        return have == total ? REG_RANGE_DONE : REG_RANGE_RESTART;
    if (status == 200)
        return have ? REG_RANGE_RESTART : REG_RANGE_CONTINUE;
    if (status != 206 || !content_range || strlen(content_range) > 80 || strpbrk(content_range, "+"))
        return REG_RANGE_REFUSED;
    if (sscanf(content_range, "bytes %llu-%llu/%llu%n", &first, &last, &all, &end) == 3 &&
        !content_range[end])
        return first == have && last < all && last >= first && all == total ? REG_RANGE_CONTINUE
                                                                            : REG_RANGE_REFUSED;
    if (sscanf(content_range, "bytes %llu-%llu/*%n", &first, &last, &end) == 2 && end && !content_range[end])
        return first == have && last >= first && last < total ? REG_RANGE_CONTINUE : REG_RANGE_REFUSED;
    return REG_RANGE_REFUSED;
}

int reg_upload_range(const char *range, uint64_t *next)
{
    char *copy_end;
    if (!range) {
        *next = 0;
        return 0;
    }
    range = str_starts(range, "bytes=") ? range + 6 : range;
    if (!str_starts(range, "0-") || !isdigit((unsigned char)range[2]))
        return -EINVAL;
    errno = 0;
    unsigned long long last = strtoull(range + 2, &copy_end, 10);
    if (*copy_end || errno || last > INT64_MAX)
        return -EINVAL;
    *next = last ? last + 1 : 0; /* "0-0" is what an empty upload says; a first byte alone is sent again */
    return 0;
}

/* A registry's words: one line, printable, short. */
static void add_clean(struct str *s, const char *text, size_t max)
{
    for (size_t i = 0; i < max && text[i]; i++) {
        char c = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
        str_addn(s, &c, 1);
    }
}

char *reg_error_text(const char *text, size_t n)
{
    struct str s = {0};
    auto_js json *j = js_parse(text, n, NULL);
    json *first = js_at(js_get(j, "errors"), 0);
    const char *code = js_get_str(first, "code", NULL), *message = js_get_str(first, "message", NULL);
    if (!message)
        message = js_get_str(j, "details", NULL); /* token servers */
    if (!code && !message)
        return NULL;
    if (code)
        add_clean(&s, code, 40);
    if (code && message)
        str_add(&s, ": ");
    if (message)
        add_clean(&s, message, 160);
    return str_take(&s);
}

static const struct {
    int status;
    enum err_kind kind;
    const char *text, *hint;
} meanings[] = {
    {401, ERR_DENIED, "access denied", NULL},
    {403, ERR_DENIED, "access denied", NULL},
    {404, ERR_NOT_FOUND, "not there", NULL},
    {405, ERR_UNSUPPORTED, "the registry does not take that", NULL},
    {413, ERR_LIMIT, "too large for the registry", NULL},
    {416, ERR_INVALID, "the registry refuses the range", NULL},
    {429, ERR_LIMIT, "the registry asks to slow down, again and again",
     "a login raises the limit of many registries"},
};

int reg_status_error(int status, const char *detail, const char *what, bool had_credential, struct err *e)
{
    enum err_kind kind = status >= 500 ? ERR_INTERNAL : ERR_INVALID; /* exit 10 is for zoned alone */
    const char *text = status >= 500 ? "the registry fails" : "an answer that makes no sense", *hint = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(meanings); i++)
        if (meanings[i].status == status) {
            kind = meanings[i].kind;
            text = meanings[i].text;
            hint = meanings[i].hint;
        }
    err_set(e, kind,
            kind == ERR_NOT_FOUND ? ENOENT
            : kind == ERR_DENIED  ? EACCES
                                  : EPROTO,
            "%s: %s (HTTP %d%s%s)", what, text, status, detail ? ", " : "", detail ? detail : "");
    if (status == 401 || status == 403)
        hint = had_credential ? "the registry does not take the stored login, or the image is private; log "
                                "in again (docker login, podman login, skopeo login)"
                              : "the image may be private or its name wrong; log in first (docker login, "
                                "podman login, skopeo login)";
    return hint ? err_hint(e, "%s", hint) : -e->code;
}
