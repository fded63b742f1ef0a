/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A layer below layers/: made once, in staging under a lock of its own, so that two at once do the work once; one rename adopts
 * it. And the lock between those who adopt layers or blobs and the prune that takes away what nobody names. */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int stor_layers_hold(const struct stor_pool *p, bool wait, struct err *e)
{
    auto_fd int fd = openat(p->fd, "layers.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;
    do
        r = fd < 0 ? -1 : flock(fd, LOCK_SH | (wait ? 0 : LOCK_NB));
    while (r < 0 && errno == EINTR);
    return r < 0 ? err_sysk(e, errno == EWOULDBLOCK ? ERR_BUSY : ERR_INTERNAL, errno, "lock of the layers")
                 : take_fd(&fd);
}

/* The file is unlinked by whoever held it: a lock on one that is no longer there excludes nobody. */
static int lock_layer(const struct stor_pool *p, const char *name, struct err *e)
{
    for (;;) {
        struct stat held, there;
        auto_fd int fd = openat(p->staging_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return err_sys(e, "lock of layer %s", name);
        int r;
        do
            r = flock(fd, LOCK_EX);
        while (r < 0 && errno == EINTR);
        if (r < 0 || fstat(fd, &held) < 0)
            return err_sys(e, "lock of layer %s", name);
        if (fstatat(p->staging_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == held.st_ino &&
            there.st_dev == held.st_dev)
            return take_fd(&fd);
    }
}

static int make_locked(struct stor_pool *p, const char *key, const char *staged, bool sync,
                       int (*fill)(void *arg, int dirfd, struct err *e), void *arg, struct err *e)
{
    int r = path_remove_tree(p->staging_fd, staged, e);
    if (r == 0 && mkdirat(p->staging_fd, staged, 0755) < 0)
        r = err_sys(e, "staging of layer %s", key);
    auto_fd int dir = r < 0 ? -1 : openat(p->staging_fd, staged, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0 && (dir < 0 || fchmod(dir, 0755) < 0))
        r = err_sys(e, "staging of layer %s", key);
    if (r == 0)
        r = fill(arg, dir, e);
    if (r == 0 && ((sync && syncfs(dir) < 0) || renameat(p->staging_fd, staged, p->layers_fd, key) < 0))
        r = err_sys(e, "layer %s", key);
    if (r == 0 && sync)
        (void)file_fsync_dir(p->layers_fd);
    else if (r < 0)
        (void)path_remove_tree(p->staging_fd, staged, NULL);
    return r;
}

int stor_layer_make(struct stor_pool *p, const char *key, bool sync,
                    int (*fill)(void *arg, int dirfd, struct err *e), void *arg, struct err *e)
{
    if (file_exists(p->layers_fd, key))
        return 0;
    auto_free char *lock_name = xasprintf("%s.lock", key), *staged = xasprintf("%s.d", key);
    auto_fd int lock = lock_layer(p, lock_name, e);
    if (lock < 0)
        return lock;
    int r = file_exists(p->layers_fd, key) ? 0 : make_locked(p, key, staged, sync, fill, arg, e);
    (void)unlinkat(p->staging_fd, lock_name, 0);
    return r;
}
