/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger: what is promised of the machine, whether one more promise fits, and what each party's cpu section
 * comes to among all who run. Pure: the caller says who there is, nothing here asks the host. */
#pragma once
#include "cgroups/cgroups.h"
#include "specs/specs.h"

struct ledger_entry { /* a zone that runs or is about to, or a pool in which one does */
    const char *name;
    const struct spec_cpu *cpu;
    const char *pool; /* the zone lies in it; NULL for zones outside and for pools */
    bool is_pool;
    uint64_t memory;  /* reserved, bytes */
    const char *held; /* CPUs that are dedicated to it already, or NULL */
    /* out, by ledger_divide */
    uint64_t *cpus;    /* bits */
    uint64_t weight;   /* 1-10000; 0: idle */
    double cap, burst; /* as they can hold; < 0 = none */
    double worst;      /* by ledger_worst: CPUs if everybody wanted all he may have */
    double sure;       /* … and those that are promised: his own, or his part of his pool's */
    int up;            /* index of its pool, or -1 */
};
struct ledger {
    /* in */
    const char *online; /* "0-3" */
    uint64_t memory;    /* of the machine, bytes */
    const struct spec_party *host;
    bool host_in_root;    /* cg_host_in_root */
    bool exclusive_cpus;  /* cg_can_exclude: what is dedicated is out of everybody's reach, the host's too */
    uint64_t top_weights; /* cg_top_weights */
    struct ledger_entry *at;
    unsigned n;
    int asks;     /* index of the entry that is new or changed, or -1: for the words only */
    bool planned; /* it asks whether it would fit: the same */
    /* out */
    unsigned cpus, words, dedicated;
    uint64_t *block; /* all bit sets */
    double zones;    /* CPUs that all zones together are sure of */
    struct cg_part part;
    char exclusive[1024];
};
/* Fills what is "out". A promise that cannot be kept is a problem of kind limit (invalid: a pool that is not
 * there), with the arithmetic; then nothing may be applied. l is to be ended in either case. */
int ledger_divide(struct ledger *l, struct problems *ps);
void ledger_worst(struct ledger *l);
void ledger_done(struct ledger *l);
/* The set as text if it says more than "all", else NULL. malloc'd. */
char *ledger_set(const struct ledger *l, const struct ledger_entry *e);
/* e's section as its group is to have it. To be ended with spec_cpu_done. */
void ledger_section(const struct ledger *l, const struct ledger_entry *e, struct spec_cpu *out);
unsigned ledger_cpus(const struct ledger *l, const struct ledger_entry *e); /* in its set */
/* ledger_part.c: weights, caps and the zones' part; the rest of ledger_divide. */
int ledger_weigh(struct ledger *l, struct problems *ps);
