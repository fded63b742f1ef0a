/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image store: an OCI image layout (oci-layout, index.json, blobs/ALGORITHM/HEX) below the pool, plus layers
 * unpacked once per diff id below layers/, shared by all zones and images. What is needed is derived from content
 * (references, zones' roots), never counted. Everything that is slow or reads foreign bytes runs in the program
 * zone-image, never in zoned. Sources: OCI image-spec 1.1, distribution-spec 1.1, Docker image manifest v2.2. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "specs/image_ref.h"
#include "storage/storage.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- digests and platforms: pure; references are in specs/image_ref.h ---- */
#define IMG_DIGEST_MAX 136 /* "sha512:" and 128 hex digits, and the end */
struct img_desc {          /* a descriptor: what a blob is, by content */
    char media_type[96], digest[IMG_DIGEST_MAX];
    uint64_t size; /* bytes */
};
/* os/arch[/variant], e.g. linux/arm64/v8; NULL: this host's. */
struct img_platform {
    char os[16], arch[16], variant[16];
};
int img_platform_parse(const char *text, struct img_platform *out, struct err *e);

/* ---- blobs ---- */
struct img_store; /* opened from a pool; a process each, locks are flocks on files of the store */
int img_store_open(struct stor_pool *p, struct img_store **out, struct err *e);
void img_store_free(struct img_store *s);
bool img_blob_have(const struct img_store *s, const struct img_desc *d); /* there, with that size */
int img_blob_open(const struct img_store *s, const struct img_desc *d,
                  struct err *e); /* O_RDONLY fd; not_found */
/* At most max bytes, digest checked; malloc'd, NUL behind it. */
int img_blob_read(const struct img_store *s, const struct img_desc *d, size_t max, char **out, struct err *e);
/* A blob that arrives. It is written to staging/DIGEST.part, hashed on the way, and adopted by fsync and rename at
 * commit when digest and size are right. A part that was left (Ctrl-C, kill -9) is hashed again and continued at
 * *have. Two writers of one blob: the second waits for the first, then finds it there (-EEXIST, no error). */
struct img_writer;
int img_writer_open(struct img_store *s, const struct img_desc *d, struct img_writer **out, uint64_t *have,
                    struct err *e);
int img_writer_restart(struct img_writer *w, struct err *e); /* the source cannot continue: from byte 0 */
int img_writer_write(struct img_writer *w, const void *data, size_t n,
                     struct err *e); /* more than announced: invalid */
int img_writer_commit(struct img_writer *w,
                      struct err *e);       /* wrong digest or size: invalid, the part is deleted */
void img_writer_free(struct img_writer *w); /* without commit: the part stays for a later continuation */
/* The same for bytes in memory (manifests, configs): fills d's digest and size. */
int img_blob_put(struct img_store *s, const char *media_type, const void *data, size_t n, struct img_desc *d,
                 struct err *e);

/* ---- images ---- */
struct img_layer {
    struct img_desc blob;
    char diff_id[IMG_DIGEST_MAX];
};
struct img_image { /* one manifest for one platform, checked */
    struct img_desc manifest, config;
    struct img_layer *layers; /* lowest first */
    unsigned nlayers;
    json *config_json; /* the whole config blob */
};
void img_image_done(struct img_image *i);
/* Bounds: manifest and config 4 MiB, 128 layers in a chain, index nesting 4. */
int img_resolve(
    struct img_store *s, const char *ref, const struct img_platform *p, struct img_image *out,
    struct err *e); /* a reference, a digest or a unique id prefix of >= 12 hex digits; not_found */
/* Checks a manifest's or index's text (media type by field, header or shape) and says what it names, for whoever
 * fetches it. For an index picks the platform's manifest. */
int img_manifest_parse(const char *text, size_t n, const char *media_type, struct img_image *out,
                       struct err *e);
int img_index_pick(const char *text, size_t n, const struct img_platform *p, struct img_desc *out,
                   struct err *e);
/* Names a manifest or index that is in the store, with all it needs (checked), in index.json: the moment an image
 * exists. Atomic; a former image of that name stays as an unnamed one until prune. */
int img_tag(struct img_store *s, const char *ref, const struct img_desc *manifest, struct err *e);
/* Takes the name away (an id means its only name); what nothing needs then, prune frees. not_found, conflict. */
int img_untag(struct img_store *s, const char *ref, struct err *e);
/* The descriptor that a reference, digest or id prefix names in the store: a manifest's or an index's. */
int img_find(struct img_store *s, const char *text, struct img_desc *out, struct err *e);
/* Unpacks what is missing of the image's layers, in cages; diff ids are checked while it runs. Two at once do the work once.
 * named: what the reference names (the manifest, or the index through which it was found). From here on stor_image_prepare
 * knows the image's root at once. The layers may still be in memory only: img_sync makes sure of them; after a power loss
 * before that they are unpacked again. */
int img_unpack(struct img_store *s, const struct img_desc *named, const struct img_image *i,
               const struct stor_bounds *b, struct err *e);
int img_sync(struct img_store *s, struct err *e);
/* [{ref, id, digest, created, platform, layers, size, shared, own}] */
int img_list(struct img_store *s, json **out, struct err *e);
int img_show(struct img_store *s, const char *ref, json **out, struct err *e);
/* Deletes what neither index.json nor a zone's root names: blobs, layers, parts, unnamed images. *report: {bytes, blobs, layers,
 * images}. Locks out all who adopt; busy if they do not end within wait_ms. */
int img_prune(struct img_store *s, unsigned wait_ms, json **report, struct err *e);
/* Every blob against its digest, every reference against its blobs, every unpacked layer against its mark. *report: {images,
 * blobs, layers, bytes, problems: [text]}. */
int img_verify(struct img_store *s, json **report, struct err *e);

/* ---- in and out ---- */
enum img_format { IMG_OCI_ARCHIVE, IMG_OCI_DIR, IMG_DOCKER_ARCHIVE, IMG_ROOTFS_TAR };
/* format is told by content. ref: the name to give, NULL: what the archive says. *names: strv of what came in. */
int img_import(struct img_store *s, const char *path, const char *ref, char ***names, struct err *e);
/* A tar of a root, whatever files lie in it; created_by: of its history. */
int img_import_root(struct img_store *s, const char *path, const char *ref, const char *created_by,
                    struct err *e);
int img_export(struct img_store *s, const char *ref, enum img_format f, const char *path, struct err *e);

/* A zone's root as it is (its layers and its changes) as a tar. The caller's process ends afterwards: it has other mounts then. */
int img_export_zone(struct img_store *s, const char *zone, const struct stor_root_plan *root,
                    const char *path, struct err *e);
/* The zone's changes as one layer on top of its image, or alone where its root has no image's manifest. config: what is said
 * otherwise than the image says (an OCI config object; NULL: nothing). created_by: its entry of history, like "zonectl commit".
 * Names it ref; the zone must not change meanwhile. */
int img_commit(struct img_store *s, const char *zone, const struct stor_root_plan *root, const json *config,
               const char *created_by, const char *ref, struct img_desc *out, struct err *e);

/* ---- builds: image_derive.c ---- */
/* Images made from now on, and files newer than that in their layers, have this time (SOURCE_DATE_EPOCH, seconds). */
void img_set_epoch(struct img_store *s, uint64_t epoch);
/* The layers of from (NULL: none) with what said (an OCI config object) says otherwise; created_by: its entry of history. No
 * name is given. */
int img_derive(struct img_store *s, const struct img_desc *from, const json *said, const char *created_by,
               struct img_desc *out, struct err *e);
/* What a step has made before: an image by the name of the step's key (64 hex digits), until a prune finds nothing it led to. */
#define IMG_CACHE "localhost/zoned-cache:"
char *img_cache_name(const char *key);
bool img_cache_find(struct img_store *s, const char *key, struct img_desc *out);
void img_digest_of(const void *data, size_t n, char out[65]); /* hex digits of sha256 */
int img_digest_of_fd(int fd, char out[65], struct err *e);    /* from its beginning */
int img_pack_folder(const struct img_store *s, const char *dir, int out_fd, struct err *e); /* as a tar */

/* ---- the process that does all this ---- */
enum img_sockets {
    IMG_NO_SOCKETS,
    IMG_UNIX_SOCKETS,
    IMG_ALL_SOCKETS
}; /* none; to zoned; to registries too */
/* From here on this process and its children make no calls but those of the work (image_filter.c); sockets and mounts with leave.
 * Needs no_new_privs. There is no way back. */
int img_confine(enum img_sockets sockets, bool with_mounts, struct err *e);

/* ---- registries (registry*.c; libcurl stays behind it) ---- */
/* A login for one registry. Whoever asks for the transfer reads his own auth files (zonectl: zoned/api/credentials.c) and
 * hands over this one; the daemon's side reads no auth file. Borrowed; never logged, never in an error. */
struct img_credential {
    enum { IMG_PASSWORD, IMG_IDENTITY_TOKEN, IMG_REGISTRY_TOKEN } kind;
    const char *user, *secret; /* user: with a password only */
};
struct img_transfer_options {
    const struct img_platform *platform;     /* NULL: this host's */
    bool insecure;                           /* plain HTTP also beyond localhost */
    const char *ca_pem;                      /* a private CA's certificates, NULL: the system's alone */
    const struct img_credential *credential; /* NULL: anonymous */
    unsigned parallel;                       /* layers at once, default 4 */
    unsigned stall_seconds;                  /* without bytes: begin again; default 30 */
};
int img_pull(struct img_store *s, const char *ref, const struct img_transfer_options *o,
             struct img_desc *manifest, struct err *e);
int img_push(struct img_store *s, const char *ref, const char *target, const struct img_transfer_options *o,
             struct err *e);

/* ---- progress: one callback for everything above that takes long; called at most ten times a second per item ---- */
struct img_progress {
    const char *item;     /* short digest or path */
    const char *phase;    /* download, unpack, verify, upload, write */
    uint64_t done, total; /* bytes; total 0 = unknown */
};
/* What the user should know of what was done, a sentence each. */
void img_on_note(struct img_store *s, void (*fn)(void *arg, const char *text), void *arg);
void img_on_progress(struct img_store *s, void (*fn)(void *arg, const struct img_progress *p), void *arg);
