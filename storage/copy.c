/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trees of a zone seen as data: copy with all metadata (clone), usage, differences. Descriptors only, nothing
 * followed. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"
#include "storage/internal.h"
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

struct hard_link {
    ino_t ino;
    dev_t dev;
    int dirfd;
    char *path;
};
struct copier {
    const char *what;
    int root; /* of the copy */
    VEC(struct hard_link) links;
};

static int copy_data(int from, int to, off_t size, struct err *e)
{
    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    for (off_t at = 0; at < size;) { /* holes stay holes */
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        off_t end = data < 0 ? -1 : lseek(from, data, SEEK_HOLE), out = data;
        if (end < 0)
            return err_sys(e, "copy");
        while (data < end) {
            ssize_t n = copy_file_range(from, &data, to, &out, (size_t)(end - data), 0);
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

static int copy_dir(struct copier *c, int from, int to, const char *path, struct err *e);

static int make_entry(struct copier *c, int from, int to, const char *name, const char *path,
                      const struct stat *st, struct err *e)
{
    char target[4096];
    if (S_ISDIR(st->st_mode)) {
        if (mkdirat(to, name, 0700) < 0)
            return err_sys(e, "copy %s", path);
        auto_fd int f = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        auto_fd int t = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return f < 0 || t < 0 ? err_sys(e, "copy %s", path) : copy_dir(c, f, t, path, e);
    }
    if (S_ISREG(st->st_mode)) {
        auto_fd int f = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        auto_fd int t = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        return f < 0 || t < 0 ? err_sys(e, "copy %s", path) : copy_data(f, t, st->st_size, e);
    }
    if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);
        if (n < 0)
            return err_sys(e, "copy %s", path);
        target[n] = '\0';
        return symlinkat(target, to, name) < 0 ? err_sys(e, "copy %s", path) : 0;
    }
    if (S_ISSOCK(st->st_mode))
        return 1; /* means nothing without its process */
    return mknodat(to, name, st->st_mode, st->st_rdev) < 0 ? err_sys(e, "copy %s", path) : 0;
}

static bool linked_before(struct copier *c, int to, const char *name, const char *path, const struct stat *st)
{
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return false;
    for (unsigned i = 0; i < c->links.len; i++)
        if (c->links.at[i].ino == st->st_ino && c->links.at[i].dev == st->st_dev)
            return linkat(c->root, c->links.at[i].path, to, name, 0) == 0;
    *vec_add(&c->links) = (struct hard_link){.ino = st->st_ino, .dev = st->st_dev, .path = xstrdup(path)};
    return false;
}

static int copy_dir(struct copier *c, int from, int to, const char *path, struct err *e)
{
    auto_dir DIR *d = fdopendir(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int r = 0;
    if (!d)
        return err_sys(e, "copy %s", path);
    for (struct dirent *ent; r == 0 && (ent = readdir(d));) {
        struct stat st;
        if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
            continue;
        auto_free char *sub = *path ? xasprintf("%s/%s", path, ent->d_name) : xstrdup(ent->d_name);
        if (fstatat(from, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_sys(e, "copy %s", sub);
        if (linked_before(c, to, ent->d_name, sub, &st))
            continue;
        r = make_entry(c, from, to, ent->d_name, sub, &st, e);
        if (r == 0)
            r = copy_meta(from, to, ent->d_name, &st, e);
        else if (r > 0)
            r = 0;
    }
    return r;
}

int stor_copy_tree(int from, int to, const char *what, struct err *e)
{
    struct copier c = {.what = what, .root = to};
    struct stat st;
    int r = copy_dir(&c, from, to, "", e);
    if (r == 0)
        r = fstat(from, &st) < 0 ? err_sys(e, "copy") : copy_meta(from, to, ".", &st, e);
    for (unsigned i = 0; i < c.links.len; i++)
        free(c.links.at[i].path);
    vec_done(&c.links);
    return r < 0 ? err_prefix(e, "clone of %s", what) : 0;
}

int stor_tree_usage(int dirfd, const char *name, uint64_t *bytes)
{
    struct stat st;
    uint64_t sum;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    sum = (uint64_t)st.st_blocks * 512 / (S_ISDIR(st.st_mode) ? 1 : st.st_nlink ? st.st_nlink : 1);
    if (S_ISDIR(st.st_mode)) {
        int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *ent; d && (ent = readdir(d));) {
            uint64_t sub = 0;
            if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, "..") &&
                stor_tree_usage(fd, ent->d_name, &sub) == 0)
                sum += sub;
        }
    }
    *bytes = sum;
    return 0;
}

/* ---- differences: the upper folder against the lower one ---- */
struct differ {
    void (*add)(void *arg, char kind, const char *path);
    void *arg;
    int lower;
};

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static void diff_dir(struct differ *d, int fd, const char *path)
{
    auto_dir DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        struct stat st, low;
        if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, "..") ||
            fstatat(fd, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        auto_free char *sub = xasprintf("%s/%s", path, ent->d_name);
        auto_fd int in_lower =
            d->lower < 0 ? -1 : path_open_beneath(d->lower, sub + 1, O_PATH | O_NOFOLLOW, 0);
        bool was = in_lower >= 0 && fstat(in_lower, &low) == 0;
        if (is_whiteout(&st)) {
            d->add(d->arg, 'D', sub);
            continue;
        }
        if (!(was && S_ISDIR(st.st_mode) && S_ISDIR(low.st_mode) && st.st_mode == low.st_mode &&
              st.st_uid == low.st_uid))
            d->add(d->arg, was ? 'C' : 'A', sub);
        if (S_ISDIR(st.st_mode)) {
            auto_fd int next = openat(fd, ent->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (next >= 0)
                diff_dir(d, next, sub);
        }
    }
}

int stor_zone_diff(const struct stor_pool *p, const char *zone, const struct stor_root_plan *root,
                   void (*add)(void *arg, char kind, const char *path), void *arg, struct err *e)
{
    auto_free char *upper_path = xasprintf("%s/upper", zone);
    auto_fd int upper = path_open_beneath(p->zones_fd, upper_path, O_RDONLY | O_DIRECTORY, 0);
    if (upper < 0)
        return err_sysk(e, ERR_NOT_FOUND, -upper, "data of zone %s", zone);
    auto_fd int lower = root->lower_dir ? open(root->lower_dir, O_PATH | O_DIRECTORY | O_CLOEXEC)
                        : root->lowers
                            ? openat(p->layers_fd, root->lowers[0], O_PATH | O_DIRECTORY | O_CLOEXEC)
                            : -1;
    struct differ d = {add, arg, lower};
    diff_dir(&d, upper, "");
    return 0;
}
