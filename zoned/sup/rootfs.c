/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step ROOTFS: the zone's files of ours, its root and its filesystems as detached mounts. Mounts are
 * nowhere attached on the host: they live by descriptors only, so the undo is to close them, and a kill -9
 * leaves none. */
#include "zoned/sup/rt.h"

void rootfs_release(struct rt *rt)
{
    stor_root_fds_done(&rt->fds);
    memset(&rt->fds, 0, sizeof(rt->fds));
    rt->fds.layers_fd = rt->fds.zone_fd = rt->fds.usr_fd = -1;
    close_fd(&rt->root.layers_fd);
    close_fd(&rt->root.zone_fd);
    close_fd(&rt->root.usr_fd);
    rt->root.lowers = NULL;
    for (unsigned i = 0; i < rt->nmounts; i++) {
        close_fd(&rt->mounts[i].fd);
        free(rt->mounts[i].target);
    }
    free(rt->mounts);
    rt->mounts = NULL;
    rt->nmounts = 0;
}

int rt_open_pool(struct sup *s, struct err *e)
{
    if (!s->rt.pool) {
        int r = stor_pool_open(s->plan->data_dir, &s->rt.pool, e);
        if (r < 0)
            return r;
        stor_pool_never(s->rt.pool, s->plan->own_dirs);
    }
    if (s->rt.zone_dirfd < 0)
        s->rt.zone_dirfd = stor_zone_fd(s->rt.pool, s->plan->zone, e);
    return s->rt.zone_dirfd < 0 ? s->rt.zone_dirfd : 0;
}

static int clone_one(int from, int *to, struct err *e)
{
    if (from < 0)
        return 0;
    *to = nspace_clone_mount(from, e);
    return *to < 0 ? *to : 0;
}

static int open_root(struct rt *rt, const struct rootfs_want *w, struct err *e)
{
    int r = stor_root_open(rt->pool, w->zone, w->root, &rt->fds, e);
    if (r < 0)
        return r;
    rt->root.lowers = rt->fds.lowers;
    rt->root.read_only = w->spec->security.read_only_root;
    rt->root.no_suid = w->spec->security.no_new_privs;
    if ((r = clone_one(rt->fds.layers_fd, &rt->root.layers_fd, e)) < 0 ||
        (r = clone_one(rt->fds.zone_fd, &rt->root.zone_fd, e)) < 0 ||
        (r = clone_one(rt->fds.usr_fd, &rt->root.usr_fd, e)) < 0)
        return r;
    return 0;
}

static int open_filesystem(struct stor_pool *pool, const struct spec_mount *m, struct nspace_mount *out,
                           struct err *e)
{
    auto_fd int fd = -1;
    out->fd = -1;
    out->target = xstrdup(m->target);
    out->read_only = m->read_only;
    out->size = m->size;
    if (m->kind == SPEC_MOUNT_TMPFS)
        return 0;
    fd = m->kind == SPEC_MOUNT_BIND ? stor_bind_open(pool, m->source, &out->is_file, e)
                                    : stor_volume_open(pool, m->source, e);
    if (fd < 0)
        return err_prefix(e, "filesystem %s", m->target), fd;
    out->fd = nspace_clone_mount(fd, e);
    return out->fd < 0 ? (err_prefix(e, "filesystem %s", m->target), out->fd) : 0;
}

int rootfs_open(struct rt *rt, const struct rootfs_want *w, struct err *e)
{
    int r = open_root(rt, w, e);
    unsigned n = w->spec->filesystems.len;
    rt->mounts = n ? xcalloc(n, sizeof(*rt->mounts)) : NULL;
    for (unsigned i = 0; r == 0 && i < n; i++) {
        rt->nmounts = i + 1;
        r = open_filesystem(rt->pool, &w->spec->filesystems.at[i], &rt->mounts[i], e);
    }
    return r;
}

int step_rootfs(struct sup *s, struct err *e)
{
    const struct rootfs_want want = {s->plan->zone, s->plan->spec, &s->plan->root};
    int r = rt_open_pool(s, e);
    if (r == 0)
        r = stor_zone_put(s->rt.pool, s->plan->zone, s->plan->files.at, s->plan->files.len, e);
    return r == 0 ? rootfs_open(&s->rt, &want, e) : r;
}

int step_rootfs_undo(struct sup *s, struct err *e)
{
    rootfs_release(&s->rt);
    return 0;
}
