/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fork server keeps for the supervisors: a zone's descriptors by name, and how its PID 1 ended. */
#pragma once
#include "base/fd.h"
#include "base/json.h"
#include "base/vec.h"

struct keeper {
    char *zone;
    json *names;
    int fds[FD_MSG_MAX_FDS];
    unsigned n;
    pid_t pid;
    bool ended;
    int wait_status;
};
struct keepers {
    struct keeper *at;
    unsigned len, cap;
};

struct keeper *kept_find(const struct keepers *k, const char *zone); /* NULL: nothing is kept */
/* fds, one for each of names, are taken (-1 is left). The same pid again: what was seen of its end is not forgotten. */
void kept_put(struct keepers *k, const char *zone, pid_t pid, json *names, int *fds);
void kept_drop(struct keepers *k, const char *zone);
void kept_ended(struct keepers *k, pid_t pid, int wait_status);
