/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trees of a zone seen as data: copy with all metadata (clone), and usage. Descriptors only, nothing followed. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"
#include "storage/internal.h"
#include "storage/links.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct copier {
    const char *what;
    int root, to; /* of the copy: its top, and where the walk is */
    struct stor_links links;
    VEC(struct stat) folders; /* that the walk is in */
    struct err *e;
};

/* copy_file_range gives EXDEV from an overlay to what lies beside it (vfs_copy_file_range, 5.19 and newer). */
static ssize_t copy_some(int from, off_t *at, int to, off_t *out, size_t n)
{
    char buf[65536];
    ssize_t k = copy_file_range(from, at, to, out, n, 0);
    if (k >= 0 || errno != EXDEV)
        return k;
    k = pread(from, buf, n < sizeof(buf) ? n : sizeof(buf), *at);
    for (ssize_t done = 0; done < k;) {
        ssize_t w = pwrite(to, buf + done, (size_t)(k - done), *out);
        if (w < 0)
            return -1;
        done += w;
        *out += w;
    }
    *at += k > 0 ? k : 0;
    return k;
}

static int copy_data(int from, int to, off_t size, struct err *e)
{
    if (!size || ioctl(to, FICLONE, from) == 0)
        return 0;
    for (off_t at = 0; at < size;) { /* holes stay holes */
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        off_t end = data < 0 ? -1 : lseek(from, data, SEEK_HOLE), out = data;
        if (end < 0)
            return err_sys(e, "copy");
        while (data < end) {
            ssize_t n = copy_some(from, &data, to, &out, (size_t)(end - data));
            if (n < 0)
                return err_sys(e, "copy");
            if (!n)
                break;
        }
        at = end;
    }
    return ftruncate(to, size) < 0 ? err_sys(e, "copy") : 0;
}

/* By path through /proc/self/fd, because links and devices have no descriptor that takes *xattr. */
static int copy_xattrs(int from_dir, int to_dir, const char *name)
{
    char a[320], b[320], list[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
    snprintf(a, sizeof(a), "/proc/self/fd/%d/%s", from_dir, name);
    snprintf(b, sizeof(b), "/proc/self/fd/%d/%s", to_dir, name);
    ssize_t n = llistxattr(a, list, sizeof(list));
    if (n < 0 && errno != ENOTSUP)
        return -errno;
    for (char *p = list; n > 0 && p < list + n; p += strlen(p) + 1) {
        ssize_t v = lgetxattr(a, p, value, sizeof(value));
        if (v >= 0 && lsetxattr(b, p, value, (size_t)v, 0) < 0 && errno != ENOTSUP && errno != EPERM)
            return -errno;
    }
    return 0;
}

static int copy_meta(int from_dir, int to_dir, const char *name, const struct stat *st, struct err *e)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0))
        return err_sys(e, "copy %s", name);
    int r = copy_xattrs(from_dir, to_dir, name);
    if (r < 0)
        return err_sysk(e, ERR_INTERNAL, -r, "copy the attributes of %s", name);
    return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? err_sys(e, "copy %s", name) : 0;
}

/* Left open as the place of what follows. Owner, mode and attributes come when all of it is there: a default ACL
 * would be inherited, and times change. */
static int copy_folder(struct copier *c, const struct stor_entry *ent)
{
    int next = mkdirat(c->to, ent->name, 0700) < 0
                   ? -1
                   : openat(c->to, ent->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0)
        return err_sys(c->e, "copy %s", ent->path);
    close(c->to);
    c->to = next;
    *vec_add(&c->folders) = *ent->st;
    return 1;
}

static int leave_folder(void *arg, const struct stor_entry *ent)
{
    struct copier *c = arg;
    int up = openat(c->to, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up < 0)
        return err_sys(c->e, "copy %s", ent->path);
    close(c->to);
    c->to = up;
    return copy_meta(ent->dirfd, up, ent->name, &c->folders.at[--c->folders.len], c->e);
}

