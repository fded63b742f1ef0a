/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving birth inside namespaces that exist already (exec, login, link: zone:NAME): a short-lived worker
 * enters them in one setns and clones there, with the caller as parent. The worker is not dumpable before it
 * enters (R5), runs no code of the zone and opens no file after. It shares the descriptor table with the
 * caller, so that the pidfd arrives without being sent; therefore it must close nothing. Sources: setns(2),
 * clone3(2). */
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer {
    pid_t pid; /* or -errno */
    int pidfd;
    bool entered;
};

/* A supervisor is protected from the OOM killer; what it gives birth to must not be. The host's own /proc,
 * before setns. */
static void reset_oom(void)
{
    auto_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, "0", 1);
}

static _Noreturn void worker(const struct nspace_birth *b, int report)
{
    struct answer a = {.pid = -EIO, .pidfd = -1};
    reset_oom();
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setns(b->target, b->enter_flags) == 0) {
        a.entered = true;
        struct clone_args c = {.flags = b->clone_flags | CLONE_PIDFD |
                                        CLONE_PARENT, /* exit signal: the worker's own */
                               .pidfd = (uint64_t)(uintptr_t)&a.pidfd};
        a.pid = (pid_t)syscall(SYS_clone3, &c, sizeof(c));
        if (a.pid == 0)
            b->main(b->arg);
    }
    if (a.pid < 0)
        a.pid = -errno;
    _exit(write(report, &a, sizeof(a)) == sizeof(a) ? 0 : 1);
}

pid_t nspace_birth(const struct nspace_birth *b, int *pidfd, struct err *e)
{
    int report[2], n = -1;
    struct answer a = {.pid = -EIO, .pidfd = -1};
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, "pipe");
    /* Into the group here: after setns the zone's cgroup namespace would forbid it (nsdelegate gives ENOENT).
     */
    struct clone_args c = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
    if (b->cgroup_fd >= 0) {
        c.flags |= CLONE_INTO_CGROUP;
        c.cgroup = (uint64_t)b->cgroup_fd;
    }
    pid_t w = (pid_t)syscall(SYS_clone3, &c, sizeof(c));
    if (w == 0)
        worker(b, report[1]);
    int code = errno;
    if (w > 0) {
        while (waitpid(w, NULL, 0) < 0 && errno == EINTR) /* its answer fits the pipe */
            ;
        n = (int)read(report[0], &a, sizeof(a));
    }
    close(report[0]);
    close(report[1]);
    if (w < 0)
        return err_sysk(e, ERR_INTERNAL, code, "worker process");
    if (n != sizeof(a) || a.pid <= 0)
        return err_sysk(e, ERR_INTERNAL, n == sizeof(a) ? -a.pid : EIO,
                        a.entered ? "new process in the zone" : "enter the zone's namespaces");
    *pidfd = a.pidfd;
    return a.pid;
}
