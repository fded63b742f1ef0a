/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers whose connection becomes a stream: run, exec, attach, console, logs. The stream's
 * descriptor goes to the supervisor, so bytes never pass through zoned and a session outlives it. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/api/api.h"
#include "zoned/h_spec.h"
#include "zoned/handlers.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

static void set_if(json *m, const char *key, const json *body)
{
    json *v = js_get(body, key);
    if (v)
        js_set(m, key, js_ref(v));
}

/* ---- run ---- */
int h_run_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    const json *body = zd_body_of(r);
    char made_up[SPEC_NAME_MAX + 1];
    const char *name = js_get_str(body, "name", NULL);
    bool detach = js_get_bool(body, "detach", false), rm = js_get_bool(body, "rm", false);
    struct zone *z = NULL;
    if (!detach && !zd_wants_upgrade(r))
        return err_set(e, ERR_USAGE, EPROTO, "run needs a connection that can be upgraded, or detach");
    if (!name) {
        make_up_name(d, js_get_str(body, "image", NULL), made_up);
        name = made_up;
    }
    int k = create_from_request(d, r, name, rm, &z, e);
    if (k < 0)
        return k;
    z->remove = rm;
    if (detach)
        return op_start(d, z, r, NULL, e);
    struct session_start *s = xcalloc(1, sizeof(*s));
    *s = (struct session_start){.request = r,
                                .fd = -1,
                                .tty = js_get_bool(body, "tty", false),
                                .wants_stdin = js_get_bool(body, "stdin", false),
                                .rows = (int)js_get_int(body, "rows", 24),
                                .cols = (int)js_get_int(body, "cols", 80)};
    return op_start(d, z, NULL, s, e);
}

/* ---- exec, attach, console ---- */
struct stream_job {
    struct zd *d;
    struct zd_request *r;
    char zone[SPEC_NAME_MAX + 1];
    json *message;
};

static void end_stream(int fd, const struct err *e)
{
    auto_js json *o = js_object();
    js_set_int(o, "exit_status", 125);
    js_set(o, "error", js_from_err(e, NULL));
    auto_free char *text = js_dump(o, false);
    (void)api_frame_send(fd, API_EXIT, text, (uint32_t)strlen(text));
}

/* The supervisor refused: it has closed its copy, ours carries the reason. */
static void stream_answered(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    int fd = (int)(intptr_t)arg;
    if (err_is(e))
        end_stream(fd, e);
    close(fd);
}

static void stream_upgraded(void *arg, int fd)
{
    struct stream_job *j = arg;
    struct zone *z = registry_find(j->d, j->zone);
    struct err e = {0};
    if (fd >= 0 && !z)
        err_set(&e, ERR_NOT_FOUND, ENOENT, "zone %s does not exist any more", j->zone);
    else if (fd >= 0)
        (void)sup_request(z, js_ref(j->message), &fd, 1, stream_answered, (void *)(intptr_t)fd, &e);
    if (fd >= 0 && err_is(&e)) {
        end_stream(fd, &e);
        close(fd);
    }
    js_free(j->message);
    free(j);
}

static int stream_verb(struct zd *d, struct zd_request *r, json *message, struct err *e)
{
    struct zone *z;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k == 0 && state_allows(z->state, VERB_EXEC, z->name, e) == VERB_REFUSED)
        k = -EBUSY;
    if (k == 0 && !zd_wants_upgrade(r))
        k = err_set(e, ERR_USAGE, EPROTO, "this needs \"Connection: Upgrade\" and \"Upgrade: %s\"",
                    API_UPGRADE);
    if (k < 0) {
        js_free(message);
        return k;
    }
    struct stream_job *j = xcalloc(1, sizeof(*j));
    *j = (struct stream_job){.d = d, .r = r, .message = message};
    memcpy(j->zone, z->name, sizeof(j->zone));
    zd_reply_upgrade(r, stream_upgraded, j);
    return 0;
}

static void detached_answered(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct zd_request *r = arg;
    if (err_is(e)) {
        zd_reply_error(r, e, NULL);
        return;
    }
    json *o = js_object();
    js_set_int(o, "pid", js_get_int(reply, "pid", 0));
    zd_reply_json(r, 200, o);
}