static int copy_file(struct copier *c, const struct stor_entry *ent)
{
    auto_fd int from = openat(ent->dirfd, ent->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    auto_fd int to = openat(c->to, ent->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return from < 0 || to < 0 ? err_sys(c->e, "copy %s", ent->path)
                              : copy_data(from, to, ent->st->st_size, c->e);
}

static int copy_link(struct copier *c, const struct stor_entry *ent)
{
    char target[4096];
    ssize_t n = readlinkat(ent->dirfd, ent->name, target, sizeof(target) - 1);
    if (n < 0)
        return err_sys(c->e, "copy %s", ent->path);
    target[n] = '\0';
    return symlinkat(target, c->to, ent->name) < 0 ? err_sys(c->e, "copy %s", ent->path) : 0;
}

/* A path longer than any call takes makes it a copy of its own. */
static bool linked_before(struct copier *c, const struct stor_entry *ent)
{
    const char *first = ent->st->st_nlink < 2 ? NULL : stor_links_seen(&c->links, ent->st, ent->path);
    return first && linkat(c->root, first, c->to, ent->name, 0) == 0;
}

static int copy_entry(void *arg, const struct stor_entry *ent)
{
    struct copier *c = arg;
    const struct stat *st = ent->st;
    int r;
    if (S_ISDIR(st->st_mode))
        return copy_folder(c, ent);
    if (S_ISSOCK(st->st_mode) || linked_before(c, ent))
        return 0; /* a socket means nothing without its process */
    if (S_ISREG(st->st_mode))
        r = copy_file(c, ent);
    else if (S_ISLNK(st->st_mode))
        r = copy_link(c, ent);
    else
        r = mknodat(c->to, ent->name, st->st_mode, st->st_rdev) < 0 ? err_sys(c->e, "copy %s", ent->path) : 0;
    return r < 0 ? r : copy_meta(ent->dirfd, c->to, ent->name, st, c->e);
}

int stor_copy_tree(int from, int to, const char *what, struct err *e)
{
    struct err own = {0};
    struct copier c = {.what = what, .root = to, .to = fcntl(to, F_DUPFD_CLOEXEC, 3), .e = e ? e : &own};
    struct stor_visitor v = {copy_entry, leave_folder, &c};
    struct stat st;
    int r = c.to < 0 ? err_sys(c.e, "copy") : stor_walk(from, &v);
    if (r < 0 && !err_is(c.e))
        err_sysk(c.e, r == -ESTALE ? ERR_CONFLICT : ERR_INTERNAL, -r,
                 r == -ESTALE ? "a folder was moved during the copy" : "copy");
    if (r == 0)
        r = fstat(from, &st) < 0 ? err_sys(c.e, "copy") : copy_meta(from, to, ".", &st, c.e);
    stor_links_done(&c.links);
    vec_done(&c.folders);
    close_fd(&c.to);
    return r < 0 ? err_prefix(c.e, "clone of %s", what) : 0;
}

/* ---- usage: a file with several names counts once ---- */
static uint64_t blocks_of(const struct stat *st)
{
    return (uint64_t)st->st_blocks * 512 / (S_ISDIR(st->st_mode) || !st->st_nlink ? 1 : st->st_nlink);
}

static int add_usage(void *arg, const struct stor_entry *ent)
{
    *(uint64_t *)arg += blocks_of(ent->st);
    return S_ISDIR(ent->st->st_mode);
}

int stor_tree_usage(int dirfd, const char *name, uint64_t *bytes)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    uint64_t sum = blocks_of(&st);
    struct stor_visitor v = {.enter = add_usage, .arg = &sum};
    if (S_ISDIR(st.st_mode)) {
        auto_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : stor_walk(fd, &v);
        if (r < 0)
            return r;
    }
    *bytes = sum;
    return 0;
}
