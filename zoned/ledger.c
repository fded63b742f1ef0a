/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger's arithmetic. CPUs: whole ones are dedicated first, then what is reserved must fit into the rest,
 * then everybody's set is what is left of it. weigh.c turns reservations into weights. Memory: what is reserved
 * must fit into the machine. Shares promise nothing and are never refused. */
#include "zoned/ledger.h"
#include "base/mem.h"
#include "base/str.h"
#include "zoned/weigh.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>

#define MIB 1048576.0
#define LEAST 0.01 /* CPUs: the smallest cap */
#define GRAIN 1e-9

/* ---- sets of CPUs ---- */
static bool has(const uint64_t *set, unsigned cpu)
{
    return set[cpu / 64] >> (cpu % 64) & 1;
}

static void put(uint64_t *set, unsigned cpu)
{
    set[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

static unsigned count(const struct ledger *l, const uint64_t *set)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->words; i++)
        n += (unsigned)__builtin_popcountll(set[i]);
    return n;
}

static bool within(const struct ledger *l, const uint64_t *a, const uint64_t *b)
{
    for (unsigned i = 0; i < l->words; i++)
        if (a[i] & ~b[i])
            return false;
    return true;
}

static void parse(const struct ledger *l, const char *text, uint64_t *set)
{
    uint16_t *cpus = NULL;
    unsigned n = 0;
    if (!text || spec_parse_cpuset(text, &cpus, &n) < 0)
        return;
    for (unsigned i = 0; i < n; i++)
        if (cpus[i] < l->words * 64)
            put(set, cpus[i]);
    free(cpus);
}

static char *print(const struct ledger *l, const uint64_t *set)
{
    struct str s = {0};
    for (unsigned c = 0; c < l->words * 64; c++) {
        unsigned first = c;
        if (!has(set, c))
            continue;
        while (c + 1 < l->words * 64 && has(set, c + 1))
            c++;
        str_addf(&s, c > first ? "%s%u-%u" : "%s%u", s.len ? "," : "", first, c);
    }
    return str_take(&s);
}

/* Bit sets: one for each entry, then online, taken and shared. */
static uint64_t *set_of(const struct ledger *l, unsigned i)
{
    return l->block + (size_t)i * l->words;
}
#define ONLINE(l) set_of(l, (l)->n)
#define TAKEN(l) set_of(l, (l)->n + 1)
#define SHARED(l) set_of(l, (l)->n + 2)
#define SCRATCH(l) set_of(l, (l)->n + 3)

static void begin(struct ledger *l)
{
    uint16_t *cpus = NULL;
    unsigned n = 0;
    if (spec_parse_cpuset(l->online, &cpus, &n) < 0)
        n = 0;
    l->words = n ? cpus[n - 1] / 64u + 1 : 1;
    l->cpus = n;
    free(cpus);
    l->block = xcalloc((size_t)(l->n + 4) * l->words, sizeof(uint64_t));
    parse(l, l->online, ONLINE(l));
    for (unsigned i = 0; i < l->n; i++) {
        l->at[i].cpus = set_of(l, i);
        l->at[i].up = -1;
        for (unsigned k = 0; l->at[i].pool && k < l->n; k++)
            if (l->at[k].is_pool && str_eq(l->at[k].name, l->at[i].pool))
                l->at[i].up = (int)k;
    }
}

/* ---- words ---- */
static double reserved(const struct ledger_entry *e)
{
    return e->cpu->reserved > 0 && !e->cpu->dedicated ? e->cpu->reserved : 0; /* whole CPUs hold it */
}

static double host_reserved(const struct ledger *l)
{
    return l->host && l->host->cpu.reserved > 0 ? l->host->cpu.reserved : 0;
}

static uint64_t host_memory(const struct ledger *l)
{
    return l->host && l->host->memory.reserved != SPEC_UNSET ? l->host->memory.reserved : 0;
}

static const char *kind(const struct ledger_entry *e)
{
    return e->is_pool ? "pool" : "zone";
}

