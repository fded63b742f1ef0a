/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes limits: all of a new group, or the difference of two specs (live). May assume that cg_check let them
 * pass. Must never leave a limit silently unwritten: a given value whose file is missing is an error. Undo of
 * cg_update: the rows that were written are set back. */
#include "cgroups/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int write_partition(const struct cg_group *g, int hier, const char *file, const char *state)
{
    char path[CG_PATH_MAX];
    int r = cg_path(path, g->parent, g->name, file);
    return r < 0 ? r : cg_partition_write(g->h->at[hier].fd, path, state);
}

/* Several lines are several writes (one per disk). */
static int write_value(const struct cg_group *g, int hier, const char *file, const char *value)
{
    const char *p = value;
    do {
        char line[CG_VALUE_MAX];
        size_t n = strcspn(p, "\n");
        snprintf(line, sizeof(line), "%.*s\n", (int)n, p);
        int r = cg_is_partition_file(file) ? write_partition(g, hier, file, line)
                                           : cg_group_write(g, hier, file, line);
        if (r < 0)
            return r;
        p += n + (p[n] == '\n');
    } while (*p);
    return 0;
}

/* Files that some kernels lack without harm: swap accounting where the host has no swap (cg_check saw to it),
 * and whatever has its default anyway. */
static bool may_lack(const struct cg_key *k, enum cg_val val)
{
    return val == CG_VAL_DEFAULT || k->v1_fmt == F_MEMSW || k->v2_fmt == F_OOM;
}

