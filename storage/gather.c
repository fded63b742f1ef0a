/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files from a folder of the caller's, and texts, as one tar with owners and modes of choice. Nothing above the folder is reached
 * and no link is followed (R1): links are copied as links. Sorted, so that equal files give equal bytes. */
#include "storage/gather.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/store.h"
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE (1u << 18)
#define DEPTH_MAX 100

struct gather {
    struct archive *a, *timeless; /* the second is hashed alone */
    struct img_hash hash;
    const struct stor_gather *g;
    char *buf;
    struct err *e;
};

static int failed(struct gather *w, struct archive *a, const char *what)
{
    int code = archive_errno(a);
    return err_set(w->e, code == ENOSPC ? ERR_LIMIT : ERR_INTERNAL, code == ENOSPC ? ENOSPC : EIO,
                   "%.200s: %s", what, archive_error_string(a));
}

static int write_entry(struct gather *w, const struct stor_gather_item *item, const char *path,
                       const struct stat *st, const char *target)
{
    struct archive_entry *ent = archive_entry_new();
    mode_t mode = item->has_mode && !S_ISDIR(st->st_mode) ? item->mode : st->st_mode & 07777;
    archive_entry_set_pathname(ent, path);
    archive_entry_set_filetype(ent, st->st_mode & S_IFMT);
    archive_entry_set_perm(ent, S_ISLNK(st->st_mode) ? 0777 : mode);
    archive_entry_set_uid(ent, item->uid);
    archive_entry_set_gid(ent, item->gid);
    archive_entry_set_mtime(ent, 0, 0);
    archive_entry_set_size(ent, S_ISREG(st->st_mode) ? st->st_size : 0);
    if (target)
        archive_entry_set_symlink(ent, target);
    int r = archive_write_header(w->timeless, ent) < ARCHIVE_WARN ? failed(w, w->timeless, path) : 0;
    archive_entry_set_mtime(ent, w->g->has_mtime ? (time_t)w->g->mtime : st->st_mtime, 0);
    if (r == 0 && archive_write_header(w->a, ent) < ARCHIVE_WARN)
        r = failed(w, w->a, path);
    archive_entry_free(ent);
    return r;
}

static int write_bytes(struct gather *w, const void *data, size_t n, const char *path)
{
    if (archive_write_data(w->timeless, data, n) < (la_ssize_t)n)
        return failed(w, w->timeless, path);
    return archive_write_data(w->a, data, n) < (la_ssize_t)n ? failed(w, w->a, path) : 0;
}

static int write_file(struct gather *w, int fd, const struct stat *st, const char *path)
{
    int r = 0;
    for (off_t done = 0; r == 0 && done < st->st_size;) {
        ssize_t n = read(fd, w->buf, PIECE);
        if (n <= 0)
            return n < 0 ? err_sys(w->e, "%.200s", path)
                         : err_set(w->e, ERR_CONFLICT, EIO, "%.200s: it shrank while it was read", path);
        if (n > st->st_size - done)
            n = (ssize_t)(st->st_size - done);
        r = write_bytes(w, w->buf, (size_t)n, path);
        done += n;
    }
    return r;
}

static int gather_one(struct gather *w, const struct stor_gather_item *item, int dir, const char *name,
                      const char *to, unsigned depth);

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int gather_folder(struct gather *w, const struct stor_gather_item *item, int fd, const char *to,
                         unsigned depth)
{
    char **names = NULL;
    int r = 0;
    auto_dir DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!d)
        return err_sys(w->e, "%.200s", item->from);
    for (struct dirent *ent; (ent = readdir(d));)
        if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
            strv_add(&names, ent->d_name);
    if (names)
        qsort(names, strv_len(names), sizeof(*names), by_name);
    for (char **n = names; r == 0 && n && *n; n++) {
        auto_free char *below = xasprintf("%s%s%s", to, *to ? "/" : "", *n);
        r = gather_one(w, item, fd, *n, below, depth + 1);
    }
    strv_free(names);
    return r;
}