/* Whose promise is asked for: a zone that is the first of its pool brings the pool's. NULL: the host. */
static const struct ledger_entry *asker(const struct ledger *l, bool memory)
{
    const struct ledger_entry *a = l->asks >= 0 ? &l->at[l->asks] : NULL;
    return a && !memory && a->up >= 0 ? &l->at[a->up] : a;
}

/* Promised to it: CPUs or bytes; NULL: the host. What lies in a pool is a part of the pool's CPUs. */
static double promised(const struct ledger *l, const struct ledger_entry *e, bool memory)
{
    if (!e)
        return memory ? (double)host_memory(l) : host_reserved(l);
    if (memory)
        return (double)e->memory;
    return e->up >= 0 ? 0 : reserved(e) + (double)e->cpu->dedicated;
}

/* "the host 0.5, zone web 1, pool batch 2 dedicated": who has what, but the one who asks. */
static char *who_has(const struct ledger *l, const struct ledger_entry *but, bool memory)
{
    struct str s = {0};
    for (unsigned i = 0; i <= l->n && s.len < 300; i++) {
        const struct ledger_entry *e = i ? &l->at[i - 1] : NULL;
        double has_ = promised(l, e, memory);
        if (e == but || has_ <= 0)
            continue;
        str_addf(&s, "%s%s%s%s ", s.len ? ", " : "", e ? kind(e) : "the host", e ? " " : "",
                 e ? e->name : "");
        if (memory)
            str_addf(&s, "%.0f MiB", has_ / MIB);
        else
            str_addf(&s, "%g%s", has_, e && e->cpu->dedicated ? " dedicated" : "");
    }
    if (!s.len)
        str_add(&s, "nobody");
    return str_take(&s);
}

/* The remedy: what would fit, who has the most to give back, and how to ask beforehand. `left` as text. */
static void advise(const struct ledger *l, const struct ledger_entry *asks, bool memory, const char *left,
                   struct problems *ps)
{
    const struct ledger_entry *most = NULL;
    double most_has = 0;
    for (unsigned i = 0; i <= l->n; i++) {
        const struct ledger_entry *e = i ? &l->at[i - 1] : NULL;
        if (e == asks || promised(l, e, memory) <= most_has)
            continue;
        most = e;
        most_has = promised(l, e, memory);
    }
    const char *key = memory                         ? "memory.reserved"
                      : most && most->cpu->dedicated ? "cpu.dedicated"
                                                     : "cpu.reserved";
    auto_free char *from =
        most_has > 0 ? xasprintf("%szonectl %sset %s %s=… takes some back", left ? ", or " : "",
                                 most && most->is_pool ? "pool " : "", most ? most->name : "@host", key)
                     : NULL;
    problem_hint(ps, "%s%s%s%s%s", left ? "ask for at most " : "", left ? left : "", from ? from : "",
                 left || from ? "; " : "",
                 l->asks >= 0 && !l->at[l->asks].is_pool && !l->planned
                     ? "zonectl plan -f SPEC tells beforehand what fits"
                     : "zonectl stats tells who uses what");
}

/* As a value of its key, or NULL if nothing would fit. One CPU stays undedicated, and zones have some of all. */
static char *what_fits(const struct ledger *l, const struct ledger_entry *asks, double left)
{
    double most = asks ? left : l->cpus - LEAST;
    bool whole = asks && asks->cpu->dedicated;
    if (whole)
        most = l->cpus - 1;
    for (unsigned i = 0; whole && i < l->n; i++)
        most -= l->at[i].up < 0 && &l->at[i] != asks ? (double)l->at[i].cpu->dedicated : 0;
    most = most < left ? most : left;
    if (most < (whole ? 1 : LEAST))
        return NULL;
    return whole ? xasprintf("%u", (unsigned)most) : xasprintf("%g", most);
}

