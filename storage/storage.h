/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on disk: roots (host, dir:, tar:), unpacked layers shared by zones, each zone's own changes,
 * volumes, archives in and out. Ids on disk are zone-relative. Gives plain detached-able descriptors; mounts
 * nothing itself. Sources: overlayfs.rst, tar(5), libarchive(3), ioctl_ficlone(2). */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "specs/specs.h"
#include <stdbool.h>
#include <stdint.h>

struct stor_pool; /* the data folder: DIR/{layers,zones,volumes,staging,tmp}, each below a 0700 folder of root
                   */
/* Makes missing folders (0700 root), checks owner and mode of what is there; refuses an unknown format
 * version, and a filesystem where overlay or idmapped mounts cannot work is the caller's check. */
int stor_pool_open(const char *dir, struct stor_pool **out, struct err *e);
/* Folders that are never given to a zone, nor what is below or above them, beside the pool itself: zoned's own, and those of other
 * daemons. Copied; what was said before is forgotten. */
void stor_pool_never(struct stor_pool *p, char *const *folders);
/* Deletes what dead workers left in staging/ and tmp/. Only the daemon that owns the pool, before its first
 * worker. */
void stor_pool_clear(struct stor_pool *p);
/* A folder of a job's own in staging/, as /tmp is; O_PATH, the caller's. discard: into the trash; 1: there was one. */
int stor_work_make(struct stor_pool *p, const char *name, struct err *e);
int stor_work_discard(struct stor_pool *p, const char *name);
void stor_pool_free(struct stor_pool *p);
int stor_pool_fd(const struct stor_pool *p); /* the folder's fd, borrowed */

/* Where a zone's root comes from. */
struct stor_root_plan {
    char *image;     /* as in the spec: host, dir:/path, tar:/path */
    char **lowers;   /* names below layers/, uppermost first; for dir: empty and lower_dir set */
    char *lower_dir; /* dir:/path: the canonical host path, else NULL */
    bool host_usr;   /* image: host */
    char *manifest;  /* digest of an OCI image's manifest, else NULL */
    json *config;    /* an OCI image's config object (Entrypoint, Env, …), data of a stranger; NULL: none */
};
json *stor_root_to_json(const struct stor_root_plan *r);
int stor_root_from_json(const json *j, struct stor_root_plan *out, struct err *e);
void stor_root_done(struct stor_root_plan *r);

/* Checks the reference and the source without side effects: missing, empty, not a folder, a symlink, not an
 * archive, not in the image store. */
int stor_image_check(struct stor_pool *p, const char *image, struct err *e);
/* Bounds for unpacking, adjustable. 0 fields: the defaults of contract.md (10^6 entries, 32 GiB or free disk
 * less 5 %). */
struct stor_bounds {
    uint64_t entries, bytes;
};
/* Makes the layers that the image needs (unpacks a tar once per content, writes the host skeleton) and fills
 * *out. SLOW: call it in a worker. progress_fd (or -1) gets lines "bytes_done bytes_total\n". Two at once do
 * the work once. */
int stor_image_prepare(struct stor_pool *p, const char *image, const struct stor_bounds *b, int progress_fd,
                       struct stor_root_plan *out, struct err *e);
/* The config object of an image of the store (from its blobs where it is not unpacked); NULL where there is no such image, and for
 * other roots. Reads two small files. */
int stor_image_config(struct stor_pool *p, const char *image, json **config, struct err *e);
/* True if prepare would have nothing slow to do; then it may be called inline. */
bool stor_image_ready(struct stor_pool *p, const char *image);

/* The layers that a zone was installed from, kept in its folder. load: true if there is a record for this image and
 * all its layers are there (*out, or NULL to ask only). host and dir: have none; saving them does nothing. */
int stor_zone_root_save(const struct stor_pool *p, const char *zone, const struct stor_root_plan *r,
                        bool sync, struct err *e);
bool stor_zone_root_load(const struct stor_pool *p, const char *zone, const char *image,
                         struct stor_root_plan *out);

/* ---- a zone's own folder: zones/NAME/{upper,work,log,…} ---- */
int stor_zone_create(struct stor_pool *p, const char *zone, struct err *e); /* -EEXIST conflict */
/* Keeps an empty folder ready, so that the next create is one rename. For the daemon's idle moments. */
void stor_zone_prepare(struct stor_pool *p);
int stor_zone_delete(struct stor_pool *p, const char *zone,
                     struct err *e); /* renames into tmp/ first, then deletes; missing ok */
/* The first half of a delete: the name is free at once; stor_trash_empty does the rest. */
int stor_zone_discard(struct stor_pool *p, const char *zone, struct err *e);
/* At most so many entries, 0: all. -EAGAIN (e untouched) where there is more; the first failure ends nothing. */
int stor_trash_empty(struct stor_pool *p, unsigned long most, struct err *e);
int stor_zone_rename(struct stor_pool *p, const char *from, const char *to, struct err *e);
/* Copies src's own changes by reflink, else by copy (hard links, xattrs, times, devices kept). dst must not
 * exist. */
int stor_zone_clone(struct stor_pool *p, const char *src, const char *dst, struct err *e);
int stor_zone_fd(const struct stor_pool *p, const char *zone,
                 struct err *e); /* O_PATH fd of zones/NAME; caller's */
