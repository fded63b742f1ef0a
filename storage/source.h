/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an import reads from: an OCI folder or a tar that holds one, docker's kind of tar, or a root's tar. Members are found by
 * name and read where they stand; nothing is unpacked, nothing followed. */
#pragma once
#include "base/vec.h"
#include "storage/store.h"

struct img_member {
    char *name, *link; /* link: the member that it is a link to, else NULL */
    uint64_t at, size;
};
struct img_source {
    int fd;     /* of the tar, or of the folder */
    bool dir;   /* a folder */
    bool tar;   /* its members are known */
    char *name; /* the path's last part without its endings, for a name */
    VEC(struct img_member) members;
};
/* Reads a tar's headers only. Bounded: 10^6 members, names of 4,096 bytes. -EINVAL: not a tar (damaged: e is set). */
int img_tar_index(int fd, uint64_t size, struct img_source *s, struct err *e);
int img_source_open(struct img_store *st, const char *path, struct img_source *s, struct err *e);
void img_source_done(struct img_source *s);
bool img_source_has(struct img_source *s, const char *name);
/* A descriptor at *at with *size bytes to read; the caller's. */
int img_source_member(struct img_source *s, const char *name, uint64_t *at, uint64_t *size, struct err *e);
int img_source_text(struct img_source *s, const char *name, size_t max, char **text, size_t *n,
                    struct err *e);
/* Into the store; the member must be what d says. */
int img_source_blob(struct img_source *s, const char *name, struct img_store *st, const struct img_desc *d,
                    struct err *e);
/* The digest of a member, and of what comes out of it decompressed (a caged process). */
int img_source_digests(struct img_source *s, const char *name, struct img_store *st, struct img_desc *d,
                       char diff_id[IMG_DIGEST_MAX], struct err *e);
