/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /v1/zones/{name}/why: looks at all zones twice, an interval apart, and lets why.c decide. Nothing waits:
 * the answer comes from a timer. */
#include "base/clock.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/handlers.h"
#include "zoned/statistics.h"
#include <errno.h>
#include <systemd/sd-event.h>

#define INTERVAL_MS 1000

struct seen {
    char name[SPEC_NAME_MAX + 1];
    uint64_t start_no, cpu, at;
};
struct asking {
    struct zd *d;
    struct zd_request *r;
    struct sd_event_source *timer;
    char name[SPEC_NAME_MAX + 1];
    uint64_t at, start_no, self_at;
    struct cg_stats self;
    struct cg_held pool, all;
    struct cg_total total;
    VEC(struct seen) others;
};

static bool known(uint64_t a, uint64_t b)
{
    return a != UINT64_MAX && b != UINT64_MAX && b >= a;
}

/* Between two looks at a zone, which are not at the interval's ends to the microsecond. */
static double seconds_between(uint64_t was, uint64_t is)
{
    return is > was ? (double)(is - was) / 1e6 : 1;
}

/* Part of the interval, from two totals in µs. */
static double part(uint64_t was, uint64_t is, double seconds)
{
    return known(was, is) ? (double)(is - was) / 1e6 / seconds : 0;
}

static void look_back(struct asking *a, const struct zone *z, struct why_zone *to)
{
    bool divided = z->plan && z->plan->divided; /* the CPUs that it really has, whoever's doing that is */
    const struct spec *has = zone_has(z);
    *to = (struct why_zone){.name = z->name,
                            .state = z->state,
                            .entitled = z->entitled,
                            .cap = has ? has->cpu.cap : -1,
                            .idle = has && has->cpu.idle,
                            .set = divided ? z->plan->cpu.set
                                   : has   ? has->cpu.set
                                           : NULL};
    for (unsigned i = 0; z->sample && i < a->others.len; i++) {
        const struct seen *was = &a->others.at[i];
        if (!strcmp(was->name, z->name) && was->start_no == z->start_no)
            to->used =
                part(was->cpu, z->sample->stats.cpu_usage, seconds_between(was->at, z->sample->read_us));
    }
}

static struct pool_entry *running_pool(struct zd *d, const struct zone *z)
{
    auto_free char *name = z->plan ? division_pool_of(z->plan) : NULL;
    return name ? pool_find(d, name) : NULL;
}

static void read_pool(struct zd *d, const struct pool_entry *p, struct cg_held *out)
{
    auto_free char *group = p ? pool_group(p->name) : NULL;
    *out = (struct cg_held){UINT64_MAX, UINT64_MAX, -1};
    if (p && p->group)
        cg_read_held(d->cgroups, d->cgroup_parent, group, out);
}

/* Part of the periods in which a cap held it back. */
static double held(const struct cg_held *was, const struct cg_held *is)
{
    if (!known(was->periods, is->periods) || is->periods == was->periods || !known(was->held, is->held))
        return 0;
    return (double)(is->held - was->held) / (double)(is->periods - was->periods);
}

static struct cg_held held_of(const struct cg_stats *s)
{
    return (struct cg_held){s->cpu_periods, s->cpu_throttled_periods, -1};
}

static bool foreign(double kernel, double ours)
{
    double by = (kernel > 0 ? kernel : 0) - (ours > 0 ? ours : 0);
    return by > 0.005 || by < -0.005;
}

static enum why_bound bound_of(const struct zone *z, const struct pool_entry *pool)
{
    const struct spec_cpu *c = &zone_has(z)->cpu;
    if (c->dedicated)
        return WHY_DEDICATED;
    if (pool && (pool->spec->cpu.set || pool->spec->cpu.dedicated) &&
        (!c->set || str_eq(z->plan->cpu.set, pool->now.set)))
        return WHY_POOL;
    return c->set ? WHY_SET : WHY_OTHERS;
}

/* What bounds it from above: its pool, the quota on all zones. */
static void look_above(const struct asking *a, const struct zone *z, struct why_facts *f)
{
    struct zd *d = a->d;
    const struct pool_entry *pool = running_pool(d, z);
    struct cg_held now;
    if (zone_has(z))
        f->bound = bound_of(z, pool);
    if (pool) {
        read_pool(d, pool, &now);
        f->pool = pool->name;
        f->pool_idle = pool->spec->cpu.idle;
        f->pool_cap = now.cap;
        f->pool_foreign = foreign(now.cap, pool->now.cap);
        f->pool_held = now.cap > 0 && a->start_no == z->start_no ? held(&a->pool, &now) : 0;
    }
    cg_read_held(d->cgroups, d->cgroup_parent, NULL, &now);
    f->all_cap = now.cap;
    f->all_foreign = foreign(now.cap, d->part.cap);
    f->all_held = now.cap > 0 ? held(&a->all, &now) : 0;
}

