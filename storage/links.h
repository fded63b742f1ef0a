/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files with several names that a walk has met: where each was seen first. Any number of them, looked up in one step. */
#pragma once
#include "base/vec.h"
#include <stdint.h>
#include <sys/stat.h>

struct stor_link {
    ino_t ino;
    dev_t dev;
    char *path;
};
struct stor_links { /* {0} is empty */
    VEC(struct stor_link) all;
    unsigned *slots, nslots; /* index in all, plus 1; 0 = free */
    uint64_t probes;         /* slots looked at, ever: what a test counts */
};
/* Where this file was seen before, borrowed; NULL: never, and from now on it is known by path. */
const char *stor_links_seen(struct stor_links *l, const struct stat *st, const char *path);
void stor_links_done(struct stor_links *l);
