/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image's or a zone's whole root as a tar: the layers as one overlay, read-only, in a mount namespace of this process alone.
 * Only for a process that ends afterwards. Nothing in the tree is followed. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "storage/pack.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* Names relative to layers/, as in a zone; a zone's own folder is the uppermost. The mount is on /sys of a private namespace,
 * which every host has and this process does not need. */
int img_mount_merged(const struct stor_pool *p, char *const *lowers, const char *zone, const char *lower_dir,
                     struct err *e)
{
    if (!zone && lowers && strv_len(lowers) == 1) /* an overlay takes two */
        return openat(p->layers_fd, lowers[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(e, "private mounts");
    auto_fd int dir = lower_dir ? open(lower_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (lower_dir && dir < 0)
        return err_sys(e, "%s", lower_dir);
    auto_free char *by_fd =
        lower_dir ? xasprintf("/proc/self/fd/%d", dir) : NULL; /* whatever its name holds */
    auto_free char *names = lower_dir ? take_ptr(&by_fd) : strv_join(lowers, ":");
    auto_free char *options =
        zone ? xasprintf("lowerdir=../zones/%s/upper%s%s,userxattr", zone, *names ? ":" : "", names)
             : xasprintf("lowerdir=%s,userxattr", names);
    /* by its path: a descriptor is of the mount namespace that was left, and overlay refuses that (clone_private_mount) */
    auto_free char *layers = xasprintf("%s/layers", p->dir);
    if (chdir(layers) < 0 ||
        mount("overlay", "/sys", "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
        return err_sys(e, "overlay of the layers");
    int fd = open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "overlay of the layers") : fd;
}

struct out {
    struct img_store *s;
    int fd, tree;
    uint64_t done;
};

static int to_fd(void *arg, const void *data, size_t n, struct err *e)
{
    struct out *o = arg;
    int r = fd_write_full(o->fd, data, n);
    o->done += n;
    img_tell(o->s, "root", "write", o->done, 0);
    return r < 0 ? err_sysk(e, r == -ENOSPC ? ERR_LIMIT : ERR_INTERNAL, -r, "writing the archive") : 0;
}

static int fill(void *arg, int fd, struct err *e)
{
    struct out *o = arg;
    const struct stor_pack_options plain = {0};
    o->fd = fd;
    return stor_pack_tree(o->tree, &plain, to_fd, o, e);
}

static int write_merged(struct img_store *s, char *const *lowers, const char *zone, const char *lower_dir,
                        const char *path, struct err *e)
{
    struct out o = {.s = s};
    auto_fd int tree = img_mount_merged(s->pool, lowers, zone, lower_dir, e);
    o.tree = tree;
    return tree < 0 ? tree : img_write_file(path, fill, &o, e);
}

int img_export_root(struct img_store *s, const struct img_desc *d, const char *path, struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    char **lowers = NULL;
    int r = img_load_any(s, d, NULL, &i, e);
    r = r < 0 ? r : img_unpack(s, d, &i, NULL, e);
    if (r == 0)
        lowers = img_lowers(s, &i);
    r = r < 0 ? r : write_merged(s, lowers, NULL, NULL, path, e);
    strv_free(lowers);
    return r;
}

int img_export_zone(struct img_store *s, const char *zone, const struct stor_root_plan *root,
                    const char *path, struct err *e)
{
    if (root->host_usr) {
        err_set(e, ERR_UNSUPPORTED, ENOTSUP, "the root of zone %s is the host's (image: host)", zone);
        return err_hint(e, "copy what you need with zonectl cp, or create the zone from an image");
    }
    return write_merged(s, root->lowers, zone, root->lower_dir, path, e);
}
