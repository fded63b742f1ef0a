/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone is made, or deleted with all that is its own. */
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/op.h"
#include <errno.h>
#include <sys/stat.h>

static int check_new(struct zd *d, const struct zone *z, struct problems *ps, struct err *e)
{
    check_limits(d, z->spec, ps);
    networks_check(d, z->spec, ps);
    if (ps->len)
        return problems_to_err(ps, e, z->name);
    closed_folders_refresh(d, z->spec);
    int r = image_check(d, z->spec->image, ps, e);
    if (r == 0)
        r = build_zone_check(d, z->name, z->spec, e);
    return r < 0 ? r : mounts_check(d, z->spec, e);
}

/* What a new zone is made of, for its undo. */
struct made {
    bool folder, *volumes;
};

static int make_run_folder(struct zone *z, struct err *e)
{
    auto_free char *dir = xasprintf("zones/%s", z->name);
    if (mkdirat(z->d->run_fd, dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, "run folder of zone %s", z->name);
    return 0;
}

static int make_new(struct zone *z, const char *text, struct made *made, struct err *e)
{
    struct zd *d = z->d;
    int r = lease_make(d, z, e);
    if (r < 0 || (r = stor_zone_create(d->pool, z->name, e)) < 0)
        return r;
    made->folder = true;
    if (z->ephemeral && (r = make_run_folder(z, e)) < 0)
        return r;
    if ((r = lease_save(d, z, e)) < 0 || (r = mounts_make_volumes(d, z, &made->volumes, e)) < 0)
        return r;
    if (z->ephemeral && (r = mounts_own(d, z, made->volumes, e)) < 0)
        return r;
    return store_write_text(d, z, text, e);
}

static void unmake(struct zone *z, const struct made *made)
{
    struct zd *d = z->d;
    mounts_drop_volumes(d, z->spec, made->volumes);
    if (made->folder)
        (void)stor_zone_delete(d->pool, z->name, NULL);
    if (z->ephemeral)
        remove_run_dir(z);
    registry_remove(d, z);
}

int op_create(struct zd *d, const char *name, const char *text, bool ephemeral, struct zone **out,
              struct problems *ps, struct err *e)
{
    if (registry_find(d, name)) {
        err_set(e, ERR_CONFLICT, EEXIST, "zone %s exists already", name);
        return err_hint(e, "zonectl delete %s first, or zonectl set to change it", name);
    }
    struct spec *s = NULL;
    struct made made = {0};
    auto_free char *file = xasprintf("%s/zones/%s.yaml", d->etc_dir, name);
    if (spec_parse(text, strlen(text), file, &s, ps) < 0)
        return problems_to_err(ps, e, "the spec");
    struct zone *z = registry_add(d, name);
    z->state = ZONE_CONFIGURED;
    z->ephemeral = ephemeral;
    z->spec = s;
    int r = check_new(d, z, ps, e);
    if (r == 0)
        r = make_new(z, text, &made, e);
    if (!ephemeral) /* a one-off zone's end does it: not beside its start */
        op_tidy_soon(d);
    if (r < 0) {
        unmake(z, &made);
        free(made.volumes);
        return r;
    }
    z->new_volumes = made.volumes;
    zone_set_state(z, ZONE_INSTALLED);
    event_publish(d, "created", name, NULL);
    *out = z;
    return 0;
}

int op_delete(struct zd *d, struct zone *z, struct zd_request *r, bool force, struct err *e)
{
    struct err own = {0};
    e = e ? e : &own;
    bool alive = z->state == ZONE_RUNNING || z->state == ZONE_PAUSED || z->state == ZONE_READY ||
                 z->state == ZONE_SHUTTING_DOWN;
    if (z->op != OP_NONE && !(force && alive && z->op == OP_DELETE)) {
        err_set(e, ERR_BUSY, EBUSY, "zone %s: another operation is under way", z->name);
        return err_hint(e, "try again when it is done");
    }
    if (alive && !force) {
        state_allows(z->state, VERB_DELETE, z->name, e);
        return -EBUSY;
    }
    if (sharers_refuse(d, z, "", e) < 0)
        return -EBUSY;
    if (alive) {
        int k = op_begin(z, OP_DELETE, r, e);
        if (k == 0 && ask_to_stop(z, 0, true, e) < 0) {
            struct err copy = *e; /* r is answered by this */
            op_end(z, &copy, NULL);
        }
        return k < 0 ? k : 0;
    }
    int k = store_delete(d, z, e);
    if (k == 0)
        k = stor_zone_discard(d->pool, z->name, e);
    if (k < 0) {
        op_answer(z, e, NULL);
        return k;
    }
    struct waiters told = op_take_waiters(z);
    if (r)
        *vec_add(&told) = r;
    if (z->ephemeral) {
        remove_run_dir(z);
        mounts_drop_own(d, z);
    }
    json *answer = js_object(), *remarks = told.len ? zone_gone_remarks(d, z) : js_array();
    js_set(answer, "messages", js_len(remarks) ? js_ref(remarks) : NULL);
    js_free(remarks);
    event_publish(d, "deleted", z->name, NULL);
    registry_remove(d, z);
    trash_empty(d, told.at, told.len, answer);
    vec_done(&told);
    return 0;
}
