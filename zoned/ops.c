/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations that change a zone: create, start, stop, restart, delete. One at a time per zone; the same
 * one asked twice is joined, another is refused as busy. Each is a chain of small steps driven by events;
 * nothing here waits.
 *
 *   start: reload spec -> (worker: prepare the image) -> lease, network, plan -> run folder -> fork server ->
 * "running" stop:  ask the supervisor -> "stopped" -> bookkeeping -> installed (or start again, or delete)
 *
 * The undo of everything that a start makes in the kernel is zone-sup's; here only the run folder and our
 * tables. */
#include "zoned/division.h"
#include "zoned/networks.h"
#include "zoned/op.h"
#include "zoned/statistics.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-event.h>

void zone_note(struct zone *z, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!z->messages)
        z->messages = js_array();
    js_add(z->messages, js_string(text));
}

static void answer_one(struct zone *z, struct zd_request *r, const struct err *e, const struct problems *ps)
{
    if (err_is(e)) {
        zd_reply_error(r, e, ps);
        return;
    }
    json *o = zone_view(r, z->d, z, true);
    js_set(o, "messages", z->messages ? js_ref(z->messages) : js_array());
    zd_reply_json(r, 200, o);
}

struct waiters op_take_waiters(struct zone *z)
{
    struct waiters w = z->waiters;
    z->waiters = (struct waiters){0};
    return w;
}

void op_answer(struct zone *z, const struct err *e, const struct problems *ps)
{
    struct waiters w = op_take_waiters(z); /* an answer may lead to the next operation */
    for (unsigned i = 0; i < w.len; i++)
        answer_one(z, w.at[i], e, ps);
    vec_done(&w);
}

void op_end(struct zone *z, const struct err *e, const struct problems *ps)
{
    z->op = OP_NONE;
    z->deadline = sd_event_source_disable_unref(z->deadline);
    parents_look_at_told(z);
    op_answer(z, e, ps);
    js_free(z->messages);
    z->messages = NULL;
}

int op_begin(struct zone *z, enum op_kind kind, struct zd_request *r, struct err *e)
{
    static const char *const names[] = {"none", "start", "stop", "restart", "delete", "create", "copy"};
    bool joins = z->op == kind || (z->op == OP_RESTART && kind == OP_START);
    if (z->op != OP_NONE && !joins) {
        err_set(e, ERR_BUSY, EBUSY, "zone %s: a %s is under way", z->name, names[z->op]);
        return err_hint(e, "try again when it is done: zonectl wait %s", z->name);
    }
    if (r)
        *vec_add(&z->waiters) = r;
    if (z->op != OP_NONE)
        return 1;
    z->op = kind;
    return 0;
}

struct patience {
    struct zd *d;
    char zone[SPEC_NAME_MAX + 1];
    uint64_t request, ms;
};

static int on_patience(sd_event_source *s, uint64_t usec, void *arg)
{
    const struct patience *p = arg;
    struct zone *z = registry_find(p->d, p->zone);
    for (unsigned i = 0; z && i < z->waiters.len; i++) {
        struct zd_request *r = z->waiters.at[i];
        struct err e = {0};
        if (zd_request_id(r) != p->request)
            continue;
        err_set(&e, ERR_BUSY, ETIMEDOUT, "zone %s does not run after %g s (%s); its start goes on", z->name,
                (double)p->ms / 1e3, state_name(z->state));
        err_hint(&e, "zonectl wait %s --for running, or zonectl stop --force %s", z->name, z->name);
        vec_remove(&z->waiters, i);
        zd_reply_error(r, &e, NULL);
        break;
    }
    (void)sd_event_source_set_floating(s, false); /* freed, with p, when this returns */
    return 0;
}

void op_patience(struct zd *d, const char *zone, uint64_t request, uint64_t timeout_ms)
{
    sd_event_source *s = NULL;
    const struct zone *z = registry_find(d, zone);
    bool waits = false;
    for (unsigned i = 0; z && i < z->waiters.len; i++)
        waits |= zd_request_id(z->waiters.at[i]) == request;
    if (!waits) /* answered already */
        return;
    struct patience *p = xcalloc(1, sizeof(*p));
    *p = (struct patience){.d = d, .request = request, .ms = timeout_ms};
    snprintf(p->zone, sizeof(p->zone), "%s", zone);
    if (sd_event_add_time_relative(d->event, &s, CLOCK_MONOTONIC, timeout_ms * 1000, 0, on_patience, p) < 0) {
        free(p);
        return;
    }
    (void)sd_event_source_set_destroy_callback(s, free);
    (void)sd_event_source_set_floating(s, true);
    sd_event_source_unref(s);
}

int op_hold(struct zone *z, enum op_kind kind, bool shared, struct err *e)
{
    int k = shared && z->op == OP_COPY && z->holders ? 0 : op_begin(z, kind, NULL, e);
    if (k > 0)
        k = err_set(e, ERR_BUSY, EBUSY, "zone %s: a copy is under way", z->name);
    if (k == 0)
        z->holders += shared;
    return k;
}

void op_unhold(struct zone *z)
{
    if (z->holders)
        z->holders--;
    if (!z->holders && (z->op == OP_COPY || z->op == OP_CREATE))
        op_end(z, NULL, NULL);
    boot_zone_changed(z->d); /* it may have waited for that */
}

/* The others get back what it had. */
void leave_division(struct zone *z)
{
    bool had = z->plan != NULL;
    firewall_leave(z);
    z->drifted = false;
    cg_close(z->group);
    z->group = NULL;
    sample_drop(z);
    plan_free(z->plan);
    z->plan = NULL;
    if (had)
        division_left(z->d);
}

void release_run_state(struct zone *z)
{
    struct zd *d = z->d;
    sup_detach_zone(z);
    leave_division(z);
    ports_release(d, z);
    aliases_release(d, z);
    ranges_release(d->ranges, z->range);
    z->range = -1;
    z->pid = 0;
    z->missing = 0;
    z->links_told = false;
    z->refresh = NULL;
    z->healthy = -1;
    z->restarts = 0;
    z->pending = false;
}
