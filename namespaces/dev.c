/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev of a zone: one small tmpfs, made and filled on the host's side, since device nodes cannot be made in a
 * user namespace and those of a filesystem mounted there do not open. Real nodes instead of six bind mounts:
 * fewer mounts per zone, and the zone's root owns them without touching the host's. Runs before any process
 * of the zone exists, so nothing inside can be a foreign link. May assume CAP_MKNOD; without it (device
 * policy of a unit) the start is refused. */
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned major, minor;
} nodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
             {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
static const struct {
    const char *name, *to;
} links[] = {{"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
             {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"}};

static int make_node(int dev, const char *name, mode_t mode, dev_t rdev, uint32_t uid_base, struct err *e)
{
    if (mknodat(dev, name, mode, rdev) < 0 ||
        fchownat(dev, name, uid_base, uid_base, AT_SYMLINK_NOFOLLOW) < 0) {
        err_sys(e, "device /dev/%s of the zone", name);
        return errno == EPERM ? err_hint(e, "zoned needs CAP_MKNOD and a device policy that allows mknod")
                              : -e->code;
    }
    return 0;
}

int nspace_check_device(const char *path, struct err *e)
{
    struct stat st;
    if (!path_is_clean_absolute(path) || !str_starts(path, "/dev/"))
        return err_set(e, ERR_INVALID, EINVAL, "device %s: must be a path below /dev", path);
    if (lstat(path, &st) < 0)
        return err_sysk(e, ERR_INVALID, errno, "device %s", path);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_set(e, ERR_INVALID, ENODEV, "device %s: not a character or block device", path);
    return 0;
}

/* A device of the spec: the host's numbers and mode, the zone's root as owner. */
static int make_asked(int dev, const char *path, uint32_t uid_base, struct err *e)
{
    struct stat st;
    int r = nspace_check_device(path, e);
    if (r < 0)
        return r;
    if (lstat(path, &st) < 0)
        return err_sys(e, "device %s", path);
    auto_free char *dir = xstrdup(path + strlen("/dev/"));
    char *slash = strrchr(dir, '/');
    if (!slash)
        return faccessat(dev, dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0
                   ? 0 /* one of the six, or named twice */
                   : make_node(dev, dir, st.st_mode & (S_IFMT | 0777), st.st_rdev, uid_base, e);
    *slash = '\0';
    auto_fd int parent = path_mkdirs_in(dev, dir, 0755, e);
    if (parent < 0)
        return parent;
    return make_node(parent, slash + 1, st.st_mode & (S_IFMT | 0777), st.st_rdev, uid_base, e);
}

static int fill(int dev, uint32_t uid_base, char *const *devices, bool console, struct err *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < ARRAY_LEN(nodes); i++)
        r = make_node(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor), uid_base,
                      e);
    /* These stay the host's: nobody in the zone can write there, and `shm` is the empty folder that masks
     * others. */
    if (r == 0 &&
        (mkdirat(dev, "pts", 0555) < 0 || mkdirat(dev, "shm", 0555) < 0 || mkdirat(dev, "mqueue", 0555) < 0))
        r = err_sys(e, "folders of /dev");
    for (unsigned i = 0; r == 0 && i < ARRAY_LEN(links); i++)
        if (symlinkat(links[i].to, dev, links[i].name) < 0)
            r = err_sys(e, "/dev/%s", links[i].name);
    if (r == 0 && console)
        r = make_node(dev, "console", S_IFREG | 0600, 0, uid_base, e);
    for (unsigned i = 0; r == 0 && devices && devices[i]; i++)
        r = make_asked(dev, devices[i], uid_base, e);
    return r;
}

int nspace_dev_new(uint32_t uid_base, struct err *e)
{
    char id[16];
    snprintf(id, sizeof(id), "%u", uid_base);
    const char *options[] = {"mode", "755", "size", "4M", "nr_inodes", "8192", "uid", id, "gid", id, NULL};
    return nspace_fs("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, e);
}

int nspace_dev_fill(int dev, uint32_t uid_base, char *const *devices, bool console, struct err *e)
{
    mode_t old = umask(0);
    int r = fill(dev, uid_base, devices, console, e);
    umask(old);
    return r;
}