static void refuse(struct ledger *l, struct problems *ps, const char *key, double asked, double others)
{
    const struct ledger_entry *a = asker(l, false);
    bool brings = a && a != &l->at[l->asks];
    double left = l->cpus - others > 0 ? l->cpus - others : 0;
    auto_free char *who = who_has(l, a, false), *fits = what_fits(l, a, left);
    problem_add(ps, ERR_LIMIT, NULL, 0, key,
                "%s%s%sasks for %g CPUs, but of %u CPUs %g are promised (%s): %g are left",
                brings ? "its pool " : "", brings ? a->name : "", brings ? " " : "", asked, l->cpus, others,
                who, left);
    advise(l, a, false, fits, ps);
}

/* ---- promises that are sums ---- */
static void check_sums(struct ledger *l, struct problems *ps)
{
    double sum = host_reserved(l);
    uint64_t whole = 0;
    for (unsigned i = 0; i < l->n; i++) {
        sum += promised(l, &l->at[i], false);
        whole += l->at[i].up >= 0 ? 0 : l->at[i].cpu->dedicated;
    }
    const struct ledger_entry *a = asker(l, false);
    double own = promised(l, a, false);
    const char *key = a && a->cpu->dedicated ? "cpu.dedicated" : "cpu.reserved";
    if (sum > l->cpus + GRAIN) {
        refuse(l, ps, key, own, sum - own);
    } else if (whole && whole >= l->cpus) {
        problem_add(ps, ERR_LIMIT, NULL, 0, "cpu.dedicated",
                    "%llu of %u CPUs would be dedicated: at least one must stay for everybody else",
                    (unsigned long long)whole, l->cpus);
        problem_hint(ps, "dedicate fewer, or promise a part of them: cpu.reserved");
    } else if (l->cpus - host_reserved(l) < LEAST) {
        problem_add(ps, ERR_LIMIT, NULL, 0, "cpu.reserved",
                    "%g of %u CPUs for the host leaves nothing to zones", host_reserved(l), l->cpus);
        problem_hint(ps, "ask for at most %g", l->cpus - LEAST);
    }
}

static void check_memory(struct ledger *l, struct problems *ps)
{
    uint64_t sum = host_memory(l);
    for (unsigned i = 0; i < l->n; i++) {
        if (sum + l->at[i].memory < sum) /* 2^64 and more */
            sum = UINT64_MAX;
        else
            sum += l->at[i].memory;
    }
    const struct ledger_entry *a = asker(l, true);
    uint64_t own = a ? a->memory : host_memory(l);
    if (sum <= l->memory || !own)
        return;
    auto_free char *who = who_has(l, a, true);
    double others = (double)(sum - own) / MIB, total = (double)l->memory / MIB,
           left = total > others ? total - others : 0;
    problem_add(ps, ERR_LIMIT, NULL, 0, "memory.reserved",
                "asks for %.0f MiB, but of %.0f MiB %.0f MiB are promised (%s): %.0f MiB are left",
                (double)own / MIB, total, others, who, left);
    auto_free char *fits = left >= 1 ? xasprintf("%lluM", (unsigned long long)left) : NULL;
    advise(l, a, true, fits, ps);
}

static void check_pool(struct ledger *l, unsigned pool, struct problems *ps)
{
    const struct ledger_entry *p = &l->at[pool];
    double sum = 0, has_ = p->cpu->dedicated ? (double)p->cpu->dedicated : reserved(p);
    for (unsigned i = 0; i < l->n; i++)
        if (l->at[i].up == (int)pool)
            sum += reserved(&l->at[i]);
    if (sum <= has_ + GRAIN)
        return;
    problem_add(ps, ERR_LIMIT, NULL, 0, "cpu.reserved",
                "the zones of pool %s would be promised %g CPUs together, the pool has %g", p->name, sum,
                has_);
    problem_hint(ps, "promise less in it, or give the pool more: zonectl pool set %s cpu.%s=…", p->name,
                 p->cpu->dedicated ? "dedicated" : "reserved");
}

