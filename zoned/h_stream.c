/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers whose connection becomes a stream: run, exec, attach, console. The stream's
 * descriptor goes to the supervisor, so bytes never pass through zoned and a session outlives it. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/api/api.h"
#include "zoned/h_spec.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>
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
    if (op_may_start(d, e) < 0)
        return -ESHUTDOWN;
    if (!detach && !zd_wants_upgrade(r))
        return err_set(e, ERR_USAGE, EPROTO, "run needs a connection that can be upgraded, or detach");
    if (!name) {
        make_up_name(d, made_up);
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
    int k = zone_to_change(d, r, &z, e);
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
    int k = zone_to_change(d, r, &z, e);
    if (k == 0 && state_allows(z->state, VERB_EXEC, z->name, e) != VERB_REFUSED)
        return sup_request(z, m, NULL, 0, detached_answered, r, e);
    js_free(m);
    return k < 0 ? k : -EBUSY;
}

int h_attach_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    const json *body = zd_body_of(r);
    json *m = js_object();
    js_set_str(m, "op", "attach");
    set_if(m, "stdin", body);
    set_if(m, "rows", body);
    set_if(m, "cols", body);
    return stream_verb(d, r, m, e);
}

/* The client differs, by its escape. */
int h_console_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    return h_attach_zone(d, r, e);
}
