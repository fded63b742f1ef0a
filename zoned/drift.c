/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits that somebody else has written, and groups that somebody has removed: a zone's, a pool's, those of all zones
 * together. Noticed at show and by a look that goes round, told once by an event and as `drifted`, healed where
 * somebody asks for what they hold: by apply, a start, a set of the key, a change of the pool or of the host's part.
 * Nothing is healed unasked: whoever wrote may have had a reason. Costs: one look at one zone 0.15 to 0.5 ms (20
 * files); each is looked at once a minute, and where there are fewer than sixty, one a second. Many are looked at a
 * few at a time, so that nobody's call waits for long. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include <errno.h>
#include <systemd/sd-event.h>

#define ROUND 60u       /* seconds */
#define SHARED_EVERY 2u /* seconds */
#define AT_ONCE 4u      /* buckets of the table of zones */
#define SECOND 1000000u

static void tell(struct zd *d, bool *was, const json *list, const char *zone, const char *of)
{
    bool now = js_len(list) > 0;
    if (now == *was)
        return;
    *was = now;
    json *extra = js_object();
    if (of)
        js_set_str(extra, "of", of);
    if (now)
        js_set(extra, "drift", js_ref((json *)list));
    event_publish(d, now ? "drifted" : "healed", zone, extra);
}

static bool is_settled(const struct zone *z)
{
    return z->plan && z->group && !z->updating && (z->state == ZONE_RUNNING || z->state == ZONE_PAUSED);
}

json *drift_check(struct zd *d, struct zone *z)
{
    if (!is_settled(z))
        return js_array();
    struct cg_limits l;
    plan_limits(z->plan, &l);
    json *list = cg_drift(z->group, &l);
    if (z->pid > 0)
        cg_drift_pid(z->group, z->pid, list);
    tell(d, &z->drifted, list, z->name, NULL);
    return list;
}

/* ---- groups that zones share ---- */
static char *shared_name(const struct pool_entry *p)
{
    return p ? xasprintf("pool %s", p->name) : xstrdup("@host");
}

static json *look_at_shared(struct zd *d, const struct pool_entry *p)
{
    if (p ? !p->group : d->part.cap < 0) /* nothing was written yet */
        return js_array();
    struct cg_limits l = {.cpu = p ? &p->now : NULL, .tasks = SPEC_UNSET};
    auto_free char *group = division_parent(d, p ? p->name : NULL), *of = shared_name(p);
    json *list = p ? cg_drift(p->group, &l) : js_array();
    auto_js json *more = cg_parent_drift(d->cgroups, group, p ? NULL : &d->part);
    js_add_all(list, more);
    for (size_t i = 0; i < js_len(list); i++)
        js_set_str(js_at(list, i), "of", of);
    return list;
}

json *drift_check_shared(struct zd *d, struct pool_entry *p)
{
    json *list = look_at_shared(d, p);
    auto_free char *of = shared_name(p);
    tell(d, p ? &p->drifted : &d->drifted, list, NULL, of);
    return list;
}

/* Made again where somebody has removed it; its zones' groups that went with it come with their next start. */
static int pool_again(struct zd *d, struct pool_entry *p, const char *parent, struct err *e)
{
    if (!cg_gone(p->group))
        return 0;
    auto_free char *name = pool_group(p->name);
    struct cg_group *anew = NULL;
    int r = cg_parent_ensure(d->cgroups, parent, e);
    r = r < 0 ? r : cg_open(d->cgroups, d->cgroup_parent, name, &anew, e);
    if (r < 0)
        return r;
    cg_close(p->group);
    p->group = anew;
    return 0;
}

static int heal_one(struct zd *d, struct pool_entry *p, struct err *e)
{
    auto_js json *list = drift_check_shared(d, p);
    if (!js_len(list))
        return 0;
    struct cg_limits l = {.cpu = p ? &p->now : NULL, .tasks = SPEC_UNSET};
    auto_free char *group = division_parent(d, p ? p->name : NULL), *of = shared_name(p);
    int r = p ? pool_again(d, p, group, e) : 0;
    r = r < 0 || !p ? r : cg_heal(p->group, &l, e);
    r = r < 0 ? r : cg_parent_heal(d->cgroups, group, p ? NULL : &d->part, e);
    js_free(drift_check_shared(d, p));
    return r < 0 ? err_prefix(e, "%s", of), r : 0;
}

