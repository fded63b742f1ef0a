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

static int add_data(struct archive *a, int fd, const char *name, struct err *e)
{
    char buf[65536];
    ssize_t n;
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        if (archive_write_data(a, buf, (size_t)n) < 0)
            return err_set(e, ERR_INTERNAL, EIO, "%s: %s", name, archive_error_string(a));
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
    const char *base = slash && slash[1] ? slash + 1 : ".";
    if (slash)
        *slash = '\0';
    auto_fd int dir = path_open_in(root_fd, slash && *copy ? copy : "/", O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0)
        return err_sysk(e, ERR_NOT_FOUND, -dir, "%s", path);
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_add_filter_none(a);
    int r = archive_write_open_fd(a, out_fd) == ARCHIVE_OK ? add_tree(a, dir, base, base, e) : -EIO;
    if (archive_write_close(a) != ARCHIVE_OK && r == 0)
        r = err_set(e, ERR_INTERNAL, EIO, "%s", archive_error_string(a));
    archive_write_free(a);
    return r;
}

int stor_archive_unpack(int root_fd, const char *path, int in_fd, const struct stor_bounds *b, struct err *e)
{
    auto_fd int dir = path_open_in(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0)
        return err_sysk(e, ERR_NOT_FOUND, -dir, "%s", path);
    return stor_unpack(in_fd, dir, b, -1, 0, NULL, e);
}
