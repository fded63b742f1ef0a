/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of unpacking share. */
#pragma once
#include "storage/internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <time.h>

#define OVERLAY_OPAQUE "user.overlay.opaque"
#define IMPLIED_MARK "user.overlay.zoned.implied" /* image_patch.c; overlay keeps this kind to itself */

struct unpack_attr {
    char *name;
    void *value;
    size_t size;
};
/* What a folder gets when all that is in it is there: entries change its times, a default ACL would be inherited, and so would
 * a setgid folder's group. */
struct unpack_folder {
    char *path;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
    struct unpack_attr *attrs;
    unsigned nattrs;
    struct unpack_folder *next;
};
struct unpacker {
    struct archive *a;
    const struct stor_unpack_job *job;
    int root;
    bool keep_owner;
    struct stor_bounds bounds;
    struct stor_unpack_stats st;
    char *parent_path; /* of the folder that is open in parent; NULL: none */
    int parent;
    struct unpack_folder *folders;
};
int unpack_refuse(struct err *e, const char *name, const char *why);
const char *unpack_link_target(struct archive_entry *ent); /* of a hard link, or NULL */
/* unpack_node.c: the entry as base in dir (path is for messages and for folders); what was there goes. */
int unpack_node(struct unpacker *u, struct archive_entry *ent, int dir, const char *base, const char *path,
                struct err *e);
int unpack_hardlink(struct unpacker *u, int from_dir, const char *from, int dir, const char *base,
                    const char *path, struct err *e);
int unpack_remember_folder(struct unpacker *u, struct archive_entry *ent, const char *path, struct err *e);
int unpack_finish_folders(struct unpacker *u, bool apply, struct err *e); /* frees them */
/* unpack_whiteout.c: 1: the name was one of aufs' marks and is done. */
int unpack_whiteout(struct unpacker *u, int dir, const char *base, const char *path, struct err *e);
int unpack_make_opaque(int dir, const char *base, const char *path, struct err *e);
bool unpack_is_whiteout(const struct stat *st);
