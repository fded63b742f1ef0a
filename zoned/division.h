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
};
struct division { /* one ledger with what its entries are */
    struct ledger l;
    struct division_who {
        struct zone *z;
        struct pool_entry *p;
    } * who;
    int self; /* the index of the zone that was asked for, or -1 */
};

/* The running zones, and z as `spec` would have it (in its running pool if it runs, else in the spec's); z may be
 * NULL; a spec whose zone is not known is given as `spec` alone. To be ended in either case. */
int division_make(struct zd *d, struct zone *z, const struct spec *spec, struct division *out,
                  struct problems *ps);
void division_done(struct division *v);
/* "PARENT" or "PARENT/POOL.pool" for a zone in this pool. malloc'd. */
char *division_parent(const struct zd *d, const char *pool);
/* The pool that a running plan's group lies in, or NULL. malloc'd. */
char *division_pool_of(const struct plan *p);

/* pools.c: the pools that there are */
int pools_open(struct zd *d, struct err *e);
void pools_free(struct zd *d);
struct pool_entry *pool_find(struct zd *d, const char *name);
/* The name of a zone that is configured or runs in it, or NULL. */
const char *pool_user(struct zd *d, const char *name);
int pool_ensure_up(struct zd *d, struct pool_entry *p, struct err *e);
void pools_tidy(struct zd *d); /* takes down those without a running zone */
struct pool_entry *pool_add(struct zd *d, const char *name, struct spec_party *spec /* taken */);
void pool_forget(struct zd *d, struct pool_entry *p);
char *pool_group(const char *name); /* "NAME.pool"; malloc'd */
