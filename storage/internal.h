/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of storage/ share. */
#pragma once
#include "base/err.h"
#include "storage/storage.h"
struct stor_pool {
    char *dir; /* canonical */
    int fd, layers_fd, zones_fd, volumes_fd, staging_fd, tmp_fd;
};
/* Archive members into the folder dirfd, following nothing. skipped: device nodes below ./dev. */
struct stor_unpack_stats {
    uint64_t entries, bytes, skipped_devices;
};
int stor_unpack(int in_fd, int dirfd, const struct stor_bounds *b, int progress_fd, uint64_t total,
                struct stor_unpack_stats *st, struct err *e);
/* The same in a process of its own that can reach nothing but the staging folder. */
int stor_unpack_caged(int in_fd, int dirfd, const struct stor_bounds *b, int progress_fd, struct err *e);
int stor_skeleton_key(char out[80], struct err *e); /* host-HEX, from what the skeleton would copy */
int stor_skeleton_write(int dirfd, struct err *e);  /* into an empty folder */
int stor_tar_key(const char *path, char out[80], struct err *e);
bool stor_path_below(const char *path, const char *dir); /* or the same; both canonical */
/* Copies a tree with all metadata, by reflink where it can. */
int stor_copy_tree(int from, int to, const char *what, struct err *e);
int stor_tree_usage(int dirfd, const char *name, uint64_t *bytes);
int stor_zone_root_copy(int from_zone, int to_zone,
                        struct err *e); /* the record of its layers; none is none */
/* A walk in depth (walk.c). enter: > 0 go into the folder, 0 go on, -errno end. leave: back in the folder above, after
 * all of one that was gone into. path is relative to the top, borrowed. 0, what a visitor returned, or -errno: -ESTALE
 * if a folder was moved during the walk. */
struct stat;
struct stor_entry {
    int dirfd;
    const char *name, *path;
    const struct stat *st;
};
struct stor_visitor {
    int (*enter)(void *arg, const struct stor_entry *ent);
    int (*leave)(void *arg, const struct stor_entry *ent); /* st is NULL */
    void *arg;
};
int stor_walk(int dirfd, const struct stor_visitor *v);
