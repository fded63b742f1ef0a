/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by h_apply.c, apply_check.c and apply_less.c: several specs that become what the zones are. */
#pragma once
#include "zoned/networks.h"
#include "zoned/zoned.h"

struct apply_job;
struct apply_item {
    struct apply_job *job;
    const char *file;
    char *text, *old; /* what its file is to say, and says; old NULL: a zone that is new */
    struct spec *spec;
    json *view;        /* its line of the answer; the job's list holds it */
    bool same, live;   /* nothing to write; a running zone changes at once */
    bool takes, gives; /* something that only one zone can have, or a promise */
    bool lessened;     /* what it gives up is given up, the rest has to follow */
    bool done;
    struct lease_change lease; /* while all are checked */
    struct zone_lease was;
    bool leased, aside;
};
enum apply_phase { APPLY_GIVE, APPLY_TAKE, APPLY_BACK };
struct apply_job {
    struct zd *d;
    struct zd_request *r;
    struct apply_item *at;
    unsigned n, pending, takers;
    enum apply_phase phase;
    json *list;
    struct err e;
};

/* apply_less.c: takes out of s what of ports, names, addresses and promises `has` lacks; was there something? */
bool spec_lessen(struct spec *s, const struct spec *has);
/* What the zone has now of what only one can have: its spec, or NULL while that cannot be said. Borrowed. */
const struct spec *apply_has(const struct apply_item *it);
bool apply_is_late(const struct apply_item *it); /* gets what is its in the second round */
/* Gives up in the first round what the new spec does not have, so that others that take can have it: a copy of the new spec
 * without what it takes itself; or NULL. */
struct spec *apply_less(const struct apply_item *it);

/* apply_check.c: reads all sources into the job's items and checks them, each and all together, as they will be when all are
 * applied. Changes nothing. */
int apply_read(struct apply_job *a, const json *sources, struct problems *ps, struct err *e);
void apply_items_free(struct apply_job *a);
