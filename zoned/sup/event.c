/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What zoned is told: the status object, events, replies. zoned may be away or slow: a message that cannot go
 * at once is dropped with the connection, and a new zoned asks for the status. Must never block. */
#include "zoned/sup/rt.h"

static const char *const state_names[] = {"starting",   "running",  "paused",
                                          "restarting", "stopping", "stopped"};

json *sup_status(const struct sup *s)
{
    json *o = js_object();
    js_set_int(o, "protocol", SUP_PROTOCOL);
    js_set_str(o, "zone", s->zone);
    js_set_str(o, "state", state_names[s->state]);
    if (s->rt.pid > 0)
        js_set_int(o, "pid", s->rt.pid);
    else
        js_set(o, "pid", js_null());
    js_set_int(o, "start_no", s->plan ? (int64_t)s->plan->start_no : 0);
    js_set_int(o, "started_us", (int64_t)s->started_us);
    if (s->exit_status >= 0)
        js_set_int(o, "exit_status", s->exit_status);
    else
        js_set(o, "exit_status", js_null());
    js_set_bool(o, "oom", s->oom);
    if (s->health.value >= 0)
        js_set_bool(o, "healthy", s->health.value > 0);
    else
        js_set(o, "healthy", js_null());
    js_set_int(o, "restarts", (int64_t)s->restarts);
    js_set_str(o, "step", plan_step_name(s->step));
    return o;
}

static void deliver(struct sup *s, const json *m, const int *fds, unsigned nfds)
{
    if (s->conn >= 0 && sup_send(s->conn, m, fds, nfds, NULL) < 0)
        close_fd(&s->conn);
}

static void merge(json *into, json *extra)
{
    for (void *it = extra ? js_iter(extra) : NULL; it; it = js_next(extra, it))
        js_set(into, js_iter_key(it), js_ref(js_iter_value(it)));
    js_free(extra);
}

void sup_event(struct sup *s, const char *event, json *extra, const int *fds, unsigned nfds)
{
    if (s->conn < 0) {
        js_free(extra);
        return;
    }
    auto_js json *m = sup_status(s);
    js_set_str(m, "event", event);
    merge(m, extra);
    deliver(s, m, fds, nfds);
}

void sup_reply(struct sup *s, int64_t id, json *extra, const struct err *e, const int *fds, unsigned nfds)
{
    auto_js json *m = js_object();
    js_set_int(m, "id", id);
    if (e && e->code)
        js_set(m, "error", js_from_err(e, NULL));
    else
        js_set_bool(m, "ok", true);
    merge(m, extra);
    deliver(s, m, fds, nfds);
}
