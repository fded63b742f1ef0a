/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of the verbs on one zone's life: they check the request and start an operation; they decide
 * nothing else. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>

static bool has_label(const struct zone *z, const char *want)
{
    auto_js json *labels = zone_labels(z);
    for (void *it = js_iter(labels); it; it = js_next(labels, it)) {
        const char *key = js_iter_key(it);
        size_t n = strlen(key);
        if (!strncmp(want, key, n) &&
            (!want[n] || (want[n] == '=' && !strcmp(want + n + 1, js_str_of(js_iter_value(it), "")))))
            return true;
    }
    return false;
}

int h_list_zones(struct zd *d, struct zd_request *r, struct err *e)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    char *const *labels = zd_query_all(r, "label");
    bool with_spec = zd_query_flag(r, "spec", true); /* a table of a thousand zones needs none */
    json *list = js_array();
    for (unsigned i = 0; i < n; i++) {
        bool keep = true;
        store_fresh(d, all[i]);
        for (unsigned k = 0; labels && labels[k]; k++)
            keep = keep && has_label(all[i], labels[k]);
        if (keep)
            js_add(list, zone_view(r, d, all[i], with_spec));
    }
    zd_reply_json(r, 200, list);
    return 0;
}

int h_get_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k < 0)
        return k;
    json *drift = drift_check(d, z), *o = zone_view(r, d, z, true);
    js_set(o, "drift", drift);
    zd_reply_json(r, 200, o);
    return 0;
}

int h_delete_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    int k = zone_to_change(d, r, &z, e);
    return k < 0 ? k : op_delete(d, z, r, zd_query_flag(r, "force", false), e);
}

static int dry_run(struct zd *d, struct zone *z, struct zd_request *r, struct err *e)
{
    struct plan *p = NULL;
    int k = store_reload(d, z, zd_problems(r), e);
    if (k == 0)
        k = lease_make(d, z, e);
    if (k == 0 && !zone_root_ready(d, z)) {
        err_set(e, ERR_CONFLICT, ENOENT, "the image %s is not unpacked yet", z->spec->image);
        return err_hint(e, "start the zone once");
    }
    if (k == 0)
        k = op_plan(d, z, z->spec, NULL, &p, zd_problems(r), e);
    if (k < 0)
        return k;
    json *o = js_object();
    js_set(o, "plan", plan_describe(p));
    plan_free(p);
    zd_reply_json(r, 200, o);
    return 0;
}

uint64_t given_timeout(const json *body, uint64_t absent)
{
    int64_t given = js_get_int(body, "timeout_ms", -1);
    return given < 0 ? absent : given > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : (uint64_t)given;
}

int h_start_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    int k = zone_to_change(d, r, &z, e);
    if (k < 0)
        return k;
    if (js_get_bool(zd_body_of(r), "dry_run", false))
        return dry_run(d, z, r, e);
    uint64_t patience = given_timeout(zd_body_of(r), UINT64_MAX), id = zd_request_id(r);
    auto_free char *name = xstrdup(z->name);
    k = op_start(d, z, r, NULL, e);
    if (k == 0 && patience != UINT64_MAX)
        op_patience(d, name, id, patience);
    return k;
}

static uint64_t timeout_of(const struct zone *z, const json *body)
{
    return given_timeout(body, zone_has(z) ? zone_has(z)->process.stop_timeout_ms : 10000);
}

int h_stop_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    const json *b = zd_body_of(r);
    int k = registry_get(d, zd_param(r, 0), &z, e);
    return k < 0 ? k : op_stop(d, z, r, timeout_of(z, b), js_get_bool(b, "force", false), OP_STOP, e);
}

int h_restart_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    int k = zone_to_change(d, r, &z, e);
    return k < 0 ? k : op_stop(d, z, r, timeout_of(z, zd_body_of(r)), false, OP_RESTART, e);
}

/* ---- verbs that the supervisor answers ---- */
static void relay_zone(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct zd_request *r = arg;
    if (err_is(e))
        zd_reply_error(r, e, NULL);
    else
        zd_reply_json(r, 200, zone_view(r, z->d, z, true));
}

/* Anybody may freeze a zone, or thaw one that is paused: the kernel says what is "already". */
static bool somebody_else(const struct zone *z, enum zone_verb v)
{
    return z->group &&
           ((v == VERB_RESUME && cg_frozen(z->group)) || (v == VERB_PAUSE && !cg_frozen(z->group)));
}

static void relay_again(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct zd_request *r = arg;
    if (err_is(e)) {
        zd_reply_error(r, e, NULL);
        return;
    }
    json *o = zone_view(r, z->d, z, true), *notes = js_array();
    bool paused = z->state == ZONE_PAUSED;
    auto_free char *note = xasprintf("zone %s was %s by somebody else: it is %s again", z->name,
                                     paused ? "thawed" : "frozen", paused ? "paused" : "thawed");
    js_add(notes, js_string(note));
    js_set(o, "messages", notes);
    zd_reply_json(r, 200, o);
}

