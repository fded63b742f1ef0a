/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone's part of the machine: files of an lxcfs mount over the zone's own /proc and /sys. The caller
 * opens them once (nspace_part_open; only this touches the FUSE server and may wait for it); a start clones
 * the mounts from descriptors and the child attaches them, so no path is walked and no FUSE request is sent.
 * A FUSE mount whose server died answers ENOTCONN for ever and cannot be revived, but it can be unmounted,
 * also in a running zone: nspace_part_renew enters the zone's mount namespace and puts new ones in their
 * place. Sources: lxcfs(1), open_tree(2), setns(2), MOVE_MOUNT_BENEATH of move_mount(2). */
#include "base/fd.h"
#include "base/path.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* uptime is the zone's by its time namespace. Each file costs a start 50 µs (6.18): no more than are asked for.
 */
static const char *const files[NSPACE_PART_FILES] = {"proc/cpuinfo", "proc/meminfo", "proc/stat",
                                                     "proc/loadavg", "sys/devices/system/cpu/online"};

int nspace_part_open(int lxcfs_root, int fds[NSPACE_PART_FILES], struct err *e)
{
    struct statfs fs;
    for (unsigned i = 0; i < NSPACE_PART_FILES; i++)
        fds[i] = -1;
    for (unsigned i = 0; i < NSPACE_PART_FILES; i++) {
        fds[i] = path_open_beneath(lxcfs_root, files[i], O_PATH, 0);
        int r = fds[i] < 0 ? fds[i] : fstatfs(fds[i], &fs) < 0 ? -errno : 0;
        if (r == 0 && fs.f_type != FUSE_SUPER_MAGIC)
            r = -ENOTCONN;
        if (r < 0) {
            fd_close_all(fds, NSPACE_PART_FILES);
            return err_sysk(e, ERR_INTERNAL, -r, "lxcfs: %s", files[i]);
        }
    }
    return 0;
}

/* The same server's files? The device number is the kernel's own: the server is not asked. */
static dev_t server_of(int fd)
{
    struct statx sx;
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0)
        return 0;
    return (dev_t)(((uint64_t)sx.stx_dev_major << 32) | sx.stx_dev_minor);
}

bool nspace_kit_part(struct nspace_kit *k, int fds[NSPACE_PART_FILES])
{
    dev_t now = k->has_part ? server_of(k->part[0]) : 0;
    bool same = now && now == server_of(fds[0]);
    if (k->has_part)
        fd_close_all(k->part, NSPACE_PART_FILES);
    for (unsigned i = 0; i < NSPACE_PART_FILES; i++) {
        k->part[i] = fds[i];
        fds[i] = -1;
    }
    k->has_part = true;
    return !same;
}

const int *nspace_kit_part_fds(const struct nspace_kit *k, unsigned *n)
{
    *n = k->has_part ? NSPACE_PART_FILES : 0;
    return k->part;
}

bool nspace_part_clone(const struct nspace_kit *k, int mounts[NSPACE_PART_FILES])
{
    bool ok = k->has_part;
    for (unsigned i = 0; i < NSPACE_PART_FILES; i++) {
        mounts[i] = ok ? nspace_clone_mount(k->part[i], NULL) : -1;
        ok = ok && mounts[i] >= 0;
    }
    if (!ok)
        fd_close_all(mounts, NSPACE_PART_FILES);
    return ok;
}

/* "proc/stat" is "stat" below the zone's proc. */
static int place_of(unsigned i, int proc, int sys, const char **name)
{
    bool in_proc = files[i][0] == 'p';
    *name = files[i] + (in_proc ? 5 : 4);
    return in_proc ? proc : sys;
}

int nspace_part_attach(const int mounts[NSPACE_PART_FILES], int proc, int sys, struct err *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < NSPACE_PART_FILES; i++) {
        const char *name;
        int dir = place_of(i, proc, sys, &name);
        r = nspace_attach(mounts[i], dir, name, e);
    }
    return r;
}

/* ---- a running zone ---- */
enum place { PLACE_BARE, PLACE_OURS, PLACE_FOREIGN };

/* What lies at the place: the bare file, a FUSE mount (alive or dead), or what the zone itself put there. */
static enum place look(int dir, const char *name)
{
    struct statx sx;
    struct statfs fs;
    auto_fd int top = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0 || statx(top, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0)
        return errno == ENOTCONN ? PLACE_OURS : PLACE_FOREIGN;
    if (!(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return PLACE_BARE;
    if (fstatfs(top, &fs) < 0)
        return errno == ENOTCONN ? PLACE_OURS : PLACE_FOREIGN;
    return fs.f_type == FUSE_SUPER_MAGIC ? PLACE_OURS : PLACE_FOREIGN;
}

/* Beneath first (6.5), so that the host's own file shows at no moment; else away with the old one, then the
 * new. */
static int replace(int mount, int dir, const char *name)
{
    enum place what = look(dir, name);
    if (what == PLACE_FOREIGN || fchdir(dir) < 0)
        return -EBUSY;
    if (what == PLACE_BARE)
        return nspace_attach(mount, dir, name, NULL);
    bool beneath =
        move_mount(mount, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH | (unsigned)MOVE_MOUNT_BENEATH) == 0;
    if (umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        return -errno;
    return beneath ? 0 : nspace_attach(mount, dir, name, NULL);
}

static int zone_folder(const char *path, long magic)
{
    struct statfs fs;
    int fd = path_open_beneath(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
    if (fd >= 0 && (fstatfs(fd, &fs) < 0 || fs.f_type != magic)) {
        close(fd);
        return -EINVAL;
    }
    return fd;
}

int nspace_part_renew(const struct nspace_kit *k, int init_pidfd, struct err *e)
{
    int mounts[NSPACE_PART_FILES], r = 0;
    if (!nspace_part_clone(k, mounts))
        return err_set(e, ERR_INTERNAL, ENOENT, "no lxcfs");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setns(init_pidfd, CLONE_NEWNS) < 0 || chdir("/") < 0)
        r = err_sys(e, "enter the zone's mounts");
    auto_fd int proc = r == 0 ? zone_folder("proc", PROC_SUPER_MAGIC) : -1;
    auto_fd int sys = r == 0 ? zone_folder("sys", SYSFS_MAGIC) : -1;
    for (unsigned i = 0; r == 0 && i < NSPACE_PART_FILES; i++) {
        const char *name;
        int dir = place_of(i, proc, sys, &name), x = dir < 0 ? -EBUSY : replace(mounts[i], dir, name);
        if (x < 0 && x != -EBUSY) /* what the zone covered itself is the zone's business */
            r = err_sysk(e, ERR_INTERNAL, -x, "renew /%s", files[i]);
    }
    fd_close_all(mounts, NSPACE_PART_FILES);
    return r;
}