bool cg_gone_in(const struct cg_group *g, int hier)
{
    char path[CG_PATH_MAX];
    return cg_path(path, g->parent, g->name, NULL) == 0 &&
           faccessat(g->h->at[hier].fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

bool cg_gone(const struct cg_group *g)
{
    for (unsigned i = 0; i < g->h->n; i++)
        if (g->h->at[i].used && cg_gone_in(g, (int)i))
            return true;
    return false;
}

static int err_gone(const struct cg_group *g, const char *key, int hier, struct err *e)
{
    err_set(e, ERR_CONFLICT, ENOENT, "%s: the group %s/%s/%s is gone: somebody has removed it", key,
            g->h->at[hier].path, g->parent, g->name);
    return err_hint(e, "the zone runs without limits until it is started again");
}

static int not_taken(const struct cg_group *g, const struct cg_key *k, int hier, const char *file,
                     struct err *e)
{
    char why[256] = "";
    (void)cg_group_read(g, hier, file, why, sizeof(why));
    why[strcspn(why, "\n")] = 0;
    err_set(e, ERR_LIMIT, EADDRINUSE,
            "%s: the kernel does not take these CPUs away from everybody else: %s of %s is %s", k->key, file,
            g->name, why);
    return err_hint(e, "see who else holds them: grep . /sys/fs/cgroup/*/cpuset.cpus.exclusive");
}

static int fail(const struct cg_group *g, const struct cg_key *k, int hier, const char *file,
                const char *value, int r, struct err *e)
{
    char shown[80];
    snprintf(shown, sizeof(shown), "%.60s", value);
    shown[strcspn(shown, "\n")] = 0;
    if (r == -ENOENT && cg_gone_in(g, hier))
        return err_gone(g, k->key, hier, e);
    if (r == -EADDRINUSE)
        return not_taken(g, k, hier, file, e);
    if (r == -ENOENT)
        return err_sysk(e, ERR_UNSUPPORTED, -r, "%s: this kernel has no %s", k->key, file);
    enum err_kind kind = r == -EINVAL || r == -ERANGE || r == -ENODEV ? ERR_INVALID
                         : r == -EBUSY                                ? ERR_BUSY
                                                                      : ERR_INTERNAL;
    err_sysk(e, kind, -r, "%s: writing \"%s\" to %s of %s", k->key, shown, file, g->name);
    return r == -EBUSY && (k->ctrl == CG_MEMORY || k->ctrl == CG_HUGETLB)
               ? err_hint(e, "the zone uses more than that, and it cannot be reclaimed")
               : r;
}

int cg_apply(const struct cg_group *g, const struct cg_limits *l, bool fresh, struct err *e)
{
    bool reserve = false;
    for (unsigned i = 0; i < g->h->nkeys; i++) {
        char value[CG_VALUE_MAX];
        const char *file;
        int hier;
        bool counts = cg_counts_io(g->h, &g->h->keys[i]);
        if (fresh && g->h->keys[i].ctrl == CG_BLKIO && !counts && !cg_io_asked(l->io))
            continue;
        enum cg_val val = cg_value(g->h, &g->h->keys[i], l, value, &hier, &file);
        if (val == CG_VAL_NONE || (val == CG_VAL_DEFAULT && fresh && !counts))
            continue;
        int r = write_value(g, hier, file, value);
        if (r == -ENOENT && may_lack(&g->h->keys[i], val))
            continue;
        if (r < 0 && counts && val == CG_VAL_DEFAULT) /* a disk without counters is no reason not to start */
            continue;
        if (r < 0)
            return fail(g, &g->h->keys[i], hier, file, value, r, e);
        reserve |= g->h->at[hier].v2 && g->h->keys[i].v2_fmt == F_RESERVED && val == CG_VAL_GIVEN;
    }
    return reserve ? cg_parent_reserve(g->h, g->parent, e) : 0;
}

enum row { ROW_SAME, ROW_TODO, ROW_DONE };
struct change {
    enum row state;
    bool may_lack, lowered;
    int hier;
    const char *file;
    char before[CG_VALUE_MAX], after[CG_VALUE_MAX];
};

static void plan_row(const struct cg_group *g, const struct cg_key *k, const struct cg_limits *before,
                     const struct cg_limits *after, struct change *c)
{
    if (k->ctrl == CG_BLKIO && !cg_io_asked(before->io) && !cg_io_asked(after->io))
        return;
    enum cg_val b = cg_value(g->h, k, before, c->before, &c->hier, &c->file);
    enum cg_val a = cg_value(g->h, k, after, c->after, &c->hier, &c->file);
    if (b == CG_VAL_NONE)
        c->before[0] = 0;
    if (a == CG_VAL_NONE || (a == b && str_eq(c->before, c->after)))
        return;
    c->may_lack = may_lack(k, a);
    c->state = ROW_TODO;
}

/* A partition whose CPUs change is a plain member meanwhile (see partition.c). */
static void lower_partition(const struct cg_group *g, struct change *c)
{
    bool moves = false;
    unsigned p = 0;
    for (unsigned i = 0; i < g->h->nkeys; i++) {
        moves |= g->h->keys[i].v2_fmt == F_EXCLUSIVE && c[i].state == ROW_TODO;
        p = g->h->keys[i].v2_fmt == F_PARTITION ? i : p;
    }
    if (!str_eq(c[p].before, "root") || (!moves && c[p].state == ROW_SAME))
        return;
    c[p].state = ROW_TODO;
    c[p].lowered = true;
    (void)write_value(g, c[p].hier, c[p].file, "member"); /* where that fails, the next write says why */
}

/* Rows that the kernel refuses in the table's order (lower memsw before limit, burst before quota) go round
 * again while that brings something. Returns the row that stays refused, or -1; *r its reason. */
static int write_rows(const struct cg_group *g, struct change *c, int *r)
{
    for (bool progress = true; progress;) {
        int refused = -1;
        progress = false;
        for (unsigned i = 0; i < g->h->nkeys; i++) {
            if (c[i].state != ROW_TODO)
                continue;
            int w = write_value(g, c[i].hier, c[i].file, c[i].after);
            if (w == 0 || (w == -ENOENT && c[i].may_lack)) {
                c[i].state = ROW_DONE;
                progress = true;
            } else if (refused < 0) {
                refused = (int)i;
                *r = w;
            }
        }
        if (refused < 0 || !progress)
            return refused;
    }
    return -1;
}

static void set_back(const struct cg_group *g, struct change *c)
{
    for (int pass = 0; pass < 2; pass++) /* twice: the order may be wrong for the way back */
        for (unsigned i = g->h->nkeys; i-- > 0;)
            if ((c[i].state == ROW_DONE || c[i].lowered) && c[i].before[0])
                (void)write_value(g, c[i].hier, c[i].file, c[i].before);
}

/* v2 kills at once when memory.max falls below what cannot be reclaimed; v1 reclaims for a second and then
 * refuses with EBUSY. The same answer on both, at once. */
int cg_cap_holds(const struct cg_group *g, const struct spec_memory *now, const struct spec_memory *will,
                 struct err *e)
{
    char buf[8192];
    int hier = g->h->of[CG_MEMORY];
    if (hier < 0 || will->cap == SPEC_UNSET || now->cap == will->cap ||
        cg_group_read(g, hier, "memory.stat", buf, sizeof(buf)) < 0)
        return 0;
    bool v2 = g->h->at[hier].v2;
    uint64_t anon = cg_field(buf, v2 ? "anon" : "total_rss"),
             shmem = cg_field(buf, v2 ? "shmem" : "total_shmem");
    if (anon == UINT64_MAX || shmem == UINT64_MAX || anon + shmem <= will->cap)
        return 0;
    err_set(e, ERR_BUSY, EBUSY,
            "memory.cap: %.1f MiB is less than the %.1f MiB that %s uses and that cannot be reclaimed",
            (double)will->cap / 1048576, (double)(anon + shmem) / 1048576, g->name);
    return err_hint(e, "stop programs in the zone, or restart it with the new cap");
}

int cg_update(const struct cg_group *g, const struct cg_limits *before, const struct cg_limits *after,
              struct err *e)
{
    int r = before->memory && after->memory ? cg_cap_holds(g, before->memory, after->memory, e) : 0;
    if (r < 0)
        return r;
    auto_free struct change *c = xcalloc(g->h->nkeys, sizeof(*c));
    for (unsigned i = 0; i < g->h->nkeys; i++)
        plan_row(g, &g->h->keys[i], before, after, &c[i]);
    lower_partition(g, c);
    int bad = write_rows(g, c, &r);
    if (bad >= 0) {
        fail(g, &g->h->keys[bad], c[bad].hier, c[bad].file, c[bad].after, r, e);
        set_back(g, c);
        return r;
    }
    r = cg_devices_update(g, before, after, e);
    if (r < 0)
        set_back(g, c);
    for (unsigned i = 0; i < g->h->nkeys; i++)
        if (g->h->keys[i].v2_fmt == F_RESERVED && c[i].state == ROW_DONE && g->h->at[c[i].hier].v2 && r == 0)
            r = cg_parent_reserve(g->h, g->parent, e);
    return r;
}

/* All rows, whatever they have: nothing is set back, because what they had is not ours. */
int cg_heal(const struct cg_group *g, const struct cg_limits *l, struct err *e)
{
    auto_free struct change *c = xcalloc(g->h->nkeys, sizeof(*c));
    int r = 0;
    for (unsigned i = 0; i < g->h->nkeys; i++) {
        enum cg_val val = cg_value(g->h, &g->h->keys[i], l, c[i].after, &c[i].hier, &c[i].file);
        c[i].may_lack = may_lack(&g->h->keys[i], val);
        c[i].state = val == CG_VAL_NONE ? ROW_SAME : ROW_TODO;
    }
    int bad = write_rows(g, c, &r);
    if (bad >= 0)
        return fail(g, &g->h->keys[bad], c[bad].hier, c[bad].file, c[bad].after, r, e);
    for (unsigned i = 0; i < g->h->n; i++) /* one that holds defaults alone, too */
        if (g->h->at[i].used && cg_gone_in(g, (int)i))
            return err_gone(g, "group", (int)i, e);
    return cg_parent_reserve(g->h, g->parent, e);
}
