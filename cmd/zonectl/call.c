/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests and how failures are told: detail lines, one summary line, one hint, one exit status. */
#include "base/fd.h"
#include "cmd/zonectl/zonectl.h"
#include "specs/specs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool ctl_colours(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && *no) && !str_eq(term, "dumb") && isatty(fd);
}

/* What zoned says may hold what a zone's user wrote: no control character reaches the terminal. */
static void print_clean(FILE *to, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text, to);
}

int ctl_fail(struct ctl *c, const struct err *e, const struct problems *details, const char *what)
{
    fflush(stdout);
    bool colour = ctl_colours(2);
    for (unsigned i = 0; details && i < details->len; i++) {
        char line[1024];
        problem_print(&details->at[i], line, sizeof(line));
        print_clean(stderr, line);
        fputc('\n', stderr);
    }
    fprintf(stderr, "%szonectl:%s %s%s", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "",
            what ? what : "", what ? ": " : "");
    print_clean(stderr, e->text);
    if (e->hint[0]) {
        fputs("\nhint: ", stderr);
        print_clean(stderr, e->hint);
    }
    fputc('\n', stderr);
    fflush(stderr);
    return c->own_failure ? c->own_failure : err_exit_status(e->kind);
}

int ctl_connect(struct ctl *c, struct err *e)
{
    return c->client ? 0 : api_open(c->socket, &c->client, e);
}

int ctl_call(struct ctl *c, const char *method, const char *path, json *body, json **answer, const char *what)
{
    struct err e = {0};
    struct problems details = {0};
    struct api_answer a = {0};
    int status = 0, r = ctl_connect(c, &e);
    if (r < 0)
        js_free(body);
    else
        r = api_call(c->client, method, path, body, &a, &e, &details);
    if (r < 0)
        status = ctl_fail(c, &e, &details, what);
    else if (answer)
        *answer = take_ptr(&a.body);
    api_answer_done(&a);
    problems_done(&details);
    return status;
}

char *ctl_zone_path(const char *name, const char *tail)
{
    auto_free char *q = api_quote(name);
    return xasprintf("/zones/%s%s%s", q, tail && *tail && *tail != '?' ? "/" : "", tail ? tail : "");
}

void ctl_messages(const json *answer)
{
    ctl_messages_of(answer, NULL);
}

void ctl_messages_of(const json *answer, const char *zone)
{
    json *list = js_get(answer, "messages");
    for (size_t i = 0; i < js_len(list); i++) {
        const json *m = js_at(list, i);
        const char *text = js_str_of(m, js_get_str(m, "message", NULL));
        auto_free char *whose = zone ? xasprintf("zone %s", zone) : NULL;
        if (text) { /* what names the zone by itself says it once */
            if (whose && !strstr(text, whose))
                fprintf(stderr, "%s: ", whose);
            print_clean(stderr, text);
            fputc('\n', stderr);
        }
    }
}

static int slurp(int fd, size_t max, struct str *out, struct err *e, const char *name)
{
    static char buf[16384];
    for (;;) {
        ssize_t n = fd_read_full(fd, buf, sizeof(buf));
        if (n < 0) {
            errno = (int)-n;
            return err_sys(e, "%s", name);
        }
        str_addn(out, buf, (size_t)n);
        if (out->len > max)
            return err_set(e, ERR_INVALID, EFBIG, "%s is larger than %zu KiB", name, max >> 10);
        if ((size_t)n < sizeof(buf))
            return 0;
    }
}

json *ctl_source(const char *file, struct err *e)
{
    auto_fd int opened = -1;
    struct str text = {0};
    bool from_stdin = !strcmp(file, "-");
    struct stat st;
    if (!from_stdin && (opened = open(file, O_RDONLY | O_CLOEXEC)) < 0) {
        err_sys(e, "%s", file);
        return NULL;
    }
    if (!from_stdin && fstat(opened, &st) == 0 && S_ISDIR(st.st_mode)) {
        err_set(e, ERR_INVALID, EISDIR, "%s is a folder", file);
        return NULL;
    }
    if (slurp(from_stdin ? 0 : opened, SPEC_TEXT_MAX, &text, e, from_stdin ? "standard input" : file) < 0) {
        str_done(&text);
        return NULL;
    }
    if (text.len && memchr(text.p, '\0', text.len)) {
        err_set(e, ERR_INVALID, EINVAL, "%s holds a NUL byte: it is not a spec", file);
        str_done(&text);
        return NULL;
    }
    json *source = js_object();
    js_set_str(source, "file", from_stdin ? "standard input" : file);
    js_set_str(source, "text", text.p ? text.p : "");
    str_done(&text);
    return source;
}
