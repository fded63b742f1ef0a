/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's root: made once, at create or at the latest before the first start, and kept with the zone from then on.
 * Unpacking is a worker's. */
#include "base/mem.h"
#include "base/str.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>

int zone_root(struct zd *d, const struct zone *z, struct stor_root_plan *out, struct err *e)
{
    struct stor_root_plan root = {0};
    closed_folders_refresh(d, z->spec); /* whoever asks for a root opens it and its binds */
    if (stor_zone_root_load(d->pool, z->name, z->spec->image, out))
        return 0;
    int r = stor_image_prepare(d->pool, z->spec->image, NULL, -1, &root, e);
    if (r == 0) /* a one-off zone's too: a prune asks what is in use */
        r = stor_zone_root_save(d->pool, z->name, &root, !z->ephemeral, e);
    if (r < 0)
        stor_root_done(&root);
    else
        *out = root;
    return r;
}

int zone_root_check(struct zd *d, const struct zone *z, struct err *e)
{
    return stor_zone_root_load(d->pool, z->name, z->spec->image, NULL)
               ? 0
               : stor_image_check(d->pool, z->spec->image, e);
}

struct spec *zone_effective(struct zd *d, const struct zone *z, const struct spec *s)
{
    struct spec *full = spec_copy(s);
    struct stor_root_plan root = {0};
    struct problems ps = {0};
    char **env = NULL;
    if (z->plan && str_eq(z->plan->root.image, s->image))
        root.config = js_ref(z->plan->root.config);
    else
        (void)stor_zone_root_load(d->pool, z->name, s->image, &root);
    spec_apply_image(full, root.config, &env, &ps);
    strv_free(env);
    problems_done(&ps);
    stor_root_done(&root);
    return full;
}

void zone_judge(struct zone *z)
{
    auto_spec struct spec *will = z->plan && z->spec ? zone_effective(z->d, z, z->spec) : NULL;
    spec_changes changes = {0};
    if (will)
        spec_diff(z->plan->spec, will, &changes);
    z->pending = changes.len;
    spec_changes_done(&changes);
}

bool zone_root_ready(struct zd *d, const struct zone *z)
{
    return (stor_zone_root_load(d->pool, z->name, z->spec->image, NULL) ||
            stor_image_ready(d->pool, z->spec->image)) &&
           !mounts_want_fill(d, z->spec);
}

/* ---- in a worker ---- */
struct root_job {
    char zone[SPEC_NAME_MAX + 1];
    void (*done)(struct zone *z, const struct err *e, void *arg);
    void *arg;
};

static json *root_work(struct zd *d, void *arg)
{
    struct root_job *j = arg;
    struct err e = {0};
    struct stor_root_plan root = {0};
    json *o = js_object();
    const struct zone *z = registry_find(d, j->zone); /* the fork's copy */
    if (zone_root(d, z, &root, &e) < 0 || mounts_fill(d, z->spec, &root, &e) < 0)
        js_set(o, "error", js_from_err(&e, NULL));
    return o;
}

static void root_done(struct zd *d, json *result, void *arg)
{
    struct root_job *j = arg;
    struct err e = {0};
    if (js_get(result, "error"))
        js_to_err(js_get(result, "error"), &e, NULL);
    struct zone *z = registry_find(d, j->zone);
    if (z)
        j->done(z, &e, j->arg);
    free(j);
}

int zone_root_prepare(struct zone *z, void (*done)(struct zone *z, const struct err *e, void *arg), void *arg,
                      struct err *e)
{
    struct root_job *j = xcalloc(1, sizeof(*j));
    *j = (struct root_job){.done = done, .arg = arg};
    snprintf(j->zone, sizeof(j->zone), "%s", z->name);
    int r = worker_run(z->d, root_work, j, root_done, e);
    if (r < 0)
        free(j);
    return r;
}

/* ---- the last part of a create ---- */
static void answer_created(struct zone *z, struct zd_request *r)
{
    struct stor_root_plan root = {0};
    free(take_ptr(&z->new_volumes));
    if (stor_zone_root_load(z->d->pool, z->name, z->spec->image, &root))
        zone_know_image(z, root.config);
    stor_root_done(&root);
    json *o = zone_to_json(z->d, z, true);
    js_set(o, "messages", z->messages ? js_ref(z->messages) : js_array());
    js_free(z->messages);
    z->messages = NULL;
    zd_reply_json(r, 201, o);
}

void install_undo(struct zd *d, struct zone *z)
{
    mounts_drop_volumes(d, z->spec, z->new_volumes);
    (void)op_delete(d, z, NULL, false, NULL);
}

static void installed(struct zone *z, const struct err *e, void *arg)
{
    struct zd *d = z->d;
    struct zd_request *r = arg;
    if (!err_is(e)) {
        zone_set_state(z, ZONE_INSTALLED);
        answer_created(z, r);
        op_unhold(z);
        return;
    }
    op_unhold(z);
    install_undo(d, z);
    zd_reply_error(r, e, NULL);
}

int op_install(struct zd *d, struct zone *z, struct zd_request *r, struct err *e)
{
    struct stor_root_plan root = {0};
    if (zone_root_ready(d, z)) {
        int k = zone_root(d, z, &root, e);
        stor_root_done(&root);
        if (k == 0)
            answer_created(z, r);
        else
            install_undo(d, z);
        return k;
    }
    int k = op_hold(z, OP_CREATE, false, e);
    if (k == 0) {
        zone_set_state(z, ZONE_INCOMPLETE);
        k = zone_root_prepare(z, installed, r, e);
        if (k < 0) {
            op_unhold(z);
            install_undo(d, z);
        }
    }
    return k;
}
