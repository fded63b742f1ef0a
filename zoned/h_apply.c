/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The handler of apply: several specs, each made, changed or healed; all are checked before one is changed (apply_check.c).
 *
 * Then come two rounds, so that running zones can swap what only one can have: first everybody gives up what he does, and who
 * takes nothing is done with that; then the others get what is theirs and new zones are made. In the first round the file of a
 * zone that still has to take keeps its old text, and its plan says what runs: after a kill between the two, apply finds the
 * difference again. When something fails nevertheless, a third round gives such zones back what their files say, and the answer
 * names what was applied. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/apply.h"
#include "zoned/division.h"
#include "zoned/h_spec.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include <errno.h>

static void proceed(struct apply_job *a);

static void failed(struct apply_job *a, const struct zone *z, const struct err *e)
{
    auto_free char *whose = xasprintf("zone %s: ", z->name);
    err_set(&a->e, e->kind, e->code, "%s%s", str_starts(e->text, whose) ? "" : whose, e->text);
    if (e->hint[0])
        err_hint(&a->e, "%s", e->hint);
}

/* ---- one zone ---- */
static void written(struct zone *z, const struct err *e, void *arg)
{
    struct apply_item *it = arg;
    struct apply_job *a = it->job;
    if (err_is(e)) {
        failed(a, z, e);
    } else {
        it->done = true;
        event_publish(z->d, "changed", z->name, NULL);
    }
    a->pending--;
    proceed(a);
}

static int write_text(struct apply_item *it, struct zone *z, struct problems *ps, struct err *e)
{
    struct zd *d = z->d;
    int k = store_write_text(d, z, it->text, e);
    bool put = k == 0;
    if (k == 0)
        k = store_reload(d, z, ps, e);
    if (k == 0 && it->live && zone_is_up(z)) {
        k = zone_update(d, z, z->spec, it->old, ps, written, it, e);
        it->job->pending += k == 0;
    } else if (k == 0) {
        k = change_at_rest(d, z, ps, e);
        it->done = k == 0;
    }
    if (k < 0 && put)
        zone_put_back(d, z, it->old);
    return k;
}

static int make(struct apply_item *it, struct problems *ps, struct err *e)
{
    struct zd *d = it->job->d;
    struct zone *z = NULL;
    int k = op_create(d, it->spec->zone, it->text, false, &z, ps, e);
    if (k < 0)
        return k;
    it->done = true;
    note_all(z, limits_remarks(d, z->spec));
    if (z->messages)
        js_set(it->view, "messages", take_ptr(&z->messages));
    return 0;
}

static void lessened(struct zone *z, const struct err *e, void *arg)
{
    struct apply_item *it = arg;
    struct apply_job *a = it->job;
    if (err_is(e))
        failed(a, z, e);
    if (!err_is(e) || e->code == ETIMEDOUT) /* who has not answered in time may do it yet */
        it->lessened = a->phase == APPLY_GIVE;
    a->pending--;
    proceed(a);
}

/* The zone becomes what `spec` says, and its file stays. */
static int run_by(struct apply_item *it, struct zone *z, const struct spec *spec, struct problems *ps,
                  struct err *e)
{
    struct lease_change leases;
    if (zone_is_up(z)) {
        int k = zone_update(z->d, z, spec, it->old, ps, lessened, it, e);
        it->job->pending += k == 0;
        return k;
    }
    int k = lease_begin(z->d, z, spec, &leases, e); /* at rest it has addresses alone */
    if (k < 0)
        return k;
    lease_commit(z->d, z, &leases);
    it->lessened = it->job->phase == APPLY_GIVE;
    return 0;
}

