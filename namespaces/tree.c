/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone's mount tree around its root: proc, sys, dev, run, the spec's mounts, masked and read-only places.
 * May assume the zone's credentials and that no other process of the zone runs. Paths used here name only the
 * host's old root (its /proc and /sys are our stages, see root.c) and filesystems that we have just made;
 * never the image. Source: security.md, default profile. */
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
#include <unistd.h>

#define STRICT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
/* As seen from the old root once the new one is staged. */
#define NEW_NULL "/sys/dev/null"
#define NEW_EMPTY "/sys/sys/firmware"
#define RO_PROC "/proc"

const struct nspace_hidden nspace_masked_proc[] = {
    {"acpi", true},         {"asound", true},         {"interrupts", false},
    {"kallsyms", false},    {"kcore", false},         {"keys", false},
    {"kmsg", false},        {"kpagecgroup", false},   {"kpagecount", false},
    {"kpageflags", false},  {"latency_stats", false}, {"pagetypeinfo", false},
    {"sched_debug", false}, {"scsi", true},           {"slabinfo", false},
    {"timer_list", false},  {"timer_stats", false},   {"vmallocinfo", false},
    {NULL, false}};
const struct nspace_hidden nspace_masked_sys[] = {{"class/powercap", true},
                                                  {"class/thermal", true},
                                                  {"devices/virtual/powercap", true},
                                                  {"devices/virtual/thermal", true},
                                                  {"fs/bpf", true},
                                                  {"fs/pstore", true},
                                                  {"kernel/debug", true},
                                                  {"kernel/notes", false},
                                                  {"kernel/security", true},
                                                  {"kernel/slab", true},
                                                  {"kernel/tracing", true},
                                                  {NULL, false}};
const struct nspace_hidden nspace_read_only_proc[] = {
    {"bus", true}, {"fs", true}, {"irq", true}, {"sys", true}, {"sysrq-trigger", false}, {NULL, false}};

/* With the host's network namespace a fresh sysfs is refused (its owner is not the zone's): the host's, all
 * read-only. */
static int open_sys(const struct nspace_inner *in, struct err *e)
{
    if (!in->s->host_network)
        return nspace_fs("sysfs", NULL, STRICT | MOUNT_ATTR_RDONLY, e);
    auto_fd int fd = open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (fd < 0)
        return err_sys(e, "copy of /sys");
    int r = nspace_make_read_only(fd, true, e);
    return r < 0 ? r : take_fd(&fd);
}

