/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each zone is entitled to now: weight arithmetic over all that run, as the scheduler does it under full
 * load. A weight is spread evenly over the CPUs that its zone may use; on each CPU the weights divide it.
 * Whoever reaches his limit (a cap) leaves the rest to the others, by their weights again. Pure. */
#include "base/cpus.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"

/* Of one CPU: its number, its weights, and how much of it the settled ones leave. */
struct cpu {
    unsigned no;
    double weights, left;
};

static double per_cpu(const struct entitlement *z, unsigned ncpus)
{
    unsigned n = z->set ? cpus_in_set(z->set) : ncpus;
    return n ? 1.0 / n : 0;
}

static void sum_up(const struct entitlement *at, unsigned n, struct cpu *cpus, unsigned ncpus, double whole)
{
    for (unsigned c = 0; c < ncpus; c++)
        cpus[c] = (struct cpu){.no = cpus[c].no, .left = whole / ncpus};
    for (unsigned i = 0; i < n; i++) {
        double part = per_cpu(&at[i], ncpus);
        for (unsigned c = 0; c < ncpus; c++) {
            if (!cpu_in_set(at[i].set, cpus[c].no))
                continue;
            if (at[i].settled)
                cpus[c].left -= at[i].cpus * part;
            else
                cpus[c].weights += (double)at[i].weight * part;
        }
    }
}

static double share(const struct entitlement *z, const struct cpu *cpus, unsigned ncpus)
{
    double sum = 0, part = per_cpu(z, ncpus);
    for (unsigned c = 0; c < ncpus; c++)
        if (cpu_in_set(z->set, cpus[c].no) && cpus[c].left > 0 && cpus[c].weights > 0)
            sum += (double)z->weight * part / cpus[c].weights * cpus[c].left;
    return sum;
}

/* Zones without a set see all CPUs alike: then one CPU of that size stands for all. */
static bool any_set(const struct entitlement *at, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (at[i].set && at[i].weight)
            return true;
    return false;
}

void entitle(struct entitlement *at, unsigned n, const char *online, double whole)
{
    unsigned ncpus = cpus_in_set(online), many = any_set(at, n) ? ncpus : 1;
    auto_free struct cpu *cpus = xcalloc(ncpus + 1, sizeof(*cpus));
    for (unsigned i = 0, k = 0; i < CPU_NUMBERS; i++) /* there may be gaps: offline CPUs */
        if (cpu_in_set(online, i))
            cpus[k++].no = i;
    for (unsigned i = 0; i < n; i++) {
        at[i].settled = at[i].weight == 0;
        at[i].cpus = 0;
    }
    for (bool again = true; again;) { /* each round settles one at least */
        again = false;
        sum_up(at, n, cpus, many, whole);
        for (unsigned i = 0; i < n; i++) {
            if (at[i].settled)
                continue;
            at[i].cpus = share(&at[i], cpus, many);
            if (at[i].cpus < at[i].limit)
                continue;
            at[i].cpus = at[i].limit;
            again = at[i].settled = true;
        }
    }
}
