/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parent of all zones' groups ("zoned.slice") in every hierarchy, and what each kernel wants of it: v1
 * cpuset needs cpus and mems, v2 needs the controllers enabled on the way down. Must never put a task into
 * the parent (v2 forbids tasks beside enabled controllers) nor touch another top group. Undo:
 * cg_parent_remove. */
#include "cgroups/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Children copy cpus and mems of their parent while clone_children is set (cgroup-v1/cpusets.rst), which
 * saves two writes a start. Written each time: CPUs may have come online since. */
static int ready_cpuset_v1(const struct cg_host *h, const char *parent, struct err *e)
{
    int dir = h->at[h->of[CG_CPUSET]].fd;
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    char value[4096], path[CG_PATH_MAX];
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        ssize_t n = cg_read_at(dir, files[i], value, sizeof(value));
        cg_path(path, parent, NULL, files[i]);
        int r = n < 0 ? (int)n : cg_write_at(dir, path, value);
        if (r < 0)
            return err_sysk(e, ERR_INTERNAL, -r, "cannot set %s of %s", files[i], parent);
    }
    cg_path(path, parent, NULL, "cgroup.clone_children");
    int r = cg_write_at(dir, path, "1");
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "cannot set cgroup.clone_children of %s", parent) : 0;
}

static int enable_one(int dir, const char *path, const char *name, const char *where, struct err *e)
{
    char plus[32];
    snprintf(plus, sizeof(plus), "+%s", name);
    int r = cg_write_at(dir, path, plus);
    if (r == 0)
        return 0;
    err_sysk(e, ERR_UNSUPPORTED, -r, "cannot enable the %s controller below %s", name, where);
    if (r == -EBUSY)
        return err_hint(e, "processes sit in that group itself; move them to a group of their own "
                           "(in a container or unit: Delegate=yes and a sub-group)");
    return err_hint(
        e, "see what holds it: cat /proc/cgroups; a v1 mount of %s or a real-time process in a group", name);
}

/* One controller a write: one that fails is named. */
static int enable_v2(const struct cg_host *h, const char *group, struct err *e)
{
    const struct cg_hier *v2 = &h->at[h->v2];
    char path[CG_PATH_MAX], have[512];
    if (group)
        cg_path(path, group, NULL, "cgroup.subtree_control");
    else
        strcpy(path, "cgroup.subtree_control");
    ssize_t n = cg_read_at(v2->fd, path, have, sizeof(have));
    if (n < 0)
        return err_sysk(e, ERR_INTERNAL, (int)-n, "cannot read %s", path);
    char **on = str_split(have, " \n");
    int r = 0;
    for (unsigned c = 0; c < CG_CTRL_MAX && r == 0; c++)
        if ((v2->ctrls & CG_BIT(c)) && !strv_has(on, cg_ctrl_name(c, true)))
            r = enable_one(v2->fd, path, cg_ctrl_name(c, true), group ? group : v2->path, e);
    strv_free(on);
    return r;
}

/* Passable for the zones whatever our umask: before 6.15 a zone's own mount of cgroup2 looks up the way to
 * its group with the zone's credentials and gives EACCES. */
static int make_parent(const struct cg_host *h, const struct cg_hier *r, const char *parent, struct err *e)
{
    if ((mkdirat(r->fd, parent, 0755) == 0 || errno == EEXIST) && fchmodat(r->fd, parent, 0755, 0) == 0)
        return 0;
    err_sys(e, "cannot make the group %s in %s", parent, r->path);
    if (e && (e->code == EROFS || e->code == EACCES || e->code == EPERM))
        err_hint(e, "zoned needs root and a writable cgroup file system");
    return err_is(e) ? -e->code : -EIO;
}

int cg_parent_ensure(const struct cg_host *h, const char *parent, struct err *e)
{
    struct err own = {0};
    int r = cg_check_names(parent, NULL, e);
    if (r < 0)
        return r;
    if (!e)
        e = &own;
    cg_lib_make(h, parent);
    for (unsigned i = 0; i < h->n; i++)
        if (h->at[i].used && (r = make_parent(h, &h->at[i], parent, e)) < 0)
            return r;
    if (h->of[CG_CPUSET] >= 0 && !h->at[h->of[CG_CPUSET]].v2)
        r = ready_cpuset_v1(h, parent, e);
    if (r >= 0 && h->v2 >= 0 && h->at[h->v2].ctrls)
        r = enable_v2(h, NULL, e);
    if (r >= 0 && h->v2 >= 0 && h->at[h->v2].ctrls)
        r = enable_v2(h, parent, e);
    return r < 0 ? r : 0;
}

static bool has_children(int fd, const char *path)
{
    int d = openat(fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    auto_dir DIR *dir = d < 0 ? NULL : fdopendir(d);
    for (struct dirent *de; dir && (de = readdir(dir));)
        if (de->d_type == DT_DIR && de->d_name[0] != '.')
            return true;
    return false;
}

int cg_parent_remove(const struct cg_host *h, const char *parent, struct err *e)
{
    int r = cg_check_names(parent, NULL, e);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < h->n; i++)
        if (has_children(h->at[i].fd, parent))
            return err_set(e, ERR_BUSY, EBUSY, "groups remain below %s/%s", h->at[i].path, parent);
    for (unsigned i = 0; i < h->n; i++)
        if (unlinkat(h->at[i].fd, parent, AT_REMOVEDIR) < 0 && errno != ENOENT)
            return err_sys(e, "cannot remove %s/%s", h->at[i].path, parent);
    return 0;
}

uint64_t cg_reserved_below(const struct cg_host *h, const char *parent)
{
    if (h->of[CG_MEMORY] < 0 || !h->at[h->of[CG_MEMORY]].v2)
        return 0;
    int fd = h->at[h->v2].fd;
    int d = openat(fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    auto_dir DIR *dir = d < 0 ? NULL : fdopendir(d);
    uint64_t sum = 0;
    for (struct dirent *de; dir && (de = readdir(dir));) {
        char path[CG_PATH_MAX], v[64];
        if (de->d_type != DT_DIR || de->d_name[0] == '.' ||
            cg_path(path, parent, de->d_name, "memory.min") < 0)
            continue;
        if (cg_read_at(fd, path, v, sizeof(v)) > 0 && v[0] != 'm')
            sum += strtoull(v, NULL, 10);
    }
    return sum;
}

/* memory.min of a child counts only up to the parent's own (cgroup-v2.rst, "memory.min"). */
int cg_parent_reserve(const struct cg_host *h, const char *parent, struct err *e)
{
    if (h->of[CG_MEMORY] < 0 || !h->at[h->of[CG_MEMORY]].v2)
        return 0;
    char path[CG_PATH_MAX], v[32];
    cg_path(path, parent, NULL, "memory.min");
    snprintf(v, sizeof(v), "%llu", (unsigned long long)cg_reserved_below(h, parent));
    int r = cg_write_at(h->at[h->v2].fd, path, v);
    if (r < 0 && r != -ENOENT)
        return err_sysk(e, ERR_INTERNAL, -r, "cannot set memory.min of %s", parent);
    const char *slash = strchr(parent, '/');
    auto_free char *above = slash ? xstrndup(parent, (size_t)(slash - parent)) : NULL;
    return above ? cg_parent_reserve(h, above, e) : 0;
}
