/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The error value and the list of problems. Pure: no system call, no logging. */
#define ERR_DEFINED_HERE
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEMS_MAX 100

static const struct {
    const char *name;
    int exit_status, http_status;
} kinds[ERR_KIND_MAX] = {
    [ERR_NONE] = {"none", 0, 200},
    [ERR_INTERNAL] = {"internal", 1, 500},
    [ERR_USAGE] = {"usage", 2, 400},
    [ERR_NOT_FOUND] = {"not_found", 3, 404},
    [ERR_CONFLICT] = {"conflict", 4, 409},
    [ERR_DENIED] = {"denied", 5, 403},
    [ERR_BUSY] = {"busy", 6, 423},
    [ERR_INVALID] = {"invalid", 7, 422},
    [ERR_LIMIT] = {"limit", 8, 429},
    [ERR_UNSUPPORTED] = {"unsupported", 9, 501},
    [ERR_UNREACHABLE] = {"unreachable", 10, 503},
};

static enum err_kind kind_of_errno(int code)
{
    switch (code) {
    case ENOENT:
    case ESRCH:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EPERM:
    case EACCES:
    case EROFS:
        return ERR_DENIED;
    case EBUSY:
    case ETXTBSY:
        return ERR_BUSY;
    case EEXIST:
        return ERR_CONFLICT;
    case EINVAL:
    case ERANGE:
    case ENAMETOOLONG:
    case ELOOP:
        return ERR_INVALID;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case EAGAIN:
        return ERR_LIMIT;
    case ENOSYS:
    case EOPNOTSUPP:
        return ERR_UNSUPPORTED;
    default:
        return ERR_INTERNAL;
    }
}

static int set_text(struct err *e, enum err_kind kind, int code, bool with_strerror, const char *fmt,
                    va_list ap)
{
    if (code <= 0)
        code = EINVAL;
    if (!e || e->code)
        return -code;
    e->code = code;
    e->kind = kind;
    int n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
    if (with_strerror && n >= 0 && (size_t)n < sizeof(e->text))
        snprintf(e->text + n, sizeof(e->text) - (size_t)n, ": %s", strerror(code));
    return -code;
}

int err_set(struct err *e, enum err_kind kind, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = set_text(e, kind, code, false, fmt, ap);
    va_end(ap);
    return r;
}

int err_sys(struct err *e, const char *fmt, ...)
{
    int code = errno;
    va_list ap;
    va_start(ap, fmt);
    int r = set_text(e, kind_of_errno(code), code, true, fmt, ap);
    va_end(ap);
    return r;
}

int err_sysk(struct err *e, enum err_kind kind, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = set_text(e, kind, code, true, fmt, ap);
    va_end(ap);
    return r;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    if (!e || !e->code)
        return -EINVAL;
    char head[200], text[sizeof(e->text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(head, sizeof(head), fmt, ap);
    va_end(ap);
    snprintf(text, sizeof(text), "%s: %.*s", head, (int)(sizeof(text) - strlen(head) - 3), e->text);
    memcpy(e->text, text, sizeof(text));
    return -e->code;
}

int err_hint(struct err *e, const char *fmt, ...)
{
    if (!e)
        return -EINVAL;
    if (!e->hint[0]) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
        va_end(ap);
    }
    return e->code ? -e->code : -EINVAL;
}

void err_clear(struct err *e)
{
    if (e)
        memset(e, 0, sizeof(*e));
}

bool err_is(const struct err *e)
{
    return e && e->code;
}

const char *err_kind_name(enum err_kind kind)
{
    return (unsigned)kind < ERR_KIND_MAX ? kinds[kind].name : "internal";
}

enum err_kind err_kind_from_name(const char *name)
{
    for (int k = 0; name && k < ERR_KIND_MAX; k++)
        if (!strcmp(kinds[k].name, name))
            return (enum err_kind)k;
    return ERR_INTERNAL;
}

int err_exit_status(enum err_kind kind)
{
    return (unsigned)kind < ERR_KIND_MAX ? kinds[kind].exit_status : 1;
}

int err_http_status(enum err_kind kind)
{
    return (unsigned)kind < ERR_KIND_MAX ? kinds[kind].http_status : 500;
}

void problem_add(struct problems *ps, enum err_kind kind, const char *file, int line, const char *key,
                 const char *fmt, ...)
{
    if (!ps || ps->len >= PROBLEMS_MAX)
        return;
    if (ps->len == ps->cap) {
        ps->cap = ps->cap ? ps->cap * 2 : 4;
        ps->at = xrealloc(ps->at, ps->cap, sizeof(*ps->at));
    }
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ps->at[ps->len++] = (struct problem){xstrdup(file), line, xstrdup(key), xstrdup(text), kind, NULL};
}

void problem_hint(struct problems *ps, const char *fmt, ...)
{
    char text[320];
    if (!ps || !ps->len || ps->at[ps->len - 1].hint)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ps->at[ps->len - 1].hint = xstrdup(text);
}

void problems_done(struct problems *ps)
{
    for (unsigned i = 0; i < ps->len; i++) {
        free(ps->at[i].file);
        free(ps->at[i].key);
        free(ps->at[i].message);
        free(ps->at[i].hint);
    }
    free(ps->at);
    memset(ps, 0, sizeof(*ps));
}

void problem_print(const struct problem *p, char *buf, unsigned size)
{
    char line[16] = "";
    if (p->line > 0)
        snprintf(line, sizeof(line), ":%d", p->line);
    snprintf(buf, size, "%s%s%s%s%s%s", p->file ? p->file : "", line, p->file || p->line > 0 ? ": " : "",
             p->key ? p->key : "", p->key ? ": " : "", p->message ? p->message : "");
}

int problems_to_err(const struct problems *ps, struct err *e, const char *what)
{
    if (!ps->len)
        return err_set(e, ERR_INVALID, EINVAL, "%s is refused", what ? what : "the request");
    const struct problem *first = &ps->at[0];
    if (first->file && !strcmp(first->file, PROBLEM_SET))
        what = NULL;
    bool ours = e && !err_is(e); /* else the first error stays, without our remedy */
    int r;
    if (ps->len == 1)
        r = err_set(e, first->kind, EINVAL, "%s%s%s%s%s", what ? what : "", what ? ": " : "",
                    first->key ? first->key : "", first->key ? ": " : "", first->message);
    else
        r = err_set(e, first->kind, EINVAL, "%s%s%u problems", what ? what : "", what ? ": " : "", ps->len);
    for (unsigned i = 0; ours && i < ps->len; i++)
        if (ps->at[i].hint)
            (void)err_hint(e, "%s", ps->at[i].hint);
    return r;
}

int problems_to_line(const struct problems *ps, struct err *e)
{
    char first[800];
    if (!ps->len)
        return problems_to_err(ps, e, NULL);
    problem_print(&ps->at[0], first, sizeof(first));
    if (ps->len == 1)
        return err_set(e, ps->at[0].kind, EINVAL, "%s", first);
    return err_set(e, ps->at[0].kind, EINVAL, "%s (and %u more)", first, ps->len - 1);
}
