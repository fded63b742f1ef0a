/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of the image store share. Folder POOL/images: oci-layout, index.json, blobs/ALGORITHM/HEX, and
 * staging/ALGORITHM-HEX.part, which lives on over restarts so that a transfer goes on where it stopped. roots/ALGORITHM-HEX says
 * which layers an unpacked image is made of, layers/KEY.json what was unpacked; both can be made again from the blobs. */
#pragma once
#include "base/str.h"
#include "storage/images.h"
#include "storage/internal.h"
#include <openssl/evp.h>

#define MANIFEST_MAX (4u << 20)
#define INDEX_DEPTH 4

struct img_store {
    struct stor_pool *pool; /* borrowed */
    int fd;                 /* images/ */
    int staging_fd;
    int lock_fd;    /* shared while anybody adds or uses what a prune might take */
    bool has_epoch; /* what is made has this time */
    uint64_t epoch; /* seconds */
    void (*progress)(void *arg, const struct img_progress *p);
    void *progress_arg;
    void (*note)(void *arg, const char *text);
    void *note_arg;
};
void img_tell(struct img_store *s, const char *item, const char *phase, uint64_t done, uint64_t total);
void img_note(struct img_store *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A digest that is computed piece by piece. */
struct img_hash {
    EVP_MD_CTX *ctx;
    char algorithm[8]; /* sha256, sha512 */
};
int img_hash_start(struct img_hash *h, const char *digest_or_algorithm,
                   struct err *e); /* again: from nothing */
void img_hash_add(struct img_hash *h, const void *data, size_t n);
void img_hash_end(struct img_hash *h, char out[IMG_DIGEST_MAX]);
void img_hash_done(struct img_hash *h);
/* blobs/ALGORITHM/HEX of a checked digest. */
int img_blob_path(const char *digest, char out[IMG_DIGEST_MAX + 16], struct err *e);
/* A name of one part for a checked digest: ALGORITHM-HEX. */
void img_key(const char *digest, char out[IMG_DIGEST_MAX]);

/* image_index.c: index.json. An entry is a descriptor with or without a name. */
#define REF_NAME "org.opencontainers.image.ref.name"
int img_index_load(int images_fd, json **out, struct err *e); /* none: an empty one */
const char *img_entry_name(const json *entry);                /* NULL: unnamed */
int img_entry_desc(const json *entry, struct img_desc *d, struct err *e);
json *img_index_find(const json *index, const char *canonical); /* borrowed, or NULL */
int img_index_lock(struct img_store *s, struct err *e);         /* fd: whoever replaces a file of the store */
int img_index_save(struct img_store *s, const json *index, struct err *e); /* under the lock, or alone */
bool img_is_index(const struct img_desc *d);
bool img_is_index_type(const char *media_type);
bool img_is_manifest_type(const char *media_type); /* manifest.c */

/* image_load.c */
/* Fills config_json and the layers' diff ids; pure. */
int img_config_parse(const char *text, size_t n, struct img_image *i, struct err *e);
int img_load(struct img_store *s, const struct img_desc *manifest, struct img_image *out, struct err *e);
/* A manifest, or an index through which to find the platform's. */
int img_load_any(struct img_store *s, const struct img_desc *d, const struct img_platform *p,
                 struct img_image *out, struct err *e);
/* Calls fn for every blob that d needs, d first; children of an index that are not there are left out. */
int img_each_blob(struct img_store *s, const struct img_desc *d, unsigned depth,
                  int (*fn)(void *arg, const struct img_desc *d, const struct img_image *of), void *arg,
                  struct err *e);
/* Name below layers/ of a diff id: its first 30 digits, so that 128 of them fit into one overlay mount (a page of options). The
 * mark has the whole id: a layer of another one by the same name is refused. */
#define LAYER_KEY_SIZE 31
void img_layer_key(const char *diff_id, char out[LAYER_KEY_SIZE]);
int img_mark_load(const struct img_store *s, const char *key, json **out, struct err *e); /* -ENOENT */
int img_mark_save(struct img_store *s, const char *key, const char *diff_id,
                  const struct stor_unpack_stats *st, struct err *e);
/* image_patch.c: the layer over an image's own where they do not name all their folders, made if it is needed; its name. */
int img_patch_make(struct img_store *s, const struct img_image *i, struct err *e);
void img_patch_key(const struct img_image *i, char out[LAYER_KEY_SIZE]);
/* Names below layers/ that make an unpacked image's root, uppermost first; the caller's. */
char **img_lowers(const struct img_store *s, const struct img_image *i);
/* image_import.c: an OCI manifest of these, as a blob */
int img_manifest_put(struct img_store *s, const struct img_desc *config, const struct img_desc *layers,
                     unsigned n, struct img_desc *out, struct err *e);
/* image_derive.c */
void img_now(const struct img_store *s, char buf[32]); /* RFC 3339 */
bool img_is_cache(const char *name);                   /* of what builds have made: no image to people */
/* image_config.c: an image of base's layers (none: an empty one), top over them (NULL: none) and base's configuration with what said
 * (NULL: nothing) says otherwise; created_by: its entry of history. No name is given. */
#define IMG_CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define IMG_LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"
int img_make_on(struct img_store *s, const struct img_image *base, const struct img_layer *top,
                const json *said, const char *created_by, struct img_desc *out, struct err *e);
/* image_commit.c */
int img_open_folder(const char *path, struct err *e); /* of the host, to be packed; without mounts below it */
/* image_export.c: a file written beside its place, synced and renamed */
int img_write_file(const char *path, int (*fill)(void *arg, int fd, struct err *e), void *arg, struct err *e);
/* image_merge.c: a descriptor of the layers (names below layers/, uppermost first), and of a zone's changes over them, as one tree,
 * read-only. Only for a process that ends afterwards: its mounts are its own then. */
int img_mount_merged(const struct stor_pool *p, char *const *lowers, const char *zone, const char *lower_dir,
                     struct err *e); /* lower_dir: a folder of the host below all, or NULL */
/* the layers one over the other, as a tar */
int img_export_root(struct img_store *s, const struct img_desc *d, const char *path, struct err *e);
/* image_root.c */
int img_root_save(struct img_store *s, const struct img_desc *d, const struct img_image *i, struct err *e);
