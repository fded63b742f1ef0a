/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One entry of an archive as a file, folder, link or fifo, with all that it carries: owner, mode, times, attributes, file
 * capabilities, ACLs. By descriptor, following nothing; the cage has no /proc. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/xattr.h>

#define CREW_FILE (256 << 10) /* of a larger one writing is the work */

/* ---- attributes ---- */
/* What a file may carry: never an overlay's own marks, nor a label that the host's security modules read. */
static bool attr_wanted(const char *name)
{
    return !strcmp(name, "security.capability") || !strcmp(name, "system.posix_acl_access") ||
           !strcmp(name, "system.posix_acl_default") ||
           (str_starts(name, "user.") && !str_starts(name, "user.overlay."));
}

static int set_attr(int fd, const char *name, const void *value, size_t n, const char *path, struct err *e)
{
    /* a disk without ACLs or attributes holds what it can */
    if (fsetxattr(fd, name, value, n, 0) < 0 && (errno == ENOSPC || errno == EDQUOT))
        return err_sysk(e, ERR_LIMIT, errno, "attributes of archive member %.200s", path);
    return 0;
}

static void add_attr(struct unpack_folder *f, const char *name, const void *value, size_t n)
{
    f->attrs = xrealloc(f->attrs, f->nattrs + 1, sizeof(*f->attrs));
    f->attrs[f->nattrs++] = (struct unpack_attr){xstrdup(name), n ? xmemdup(value, n) : xcalloc(1, 1), n};
}

static int acl_order(const void *a, const void *b)
{
    const struct posix_acl_xattr_entry *x = a, *y = b;
    return x->e_tag != y->e_tag ? x->e_tag - y->e_tag : (x->e_id > y->e_id) - (x->e_id < y->e_id);
}

static unsigned acl_tag(int tag)
{
    static const struct {
        int archive;
        unsigned kernel;
    } tags[] = {{ARCHIVE_ENTRY_ACL_USER_OBJ, 1},  {ARCHIVE_ENTRY_ACL_USER, 2},
                {ARCHIVE_ENTRY_ACL_GROUP_OBJ, 4}, {ARCHIVE_ENTRY_ACL_GROUP, 8},
                {ARCHIVE_ENTRY_ACL_MASK, 16},     {ARCHIVE_ENTRY_ACL_OTHER, 32}};
    for (unsigned i = 0; i < ARRAY_LEN(tags); i++)
        if (tags[i].archive == tag)
            return tags[i].kernel;
    return 0;
}

/* The textual ACLs of star, bsdtar and GNU tar in the kernel's form. */
static void add_acl(struct unpack_folder *f, struct archive_entry *ent, int which, const char *name)
{
    struct {
        struct posix_acl_xattr_header head;
        struct posix_acl_xattr_entry at[256];
    } acl = {.head.a_version = POSIX_ACL_XATTR_VERSION};
    int type, perms, tag, id;
    unsigned n = 0;
    const char *who;
    if (!archive_entry_acl_count(ent, which))
        return;
    archive_entry_acl_reset(ent, which);
    while (n < ARRAY_LEN(acl.at) && archive_entry_acl_next(ent, which, &type, &perms, &tag, &id, &who) == 0)
        if (acl_tag(tag) && (id >= 0 || !(acl_tag(tag) & 10)))
            acl.at[n++] =
                (struct posix_acl_xattr_entry){(unsigned short)acl_tag(tag), (unsigned short)(perms & 7),
                                               acl_tag(tag) & 10 ? (unsigned)id : (unsigned)-1};
    qsort(acl.at, n, sizeof(acl.at[0]), acl_order);
    if (n > 3) /* three are the mode's own bits */
        add_attr(f, name, &acl, sizeof(acl.head) + n * sizeof(acl.at[0]));
}