int h_exec_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    static const char *const keys[] = {"args", "env",  "user", "cwd",   "login",
                                       "tty",  "rows", "cols", "stdin", "detach"};
    const json *body = zd_body_of(r);
    if (!js_len(js_get(body, "args")) && !js_get_bool(body, "login", false))
        return err_set(e, ERR_INVALID, EINVAL, "args: is missing (the program and its arguments)");
    json *m = js_object();
    js_set_str(m, "op", "exec");
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
        set_if(m, keys[i], body);
    if (!js_get_bool(body, "detach", false))
        return stream_verb(d, r, m, e);
    struct zone *z;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k == 0 && state_allows(z->state, VERB_EXEC, z->name, e) != VERB_REFUSED)
        return sup_request(z, m, NULL, 0, detached_answered, r, e);
    js_free(m);
    return k < 0 ? k : -EBUSY;
}

static int attach(struct zd *d, struct zd_request *r, bool console, struct err *e)
{
    const json *body = zd_body_of(r);
    json *m = js_object();
    js_set_str(m, "op", "attach");
    js_set_bool(m, "console", console);
    set_if(m, "stdin", body);
    set_if(m, "rows", body);
    set_if(m, "cols", body);
    return stream_verb(d, r, m, e);
}

int h_attach_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    return attach(d, r, false, e);
}

int h_console_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    return attach(d, r, true, e);
}

/* ---- logs ---- */
struct log_follow {
    struct zd_stream *stream;
    struct sup_log_cursor cursor;
    sd_event_source *io;
    int dir, inotify;
    bool timestamps;
    struct str text;
};

static void add_line(void *arg, const char *stream, const char *time, const char *line, size_t n,
                     bool partial)
{
    struct log_follow *f = arg;
    if (f->timestamps)
        str_addf(&f->text, "%s ", time);
    str_addn(&f->text, line, n);
    if (!partial)
        str_add(&f->text, "\n");
}

static void log_closed(void *arg)
{
    struct log_follow *f = arg;
    sd_event_source_disable_unref(f->io);
    close_fd(&f->dir);
    close_fd(&f->inotify);
    str_done(&f->text);
    free(f);
}

static int on_log_grew(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    struct log_follow *f = arg;
    char drain[4096];
    while (read(fd, drain, sizeof(drain)) > 0)
        ;
    (void)sup_log_read(f->dir, -1, 0, &f->cursor, add_line, f, NULL);
    if (f->text.len)
        zd_stream_write(f->stream, f->text.p, f->text.len);
    f->text.len = 0;
    return 0;
}

static int follow_log(struct zd *d, struct zd_request *r, struct log_follow *f, struct err *e)
{
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", f->dir);
    f->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (f->inotify < 0 || inotify_add_watch(f->inotify, self, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0 ||
        sd_event_add_io(d->event, &f->io, f->inotify, EPOLLIN, on_log_grew, f) < 0)
        return err_sys(e, "watching the log");
    f->stream = zd_reply_stream(r, "text/plain; charset=utf-8", log_closed, f);
    zd_stream_begin(f->stream, f->text.p ? f->text.p : "", f->text.len);
    str_done(&f->text);
    (void)on_log_grew(f->io, f->inotify, 0, f); /* what came between the first look and the watch */
    return 0;
}

int h_zone_logs(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    uint64_t tail = UINT64_MAX, since = 0;
    const char *t = zd_query(r, "tail"), *s = zd_query(r, "since");
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k < 0)
        return k;
    if (t && parse_u64(t, 1000000000, &tail) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "tail=%s is no number of lines", t);
    if (s && parse_u64(s, UINT64_MAX / 2, &since) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "since=%s is no time in microseconds", s);
    auto_fd int zone = stor_zone_fd(d->pool, z->name, e);
    if (zone < 0)
        return zone;
    struct log_follow *f = xcalloc(1, sizeof(*f));
    f->inotify = -1;
    f->timestamps = str_eq(zd_query(r, "timestamps"), "1");
    f->dir = openat(zone, ZONE_LOG_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    k = f->dir < 0 ? 0
                   : sup_log_read(f->dir, tail == UINT64_MAX ? -1 : (int64_t)tail, since, &f->cursor,
                                  add_line, f, e);
    bool follow = k == 0 && f->dir >= 0 && str_eq(zd_query(r, "follow"), "1");
    if (follow && (k = follow_log(d, r, f, e)) == 0)
        return 0;
    if (k == 0)
        zd_reply_text(r, 200, "text/plain; charset=utf-8", str_take(&f->text));
    log_closed(f);
    return k;
}
