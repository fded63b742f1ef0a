/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's files read as data by a job of zone-image, while the zone is held; a running one stands still meanwhile. Its supervisor
 * lets it run again by itself if we die. */
#include "zoned/save.h"
#include "base/str.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include <errno.h>
#include <stdio.h>

struct save_job {
    struct zd *d;
    struct zd_request *r;
    char zone[SPEC_NAME_MAX + 1];
    const char *op;
    char *note; /* told before a good end, or NULL */
    json *args, *result;
    bool paused;
    struct image_job *job;
    struct err e;
};

static void save_free(struct save_job *s)
{
    free(s->note);
    js_free(s->args);
    js_free(s->result);
    free(s);
}

static void let_go(struct save_job *s)
{
    struct zone *z = registry_find(s->d, s->zone);
    if (z)
        op_unhold(z);
}

/* ---- the end ---- */
static void finish(struct save_job *s)
{
    let_go(s);
    if (s->job && s->note && !err_is(&s->e))
        image_note(s->job, s->note);
    if (s->job)
        image_finish(s->job, s->result, &s->e, NULL);
    else
        zd_reply_error(s->r, &s->e, NULL);
    save_free(s);
}

static void on_resumed(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct save_job *s = arg;
    if (err_is(e) && !err_is(&s->e))
        image_note(s->job, "the zone is still paused");
    finish(s);
}

static void resume(struct save_job *s)
{
    struct zone *z = s->paused ? registry_find(s->d, s->zone) : NULL;
    json *m = js_object();
    js_set_str(m, "op", "resume");
    s->paused = false;
    if (!z || z->sup_fd < 0) {
        js_free(m);
        finish(s);
    } else if (sup_request(z, m, NULL, 0, on_resumed, s, NULL) < 0) {
        finish(s);
    }
}

static void on_saved(struct image_job *j, const json *result, const struct err *e, void *arg)
{
    struct save_job *s = arg;
    s->job = j;
    s->result = js_ref((json *)result);
    if (err_is(e))
        s->e = *e;
    resume(s);
}

/* ---- the beginning ---- */
static void run_job(struct save_job *s)
{
    if (image_run(s->d, s->op, take_ptr(&s->args), IMAGE_STREAM, s->r, on_saved, s, &s->e) < 0)
        resume(s);
}

static void on_paused(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct save_job *s = arg;
    s->paused = !err_is(e);
    if (s->paused) {
        run_job(s);
        return;
    }
    s->e = *e;
    s->paused = e->code == ETIMEDOUT; /* it may pause yet: what is sent behind it takes that back */
    if (s->paused)
        resume(s);
    else
        finish(s);
}

static int pause_first(struct save_job *s, struct zone *z, struct err *e)
{
    json *m = js_object();
    js_set_str(m, "op", "pause");
    js_set_bool(m, "while_connected", true);
    return sup_request(z, m, NULL, 0, on_paused, s, e);
}

int save_root_of(struct zd *d, struct zone *z, json **out, struct err *e)
{
    struct stor_root_plan root = {0};
    if (z->plan) {
        *out = stor_root_to_json(&z->plan->root);
        return 0;
    }
    if (!zone_root_ready(d, z)) {
        err_set(e, ERR_CONFLICT, ENOENT, "zone %s has no root yet", z->name);
        return err_hint(e, "start it once");
    }
    int r = zone_root(d, z, &root, e);
    if (r == 0)
        *out = stor_root_to_json(&root);
    stor_root_done(&root);
    return r;
}

int save_zone(struct zd *d, struct zd_request *r, const char *op, json *args, char *note, struct err *e)
{
    struct zone *z;
    json *root = NULL;
    auto_js json *own = args;
    auto_free char *own_note = note;
    int k = zone_to_change(d, r, &z, e);
    if (k == 0 && !z->spec)
        k = err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", z->name);
    if (k == 0 && state_allows(z->state, VERB_COPY, z->name, e) == VERB_REFUSED)
        k = -EBUSY;
    k = k < 0 ? k : save_root_of(d, z, &root, e);
    if (k < 0)
        return k;
    js_set(own, "root", root);
    js_set_str(own, "zone", z->name);
    k = op_hold(z, OP_COPY, false, e);
    if (k < 0)
        return k;
    struct save_job *s = xcalloc(1, sizeof(*s));
    *s = (struct save_job){.d = d, .r = r, .op = op, .args = take_ptr(&own), .note = take_ptr(&own_note)};
    snprintf(s->zone, sizeof(s->zone), "%s", z->name);
    if (z->state != ZONE_RUNNING) {
        run_job(s);
        return 0;
    }
    k = pause_first(s, z, e);
    if (k < 0) {
        op_unhold(z);
        save_free(s);
    }
    return k;
}