int stor_zone_list(const struct stor_pool *p, char ***names, struct err *e);
/* Bytes that the zone's own changes take (allocated blocks). */
int stor_zone_usage(const struct stor_pool *p, const char *zone, uint64_t *bytes, struct err *e);
/* What changed against the image: calls add with 'A', 'C' or 'D' and the path. Reads as data (R1). */
int stor_zone_diff(const struct stor_pool *p, const char *zone, const struct stor_root_plan *root,
                   void (*add)(void *arg, char kind, const char *path), void *arg, struct err *e);
/* Writes files of ours into the zone's upper (etc/hosts, etc/hostname, etc/machine-id, etc/resolv.conf, …), owner
 * 0:0; parents 0755. Through descriptors, following nothing. Only while the zone is stopped. */
struct stor_file {
    char *path; /* below the root, without a leading slash */
    char *text;
    unsigned mode;
};
int stor_zone_put(const struct stor_pool *p, const char *zone, const struct stor_file *files, unsigned n,
                  struct err *e);
bool stor_zone_has(const struct stor_pool *p, const char *zone, const char *path); /* in upper */

/* ---- a zone's package: what it is made of may change as a whole, and go back (switch.c) ---- */
/* Texts kept in the zone's folder: "package", "spec". get: -ENOENT. */
int stor_zone_note_put(const struct stor_pool *p, const char *zone, const char *name, const char *text,
                       struct err *e);
int stor_zone_note_get(const struct stor_pool *p, const char *zone, const char *name, char **text);
/* The new self, whole and on disk: from here the change goes forward only. Put the note "spec" (what is configured now) before. */
int stor_zone_stage(const struct stor_pool *p, const char *zone, const struct stor_root_plan *root,
                    const char *package, const char *spec, struct err *e);
int stor_zone_stage_back(const struct stor_pool *p, const char *zone,
                         struct err *e);                             /* the former self; not_found */
void stor_zone_unstage(const struct stor_pool *p, const char *zone); /* what a kill has left half made */
bool stor_zone_staged(const struct stor_pool *p, const char *zone);
bool stor_zone_has_previous(const struct stor_pool *p, const char *zone);
/* Idempotent. Gives the new self's spec, which the caller writes where specs are; then the change is ended. */
int stor_zone_switch(const struct stor_pool *p, const char *zone, char **spec, struct err *e);
int stor_zone_switched(const struct stor_pool *p, const char *zone, struct err *e);

/* Descriptors (O_PATH) for the rootfs step; -1 where there is none. caller's. */
struct stor_root_fds {
    int layers_fd; /* the common parent of lowers: layers/; or lower_dir */
    char **lowers; /* names below layers_fd; "." alone: itself */
    int zone_fd;   /* zones/NAME */
    int usr_fd;    /* /usr */
};
int stor_root_open(const struct stor_pool *p, const char *zone, const struct stor_root_plan *r,
                   struct stor_root_fds *out, struct err *e);
void stor_root_fds_done(struct stor_root_fds *f);

/* ---- volumes ---- */
int stor_volume_create(struct stor_pool *p, const char *name, struct err *e);     /* existing: conflict */
int stor_volume_discard(struct stor_pool *p, const char *name, struct err *e);    /* as stor_zone_discard */
int stor_volume_open(const struct stor_pool *p, const char *name, struct err *e); /* O_PATH fd; not_found */
/* A new volume wants what the root has at target (volume_fill.c); again after a kill is fine. Only for a forked process that ends
 * afterwards. */
bool stor_volume_is_new(const struct stor_pool *p, const char *name);
int stor_volume_fill(const struct stor_pool *p, const char *name, const struct stor_root_plan *root,
                     const char *target, struct err *e);
/* A volume that goes with its zone (run --rm); owner: the zone's machine-id. */
int stor_volume_own(const struct stor_pool *p, const char *name, const char *owner, struct err *e);
bool stor_volume_is_own(const struct stor_pool *p, const char *name, const char *owner);
int stor_volume_list(const struct stor_pool *p, char ***names, struct err *e);
int stor_volume_usage(const struct stor_pool *p, const char *name, uint64_t *bytes, struct err *e);
/* A host path for a bind mount: absolute, canonical, exists, not inside our data folder or what stor_pool_never named, not
 * /, /proc, /sys, /dev itself. O_PATH fd; *is_file told. */
int stor_bind_open(const struct stor_pool *p, const char *path, bool *is_file, struct err *e);

/* ---- archives: run these in a process that has the zone's credentials and root as "/" (cp, clone between
 * hosts) ---- */
/* Writes a tar of path (a file or a folder with all below) to out_fd; the member names begin with the last
 * component. */
int stor_archive_pack(int root_fd, const char *path, int out_fd, struct err *e);
/* Unpacks a tar from in_fd into path (a folder, or with one member a new file name); nothing leaves root_fd.
 */
int stor_archive_unpack(int root_fd, const char *path, int in_fd, const struct stor_bounds *b, struct err *e);

/* For df: [{what: images|layers|zones|volumes, name, bytes, shared}] */
int stor_df(const struct stor_pool *p, json **out, struct err *e);
