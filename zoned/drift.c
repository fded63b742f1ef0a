/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits that somebody else has written: noticed at show and by a look at every running zone each minute, told
 * once by an event and as `drifted`, healed by apply. Nothing is healed unasked: whoever wrote may have had a
 * reason. Costs: one look at one zone 0.15 ms (20 files), spread over the minute. */
#include "base/log.h"
#include "zoned/division.h"
#include <errno.h>
#include <systemd/sd-event.h>

#define SLOTS 60u
#define SECOND 1000000u

json *drift_check(struct zd *d, struct zone *z)
{
    if (!z->plan || !z->group || z->updating || (z->state != ZONE_RUNNING && z->state != ZONE_PAUSED))
        return js_array();
    struct cg_limits l;
    plan_limits(z->plan, &l);
    json *list = cg_drift(z->group, &l);
    bool now = js_len(list) > 0;
    if (now == z->drifted)
        return list;
    z->drifted = now;
    json *extra = js_object();
    if (now)
        js_set(extra, "drift", js_ref(list));
    event_publish(d, now ? "drifted" : "healed", z->name, extra);
    return list;
}

int drift_heal(struct zd *d, struct zone *z, struct err *e)
{
    struct cg_limits l;
    plan_limits(z->plan, &l);
    int r = z->group ? cg_heal(z->group, &l, e) : 0;
    js_free(drift_check(d, z));
    return r;
}

static int look(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zd *d = arg;
    for (unsigned i = d->drift_slot % SLOTS; i < d->table_size; i += SLOTS)
        for (struct zone *z = d->table[i]; z; z = z->next)
            js_free(drift_check(d, z));
    d->drift_slot++;
    (void)sd_event_source_set_time_relative(s, SECOND);
    (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
    return 0;
}

int drift_watch(struct zd *d, struct err *e)
{
    int r = sd_event_add_time_relative(d->event, &d->drift, CLOCK_MONOTONIC, SECOND, SECOND, look, d);
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "timer") : 0;
}
