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
/* A folder that is open for as long as files are made in it. */
struct unpack_dir {
    int fd;
    unsigned users;
};
/* A regular file with all that it holds. */
struct unpack_file {
    struct unpack_dir *dir;
    char *path, *base; /* base: where the last part of path begins */
    struct unpack_folder meta;
    char *data;
    size_t size;
};
struct unpack_crew;
struct unpacker {
    struct archive *a;
    const struct stor_unpack_job *job;
    struct unpack_dir top;
    bool keep_owner;
    struct stor_bounds bounds;
    struct stor_unpack_stats st;
    char *parent_path; /* of the folder that is open in parent; NULL: none */
    struct unpack_dir *parent;
    struct unpack_folder *folders;
    struct unpack_crew *crew;
};
void unpack_dir_release(struct unpack_dir *d); /* NULL is nothing */
int unpack_refuse(struct err *e, const char *name, const char *why);
const char *unpack_link_target(struct archive_entry *ent); /* of a hard link, or NULL */
/* unpack_node.c: the entry as base in dir (path is for messages and for folders); what was there goes. */
int unpack_node(struct unpacker *u, struct archive_entry *ent, struct unpack_dir *dir, const char *base,
                const char *path, struct err *e);
/* -EEXIST without a word: something is there that has to make room. Whichever thread. */
int unpack_file_make(const struct unpacker *u, const struct unpack_file *f, struct err *e);
int unpack_file_replace(struct unpacker *u, const struct unpack_file *f,
                        struct err *e); /* the reader's thread */
void unpack_file_done(struct unpack_file *f);
int unpack_hardlink(struct unpacker *u, int from_dir, const char *from, int dir, const char *base,
                    const char *path, struct err *e);
int unpack_remember_folder(struct unpacker *u, struct archive_entry *ent, const char *path, struct err *e);
int unpack_finish_folders(struct unpacker *u, bool apply, struct err *e); /* frees them */
/* unpack_whiteout.c: 1: the name was one of aufs' marks and is done. */
int unpack_whiteout(struct unpacker *u, int dir, const char *base, const char *path, struct err *e);
int unpack_make_opaque(int dir, const char *base, const char *path, struct err *e);
bool unpack_is_whiteout(const struct stat *st);
/* unpack_crew.c: several threads make the small files, because the kernel's part of making one is most of the work; what they
 * make is as if it had been made in the archive's order. NULL: there is one CPU, or no thread to be had. */
struct unpack_crew *unpack_crew_new(struct unpacker *u);
/* Before anything is done at path (or at target): nothing under way is at, above or below it then. NULL: anywhere. */
int unpack_crew_clear(struct unpack_crew *c, const char *path, const char *target, struct err *e);
int unpack_crew_give(struct unpack_crew *c, struct unpack_file *f /* taken, also on failure */,
                     struct err *e);
int unpack_crew_end(struct unpack_crew *c, struct err *e); /* waits and frees; the first failure of all */