/* What is reserved by those who can use only these CPUs must fit on them. */
static void check_sets(struct ledger *l, struct problems *ps)
{
    for (unsigned i = 0; i < l->n; i++) {
        const struct ledger_entry *e = &l->at[i];
        double sum = 0;
        if (e->up >= 0 || e->cpu->dedicated || reserved(e) <= 0)
            continue;
        for (unsigned k = 0; k < l->n; k++)
            if (l->at[k].up < 0 && !l->at[k].cpu->dedicated && within(l, l->at[k].cpus, e->cpus))
                sum += reserved(&l->at[k]);
        if (sum <= count(l, e->cpus) + GRAIN)
            continue;
        auto_free char *set = print(l, e->cpus);
        problem_add(ps, ERR_LIMIT, NULL, 0, "cpu.reserved",
                    "%g CPUs are promised on CPU %s alone, which %s %u", sum, set,
                    count(l, e->cpus) == 1 ? "is only" : "are only", count(l, e->cpus));
        problem_hint(ps, "promise less, or let one of them use more CPUs: zonectl %sset %s cpu.set=…",
                     e->is_pool ? "pool " : "", e->name);
        return;
    }
}

/* ---- dedicated CPUs ---- */
/* Would somebody else with a set of his own be left without a CPU? */
static bool starves(struct ledger *l, unsigned self, unsigned cpu)
{
    for (unsigned i = 0; i < l->n; i++) {
        int up = l->at[i].up;
        if (i == self || up == (int)self || l->at[i].cpu->dedicated || !l->at[i].cpu->set)
            continue;
        uint64_t *set = SCRATCH(l);
        memset(set, 0, l->words * sizeof(*set));
        parse(l, l->at[i].cpu->set, set);
        unsigned left = 0;
        for (unsigned w = 0; w < l->words; w++)
            set[w] &= (ONLINE(l)[w] & ~TAKEN(l)[w]) | (up >= 0 ? l->at[up].cpus[w] : 0);
        set[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
        left = count(l, set);
        if (!left)
            return true;
    }
    return false;
}

/* Has a zone in this pool a set with this CPU, and none of the pool's in it yet? */
static bool wanted_inside(struct ledger *l, unsigned self, unsigned cpu)
{
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i].up != (int)self || !l->at[i].cpu->set)
            continue;
        uint64_t *set = SCRATCH(l);
        memset(set, 0, l->words * sizeof(*set));
        parse(l, l->at[i].cpu->set, set);
        bool met = false;
        for (unsigned w = 0; w < l->words; w++)
            met = met || (set[w] & l->at[self].cpus[w]);
        if (!met && has(set, cpu))
            return true;
    }
    return false;
}

static void take(struct ledger *l, struct ledger_entry *e, unsigned cpu, uint64_t *missing)
{
    put(e->cpus, cpu);
    put(TAKEN(l), cpu);
    (*missing)--;
}

/* What it has it keeps, as long as it asks for so many; new ones come from the top, because CPU 0 has the most
 * of the kernel's own work. */
static void dedicate(struct ledger *l, unsigned self, bool keep, struct problems *ps)
{
    struct ledger_entry *e = &l->at[self];
    uint64_t missing = e->cpu->dedicated - count(l, e->cpus);
    auto_free uint64_t *may = xcalloc(l->words, sizeof(*may)), *held = xcalloc(l->words, sizeof(*held));
    if (e->cpu->set)
        parse(l, e->cpu->set, may);
    else
        memcpy(may, ONLINE(l), l->words * sizeof(*may));
    parse(l, e->held, held);
    for (int inside = e->is_pool; inside >= 0; inside--) /* first what its zones can run on */
        for (unsigned c = l->words * 64; c-- > 0 && missing;)
            if (has(may, c) && has(ONLINE(l), c) && !has(TAKEN(l), c) && (!keep || has(held, c)) &&
                (!inside || wanted_inside(l, self, c)) && !starves(l, self, c))
                take(l, e, c, &missing);
    if (keep || !missing)
        return;
    problem_add(
        ps, ERR_LIMIT, NULL, 0, "cpu.dedicated",
        "%s %s asks for %llu whole CPUs%s%s; %llu could not be found: taken already, or others could run "
        "nowhere else",
        kind(e), e->name, (unsigned long long)e->cpu->dedicated, e->cpu->set ? " of " : "",
        e->cpu->set ? e->cpu->set : "", (unsigned long long)missing);
    problem_hint(ps, "ask for fewer%s; or let the others' cpu.set and cpu.dedicated leave them free",
                 e->cpu->set ? ", or widen its cpu.set" : "");
}

