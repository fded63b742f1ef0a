/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The second half of the ledger: weights, caps, the zones' part against the host's, and what each party would
 * get if everybody wanted all he may have. Pure. */
#include "base/mem.h"
#include "base/str.h"
#include "zoned/ledger.h"
#include "zoned/statistics.h"
#include "zoned/weigh.h"
#include "zoned/zoned.h"
#include <errno.h>

#define ROOM 0.1   /* of what is promised to nobody */
#define SLACK 0.98 /* weights are whole numbers */

static double reserved(const struct ledger_entry *e)
{
    return e->cpu->reserved > 0 && !e->cpu->dedicated ? e->cpu->reserved : 0; /* whole CPUs hold it */
}

static double host_reserved(const struct ledger *l)
{
    return l->host && l->host->cpu.reserved > 0 ? l->host->cpu.reserved : 0;
}

/* A quota on all zones stops them on all CPUs alike: while they want all CPUs, this is what each of them has of its time. */
static double part_of_cpu(const struct ledger *l)
{
    return l->part.cap > 0 ? l->part.cap / l->cpus : 1;
}

static double capped(const struct ledger_entry *e, double cpus)
{
    return e->cap > 0 && e->cap < cpus ? e->cap : cpus;
}

/* What a party with CPUs of its own has of them. */
static double own_cpus(const struct ledger *l, const struct ledger_entry *e)
{
    return capped(e, ledger_cpus(l, e) * part_of_cpu(l));
}

/* What a pool was promised, and what it is sure of: a reservation inside it is a part of that. */
static double pool_promised(const struct ledger *l, const struct ledger_entry *p)
{
    return p->cpu->dedicated ? (double)ledger_cpus(l, p) : reserved(p);
}

static double pool_sure(const struct ledger *l, const struct ledger_entry *p)
{
    return p->cpu->dedicated ? own_cpus(l, p) : capped(p, reserved(p));
}

/* In a partition. The kernel gives a group's weight to each CPU by the load that the group has there: what such a party weighed
 * would be taken from its siblings' part of the other CPUs, and itself it competes with nobody. */
static bool on_its_own(const struct ledger *l, const struct ledger_entry *e)
{
    return l->exclusive_cpus && e->cpu->dedicated;
}

/* Siblings compete with each other: those outside of pools (up = -1), those of one pool. Who has CPUs of his own
 * competes with nobody. `scale`: CPUs that they weigh for, for one that they get. -EDOM: a promise cannot be kept so. */
static int weigh_level(struct ledger *l, int up, double scale, struct problems *ps)
{
    auto_free struct weigh_party *party = xcalloc(l->n + 1, sizeof(*party));
    auto_free unsigned *who = xcalloc(l->n + 1, sizeof(*who));
    unsigned n = 0;
    int r = 0;
    for (unsigned i = 0; i < l->n; i++) {
        struct ledger_entry *e = &l->at[i];
        e->weight = e->up != up ? e->weight : on_its_own(l, e) ? 1 : e->cpu->shares;
        if (e->up != up || e->cpu->dedicated)
            continue;
        who[n] = i;
        party[n++] = (struct weigh_party){
            .cpus = e->cpus, .shares = e->cpu->idle ? 0 : e->cpu->shares, .wants = reserved(e) * scale};
    }
    weigh(party, n, l->words);
    for (unsigned k = 0; k < n; k++) {
        const struct ledger_entry *e = &l->at[who[k]];
        l->at[who[k]].weight = party[k].weight;
        if (party[k].wants <= 0 || party[k].gets >= party[k].wants * SLACK)
            continue;
        r = -EDOM;
        if (!ps)
            continue;
        bool host = up < 0 && l->part.cap > 0;
        problem_add(
            ps, ERR_LIMIT, NULL, 0, "cpu.reserved",
            "%s %s is promised %g CPUs and would get %.2f: on the CPUs of its set too much is promised "
            "to others%s",
            e->is_pool ? "pool" : "zone", e->name, reserved(e), party[k].gets / scale,
            host ? " and to the host, whose part is taken of every CPU alike" : "");
        problem_hint(ps, "give all of them the same cpu.set, or it dedicated CPUs%s",
                     host ? "; or leave less to the host: zonectl set @host cpu.reserved=…" : "");
    }
    return r;
}

static void weigh_outside(struct ledger *l, struct problems *ps)
{
    double scale = 1 / part_of_cpu(l);
    if (l->part.cap <= 0 && l->zones > l->dedicated)
        scale = (l->cpus - l->dedicated) / (l->zones - l->dedicated);
    (void)weigh_level(l, -1, scale, ps);
}

/* Promises inside go by what the pool was promised; where it has less (a cap, a quota on all zones) they are weighed for that, if
 * they can be kept so. */
static void weigh_pool(struct ledger *l, unsigned pool, struct problems *ps)
{
    const struct ledger_entry *p = &l->at[pool];
    double cpus = ledger_cpus(l, p), promised = pool_promised(l, p), sure = pool_sure(l, p);
    if (sure <= 0 || sure >= promised || weigh_level(l, (int)pool, cpus / sure, NULL) < 0)
        (void)weigh_level(l, (int)pool, promised > 0 ? cpus / promised : 1, ps);
}

static uint64_t clamp(double weight, double low, double high)
{
    weight = weight > high ? high : weight;
    weight = weight < low ? low : weight; /* a zone's promise goes first */
    return weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : (uint64_t)weight;
}

/* Host tasks in the root group have no weight that could be set against ours: our weight is as high as it goes
 * once a zone has a promise, and the host's part is what a quota on all zones leaves. Elsewhere the other top
 * groups have weights, and arithmetic does both, on those CPUs that zones and host compete for: a partition's
 * CPUs need no weight to be kept. */
