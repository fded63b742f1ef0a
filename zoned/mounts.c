/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a new zone mounts besides its root: a host path must be there when the zone is made, a volume is made with it. */
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"

int mounts_check(struct zd *d, const struct spec *s, struct err *e)
{
    for (unsigned i = 0; i < s->filesystems.len; i++) {
        const struct spec_mount *m = &s->filesystems.at[i];
        bool is_file;
        if (m->kind != SPEC_MOUNT_BIND)
            continue;
        auto_fd int fd = stor_bind_open(d->pool, m->source, &is_file, e);
        if (fd < 0) {
            if (e && e->kind == ERR_NOT_FOUND)
                err_hint(e, "make %s first; a name without a slash is a volume", m->source);
            return err_prefix(e, "filesystem %s", m->target), fd;
        }
    }
    return 0;
}

int mounts_make_volumes(struct zd *d, struct zone *z, bool **made, struct err *e)
{
    const struct spec_mount *at = z->spec->filesystems.at;
    unsigned n = z->spec->filesystems.len;
    int r = 0;
    *made = xcalloc(n + 1, sizeof(**made));
    for (unsigned i = 0; r == 0 && i < n; i++) {
        struct err ve = {0};
        if (at[i].kind != SPEC_MOUNT_VOLUME)
            continue;
        r = stor_volume_create(d->pool, at[i].source, &ve);
        (*made)[i] = r == 0;
        if (r == 0) {
            zone_note(z, "volume %s is new", at[i].source);
            event_of(d, "volume_created", "volume", at[i].source);
        } else if (ve.kind == ERR_CONFLICT) /* it is there already */
            r = 0;
        else if (e)
            *e = ve;
    }
    return r;
}

static bool is_images(const struct zone *z, const struct spec_mount *m)
{
    char name[SPEC_NAME_MAX + 1];
    image_volume_name(z->name, m->target, name);
    return m->kind == SPEC_MOUNT_VOLUME && !strcmp(m->source, name);
}

int mounts_own(struct zd *d, const struct zone *z, const bool *made, struct err *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < z->spec->filesystems.len; i++)
        if (made[i] && is_images(z, &z->spec->filesystems.at[i]))
            r = stor_volume_own(d->pool, z->spec->filesystems.at[i].source, z->lease.machine_id, e);
    return r;
}

static void discard(struct zd *d, const char *volume)
{
    if (stor_volume_discard(d->pool, volume, NULL) == 0)
        event_of(d, "volume_deleted", "volume", volume);
}

void mounts_drop_own(struct zd *d, const struct zone *z)
{
    for (unsigned i = 0; z->spec && i < z->spec->filesystems.len; i++) {
        const struct spec_mount *m = &z->spec->filesystems.at[i];
        if (is_images(z, m) && stor_volume_is_own(d->pool, m->source, z->lease.machine_id))
            discard(d, m->source);
    }
}

bool mounts_want_fill(struct zd *d, const struct spec *s)
{
    for (unsigned i = 0; i < s->filesystems.len; i++)
        if (s->filesystems.at[i].kind == SPEC_MOUNT_VOLUME &&
            stor_volume_is_new(d->pool, s->filesystems.at[i].source))
            return true;
    return false;
}

int mounts_fill(struct zd *d, const struct spec *s, const struct stor_root_plan *root, struct err *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < s->filesystems.len; i++) {
        const struct spec_mount *m = &s->filesystems.at[i];
        if (m->kind == SPEC_MOUNT_VOLUME && stor_volume_is_new(d->pool, m->source))
            r = stor_volume_fill(d->pool, m->source, root, m->target, e);
    }
    return r;
}

void mounts_drop_volumes(struct zd *d, const struct spec *s, const bool *made)
{
    for (unsigned i = 0; made && i < s->filesystems.len; i++)
        if (made[i])
            discard(d, s->filesystems.at[i].source);
}
