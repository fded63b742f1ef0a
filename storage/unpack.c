/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Archives into a folder, as data: libarchive reads the format, these rooms make every entry themselves through
 * descriptors below the folder, following no link. Rules of contract.md, "Archives as roots": `..` and hard
 * links to outside are refused, device nodes are skipped below ./dev and refused elsewhere, entries and bytes
 * and depth are bounded. */
#include "storage/unpack.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#define DEFAULT_ENTRIES 1000000u
#define DEFAULT_BYTES (32ull << 30)
#define MAX_DEPTH 128 /* whoever deletes or copies the tree holds descriptors per level */

int unpack_refuse(struct err *e, const char *name, const char *why)
{
    return err_set(e, ERR_INVALID, EINVAL, "archive member %.200s: %s", name, why);
}

const char *unpack_link_target(struct archive_entry *ent)
{
    const char *t = archive_entry_hardlink(ent);
    return t ? t : archive_entry_hardlink_utf8(ent);
}

/* "./a//b/" -> "a/b"; a leading slash means the root of the archive; "" is the root itself. */
static int clean_name(const char *name, char **out, struct err *e)
{
    if (!name || strlen(name) > 4095)
        return unpack_refuse(e, name ? name : "?", "its name is longer than 4,095 bytes or not readable");
    auto_free char *clean = xcalloc(1, strlen(name) + 1);
    size_t len = 0;
    unsigned depth = 0;
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return unpack_refuse(e, name, "leads out of the archive");
        if (n > 255)
            return unpack_refuse(e, name, "a part of its name is longer than 255 bytes");
        if (n && !(n == 1 && p[0] == '.')) {
            if (++depth > MAX_DEPTH)
                return unpack_refuse(e, name, "is nested deeper than 128 folders");
            if (len)
                clean[len++] = '/';
            memcpy(clean + len, p, n);
            len += n;
        }
        p += n + (p[n] == '/');
    }
    *out = take_ptr(&clean);
    return 0;
}

static int mark_implied(struct unpacker *u, const char *path)
{
    auto_fd int fd = path_open_beneath(u->top.fd, path, O_RDONLY | O_DIRECTORY, 0);
    u->st.implied++;
    return fd < 0 ? fd : fsetxattr(fd, IMPLIED_MARK, "y", 1, 0);
}

/* Made where the archive did not name it. */
static int open_folder(struct unpacker *u, const char *path, struct err *e)
{
    int fd = path_open_beneath(u->top.fd, path, O_PATH | O_DIRECTORY, 0);
    if (fd == -ENOENT) {
        auto_free char *above = xstrdup(path);
        char *slash = strrchr(above, '/');
        if (slash)
            *slash = '\0';
        auto_fd int dir = slash ? open_folder(u, above, e) : fcntl(u->top.fd, F_DUPFD_CLOEXEC, 3);
        if (dir < 0)
            return dir;
        const char *name = slash ? slash + 1 : path;
        bool made = mkdirat(dir, name, 0755) == 0;
        if (made && fchmodat(dir, name, 0755, 0) < 0) /* the umask is not ours to know */
            return err_sys(e, "archive member %.200s", path);
        fd = made || errno == EEXIST ? path_open_beneath(u->top.fd, path, O_PATH | O_DIRECTORY, 0) : -errno;
        if (made && fd >= 0 && u->job->layer && mark_implied(u, path) < 0)
            return err_sys(e, "archive member %.200s", path);
    }
    if (fd == -ELOOP || fd == -ENOTDIR)
        return unpack_refuse(e, path, "is reached through a link or a file");
    return fd < 0 ? err_sysk(e, fd == -ENOSPC ? ERR_LIMIT : ERR_INVALID, -fd, "archive member %.200s", path)
                  : fd;
}

/* The folder that holds the entry, borrowed: the last one stays open, since entries come folder by folder. *base points into
 * path, which is cut there. */
static struct unpack_dir *open_parent(struct unpacker *u, char *path, char **base, struct err *e)
{
    char *slash = strrchr(path, '/');
    if (!slash) {
        *base = path;
        return &u->top;
    }
    *slash = '\0';
    *base = slash + 1;
    if (u->parent_path && !strcmp(u->parent_path, path))
        return u->parent;
    int fd = open_folder(u, path, e);
    if (fd < 0)
        return NULL;
    unpack_dir_release(u->parent);
    free(u->parent_path);
    u->parent = xcalloc(1, sizeof(*u->parent));
    *u->parent = (struct unpack_dir){fd, 1};
    u->parent_path = xstrdup(path);
    return u->parent;
}

void unpack_dir_release(struct unpack_dir *d)
{
    if (!d || --d->users)
        return;
    close_fd(&d->fd);
    free(d);
}

/* target: clean; it is cut. */
static int make_hardlink(struct unpacker *u, char *target, int dir, const char *base, const char *path,
                         struct err *e)
{
    char *slash = strrchr(target, '/');
    if (slash)
        *slash = '\0';
    auto_fd int from = slash ? open_folder(u, target, e) : fcntl(u->top.fd, F_DUPFD_CLOEXEC, 3);
    return from < 0 ? from : unpack_hardlink(u, from, slash ? slash + 1 : target, dir, base, path, e);
}