static void gather_attrs(struct unpack_folder *f, struct archive_entry *ent)
{
    const char *name;
    const void *value;
    size_t n;
    add_acl(f, ent, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access");
    add_acl(f, ent, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default");
    if (!archive_entry_xattr_count(ent))
        return;
    archive_entry_xattr_reset(ent);
    while (archive_entry_xattr_next(ent, &name, &value, &n) == ARCHIVE_OK)
        if (attr_wanted(name))
            add_attr(f, name, value, n);
}

static void free_attrs(struct unpack_folder *f)
{
    for (unsigned i = 0; i < f->nattrs; i++) {
        free(f->attrs[i].name);
        free(f->attrs[i].value);
    }
    free(f->attrs);
    f->attrs = NULL;
    f->nattrs = 0;
}

/* ---- what any file or folder gets, by its descriptor ---- */
static void read_meta(struct archive_entry *ent, struct unpack_folder *f)
{
    *f = (struct unpack_folder){.mode = archive_entry_mode(ent) & 07777,
                                .uid = (uid_t)archive_entry_uid(ent),
                                .gid = (gid_t)archive_entry_gid(ent),
                                .mtime = {archive_entry_mtime(ent), archive_entry_mtime_nsec(ent)}};
    gather_attrs(f, ent);
}

/* Attributes after the owner, because a chown takes file capabilities away, and after the mode, which an ACL's mask is. */
static int apply_meta(const struct unpacker *u, int fd, const struct unpack_folder *f, const char *path,
                      struct err *e)
{
    struct timespec t[2] = {f->mtime, f->mtime};
    bool is_ours = u->job->layer && !f->uid && !f->gid; /* new in a tree without setgid folders */
    if (u->keep_owner && !is_ours && fchown(fd, f->uid, f->gid) < 0)
        return err_sys(e, "owner of archive member %.200s", path);
    if (fchmod(fd, f->mode) < 0)
        return err_sys(e, "mode of archive member %.200s", path);
    for (unsigned i = 0; i < f->nattrs; i++) {
        int r = set_attr(fd, f->attrs[i].name, f->attrs[i].value, f->attrs[i].size, path, e);
        if (r < 0)
            return r;
    }
    (void)futimens(fd, t);
    return 0;
}

static int meta_by_name(struct unpacker *u, struct archive_entry *ent, int dir, const char *base,
                        const char *path, struct err *e)
{
    mode_t mode = archive_entry_mode(ent);
    struct timespec t[2] = {{archive_entry_mtime(ent), archive_entry_mtime_nsec(ent)},
                            {archive_entry_mtime(ent), archive_entry_mtime_nsec(ent)}};
    if (u->keep_owner && fchownat(dir, base, (uid_t)archive_entry_uid(ent), (gid_t)archive_entry_gid(ent),
                                  AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "owner of archive member %.200s", path);
    if (!S_ISLNK(mode) && fchmodat(dir, base, mode & 07777, 0) < 0)
        return err_sys(e, "mode of archive member %.200s", path);
    (void)utimensat(dir, base, t, AT_SYMLINK_NOFOLLOW);
    return 0;
}

int unpack_remember_folder(struct unpacker *u, struct archive_entry *ent, const char *path, struct err *e)
{
    struct unpack_folder *f = xcalloc(1, sizeof(*f));
    read_meta(ent, f);
    f->path = xstrdup(path);
    f->next = u->folders;
    u->folders = f;
    return 0;
}

/* A folder named twice is as its last entry says; the ones inside come first, since a mode may close the way. */
int unpack_finish_folders(struct unpacker *u, bool apply, struct err *e)
{
    struct unpack_folder *in_order = NULL;
    int r = 0;
    for (struct unpack_folder *f = u->folders, *next; f; f = next) {
        next = f->next;
        f->next = in_order;
        in_order = f;
    }
    u->folders = NULL;
    for (struct unpack_folder *f = in_order, *next; f; f = next) {
        next = f->next;
        if (apply && r == 0) {
            auto_fd int fd = path_open_beneath(u->top.fd, f->path, O_RDONLY | O_DIRECTORY, 0);
            if (fd >= 0)
                r = apply_meta(u, fd, f, f->path, e);
            if (fd >= 0 && u->st.implied) /* named after what is in it */
                (void)fremovexattr(fd, IMPLIED_MARK);
        }
        free_attrs(f);
        free(f->path);
        free(f);
    }
    return r;
}

/* ---- nodes ---- */
/* What is there makes room: 1 if it is a folder that stays a folder. */
static int make_room(struct unpacker *u, int dir, const char *base, const char *path, bool for_folder,
                     bool *whiteout, struct err *e)
{
    struct stat st;
    if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "archive member %.200s", path);
    *whiteout = unpack_is_whiteout(&st);
    if (!S_ISDIR(st.st_mode))
        return unlinkat(dir, base, 0) < 0 ? err_sys(e, "archive member %.200s", path) : 0;
    if (for_folder)
        return 1;
    free(take_ptr(&u->parent_path)); /* it may be below */
    return path_remove_tree(dir, base, e);
}

static int write_piece(int fd, const char *buf, size_t n, off_t at, const char *path, struct err *e)
{
    while (n) {
        ssize_t w = pwrite(fd, buf, n, at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_sysk(e, errno == ENOSPC || errno == EDQUOT ? ERR_LIMIT : ERR_INTERNAL, errno,
                            "archive member %.200s", path);
        buf += w;
        at += w;
        n -= (size_t)w;
    }
    return 0;
}

static int write_data(struct unpacker *u, int fd, off_t size, const char *path, struct err *e)
{
    const void *buf;
    size_t n = 0;
    la_int64_t at = 0, end = 0;
    for (int r; (r = archive_read_data_block(u->a, &buf, &n, &at)) != ARCHIVE_EOF; n = 0) {
        if (r < ARCHIVE_WARN)
            return err_set(e, ERR_INVALID, EIO, "archive member %.200s: %s", path,
                           archive_error_string(u->a));
        u->st.bytes += n;
        if (u->st.bytes > u->bounds.bytes)
            return err_set(e, ERR_LIMIT, EFBIG, "the archive expands to more than %llu bytes",
                           (unsigned long long)u->bounds.bytes);
        if ((r = write_piece(fd, buf, n, at, path, e)) < 0)
            return r;
        end = at + (la_int64_t)n;
    }
    if (end != size && ftruncate(fd, size) < 0) /* a hole at the end */
        return err_sys(e, "archive member %.200s", path);
    return 0;
}

static int open_new(int dir, const char *base, const char *path, struct err *e)
{
    int fd = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 || errno == EEXIST)
        return fd < 0 ? -EEXIST : fd;
    return err_sys(e, "archive member %.200s", path);
}

int unpack_file_make(const struct unpacker *u, const struct unpack_file *f, struct err *e)
{
    auto_fd int fd = open_new(f->dir->fd, f->base, f->path, e);
    if (fd < 0)
        return fd;
    int r = write_piece(fd, f->data, f->size, 0, f->path, e);
    return r < 0 ? r : apply_meta(u, fd, &f->meta, f->path, e);
}

int unpack_file_replace(struct unpacker *u, const struct unpack_file *f, struct err *e)
{
    bool whiteout;
    int r = make_room(u, f->dir->fd, f->base, f->path, false, &whiteout, e);
    return r < 0 ? r : unpack_file_make(u, f, e);
}

void unpack_file_done(struct unpack_file *f)
{
    unpack_dir_release(f->dir);
    free_attrs(&f->meta);
    free(f->path);
    free(f->data);
    *f = (struct unpack_file){0};
}

static int read_data(struct unpacker *u, char *data, size_t size, const char *path, struct err *e)
{
    for (size_t at = 0; at < size;) {
        la_ssize_t n = archive_read_data(u->a, data + at, size - at);
        if (n <= 0)
            return err_set(e, ERR_INVALID, EIO, "archive member %.200s: %s", path,
                           n < 0 ? archive_error_string(u->a) : "is cut short");
        at += (size_t)n;
    }
    u->st.bytes += size;
    return u->st.bytes > u->bounds.bytes
               ? err_set(e, ERR_LIMIT, EFBIG, "the archive expands to more than %llu bytes",
                         (unsigned long long)u->bounds.bytes)
               : 0;
}

/* Read whole, for a thread of the crew. */
static int give_file(struct unpacker *u, struct archive_entry *ent, struct unpack_dir *dir, const char *base,
                     const char *path, struct err *e)
{
    size_t size = (size_t)archive_entry_size(ent);
    struct unpack_file f = {
        .dir = dir, .path = xstrdup(path), .data = xrealloc(NULL, size + 1, 1), .size = size};
    f.base = f.path + (strlen(path) - strlen(base));
    dir->users++;
    int r = read_data(u, f.data, size, path, e);
    if (r < 0) {
        unpack_file_done(&f);
        return r;
    }
    read_meta(ent, &f.meta);
    return unpack_crew_give(u->crew, &f, e);
}

static int make_file(struct unpacker *u, struct archive_entry *ent, struct unpack_dir *dir, const char *base,
                     const char *path, struct err *e)
{
    struct unpack_folder meta;
    bool whiteout;
    int64_t size = archive_entry_size(ent);
    if (u->crew && size <= CREW_FILE && !archive_entry_sparse_count(ent))
        return give_file(u, ent, dir, base, path, e);
    auto_fd int fd = open_new(dir->fd, base, path, e);
    if (fd == -EEXIST) {
        int k = make_room(u, dir->fd, base, path, false, &whiteout, e);
        fd = k < 0 ? k : open_new(dir->fd, base, path, e);
    }
    if (fd < 0)
        return fd;
    int r = size ? write_data(u, fd, size, path, e) : 0;
    if (r < 0)
        return r;
    read_meta(ent, &meta);
    r = apply_meta(u, fd, &meta, path, e);
    free_attrs(&meta);
    return r;
}

/* Where the layer has taken the name away and brings a folder, nothing from below is to be seen in it. */
static int make_folder(struct unpacker *u, struct archive_entry *ent, int dir, const char *base,
                       const char *path, struct err *e)
{
    bool whiteout = false;
    int r = 0;
    if (mkdirat(dir, base, 0700) < 0) {
        r = errno == EEXIST ? make_room(u, dir, base, path, true, &whiteout, e)
                            : err_sys(e, "archive member %.200s", path);
        if (r == 0 && mkdirat(dir, base, 0700) < 0)
            r = err_sys(e, "archive member %.200s", path);
    }
    if (r >= 0 && whiteout && u->job->layer)
        r = unpack_make_opaque(dir, base, path, e);
    return r < 0 ? r : unpack_remember_folder(u, ent, path, e);
}

static int make_other(struct archive_entry *ent, int dir, const char *base)
{
    const char *target =
        archive_entry_symlink(ent) ? archive_entry_symlink(ent) : archive_entry_symlink_utf8(ent);
    int r = archive_entry_filetype(ent) == AE_IFLNK ? symlinkat(target ? target : "", dir, base)
                                                    : mkfifoat(dir, base, 0600);
    return r < 0 ? -errno : 0;
}

int unpack_node(struct unpacker *u, struct archive_entry *ent, struct unpack_dir *dir, const char *base,
                const char *path, struct err *e)
{
    unsigned type = archive_entry_filetype(ent);
    bool whiteout;
    if (type == AE_IFREG)
        return make_file(u, ent, dir, base, path, e);
    if (type == AE_IFDIR)
        return make_folder(u, ent, dir->fd, base, path, e);
    if (type != AE_IFLNK && type != AE_IFIFO)
        return unpack_refuse(e, path, "is of a type that a root cannot hold");
    if (type == AE_IFLNK && !archive_entry_symlink(ent) && !archive_entry_symlink_utf8(ent))
        return unpack_refuse(e, path, "is a link without a target");
    int r = make_other(ent, dir->fd, base);
    if (r == -EEXIST && (r = make_room(u, dir->fd, base, path, false, &whiteout, e)) == 0)
        r = make_other(ent, dir->fd, base);
    if (r < 0)
        return err_sysk(e, ERR_INVALID, -r, "archive member %.200s", path);
    return meta_by_name(u, ent, dir->fd, base, path, e);
}

int unpack_hardlink(struct unpacker *u, int from_dir, const char *from, int dir, const char *base,
                    const char *path, struct err *e)
{
    struct stat st, old;
    bool whiteout;
    if (fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode) ||
        unpack_is_whiteout(&st))
        return unpack_refuse(e, path, "is a hard link to what is not in the archive");
    if (linkat(from_dir, from, dir, base, 0) == 0)
        return 0;
    if (errno != EEXIST)
        return err_sys(e, "archive member %.200s", path);
    if (fstatat(dir, base, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == st.st_ino &&
        old.st_dev == st.st_dev)
        return 0;
    int r = make_room(u, dir, base, path, false, &whiteout, e);
    if (r == 0 && linkat(from_dir, from, dir, base, 0) < 0)
        r = err_sys(e, "archive member %.200s", path);
    return r;
}