static void settle_sets(struct ledger *l, struct problems *ps)
{
    for (int keep = 1; keep >= 0; keep--)
        for (unsigned i = 0; i < l->n; i++)
            if (l->at[i].cpu->dedicated && l->at[i].up < 0)
                dedicate(l, i, keep, ps);
    l->dedicated = count(l, TAKEN(l));
    for (unsigned w = 0; w < l->words; w++)
        SHARED(l)[w] = ONLINE(l)[w] & ~TAKEN(l)[w];
    for (int inner = 0; inner < 2; inner++) /* pools before the zones in them */
        for (unsigned i = 0; i < l->n; i++) {
            struct ledger_entry *e = &l->at[i];
            if ((e->up >= 0) != inner || e->cpu->dedicated)
                continue;
            const uint64_t *may = e->up >= 0 ? l->at[e->up].cpus : SHARED(l);
            if (e->cpu->set)
                parse(l, e->cpu->set, e->cpus);
            for (unsigned w = 0; w < l->words; w++)
                e->cpus[w] = e->cpu->set ? e->cpus[w] & may[w] : may[w];
            auto_free char *left = count(l, e->cpus) ? NULL : print(l, may);
            if (left) {
                problem_add(ps, ERR_LIMIT, NULL, 0, "cpu.set",
                            "none of the CPUs %s of %s %s is left to it (%s)", e->cpu->set ? e->cpu->set : "",
                            kind(e), e->name,
                            e->up >= 0 ? "the pool has others" : "they are dedicated to others");
                problem_hint(ps, "choose among %s: cpu.set=%s", left, left);
            }
        }
}

int ledger_divide(struct ledger *l, struct problems *ps)
{
    unsigned before = ps->len;
    begin(l);
    for (unsigned i = 0; i < l->n; i++)
        if (l->at[i].pool && l->at[i].up < 0)
            problem_add(ps, ERR_NOT_FOUND, NULL, 0, "cpu.pool",
                        "pool %s does not exist (zonectl pool create %s)", l->at[i].pool, l->at[i].pool);
    check_sums(l, ps);
    check_memory(l, ps);
    if (ps->len == before)
        settle_sets(l, ps);
    for (unsigned i = 0; i < l->n && ps->len == before; i++)
        if (l->at[i].is_pool)
            check_pool(l, i, ps);
    if (ps->len == before)
        check_sets(l, ps);
    if (ps->len > before)
        return -ENOSPC;
    auto_free char *exclusive = l->dedicated ? print(l, TAKEN(l)) : NULL;
    snprintf(l->exclusive, sizeof(l->exclusive), "%s", exclusive ? exclusive : "");
    return ledger_weigh(l, ps);
}

char *ledger_set(const struct ledger *l, const struct ledger_entry *e)
{
    return within(l, ONLINE(l), e->cpus) && !e->cpu->set ? NULL : print(l, e->cpus);
}

unsigned ledger_cpus(const struct ledger *l, const struct ledger_entry *e)
{
    return count(l, e->cpus);
}

void ledger_section(const struct ledger *l, const struct ledger_entry *e, struct spec_cpu *out)
{
    *out = (struct spec_cpu){.shares = e->weight ? e->weight : 1,
                             .cap = e->cap,
                             .burst = e->burst,
                             .reserved = -1,
                             .dedicated = e->cpu->dedicated,
                             .set = ledger_set(l, e),
                             .idle = e->cpu->idle};
}

void ledger_done(struct ledger *l)
{
    free(l->block);
    l->block = NULL;
}
