/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec, login and cp in a running zone (rule R5). The new process is born inside all of the zone's
 * namespaces, waits, and becomes a process of the zone only then: until it has the zone's own credentials it
 * opens no file of the zone, and it is never dumpable while it holds anything of the host. */
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define ALL_NAMESPACES                                                                                       \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |               \
     CLONE_NEWCGROUP | CLONE_NEWTIME)
#define JOB_FD 3

struct entering {
    const struct nspace_exec *x;
    struct sock_fprog filter;
    uint64_t caps;
    int sync, parent_sync;
};

int nspace_job_run(int (*job)(int job_fd, void *arg), int job_fd, void *arg, int *sync, struct err *e)
{
    int fd = job_fd >= 0 ? dup2(job_fd, JOB_FD) : -1;
    if (job_fd >= 0 && fd < 0)
        return 126;
    close_range(JOB_FD + (job_fd >= 0), ~0u, 0);
    *sync = -1;
    return job(fd, arg);
}

static int become_root(struct err *e)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
        return err_sys(e, "session keyring");
    if (setsid() < 0)
        return err_sys(e, "session");
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
        syscall(SYS_setresuid, 0, 0, 0) < 0)
        return err_sys(e, "become the zone's root");
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? err_sys(e, "not dumpable") : 0;
}

static int finish(const struct entering *n, struct nspace_ready *ready, struct err *e)
{
    const struct nspace_exec *x = n->x;
    struct nspace_final f = {.init = x->init,
                             .caps = n->caps,
                             .filter = &n->filter,
                             .no_new_privs = x->security->no_new_privs,
                             .terminal = x->terminal,
                             .login = x->login,
                             .limits = x->limits,
                             .user = x->user,
                             .cwd = x->cwd,
                             .env = x->env,
                             .extra_env = x->extra_env,
                             .stdio = {x->stdio[0], x->stdio[1], x->stdio[2]}};
    int r = nspace_finish_prepare(&f, ready, e);
    return r == 0 ? nspace_finish_drop(&f, ready, e) : r;
}

/* "-bash" for "/bin/bash": what a shell takes as the sign of a login. */
static int exec_login(char *shell, char **env)
{
    const char *base = strrchr(shell, '/');
    auto_free char *name = xasprintf("-%s", base ? base + 1 : shell);
    char *argv[] = {name, NULL};
    execve(shell, argv, env);
    return errno;
}

static _Noreturn void enter_main(void *arg)
{
    struct entering *n = arg;
    struct err e = {0};
    struct nspace_ready ready = {0};
    close(n->parent_sync); /* or its end would not be seen */
    if (nspace_groups_join(n->x->task_fds, n->x->ntask_fds, &e) < 0)
        nspace_sync_fail(n->sync, &e);
    if (nspace_sync_wait(n->sync, NSPACE_GO) < 0)
        _exit(127);
    if (become_root(&e) < 0 || finish(n, &ready, &e) < 0)
        nspace_sync_fail(n->sync, &e);
    if (n->x->job)
        _exit(nspace_job_run(n->x->job, n->x->job_fd, n->x->job_arg, &n->sync, &e));
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        err_sys(&e, "close descriptors");
    if (err_is(&e) || nspace_limits_last(n->x->limits, &e) < 0)
        nspace_sync_fail(n->sync, &e);
    bool shell_wanted = n->x->login && (!n->x->args || !n->x->args[0]);
    int code = shell_wanted ? exec_login(ready.shell, ready.env) : nspace_exec_search(n->x->args, ready.env);
    (void)!send(n->sync, &code, sizeof(code), MSG_NOSIGNAL);
    _exit(code == ENOENT ? 127 : 126);
}

int nspace_enter_begin(const struct nspace_kit *k, int init_pidfd, const struct nspace_exec *x,
                       struct nspace_entry *out, struct err *e)
{
    struct entering n = {.x = x};
    struct nspace_worker w;
    bool owned = false;
    int sync[2];
    if (!x->job && !x->login && (!x->args || !x->args[0] || !*x->args[0]))
        return err_set(e, ERR_INVALID, EINVAL, "no command to run");
    int r = nspace_caps_wanted(x->init, x->security, k->bounding, &n.caps, e);
    if (r == 0)
        r = nspace_filter_for(k, x->init, x->security, n.caps, &n.filter, &owned, e);
    if (r == 0 && (r = nspace_sync_pair(sync, e)) == 0) {
        n.sync = sync[1];
        n.parent_sync = sync[0];
        if (x->uid_base)
            nspace_own_pipes(x->stdio, x->uid_base);
        struct nspace_birth b = {init_pidfd, ALL_NAMESPACES, 0, x->cgroup_fd, enter_main, &n};
        r = nspace_birth_begin(&b, &w, e);
        close(sync[1]);
        if (r < 0)
            close(sync[0]);
    }
    if (owned)
        free(n.filter.filter);
    if (r == 0)
        *out = (struct nspace_entry){w, sync[0]};
    return r;
}

int nspace_enter_end(struct nspace_entry *n, struct nspace_child *c, struct err *e)
{
    int pidfd = -1;
    pid_t pid = nspace_birth_end(&n->worker, &pidfd, e);
    if (pid < 0) {
        close_fd(&n->sync_fd);
        return pid;
    }
    *c = (struct nspace_child){
        .pid = pid, .pidfd = pidfd, .userns_fd = -1, .netns_fd = -1, .sync_fd = n->sync_fd};
    n->sync_fd = -1;
    return 0;
}
