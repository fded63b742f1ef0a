/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order: which zones start when zoned starts at host boot, after whom, and in which order all stop at
 * shutdown. `autoboot` alone decides at boot; a dependency is ready when it runs, or when it is healthy if it
 * has a check. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>

static bool ready(struct zd *d, const char *name)
{
    const struct zone *z = registry_find(d, name);
    if (!z || z->state != ZONE_RUNNING)
        return false;
    return !z->spec || z->spec->health.kind == SPEC_HEALTH_NONE || z->healthy == 1;
}

/* Whose network a zone has is one of those that it depends on. */
static bool needs(const struct zone *z, const char *name)
{
    return z->spec && (strv_has(z->spec->depends, name) || str_eq(sharer_owner(z->spec), name));
}

static char **needed(const struct zone *z)
{
    char **list = z->spec ? strv_copy(z->spec->depends) : NULL;
    if (sharer_owner(z->spec))
        strv_add(&list, sharer_owner(z->spec));
    return list;
}

bool boot_dependencies_ready(struct zd *d, const struct zone *z)
{
    char **list = needed(z);
    bool all = true;
    for (char **n = list; n && *n; n++)
        all = all && ready(d, *n);
    strv_free(list);
    return all;
}

/* A dependency that nobody will start, or that waits for us in a circle, would hold the zone for ever. */
static bool hopeless(struct zd *d, const struct zone *z, unsigned depth)
{
    char **list = needed(z);
    bool never = false;
    for (char **n = list; n && *n && !never; n++) {
        const struct zone *o = registry_find(d, *n);
        bool up = o && (o->state == ZONE_RUNNING || o->state == ZONE_READY);
        never =
            !o || depth > d->nzones ||
            (!up && (!o->spec || !o->spec->autoboot || o->state == ZONE_FAILED || hopeless(d, o, depth + 1)));
    }
    strv_free(list);
    return never;
}

static bool wants_boot(struct zd *d, const struct zone *z)
{
    return z->spec && z->spec->autoboot && z->op == OP_NONE && !z->operator_stop &&
           z->start_no == z->boot_start_no && (z->state == ZONE_INSTALLED || z->state == ZONE_CONFIGURED) &&
           d->booting;
}

void boot_zone_changed(struct zd *d)
{
    if (!d->booting || d->in_boot)
        return;
    unsigned n, left = 0;
    d->in_boot = true;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        struct err e = {0};
        if (!wants_boot(d, all[i]))
            continue;
        if (boot_dependencies_ready(d, all[i])) {
            if (op_start(d, all[i], NULL, NULL, &e) < 0)
                log_warning("autoboot of zone %s: %s", all[i]->name, e.text);
        } else if (hopeless(d, all[i], 0)) {
            log_warning("autoboot of zone %s: what it depends on will not start", all[i]->name);
            zone_set_error(all[i], "autoboot: what it depends on does not start");
        } else {
            left++;
        }
    }
    d->in_boot = false;
    unsigned under_way = 0;
    for (unsigned i = 0; i < n; i++)
        under_way += all[i]->op == OP_START;
    d->booting = left || under_way;
}

void boot_autostart(struct zd *d)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        all[i]->boot_start_no = all[i]->start_no;
    d->booting = true;
    boot_zone_changed(d);
}

static bool alive(const struct zone *z)
{
    return z->state == ZONE_RUNNING || z->state == ZONE_PAUSED || z->state == ZONE_READY ||
           z->state == ZONE_SHUTTING_DOWN;
}

static bool needed_by_living(struct zd *d, struct zone **all, unsigned n, const struct zone *z)
{
    for (unsigned i = 0; i < n; i++)
        if (all[i] != z && alive(all[i]) && needs(all[i], z->name) && !needs(z, all[i]->name))
            return true;
    return false;
}

/* Called after every stop while shutting down: the next ones whose dependants are gone. */
void boot_shutdown_step(struct zd *d)
{
    if (!d->shutting_down)
        return;
    unsigned n, left = 0;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        if (!alive(all[i]))
            continue;
        left++;
        struct err e = {0};
        if (all[i]->op == OP_STOP || needed_by_living(d, all, n, all[i]))
            continue;
        if (op_stop(d, all[i], NULL, all[i]->spec ? all[i]->spec->process.stop_timeout_ms : 10000, false,
                    OP_STOP, &e) < 0)
            log_warning("shutdown: %s", e.text);
        all[i]->operator_stop = false;
    }
    if (left || !d->shutdown_request)
        return;
    networks_down(d);
    struct zd_request *r = take_ptr(&d->shutdown_request);
    zd_reply_json(r, 200, js_object());
    zd_exit_soon(d);
}
