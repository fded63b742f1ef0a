/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blobs by digest: read, and written through a part in staging/ that is hashed on the way and adopted by rename when it is what
 * its name says. A part is locked by its writer and survives him. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "storage/internal.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

/* ---- digests ---- */
int img_hash_start(struct img_hash *h, const char *digest, struct err *e)
{
    bool wide = str_starts(digest, "sha512");
    snprintf(h->algorithm, sizeof(h->algorithm), "%s", wide ? "sha512" : "sha256");
    if (!h->ctx)
        h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, wide ? EVP_sha512() : EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_INTERNAL, ENOMEM, "libcrypto computes no %s", h->algorithm);
    return 0;
}

void img_hash_add(struct img_hash *h, const void *data, size_t n)
{
    EVP_DigestUpdate(h->ctx, data, n);
}

void img_hash_end(struct img_hash *h, char out[IMG_DIGEST_MAX])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_DigestFinal_ex(h->ctx, raw, &n);
    size_t at = (size_t)snprintf(out, IMG_DIGEST_MAX, "%s:", h->algorithm);
    hex_encode(raw, n, out + at);
}

void img_hash_done(struct img_hash *h)
{
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}

int img_blob_path(const char *digest, char out[IMG_DIGEST_MAX + 16], struct err *e)
{
    if (!img_digest_ok(digest))
        return err_set(e, ERR_INVALID, EINVAL, "\"%.80s\" is no digest", digest);
    snprintf(out, IMG_DIGEST_MAX + 16, "blobs/%.6s/%s", digest, digest + 7);
    return 0;
}

void img_key(const char *digest, char out[IMG_DIGEST_MAX])
{
    snprintf(out, IMG_DIGEST_MAX, "%.6s-%.128s", digest, digest + 7);
}

/* ---- the folder ---- */
static int make_folders(struct img_store *s, struct err *e)
{
    static const char *const names[] = {"blobs",   "blobs/sha256", "blobs/sha512",
                                        "staging", "roots",        "layers"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (mkdirat(s->fd, names[i], 0700) < 0 && errno != EEXIST)
            return err_sys(e, "image store: %s", names[i]);
    if (file_exists(s->fd, "oci-layout"))
        return 0;
    auto_fd int lock = img_index_lock(s, e);
    if (lock < 0 || file_exists(s->fd, "oci-layout"))
        return lock < 0 ? lock : 0;
    return file_replace(s->fd, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT), 0600, true, e);
}

int img_store_open(struct stor_pool *p, struct img_store **out, struct err *e)
{
    struct img_store *s = xcalloc(1, sizeof(*s));
    s->pool = p;
    s->staging_fd = s->lock_fd = -1;
    if (mkdirat(p->fd, "images", 0700) < 0 && errno != EEXIST)
        s->fd = -1;
    else
        s->fd = openat(p->fd, "images", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = s->fd < 0 ? err_sys(e, "image store") : make_folders(s, e);
    if (r == 0 &&
        (s->staging_fd = openat(s->fd, "staging", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        r = err_sys(e, "image store: staging");
    if (r == 0 && (s->lock_fd = stor_layers_hold(p, true, e)) < 0)
        r = s->lock_fd;
    if (r < 0) {
        img_store_free(s);
        return r;
    }
    *out = s;
    return 0;
}

void img_store_free(struct img_store *s)
{
    if (!s)
        return;
    close_fd(&s->fd);
    close_fd(&s->staging_fd);
    close_fd(&s->lock_fd);
    free(s);
}

void img_on_progress(struct img_store *s, void (*fn)(void *arg, const struct img_progress *p), void *arg)
{
    s->progress = fn;
    s->progress_arg = arg;
}

void img_tell(struct img_store *s, const char *item, const char *phase, uint64_t done, uint64_t total)
{
    struct img_progress p = {item, phase, done, total};
    if (s->progress)
        s->progress(s->progress_arg, &p);
}

void img_on_note(struct img_store *s, void (*fn)(void *arg, const char *text), void *arg)
{
    s->note = fn;
    s->note_arg = arg;
}

void img_note(struct img_store *s, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (s->note)
        s->note(s->note_arg, text);
}

/* ---- reading ---- */
bool img_blob_have(const struct img_store *s, const struct img_desc *d)
{
    char path[IMG_DIGEST_MAX + 16];
    struct stat st;
    return img_blob_path(d->digest, path, NULL) == 0 && fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && (uint64_t)st.st_size == d->size;
}

int img_blob_open(const struct img_store *s, const struct img_desc *d, struct err *e)
{
    char path[IMG_DIGEST_MAX + 16];
    int r = img_blob_path(d->digest, path, e);
    if (r < 0)
        return r;
    int fd = openat(s->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    return err_sysk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, errno, "blob %.24s", d->digest);
}

static int check_text(const struct img_desc *d, const char *text, size_t n, struct err *e)
{
    struct img_hash h = {0};
    char got[IMG_DIGEST_MAX];
    int r = img_hash_start(&h, d->digest, e);
    if (r == 0) {
        img_hash_add(&h, text, n);
        img_hash_end(&h, got);
        if (strcmp(got, d->digest) != 0)
            r = err_set(e, ERR_INVALID, EBADMSG, "blob %.24s is damaged: its bytes have another digest",
                        d->digest);
    }
    img_hash_done(&h);
    return r < 0 && e ? err_hint(e, "image verify tells what is affected; pull the image again") : r;
}

int img_blob_read(const struct img_store *s, const struct img_desc *d, size_t max, char **out, struct err *e)
{
    struct stat st;
    auto_fd int fd = img_blob_open(s, d, e);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "blob %.24s", d->digest);
    if ((uint64_t)st.st_size > max)
        return err_set(e, ERR_LIMIT, EFBIG, "blob %.24s is larger than %zu bytes", d->digest, max);
    auto_free char *text = xcalloc(1, (size_t)st.st_size + 1);
    ssize_t n = fd_read_full(fd, text, (size_t)st.st_size);
    if (n != (ssize_t)st.st_size)
        return err_set(e, ERR_INTERNAL, EIO, "blob %.24s cannot be read", d->digest);
    int r = check_text(d, text, (size_t)n, e);
    if (r == 0)
        *out = take_ptr(&text);
    return r;
}
