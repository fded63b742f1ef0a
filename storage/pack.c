/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree as a pax tar: owners, modes, times to the nanosecond, hard links, symlinks, devices, holes, attributes, file capabilities,
 * ACLs; whiteouts and opaque folders in aufs' names. Sorted, so that the same tree gives the same bytes. Reads as data, by
 * descriptor. Source: image-spec 1.1 layer.md, pax(1). */
#include "storage/pack.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "storage/links.h"
#include "storage/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PIECE (1u << 18)

struct packer {
    struct archive *a;
    const struct stor_pack_options *o;
    struct stor_links links;
    int (*sink)(void *arg, const void *data, size_t n, struct err *e);
    void *arg;
    char *buf;
    struct err *e;
};

static int failed(struct packer *p, const char *path)
{
    return err_set(p->e, ERR_INTERNAL, EIO, "%.200s: %s", path, archive_error_string(p->a));
}

/* The kernel's form of an ACL as the text that GNU tar and star read. */
static void add_acl(struct archive_entry *ent, const char *name, const char *value, size_t n)
{
    static const struct {
        int kernel, archive;
    } tags[] = {{1, ARCHIVE_ENTRY_ACL_USER_OBJ},  {2, ARCHIVE_ENTRY_ACL_USER},
                {4, ARCHIVE_ENTRY_ACL_GROUP_OBJ}, {8, ARCHIVE_ENTRY_ACL_GROUP},
                {16, ARCHIVE_ENTRY_ACL_MASK},     {32, ARCHIVE_ENTRY_ACL_OTHER}};
    const struct posix_acl_xattr_header *head = (const void *)value;
    int type = str_ends(name, "_default") ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT : ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
    if (n < sizeof(*head) || head->a_version != POSIX_ACL_XATTR_VERSION)
        return;
    const struct posix_acl_xattr_entry *at = (const void *)(head + 1);
    for (size_t left = (n - sizeof(*head)) / sizeof(*at); left > 0; left--, at++)
        for (unsigned i = 0; i < ARRAY_LEN(tags); i++) {
            char id[16] = "";
            if (tags[i].kernel != at->e_tag)
                continue;
            if (at->e_tag & 10)
                snprintf(id, sizeof(id), "%u", at->e_id);
            archive_entry_acl_add_entry(ent, type, at->e_perm, tags[i].archive,
                                        at->e_tag & 10 ? (int)at->e_id : -1, id);
        }
}

/* Only files and folders carry what the kernel lets users set. In a layer an ACL is an attribute, as all who read images know. */
static void add_attrs(struct packer *p, struct archive_entry *ent, int fd, bool *opaque)
{
    char list[XATTR_LIST_MAX];
    _Alignas(8) char value[XATTR_SIZE_MAX];
    ssize_t n = flistxattr(fd, list, sizeof(list));
    for (char *name = list; n > 0 && name < list + n; name += strlen(name) + 1) {
        if (!strcmp(name, OVERLAY_OPAQUE))
            *opaque = true;
        if (str_starts(name, "user.overlay.") || str_starts(name, "trusted.") ||
            (str_starts(name, "security.") && strcmp(name, "security.capability") != 0))
            continue;
        ssize_t v = fgetxattr(fd, name, value, sizeof(value));
        if (v >= 0 && !p->o->layer && str_starts(name, "system.posix_acl_"))
            add_acl(ent, name, value, (size_t)v);
        else if (v >= 0)
            archive_entry_xattr_add_entry(ent, name, value, (size_t)v);
    }
}

static void add_holes(struct archive_entry *ent, int fd, const struct stat *st)
{
    if (st->st_blocks * 512 >= st->st_size)
        return;
    for (off_t at = 0; at < st->st_size;) {
        off_t data = lseek(fd, at, SEEK_DATA), end;
        if (data < 0)
            break;
        end = lseek(fd, data, SEEK_HOLE);
        if (end < 0)
            end = st->st_size;
        archive_entry_sparse_add_entry(ent, data, end - data);
        at = end;
    }
    if (!archive_entry_sparse_count(ent) && st->st_size) /* nothing but a hole */
        archive_entry_sparse_add_entry(ent, st->st_size, 0);
    (void)lseek(fd, 0, SEEK_SET);
}

