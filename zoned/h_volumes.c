/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of named volumes, which live longer than the zones that use them. */
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/zoned.h"
#include <errno.h>

static bool uses(const struct spec *s, const char *volume)
{
    for (unsigned i = 0; s && i < s->filesystems.len; i++)
        if (s->filesystems.at[i].kind == SPEC_MOUNT_VOLUME && str_eq(s->filesystems.at[i].source, volume))
            return true;
    return false;
}

bool volume_is_used(const struct zone *z, const char *volume)
{
    return uses(z->spec, volume) || (z->plan && uses(z->plan->spec, volume));
}

static json *users(struct zd *d, const char *volume)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    json *list = js_array();
    for (unsigned i = 0; i < n; i++)
        if (volume_is_used(all[i], volume))
            js_add(list, js_string(all[i]->name));
    return list;
}

static json *row(struct zd *d, const char *name)
{
    uint64_t bytes = 0;
    json *o = js_object();
    js_set_str(o, "name", name);
    js_set(o, "bytes",
           stor_volume_usage(d->pool, name, &bytes, NULL) < 0 ? js_null() : js_int((int64_t)bytes));
    js_set(o, "used_by", users(d, name));
    return o;
}

static json *make_row(struct zd *d, const char *name, struct err *e)
{
    return row(d, name);
}

static json *make_list(struct zd *d, const char *name, struct err *e)
{
    char **names = NULL;
    if (stor_volume_list(d->pool, &names, e) < 0)
        return NULL;
    json *list = js_array();
    for (unsigned i = 0; i < strv_len(names); i++)
        js_add(list, row(d, names[i]));
    strv_free(names);
    return list;
}

int h_list_volumes(struct zd *d, struct zd_request *r, struct err *e)
{
    return worker_answer(d, r, NULL, make_list, e);
}

int h_create_volume(struct zd *d, struct zd_request *r, struct err *e)
{
    const char *name = js_get_str(zd_body_of(r), "name", NULL);
    int k = spec_check_name("volume", name, e);
    if (k == 0)
        k = stor_volume_create(d->pool, name, e);
    if (k < 0)
        return k;
    event_of(d, "volume_created", "volume", name);
    zd_reply_json(r, 201, row(d, name));
    return 0;
}

static int find(struct zd *d, const char *name, struct err *e)
{
    int k = spec_check_name("volume", name, e);
    if (k < 0)
        return k;
    auto_fd int fd = stor_volume_open(d->pool, name, e);
    if (fd < 0 && e && e->kind == ERR_NOT_FOUND) {
        e->hint[0] = '\0'; /* to make it is the remedy of a start */
        err_hint(e, "zonectl volume list shows all volumes");
    }
    return fd < 0 ? fd : 0;
}

int h_get_volume(struct zd *d, struct zd_request *r, struct err *e)
{
    int k = find(d, zd_param(r, 0), e);
    return k < 0 ? k : worker_answer(d, r, zd_param(r, 0), make_row, e);
}

int h_delete_volume(struct zd *d, struct zd_request *r, struct err *e)
{
    const char *name = zd_param(r, 0);
    int k = find(d, name, e);
    if (k < 0)
        return k;
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        if (store_names(d, all[i], uses, name) || (all[i]->plan && uses(all[i]->plan->spec, name))) {
            err_set(e, ERR_BUSY, EBUSY, "volume %s is used by zone %s", name, all[i]->name);
            return err_hint(e, "delete the zone or unset its filesystems entry first");
        }
        if (all[i]->file_bad) { /* what is in a volume does not come back */
            err_set(e, ERR_BUSY, EBUSY, "volume %s may be used by zone %s, whose spec cannot be read: %.300s",
                    name, all[i]->name, all[i]->error ? all[i]->error : "-");
            return err_hint(e, "mend the spec, or delete the zone");
        }
    }
    k = stor_volume_discard(d->pool, name, e);
    if (k < 0)
        return k;
    event_of(d, "volume_deleted", "volume", name);
    trash_empty(d, &r, 1, js_object());
    return 0;
}
