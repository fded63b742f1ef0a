/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Freeze, thaw, kill. v2's files where a v2 group exists (v2 and hybrid: freezing and killing follow the v2
 * membership whichever hierarchy has the controllers), the v1 freezer else. Must never wait without a
 * deadline. A v1-frozen task does not die of SIGKILL until it is thawed; a v2-frozen one dies at once. */
#include "base/clock.h"
#include "cgroups/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define STEP_US 1000

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = STEP_US * 1000}, NULL);
}

/* The v1 freezer has no event: FREEZING turns into FROZEN while one reads (freezer-subsystem.rst). */
static int freeze_v1(const struct cg_group *g, bool on, uint64_t deadline)
{
    int hier = g->h->of[CG_FREEZER];
    if (hier < 0 || g->h->at[hier].v2)
        return -EOPNOTSUPP;
    int r = cg_group_write(g, hier, "freezer.state", on ? "FROZEN" : "THAWED");
    while (r == 0) {
        char buf[32];
        ssize_t n = cg_group_read(g, hier, "freezer.state", buf, sizeof(buf));
        if (n < 0)
            return (int)n;
        if (str_starts(buf, on ? "FROZEN" : "THAWED"))
            return 0;
        if (clock_mono_us() >= deadline)
            return -ETIMEDOUT;
        nap();
    }
    return r;
}

static int freeze_v2(const struct cg_group *g, bool on, uint64_t deadline)
{
    int r = cg_write_at(g->v2_fd, "cgroup.freeze", on ? "1" : "0");
    return r < 0 ? r : cg_wait_event(g->v2_fd, "cgroup.events", "frozen", on, deadline);
}

int cg_freeze(const struct cg_group *g, bool on, uint64_t timeout_ms, struct err *e)
{
    uint64_t deadline = clock_mono_us() + timeout_ms * 1000;
    int r = g->v2_fd >= 0 ? freeze_v2(g, on, deadline) : freeze_v1(g, on, deadline);
    if (r == 0)
        return 0;
    if (r == -ETIMEDOUT && on) { /* a task in an uninterruptible wait: do not leave it half done */
        if (g->v2_fd >= 0)
            cg_write_at(g->v2_fd, "cgroup.freeze", "0");
        else
            cg_group_write(g, g->h->of[CG_FREEZER], "freezer.state", "THAWED");
        err_set(e, ERR_BUSY, ETIMEDOUT, "%s did not freeze within %llu ms and runs on", g->name,
                (unsigned long long)timeout_ms);
        return err_hint(e, "a process waits for a device or a network file system");
    }
    if (r == -EOPNOTSUPP)
        return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "freezing needs cgroup2 or the v1 freezer controller");
    return err_sysk(e, r == -ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, -r, "cannot %s %s",
                    on ? "freeze" : "thaw", g->name);
}

bool cg_frozen(const struct cg_group *g)
{
    char buf[32];
    if (g->v2_fd >= 0)
        return cg_read_at(g->v2_fd, "cgroup.freeze", buf, sizeof(buf)) > 0 && buf[0] == '1';
    int hier = g->h->of[CG_FREEZER];
    return hier >= 0 && cg_group_read(g, hier, "freezer.state", buf, sizeof(buf)) > 0 && buf[0] == 'F';
}

/* Somebody may have frozen it in the v1 freezer, which we use only without v2. Missing is fine. */
int cg_thaw_v1(const struct cg_host *h, const char *parent, const char *name)
{
    char path[CG_PATH_MAX];
    int hier = h->of[CG_FREEZER];
    if (hier < 0 || h->at[hier].v2 || cg_path(path, parent, name, "freezer.state") < 0)
        return 0;
    return cg_write_at(h->at[hier].fd, path, "THAWED");
}

void cg_thaw(const struct cg_group *g)
{
    if (g->v2_fd >= 0)
        (void)cg_write_at(g->v2_fd, "cgroup.freeze", "0");
    (void)cg_thaw_v1(g->h, g->parent, g->name);
}

/* SIGKILL to whoever is left in any v1 hierarchy, round by round (a fork may escape a round, not all of them)
 * until nobody is or the deadline passes. */
static int kill_v1(const struct cg_host *h, const char *parent, const char *name, uint64_t deadline,
                   pid_t *last)
{
    char path[CG_PATH_MAX];
    int r = cg_path(path, parent, name, NULL);
    for (bool left = true; left && r == 0;) {
        left = false;
        for (unsigned i = 0; i < h->n; i++) {
            pid_t *pids = NULL;
            unsigned n = 0;
            if (h->at[i].v2 || !h->at[i].used || cg_tree_pids(h, (int)i, path, &pids, &n) < 0)
                continue;
            for (unsigned k = 0; k < n; k++) {
                left = true;
                *last = pids[k];
                kill(pids[k], SIGKILL);
            }
            free(pids);
        }
        if (left && clock_mono_us() >= deadline)
            return -ETIMEDOUT;
        if (left)
            nap();
    }
    return r;
}

/* Killed tasks of an idle group get no CPU while anybody else wants it (seen on 6.18: 20 s and more), capped ones
 * wait for their next period. */
void cg_lift(const struct cg_group *g)
{
    int hier = g->h->of[CG_CPU];
    if (hier < 0 || !g->in[hier])
        return;
    bool v2 = g->h->at[hier].v2;
    (void)cg_group_write(g, hier, "cpu.idle", "0");
    (void)cg_group_write(g, hier, v2 ? "cpu.weight" : "cpu.shares", v2 ? "100" : "1024");
    (void)cg_group_write(g, hier, v2 ? "cpu.max" : "cpu.cfs_quota_us", v2 ? "max" : "-1");
}

/* cgroup.kill (5.14) takes the whole subtree and forks in flight, in one write. */
static int kill_v2(const struct cg_host *h, const char *parent, const char *name, uint64_t deadline)
{
    char path[CG_PATH_MAX];
    int fd = h->at[h->v2].fd, r = cg_path(path, parent, name, "cgroup.kill");
    if (r < 0)
        return r;
    r = cg_write_at(fd, path, "1");
    if (r == -ENOENT || r == -ENODEV)
        return 0;
    if (r < 0)
        return r;
    cg_path(path, parent, name,
            "cgroup.freeze"); /* so that what is started here later does not stand still */
    cg_write_at(fd, path, "0");
    cg_path(path, parent, name, "cgroup.events");
    return cg_wait_event(fd, path, "populated", 0, deadline);
}

int cg_kill(const struct cg_host *h, const char *parent, const char *name, uint64_t timeout_ms, struct err *e)
{
    int r = cg_check_names(parent, name, e);
    if (r < 0)
        return r;
    uint64_t deadline = clock_mono_us() + timeout_ms * 1000;
    pid_t last = 0;
    cg_thaw_v1(h, parent, name);
    if (h->v2 >= 0)
        r = kill_v2(h, parent, name, deadline);
    if (r == 0)
        r = kill_v1(h, parent, name, deadline, &last);
    if (r != -ETIMEDOUT)
        return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "cannot kill the processes of %s", name) : 0;
    char path[CG_PATH_MAX];
    pid_t *pids = NULL;
    unsigned n = 0;
    if (!last && h->v2 >= 0 && cg_path(path, parent, name, NULL) == 0 &&
        cg_tree_pids(h, h->v2, path, &pids, &n) == 0 && n)
        last = pids[0];
    free(pids);
    return err_set(e, ERR_BUSY, ETIMEDOUT, "%s: process %d does not die within %llu ms", name, (int)last,
                   (unsigned long long)timeout_ms);
}
