/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule R8: untrusted archives are unpacked by a process of their own, which has no network, sees no other
 * process, may write below the staging folder alone (Landlock), holds only the capabilities that making files
 * needs, and is bounded in time. It is adopted only if it says that all went well. */
#include "base/auto.h"
#include "base/fd.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CAGE_SECONDS 3600

/* Everything that Landlock ABI 1 (5.13) knows is denied but below the folder. */
static int confine_to(int dirfd, struct err *e)
{
    const uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    struct landlock_ruleset_attr attr = {.handled_access_fs = all};
    auto_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (rules < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP
                   ? 0
                   : err_sys(e, "landlock"); /* absent: the other walls stand */
    struct landlock_path_beneath_attr rule = {.allowed_access = all, .parent_fd = dirfd};
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_sys(e, "landlock rule");
    auto_fd int proc = open("/proc/self/fd", O_PATH | O_CLOEXEC); /* xattrs of links go through it */
    rule =
        (struct landlock_path_beneath_attr){.allowed_access = LANDLOCK_ACCESS_FS_READ_DIR, .parent_fd = proc};
    if (proc >= 0)
        (void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    return syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? err_sys(e, "landlock") : 0;
}

static int keep_few_capabilities(struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    uint32_t low =
        1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_SETFCAP;
    struct __user_cap_data_struct data[2] = {{low, low, 0}, {0, 0, 0}};
    return syscall(SYS_capset, &head, data) < 0 ? err_sys(e, "capset") : 0;
}

static int enter_cage(int dirfd, struct err *e)
{
    struct rlimit files = {256, 256}, core = {0, 0}, procs = {1, 1}, cpu = {CAGE_SECONDS, CAGE_SECONDS};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(0);
    if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return err_sys(e, "unshare");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_sys(e, "prctl");
    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_CORE, &core);
    setrlimit(RLIMIT_NPROC, &procs);
    setrlimit(RLIMIT_CPU, &cpu);
    int r = confine_to(dirfd, e);
    return r < 0 ? r : keep_few_capabilities(e);
}

static _Noreturn void cage_main(int in_fd, int dirfd, const struct stor_bounds *b, int progress_fd,
                                int answer)
{
    struct err e = {0};
    struct stat st = {0};
    (void)fstat(in_fd, &st);
    int r = enter_cage(dirfd, &e);
    if (r == 0)
        r = stor_unpack(in_fd, dirfd, b, progress_fd, (uint64_t)st.st_size, NULL, &e);
    (void)fd_write_full(answer, &e, sizeof(e));
    _exit(r < 0 ? 1 : 0);
}

int stor_unpack_caged(int in_fd, int dirfd, const struct stor_bounds *b, int progress_fd, struct err *e)
{
    int p[2], status = 0;
    struct err answer = {0};
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    pid_t pid = fork();
    if (pid == 0)
        cage_main(in_fd, dirfd, b, progress_fd, p[1]);
    close(p[1]);
    auto_fd int in = p[0];
    if (pid < 0)
        return err_sys(e, "fork");
    ssize_t n = fd_read_full(in, &answer, sizeof(answer));
    waitpid(pid, &status, 0);
    if (n != (ssize_t)sizeof(answer))
        return err_set(e, ERR_INTERNAL, EIO, "the unpacking process died (status %x)", (unsigned)status);
    if (!err_is(&answer))
        return 0;
    answer.text[sizeof(answer.text) - 1] = '\0';
    return err_set(e, answer.kind, answer.code, "%s", answer.text);
}
