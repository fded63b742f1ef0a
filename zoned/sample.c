/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking statistics of many zones cheaply. What was read of a zone serves all who ask within REUSE_US, half of the
 * shortest interval. Of every zone the two brief counters are read (1.5 µs); all the others (25-50 µs) where CPU time was
 * used or memory moved since the last full look, where it is restless (something was waited for or went to a disk
 * between the last two: who starves uses no CPU), and of the others, in which nothing moves, every ten seconds for what
 * moves them from outside. A sample of all zones spends a bounded time on full looks, more where it comes seldom (who
 * scrapes four times a minute wants them all); a zone that comes short keeps its figures and their age, and it is first
 * the next time. Whoever divides takes the ages of the zone, read_us and looked_us, not the host's time. Network counters
 * are one dump for all. A question about a few zones is always answered in full and fresh. */
#include "base/clock.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/handlers.h"
#include "zoned/statistics.h"
#include <systemd/sd-event.h>
#include <time.h>

#define REUSE_US 50000
#define USE_US 100000
#define USE_OLD_US 1000000
#define IDLE_US 10000000
#define FULL_PART 200 /* of the time since the sample before: half a percent, within these */
#define FULL_LEAST_US 5000
#define FULL_MOST_US 25000

void sample_drop(struct zone *z)
{
    if (!z->sample)
        return;
    vec_done(&z->sample->links);
    free(z->sample->text);
    free(z->sample);
    z->sample = NULL;
}

struct zone_sample *sample_of(struct zone *z)
{
    if (!z->sample) {
        z->sample = xcalloc(1, sizeof(*z->sample));
        memset(&z->sample->stats, 0xff, sizeof(z->sample->stats));
    }
    return z->sample;
}

static void forget_text(struct zone_sample *s)
{
    free(s->text);
    s->text = NULL;
}

/* CPUs in use, between two looks at least a tenth of a second apart. */
void sample_use(struct zone *z, uint64_t usage_usec)
{
    uint64_t now = clock_mono_us(), since = now - z->cpu_last_time;
    if (usage_usec == UINT64_MAX || (z->cpu_last_time && since <= USE_US))
        return;
    bool known = z->cpu_last_time && usage_usec >= z->cpu_last_usec; /* it was not started anew */
    double use = known ? (double)(usage_usec - z->cpu_last_usec) / (double)since : 0;
    if (use != z->cpu_use && z->sample)
        forget_text(z->sample);
    z->cpu_use = use;
    z->cpu_use_us = known ? since : UINT64_MAX;
    z->cpu_last_usec = usage_usec;
    z->cpu_last_time = now;
}

void sample_stale(struct zone *z)
{
    if (!z->sample)
        return;
    z->sample->links_of = 0;
    z->sample->read_us = 0;
    forget_text(z->sample);
}

static bool moves(const struct cg_stats *was, const struct cg_stats *is)
{
    bool dirty = is->mem_dirty != UINT64_MAX && is->mem_dirty; /* goes to its disk while nothing runs */
    return dirty || was->psi_cpu_some != is->psi_cpu_some || was->psi_mem_some != is->psi_mem_some ||
           was->psi_io_some != is->psi_io_some || was->io_read_ops != is->io_read_ops ||
           was->io_write_ops != is->io_write_ops;
}

static void look_full(struct zone *z)
{
    struct zone_sample *s = sample_of(z);
    struct cg_stats now;
    if (cg_read(z->group, false, &now, NULL) < 0)
        return;
    s->restless = moves(&s->stats, &now);
    s->ran = false;
    s->stats = now;
    s->full_us = s->looked_us = s->read_us = clock_mono_us();
    forget_text(s);
}

/* true: something may have moved in it since the full look, or that is long ago. */
static bool look_brief(struct zone *z)
{
    struct zone_sample *s = sample_of(z);
    struct cg_stats brief;
    if (cg_read(z->group, true, &brief, NULL) < 0)
        return false;
    if (brief.group != s->stats.group) { /* made anew: what was read is of another */
        memset(&s->stats, 0xff, sizeof(s->stats));
        s->full_us = s->looked_us = 0;
    }
    bool moved = brief.cpu_usage != s->stats.cpu_usage || brief.mem_usage != s->stats.mem_usage;
    sample_use(z, brief.cpu_usage);
    if (moved)
        forget_text(s);
    s->ran = s->ran || moved;
    s->stats.group = brief.group;
    s->stats.cpu_usage = brief.cpu_usage;
    s->stats.mem_usage = brief.mem_usage;
    s->read_us = clock_mono_us();
    if (!s->full_us || s->ran || s->restless || s->read_us - s->full_us > IDLE_US)
        return true;
    s->looked_us = s->read_us; /* as it was */
    return false;
}

static int oldest_first(const void *a, const void *b)
{
    uint64_t x = (*(struct zone *const *)a)->sample->full_us, y = (*(struct zone *const *)b)->sample->full_us;
    return (x > y) - (x < y);
}

/* Our own time: a busy machine must not make figures older. */
static uint64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t budget(uint64_t since)
{
    uint64_t part = since / FULL_PART;
    return part < FULL_LEAST_US ? FULL_LEAST_US : part > FULL_MOST_US ? FULL_MOST_US : part;
}

