/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Archives into a folder, as data: libarchive reads the format, this room makes every entry itself through
 * descriptors below the folder, following no link. Rules of contract.md, "Archives as roots": `..` and hard
 * links to outside are refused, device nodes are skipped below ./dev and refused elsewhere, entries and bytes
 * and depth are bounded. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#define DEFAULT_ENTRIES 1000000u
#define DEFAULT_BYTES (32ull << 30)
#define MAX_DEPTH 128 /* whoever deletes or copies the tree holds descriptors per level */

struct unpacker {
    struct archive *a;
    int root;
    bool keep_owner;
    struct stor_bounds bounds;
    struct stor_unpack_stats st;
    int progress_fd;
    /* folders' times are set last, because entries made in them change them */
    struct dir_time {
        char *path;
        struct timespec mtime;
        struct dir_time *next;
    } * dirs;
};

static int refuse(struct err *e, const char *name, const char *why)
{
    return err_set(e, ERR_INVALID, EINVAL, "archive member %.200s: %s", name, why);
}

/* "./a//b/" -> "a/b"; a leading slash means the root of the archive; "" is the root itself. */
static int clean_name(const char *name, char **out, struct err *e)
{
    struct str s = {0};
    if (!name || strlen(name) > 4095)
        return refuse(e, name ? name : "?", "its name is longer than 4,095 bytes or not readable");
    char **parts = str_split(name, "/");
    int r = strv_len(parts) > MAX_DEPTH ? refuse(e, name, "is nested deeper than 128 folders") : 0;
    for (unsigned i = 0; r == 0 && i < strv_len(parts); i++) {
        if (!strcmp(parts[i], "."))
            continue;
        if (!strcmp(parts[i], "..") || strlen(parts[i]) > 255)
            r = refuse(e, name,
                       strcmp(parts[i], "..") ? "a part of its name is longer than 255 bytes"
                                              : "leads out of the archive");
        str_addf(&s, "%s%s", s.len ? "/" : "", parts[i]);
    }
    strv_free(parts);
    if (r < 0)
        str_done(&s);
    else
        *out = str_take(&s);
    return r;
}

/* The folder that holds the entry; made where the archive did not name it. *base points into path. */
static int open_parent(struct unpacker *u, char *path, char **base, struct err *e)
{
    char *slash = strrchr(path, '/');
    if (!slash) {
        *base = path;
        return fcntl(u->root, F_DUPFD_CLOEXEC, 3);
    }
    *slash = '\0';
    *base = slash + 1;
    int fd = path_open_beneath(u->root, path, O_PATH | O_DIRECTORY, 0);
    if (fd == -ENOENT) {
        char *up;
        auto_free char *copy = xstrdup(path);
        auto_fd int above = open_parent(u, copy, &up, e);
        if (above >= 0 && mkdirat(above, up, 0755) < 0 && errno != EEXIST)
            fd = -errno;
        else if (above >= 0)
            fd = path_open_beneath(u->root, path, O_PATH | O_DIRECTORY, 0);
    }
    if (fd == -ELOOP || fd == -ENOTDIR)
        return refuse(e, path, "is reached through a link or a file");
    return fd < 0 ? err_sysk(e, fd == -ENOSPC ? ERR_LIMIT : ERR_INVALID, -fd, "archive member %.200s", path)
                  : fd;
}

static int remove_old(int dir, const char *base, const char *path, bool is_dir, struct err *e)
{
    struct stat st;
    if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "archive member %.200s", path);
    if (S_ISDIR(st.st_mode))
        return is_dir ? 1 : path_remove_tree(dir, base, e);
    return unlinkat(dir, base, 0) < 0 ? err_sys(e, "archive member %.200s", path) : 0;
}

static int write_data(struct unpacker *u, int fd, const char *path, struct err *e)
{
    const void *buf;
    size_t n = 0;
    la_int64_t at = 0;
    for (int r; (r = archive_read_data_block(u->a, &buf, &n, &at)) != ARCHIVE_EOF; n = 0) {
        if (r < ARCHIVE_WARN)
            return err_set(e, ERR_INVALID, EIO, "archive member %.200s: %s", path,
                           archive_error_string(u->a));
        u->st.bytes += n;
        if (u->st.bytes > u->bounds.bytes)
            return err_set(e, ERR_LIMIT, EFBIG, "the archive expands to more than %llu bytes",
                           (unsigned long long)u->bounds.bytes);
        for (size_t done = 0; done < n;) {
            ssize_t w = pwrite(fd, (const char *)buf + done, n - done, at + (la_int64_t)done);
            if (w < 0 && errno == EINTR)
                continue;
            if (w < 0)
                return err_sysk(e, errno == ENOSPC ? ERR_LIMIT : ERR_INTERNAL, errno, "archive member %.200s",
                                path);
            done += (size_t)w;
        }
    }
    return 0;
}

