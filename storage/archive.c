/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tar in and out for cp. Runs in a process that has the zone's credentials and root: nothing here is trusted
 * with more. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int add_data(struct archive *a, int fd, const char *name, struct err *e)
{
    char buf[65536];
    ssize_t n;
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        la_ssize_t w = archive_write_data(a, buf, (size_t)n);
        if (w < 0)
            return err_set(e, ERR_INTERNAL, EIO, "%s: %s", name, archive_error_string(a));
        if (w < n) /* it grew since the header was written */
            break;
    }
    return n < 0 ? err_sys(e, "%s", name) : 0;
}

static int add_tree(struct archive *a, int dir, const char *base, const char *name, struct err *e);

static int add_children(struct archive *a, int dir, const char *base, const char *name, struct err *e)
{
    int fd = openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
    auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return err_sys(e, "%s", name);
    for (struct dirent *ent; r == 0 && (ent = readdir(d));) {
        if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
            continue;
        auto_free char *sub = xasprintf("%s/%s", name, ent->d_name);
        r = add_tree(a, fd, ent->d_name, sub, e);
    }
    return r;
}

static int add_tree(struct archive *a, int dir, const char *base, const char *name, struct err *e)
{
    struct stat st;
    char target[4096];
    if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "%s", name);
    if (S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        return 0;
    auto_fd int fd =
        S_ISREG(st.st_mode) ? openat(dir, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    if (S_ISREG(st.st_mode) && fd < 0)
        return err_sys(e, "%s", name);
    struct archive_entry *ent = archive_entry_new();
    archive_entry_set_pathname(ent, name);
    archive_entry_copy_stat(ent, &st);
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlinkat(dir, base, target, sizeof(target) - 1);
        target[n < 0 ? 0 : n] = '\0';
        archive_entry_set_symlink(ent, target);
    }
    int r = archive_write_header(a, ent) < ARCHIVE_WARN
                ? err_set(e, ERR_INTERNAL, EIO, "%s: %s", name, archive_error_string(a))
                : 0;
    archive_entry_free(ent);
    if (r == 0 && S_ISREG(st.st_mode))
        r = add_data(a, fd, name, e);
    if (r == 0 && S_ISDIR(st.st_mode))
        r = add_children(a, dir, base, name, e);
    return r;
}

int stor_archive_pack(int root_fd, const char *path, int out_fd, struct err *e)
{
    auto_free char *copy = xstrdup(path);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = '\0';
    char *slash = strrchr(copy, '/');
    const char *base = !slash ? copy : slash[1] ? slash + 1 : ".";
    if (!strcmp(base, ".."))
        return err_set(e, ERR_INVALID, EINVAL, "%s: name the folder itself", path);
    if (slash)
        *slash = '\0';
    auto_fd int dir = path_open_in(root_fd, slash && *copy ? copy : "/", O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0)
        return err_sysk(e, ERR_NOT_FOUND, -dir, "%s", path);
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_add_filter_none(a);
    int r = archive_write_open_fd(a, out_fd) == ARCHIVE_OK ? add_tree(a, dir, base, base, e)
                                                           : err_set(e, ERR_INTERNAL, EIO, "archive");
    if (archive_write_close(a) != ARCHIVE_OK && r == 0)
        r = err_set(e, ERR_INTERNAL, EIO, "%s", archive_error_string(a));
    archive_write_free(a);
    return r;
}

/* The archive's one member under a new name: unpacked beside it in a folder of its own, then renamed. */
static int unpack_as(int parent, const char *base, int in_fd, const struct stor_bounds *b, struct err *e)
{
    auto_free char *tmp = xasprintf(".%s.cp.%d", base, (int)getpid()), *member = NULL;
    if (mkdirat(parent, tmp, 0700) < 0)
        return err_sys(e, "%s", base);
    auto_fd int dir = openat(parent, tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r =
        dir < 0
            ? err_sys(e, "%s", base)
            : stor_unpack(
                  &(struct stor_unpack_job){.in_fd = in_fd, .dirfd = dir, .progress_fd = -1, .bounds = b}, e);
    auto_dir DIR *d = r < 0 ? NULL : fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *ent; d && r == 0 && (ent = readdir(d));) {
        if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
            continue;
        if (member)
            r = err_set(e, ERR_NOT_FOUND, ENOENT, "%s is no folder, and there is more than one to copy",
                        base);
        else
            member = xstrdup(ent->d_name);
    }
    if (r == 0 && (!member || renameat(dir, member, parent, base) < 0))
        r = err_sys(e, "%s", base);
    (void)path_remove_tree(parent, tmp, NULL);
    return r;
}

static int unpack_to_new_name(int root_fd, const char *path, int in_fd, const struct stor_bounds *b,
                              struct err *e)
{
    auto_free char *copy = xstrdup(path);
    char *slash = strrchr(copy, '/');
    if (!slash || !path_is_component(slash + 1))
        return err_set(e, ERR_NOT_FOUND, ENOENT, "%s: no such folder", path);
    *slash = '\0';
    auto_fd int parent = path_open_in(root_fd, *copy ? copy : "/", O_RDONLY | O_DIRECTORY, 0);
    if (parent < 0)
        return err_sysk(e, ERR_NOT_FOUND, -parent, "%s", path);
    return unpack_as(parent, slash + 1, in_fd, b, e);
}

int stor_archive_unpack(int root_fd, const char *path, int in_fd, const struct stor_bounds *b, struct err *e)
{
    auto_fd int dir = path_open_in(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
    if (dir == -ENOENT || dir == -ENOTDIR)
        return unpack_to_new_name(root_fd, path, in_fd, b, e);
    if (dir < 0)
        return err_sysk(e, ERR_NOT_FOUND, -dir, "%s", path);
    return stor_unpack(
        &(struct stor_unpack_job){.in_fd = in_fd, .dirfd = dir, .progress_fd = -1, .bounds = b}, e);
}