/* all: who is due for a look, the last `since` ago; everything: in full. */
static void look_at_all(struct zone **all, unsigned n, uint64_t since, bool everything)
{
    auto_free struct zone **due = xcalloc(n + 1, sizeof(*due));
    unsigned ndue = 0;
    for (unsigned i = 0; i < n; i++)
        if (look_brief(all[i]) || everything)
            due[ndue++] = all[i];
    qsort(due, ndue, sizeof(*due), oldest_first);
    uint64_t until = cpu_us() + budget(since);
    for (unsigned i = 0; i < ndue; i++) {
        if (!everything && i > 0 && cpu_us() > until)
            break;
        look_full(due[i]);
    }
}

/* ---- network ---- */
static void know_links(struct zd *d, struct zone *z)
{
    struct zone_sample *s = sample_of(z);
    unsigned n = z->plan ? z->plan->links.len : 0;
    if (s->links_of == z->start_no + 1 && s->links.len == n)
        return;
    s->links.len = 0;
    s->links_of = z->start_no + 1;
    for (unsigned i = 0; i < n; i++)
        vec_add(&s->links)->index = net_link_index(d->net, z->plan->links.at[i].host_ifname);
    forget_text(s);
}

static void count_links(struct zd *d, struct zone **all, unsigned n)
{
    VEC(struct net_count) wanted = {0};
    for (unsigned i = 0; i < n; i++) {
        know_links(d, all[i]);
        for (unsigned k = 0; k < all[i]->sample->links.len; k++)
            if (all[i]->sample->links.at[k].index > 0)
                *vec_add(&wanted) = all[i]->sample->links.at[k];
    }
    if (net_count_links(d->net, wanted.at, wanted.len, NULL) == 0)
        for (unsigned i = 0; i < n; i++)
            for (unsigned k = 0; k < all[i]->sample->links.len; k++) {
                struct net_count *have = &all[i]->sample->links.at[k];
                const struct net_count *got = net_count_find(wanted.at, wanted.len, have->index);
                if (!got || !got->there || !memcmp(&got->count, &have->count, sizeof(got->count)))
                    continue;
                *have = *got;
                forget_text(all[i]->sample);
            }
    vec_done(&wanted);
}

/* ---- entitlement ---- */
static void entitled(struct zone *z, double cpus, double sure)
{
    if (z->entitled == cpus && z->guaranteed == sure)
        return;
    z->entitled = cpus;
    z->guaranteed = sure;
    if (z->sample)
        forget_text(z->sample);
}

void sample_entitle(struct zd *d)
{
    struct division v;
    struct problems ps = {0};
    if (!d->division_moved)
        return;
    d->division_moved = false;
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            if (!z->plan)
                entitled(z, 0, 0);
    if (division_make(d, NULL, 0, 0, &v, &ps) == 0) {
        ledger_worst(&v.l);
        for (unsigned i = 0; i < v.l.n; i++)
            if (v.who[i].z)
                entitled(v.who[i].z, v.l.at[i].worst, v.l.at[i].sure);
    }
    problems_done(&ps);
    division_done(&v);
}

void sample_take(struct zd *d, struct zone **all, unsigned n, bool everything)
{
    auto_free struct zone **old = xcalloc(n + 1, sizeof(*old));
    uint64_t now = clock_mono_us(), since = UINT64_MAX;
    unsigned nold = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t age = all[i]->group ? now - sample_of(all[i])->read_us : 0;
        if (!all[i]->group || (!everything && age < REUSE_US))
            continue;
        since = age < since ? age : since;
        old[nold++] = all[i];
    }
    look_at_all(old, nold, since, everything);
    count_links(d, old, nold);
}

/* ---- use now ---- */
struct awaiting {
    struct zd *d;
    struct zd_request *r;
    struct sd_event_source *timer;
    sample_answer *answer;
};

/* What it would be told to use now is the mean of a longer time, or nothing is known yet. */
static bool use_is_old(const struct zone *z)
{
    uint64_t since = clock_mono_us() - z->cpu_last_time;
    return (since > USE_US ? since : z->cpu_use_us) > USE_OLD_US;
}

/* Whether there was one. */
static bool look_at_old(struct zd *d)
{
    bool any = false;
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next) {
            struct cg_stats s;
            if (!z->group || !use_is_old(z) || cg_read(z->group, true, &s, NULL) < 0)
                continue;
            sample_use(z, s.cpu_usage);
            any = true;
        }
    return any;
}

static int on_time(sd_event_source *s, uint64_t usec, void *arg)
{
    struct awaiting *a = arg;
    struct err e = {0};
    look_at_old(a->d); /* who asked meanwhile may have had the sample renewed, and the use not */
    if (a->answer(a->d, a->r, &e) < 0)
        zd_reply_error(a->r, &e, NULL);
    sd_event_source_disable_unref(a->timer);
    free(a);
    return 0;
}

int sample_answer_now(struct zd *d, struct zd_request *r, sample_answer *answer, struct err *e)
{
    if (!look_at_old(d))
        return answer(d, r, e);
    struct awaiting *a = xcalloc(1, sizeof(*a));
    *a = (struct awaiting){.d = d, .r = r, .answer = answer};
    int k = sd_event_add_time_relative(d->event, &a->timer, CLOCK_MONOTONIC, USE_US + 1000, 0, on_time, a);
    if (k < 0)
        free(a);
    return k < 0 ? err_sysk(e, ERR_INTERNAL, -k, "timer") : 0;
}
