/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The door's two verbs: a reference becomes a transfer in the cage, and what came becomes an image by its name. The network's
 * process never writes index.json: names are given here, when all is there. */
#include "storage/registry.h"
#include "base/auto.h"
#include "base/mem.h"
#include "storage/store.h"
#include <string.h>

static void report(void *arg, const struct img_progress *p)
{
    const struct img_store *s = arg;
    if (s->progress)
        s->progress(s->progress_arg, p);
}

static int pull_in_cage(const struct reg_job *j, void *ref, void *manifest, struct err *e)
{
    return reg_pull(j, ref, manifest, e);
}

int img_pull(struct img_store *s, const char *text, const struct img_transfer_options *o,
             struct img_desc *manifest, struct err *e)
{
    struct img_ref ref auto_done(img_ref_done) = {0};
    struct reg_job j = {.store = s, .options = o, .report = report, .arg = s};
    struct img_desc got = {0};
    int r = img_ref_parse(text, &ref, e);
    if (r == 0)
        r = reg_in_cage(s->fd, pull_in_cage, &j, &ref, &got, sizeof(got), e);
    if (r < 0)
        return r;
    auto_free char *name = img_ref_print(&ref);
    r = img_tag(s, name, &got, e);
    if (r == 0)
        *manifest = got;
    return r;
}

static int push_in_cage(const struct reg_job *j, void *plan, void *answer, struct err *e)
{
    return reg_push(j, plan, e);
}

int img_push(struct img_store *s, const char *text, const char *target, const struct img_transfer_options *o,
             struct err *e)
{
    struct img_ref from auto_done(img_ref_done) = {0};
    struct img_ref to auto_done(img_ref_done) = {0};
    struct img_image image auto_done(img_image_done) = {0};
    struct reg_job j = {.store = s, .options = o, .report = report, .arg = s};
    bool named = img_ref_parse(text, &from, NULL) == 0; /* it may be an id: then the target names all */
    int r = img_ref_parse(target ? target : text, &to, e);
    if (r == 0)
        r = img_resolve(s, text, o->platform, &image, e);
    if (r < 0)
        return r;
    bool near = named && str_eq(from.registry, to.registry) && !str_eq(from.repository, to.repository);
    struct reg_push_plan plan = {.image = &image, .target = &to, .mount_from = near ? from.repository : NULL};
    return reg_in_cage(s->fd, push_in_cage, &j, &plan, NULL, 0, e);
}
