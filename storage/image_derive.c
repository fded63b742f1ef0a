/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image with another configuration on the same layers, or with no layer at all; and what a build has made already, kept in the
 * store under names that no person gives. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "storage/pack.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

void img_set_epoch(struct img_store *s, uint64_t epoch)
{
    s->has_epoch = true;
    s->epoch = epoch;
}

void img_now(const struct img_store *s, char buf[32])
{
    if (!s->has_epoch) {
        clock_rfc3339(clock_real_us(), buf);
        return;
    }
    time_t t = (time_t)s->epoch;
    struct tm tm;
    gmtime_r(&t, &tm);
    (void)strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool img_is_cache(const char *name)
{
    return name && str_starts(name, IMG_CACHE);
}

char *img_cache_name(const char *key)
{
    return xasprintf(IMG_CACHE "%s", key);
}

bool img_cache_find(struct img_store *s, const char *key, struct img_desc *out)
{
    auto_free char *name = img_cache_name(key);
    struct img_image i auto_done(img_image_done) = {0};
    struct img_desc found;
    if (img_find(s, name, &found, NULL) < 0 || img_load(s, &found, &i, NULL) < 0)
        return false;
    for (unsigned k = 0; k < i.nlayers; k++)
        if (!img_blob_have(s, &i.layers[k].blob))
            return false;
    *out = found; /* untouched where it is damaged: what the step begins with */
    return true;
}

int img_derive(struct img_store *s, const struct img_desc *from, const json *said, const char *created_by,
               struct img_desc *out, struct err *e)
{
    struct img_image base auto_done(img_image_done) = {0};
    int r = from ? img_load(s, from, &base, e) : 0;
    if (r < 0)
        return r;
    return img_make_on(s, &base, NULL, said, created_by, out, e);
}

/* ---- for the keys of steps ---- */
void img_digest_of(const void *data, size_t n, char out[65])
{
    struct img_hash h = {0};
    char digest[IMG_DIGEST_MAX] = "";
    if (img_hash_start(&h, "sha256", NULL) == 0) {
        img_hash_add(&h, data, n);
        img_hash_end(&h, digest);
    }
    img_hash_done(&h);
    snprintf(out, 65, "%.64s", digest + strlen("sha256:"));
}

int img_digest_of_fd(int fd, char out[65], struct err *e)
{
    struct img_hash h = {0};
    char digest[IMG_DIGEST_MAX] = "";
    auto_free char *buf = xcalloc(1, 1u << 18);
    ssize_t n = 0;
    int r = img_hash_start(&h, "sha256", e);
    for (off_t at = 0; r == 0 && (n = pread(fd, buf, 1u << 18, at)) > 0; at += n)
        img_hash_add(&h, buf, (size_t)n);
    if (r == 0 && n < 0)
        r = err_sys(e, "read");
    if (r == 0) {
        img_hash_end(&h, digest);
        snprintf(out, 65, "%.64s", digest + strlen("sha256:"));
    }
    img_hash_done(&h);
    return r;
}

static int to_fd(void *arg, const void *data, size_t n, struct err *e)
{
    int r = fd_write_full(*(int *)arg, data, n);
    return r < 0 ? err_sysk(e, r == -ENOSPC ? ERR_LIMIT : ERR_INTERNAL, -r, "writing the tar") : 0;
}

int img_pack_folder(const struct img_store *s, const char *dir, int out_fd, struct err *e)
{
    const struct stor_pack_options o = {.has_epoch = s->has_epoch, .epoch = s->epoch};
    auto_fd int fd = img_open_folder(dir, e);
    return fd < 0 ? fd : stor_pack_tree(fd, &o, to_fd, &out_fd, e);
}
