/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A blob that arrives: staging/ALGORITHM-HEX.part, locked, hashed on the way, adopted by fsync and rename. Kill -9 at any instant
 * leaves a part, which the next writer hashes and goes on with, or the whole blob. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PIECE (1u << 18)

struct img_writer {
    struct img_store *store;
    struct img_desc desc;
    char part[IMG_DIGEST_MAX + 8];
    int fd;
    bool adopted; /* the part is the blob now */
    uint64_t have;
    struct img_hash hash;
};

/* The lock is the part's own; a part that was adopted or deleted while we waited is another file now. */
static int lock_part(struct img_writer *w, struct err *e)
{
    struct stat mine, there;
    for (;;) {
        w->fd = openat(w->store->staging_fd, w->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (w->fd < 0)
            return err_sys(e, "staging %.32s", w->part);
        while (flock(w->fd, LOCK_EX) < 0)
            if (errno != EINTR)
                return err_sys(e, "staging %.32s: lock", w->part);
        if (fstat(w->fd, &mine) == 0 &&
            fstatat(w->store->staging_fd, w->part, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
            mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
            return 0;
        close_fd(&w->fd);
    }
}

static int hash_part(struct img_writer *w, struct err *e)
{
    auto_free char *buf = xcalloc(1, PIECE);
    ssize_t n = 0;
    w->have = 0;
    while ((n = fd_read_full(w->fd, buf, PIECE)) > 0) {
        w->have += (uint64_t)n;
        if (w->have > w->desc.size)
            return img_writer_restart(w, e);
        img_hash_add(&w->hash, buf, (size_t)n);
    }
    return n < 0 ? err_sysk(e, ERR_INTERNAL, (int)-n, "staging %.32s", w->part) : 0;
}

int img_writer_open(struct img_store *s, const struct img_desc *d, struct img_writer **out, uint64_t *have,
                    struct err *e)
{
    char path[IMG_DIGEST_MAX + 16];
    int r = img_blob_path(d->digest, path, e);
    if (r < 0)
        return r;
    if (img_blob_have(s, d))
        return -EEXIST;
    struct img_writer *w = xcalloc(1, sizeof(*w));
    *w = (struct img_writer){.store = s, .desc = *d, .fd = -1};
    snprintf(w->part, sizeof(w->part), "%.6s-%.128s.part", d->digest, d->digest + 7);
    r = lock_part(w, e);
    if (r == 0 && img_blob_have(s, d)) { /* another one has brought it while we waited */
        (void)unlinkat(s->staging_fd, w->part, 0);
        r = -EEXIST;
    }
    if (r == 0)
        r = img_hash_start(&w->hash, d->digest, e);
    if (r == 0)
        r = hash_part(w, e);
    if (r < 0) {
        img_writer_free(w);
        return r;
    }
    *have = w->have;
    *out = w;
    return 0;
}

int img_writer_restart(struct img_writer *w, struct err *e)
{
    if (ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
        return err_sys(e, "staging %.32s", w->part);
    w->have = 0;
    return img_hash_start(&w->hash, w->desc.digest, e);
}

int img_writer_write(struct img_writer *w, const void *data, size_t n, struct err *e)
{
    if (n > w->desc.size - w->have)
        return err_set(e, ERR_INVALID, EFBIG, "more than the %llu bytes that were announced",
                       (unsigned long long)w->desc.size);
    int r = fd_write_full(w->fd, data, n);
    if (r == -ENOSPC || r == -EDQUOT) /* whoever has no room gets back what this took */
        (void)unlinkat(w->store->staging_fd, w->part, 0);
    if (r < 0)
        return err_sysk(e, r == -ENOSPC || r == -EDQUOT ? ERR_LIMIT : ERR_INTERNAL, -r, "writing blob %.24s",
                        w->desc.digest);
    img_hash_add(&w->hash, data, n);
    w->have += n;
    return 0;
}

static int check_whole(struct img_writer *w, struct err *e)
{
    char got[IMG_DIGEST_MAX];
    img_hash_end(&w->hash, got);
    if (w->have != w->desc.size)
        err_set(e, ERR_INVALID, EBADMSG, "wrong size: %llu bytes, %llu were announced",
                (unsigned long long)w->have, (unsigned long long)w->desc.size);
    else if (strcmp(got, w->desc.digest) != 0)
        err_set(e, ERR_INVALID, EBADMSG, "wrong digest: the bytes are %.24s…", got);
    else
        return 0;
    (void)unlinkat(w->store->staging_fd, w->part, 0);
    return -EBADMSG;
}

int img_writer_commit(struct img_writer *w, struct err *e)
{
    char path[IMG_DIGEST_MAX + 16], folder[16];
    int r = img_blob_path(w->desc.digest, path, e);
    if (r == 0)
        r = check_whole(w, e);
    if (r < 0)
        return r;
    if (fsync(w->fd) < 0)
        return err_sysk(e, errno == ENOSPC ? ERR_LIMIT : ERR_INTERNAL, errno, "writing blob %.24s",
                        w->desc.digest);
    if (renameat(w->store->staging_fd, w->part, w->store->fd, path) < 0)
        return err_sys(e, "adopting blob %.24s", w->desc.digest);
    w->adopted = true;
    snprintf(folder, sizeof(folder), "blobs/%.6s", w->desc.digest);
    auto_fd int dir = openat(w->store->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fsync(dir) < 0)
        return err_sys(e, "adopting blob %.24s", w->desc.digest);
    return 0;
}

void img_writer_free(struct img_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0 && !w->have && !w->adopted) { /* nothing to go on with; the lock is still ours */
        struct stat st;
        if (fstat(w->fd, &st) == 0 && st.st_size == 0)
            (void)unlinkat(w->store->staging_fd, w->part, 0);
    }
    close_fd(&w->fd);
    img_hash_done(&w->hash);
    free(w);
}

int img_blob_put(struct img_store *s, const char *media_type, const void *data, size_t n, struct img_desc *d,
                 struct err *e)
{
    struct img_desc desc = {.size = n};
    struct img_hash h = {0};
    struct img_writer *w = NULL;
    uint64_t have = 0;
    int r = img_hash_start(&h, "sha256", e);
    if (r < 0)
        return r;
    img_hash_add(&h, data, n);
    img_hash_end(&h, desc.digest);
    img_hash_done(&h);
    snprintf(desc.media_type, sizeof(desc.media_type), "%s", media_type);
    r = img_writer_open(s, &desc, &w, &have, e);
    if (r == 0 && have)
        r = img_writer_restart(w, e);
    if (r == 0)
        r = img_writer_write(w, data, n, e);
    if (r == 0)
        r = img_writer_commit(w, e);
    img_writer_free(w);
    if (r == 0 || r == -EEXIST)
        *d = desc;
    return r == -EEXIST ? 0 : r;
}