/* In a folder of ours; a place that this kernel does not have needs no cover. */
static int cover(int dirfd, const char *source, const char *path, struct err *e)
{
    if (fchdir(dirfd) < 0)
        return err_sys(e, "folder to cover");
    if (mount(source, path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
        return err_sys(e, "cover %s", path);
    return 0;
}

static int hide(int dirfd, const struct nspace_hidden *list, struct err *e)
{
    int r = 0;
    for (; r == 0 && list->path; list++)
        r = cover(dirfd, list->is_dir ? NEW_EMPTY : NEW_NULL, list->path, e);
    return r;
}

/* One read-only copy of proc at the old root's /proc gives each read-only place by a single bind (binds keep
 * flags). */
static int protect_proc(const struct nspace_inner *in, const struct nspace_tree *t, struct err *e)
{
    auto_fd int net = -1, ro = open_tree(t->proc, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (ro < 0)
        return err_sys(e, "copy of proc");
    if (in->s->init == SPEC_INIT_SYSTEM && !in->s->host_network)
        net = open_tree(t->proc, "sys/net", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int r = nspace_make_read_only(ro, false, e);
    if (r == 0)
        r = nspace_attach(ro, AT_FDCWD, RO_PROC, e);
    for (const struct nspace_hidden *p = nspace_read_only_proc; r == 0 && p->path; p++) {
        char source[64];
        snprintf(source, sizeof(source), RO_PROC "/%s", p->path);
        r = cover(t->proc, source, p->path, e);
    }
    if (r == 0 && net >= 0) /* a system zone sets its own net.* */
        r = nspace_attach(net, t->proc, "sys/net", e);
    return r;
}

static int hide_all(const struct nspace_inner *in, const struct nspace_tree *t, struct err *e)
{
    /* sysfs's `firmware` is always there: cover it first with an empty read-only folder, then copy that
     * cover. */
    auto_fd int empty = open_tree(t->dev, "shm", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (empty < 0)
        return err_sys(e, "empty folder");
    int r = nspace_make_read_only(empty, false, e);
    if (r == 0)
        r = nspace_attach(empty, t->sys, "firmware", e);
    if (r == 0)
        r = hide(t->sys, nspace_masked_sys, e);
    if (r == 0)
        r = hide(t->proc, nspace_masked_proc, e);
    return r == 0 ? protect_proc(in, t, e) : r;
}

static int fill_dev(const struct nspace_inner *in, const struct nspace_tree *t, struct err *e)
{
    char options[48];
    uint64_t size = in->s->shm == SPEC_UNSET || !in->s->shm ? 64u << 20 : in->s->shm;
    snprintf(options, sizeof(options), "mode=1777,size=%llu", (unsigned long long)size);
    if (fchdir(t->dev) < 0)
        return err_sys(e, "/dev of the zone");
    int r = nspace_attach(in->s->devpts_fd, t->dev, "pts", e);
    if (r < 0)
        return r;
    if (mount("shm", "shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
        return err_sys(e, "/dev/shm");
    if (mount("mqueue", "mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return err_sys(e, "/dev/mqueue");
    if (!in->s->terminal)
        return 0;
    /* the slave lies in the instance that is now at /dev/pts, so it can be copied within this namespace */
    auto_fd int tty = open_tree(in->s->stdio[0], "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    return tty < 0 ? err_sys(e, "console") : nspace_attach(tty, t->dev, "console", e);
}

/* /run/zone/name. The image's own /run stays (images ship /run/mysqld and the like), except where nothing of
 * an image is there (image: host) or the image's init expects an empty one. */
static int fill_run(const struct nspace_inner *in, const struct nspace_tree *t, struct err *e)
{
    const char *options[] = {"mode", "755", "size", in->s->init == SPEC_INIT_SYSTEM ? "20%" : "64M", NULL};
    bool whole = in->s->init == SPEC_INIT_SYSTEM || in->root->usr_fd >= 0;
    auto_fd int run = nspace_fs("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, e);
    if (run < 0)
        return run;
    int r = whole ? nspace_attach_top(run, t->root, "run", e)
                  : nspace_attach_target(run, t->root, "/run/zone", false, e);
    if (r == 0 && whole && mkdirat(run, "zone", 0755) < 0)
        r = err_sys(e, "/run/zone");
    if (r < 0)
        return r;
    auto_fd int f = openat(run, whole ? "zone/name" : "name", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
    if (f < 0 || dprintf(f, "%s\n", in->s->zone) < 0)
        return err_sys(e, "/run/zone/name");
    return 0;
}

static int tmpfs_new(const struct nspace_mount *m, struct err *e)
{
    char size[32];
    snprintf(size, sizeof(size), "%llu", (unsigned long long)m->size);
    const char *options[] = {"mode", "1777", "size", size, NULL};
    unsigned attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (m->read_only ? MOUNT_ATTR_RDONLY : 0);
    return nspace_fs("tmpfs", options, attr, e);
}

/* The host's /usr and the spec's mounts, in order. Those of the host were staged locked, in the same order.
 */
int nspace_tree_attach(const struct nspace_inner *in, int rootfd, const int *staged, struct err *e)
{
    unsigned next = 0;
    int r = 0;
    if (in->root->usr_fd >= 0)
        r = nspace_attach_top(staged[next++], rootfd, "usr", e);
    for (unsigned i = 0; r == 0 && i < in->nmounts; i++) {
        const struct nspace_mount *m = &in->mounts[i];
        if (m->fd < 0 && !in->s) /* a visit */
            continue;
        auto_fd int own = m->fd < 0 ? tmpfs_new(m, e) : -1;
        if (m->fd < 0 && own < 0)
            return own;
        r = nspace_attach_target(m->fd < 0 ? own : staged[next++], rootfd, m->target,
                                 m->fd >= 0 && m->is_file, e);
    }
    return r;
}

/* Taken before anything covers the stage; the caller closes. */
int nspace_tree_take(const struct nspace_inner *in, int **staged, unsigned *n, struct err *e)
{
    unsigned want = in->root->usr_fd >= 0;
    for (unsigned i = 0; i < in->nmounts; i++)
        want += in->mounts[i].fd >= 0;
    int *fds = xcalloc(want + 1, sizeof(int));
    for (*n = 0; *n < want; (*n)++)
        if ((fds[*n] = nspace_lock_take(*n, e)) < 0)
            break;
    *staged = fds;
    return *n < want ? -e->code : 0;
}

int nspace_tree_build(const struct nspace_inner *in, struct nspace_tree *t, struct err *e)
{
    auto_free int *staged = NULL;
    unsigned nstaged = 0;
    int r = nspace_tree_take(in, &staged, &nstaged, e);
    if (r == 0 && (t->sys = open_sys(in, e)) < 0)
        r = t->sys;
    if (r == 0)
        r = nspace_root_stage(in->root, in->s->zone, &t->root, e);
    t->dev = in->dev_fd;
    if (r == 0)
        r = nspace_attach_top(t->proc, t->root, "proc", e);
    if (r == 0)
        r = nspace_attach_top(t->sys, t->root, "sys", e);
    if (r == 0)
        r = nspace_attach_top(t->dev, t->root, "dev", e);
    if (r == 0 && nspace_sync_wait(in->sync, NSPACE_DEV) < 0)
        r = err_set(e, ERR_INTERNAL, ECANCELED, "given up");
    if (r == 0)
        r = hide_all(in, t, e);
    if (r == 0 && in->has_part)
        r = nspace_part_attach(in->part, t->proc, t->sys, e);
    if (r == 0)
        r = fill_dev(in, t, e);
    if (r == 0)
        r = fill_run(in, t, e);
    if (r == 0)
        r = nspace_tree_attach(in, t->root, staged, e);
    if (r == 0 && (in->root->read_only || in->s->security->read_only_root))
        r = nspace_make_read_only(t->root, false, e);
    if (r == 0)
        r = nspace_root_pivot(t->root, e);
    for (unsigned i = 0; i < nstaged; i++)
        close(staged[i]);
    return r;
}
