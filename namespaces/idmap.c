/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ids: the zone's uid and gid maps, and idmapped mounts that keep ids on disk zone-relative. May assume a
 * caller with CAP_SYS_ADMIN over the filesystems; must never chown anything. Sources: user_namespaces(7),
 * mount_setattr(2). */
#include "base/file.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

int nspace_map_write(pid_t pid, uint32_t uid_base, struct err *e)
{
    static const char *const files[] = {"uid_map", "gid_map"};
    char path[64], line[64];
    if (uid_base == 0 || uid_base > UINT32_MAX - NSPACE_IDS)
        return err_set(e, ERR_INVALID, EINVAL, "uid range %u+%u: must not hold the host's root", uid_base,
                       NSPACE_IDS);
    snprintf(line, sizeof(line), "0 %u %u\n", uid_base, NSPACE_IDS);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, files[i]);
        int r = file_write(AT_FDCWD, path, line, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int nspace_open_ns(pid_t pid, const char *which, struct err *e)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, which);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "%s", path) : fd;
}

int nspace_clone_mount(int path_fd, struct err *e)
{
    /* A copy joins the peers of a shared mount, as systemd makes them all: what a zone mounts below it would
     * appear on the host, and pivot_root refuses it. */
    struct mount_attr own = {.propagation = MS_PRIVATE};
    auto_fd int fd = open_tree(path_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &own, sizeof(own)) < 0)
        return err_sys(e, "copy of a mount");
    return take_fd(&fd);
}

int nspace_idmap_mount(int mount_fd, int userns_fd, bool read_only, bool nodev, struct err *e)
{
    struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
    a.attr_set |= (read_only ? MOUNT_ATTR_RDONLY : 0) | (nodev ? MOUNT_ATTR_NODEV : 0);
    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &a, sizeof(a)) == 0)
        return 0;
    if (errno != EINVAL && errno != EOPNOTSUPP)
        return err_sysk(e, ERR_INTERNAL, errno, "id-mapped mount");
    err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "this filesystem has no id-mapped mounts");
    return err_hint(
        e, "use ext4, xfs, btrfs or (from kernel 6.3) tmpfs for the data folder and for host folders");
}

int nspace_nosuid_mount(int mount_fd, struct err *e)
{
    struct mount_attr a = {.attr_set = MOUNT_ATTR_NOSUID};
    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0)
        return err_sys(e, "nosuid");
    return 0;
}

int nspace_plain_mount(int mount_fd, bool read_only, struct err *e)
{
    struct mount_attr a = {.attr_set = MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0)};
    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0)
        return err_sys(e, "mount flags");
    return 0;
}

int nspace_make_read_only(int mount_fd, bool recursive, struct err *e)
{
    struct mount_attr a = {.attr_set = MOUNT_ATTR_RDONLY};
    int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    if (mount_setattr(mount_fd, "", flags, &a, sizeof(a)) < 0)
        return err_sys(e, "read-only mount");
    return 0;
}
