/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving birth inside namespaces that exist already (exec, login, link: zone:NAME): a short-lived worker
 * enters them in one setns and clones there, with the caller as parent. The worker is not dumpable before it
 * enters (R5), runs no code of the zone and opens no file after. It lives in the zone's group, where somebody may freeze it
 * at any instruction: so the caller need not wait, and the kernel itself writes the child's pid into a page that both have,
 * before the child can run. Sources: setns(2), clone3(2). */
#include "base/proc.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIRTH_TIMEOUT_MS 10000

struct nspace_page {
    pid_t pid; /* 0: none was born */
    int error;
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

static _Noreturn void worker(const struct nspace_birth *b, struct nspace_page *page)
{
    reset_oom();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setns(b->target, b->enter_flags) == 0) {
        page->entered = true;
        struct clone_args c = {.flags = b->clone_flags | CLONE_PARENT_SETTID |
                                        CLONE_PARENT, /* exit signal: the worker's own */
                               .parent_tid = (uint64_t)(uintptr_t)&page->pid};
        if (syscall(SYS_clone3, &c, sizeof(c)) == 0) {
            munmap(page, sizeof(*page));
            b->main(b->arg);
        }
    }
    page->error = errno;
    _exit(0);
}

int nspace_birth_begin(const struct nspace_birth *b, struct nspace_worker *w, struct err *e)
{
    struct nspace_page *page =
        mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return err_sys(e, "memory for a new process");
    /* Into the group here: after setns the zone's cgroup namespace would forbid it (nsdelegate gives ENOENT).
     */
    int pidfd = -1;
    struct clone_args c = {
        .flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)&pidfd};
    if (b->cgroup_fd >= 0) {
        c.flags |= CLONE_INTO_CGROUP;
        c.cgroup = (uint64_t)b->cgroup_fd;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &c, sizeof(c));
    if (pid == 0)
        worker(b, page);
    if (pid < 0) {
        int r = err_sys(e, "worker process");
        munmap(page, sizeof(*page));
        return r;
    }
    *w = (struct nspace_worker){pid, pidfd, page};
    return 0;
}

pid_t nspace_birth_end(struct nspace_worker *w, int *pidfd, struct err *e)
{
    struct nspace_page was = *w->page;
    munmap(w->page, sizeof(*w->page));
    w->page = NULL;
    close_fd(&w->pidfd);
    if (was.pid <= 0)
        return err_sysk(e, ERR_INTERNAL, was.error ? was.error : EIO,
                        was.entered ? "new process in the zone" : "enter the zone's namespaces");
    *pidfd = pidfd_open_pid(was.pid); /* our child, not waited for: nobody else can have that pid */
    if (*pidfd >= 0)
        return was.pid;
    int r = err_sys(e, "new process in the zone");
    nspace_child_kill(was.pid, -1);
    return r;
}

pid_t nspace_birth(const struct nspace_birth *b, int *pidfd, struct err *e)
{
    struct nspace_worker w;
    int r = nspace_birth_begin(b, &w, e);
    if (r < 0)
        return r;
    struct pollfd p = {.fd = w.pidfd, .events = POLLIN};
    if (poll(&p, 1, BIRTH_TIMEOUT_MS) <= 0)
        (void)pidfd_kill(w.pidfd, SIGKILL); /* a group's freezer of cgroup2 does not hold SIGKILL back */
    while (waitpid(w.pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return nspace_birth_end(&w, pidfd, e);
}
