/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that wait until a zone has reached something: zonectl wait. */
#include "base/clock.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>
#include <systemd/sd-event.h>

struct wait {
    struct zd *d;
    struct zd_request *r;
    char zone[SPEC_NAME_MAX + 1], what[16];
    struct sd_event_source *timer;
    bool gone;
};

static void drop(struct wait *w)
{
    struct zd *d = w->d;
    for (unsigned i = 0; i < d->waits.len; i++)
        if (d->waits.at[i] == w) {
            vec_remove(&d->waits, i);
            break;
        }
    sd_event_source_disable_unref(w->timer);
    free(w);
}

static bool reached(const struct zone *z, const char *what)
{
    if (!strcmp(what, "running"))
        return z->state == ZONE_RUNNING;
    if (!strcmp(what, "healthy"))
        return z->state == ZONE_RUNNING && z->healthy == 1;
    return z->state == ZONE_INSTALLED || z->state == ZONE_CONFIGURED || z->state == ZONE_DOWN ||
           z->state == ZONE_FAILED;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *arg)
{
    struct wait *w = arg;
    struct err e = {0};
    err_set(&e, ERR_BUSY, ETIMEDOUT, "zone %s is not %s yet", w->zone, w->what);
    zd_reply_error(w->r, &e, NULL);
    drop(w);
    return 0;
}

static void on_gone(struct zd_request *r, void *arg)
{
    struct wait *w = arg;
    struct err e = {0};
    err_set(&e, ERR_INTERNAL, ECANCELED, "the client went away");
    zd_reply_error(r, &e, NULL);
    drop(w);
}

void waits_add(struct zd *d, struct zd_request *r, struct zone *z, const char *what, uint64_t timeout_ms)
{
    if (reached(z, what)) {
        zd_reply_json(r, 200, zone_view(r, d, z, true));
        return;
    }
    struct wait *w = xcalloc(1, sizeof(*w));
    w->d = d;
    w->r = r;
    snprintf(w->zone, sizeof(w->zone), "%s", z->name);
    snprintf(w->what, sizeof(w->what), "%s", what);
    *vec_add(&d->waits) = w;
    if (timeout_ms)
        (void)sd_event_add_time_relative(d->event, &w->timer, CLOCK_MONOTONIC, timeout_ms * 1000, 0,
                                         on_timeout, w);
    zd_on_gone(r, on_gone, w);
}

void waits_rename(struct zd *d, const char *from, const char *to)
{
    for (unsigned i = 0; i < d->waits.len; i++) {
        struct wait *w = d->waits.at[i];
        if (!strcmp(w->zone, from))
            snprintf(w->zone, sizeof(w->zone), "%s", to);
    }
}

void waits_gone(struct zd *d, const char *zone)
{
    for (unsigned i = d->waits.len; i-- > 0;) {
        struct wait *w = d->waits.at[i];
        struct err e = {0};
        if (strcmp(w->zone, zone))
            continue;
        err_set(&e, ERR_NOT_FOUND, ENOENT, "zone %s was deleted", zone);
        zd_reply_error(w->r, &e, NULL);
        drop(w);
    }
}

void waits_check(struct zd *d, struct zone *z)
{
    for (unsigned i = d->waits.len; i-- > 0;) {
        struct wait *w = d->waits.at[i];
        if (strcmp(w->zone, z->name))
            continue;
        if (reached(z, w->what)) {
            zd_reply_json(w->r, 200, zone_view(w->r, d, z, true));
            drop(w);
        } else if (z->state == ZONE_FAILED) {
            struct err e = {0};
            err_set(&e, ERR_CONFLICT, ECANCELED, "zone %s failed: %s", z->name,
                    z->error ? z->error : "see its log");
            zd_reply_error(w->r, &e, NULL);
            drop(w);
        }
    }
}
