/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the operations: ops.c, start.c, stop.c, restart.c, create.c, rundir.c. */
#pragma once
#include "zoned/ops.h"

/* ops.c: one operation at a time. begin: 0 = it is ours, 1 = r has joined one under way, busy. r may be NULL. */
int op_begin(struct zone *z, enum op_kind kind, struct zd_request *r, struct err *e);
/* Ends it and answers all who wait: with the zone, or with e. */
void op_end(struct zone *z, const struct err *e, const struct problems *ps);
struct waiters op_take_waiters(struct zone *z);                                 /* the caller answers them */
void op_answer(struct zone *z, const struct err *e, const struct problems *ps); /* all who wait; it goes on */
void leave_division(struct zone *z); /* the others get back what it had */
void release_run_state(struct zone *z);

/* rundir.c */
int make_run_dir(struct zone *z, struct err *e); /* and its lock; busy: a supervisor is alive */
int write_plan(struct zone *z, struct err *e);
void remove_run_dir(struct zone *z);
void drop_lock(struct zone *z);
void discard_folders(struct zone *z);

/* start.c */
int begin_start(struct zd *d, struct zone *z, struct err *e); /* its operation has begun */
void start_failed(struct zone *z, const struct err *e, const struct problems *ps);
/* op_plan for a zone that gets this root. Changes nothing. */
int plan_on(struct zd *d, struct zone *z, const struct spec *spec, const struct plan *running,
            const struct stor_root_plan *root, struct plan **out, struct problems *ps, struct err *e);

/* restart.c: all that the start of a zone that runs would refuse, asked before the zone is stopped */
int restart_check(struct zd *d, struct zone *z, struct zd_request *request,
                  struct err *e); /* NULL: nobody asked */

/* stop.c */
int ask_to_stop(struct zone *z, uint64_t timeout_ms, bool force, struct err *e);
