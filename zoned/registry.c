/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of zones by name. Holds pictures, no truth: what is lost here is read again from disk and
 * supervisors. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/logs.h"
#include "zoned/networks.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <systemd/sd-event.h>

static unsigned slot(const struct zd *d, const char *name)
{
    return (unsigned)(hash64(name, strlen(name)) % d->table_size);
}

static void grow(struct zd *d)
{
    unsigned old = d->table_size;
    struct zone **from = d->table;
    d->table_size = old ? old * 4 : 64;
    d->table = xcalloc(d->table_size, sizeof(*d->table));
    for (unsigned i = 0; i < old; i++)
        for (struct zone *z = from[i], *next; z; z = next) {
            next = z->next;
            unsigned k = slot(d, z->name);
            z->next = d->table[k];
            d->table[k] = z;
        }
    free(from);
}

struct zone *registry_find(struct zd *d, const char *name)
{
    if (!d->table_size || !name)
        return NULL;
    struct zone *z = d->table[slot(d, name)];
    while (z && strcmp(z->name, name))
        z = z->next;
    return z;
}

static void link_in(struct zd *d, struct zone *z)
{
    unsigned k = slot(d, z->name);
    z->next = d->table[k];
    d->table[k] = z;
    d->nzones++;
}

static void link_out(struct zd *d, struct zone *z)
{
    struct zone **p = &d->table[slot(d, z->name)];
    while (*p != z)
        p = &(*p)->next;
    *p = z->next;
    d->nzones--;
}

struct zone *registry_add(struct zd *d, const char *name)
{
    if (d->nzones >= d->table_size)
        grow(d);
    struct zone *z = xcalloc(1, sizeof(*z));
    snprintf(z->name, sizeof(z->name), "%s", name);
    z->d = d;
    z->exit_status = z->healthy = z->range = -1;
    z->sup_fd = z->lock_fd = z->pidfd = -1;
    link_in(d, z);
    return z;
}

void registry_remove(struct zd *d, struct zone *z)
{
    link_out(d, z);
    waits_gone(d, z->name);
    logs_gone(d, z->name);
    sup_detach_zone(z);
    sd_event_source_unref(z->deadline);
    firewall_leave(z);
    lease_release(d, z);
    ports_release(d, z);
    aliases_release(d, z);
    ranges_release(d->ranges, z->range);
    close_fd(&z->lock_fd);
    cg_close(z->group);
    sample_drop(z);
    spec_free(z->spec);
    plan_free(z->plan);
    js_free(z->messages);
    free(z->error);
    js_free(z->image_labels);
    free(z->new_volumes);
    vec_done(&z->waiters);
    vec_done(&z->replies);
    free(z);
}

int registry_rename(struct zd *d, struct zone *z, const char *name)
{
    if (registry_find(d, name))
        return -EEXIST;
    link_out(d, z);
    waits_rename(d, z->name, name);
    logs_rename(d, z->name, name);
    snprintf(z->name, sizeof(z->name), "%s", name);
    link_in(d, z);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct zone *const *)a)->name, (*(struct zone *const *)b)->name);
}

struct zone **registry_sorted(struct zd *d, unsigned *n)
{
    struct zone **all = xcalloc(d->nzones + 1, sizeof(*all));
    *n = 0;
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            all[(*n)++] = z;
    qsort(all, *n, sizeof(*all), by_name);
    return all;
}

int registry_get(struct zd *d, const char *name, struct zone **out, struct err *e)
{
    int r = spec_check_name("zone", name, e);
    if (r < 0)
        return r;
    *out = registry_find(d, name);
    if (*out)
        return 0;
    err_set(e, ERR_NOT_FOUND, ENOENT, "zone %s does not exist", name);
    return err_hint(e, "zonectl list shows all zones");
}

void zone_set_state(struct zone *z, enum zone_state s)
{
    if (z->state == s)
        return;
    if (!state_may_follow(z->state, s))
        log_warning("zone %s: %s after %s was not foreseen", z->name, state_name(s), state_name(z->state));
    z->state = s;
    event_publish(z->d, state_name(s), z->name, NULL);
    waits_check(z->d, z);
    logs_check(z->d, z);
    boot_zone_changed(z->d);
}

void zone_set_error(struct zone *z, const char *text)
{
    char *copy = xstrdup(text);
    free(z->error);
    z->error = copy;
}
