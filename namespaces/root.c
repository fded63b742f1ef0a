/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone's root: overlay mounted inside the user namespace, then pivot. May assume the zone's private copy
 * of the host's mount tree, with a fresh proc and sysfs already made (they need the host's to be visible,
 * mount_too_revealing in fs/namespace.c). So the host's own /proc and /sys serve as stages: no extra mount is
 * needed, and everything below the old root goes at the pivot. Must never follow anything inside the new
 * root. Source: overlayfs.rst (userxattr), pivot_root(2). */
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAGE_LAYERS "/proc"
#define STAGE_ZONE "/sys"
/* A disk on which the kernel finds no room for a folder has less than this left, besides what is kept for root. */
#define FULL_BYTES (1u << 20)
#define FULL_FILES 16
#define OPTIONS_MAX 4095 /* one page with its NUL: mount(2) */
/* userxattr: no trusted.* in a user namespace. The rest off: the lower layers may change offline (design.md
 * 5). */
#define OVERLAY_OPTIONS "userxattr,index=off,xino=off,metacopy=off,redirect_dir=nofollow"

static int layer_names(char *const *lowers, struct str *out, struct err *e)
{
    for (unsigned i = 0; lowers && lowers[i]; i++) {
        bool itself = str_eq(lowers[i], ".");
        if (!itself && (!path_is_component(lowers[i]) || strpbrk(lowers[i], ":,\\")))
            return err_set(e, ERR_INTERNAL, EINVAL, "layer name %.80s", lowers[i]);
        str_addf(out, "%s%s", i ? ":" : "", lowers[i]);
    }
    return 0;
}

/* Where it cannot make its folder below workdir, the kernel mounts all the same, read-only, and says so in its log alone
 * (6.18, ovl_make_workdir). The zone's folder itself is writable: else mount has refused. */
static int check_writable(const struct nspace_root *r, struct err *e)
{
    struct statvfs v, below;
    if (statvfs(STAGE_ZONE, &v) < 0 || !(v.f_flag & ST_RDONLY))
        return 0;
    bool full =
        fstatvfs(r->zone_fd, &below) == 0 && ((uint64_t)below.f_bavail * below.f_frsize < FULL_BYTES ||
                                              (below.f_files && below.f_favail < FULL_FILES));
    return full ? err_set(e, ERR_LIMIT, ENOSPC,
                          "the overlay of the root cannot be written: No space left on device")
                : err_set(e, ERR_INTERNAL, EROFS,
                          "the overlay of the root is read-only: the kernel could not make its work folder "
                          "(its log says why)");
}

static int mount_overlay(const struct nspace_root *r, const char *name, struct err *e)
{
    struct str names = {0};
    int n = layer_names(r->lowers, &names, e);
    auto_free char *lower = str_take(&names);
    if (n < 0)
        return n;
    auto_free char *options = xasprintf(
        "lowerdir=%s,upperdir=" STAGE_ZONE "/upper,workdir=" STAGE_ZONE "/work," OVERLAY_OPTIONS, lower);
    if (strlen(options) > OPTIONS_MAX)
        return err_set(e, ERR_LIMIT, E2BIG, "the image has too many layers for one overlay mount");
    if (fchdir(r->layers_fd) < 0) /* lowerdir names are relative to it */
        return err_sys(e, "layers");
    if (mount(name, STAGE_ZONE, "overlay", MS_NODEV | (r->no_suid ? MS_NOSUID : 0), options) < 0)
        return err_sysk(e, ERR_INTERNAL, errno, "overlay of the root (%s)", options);
    return check_writable(r, e);
}

/* No layers (image: host): the zone's own folder is the root. */
static int mount_plain(const struct nspace_root *r, struct err *e)
{
    auto_fd int fd = open_tree(AT_FDCWD, STAGE_ZONE "/upper", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "root folder");
    return nspace_attach(fd, AT_FDCWD, STAGE_ZONE, e);
}

int nspace_root_stage(const struct nspace_root *r, const char *name, int *rootfd, struct err *e)
{
    bool layered = r->layers_fd >= 0 && r->lowers && r->lowers[0];
    int n = nspace_attach(r->zone_fd, AT_FDCWD, STAGE_ZONE, e);
    if (n == 0 && layered)
        n = nspace_attach(r->layers_fd, AT_FDCWD, STAGE_LAYERS, e);
    if (n == 0)
        n = layered ? mount_overlay(r, name, e) : mount_plain(r, e);
    if (n < 0)
        return n;
    int fd = open(STAGE_ZONE, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "new root");
    *rootfd = fd;
    return 0;
}

int nspace_root_pivot(int rootfd, struct err *e)
{
    /* "." twice: the old root lands on top of the new one and is detached from there, pivot_root(2) */
    if (fchdir(rootfd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return err_sys(e, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return err_sys(e, "leave the old root");
    return 0;
}