static int gather_link(struct gather *w, const struct stor_gather_item *item, int dir, const char *name,
                       const char *to, const struct stat *st)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
    if (n < 0)
        return err_sys(w->e, "%.200s", name);
    target[n] = '\0';
    return write_entry(w, item, to, st, target);
}

static int gather_one(struct gather *w, const struct stor_gather_item *item, int dir, const char *name,
                      const char *to, unsigned depth)
{
    struct stat st;
    auto_fd int fd = path_open_beneath(dir, name, O_PATH | O_NOFOLLOW, 0);
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_sysk(w->e, ERR_NOT_FOUND, fd < 0 ? -fd : errno, "copy: %.200s", item->from);
        return err_hint(w->e, "paths are relative to the recipe's folder and follow no links");
    }
    if (S_ISLNK(st.st_mode))
        return gather_link(w, item, dir, name, to, &st);
    if (depth > DEPTH_MAX || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return err_set(w->e, ERR_INVALID, EINVAL, "copy: %.200s: %s", item->from,
                       depth > DEPTH_MAX ? "nested too deep" : "neither a file, a folder nor a link");
    int r = S_ISREG(st.st_mode) || *to ? write_entry(w, item, to, &st, NULL) : 0;
    auto_fd int in = r < 0 ? -1 : path_open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (r == 0 && in < 0)
        return err_sysk(w->e, ERR_DENIED, -in, "copy: %.200s", item->from);
    if (r < 0)
        return r;
    return S_ISREG(st.st_mode) ? write_file(w, in, &st, to) : gather_folder(w, item, in, to, depth);
}

static int gather_text(struct gather *w, const struct stor_gather_item *item, const char *to)
{
    size_t n = strlen(item->text);
    struct stat st = {.st_mode = S_IFREG | 0644, .st_size = (off_t)n, .st_mtime = time(NULL)};
    int r = write_entry(w, item, to, &st, NULL);
    return r < 0 ? r : write_bytes(w, item->text, n, to);
}

static int gather_all(struct gather *w)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < w->g->n; i++) {
        const struct stor_gather_item *item = &w->g->items[i];
        const char *to = item->to + strspn(item->to, "/");
        r = item->text ? gather_text(w, item, to) : gather_one(w, item, w->g->dirfd, item->from, to, 0);
    }
    return r;
}

static la_ssize_t on_hash(struct archive *a, void *arg, const void *data, size_t n)
{
    img_hash_add(arg, data, n);
    return (la_ssize_t)n;
}

static struct archive *new_tar(void)
{
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_add_filter_none(a);
    (void)archive_write_set_options(a, "hdrcharset=BINARY");
    return a;
}

static int gather_into(struct gather *w, int out_fd)
{
    if (archive_write_open_fd(w->a, out_fd) != ARCHIVE_OK)
        return failed(w, w->a, "tar");
    if (archive_write_open(w->timeless, &w->hash, NULL, on_hash, NULL) != ARCHIVE_OK)
        return failed(w, w->timeless, "tar");
    int r = gather_all(w);
    if (archive_write_close(w->timeless) != ARCHIVE_OK && r == 0)
        r = failed(w, w->timeless, "tar");
    if (archive_write_close(w->a) != ARCHIVE_OK && r == 0)
        r = failed(w, w->a, "tar");
    return r;
}

int stor_gather(const struct stor_gather *g, int out_fd, char digest[65], struct err *e)
{
    struct err own = {0};
    char whole[IMG_DIGEST_MAX] = "";
    struct gather w = {
        .a = new_tar(), .timeless = new_tar(), .g = g, .buf = xcalloc(1, PIECE), .e = e ? e : &own};
    int r = img_hash_start(&w.hash, "sha256", w.e);
    r = r < 0 ? r : gather_into(&w, out_fd);
    if (r == 0) {
        img_hash_end(&w.hash, whole);
        snprintf(digest, 65, "%.64s", whole + strlen("sha256:"));
    }
    archive_write_free(w.timeless);
    archive_write_free(w.a);
    img_hash_done(&w.hash);
    free(w.buf);
    return r;
}
