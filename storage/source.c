/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an import reads from, and how its members get into the store: every byte through a writer that holds it against its
 * digest. A compressed archive is decompressed first, in the cage, into an unnamed file. */
#include "storage/source.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (1u << 20)

/* ---- opening ---- */
static bool is_compressed(int fd)
{
    static const struct {
        const char *magic;
        size_t n;
    } known[] = {{"\x1f\x8b", 2},
                 {"\x28\xb5\x2f\xfd", 4},
                 {"BZh", 3},
                 {"\xfd"
                  "7zXZ",
                  5}};
    char head[8] = "";
    ssize_t n = pread(fd, head, sizeof(head), 0);
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (n >= (ssize_t)known[i].n && !memcmp(head, known[i].magic, known[i].n))
            return true;
    return false;
}

/* In an unnamed file of the store's disk; bounded as an unpacking is. */
static int spool(struct img_store *st, int in, struct err *e)
{
    struct stor_bounds b;
    struct stor_cage cage;
    auto_fd int out = openat(st->staging_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (out < 0)
        return err_sys(e, "image store: staging");
    stor_default_bounds(st->staging_fd, NULL, &b);
    struct stor_unpack_job job = {.in_fd = in, .dirfd = st->staging_fd, .progress_fd = out, .bounds = &b};
    int r = stor_cage_start(&cage, CAGE_INFLATE, &job, e);
    r = r < 0 ? r : stor_cage_wait(&cage, NULL, e);
    return r < 0 ? r : take_fd(&out);
}

static char *plain_name(const char *path)
{
    const char *base = strrchr(path, '/');
    char *name = xstrdup(base ? base + 1 : path);
    static const char *const ends[] = {".gz", ".zst", ".xz", ".bz2", ".tgz", ".tar", ".oci", ".zone"};
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++)
        if (strlen(name) > strlen(ends[i]) && str_ends(name, ends[i]))
            name[strlen(name) - strlen(ends[i])] = '\0';
    for (char *p = name; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return name;
}

static int open_tar(struct img_store *st, struct img_source *s, struct err *e)
{
    struct stat stt;
    if (is_compressed(s->fd)) {
        int plain = spool(st, s->fd, e);
        if (plain < 0)
            return plain;
        close(s->fd);
        s->fd = plain;
    }
    if (fstat(s->fd, &stt) < 0)
        return err_sys(e, "archive");
    int r = img_tar_index(s->fd, (uint64_t)stt.st_size, s, e);
    if (r < 0)
        return err_set(e, ERR_INVALID, EINVAL, "neither a tar archive nor an OCI folder");
    s->tar = true;
    return 0;
}

int img_source_open(struct img_store *st, const char *path, struct img_source *s, struct err *e)
{
    struct stat stt;
    struct img_source to = {.name = plain_name(path)};
    to.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int r = to.fd < 0 || fstat(to.fd, &stt) < 0 ? err_sys(e, "%s", path) : 0;
    if (r == 0 && S_ISDIR(stt.st_mode))
        to.dir = true;
    else if (r == 0 && !S_ISREG(stt.st_mode))
        r = err_set(e, ERR_INVALID, EINVAL, "%s is no file and no folder", path);
    else if (r == 0)
        r = open_tar(st, &to, e) < 0 ? err_prefix(e, "%s", path) : 0;
    if (r < 0)
        img_source_done(&to);
    else
        *s = to;
    return r;
}

void img_source_done(struct img_source *s)
{
    for (unsigned i = 0; i < s->members.len; i++) {
        free(s->members.at[i].name);
        free(s->members.at[i].link);
    }
    vec_done(&s->members);
    free(s->name);
    close_fd(&s->fd);
}

/* ---- members ---- */
static struct img_member *find(struct img_source *s, const char *name)
{
    for (unsigned i = s->members.len; i-- > 0;) /* the last of a name counts */
        if (!strcmp(s->members.at[i].name, name))
            return &s->members.at[i];
    return NULL;
}

/* docker save of old links equal layers: "ID/layer.tar" to "../ID2/layer.tar". Within the archive, once. */
static struct img_member *follow(struct img_source *s, const char *name)
{
    struct img_member *m = find(s, name);
    for (unsigned i = 0; m && m->link && i < 2; i++) {
        const char *to = m->link;
        while (str_starts(to, "../") || str_starts(to, "./"))
            to += to[1] == '.' ? 3 : 2;
        m = find(s, to);
    }
    return m && !m->link ? m : NULL;
}

bool img_source_has(struct img_source *s, const char *name)
{
    if (!s->dir)
        return follow(s, name) != NULL;
    auto_fd int fd = path_open_beneath(s->fd, name, O_PATH, 0);
    return fd >= 0;
}

int img_source_member(struct img_source *s, const char *name, uint64_t *at, uint64_t *size, struct err *e)
{
    struct stat st;
    if (!s->dir) {
        struct img_member *m = follow(s, name);
        if (!m)
            return err_set(e, ERR_INVALID, ENOENT, "the archive has no %.200s", name);
        *at = m->at;
        *size = m->size;
        return fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
    }
    auto_fd int fd = path_open_beneath(s->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return err_sysk(e, ERR_INVALID, -fd, "%.200s", name);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, EINVAL, "%.200s is not a regular file", name);
    *at = 0;
    *size = (uint64_t)st.st_size;
    return take_fd(&fd);
}

int img_source_text(struct img_source *s, const char *name, size_t max, char **text, size_t *n, struct err *e)
{
    uint64_t at, size;
    auto_fd int fd = img_source_member(s, name, &at, &size, e);
    if (fd < 0)
        return fd;
    if (size > max)
        return err_set(e, ERR_LIMIT, EFBIG, "%.200s is larger than %zu bytes", name, max);
    auto_free char *buf = xcalloc(1, size + 1);
    for (uint64_t done = 0; done < size;) {
        ssize_t k = pread(fd, buf + done, size - done, (off_t)(at + done));
        if (k <= 0)
            return err_set(e, ERR_INVALID, EIO, "%.200s cannot be read", name);
        done += (uint64_t)k;
    }
    *text = take_ptr(&buf);
    *n = size;
    return 0;
}

static int copy_range(struct img_writer *w, int fd, uint64_t at, uint64_t size, struct img_store *st,
                      const struct img_desc *d, struct err *e)
{
    auto_free char *buf = xcalloc(1, PIECE);
    char item[16];
    snprintf(item, sizeof(item), "%.12s", d->digest + 7);
    for (uint64_t done = 0; done < size;) {
        uint64_t want = size - done < PIECE ? size - done : PIECE;
        ssize_t n = pread(fd, buf, want, (off_t)(at + done));
        if (n <= 0)
            return err_set(e, ERR_INVALID, EIO, "the archive cannot be read");
        int r = img_writer_write(w, buf, (size_t)n, e);
        if (r < 0)
            return r;
        done += (uint64_t)n;
        img_tell(st, item, "read", done, size);
    }
    return 0;
}

int img_source_blob(struct img_source *s, const char *name, struct img_store *st, const struct img_desc *d,
                    struct err *e)
{
    uint64_t at, size, have;
    struct img_writer *w = NULL;
    auto_fd int fd = img_source_member(s, name, &at, &size, e);
    if (fd < 0)
        return fd;
    if (size != d->size)
        return err_set(e, ERR_INVALID, EBADMSG, "%.200s: wrong size: %llu bytes, %llu were announced", name,
                       (unsigned long long)size, (unsigned long long)d->size);
    int r = img_writer_open(st, d, &w, &have, e);
    if (r == -EEXIST)
        return 0;
    if (r == 0)
        r = copy_range(w, fd, at + have, size - have, st, d, e);
    if (r == 0)
        r = img_writer_commit(w, e);
    img_writer_free(w);
    return r < 0 ? err_prefix(e, "%.200s", name) : 0;
}

/* ---- digests of what says nothing of itself ---- */
static int hash_range(int fd, uint64_t at, uint64_t size, char digest[IMG_DIGEST_MAX], struct err *e)
{
    struct img_hash h = {0};
    auto_free char *buf = xcalloc(1, PIECE);
    int r = img_hash_start(&h, "sha256", e);
    for (uint64_t done = 0; r == 0 && done < size;) {
        ssize_t n = pread(fd, buf, size - done < PIECE ? size - done : PIECE, (off_t)(at + done));
        if (n <= 0)
            r = err_set(e, ERR_INVALID, EIO, "the archive cannot be read");
        else
            img_hash_add(&h, buf, (size_t)n);
        done += n > 0 ? (uint64_t)n : 0;
    }
    if (r == 0)
        img_hash_end(&h, digest);
    img_hash_done(&h);
    return r;
}

/* A member in the middle of a tar as a file of its own: the decompressor reads to the end. */
static int feed(int fd, uint64_t at, uint64_t size, int out)
{
    auto_free char *buf = xcalloc(1, PIECE);
    for (uint64_t done = 0; done < size;) {
        ssize_t n = pread(fd, buf, size - done < PIECE ? size - done : PIECE, (off_t)(at + done));
        if (n <= 0 || fd_write_full(out, buf, (size_t)n) < 0)
            return -EIO;
        done += (uint64_t)n;
    }
    return 0;
}

static int hash_stream(int fd, char digest[IMG_DIGEST_MAX], struct err *e)
{
    struct img_hash h = {0};
    auto_free char *buf = xcalloc(1, PIECE);
    ssize_t n;
    int r = img_hash_start(&h, "sha256", e);
    while (r == 0 && (n = read(fd, buf, PIECE)) > 0)
        img_hash_add(&h, buf, (size_t)n);
    if (r == 0)
        img_hash_end(&h, digest);
    img_hash_done(&h);
    return r;
}

static int hash_inflated(struct img_store *st, int fd, uint64_t at, uint64_t size,
                         char digest[IMG_DIGEST_MAX], struct err *e)
{
    struct stor_bounds b;
    struct stor_cage cage;
    int out[2];
    auto_fd int member = openat(st->staging_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (member < 0 || feed(fd, at, size, member) < 0 || lseek(member, 0, SEEK_SET) < 0 ||
        pipe2(out, O_CLOEXEC) < 0)
        return err_sys(e, "image store: staging");
    stor_default_bounds(st->staging_fd, NULL, &b);
    struct stor_unpack_job job = {
        .in_fd = member, .dirfd = st->staging_fd, .progress_fd = out[1], .bounds = &b};
    int r = stor_cage_start(&cage, CAGE_INFLATE, &job, e);
    close(out[1]);
    if (r == 0) {
        int k = hash_stream(out[0], digest, e);
        r = stor_cage_wait(&cage, NULL, e);
        r = r < 0 ? r : k;
    }
    close(out[0]);
    return r;
}

int img_source_digests(struct img_source *s, const char *name, struct img_store *st, struct img_desc *d,
                       char diff_id[IMG_DIGEST_MAX], struct err *e)
{
    uint64_t at = 0, size = 0;
    unsigned char head[4] = {0};
    auto_fd int fd = img_source_member(s, name, &at, &size, e);
    if (fd < 0)
        return fd;
    if (size && pread(fd, head, size < 4 ? size : 4, (off_t)at) < 0)
        return err_sys(e, "%.200s", name);
    bool gzip = head[0] == 0x1f && head[1] == 0x8b, zstd = !memcmp(head, "\x28\xb5\x2f\xfd", 4);
    *d = (struct img_desc){.size = size};
    snprintf(d->media_type, sizeof(d->media_type), "application/vnd.oci.image.layer.v1.tar%s",
             gzip   ? "+gzip"
             : zstd ? "+zstd"
                    : "");
    int r = hash_range(fd, at, size, d->digest, e);
    if (r == 0 && (gzip || zstd))
        r = hash_inflated(st, fd, at, size, diff_id, e);
    else if (r == 0)
        snprintf(diff_id, IMG_DIGEST_MAX, "%s", d->digest);
    return r < 0 ? err_prefix(e, "%.200s", name) : 0;
}
