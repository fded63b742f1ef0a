/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's division among all who run: the ledger of the registry, and its way into the kernel. */
#pragma once
#include "zoned/ledger.h"
#include "zoned/zoned.h"

struct pool_entry {
    char name[SPEC_NAME_MAX + 1];
    struct spec_party *spec;
    struct cg_group *group; /* while a zone in it runs; else NULL */
    struct spec_cpu now;    /* what the group has */
    bool drifted;           /* … by us, and not in the kernel */
};
struct division { /* one ledger with what its entries are */
    struct ledger l;
    struct division_who {
        struct zone *z;
        struct pool_entry *p;
    } * who;
    unsigned first, asked; /* the entries of those that were asked for */
};
struct division_ask { /* a zone as it would be, in the spec's pool */
    struct zone *z;   /* NULL: not known yet */
    const struct spec *spec;
    bool planned; /* it asks whether it would fit, no more */
};

/* The running zones, and the n that ask, as they would be; asks[asker] is told what breaks. To be ended in either
 * case. */
int division_make(struct zd *d, const struct division_ask *asks, unsigned n, unsigned asker,
                  struct division *out, struct problems *ps);
/* The same with each in turn as asker (n > 0): *culprit's promise is the one that breaks. */
int division_try(struct zd *d, const struct division_ask *asks, unsigned n, struct division *out,
                 unsigned *culprit, struct problems *ps);
void division_done(struct division *v);
/* "PARENT" or "PARENT/POOL.pool" for a zone in this pool. malloc'd. */
char *division_parent(const struct zd *d, const char *pool);
/* The pool that a running plan's group lies in, or NULL. malloc'd. */
char *division_pool_of(const struct plan *p);

/* pools.c: the pools that there are */
int pools_open(struct zd *d, struct err *e);
void pools_free(struct zd *d);
struct pool_entry *pool_find(struct zd *d, const char *name);
char *pool_path(struct zd *d, const char *name); /* malloc'd */
/* The file is the truth: where no zone runs in the pool it is read again, else it waits for the next start or set. */
int pool_reread(struct zd *d, const char *name, struct err *e);
/* What the host's file says; -ENOENT without one. */
int host_file(struct zd *d, struct spec_party **out, struct err *e);
/* What is wrong with that file, or NULL; *pending: it says something else than counts. malloc'd. */
char *host_file_told(struct zd *d, bool *pending);
/* What the file of a pool says; -ENOENT without a file. */
int pool_file(struct zd *d, const char *name, struct spec_party **out, struct err *e);
bool pool_pending(struct zd *d, const struct pool_entry *p); /* the file says something else, or is broken */
/* A zone that changes its pool runs in the old one until its next start. */
bool pool_runs(const struct zone *z, const char *pool);
bool pool_is_named(const struct zone *z, const char *pool); /* by its spec */
int pool_ensure_up(struct zd *d, struct pool_entry *p, struct err *e);
void pool_keep(const struct zd *d, const struct pool_entry *p); /* a running one's spec, for the next zoned */
int pools_doctor(struct zd *d, struct err *e);                  /* an error if one runs without its file */
void pools_tidy(struct zd *d);                                  /* takes down those without a running zone */
struct pool_entry *pool_add(struct zd *d, const char *name, struct spec_party *spec /* taken */);
void pool_forget(struct zd *d, struct pool_entry *p);
char *pool_group(const char *name); /* "NAME.pool"; malloc'd */

/* division.c: everybody's part of the machine, and its way into the kernel */
/* Whether both ask for the same part of the machine: then a change from one to the other divides nothing anew, however many run. */
bool division_asks_same(const struct spec *a, const struct spec *b);
void division_keep(const struct plan *running, struct plan *p); /* p->cpu and p->cgroup_parent as they are */
/* Fills p->cpu and p->cgroup_parent for z with the plan's spec; a promise that would break is a problem. */
int division_plan(struct zd *d, struct zone *z, struct plan *p, struct problems *ps);
/* Writes what all running zones but `except`, their pools and the zones' part are to have now. All or nothing. */
int division_apply(struct zd *d, const struct zone *except, struct err *e);
/* The same after somebody left: there is nobody to tell of an error but the log. */
void division_left(struct zd *d);
/* The same when other top groups have come, gone or changed their weights, against which the zones' stands. */
void division_follow_tops(struct zd *d);
void division_save_plan(struct zone *z);        /* the running plan, for whoever adopts the zone */
int division_open(struct zd *d, struct err *e); /* host.yaml, pools */
void division_adopted(struct zd *d);            /* what ran before us is known */
void division_free(struct zd *d);
struct cg_limits limits_of(struct zd *d, const struct spec *s);
void check_limits(struct zd *d, const struct spec *s, struct problems *ps); /* and the pool */
void note_all(struct zone *z, json *sentences);                             /* to whoever asked; frees them */

/* remarks.c: what is kept less well than its key says; arrays of sentences */
json *plan_remarks(struct zd *d, const struct plan *p);
json *port_remarks(const struct spec *s);                 /* of them, on addresses that are not there */
json *limits_remarks(struct zd *d, const struct spec *s); /* of a zone at rest */
json *pool_remarks(struct zd *d, const struct spec_party *p);
json *host_remarks(struct zd *d); /* its part as it is now */

/* drift.c: what the kernel has against what the specs say. Each sets what is remembered as drifted and tells of a
 * change by an event; arrays as of cg_drift, with `of` for groups that zones share. */
json *drift_check(struct zd *d, struct zone *z);
json *drift_check_shared(struct zd *d, struct pool_entry *p); /* a pool's group; NULL: that of all zones */
json *drift_check_around(struct zd *d, struct zone *z);       /* the zone's, its pool's, that of all */
int drift_heal_around(struct zd *d, struct zone *z, struct err *e);
int drift_heal_shared(struct zd *d, struct pool_entry *p /* or NULL */,
                      struct err *e);            /* that of all, and p's */
void drift_notes(const json *list, json *notes); /* what was healed, in words */
int drift_doctor(struct zd *d, struct err *e);   /* an error if a shared group has drifted; looks only */
int drift_watch(struct zd *d, struct err *e);    /* looks at all running zones, a part of them each second */