int drift_heal_shared(struct zd *d, struct pool_entry *p, struct err *e)
{
    int r = heal_one(d, NULL, e);
    return r < 0 || !p ? r : heal_one(d, p, e);
}

static struct pool_entry *pool_around(struct zd *d, const struct zone *z)
{
    auto_free char *pool = z->plan ? division_pool_of(z->plan) : NULL;
    return pool_find(d, pool);
}

json *drift_check_around(struct zd *d, struct zone *z)
{
    struct pool_entry *p = pool_around(d, z);
    json *list = drift_check(d, z);
    auto_js json *all = drift_check_shared(d, NULL), *pool = p ? drift_check_shared(d, p) : js_array();
    js_add_all(list, pool);
    js_add_all(list, all);
    return list;
}

int drift_heal_around(struct zd *d, struct zone *z, struct err *e)
{
    struct cg_limits l;
    int r = drift_heal_shared(d, pool_around(d, z), e);
    if (r < 0 || !z->drifted || !is_settled(z))
        return r;
    plan_limits(z->plan, &l);
    r = cg_heal(z->group, &l, e);
    struct err own = {0};
    if (r == 0 && z->pid > 0 && cg_attach(z->group, z->pid, false, &own) < 0)
        zone_note(z, "pid: %s (zonectl restart %s puts it there)", own.text, z->name);
    js_free(drift_check(d, z));
    return r;
}

void drift_notes(const json *list, json *notes)
{
    for (size_t i = 0; i < js_len(list); i++) {
        const json *o = js_at(list, i);
        auto_free char *text = xasprintf("%s: the kernel had %s, not %s: healed", js_get_str(o, "key", "?"),
                                         js_get_str(o, "have", "?"), js_get_str(o, "want", "?"));
        js_add(notes, js_string(text));
    }
}

int drift_doctor(struct zd *d, struct err *e)
{
    for (unsigned i = 0; i <= d->pools.len; i++) {
        const struct pool_entry *p = i ? d->pools.at[i - 1] : NULL;
        auto_js json *list = look_at_shared(d, p);
        auto_free char *of = shared_name(p);
        const json *o = js_at(list, 0);
        if (!js_len(list))
            continue;
        err_set(e, ERR_CONFLICT, EBUSY, "%s: %s is %s in the kernel, not %s: somebody else wrote %s", of,
                js_get_str(o, "key", "?"), js_get_str(o, "have", "?"), js_get_str(o, "want", "?"),
                js_get_str(o, "file", "?"));
        if (p)
            return err_hint(e, "zonectl pool set %s cpu.shares=%llu writes its values again", p->name,
                            (unsigned long long)p->spec->cpu.shares);
        if (d->host->cpu.reserved > 0)
            return err_hint(e, "zonectl set @host cpu.reserved=%g writes all values again",
                            d->host->cpu.reserved);
        return err_hint(e, "zonectl set @host cpu.reserved= writes all values again");
    }
    return 0;
}

/* ---- the look that goes round ---- */
static unsigned looks_a_second(const struct zd *d)
{
    return d->table_size / ROUND / AT_ONCE + 1;
}

/* Its timer's accuracy follows it: with a second's sd-event would make it one look a second. */
static uint64_t period(const struct zd *d)
{
    return SECOND / looks_a_second(d);
}

static void look_at_zones(struct zd *d)
{
    unsigned least = d->table_size / ROUND < AT_ONCE ? d->table_size / ROUND + 1 : AT_ONCE;
    bool found = false;
    for (unsigned i = 0; i < d->table_size && (i < least || !found); i++)
        for (struct zone *z = d->table[d->drift_at++ % d->table_size]; z; z = z->next) {
            found = found || z->group;
            js_free(drift_check(d, z));
        }
}

static int look(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zd *d = arg;
    look_at_zones(d);
    if (++d->drift_round % (SHARED_EVERY * looks_a_second(d)) == 0) {
        parents_look(d); /* of route_localnet the kernel tells nobody */
        division_follow_tops(d);
        for (unsigned i = 0; i <= d->pools.len; i++)
            js_free(drift_check_shared(d, i ? d->pools.at[i - 1] : NULL));
    }
    (void)sd_event_source_set_time_relative(s, period(d));
    (void)sd_event_source_set_time_accuracy(s, period(d) / 4);
    (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
    return 0;
}

int drift_watch(struct zd *d, struct err *e)
{
    int r = sd_event_add_time_relative(d->event, &d->drift, CLOCK_MONOTONIC, SECOND, SECOND / 4, look, d);
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "timer") : 0;
}
