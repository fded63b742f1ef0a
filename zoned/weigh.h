/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Weights that keep reservations among siblings. */
#pragma once
#include <stdint.h>

#define WEIGHT_MAX 10000

struct weigh_party {
    const uint64_t *cpus; /* bits: where it may run */
    uint64_t shares;      /* the least weight; 0: takes only what is left, and is left out */
    double wants;         /* CPUs that it must get when everybody wants all; 0 = no promise */
    uint64_t weight;      /* out, 1 to WEIGHT_MAX; 0 for shares 0 */
    double gets;          /* out, where something is promised: CPUs if everybody wants all */
};
/* Who has no promise keeps his shares as weight, as long as the weights fit. */
void weigh(struct weigh_party *at, unsigned n, unsigned words);
