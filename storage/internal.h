/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of storage/ share. */
#pragma once
#include "base/err.h"
#include "storage/storage.h"
struct stor_pool {
    char *dir;    /* canonical */
    char **never; /* canonical: given to no zone; strv or NULL */
    int fd, layers_fd, zones_fd, volumes_fd, staging_fd, tmp_fd;
};
/* Archive members into the folder dirfd, following nothing. skipped: device nodes below ./dev. */
struct stor_unpack_stats {
    uint64_t entries, bytes, skipped_devices;
    uint64_t implied; /* folders of a layer that its archive does not name */
};
struct stor_unpack_job {
    int in_fd, dirfd, progress_fd; /* -1: no progress */
    uint64_t total;                /* bytes of in_fd, 0: unknown */
    const struct stor_bounds *bounds;
    bool
        layer; /* a layer's plain tar: .wh. names become whiteouts and opaque folders; in_fd is read to its end */
    struct stor_unpack_stats stats; /* out */
};
int stor_unpack(struct stor_unpack_job *j, struct err *e);
/* Rule R8: a process that can reach nothing but the folder and its descriptors (cage.c). wait says how it ended. */
enum stor_cage_work { CAGE_UNPACK, CAGE_INFLATE };
struct stor_cage {
    int pid, answer;
    enum stor_cage_work work;
};
#define STOR_CAGE_NONE ((struct stor_cage){-1, -1, CAGE_UNPACK})
int stor_cage_start(struct stor_cage *c, enum stor_cage_work work, const struct stor_unpack_job *j,
                    struct err *e);
int stor_cage_wait(struct stor_cage *c, struct stor_unpack_stats *stats, struct err *e);
void stor_cage_kill(struct stor_cage *c); /* and reaps; one that is gone is fine */
/* Rules for a seccomp filter (scmp_filter_ctx): calls with any arguments; threads, in no other namespace. 0 or -errno. */
int stor_allow_calls(void *filter, const int *calls, size_t n);
int stor_allow_threads(void *filter);
/* start and wait */
int stor_unpack_caged(struct stor_unpack_job *j, struct err *e);
/* What comes out of in_fd decompressed (gzip, zstd; else as it is) to out_fd; bounds->bytes and a ratio bound it. */
int stor_inflate(int in_fd, int out_fd, const struct stor_bounds *b, struct err *e);
void stor_default_bounds(int dirfd, const struct stor_bounds *b, struct stor_bounds *out);
void stor_volume_mark(const struct stor_pool *p, const char *name); /* it is new: volume_fill.c */
/* layer.c. hold: a shared lock (fd) that keeps a prune off what is being adopted; busy if not wait. */
int stor_layers_hold(const struct stor_pool *p, bool wait, struct err *e);
/* layers/key, filled by fill unless it is there. sync: it is on disk when this returns. */
int stor_layer_make(struct stor_pool *p, const char *key, bool sync,
                    int (*fill)(void *arg, int dirfd, struct err *e), void *arg, struct err *e);
/* image_root.c: an image of the store as a root. load: at once, where it is unpacked (-ENOENT: not; out NULL to ask only). */
int img_root_check(struct stor_pool *p, const char *image, struct err *e);
int img_root_config(struct stor_pool *p, const char *image, json **config, struct err *e);
int img_root_load(struct stor_pool *p, const char *image, struct stor_root_plan *out, struct err *e);
int img_root_prepare(struct stor_pool *p, const char *image, const struct stor_bounds *b,
                     struct stor_root_plan *out, struct err *e);
/* Layers of a former boot that were not surely on the disk go: they are unpacked again. */
void img_recover(struct stor_pool *p);
int stor_skeleton_key(char out[80], struct err *e); /* host-HEX, from what the skeleton would copy */
int stor_skeleton_write(int dirfd, struct err *e);  /* into an empty folder */
int stor_tar_key(const char *path, char out[80], struct err *e);
bool stor_path_below(const char *path, const char *dir); /* or the same; both canonical */
/* Refuses what is, has or is below a folder that no zone is given: the pool, and those of stor_pool_never. real: canonical. */
int stor_not_ours(const struct stor_pool *p, const char *real, enum err_kind kind, struct err *e);
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