static int simple_verb(struct zd *d, struct zd_request *r, enum zone_verb verb, json *message, struct err *e)
{
    struct zone *z;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    enum verb_answer v = k < 0 ? VERB_REFUSED : state_allows(z->state, verb, z->name, e);
    bool again = v == VERB_ALREADY && somebody_else(z, verb);
    if ((v == VERB_OK || again) && verb == VERB_RESUME &&
        z->op == OP_COPY) { /* it is frozen for that, or soon */
        err_set(e, ERR_BUSY, EBUSY, "zone %s: a copy is under way", z->name);
        v = VERB_REFUSED;
        again = false;
    }
    if (v == VERB_OK || again)
        return sup_request(z, message, NULL, 0, again ? relay_again : relay_zone, r, e);
    js_free(message);
    if (v == VERB_REFUSED)
        return k < 0 ? k : -EBUSY;
    json *o = zone_view(r, d, z, true), *notes = js_array();
    auto_free char *note = xasprintf("zone %s is already %s", z->name, state_name(z->state));
    js_add(notes, js_string(note));
    js_set(o, "messages", notes);
    zd_reply_json(r, 200, o);
    return 0;
}

static json *message(const char *op)
{
    json *m = js_object();
    js_set_str(m, "op", op);
    return m;
}

int h_pause_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    return simple_verb(d, r, VERB_PAUSE, message("pause"), e);
}

int h_resume_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    return simple_verb(d, r, VERB_RESUME, message("resume"), e);
}

int h_kill_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    int sig = SIGKILL;
    const char *name = js_get_str(zd_body_of(r), "signal", "KILL");
    if (spec_parse_signal(name, &sig) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "%s is no signal", name);
    json *m = message("signal");
    js_set_int(m, "signal", sig);
    return simple_verb(d, r, VERB_KILL, m, e);
}

int h_clear_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    int k = zone_to_change(d, r, &z, e);
    if (k < 0 || state_allows(z->state, VERB_CLEAR, z->name, e) == VERB_REFUSED)
        return k < 0 ? k : -EBUSY;
    if (z->state == ZONE_FAILED) {
        zone_set_error(z, NULL);
        zone_set_state(z, ZONE_INSTALLED);
        auto_js json *rec = js_object();
        js_set_str(rec, "event", "clear");
        js_set_int(rec, "start_no", (int64_t)z->start_no);
        js_set_int(rec, "exit_status", z->exit_status);
        auto_fd int dir = stor_zone_fd(d->pool, z->name, e);
        if (dir < 0 || sup_history_append(dir, rec, e) < 0)
            return -EIO;
    }
    zd_reply_json(r, 200, zone_view(r, d, z, true));
    return 0;
}

/* ---- rename, clone ---- */
static int new_name(struct zd *d, struct zd_request *r, const char **name, struct err *e)
{
    *name = js_get_str(zd_body_of(r), "new", NULL);
    int k = spec_check_name("zone", *name, e);
    if (k < 0)
        return k;
    if (registry_find(d, *name))
        return err_set(e, ERR_CONFLICT, EEXIST, "zone %s exists already", *name);
    return build_permits(d, NULL, *name, e);
}

/* The text with its `zone:` key naming another zone. */
static int renamed_text(struct zd *d, struct zone *z, const char *name, char **out, struct err *e)
{
    auto_free char *text = NULL, *edit = xasprintf("zone=%s", name), *path = store_path(d, z);
    char *edits[] = {edit, NULL};
    bool lost;
    struct problems ps = {0};
    int k = store_read_text(d, z, &text, e);
    if (k == 0 && (k = spec_edit(text, path, edits, out, &lost, &ps)) < 0)
        k = problems_to_err(&ps, e, path);
    problems_done(&ps);
    return k;
}

/* First the new spec, last the old one's end: whenever a kill comes, the data has a spec of its name. */
static int move_zone(struct zd *d, struct zone *z, const char *name, const char *text, struct err *e)
{
    int k = store_add_text(d, name, text, e);
    if (k < 0)
        return k;
    k = stor_zone_rename(d->pool, z->name, name, e);
    if (k == 0 && (k = store_delete(d, z, e)) < 0)
        (void)stor_zone_rename(d->pool, name, z->name, NULL);
    if (k < 0)
        store_drop_text(d, name);
    return k;
}

