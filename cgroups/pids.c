/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is in a group and below it, and a signal to them. The zone itself may make child groups of any shape
 * (delegation): depth and count are bounded. Must never signal a pid that is not proven to be in the group at
 * that moment. */
#include "base/proc.h"
#include "cgroups/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define DEPTH_MAX 64
#define PIDS_MAX (1u << 22)

struct walk {
    VEC(pid_t) pids;
};

static void read_procs(int dirfd, struct walk *w)
{
    int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    auto_file FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
    char line[32];
    /* a threaded group answers EOPNOTSUPP; its processes are listed by the domain above it */
    while (f && w->pids.len < PIDS_MAX && fgets(line, sizeof(line), f)) {
        long pid = strtol(line, NULL, 10);
        if (pid > 0) /* 0: a process of another pid namespace */
            *vec_add(&w->pids) = (pid_t)pid;
    }
}

static void walk_dir(int fd, unsigned depth, struct walk *w)
{
    read_procs(fd, w);
    auto_dir DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    for (struct dirent *de; depth < DEPTH_MAX && (de = readdir(dir));) {
        if (de->d_type != DT_DIR || de->d_name[0] == '.')
            continue;
        int sub = openat(dirfd(dir), de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (sub >= 0)
            walk_dir(sub, depth + 1, w);
    }
}

int cg_tree_pids(const struct cg_host *h, int hier, const char *path, pid_t **pids, unsigned *n)
{
    int fd = openat(h->at[hier].fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    struct walk w = {0};
    walk_dir(fd, 0, &w);
    *pids = w.pids.at;
    *n = w.pids.len;
    return 0;
}

/* The hierarchy that says who is in: v2 where there is one, else the first v1 one that has the group. */
static int judge(const struct cg_group *g)
{
    if (g->h->v2 >= 0 && g->in[g->h->v2])
        return g->h->v2;
    for (unsigned i = 0; i < g->h->n; i++)
        if (g->in[i] && g->h->at[i].used)
            return (int)i;
    return -1;
}

int cg_pids(const struct cg_group *g, pid_t **pids, unsigned *n, struct err *e)
{
    char path[CG_PATH_MAX];
    int hier = judge(g), r = cg_path(path, g->parent, g->name, NULL);
    if (hier < 0)
        r = -ENOENT;
    if (r == 0)
        r = cg_tree_pids(g->h, hier, path, pids, n);
    return r < 0 ? err_sysk(e, r == -ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, -r, "processes of the group %s",
                            g->name)
                 : 0;
}

int cg_populated(const struct cg_group *g)
{
    char buf[512];
    int hier = judge(g);
    if (hier < 0)
        return -ENOENT;
    if (g->h->at[hier].v2) {
        ssize_t n = cg_group_read(g, hier, "cgroup.events", buf, sizeof(buf));
        return n < 0 ? (int)n : cg_field(buf, "populated") == 1;
    }
    pid_t *pids = NULL;
    unsigned n = 0;
    int r = cg_pids(g, &pids, &n, NULL);
    free(pids);
    return r < 0 ? r : n > 0;
}

/* Is the process of this pidfd's pid still in our group? Asked after the pidfd was opened, so a reused pid is
 * found. */
static bool still_inside(const struct cg_group *g, pid_t pid)
{
    char file[64], lines[8192], want[CG_PATH_MAX + 2] = ":/";
    snprintf(file, sizeof(file), "%.40s/%d/cgroup", g->h->proc, (int)pid);
    if (cg_path(want + 2, g->parent, g->name, NULL) < 0 ||
        cg_read_at(AT_FDCWD, file, lines, sizeof(lines)) <= 0)
        return false;
    size_t n = strlen(want);
    for (const char *p = strstr(lines, want); p; p = strstr(p + 1, want))
        if (p[n] == '\n' || p[n] == '/')
            return true;
    return false;
}

int cg_signal(const struct cg_group *g, int sig, struct err *e)
{
    if (sig == SIGKILL && g->v2_fd >= 0 && cg_write_at(g->v2_fd, "cgroup.kill", "1") == 0)
        return 0;
    pid_t *pids = NULL;
    unsigned n = 0;
    int r = cg_pids(g, &pids, &n, e);
    for (unsigned i = 0; r == 0 && i < n; i++) {
        auto_fd int fd = pidfd_open_pid(pids[i]);
        if (fd < 0 || !still_inside(g, pids[i]))
            continue; /* ended in the meantime */
        int k = pidfd_kill(fd, sig);
        if (k < 0 && k != -ESRCH)
            r = err_sysk(e, ERR_INTERNAL, -k, "cannot signal process %d of %s", (int)pids[i], g->name);
    }
    free(pids);
    return r;
}
