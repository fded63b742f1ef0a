/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations that change a zone. */
#pragma once
#include "zoned/zoned.h"

/* ops.c: the operations */
int op_may_start(const struct zd *d, struct err *e); /* busy: zoned is shutting down */
int op_start(struct zd *d, struct zone *z, struct zd_request *r, struct session_start *s, struct err *e);
/* Who asked (zd_request_id), if the answer is due yet, waits no longer than this for the end of the zone's operation, which goes on. */
void op_patience(struct zd *d, const char *zone, uint64_t request, uint64_t timeout_ms);
int op_stop(struct zd *d, struct zone *z, struct zd_request *r, uint64_t timeout_ms, bool force,
            enum op_kind kind, struct err *e);
int op_delete(struct zd *d, struct zone *z, struct zd_request *r, bool force, struct err *e);
int op_create(struct zd *d, const char *name, const char *text, bool ephemeral, struct zone **out,
              struct problems *ps, struct err *e);
void op_tidy_soon(struct zd *d);
void op_running(struct zone *z);                    /* the supervisor says so */
void op_stopped(struct zone *z, const json *event); /* … */
void op_lost(struct zone *z);                       /* the supervisor's connection ended */
/* sharers.c: zones that have another's network */
const char *sharer_owner(const struct spec *s);        /* zone:NAME; NULL: has its own */
char *sharer_lost(struct zd *d, const struct zone *z); /* why it runs without one, or NULL; malloc'd */
int sharers_refuse(struct zd *d, const struct zone *z, const char *hint,
                   struct err *e);        /* busy: who shares */
void sharers_lose(struct zone *z);        /* its stack has ended: they are told of */
void sharers_follow(struct zone *owner);  /* it runs: who had an older stack is restarted */
void sharers_refresh(struct zone *owner); /* its links are others */
void sharers_adopt(struct zd *d);
int sharers_doctor(struct zd *d, struct err *e);
/* Files of the zone are read (shared: several may) or written by a worker: no other operation begins until unhold. */
int op_hold(struct zone *z, enum op_kind kind, bool shared, struct err *e);
void op_unhold(struct zone *z);
/* running: the plan that an update changes; its links keep their names, and spec has what the image says. NULL: the next
 * start's. */
int op_plan(struct zd *d, struct zone *z, const struct spec *spec, const struct plan *running,
            struct plan **out, struct problems *ps, struct err *e);
void zone_note(struct zone *z, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* update.c: what of `spec` can change in a running zone becomes what the zone has, all else waits for its next start; done tells
 * when, unless the call fails. old_text: what the file said before, put back when the supervisor refuses (the caller does it
 * when the call fails). */
typedef void (*zone_update_done)(struct zone *z, const struct err *e, void *arg);
int zone_update(struct zd *d, struct zone *z, const struct spec *spec, const char *old_text,
                struct problems *ps, zone_update_done done, void *arg, struct err *e);
/* The update of a spec that is as it was, because what is around the running zone changed. what: a literal, for the log of a
 * failure. */
void zone_refresh(struct zone *z, const char *what);
void zone_claims_back(struct zone *z); /* the ports and names of its plan are its own again */
void zone_put_back(struct zd *d, struct zone *z, const char *old_text);
