/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program of the host that we keep running beside the zones (lxcfs, dnsmasq): one process, its folder below RUN
 * with pid, lock and log. It outlives zoned: pid and start time are its proof of life, and the next zoned adopts
 * it. When it dies it is started again, after growing pauses when it dies at once. Inside zoned only. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct zd;
struct sd_event_source;

struct service {
    struct zd *d;
    const char *name; /* for messages and the event NAME_died */
    char *dir;        /* RUN/…, made where missing; owned */
    char **argv;      /* argv[0]: the program's path; owned */
    /* Each may be NULL. before: nothing of it runs, a new process is about to; inside: in the new process, before the
     * exec (its stdio is set, all other descriptors are closed), < 0 gives up; up: it runs, adopted or new; down: it
     * died and will be started again. */
    int (*before)(void *arg, struct err *e);
    int (*inside)(void *arg);
    int (*up)(void *arg, struct err *e);
    void (*down)(void *arg);
    void *arg;
    struct err problem; /* why it does not run */
    /* the room's own */
    pid_t pid;
    bool adopted;
    int pidfd;
    struct sd_event_source *died, *again;
    unsigned deaths;
    uint64_t started_us;
};
/* Adopts the one that runs or starts one; a failure is kept in problem, logged, and tried again by itself. */
void service_start(struct service *s);
bool service_runs(const struct service *s);
bool service_adopted(const struct service *s); /* it ran before we came */
void service_kill(struct service *s);          /* one that does not do its work: its death starts another */
void service_restart(struct service *s);       /* what it remembers goes; not a death */
/* Lets go of it. end: it ends, and its folder goes. Idempotent; a zeroed one is fine. */
void service_close(struct service *s, bool end);
/* The same for one that nobody knows any more but by its folder. */
void service_end(const char *dir);
