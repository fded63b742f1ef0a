/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program of the host at work for a build: made before this process may start none, it waits for one byte. It has
 * mount, process, IPC and host name namespaces of its own: its mounts are seen nowhere else, and its end, or ours, ends all that it started.
 * Its /tmp is a folder of the pool that zoned takes away with the build.
 * Not caged: it is root in no user namespace, with the host's files, network and the capabilities below, and so are the scripts of
 * the packages that mmdebstrap installs. Sources: pid_namespaces(7), mmdebstrap(1) mode root. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cmd/zone-image/build.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct waiting {
    char *const *argv, *const *env;
    int go, out, messages, tmp;
};

static int keep_some_capabilities(void)
{
    const uint64_t kept = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH |
                          1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_KILL | 1ull << CAP_SETGID |
                          1ull << CAP_SETUID | 1ull << CAP_SETPCAP | 1ull << CAP_SYS_CHROOT |
                          1ull << CAP_SYS_ADMIN | 1ull << CAP_MKNOD | 1ull << CAP_SETFCAP;
    for (int cap = 0, has; (has = prctl(PR_CAPBSET_READ, cap)) >= 0; cap++)
        if (has && !(kept >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0)
            return -1;
    return 0;
}

static int own_mounts(int tmp)
{
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                   move_mount(tmp, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
                   mount(NULL, "/tmp", NULL, MS_PRIVATE, NULL) < 0 || /* it came as a peer of the host's */
                   mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0
               ? -1
               : 0;
}

/* Whoever reads the messages is our parent: where nobody does, it died before our death was tied to its own. */
static _Noreturn void become(const struct waiting *p)
{
    char go;
    sigset_t none;
    struct pollfd reader = {.fd = p->messages};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (poll(&reader, 1, 0) != 0 || null < 0 || dup2(null, 0) < 0 || dup2(p->out, 1) < 0 ||
        dup2(p->messages, 2) < 0)
        _exit(127);
    if (read(p->go, &go, 1) != 1)
        _exit(0); /* not wanted */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (own_mounts(p->tmp) < 0 || keep_some_capabilities() < 0 || chdir("/") < 0) {
        dprintf(2, "namespaces: %s\n", strerror(errno));
        _exit(127);
    }
    close_range(3, ~0u, 0);
    execve(p->argv[0], p->argv, p->env);
    dprintf(2, "execve: %s\n", strerror(errno));
    _exit(127);
}

/* What it says is told; the last line is the error's. */
static bool tell(struct build *b, FILE *f, char last[512])
{
    char line[512];
    bool full = false;
    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (!*line)
            continue;
        build_note(b, "  %s", line);
        full = full || strstr(line, strerror(ENOSPC));
        memcpy(last, line, sizeof(line));
    }
    return full;
}

static int ended(const char *program, int status, const char *last, bool full, struct err *e)
{
    if (status == 0)
        return 0;
    if (WIFSIGNALED(status))
        return err_set(e, ERR_INTERNAL, EIO, "%s: signal %d", program, WTERMSIG(status));
    return full ? err_set(e, ERR_LIMIT, ENOSPC, "%s: %s: %.400s", program, strerror(ENOSPC), last)
                : err_set(e, ERR_INTERNAL, EIO, "%s: %.400s", program, last);
}

/* In the child only become's ends of the pipes stay open: an end of file is told by the last one. */
static int start(struct build_host *h, struct waiting *p, int go[2], int messages[2], struct err *e)
{
    struct clone_args a = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
                           .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
    if (pid < 0)
        return err_sys(e, "%s: namespaces", p->argv[0]);
    if (pid == 0) {
        close(go[1]);
        close(messages[0]);
        become(p);
    }
    h->pid = pid;
    h->go = take_fd(&go[1]);
    h->messages = take_fd(&messages[0]);
    return 0;
}

int build_host_start(struct build *b, char *const argv[], char *const env[], struct err *e)
{
    int go[2] = {-1, -1}, messages[2] = {-1, -1};
    auto_fd int folder = stor_work_make(b->job->pool, b->zone, e);
    if (folder < 0)
        return folder;
    auto_fd int tmp = open_tree(folder, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tmp < 0)
        return err_sys(e, "a temporary folder for %s", argv[0]);
    int r = pipe2(go, O_CLOEXEC) < 0 || pipe2(messages, O_CLOEXEC) < 0 ? err_sys(e, "pipe") : 0;
    struct waiting p = {argv, env, go[0], b->host.out, messages[1], tmp};
    r = r < 0 ? r : start(&b->host, &p, go, messages, e);
    for (unsigned i = 0; i < 2; i++) {
        close_fd(&go[i]);
        close_fd(&messages[i]);
    }
    return r;
}

int build_host_run(struct build *b, const char *program, struct err *e)
{
    struct build_host *h = &b->host;
    char last[512] = "";
    int status = 0;
    if (access(program, X_OK) < 0) {
        err_set(e, ERR_UNSUPPORTED, ENOENT, "%s is not there", program);
        return err_hint(e, "apt-get install %s", strrchr(program, '/') + 1);
    }
    (void)!write(h->go, "", 1); /* where it has died, its end tells */
    FILE *f = fdopen(take_fd(&h->messages), "r");
    bool full = f && tell(b, f, last);
    if (f)
        (void)fclose(f);
    if (waitpid(h->pid, &status, 0) < 0)
        return err_sys(e, "%s", program);
    h->pid = 0;
    return ended(program, status, last, full, e);
}

void build_host_end(struct build_host *h)
{
    close_fd(&h->go);
    close_fd(&h->messages);
    close_fd(&h->out);
    if (h->pid > 0)
        (void)waitpid(h->pid, NULL, 0);
    h->pid = 0;
}
