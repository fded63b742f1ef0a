/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A restart that its start would refuse must not stop the zone first: what the start asks is asked here, of the spec as the file
 * is now, while the zone runs. Its own promises, ports, names and addresses do not count against it. Changes nothing; the
 * start asks all again, since the machine may change while the zone comes down. */
#include "base/str.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/op.h"
#include <errno.h>

/* What the zone's root will be; of an image that is not unpacked yet its configuration alone. */
static int coming_root(struct zd *d, const struct zone *z, struct stor_root_plan *out, struct err *e)
{
    const char *image = z->spec->image;
    if (stor_zone_root_load(d->pool, z->name, image, out))
        return 0;
    int r = stor_image_check(d->pool, image, e);
    if (r < 0)
        return r;
    *out = (struct stor_root_plan){.image = xstrdup(image), .host_usr = str_eq(image, "host")};
    (void)stor_image_config(d->pool, image, &out->config, NULL);
    return 0;
}

static int check_plan(struct zd *d, struct zone *z, struct problems *ps, struct err *e)
{
    struct stor_root_plan root = {0};
    struct plan *p = NULL;
    closed_folders_refresh(d, z->spec);
    int r = coming_root(d, z, &root, e);
    r = r < 0 ? r : mounts_check(d, z->spec, e);
    if (r == 0) {
        struct plan *running = take_ptr(&z->plan); /* its part of the machine is free by then */
        r = plan_on(d, z, z->spec, NULL, &root, &p, ps, e);
        z->plan = running;
    }
    stor_root_done(&root);
    plan_free(p);
    return r;
}

static int check_spec(struct zd *d, struct zone *z, struct problems *ps, struct err *e)
{
    struct lease_change leases;
    int r = networks_there(d, z->spec, e);
    r = r < 0 ? r : lease_begin(d, z, z->spec, &leases, e);
    if (r < 0)
        return r;
    r = check_plan(d, z, ps, e);
    if (r == 0 && (ports_check(d, z, z->spec, true, ps) < 0 || aliases_check(d, z, z->spec, ps) < 0))
        r = problems_to_err(ps, e, z->name);
    lease_rollback(d, z, &leases);
    return r;
}

static int reread_and_check(struct zd *d, struct zone *z, struct problems *ps, struct err *e)
{
    struct spec *before = z->spec ? spec_copy(z->spec) : NULL;
    int r = store_reload(d, z, ps, e);
    r = r < 0 ? r : check_spec(d, z, ps, e);
    if (r < 0) {
        store_locate(d, z, ps);
        spec_free(z->spec);
        z->spec = take_ptr(&before);
    }
    spec_free(before);
    return r;
}

int restart_check(struct zd *d, struct zone *z, struct zd_request *request, struct err *e)
{
    struct problems nobodys = {0};
    if (z->updating) {
        err_set(e, ERR_BUSY, EBUSY, "zone %s: another change is under way", z->name);
        return err_hint(e, "try again when it is done");
    }
    int r = reread_and_check(d, z, request ? zd_problems(request) : &nobodys, e);
    problems_done(&nobodys);
    return r;
}
