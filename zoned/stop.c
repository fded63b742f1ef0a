/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a zone: asked for, come by itself, or untold because its supervisor died. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/op.h"
#include <errno.h>
#include <systemd/sd-event.h>

#define STOP_GRACE_MS 20000 /* for the undo, beyond the zone's own time to stop */

static int on_stop_deadline(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zone *z = arg;
    struct err e = {0};
    err_set(&e, ERR_BUSY, ETIMEDOUT, "zone %s does not come down", z->name);
    err_hint(&e, "zonectl holders %s names what blocks it", z->name);
    op_end(z, &e, NULL);
    return 0;
}

int ask_to_stop(struct zone *z, uint64_t timeout_ms, bool force, struct err *e)
{
    json *m = js_object();
    js_set_str(m, "op", "stop");
    js_set_int(m, "timeout_ms", (int64_t)timeout_ms);
    js_set_bool(m, "force", force);
    int r = sup_request(z, m, NULL, 0, NULL, NULL, e);
    if (r < 0)
        return r;
    if (z->state != ZONE_READY)
        zone_set_state(z, ZONE_SHUTTING_DOWN);
    z->deadline = sd_event_source_disable_unref(z->deadline);
    (void)sd_event_add_time_relative(z->d->event, &z->deadline, CLOCK_MONOTONIC,
                                     (timeout_ms + STOP_GRACE_MS) * 1000, 0, on_stop_deadline, z);
    return 0;
}

int op_stop(struct zd *d, struct zone *z, struct zd_request *r, uint64_t timeout_ms, bool force,
            enum op_kind kind, struct err *e)
{
    if (kind == OP_RESTART && op_may_start(d, e) < 0)
        return -ESHUTDOWN;
    enum verb_answer v = state_allows(z->state, kind == OP_RESTART ? VERB_RESTART : VERB_STOP, z->name, e);
    if (v == VERB_REFUSED)
        return -EBUSY;
    if (kind == OP_STOP && v == VERB_OK && !force && !d->shutting_down &&
        sharers_refuse(d, z, ", or --force: then they have none until it starts again", e) < 0)
        return -EBUSY;
    if (kind == OP_STOP && z->op == OP_START && force) { /* halt cuts a start short */
        if (ask_to_stop(z, 0, true, e) < 0)
            return -EBUSY;
        if (r) /* NULL: a shutdown that waits no longer */
            zd_reply_json(r, 202, zone_to_json(d, z, false));
        return 0;
    }
    bool up = zone_is_up(z);
    int k = kind == OP_RESTART && up && z->op == OP_NONE ? restart_check(d, z, r, e) : 0;
    k = k < 0 ? k : op_begin(z, kind, r, e);
    if (k < 0)
        return k;
    if (k > 0)
        return force ? ask_to_stop(z, 0, true, NULL), 0 : 0;
    if (v == VERB_ALREADY) {
        zone_note(z, "zone %s is already down (%s)", z->name, state_name(z->state));
        op_end(z, NULL, NULL);
        return 0;
    }
    if (kind == OP_RESTART && !up) {
        struct zd_request *request = z->waiters.at[0];
        z->waiters.len = 0;
        z->op = OP_NONE;
        return op_start(d, z, request, NULL, e);
    }
    z->operator_stop = kind != OP_RESTART;
    k = ask_to_stop(z, timeout_ms, force, e);
    if (k < 0) {
        struct err copy = *e;
        op_end(z, &copy, NULL);
    }
    return 0;
}

static void record_operator_stop(struct zone *z)
{
    if (!z->operator_stop || z->ephemeral)
        return;
    auto_fd int dir = stor_zone_fd(z->d->pool, z->name, NULL);
    json *last = NULL;
    if (dir >= 0 && sup_history_last(dir, &last) == 0 && last) {
        js_set_bool(last, "operator", true);
        (void)sup_history_append(dir, last, NULL);
    }
    js_free(last);
}

static void say_bye(struct zone *z)
{
    json *m = js_object();
    js_set_str(m, "op", "bye");
    (void)sup_request(z, m, NULL, 0, NULL, NULL, NULL);
}

