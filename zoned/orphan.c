/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone whose run folder was taken away or damaged while it ran. The folder is only our memory: whether the zone lives the
 * kernel says. What is needed to go on, its plan and journal, the fork server keeps by descriptor; without them the plan is
 * made again from the spec, to end the zone and undo what it had. Whatever fails, its processes are ended: no later start joins
 * them. A supervisor that cannot be reached is ended first: two must not undo one zone. */
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "zoned/adopt.h"
#include "zoned/division.h"
#include "zoned/op.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KILL_TIMEOUT_MS 10000
#define RECORD_MAX (4u << 20)
#define UNKNOWN_BASE 65536u /* an undo asks for no ids; of no range of ours */

/* ---- the supervisor that cannot be reached ---- */
static bool holds(pid_t pid, const char *lock)
{
    char path[64], link[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        ssize_t n = readlinkat(fd, ent->d_name, link, sizeof(link) - 1);
        link[n > 0 ? n : 0] = '\0';
        if (str_starts(link, lock) && (!link[strlen(lock)] || str_eq(link + strlen(lock), " (deleted)")))
            return true;
    }
    return false;
}

/* Our own programs alone are looked at: nobody else is asked for his descriptors. */
static bool is_supervisor(const char *pid)
{
    char path[300], exe[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/%s/exe", pid);
    ssize_t n = readlink(path, exe, sizeof(exe) - 1);
    if (n <= 0)
        return false;
    exe[n] = '\0';
    const char *slash = strrchr(exe, '/');
    return slash &&
           strstr(slash + 1, "zone-sup"); /* it runs from a sealed memfd: "/memfd:zone-sup (deleted)" */
}

void orphan_end_supervisor(const struct zone *z)
{
    char real[PATH_MAX];
    const char *run = realpath(z->d->run_dir, real) ? real : z->d->run_dir;
    auto_free char *lock = xasprintf("%s/zones/%s/" PLAN_LOCK, run, z->name);
    auto_dir DIR *proc = opendir("/proc");
    for (struct dirent *ent; proc && (ent = readdir(proc));) {
        pid_t pid = (pid_t)strtol(ent->d_name, NULL, 10);
        auto_fd int pidfd = pid > 1 && is_supervisor(ent->d_name) ? pidfd_open_pid(pid) : -1;
        if (pidfd < 0 || !holds(pid, lock))
            continue;
        log_warning("zone %s: its supervisor %d has lost what is in its run folder: ended", z->name,
                    (int)pid);
        (void)pidfd_kill(pidfd, SIGKILL);
        (void)poll(&(struct pollfd){pidfd, POLLIN, 0}, 1, KILL_TIMEOUT_MS);
    }
}

/* In a wait between two starts there is no group, only the supervisor. */
static bool supervised(const struct zone *z)
{
    auto_free char *lock = xasprintf("zones/%s/" PLAN_LOCK, z->name),
                   *sock = xasprintf("zones/%s/" PLAN_SOCKET, z->name);
    auto_fd int fd = file_exists(z->d->run_fd, sock) ? openat(z->d->run_fd, lock, O_RDWR | O_CLOEXEC) : -1;
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

/* ---- the group ---- */
/* The parent below which there is a group of this name, or NULL. */
static char *group_parent(struct zd *d, const char *zone)
{
    for (unsigned i = 0; i <= d->pools.len; i++) {
        struct cg_group *g = NULL;
        auto_free char *parent = division_parent(d, i ? d->pools.at[i - 1]->name : NULL);
        if (cg_open(d->cgroups, parent, zone, &g, NULL) < 0)
            continue;
        cg_close(g);
        return take_ptr(&parent);
    }
    return NULL;
}

void orphan_groups(struct zd *d, char ***zones)
{
    for (unsigned i = 0; i <= d->pools.len; i++) {
        char **names = NULL;
        auto_free char *parent = division_parent(d, i ? d->pools.at[i - 1]->name : NULL);
        (void)cg_list(d->cgroups, parent, &names, NULL);
        for (char **n = names; n && *n; n++)
            if (spec_check_name("zone", *n, NULL) == 0 && !strv_has(*zones, *n))
                strv_add(zones, *n);
        strv_free(names);
    }
}

/* ---- its memory ---- */
static int copy_record(int dirfd, const char *name, int fd, struct err *e)
{
    char path[40];
    auto_free char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int r = fd < 0 ? -ENOENT : file_read(AT_FDCWD, path, RECORD_MAX, &text, &n, e);
    return r < 0 ? r : file_replace(dirfd, name, text, n, 0600, false, e);
}

static int folder_again(struct zd *d, const char *zone, struct err *e)
{
    int fds[FD_MSG_MAX_FDS], plan = -1, journal = -1;
    unsigned n = ARRAY_LEN(fds);
    char **names = NULL;
    int r = keeper_kept(d, zone, &names, fds, &n, e);
    for (unsigned i = 0; r == 0 && i < n; i++) {
        plan = str_eq(names[i], "plan") ? fds[i] : plan;
        journal = str_eq(names[i], "journal") ? fds[i] : journal;
    }
    strv_free(names);
    auto_free char *path = xasprintf("zones/%s", zone);
    if (r == 0 && (plan < 0 || journal < 0))
        r = -ENOENT;
    if (r == 0 && mkdirat(d->run_fd, path, 0700) < 0 && errno != EEXIST)
        r = -errno;
    auto_fd int dir = r < 0 ? -1 : openat(d->run_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0 && dir < 0)
        r = -errno;
    if (r == 0 && !file_exists(dir, PLAN_JOURNAL)) /* one that is there is being written to */
        r = copy_record(dir, PLAN_JOURNAL, journal, e);
    if (r == 0)
        r = copy_record(dir, PLAN_FILE, plan, e);
    fd_close_all(fds, n);
    return r;
}

/* Second best: the spec and the lease say what the start made, if nobody changed them meanwhile. Enough to undo it. */
static int plan_again(struct zone *z, struct err *e)
{
    struct problems ps = {0};
    struct plan *p = NULL;
    auto_free char *dir = xasprintf("zones/%s", z->name);
    if (!z->spec || !z->start_no)
        return -ENOENT;
    z->start_no--; /* op_plan makes the next start's names: this one's */
    int r = op_plan(z->d, z, z->spec, NULL, &p, &ps, e);
    z->start_no++;
    problems_done(&ps);
    if (r < 0)
        return r;
    plan_free(z->plan);
    z->plan = p;
    p->uid_base = UNKNOWN_BASE;
    if (mkdirat(z->d->run_fd, dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, "%s", dir);
    return write_plan(z, e);
}

int orphan_kept(struct zone *z, const struct err *why, struct err *e)
{
    auto_free char *parent = group_parent(z->d, z->name), *lock = xasprintf("zones/%s/" PLAN_LOCK, z->name),
                   *journal = xasprintf("zones/%s/" PLAN_JOURNAL, z->name);
    if (!parent)
        return -ENOENT;
    log_warning("zone %s: %s; it lives: what the fork server keeps of it is taken", z->name, why->text);
    if (!file_exists(z->d->run_fd, lock) || !file_exists(z->d->run_fd, journal))
        orphan_end_supervisor(z); /* else it goes on writing what nobody reads */
    return folder_again(z->d, z->name, e);
}

int orphan_end(struct zone *z, const struct err *why, struct err *e)
{
    struct zd *d = z->d;
    struct err own = {0};
    auto_free char *parent = group_parent(d, z->name);
    if (!parent && !supervised(z))
        return -ENOENT;
    orphan_end_supervisor(z);
    if (plan_again(z, &own) == 0)
        return 0;
    log_error("zone %s: %s", z->name, own.text);
    if (parent && (cg_kill(d->cgroups, parent, z->name, KILL_TIMEOUT_MS, &own) < 0 ||
                   cg_remove(d->cgroups, parent, z->name, &own) < 0))
        log_error("zone %s: %s", z->name, own.text);
    keeper_drop(d, z->name);
    return err_set(
        e, ERR_INTERNAL, EOWNERDEAD,
        "zone %s: its run folder was taken away or damaged while it ran (%s): its processes were ended",
        z->name, why->text);
}