static void look_at_self(const struct asking *a, const struct zone *z, struct why_zone *to)
{
    const struct cg_stats *was = &a->self, *is = &z->sample->stats;
    double seconds = seconds_between(a->self_at, z->sample->looked_us);
    if (a->start_no != z->start_no) /* another start: its totals began at 0 */
        return;
    struct cg_held before = held_of(was), after = held_of(is), kernel;
    to->held = held(&before, &after);
    cg_read_held(a->d->cgroups, z->plan->cgroup_parent, z->plan->cgroup_name, &kernel);
    const struct spec *has = zone_has(z);
    to->cut = has && z->plan->divided && kernel.cap > 0 && !foreign(kernel.cap, z->plan->cpu.cap) &&
              foreign(kernel.cap, has->cpu.cap);
    to->cap = kernel.cap > 0 ? kernel.cap : to->cap; /* somebody else may have written it */
    to->throttled = part(was->cpu_throttled, is->cpu_throttled, 1);
    to->blind = is->psi_cpu_some == UINT64_MAX;
    to->wait_cpu = part(was->psi_cpu_some, is->psi_cpu_some, seconds);
    to->wait_mem = part(was->psi_mem_some, is->psi_mem_some, seconds);
    to->wait_io = part(was->psi_io_some, is->psi_io_some, seconds);
    to->mem = is->mem_usage == UINT64_MAX ? 0 : is->mem_usage;
    to->mem_cap = z->plan->spec->memory.cap;
    to->oom_kills = known(was->oom_kills, is->oom_kills) ? is->oom_kills - was->oom_kills : 0;
    to->read = part(was->io_read, is->io_read, seconds) * 1e6;
    to->write = part(was->io_write, is->io_write, seconds) * 1e6;
    to->refaults = part(was->mem_refaults, is->mem_refaults, seconds) * 1e6;
    const struct spec_io *io = &z->plan->spec->io;
    to->io_capped = io->read != SPEC_UNSET || io->write != SPEC_UNSET || io->read_ops != SPEC_UNSET ||
                    io->write_ops != SPEC_UNSET;
}

static json *decide(struct asking *a, struct zone *z, struct zone **all, unsigned n)
{
    struct why_facts f = {.seconds = (double)(clock_mono_us() - a->at) / 1e6, .cpus = a->d->facts.cpus};
    auto_free struct why_zone *others = xcalloc(n + 1, sizeof(*others));
    struct cg_total total;
    cg_read_total(a->d->cgroups, a->d->cgroup_parent, &total);
    look_back(a, z, &f.self);
    f.self.mem_cap = SPEC_UNSET;
    if (z->sample && z->plan)
        look_at_self(a, z, &f.self);
    look_above(a, z, &f);
    f.gone = z->group && cg_gone(z->group);
    auto_js json *away = js_array();
    if (z->group && z->pid > 0)
        cg_drift_pid(z->group, z->pid, away);
    f.moved = js_get_str(js_at(away, 0), "have", NULL);
    for (unsigned i = 0; i < n; i++)
        if (all[i] != z && all[i]->group) {
            look_back(a, all[i], &others[f.nothers]);
            others[f.nothers++].mate = f.pool && running_pool(a->d, all[i]) == running_pool(a->d, z);
        }
    f.others = others;
    double machine = part(a->total.cpu_machine, total.cpu_machine, f.seconds),
           zones = part(a->total.cpu_zones, total.cpu_zones, f.seconds);
    f.host_used = machine > zones ? machine - zones : 0;
    return why_decide(&f);
}

static void take(struct zd *d, struct zone *z, struct zone **all, unsigned n)
{
    sample_take(d, all, n, false);
    if (z->group)
        sample_take(d, &z, 1, true);
    sample_entitle(d);
}

static int on_time(sd_event_source *s, uint64_t usec, void *arg)
{
    struct asking *a = arg;
    struct zone *z = registry_find(a->d, a->name);
    unsigned n;
    auto_free struct zone **all = registry_sorted(a->d, &n);
    struct err e = {0};
    if (z) {
        take(a->d, z, all, n);
        zd_reply_json(a->r, 200, decide(a, z, all, n));
    } else {
        err_set(&e, ERR_NOT_FOUND, ENOENT, "zone %s was deleted meanwhile", a->name);
        zd_reply_error(a->r, &e, NULL);
    }
    sd_event_source_disable_unref(a->timer);
    vec_done(&a->others);
    free(a);
    return 0;
}

static void remember(struct asking *a, struct zone *z, struct zone **all, unsigned n)
{
    a->at = clock_mono_us();
    a->start_no = z->start_no;
    cg_read_total(a->d->cgroups, a->d->cgroup_parent, &a->total);
    memset(&a->self, 0xff, sizeof(a->self));
    read_pool(a->d, running_pool(a->d, z), &a->pool);
    cg_read_held(a->d->cgroups, a->d->cgroup_parent, NULL, &a->all);
    if (z->sample) {
        a->self = z->sample->stats;
        a->self_at = z->sample->looked_us;
    }
    for (unsigned i = 0; i < n; i++) {
        struct seen *s = vec_add(&a->others);
        memcpy(s->name, all[i]->name, sizeof(s->name));
        s->start_no = all[i]->start_no;
        s->cpu = all[i]->sample ? all[i]->sample->stats.cpu_usage : UINT64_MAX;
        s->at = all[i]->sample ? all[i]->sample->read_us : 0;
    }
}

int h_why(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    uint64_t ms = INTERVAL_MS;
    const char *asked = zd_query(r, "interval_ms");
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k < 0)
        return k;
    if (asked && (parse_u64(asked, 60000, &ms) < 0 || ms < 100))
        return err_set(e, ERR_INVALID, EINVAL, "interval_ms: 100 to 60000 is wanted");
    struct asking *a = xcalloc(1, sizeof(*a));
    *a = (struct asking){.d = d, .r = r};
    memcpy(a->name, z->name, sizeof(a->name));
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    take(d, z, all, n);
    remember(a, z, all, n);
    k = sd_event_add_time_relative(d->event, &a->timer, CLOCK_MONOTONIC, ms * 1000, 0, on_time, a);
    if (k < 0) {
        vec_done(&a->others);
        free(a);
        return err_sysk(e, ERR_INTERNAL, -k, "timer");
    }
    return 0;
}