int h_rename_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    const char *name;
    auto_free char *text = NULL;
    int k = zone_to_change(d, r, &z, e);
    if (k < 0 || (k = new_name(d, r, &name, e)) < 0)
        return k;
    if (z->op != OP_NONE || state_allows(z->state, VERB_RENAME, z->name, e) == VERB_REFUSED)
        return err_set(e, ERR_BUSY, EBUSY, "zone %s: another operation is under way", z->name);
    if ((k = zone_check_unnamed(d, z, e)) < 0)
        return k;
    k = renamed_text(d, z, name, &text, e);
    if (k == 0)
        k = move_zone(d, z, name, text, e);
    if (k < 0)
        return k;
    json *now = js_object();
    js_set_str(now, "new", name);
    event_publish(d, "renamed", z->name, now);
    (void)registry_rename(d, z, name);
    if ((k = store_reload(d, z, zd_problems(r), e)) < 0)
        return k;
    zd_reply_json(r, 200, zone_view(r, d, z, true));
    return 0;
}

struct clone_job {
    struct zd_request *r;
    char from[SPEC_NAME_MAX + 1], to[SPEC_NAME_MAX + 1];
    char *text;
};

static json *clone_work(struct zd *d, void *arg)
{
    struct clone_job *c = arg;
    struct err e = {0};
    json *o = js_object();
    if (stor_zone_clone(d->pool, c->from, c->to, &e) < 0)
        js_set(o, "error", js_from_err(&e, NULL));
    return o;
}

/* The copy is there: give it a name, an identity and addresses of its own. */
static int clone_adopt(struct zd *d, struct clone_job *c, struct zone **out, struct err *e)
{
    struct problems ps = {0};
    struct zone *z = registry_add(d, c->to);
    z->state = ZONE_CONFIGURED;
    int k = store_write_text(d, z, c->text, e);
    if (k == 0)
        k = store_reload(d, z, &ps, e);
    if (k == 0)
        k = lease_make(d, z, e);
    if (k == 0)
        k = lease_save(d, z, e);
    problems_done(&ps);
    if (k < 0) {
        (void)store_delete(d, z, NULL);
        (void)stor_zone_delete(d->pool, c->to, NULL);
        registry_remove(d, z);
        return k;
    }
    zone_set_state(z, ZONE_INSTALLED);
    event_publish(d, "created", z->name, NULL);
    *out = z;
    return 0;
}

static void clone_done(struct zd *d, json *result, void *arg)
{
    struct clone_job *c = arg;
    struct err e = {0};
    struct zone *z = NULL;
    if (js_get(result, "error"))
        js_to_err(js_get(result, "error"), &e, NULL);
    else
        (void)clone_adopt(d, c, &z, &e);
    if (registry_find(d, c->from))
        op_unhold(registry_find(d, c->from));
    if (z)
        zd_reply_json(c->r, 201, zone_to_json(d, z, true));
    else
        zd_reply_error(c->r, &e, NULL);
    free(c->text);
    free(c);
}

int h_clone_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    const char *name;
    auto_free char *text = NULL;
    auto_js json *spec = NULL;
    int k = zone_to_change(d, r, &z, e);
    if (k < 0 || (k = new_name(d, r, &name, e)) < 0)
        return k;
    if (state_allows(z->state, VERB_CLONE, z->name, e) == VERB_REFUSED)
        return -EBUSY;
    if (!z->spec)
        return err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", z->name);
    for (unsigned i = 0; i < z->spec->network.len; i++)
        if (z->spec->network.at[i].address)
            return err_set(e, ERR_CONFLICT, EADDRINUSE,
                           "zone %s has a fixed address, which its clone cannot share", z->name),
                   err_hint(e, "zonectl set %s 'network[%u].address=' first, or export, edit and create",
                            z->name, i);
    if ((k = renamed_text(d, z, name, &text, e)) < 0 || (k = op_hold(z, OP_COPY, true, e)) < 0)
        return k;
    struct clone_job *c = xcalloc(1, sizeof(*c));
    c->r = r;
    c->text = take_ptr(&text);
    snprintf(c->from, sizeof(c->from), "%s", z->name);
    snprintf(c->to, sizeof(c->to), "%s", name);
    k = worker_run(d, clone_work, c, clone_done, e);
    if (k < 0) {
        op_unhold(z);
        free(c->text);
        free(c);
    }
    return k;
}

int h_wait_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    const char *what = zd_query(r, "for");
    uint64_t timeout = 0;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k < 0)
        return k;
    what = what ? what : "stopped";
    if (strcmp(what, "running") && strcmp(what, "stopped") && strcmp(what, "healthy"))
        return err_set(e, ERR_INVALID, EINVAL, "for=%s is not known (running, stopped, healthy)", what);
    const char *t = zd_query(r, "timeout_ms");
    if (t && parse_u64(t, TIMEOUT_MAX_MS, &timeout) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "timeout_ms=%s is no number of milliseconds", t);
    if (t && !timeout)
        timeout = 1; /* 0 is "look and say", not "for ever" */
    waits_add(d, r, z, what, timeout);
    return 0;
}
