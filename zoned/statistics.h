/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What zones use and what they are entitled to, sampled, told and explained. */
#pragma once
#include "zoned/zoned.h"

/* entitle.c: pure */
struct entitlement {
    uint64_t weight; /* 0: asks for nothing */
    const char *set; /* CPUs that it may use; NULL: all */
    double limit;    /* CPUs that it can use at most: cap, set */
    double cpus;     /* out */
    bool settled;
};
/* online: the CPUs that there are; whole: how many to divide, at most all (what is dedicated or kept for the host is not theirs). */
void entitle(struct entitlement *at, unsigned n, const char *online, double whole);

/* sample.c: taking statistics of many zones cheaply */
struct zone_sample {
    struct cg_stats stats;
    uint64_t full_us;   /* when all of it was read */
    uint64_t looked_us; /* when that was last seen to hold: nothing moves in it */
    uint64_t read_us;   /* of CPU time and memory, which are newer, and of the links */
    bool ran, restless; /* since full_us; between the last two */
    VEC(struct net_count) links;
    uint64_t links_of; /* start_no + 1 */
    char *text;        /* the API's object, while nothing in it moved */
    enum zone_state text_state;
};
struct zone_sample *sample_of(struct zone *z);
void sample_drop(struct zone *z);
void sample_stale(struct zone *z); /* another spec, other links */
/* everything: in full and now; else what was read just now or what a bounded look gives. */
void sample_take(struct zd *d, struct zone **all, unsigned n, bool everything);
void sample_entitle(struct zd *d); /* entitled, guaranteed of all, if the division has changed */
void sample_use(struct zone *z, uint64_t usage_usec); /* keeps z->cpu_use */
/* Has the request answered when z->cpu_use of all is what they use now: at once where somebody has looked of late, else after
 * a second look a tenth of a second later. */
struct zd_request;
typedef int sample_answer(struct zd *d, struct zd_request *r, struct err *e);
int sample_answer_now(struct zd *d, struct zd_request *r, sample_answer *answer, struct err *e);

/* stats.c: statistics as the API tells them */
json *host_stats(struct zd *d);
char *stats_text(struct zd *d, char *const *names, struct err *e); /* malloc'd JSON; NULL: no such zone */

/* why.c: pure */
struct why_zone {
    const char *name, *set;
    enum zone_state state;
    double used, entitled, cap;         /* CPUs */
    double held, throttled;             /* of the cap's periods; seconds */
    double wait_cpu, wait_mem, wait_io; /* parts of the time */
    double read, write, refaults;       /* bytes a second */
    uint64_t mem, mem_cap, oom_kills;   /* mem_cap: SPEC_UNSET = none */
    bool cut; /* cap is below that of the spec: v1 lets no group have more than the one above it */
    bool io_capped;
    bool idle;  /* cpu.idle of its own: it gets what the others on its CPUs leave */
    bool mate;  /* of self's pool */
    bool blind; /* nobody counts what its tasks wait for: wait_… say nothing */
};
enum why_bound { WHY_SET, WHY_DEDICATED, WHY_POOL, WHY_OTHERS }; /* whose doing a zone's set is */
struct why_facts {
    struct why_zone self;
    enum why_bound
        bound; /* self's set: its own, its dedicated CPUs, its pool's, what others' dedicated ones leave */
    bool gone; /* its groups were removed */
    const char *moved;             /* where somebody has moved its PID 1, or NULL */
    const struct why_zone *others; /* names, sets and CPUs of the other running zones */
    unsigned nothers, cpus;
    double seconds, host_used;
    const char *pool;               /* or NULL */
    bool pool_idle;                 /* the pool's cpu.idle */
    double pool_cap, pool_held;     /* … as the kernel has it */
    double all_cap, all_held;       /* of the quota on all zones together; < 0: none */
    bool pool_foreign, all_foreign; /* somebody else wrote that cap */
};
/* {zone, cause, neighbour, text, seconds, counters}: cap, pool, reserved, memory, io, set, dedicated, machine, idle,
 * neighbour, host, none, unknown, paused, not_running, no_groups, moved. */
json *why_decide(const struct why_facts *f);
