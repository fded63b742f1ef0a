/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone sees at /sys/fs/cgroup. May assume that the process was placed in its groups and has just
 * unshared its cgroup namespace, so that every mount's root is the zone's own group; must never make or
 * change a group. Sources: cgroup_namespaces(7), contract.md "cgroups". */
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRICT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* "cpu,cpuacct" is one hierarchy with two names, as distributions mount it. */
static int add_links(int view, const char *joined, struct err *e)
{
    auto_free char *copy = xstrdup(joined);
    char *save = NULL;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
        if (symlinkat(joined, view, w) < 0)
            return err_sys(e, "/sys/fs/cgroup/%s", w);
    return 0;
}

static int add_controllers(int view, char *const *names, struct err *e)
{
    int r = fchdir(view) < 0 ? err_sys(e, "cgroup view") : 0;
    for (unsigned i = 0; r == 0 && names && names[i]; i++) {
        if (!path_is_component(names[i]))
            return err_set(e, ERR_INTERNAL, EINVAL, "cgroup controller %.40s", names[i]);
        if (mkdirat(view, names[i], 0555) < 0)
            return err_sys(e, "/sys/fs/cgroup/%s", names[i]);
        unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
        if (mount("cgroup", names[i], "cgroup", flags, names[i]) < 0)
            return err_sys(e, "cgroup view of %s", names[i]);
        if (strchr(names[i], ','))
            r = add_links(view, names[i], e);
    }
    return r;
}

static int view_v1(const struct nspace_inner *in, int sys, struct err *e)
{
    static const char *const options[] = {"mode", "755", "size", "64k", NULL};
    auto_fd int view = nspace_fs("tmpfs", options, STRICT, e);
    if (view < 0)
        return view;
    int r = nspace_attach(view, sys, "fs/cgroup", e);
    if (r == 0)
        r = add_controllers(view, in->s->cgroup_v1_controllers, e);
    return r == 0 ? nspace_make_read_only(view, false, e) : r;
}

int nspace_tree_cgroup(const struct nspace_inner *in, const struct nspace_tree *t, struct err *e)
{
    if (in->s->init == SPEC_INIT_APP && in->s->cgroup_view_v1)
        return view_v1(in, t->sys, e);
    unsigned ro = in->s->init == SPEC_INIT_APP ? MOUNT_ATTR_RDONLY : 0;
    auto_fd int fd = nspace_fs("cgroup2", NULL, STRICT | ro, e);
    return fd < 0 ? fd : nspace_attach(fd, t->sys, "fs/cgroup", e);
}
