/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes a zone's group, and groups that the zone made below it, in every hierarchy. rmdir(2) on a group is
 * all or nothing, so a wrong call can lose nothing that lives. Idempotent: missing is success. May assume
 * that the processes were killed; the last ones may still be on their way out, so EBUSY is tried again for a
 * bounded time. Never crosses into another file system and follows no link. */
#include "base/clock.h"
#include "cgroups/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 64
#define PATIENCE_US 500000
#define STEP_US 500

/* Child groups, deepest first. */
static void remove_below(int parent_fd, const char *name, unsigned depth)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *de; dir && (de = readdir(dir));) {
        if (de->d_type != DT_DIR || de->d_name[0] == '.')
            continue;
        if (unlinkat(fd, de->d_name, AT_REMOVEDIR) == 0 || depth >= DEPTH_MAX)
            continue;
        remove_below(fd, de->d_name, depth + 1);
        unlinkat(fd, de->d_name, AT_REMOVEDIR);
    }
}

/* Names what is in the way: a process, or else a child group. */
static int name_holder(const struct cg_host *h, int hier, const char *path, struct err *e)
{
    pid_t *pids = NULL;
    unsigned n = 0;
    char comm[64] = "", file[64];
    if (cg_tree_pids(h, hier, path, &pids, &n) == 0 && n) {
        snprintf(file, sizeof(file), "%.40s/%d/comm", h->proc, (int)pids[0]);
        if (cg_read_at(AT_FDCWD, file, comm, sizeof(comm)) > 0)
            comm[strcspn(comm, "\n")] = 0;
        err_set(e, ERR_BUSY, EBUSY, "cannot remove %s/%s: process %d (%s) is in it%s", h->at[hier].path, path,
                (int)pids[0], comm, n > 1 ? ", and others" : "");
        free(pids);
        return -EBUSY;
    }
    free(pids);
    int fd = openat(h->at[hier].fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *de; dir && (de = readdir(dir));)
        if (de->d_type == DT_DIR && de->d_name[0] != '.')
            return err_set(e, ERR_BUSY, EBUSY, "cannot remove %s/%s: the group %s is below it",
                           h->at[hier].path, path, de->d_name);
    return err_set(e, ERR_BUSY, EBUSY, "cannot remove %s/%s: the kernel still holds it", h->at[hier].path,
                   path);
}

static int remove_one(const struct cg_host *h, int hier, const char *path, uint64_t deadline, struct err *e)
{
    for (;;) {
        if (unlinkat(h->at[hier].fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
            return err_sys(e, "cannot remove %s/%s", h->at[hier].path, path);
        remove_below(h->at[hier].fd, path, 0);
        if (unlinkat(h->at[hier].fd, path, AT_REMOVEDIR) == 0)
            return 0;
        if (clock_mono_us() >= deadline)
            return name_holder(h, hier, path, e);
        nanosleep(&(struct timespec){.tv_nsec = STEP_US * 1000}, NULL);
    }
}

int cg_remove(const struct cg_host *h, const char *parent, const char *name, struct err *e)
{
    int r = cg_check_names(parent, name, e), failed = 0;
    char path[CG_PATH_MAX], min[64] = "";
    if (r == 0 && cg_path(path, parent, name, NULL) < 0)
        r = err_set(e, ERR_INVALID, ENAMETOOLONG, "group name");
    if (r < 0)
        return r;
    if (h->of[CG_MEMORY] >= 0 && h->at[h->of[CG_MEMORY]].v2) {
        char file[CG_PATH_MAX];
        if (cg_path(file, parent, name, "memory.min") == 0)
            cg_read_at(h->at[h->v2].fd, file, min, sizeof(min));
    }
    uint64_t deadline = clock_mono_us() + PATIENCE_US;
    for (unsigned i = 0; i < h->n; i++) { /* all of them, whatever one says: the first error stays */
        r = remove_one(h, (int)i, path, deadline, e);
        if (r < 0 && !failed)
            failed = r;
    }
    if (!failed && min[0] >= '1' && min[0] <= '9')
        cg_parent_reserve(h, parent, NULL);
    return failed;
}