static int make_file(struct unpacker *u, struct archive_entry *ent, int dir, const char *base,
                     const char *path, struct err *e)
{
    auto_fd int fd = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, "archive member %.200s", path);
    int r = write_data(u, fd, path, e);
    if (r == 0 && ftruncate(fd, archive_entry_size(ent)) < 0) /* a hole at the end */
        r = err_sys(e, "archive member %.200s", path);
    return r;
}

static int make_hardlink(struct unpacker *u, const char *target, int dir, const char *base, const char *path,
                         struct err *e)
{
    char *clean = NULL, *tbase;
    if (clean_name(target, &clean, NULL) < 0)
        return refuse(e, path, "is a hard link to outside");
    auto_free char *hold = clean;
    auto_fd int tdir = open_parent(u, clean, &tbase, e);
    if (tdir < 0)
        return tdir;
    struct stat st;
    if (fstatat(tdir, tbase, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
        return refuse(e, path, "is a hard link to what is not in the archive");
    return linkat(tdir, tbase, dir, base, 0) < 0 ? err_sys(e, "archive member %.200s", path) : 0;
}

/* What a file may carry: never an overlay's own marks, nor a label that the host's security modules read. */
static bool xattr_wanted(const char *name)
{
    return !strcmp(name, "security.capability") ||
           (str_starts(name, "user.") && !str_starts(name, "user.overlay."));
}

/* By descriptor, because the cage has no /proc. The kernel takes such attributes on files and folders alone. */
static int set_xattrs(struct archive_entry *ent, int dir, const char *base, const char *path, struct err *e)
{
    const char *name;
    const void *value;
    size_t n;
    unsigned type = archive_entry_filetype(ent);
    if (!archive_entry_xattr_count(ent) || (type != AE_IFREG && type != AE_IFDIR))
        return 0;
    auto_fd int fd = openat(dir, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "attributes of archive member %.200s", path);
    archive_entry_xattr_reset(ent);
    while (archive_entry_xattr_next(ent, &name, &value, &n) == ARCHIVE_OK)
        if (xattr_wanted(name) && fsetxattr(fd, name, value, n, 0) < 0 &&
            (errno == ENOSPC || errno == EDQUOT))
            return err_sysk(e, ERR_LIMIT, errno, "attributes of archive member %.200s", path);
    return 0;
}

static int set_meta(struct unpacker *u, struct archive_entry *ent, int dir, const char *base,
                    const char *path, struct err *e)
{
    mode_t mode = archive_entry_mode(ent);
    struct timespec t[2] = {{archive_entry_mtime(ent), archive_entry_mtime_nsec(ent)},
                            {archive_entry_mtime(ent), archive_entry_mtime_nsec(ent)}};
    if (u->keep_owner && fchownat(dir, base, (uid_t)archive_entry_uid(ent), (gid_t)archive_entry_gid(ent),
                                  AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "owner of archive member %.200s", path);
    int r = set_xattrs(ent, dir, base, path, e); /* after the owner: a chown takes file capabilities away */
    if (r < 0)
        return r;
    if (!S_ISLNK(mode) && fchmodat(dir, base, mode & 07777, 0) < 0)
        return err_sys(e, "mode of archive member %.200s", path);
    (void)utimensat(dir, base, t, AT_SYMLINK_NOFOLLOW);
    if (S_ISDIR(mode)) {
        struct dir_time *d = xcalloc(1, sizeof(*d));
        *d = (struct dir_time){xstrdup(path), t[1], u->dirs};
        u->dirs = d;
    }
    return 0;
}

static int make_node(struct unpacker *u, struct archive_entry *ent, int dir, const char *base,
                     const char *path, bool exists, struct err *e)
{
    switch (archive_entry_filetype(ent)) {
    case AE_IFREG:
        return make_file(u, ent, dir, base, path, e);
    case AE_IFDIR:
        return exists || mkdirat(dir, base, 0700) == 0 ? 0 : err_sys(e, "archive member %.200s", path);
    case AE_IFLNK:
        if (!archive_entry_symlink(ent) || !*archive_entry_symlink(ent))
            return refuse(e, path, "is a link without a target");
        return symlinkat(archive_entry_symlink(ent), dir, base) < 0
                   ? err_sys(e, "archive member %.200s", path)
                   : 0;
    case AE_IFIFO:
        return mkfifoat(dir, base, 0600) < 0 ? err_sys(e, "archive member %.200s", path) : 0;
    default:
        return refuse(e, path, "is of a type that a root cannot hold");
    }
}

static int unpack_entry(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
    char *path = NULL, *base;
    int r = clean_name(archive_entry_pathname(ent), &path, e);
    auto_free char *hold = path;
    if (r < 0)
        return r;
    unsigned type = archive_entry_filetype(ent);
    if (!*path)
        return type == AE_IFDIR && !archive_entry_hardlink(ent) ? set_meta(u, ent, u->root, ".", ".", e)
                                                                : refuse(e, "/", "is no folder");
    if (!archive_entry_hardlink(ent) && (type == AE_IFCHR || type == AE_IFBLK)) {
        if (!str_starts(path, "dev/"))
            return refuse(e, path, "is a device node outside ./dev");
        u->st.skipped_devices++;
        return 0;
    }
    if (type == AE_IFSOCK)
        return 0;
    auto_free char *full = xstrdup(path);
    auto_fd int dir = open_parent(u, path, &base, e);
    if (dir < 0)
        return dir;
    int old = remove_old(dir, base, full, type == AE_IFDIR && !archive_entry_hardlink(ent), e);
    if (old < 0)
        return old;
    if (archive_entry_hardlink(ent))
        return make_hardlink(u, archive_entry_hardlink(ent), dir, base, full, e);
    r = make_node(u, ent, dir, base, full, old == 1, e);
    return r < 0 ? r : set_meta(u, ent, dir, base, full, e);
}

static void finish_dirs(struct unpacker *u)
{
    struct dir_time *in_order = NULL; /* a folder named twice has the time of its last entry */
    for (struct dir_time *d = u->dirs, *next; d; d = next) {
        next = d->next;
        d->next = in_order;
        in_order = d;
    }
    u->dirs = NULL;
    for (struct dir_time *d = in_order, *next; d; d = next) {
        struct timespec t[2] = {d->mtime, d->mtime};
        next = d->next;
        auto_fd int fd = path_open_beneath(u->root, d->path, O_RDONLY | O_DIRECTORY, 0);
        if (fd >= 0)
            (void)futimens(fd, t);
        free(d->path);
        free(d);
    }
}

static struct archive *open_archive(int in_fd, struct err *e)
{
    struct archive *a = archive_read_new();
    archive_read_support_format_tar(a);
    archive_read_support_format_gnutar(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_filter_none(a);
    if (archive_read_open_fd(a, in_fd, 1u << 17) == ARCHIVE_OK)
        return a;
    err_set(e, ERR_INVALID, EINVAL, "not a tar archive: %s", archive_error_string(a));
    archive_read_free(a);
    return NULL;
}

static void progress(struct unpacker *u, uint64_t total)
{
    char line[64];
    if (u->progress_fd < 0 || u->st.entries % 256)
        return;
    int n = snprintf(line, sizeof(line), "%lld %llu\n", (long long)archive_filter_bytes(u->a, -1),
                     (unsigned long long)total);
    (void)!write(u->progress_fd, line, (size_t)n);
}

static int unpack_all(struct unpacker *u, uint64_t total, struct err *e)
{
    struct archive_entry *ent;
    for (;;) {
        int r = archive_read_next_header(u->a, &ent);
        if (r == ARCHIVE_EOF)
            break;
        if (r < ARCHIVE_WARN)
            return err_set(e, ERR_INVALID, EINVAL, "%s: %s",
                           u->st.entries ? "the archive is damaged or cut short" : "not a tar archive",
                           archive_error_string(u->a));
        if (++u->st.entries > u->bounds.entries)
            return err_set(e, ERR_LIMIT, EFBIG, "the archive has more than %llu entries",
                           (unsigned long long)u->bounds.entries);
        r = unpack_entry(u, ent, e);
        if (r < 0)
            return r;
        progress(u, total);
    }
    if (!u->st.entries)
        return err_set(e, ERR_INVALID, EINVAL, "the archive is empty");
    return 0;
}

static void default_bounds(struct unpacker *u, const struct stor_bounds *b)
{
    struct statvfs v;
    u->bounds = b ? *b : (struct stor_bounds){0};
    if (!u->bounds.entries)
        u->bounds.entries = DEFAULT_ENTRIES;
    if (u->bounds.bytes)
        return;
    u->bounds.bytes = DEFAULT_BYTES;
    if (fstatvfs(u->root, &v) == 0) {
        uint64_t space = (uint64_t)v.f_bavail * v.f_frsize, spare = (uint64_t)v.f_blocks * v.f_frsize / 20;
        space = space > spare ? space - spare : 0;
        if (space < u->bounds.bytes)
            u->bounds.bytes = space;
    }
}

int stor_unpack(int in_fd, int dirfd, const struct stor_bounds *b, int progress_fd, uint64_t total,
                struct stor_unpack_stats *st, struct err *e)
{
    struct unpacker u = {.root = dirfd, .keep_owner = geteuid() == 0, .progress_fd = progress_fd};
    default_bounds(&u, b);
    u.a = open_archive(in_fd, e);
    if (!u.a)
        return -EINVAL;
    int r = unpack_all(&u, total, e);
    finish_dirs(&u);
    archive_read_free(u.a);
    if (r == 0 && st)
        *st = u.st;
    return r;
}