static void settle_part(struct ledger *l)
{
    double promised = 0, zones = 0, host = host_reserved(l), tops = (double)l->top_weights;
    double apart = l->exclusive_cpus ? l->dedicated : 0, cpus = l->cpus - apart;
    for (unsigned i = 0; i < l->n; i++) {
        const struct ledger_entry *e = &l->at[i];
        if (e->up >= 0)
            continue;
        promised += reserved(e) + (on_its_own(l, e) ? 0 : (double)e->cpu->dedicated);
        zones += e->cpu->idle || on_its_own(l, e) ? 0 : (double)e->cpu->shares;
    }
    l->zones = l->cpus;
    l->part.exclusive = l->exclusive[0] ? l->exclusive : NULL;
    if (l->host_in_root) {
        l->part.cap = host > 0 ? l->cpus - host : 0;
        l->part.weight = promised > 0 ? WEIGHT_MAX : 0;
        l->zones = l->cpus - host;
        return;
    }
    bool shares = l->host && l->host->cpu.shares != SPEC_UNSET && l->host->cpu.shares;
    double sure =
        promised <= 0 ? 0 : promised + (cpus - host - promised) * ROOM; /* who has no promise lives too */
    double low = sure < cpus ? tops * sure / (cpus - sure) + 0.999 : WEIGHT_MAX;
    double high = host <= 0 ? WEIGHT_MAX : tops * (cpus - host) / host;
    double want = shares && zones > 0 ? tops * zones / (double)l->host->cpu.shares : 100;
    l->part.weight = tops > 0 ? clamp(want, low, high) : 0;
    l->part.cap = tops > 0 || host <= 0 ? 0 : l->cpus - host;
    if (l->part.cap > 0)
        l->zones = l->part.cap;
    else if (tops > 0)
        l->zones = apart + cpus * (double)l->part.weight / ((double)l->part.weight + tops);
}

/* v1 refuses a cap above that of any group around it (tg_cfs_schedulable_down), where it would mean nothing anyway: who lies in a
 * pool without a cap is held by the parent's. */
static void settle_caps(struct ledger *l)
{
    for (int inner = 0; inner < 2; inner++)
        for (unsigned i = 0; i < l->n; i++) {
            struct ledger_entry *e = &l->at[i];
            if ((e->up >= 0) != inner)
                continue;
            double bound = e->up >= 0 && l->at[e->up].cap > 0 ? l->at[e->up].cap : l->part.cap;
            e->cap = e->cpu->cap > 0 ? e->cpu->cap : -1;
            if (e->cap > 0 && bound > 0 && bound < e->cap)
                e->cap = bound;
            e->burst = e->cpu->burst > 0 && e->cap > 0 ? e->cpu->burst : -1;
            if (e->burst > e->cap)
                e->burst = e->cap;
        }
}

int ledger_weigh(struct ledger *l, struct problems *ps)
{
    unsigned before = ps->len;
    settle_part(l);
    settle_caps(l);
    weigh_outside(l, ps);
    for (unsigned i = 0; i < l->n; i++)
        if (l->at[i].is_pool)
            weigh_pool(l, i, ps);
    return ps->len > before ? -ENOSPC : 0;
}

/* ---- if everybody wanted all ---- */
/* `cpus` are divided among the siblings of one level, each within his set and cap; sure: of what is promised. */
static void share_out(struct ledger *l, int up, double cpus, bool sure)
{
    auto_free struct entitlement *at = xcalloc(l->n + 1, sizeof(*at));
    unsigned here = up >= 0 ? ledger_cpus(l, &l->at[up]) : l->cpus - l->dedicated;
    for (unsigned i = 0; i < l->n; i++) {
        const struct ledger_entry *e = &l->at[i];
        if (e->up != up || e->cpu->dedicated)
            continue;
        at[i].weight = e->weight;
        at[i].limit = capped(e, ledger_cpus(l, e));
        at[i].set = ledger_set(l, e);
    }
    /* entitle spreads the whole over all CPUs; sets say which of them are meant here */
    entitle(at, l->n, l->online, here ? cpus * l->cpus / here : 0);
    for (unsigned i = 0; i < l->n; i++) {
        struct ledger_entry *e = &l->at[i];
        if (e->up != up)
            continue;
        double gets = e->cpu->dedicated ? own_cpus(l, e) : at[i].cpus;
        if (!sure)
            e->worst = gets;
        else if (gets > e->sure)
            e->sure = gets;
        free((char *)at[i].set);
    }
}

void ledger_worst(struct ledger *l)
{
    double shared = l->part.cap > 0           ? (l->cpus - l->dedicated) * part_of_cpu(l)
                    : l->zones > l->dedicated ? l->zones - l->dedicated
                                              : 0;
    share_out(l, -1, shared, false);
    for (unsigned i = 0; i < l->n; i++)
        l->at[i].sure = l->at[i].cpu->dedicated ? own_cpus(l, &l->at[i]) : reserved(&l->at[i]);
    for (unsigned i = 0; i < l->n; i++) {
        if (!l->at[i].is_pool)
            continue;
        share_out(l, (int)i, l->at[i].worst, false);
        if (pool_sure(l, &l->at[i]) > 0)
            share_out(l, (int)i, pool_sure(l, &l->at[i]), true);
    }
    for (unsigned i = 0; i < l->n; i++) /* a cap around it, or a quota, may leave less than was promised */
        if (l->at[i].sure * SLACK > l->at[i].worst)
            l->at[i].sure = l->at[i].worst;
}
