/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From reservations to weights. No kernel knob reserves CPU: a group gets weight / (sum of weights) of each CPU
 * that it runs on, so a promise is a weight that depends on everybody else's. Under full load a group of weight w
 * on n CPUs weighs w / n on each of them. The least weights that keep all promises are found as transmit powers
 * are in a radio network: everybody in turn takes the least that gives him his part against what the others
 * have now, until nothing moves; where the promises can be kept at all this converges, and to the least
 * solution (a "standard interference function"). Pure. */
#include "zoned/weigh.h"
#include "base/auto.h"
#include "base/mem.h"
#include <stdbool.h>
#include <stddef.h>

#define ROUNDS 300
#define TOLERANCE 1e-5
#define DENSITY_MAX 1e9

struct work {
    struct weigh_party *at;
    double *density; /* of each party, on each CPU of its set */
    double *total;   /* of each CPU */
    unsigned n, words;
};

static unsigned cpus_of(const struct work *w, unsigned i)
{
    unsigned n = 0;
    for (unsigned k = 0; k < w->words; k++)
        n += (unsigned)__builtin_popcountll(w->at[i].cpus[k]);
    return n ? n : 1;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): c is the name that it declares */
#define EACH_CPU(w, i, c)                                                                                    \
    for (unsigned c = 0; c < (w)->words * 64; c++)                                                           \
        if ((w)->at[i].cpus[c / 64] >> (c % 64) & 1)
/* NOLINTEND(bugprone-macro-parentheses) */

static double gets(const struct work *w, unsigned i, double x)
{
    double sum = 0;
    EACH_CPU(w, i, c) sum += x / (x + w->total[c] - w->density[i] + 1e-12);
    return sum;
}

/* The least density, not below its shares', that gets what it wants. */
static double least(const struct work *w, unsigned i)
{
    double low = (double)w->at[i].shares / cpus_of(w, i), high = low;
    if (gets(w, i, low) >= w->at[i].wants)
        return low;
    while (gets(w, i, high) < w->at[i].wants && high < DENSITY_MAX)
        high *= 2;
    for (int step = 0; step < 50; step++) {
        double mid = (low + high) / 2;
        if (gets(w, i, mid) < w->at[i].wants)
            low = mid;
        else
            high = mid;
    }
    return high;
}

static void set_density(struct work *w, unsigned i, double x)
{
    EACH_CPU(w, i, c) w->total[c] += x - w->density[i];
    w->density[i] = x;
}

static bool round_once(struct work *w)
{
    bool moved = false;
    for (unsigned i = 0; i < w->n; i++) {
        if (w->at[i].wants <= 0 || !w->at[i].shares)
            continue;
        double x = least(w, i), was = w->density[i];
        set_density(w, i, x);
        moved = moved || x > was * (1 + TOLERANCE) || x < was * (1 - TOLERANCE);
    }
    return moved;
}

/* Rounded up: a promise may come out larger, never smaller for that. Weights that do not fit are scaled. */
static void to_weights(struct work *w)
{
    double most = 0, scale = 1;
    for (unsigned i = 0; i < w->n; i++) {
        double weight = w->density[i] * cpus_of(w, i);
        most = weight > most ? weight : most;
    }
    if (most > WEIGHT_MAX)
        scale = WEIGHT_MAX / most;
    for (unsigned i = 0; i < w->n; i++) {
        double weight = w->density[i] * cpus_of(w, i) * scale;
        uint64_t whole = (uint64_t)weight;
        whole += weight - (double)whole > 1e-6 && w->at[i].wants > 0;
        w->at[i].weight = !w->at[i].shares ? 0 : whole < 1 ? 1 : whole > WEIGHT_MAX ? WEIGHT_MAX : whole;
    }
}

void weigh(struct weigh_party *at, unsigned n, unsigned words)
{
    auto_free double *density = xcalloc(n + 1, sizeof(double));
    auto_free double *total = xcalloc((size_t)words * 64, sizeof(double));
    struct work w = {at, density, total, n, words};
    bool promised = false;
    for (unsigned i = 0; i < n; i++) {
        at[i].weight = at[i].shares;
        promised = promised || at[i].wants > 0;
    }
    if (!promised)
        return;
    for (unsigned i = 0; i < n; i++)
        set_density(&w, i, (double)at[i].shares / cpus_of(&w, i));
    for (int round = 0; round < ROUNDS && round_once(&w); round++)
        ;
    to_weights(&w);
    for (unsigned i = 0; i < n; i++)
        set_density(&w, i, (double)at[i].weight / cpus_of(&w, i));
    for (unsigned i = 0; i < n; i++)
        at[i].gets = gets(&w, i, density[i]);
}