static int step(struct apply_item *it, struct problems *ps, struct err *e)
{
    enum apply_phase phase = it->job->phase;
    struct zone *z = registry_find(it->job->d, it->spec->zone);
    if (it->old && !z)
        return err_set(e, ERR_NOT_FOUND, ENOENT, "zone %s was deleted meanwhile", it->spec->zone);
    if (!it->old)
        return phase == APPLY_TAKE ? make(it, ps, e) : 0;
    if (it->lessened)
        lease_recall(it->job->d, z, &it->was, phase == APPLY_BACK ? z->spec : it->spec);
    if (phase == APPLY_BACK)
        return it->lessened && z->spec ? run_by(it, z, z->spec, ps, e) : 0;
    if (phase == APPLY_GIVE && drift_heal_around(it->job->d, z, e) < 0)
        return -EIO;
    auto_spec struct spec *less = phase == APPLY_GIVE ? apply_less(it) : NULL;
    if (less)
        return run_by(it, z, less, ps, e);
    return it->same || it->takes != (phase == APPLY_TAKE) ? 0 : write_text(it, z, ps, e);
}

/* ---- all of them ---- */
static void run_round(struct apply_job *a, enum apply_phase phase)
{
    struct problems own = {0};
    a->phase = phase;
    for (unsigned i = 0; i < a->n && (phase == APPLY_BACK || !err_is(&a->e)); i++) {
        struct err e = {0};
        if (!a->at[i].done && step(&a->at[i], phase == APPLY_BACK ? &own : zd_problems(a->r), &e) < 0 &&
            !err_is(&a->e))
            a->e = e;
    }
    problems_done(&own);
}

/* What an apply that failed has left: one line for each zone that is not as it was. */
static void tell_applied(struct apply_job *a, struct problems *ps)
{
    for (unsigned i = 0; i < a->n; i++) {
        const struct apply_item *it = &a->at[i];
        if (it->done)
            problem_add(ps, a->e.kind, it->file, 0, it->spec->zone, "is applied and stays (%s)",
                        js_get_str(it->view, "action", "change"));
        else if (it->lessened)
            problem_add(ps, a->e.kind, it->file, 0, it->spec->zone,
                        "has given up what another was to get, and runs without it");
        else
            continue;
        err_hint(&a->e, "apply again when this is mended");
    }
}

/* Said when all of this apply are there. */
static void remark_on_depends(struct apply_job *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        const struct apply_item *it = &a->at[i];
        auto_js json *absent = it->same ? NULL : depends_remarks(a->d, it->spec);
        if (!js_len(absent))
            continue;
        if (!js_get(it->view, "messages"))
            js_set(it->view, "messages", js_array());
        js_add_all(js_get(it->view, "messages"), absent);
    }
}

static void answer(struct apply_job *a)
{
    struct problems *ps = zd_problems(a->r);
    if (err_is(&a->e)) {
        tell_applied(a, ps);
        zd_reply_error(a->r, &a->e, ps);
        js_free(a->list);
    } else {
        json *o = js_object();
        if (a->phase != APPLY_BACK) /* not dry_run */
            remark_on_depends(a);
        js_set(o, "zones", a->list);
        zd_reply_json(a->r, 200, o);
    }
    apply_items_free(a);
    free(a);
}

static void proceed(struct apply_job *a)
{
    if (!a->pending && a->phase == APPLY_GIVE && !err_is(&a->e))
        run_round(a, APPLY_TAKE);
    if (!a->pending && a->phase != APPLY_BACK && err_is(&a->e))
        run_round(a, APPLY_BACK);
    if (!a->pending)
        answer(a);
}

int h_apply_specs(struct zd *d, struct zd_request *r, struct err *e)
{
    const json *body = zd_body_of(r);
    struct apply_job *a = xcalloc(1, sizeof(*a));
    a->d = d;
    a->r = r;
    int k = apply_read(a, js_get(body, "sources"), zd_problems(r), e);
    if (k < 0) {
        js_free(a->list);
        apply_items_free(a);
        free(a);
        return k;
    }
    a->phase = js_get_bool(body, "dry_run", false) ? APPLY_BACK : APPLY_GIVE;
    if (a->phase == APPLY_GIVE)
        run_round(a, APPLY_GIVE);
    proceed(a);
    return 0;
}