static int clean_target(const char *link, const char *path, char **out, struct err *e)
{
    if (link && (clean_name(link, out, NULL) < 0 || !**out))
        return unpack_refuse(e, path, "is a hard link to outside");
    return 0;
}

/* What files under way have to do with the entry is done first. A mark takes away what stands beside it. */
static int clear_way(struct unpacker *u, const char *path, const char *target, struct err *e)
{
    const char *slash = strrchr(path, '/');
    bool mark = u->job->layer && str_starts(slash ? slash + 1 : path, ".wh.");
    return unpack_crew_clear(u->crew, mark ? NULL : path, target, e);
}

static int unpack_entry(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
    char *path = NULL, *base;
    const char *name = archive_entry_pathname(ent), *link = unpack_link_target(ent);
    unsigned type = archive_entry_filetype(ent);
    int r = clean_name(name ? name : archive_entry_pathname_utf8(ent), &path, e);
    auto_free char *hold = path;
    if (r < 0)
        return r;
    if (!*path)
        return type == AE_IFDIR && !link ? unpack_remember_folder(u, ent, ".", e)
                                         : unpack_refuse(e, "/", "is no folder");
    if (!link && (type == AE_IFCHR || type == AE_IFBLK)) {
        if (!str_starts(path, "dev/"))
            return unpack_refuse(e, path, "is a device node outside ./dev");
        u->st.skipped_devices++;
        return 0;
    }
    if (type == AE_IFSOCK)
        return 0;
    auto_free char *full = xstrdup(path), *target = NULL;
    if ((r = clean_target(link, path, &target, e)) < 0 || (r = clear_way(u, path, target, e)) < 0)
        return r;
    struct unpack_dir *dir = open_parent(u, path, &base, e);
    if (!dir)
        return -EINVAL;
    if (u->job->layer && (r = unpack_whiteout(u, dir->fd, base, full, e)) != 0)
        return r < 0 ? r : 0;
    return link ? make_hardlink(u, target, dir->fd, base, full, e) : unpack_node(u, ent, dir, base, full, e);
}

static struct archive *open_archive(const struct stor_unpack_job *j, struct err *e)
{
    struct archive *a = archive_read_new();
    archive_read_support_format_tar(a);
    if (j->layer) { /* decompressed already; a layer may be empty */
        archive_read_support_format_empty(a);
    } else {
        archive_read_support_filter_gzip(a);
        archive_read_support_filter_bzip2(a);
        archive_read_support_filter_xz(a);
        archive_read_support_filter_zstd(a);
    }
    if (archive_read_open_fd(a, j->in_fd, j->layer ? 1u << 20 : 1u << 17) == ARCHIVE_OK)
        return a;
    err_set(e, ERR_INVALID, EINVAL, "not a tar archive: %s", archive_error_string(a));
    archive_read_free(a);
    return NULL;
}

static void progress(struct unpacker *u)
{
    char line[64];
    if (u->job->progress_fd < 0 || u->st.entries % 256)
        return;
    int n = snprintf(line, sizeof(line), "%lld %llu\n", (long long)archive_filter_bytes(u->a, -1),
                     (unsigned long long)u->job->total);
    (void)!write(u->job->progress_fd, line, (size_t)n);
}

/* What stands behind the end of a layer's tar belongs to its digest. */
static void read_rest(int fd)
{
    auto_free char *buf = xcalloc(1, 65536);
    while (read(fd, buf, 65536) > 0)
        ;
}

static int unpack_all(struct unpacker *u, struct err *e)
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
        progress(u);
    }
    if (!u->st.entries && !u->job->layer)
        return err_set(e, ERR_INVALID, EINVAL, "the archive is empty");
    if (u->job->layer)
        read_rest(u->job->in_fd);
    return 0;
}

void stor_default_bounds(int dirfd, const struct stor_bounds *b, struct stor_bounds *out)
{
    struct statvfs v;
    struct stor_bounds to = b ? *b : (struct stor_bounds){0};
    if (!to.entries)
        to.entries = DEFAULT_ENTRIES;
    if (!to.bytes) {
        to.bytes = DEFAULT_BYTES;
        if (fstatvfs(dirfd, &v) == 0) {
            uint64_t space = (uint64_t)v.f_bavail * v.f_frsize,
                     spare = (uint64_t)v.f_blocks * v.f_frsize / 20;
            space = space > spare ? space - spare : 0;
            if (space < to.bytes)
                to.bytes = space;
        }
    }
    *out = to;
}

int stor_unpack(struct stor_unpack_job *j, struct err *e)
{
    struct unpacker u = {.top = {j->dirfd, 1}, .keep_owner = geteuid() == 0, .job = j};
    stor_default_bounds(j->dirfd, j->bounds, &u.bounds);
    u.a = open_archive(j, e);
    if (!u.a)
        return -EINVAL;
    u.crew = unpack_crew_new(&u);
    int r = unpack_all(&u, e);
    int c = unpack_crew_end(u.crew, e);
    r = r < 0 ? r : c;
    int k = unpack_finish_folders(&u, r == 0, e);
    archive_read_free(u.a);
    unpack_dir_release(u.parent);
    free(u.parent_path);
    j->stats = u.st;
    return r < 0 ? r : k;
}
