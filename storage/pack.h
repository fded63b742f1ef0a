/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree as a tar with all that it carries. */
#pragma once
#include "storage/internal.h"

struct stor_pack_options {
    bool
        layer; /* an overlay's upper folder: whiteouts and opaque folders become aufs' names; else they are left out */
    bool has_epoch; /* nothing is newer than epoch (seconds) */
    uint64_t epoch;
    char *const *skip; /* paths that are left out with all below, NULL: none */
};
/* Names are relative to dirfd ("./" for the top), folders before what is in them. Bytes are told to sink in order. */
int stor_pack_tree(int dirfd, const struct stor_pack_options *o,
                   int (*sink)(void *arg, const void *data, size_t n, struct err *e), void *arg,
                   struct err *e);