/* libarchive takes the whole file and leaves the holes out by itself. */
static int write_data(struct packer *p, int fd, off_t size, const char *path)
{
    for (off_t done = 0; done < size;) {
        ssize_t n = pread(fd, p->buf, (size_t)(size - done < PIECE ? size - done : PIECE), done);
        if (n < 0)
            return err_sys(p->e, "%.200s", path);
        if (n == 0) { /* it shrank: the header has promised so much */
            n = (ssize_t)(size - done < PIECE ? size - done : PIECE);
            memset(p->buf, 0, (size_t)n);
        }
        if (archive_write_data(p->a, p->buf, (size_t)n) < n)
            return failed(p, path);
        done += n;
    }
    return 0;
}

static const char *linked_before(struct packer *p, const struct stat *st, const char *path)
{
    return st->st_nlink < 2 || S_ISDIR(st->st_mode) ? NULL : stor_links_seen(&p->links, st, path);
}

static void clamp_time(const struct packer *p, struct archive_entry *ent, const struct stat *st)
{
    if (p->o->has_epoch && (uint64_t)st->st_mtim.tv_sec >= p->o->epoch)
        archive_entry_set_mtime(ent, (time_t)p->o->epoch, 0);
}

static int write_mark(struct packer *p, const char *folder, const char *name, const struct stat *like)
{
    struct archive_entry *ent = archive_entry_new();
    auto_free char *path = xasprintf("%s%s.wh.%s", folder, *folder ? "/" : "", name);
    archive_entry_set_pathname(ent, path);
    archive_entry_set_filetype(ent, AE_IFREG);
    archive_entry_set_perm(ent, 0600);
    archive_entry_set_mtime(ent, like->st_mtim.tv_sec, 0);
    clamp_time(p, ent, like);
    archive_entry_set_size(ent, 0);
    int r = archive_write_header(p->a, ent) < ARCHIVE_WARN ? failed(p, path) : 0;
    archive_entry_free(ent);
    return r;
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
}

static int fill_entry(struct packer *p, struct archive_entry *ent, int dir, const char *name,
                      const struct stat *st, const char *path, int fd, bool *opaque)
{
    char target[PATH_MAX];
    archive_entry_copy_stat(ent, st);
    clamp_time(p, ent, st);
    archive_entry_unset_atime(ent);
    archive_entry_unset_ctime(ent);
    archive_entry_unset_birthtime(ent);
    archive_entry_set_pathname(ent, path);
    if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
        if (n < 0)
            return err_sys(p->e, "%.200s", path);
        target[n] = '\0';
        archive_entry_set_symlink(ent, target);
    }
    if (fd >= 0)
        add_attrs(p, ent, fd, opaque);
    if (S_ISREG(st->st_mode))
        add_holes(ent, fd, st);
    return 0;
}

static int write_node(struct packer *p, int dir, const char *name, const struct stat *st, const char *path,
                      const char *rel)
{
    bool opaque = false;
    const char *link = linked_before(p, st, path);
    auto_fd int fd = S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)
                         ? openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                         : -1;
    if (fd < 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
        return err_sys(p->e, "%.200s", path);
    struct archive_entry *ent = archive_entry_new();
    int r = 0;
    if (link) {
        archive_entry_copy_stat(ent, st);
        clamp_time(p, ent, st);
        archive_entry_set_pathname(ent, path);
        archive_entry_set_hardlink(ent, link);
        archive_entry_set_size(ent, 0);
    } else {
        r = fill_entry(p, ent, dir, name, st, path, fd, &opaque);
    }
    if (r == 0 && archive_write_header(p->a, ent) < ARCHIVE_WARN)
        r = failed(p, path);
    archive_entry_free(ent);
    if (r == 0 && !link && S_ISREG(st->st_mode))
        r = write_data(p, fd, st->st_size, path);
    if (r == 0 && opaque && p->o->layer)
        r = write_mark(p, rel, ".wh..opq", st);
    return r;
}

