/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the caller's as a tar. */
#pragma once
#include "base/err.h"
#include <stdint.h>

struct stor_gather_item { /* borrowed */
    const char *from;     /* below dirfd; a file or a folder with all in it */
    const char *text;     /* or a file's content */
    const char *to;       /* in the tar, absolute */
    unsigned uid, gid, mode;
    bool has_mode; /* of files; else as they are, 0644 for a text */
};
struct stor_gather {
    int dirfd;
    const struct stor_gather_item *items;
    unsigned n;
    bool has_mtime; /* else each file's own */
    uint64_t mtime;
};
/* digest: hex digits of sha256 of what was written, whatever the times. */
int stor_gather(const struct stor_gather *g, int out_fd, char digest[65], struct err *e);
