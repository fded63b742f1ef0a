/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The handler of apply: several specs, each made, changed or healed; all are checked before one is changed. */
#include "zoned/division.h"
#include "zoned/h_spec.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>

/* The text with what its image adds, so that what apply writes once it finds again. */
static int complete(struct zd *d, const char *file, char **text, struct problems *ps, struct err *e)
{
    auto_js json *notes = js_array();
    return spec_add_image(d, file, false, text, notes, ps, e);
}

static json *apply_new(struct zd *d, const char *name, const char *text, bool dry, struct problems *ps,
                       struct err *e)
{
    json *o = js_object();
    struct zone *z = NULL;
    js_set_str(o, "name", name);
    js_set_str(o, "action", "create");
    if (!dry && op_create(d, name, text, false, &z, ps, e) < 0) {
        js_free(o);
        return NULL;
    }
    if (z)
        note_all(z, limits_remarks(d, z->spec));
    if (z && z->messages) {
        js_set(o, "messages", z->messages);
        z->messages = NULL;
    }
    return o;
}

/* Answers when the last supervisor has. */
struct apply_job {
    struct zd_request *r;
    json *list;
    unsigned pending;
    struct err e;
};

static void apply_end(struct apply_job *a)
{
    if (a->pending)
        return;
    json *o = js_object();
    js_set(o, "zones", a->list);
    if (err_is(&a->e)) {
        zd_reply_error(a->r, &a->e, NULL);
        js_free(o);
    } else {
        zd_reply_json(a->r, 200, o);
    }
    free(a);
}

static void apply_done(struct zone *z, const struct err *e, void *arg)
{
    struct apply_job *a = arg;
    if (err_is(e)) {
        err_set(&a->e, e->kind, e->code, "zone %s: %s", z->name, e->text);
        err_hint(&a->e, "%s", e->hint);
    } else {
        event_publish(z->d, "changed", z->name, NULL);
    }
    a->pending--;
    apply_end(a);
}

static int apply_text(struct zd *d, struct zone *z, const char *text, const char *old, bool live,
                      struct problems *ps, struct apply_job *a, struct err *e)
{
    int k = store_write_text(d, z, text, e);
    bool written = k == 0;
    if (k == 0)
        k = store_reload(d, z, ps, e);
    if (k == 0 && live) {
        k = zone_update(d, z, old, ps, apply_done, a, e);
        a->pending += k == 0;
    } else if (k == 0) {
        k = change_at_rest(d, z, ps, e);
    }
    if (k < 0 && written)
        zone_put_back(d, z, old);
    return k;
}

static json *apply_change(struct zd *d, struct zone *z, const struct spec *s, const char *text, bool dry,
                          struct problems *ps, struct apply_job *a, struct err *e)
{
    spec_changes changes = {0};
    auto_free char *old = NULL;
    json *o = js_object();
    auto_spec struct spec *new = zone_is_up(z) ? zone_effective(d, z, s) : spec_copy(s);
    spec_diff(zone_is_up(z) ? z->plan->spec : z->spec ? z->spec : s, new, &changes);
    js_set_str(o, "name", z->name);
    int k = store_read_text(d, z, &old, e);
    bool same = k == 0 && !strcmp(old, text) && !changes.len,
         live = zone_is_up(z) && changes_any_live(&changes);
    js_set_str(o, "action", same ? "none" : "change");
    js_set(o, "changes", changes_to_json(&changes, zone_is_up(z)));
    auto_js json *drift = k == 0 ? drift_check_around(d, z) : NULL;
    if (js_len(drift)) {
        js_set(o, "drift", js_ref(drift));
        if (same)
            js_set_str(o, "action", "heal");
        if (!dry)
            k = drift_heal_around(d, z, e);
    }
    if (k == 0 && !dry && !same)
        k = apply_text(d, z, text, old, live, ps, a, e);
    spec_changes_done(&changes);
    if (k == 0)
        return o;
    js_free(o);
    return NULL;
}

static int apply_one(struct zd *d, const json *source, bool dry, struct apply_job *a, struct problems *ps,
                     struct err *e)
{
    auto_spec struct spec *s = NULL;
    const char *file = spec_source_file(source);
    auto_free char *text = xstrdup(js_get_str(source, "text", ""));
    if (complete(d, file, &text, ps, e) < 0)
        return -EINVAL;
    if (spec_parse(text, strlen(text), file, &s, ps) < 0)
        return problems_to_err(ps, e, file);
    if (!s->zone) {
        problem_add(ps, ERR_INVALID, file, 0, "zone", "is missing (the zone's name)");
        return problems_to_err(ps, e, file);
    }
    if (build_zone_check(d, s->zone, s, e) < 0 || build_permits(d, NULL, s->zone, e) < 0)
        return -ECANCELED;
    struct zone *z = registry_find(d, s->zone);
    json *o = z ? apply_change(d, z, s, text, dry, ps, a, e) : apply_new(d, s->zone, text, dry, ps, e);
    if (!o)
        return -EINVAL;
    js_add(a->list, o);
    return 0;
}

static int apply_pass(struct zd *d, const json *sources, bool dry, struct apply_job *a, struct problems *ps,
                      struct err *e)
{
    int k = 0;
    js_free(a->list);
    a->list = js_array();
    for (size_t i = 0; i < js_len(sources) && k == 0; i++)
        k = apply_one(d, js_at(sources, i), dry, a, ps, e);
    return k;
}

int h_apply_specs(struct zd *d, struct zd_request *r, struct err *e)
{
    const json *body = zd_body_of(r), *sources = js_get(body, "sources");
    struct apply_job *a = xcalloc(1, sizeof(*a));
    a->r = r;
    int k = apply_pass(d, sources, true, a, zd_problems(r), e); /* all are checked before one is changed */
    if (k == 0 && !js_get_bool(body, "dry_run", false))
        k = apply_pass(d, sources, false, a, zd_problems(r), e);
    if (k < 0 && a->pending) { /* some are on their way: the answer waits for them */
        a->e = *e;
        return 0;
    }
    if (k < 0) {
        js_free(a->list);
        free(a);
        return k;
    }
    apply_end(a);
    return 0;
}
