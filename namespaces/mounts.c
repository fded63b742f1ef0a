/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single mounts: fresh filesystems, and putting a detached mount at its place in the zone's root. May assume
 * that it runs in the zone's own, private mount namespace. Must never resolve a path that an image or a zone
 * controls in any way other than below the root's descriptor (R1). Sources: fsopen(2), move_mount(2),
 * openat2(2). */
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

int nspace_fs(const char *type, const char *const *options, unsigned attr, struct err *e)
{
    auto_fd int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return err_sys(e, "filesystem %s", type);
    for (; options && *options; options += 2) {
        unsigned cmd = options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
        if (fsconfig(fs, cmd, options[0], options[1], 0) < 0)
            return err_sys(e, "filesystem %s, option %s", type, options[0]);
    }
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_sys(e, "new %s", type);
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, attr);
    return fd < 0 ? err_sys(e, "mount of %s", type) : fd;
}

/* Without MOVE_MOUNT_T_SYMLINKS the last component is not followed: a link there gives an error, not another
 * place. */
int nspace_attach(int mount_fd, int dirfd, const char *name, struct err *e)
{
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);
    if (move_mount(mount_fd, "", dirfd, name, flags) < 0)
        return err_sys(e, "mount at %s", *name ? name : "its target");
    return 0;
}

int nspace_attach_top(int mount_fd, int rootfd, const char *name, struct err *e)
{
    struct stat st;
    if (move_mount(mount_fd, "", rootfd, name, MOVE_MOUNT_F_EMPTY_PATH) == 0)
        return 0;
    if (errno == ENOENT && mkdirat(rootfd, name, 0755) < 0 && errno != EEXIST)
        return err_sys(e, "mkdir /%s in the zone", name);
    if (fstatat(rootfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, ENOTDIR, "/%s of the image is not a folder", name);
    return nspace_attach(mount_fd, rootfd, name, e);
}

static int make_file(int rootfd, const char *target, struct err *e)
{
    auto_free char *dir = xstrdup(target);
    char *slash = strrchr(dir, '/');
    if (!slash || !slash[1])
        return err_set(e, ERR_INVALID, EISDIR, "mount target %s must name a file", target);
    *slash = '\0';
    auto_fd int parent = path_mkdirs_in(rootfd, dir, 0755, e);
    if (parent < 0)
        return parent;
    int fd = openat(parent, slash + 1, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(e, "make the mount target %s", target);
    close(fd);
    return 0;
}

/* An O_PATH descriptor of the target inside the root; made if it is missing. */
static int open_target(int rootfd, const char *target, bool is_file, struct err *e)
{
    int fd = path_open_in(rootfd, target, O_PATH, 0);
    if (fd == -ENOENT) {
        int r = is_file ? make_file(rootfd, target, e) : path_mkdirs_in(rootfd, target, 0755, e);
        if (r < 0 || !is_file)
            return r;
        fd = path_open_in(rootfd, target, O_PATH, 0);
    }
    if (fd < 0)
        return err_sysk(e, ERR_INVALID, -fd, "mount target %s", target);
    return fd;
}

static int mount_id(int fd, uint64_t *id, uint64_t *ino)
{
    struct statx sx;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID | STATX_INO, &sx) < 0)
        return -errno;
    *id = sx.stx_mnt_id;
    *ino = sx.stx_ino;
    return 0;
}

int nspace_attach_target(int mount_fd, int rootfd, const char *target, bool is_file, struct err *e)
{
    if (!path_is_clean_absolute(target) || !strcmp(target, "/"))
        return err_set(e, ERR_INVALID, EINVAL, "mount target %s: must be absolute, without . and .., not /",
                       target);
    auto_fd int place = open_target(rootfd, target, is_file, e);
    if (place < 0)
        return place;
    int r = nspace_attach(mount_fd, place, "", e);
    if (r < 0)
        return err_prefix(e, "%s", target);
    /* A volume may be shared with a running zone that renames folders meanwhile: what is at the target now
     * must be what was put there. */
    uint64_t want_id = 0, want_ino = 0, id = 1, ino = 1;
    auto_fd int again = path_open_in(rootfd, target, O_PATH, 0);
    if (again < 0 || mount_id(mount_fd, &want_id, &want_ino) < 0 || mount_id(again, &id, &ino) < 0 ||
        want_id != id || want_ino != ino)
        return err_set(e, ERR_DENIED, EXDEV, "mount target %s was moved while it was mounted", target);
    return 0;
}