/* What a teardown could not take away, and who holds it. */
static void tell_leftover(struct zone *z, const json *leftover, struct err *e)
{
    for (size_t i = 0; i < js_len(leftover); i++) {
        const json *o = js_at(leftover, i);
        const char *step = js_get_str(o, "step", "?"), *why = js_get_str(o, "message", "?");
        log_error("zone %s: teardown of %s: %s", z->name, step, why);
        zone_note(z, "teardown of %s was not complete: %s", step, why);
        err_set(e, ERR_BUSY, EBUSY, "teardown of %s was not complete: %s", step, why);
    }
}

/* A one-off zone: nothing of it stays, and who waits is told first. */
static void gone_with_its_end(struct zone *z, const struct err *failure)
{
    struct zd *d = z->d;
    z->op = OP_NONE;
    discard_folders(z);
    mounts_drop_own(d, z);
    say_bye(z);
    op_answer(z, failure, NULL);
    zone_set_state(z, ZONE_INSTALLED);
    leave_division(z);
    event_publish(d, "deleted", z->name, NULL);
    registry_remove(d, z);
}

/* The zone left the kernel: our tables follow, then the supervisor may go, then whoever waits is told. */
void op_stopped(struct zone *z, const json *event)
{
    struct zd *d = z->d; /* the zone may be gone at the end */
    struct err e = {0}, left = {0};
    bool failed = js_get(event, "error") != NULL;
    if (failed)
        js_to_err(js_get(event, "error"), &e, NULL);
    tell_leftover(z, js_get(event, "leftover"), &left);
    log_debug("zone %s stopped%s%s", z->name, failed ? ": " : "", e.text);
    enum op_kind op = z->op;
    bool remove = z->remove && z->ephemeral && op != OP_RESTART;
    record_operator_stop(z);
    names_withdraw(z);
    dhcp_withdraw(z);
    if (z->state != ZONE_DOWN)
        zone_set_state(z, ZONE_DOWN);
    sharers_lose(z);
    if (remove) {
        gone_with_its_end(z, failed ? &e : NULL);
        boot_shutdown_step(d);
        return;
    }
    if (!z->ephemeral)
        remove_run_dir(z);
    else
        drop_lock(z);
    say_bye(z);
    release_run_state(z);
    zone_set_error(z, failed ? e.text : err_is(&left) ? left.text : NULL);
    zone_set_state(z, failed && op != OP_STOP && op != OP_DELETE ? ZONE_FAILED : ZONE_INSTALLED);
    if (op == OP_DELETE) {
        z->op = OP_NONE;
        (void)op_delete(z->d, z, NULL, false, &e);
    } else if (op == OP_RESTART) {
        z->op = OP_START;
        struct problems ps = {0};
        struct err se = {0};
        if (op_may_start(z->d, &se) < 0 || store_reload(z->d, z, &ps, &se) < 0 ||
            begin_start(z->d, z, &se) < 0)
            start_failed(z, &se, &ps);
        problems_done(&ps);
    } else {
        op_end(z, failed && op == OP_START ? &e : NULL, NULL);
    }
    boot_shutdown_step(d);
}

static void stopped_untold(struct zone *z)
{
    auto_fd int dir = stor_zone_fd(z->d->pool, z->name, NULL);
    json *last auto_of(js_free) = NULL;
    if (dir >= 0)
        (void)sup_history_last(dir, &last);
    z->exit_status = (int)js_get_int(last, "exit_status", z->exit_status);
    z->oom = js_get_bool(last, "oom", z->oom);
    auto_js json *event = js_object();
    if (js_get_bool(last, "failed", false)) {
        struct err e = {0};
        err_set(&e, ERR_INTERNAL, ECANCELED, "%s", js_get_str(last, "error", "the start failed"));
        js_set(event, "error", js_from_err(&e, NULL));
    }
    op_stopped(z, event);
}

static void ended_by_force(struct zone *z, const struct err *e)
{
    auto_js json *event = js_object();
    js_set(event, "error", js_from_err(e, NULL));
    log_error("%s", e->text);
    op_stopped(z, event);
}

/* The supervisor died without "stopped": another one takes over, or undoes. */
void op_lost(struct zone *z)
{
    struct err e = {0};
    log_warning("zone %s: its supervisor went away", z->name);
    close_fd(&z->lock_fd);
    int r = adopt_reclaim(z, &e);
    if (r == -ENOENT) /* it had undone all and taken its plan away, but not told us */
        stopped_untold(z);
    else if (r == -EOWNERDEAD)
        ended_by_force(z, &e);
    else if (r < 0)
        log_error("zone %s: %s", z->name, e.text);
}
