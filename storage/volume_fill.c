/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new volume begins with what the image has at its place, as with Docker: files, owners and the folder's own mode. A new volume
 * bears a mark until then, so that a fill that was killed is done again from nothing. Only for a process that ends afterwards
 * (image_merge.c). */
#include "base/auto.h"
#include "base/path.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NEW_MARK "trusted.zoned.new"
#define OWNER_MARK "trusted.zoned.owner"

static int open_volume(const struct stor_pool *p, const char *name)
{
    return openat(p->volumes_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* On a disk without such attributes volumes begin empty. */
void stor_volume_mark(const struct stor_pool *p, const char *name)
{
    auto_fd int fd = open_volume(p, name);
    (void)fsetxattr(fd, NEW_MARK, "", 0, 0);
}

bool stor_volume_is_new(const struct stor_pool *p, const char *name)
{
    auto_fd int fd = open_volume(p, name);
    return fd >= 0 && fgetxattr(fd, NEW_MARK, NULL, 0) >= 0;
}

int stor_volume_own(const struct stor_pool *p, const char *name, const char *owner, struct err *e)
{
    auto_fd int fd = open_volume(p, name);
    return fd < 0 || fsetxattr(fd, OWNER_MARK, owner, strlen(owner), 0) < 0 ? err_sys(e, "volume %s", name)
                                                                            : 0;
}

bool stor_volume_is_own(const struct stor_pool *p, const char *name, const char *owner)
{
    char value[64];
    auto_fd int fd = open_volume(p, name);
    ssize_t n = fd < 0 ? -1 : fgetxattr(fd, OWNER_MARK, value, sizeof(value));
    return n >= 0 && (size_t)n == strlen(owner) && !memcmp(value, owner, (size_t)n);
}

static int empty(int fd, struct err *e)
{
    int r = 0;
    auto_dir DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *ent; r == 0 && d && (ent = readdir(d));)
        if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
            r = path_remove_tree(fd, ent->d_name, e);
    return r;
}

static int open_root(const struct stor_pool *p, const struct stor_root_plan *root, struct err *e)
{
    if (!root->lower_dir)
        return img_mount_merged(p, root->lowers, NULL, NULL, e);
    int fd = open(root->lower_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "%s", root->lower_dir) : fd;
}

int stor_volume_fill(const struct stor_pool *p, const char *name, const struct stor_root_plan *root,
                     const char *target, struct err *e)
{
    auto_fd int to = open_volume(p, name);
    if (to < 0)
        return err_sys(e, "volume %s", name);
    if (flock(to, LOCK_EX) < 0) /* two zones of one volume */
        return err_sys(e, "volume %s", name);
    if (fgetxattr(to, NEW_MARK, NULL, 0) < 0)
        return 0;
    auto_fd int top = open_root(p, root, e);
    if (top < 0)
        return top;
    auto_fd int from = path_open_in(top, target, O_RDONLY | O_DIRECTORY, 0);
    int r = 0;
    if (from >= 0) {
        r = empty(to, e);
        r = r < 0 ? r : stor_copy_tree(from, to, target, e);
        if (r == 0 && syncfs(to) < 0)
            r = err_sys(e, "volume %s", name);
    }
    if (r == 0)
        (void)fremovexattr(to, NEW_MARK);
    return r < 0 ? err_prefix(e, "volume %s", name) : 0;
}