static int pack_folder(struct packer *p, int dir, const char *rel, unsigned depth);

static int pack_one(struct packer *p, int dir, const char *name, const char *rel, unsigned depth)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(p->e, "%.200s", rel);
    if (strv_has(p->o->skip, rel) || S_ISSOCK(st.st_mode))
        return 0;
    if (unpack_is_whiteout(&st)) {
        auto_free char *folder = parent_of(rel);
        return p->o->layer ? write_mark(p, folder, name, &st) : 0;
    }
    auto_free char *path = S_ISDIR(st.st_mode) ? xasprintf("%s/", rel) : xstrdup(rel);
    int r = write_node(p, dir, name, &st, path, rel);
    if (r < 0 || !S_ISDIR(st.st_mode))
        return r;
    auto_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys(p->e, "%.200s", rel) : pack_folder(p, fd, rel, depth + 1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int pack_folder(struct packer *p, int dir, const char *rel, unsigned depth)
{
    char **names = NULL;
    int r = depth > 500 ? err_set(p->e, ERR_LIMIT, ELOOP, "%.100s: nested deeper than 500 folders", rel) : 0;
    auto_dir DIR *d = r < 0 ? NULL : fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (r == 0 && !d)
        return err_sys(p->e, "%.200s", rel);
    for (struct dirent *ent; d && (ent = readdir(d));)
        if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
            strv_add(&names, ent->d_name);
    if (names)
        qsort(names, strv_len(names), sizeof(*names), by_name);
    for (char **n = names; r == 0 && n && *n; n++) {
        auto_free char *sub = xasprintf("%s%s%s", rel, *rel ? "/" : "", *n);
        r = pack_one(p, dir, *n, sub, depth);
    }
    strv_free(names);
    return r;
}

static la_ssize_t on_write(struct archive *a, void *arg, const void *data, size_t n)
{
    struct packer *p = arg;
    if (p->sink(p->arg, data, n, p->e) == 0)
        return (la_ssize_t)n;
    archive_set_error(a, EIO, "%s", p->e->text);
    return -1;
}

static int pack_top(struct packer *p, int dirfd)
{
    struct stat st;
    if (fstat(dirfd, &st) < 0)
        return err_sys(p->e, "pack");
    int r = write_node(p, dirfd, ".", &st, "./", "");
    return r < 0 ? r : pack_folder(p, dirfd, "", 0);
}

int stor_pack_tree(int dirfd, const struct stor_pack_options *o,
                   int (*sink)(void *arg, const void *data, size_t n, struct err *e), void *arg,
                   struct err *e)
{
    struct err own = {0};
    struct packer p = {.a = archive_write_new(), .o = o, .sink = sink, .arg = arg, .e = e ? e : &own};
    p.buf = xcalloc(1, PIECE);
    archive_write_set_format_pax(p.a); /* times to the nanosecond */
    archive_write_add_filter_none(p.a);
    archive_write_set_bytes_per_block(p.a, 1u << 20);
    archive_write_set_bytes_in_last_block(p.a, 1);
    (void)archive_write_set_options(p.a, "xattrheader=SCHILY");
    int r = archive_write_open(p.a, &p, NULL, on_write, NULL) == ARCHIVE_OK ? pack_top(&p, dirfd)
                                                                            : failed(&p, "pack");
    if (archive_write_close(p.a) != ARCHIVE_OK && r == 0)
        r = failed(&p, "pack");
    archive_write_free(p.a);
    stor_links_done(&p.links);
    free(p.buf);
    return r;
}
