/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule R8: untrusted archives are unpacked by a process of its own: its user namespace gives it no capability
 * over the host, its root is the staging folder, it has no network and no descriptor but its four, its calls
 * are a short list (no exec, no kill, no socket, no mount), and memory and time are bounded. The result is
 * adopted only if it says that all went well. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CAGE_SECONDS 3600
#define CAGE_MEMORY (1ull << 30) /* paths of 10^6 folders and the largest window of xz and zstd */

#if defined(__SANITIZE_ADDRESS__) /* its shadow is larger than any bound */
#define BOUND_MEMORY 0
#else
#define BOUND_MEMORY 1
#endif

struct cage {
    int in_fd, dirfd, progress_fd, answer_fd, ready_fd,
        mapped_fd; /* inflating: progress_fd is where it goes */
    enum stor_cage_work work;
    const struct stor_unpack_job *job;
};
struct answer { /* below PIPE_BUF: one write is whole */
    struct err error;
    struct stor_unpack_stats stats;
};

/* All that this kernel's Landlock knows is denied but below the folder. Hard links across folders need REFER,
 * which ABI 1 always denies: there the root folder and the call list must do. */
static int confine_to(int dirfd, bool any_file, struct err *e)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 2)
        return 0;
    /* 14: truncate (ABI 3), 15: ioctl on devices (ABI 5); Debian 12's header ends at refer */
    unsigned top = abi >= 5 ? 15 : abi >= 3 ? 14 : 13;
    const uint64_t all = (2ull << top) - 1;
    struct landlock_ruleset_attr attr = {.handled_access_fs = all};
    auto_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (rules < 0)
        return err_sys(e, "landlock");
    struct landlock_path_beneath_attr rule = {.allowed_access = all, .parent_fd = dirfd};
    if (any_file && syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_sys(e, "landlock rule");
    return syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? err_sys(e, "landlock") : 0;
}

static int keep_few_capabilities(struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    uint32_t low =
        1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_SETFCAP;
    struct __user_cap_data_struct data[2] = {{low, low, 0}, {0, 0, 0}};
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) < 0)
            return err_sys(e, "bounding set");
    return syscall(SYS_capset, &head, data) < 0 ? err_sys(e, "capset") : 0;
}

int stor_allow_calls(void *ctx, const int *calls, size_t n)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
    return r;
}

/* A thread of its own, in no namespace but ours. clone3's flags are out of a filter's sight: where it is not there glibc asks for
 * clone. */
int stor_allow_threads(void *ctx)
{
    static const int calls[] = {SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity)};
    const uint64_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    const uint64_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                            CLONE_NEWPID | CLONE_NEWNET;
    int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, thread | spaces, thread));
    return r < 0 ? r : stor_allow_calls(ctx, calls, ARRAY_LEN(calls));
}

/* What libarchive and unpack.c call; all else is EPERM. */
static int allow_few_calls(struct err *e)
{
    static const int calls[] = {
        SCMP_SYS(read),       SCMP_SYS(readv),          SCMP_SYS(pread64),      SCMP_SYS(write),
        SCMP_SYS(writev),     SCMP_SYS(pwrite64),       SCMP_SYS(lseek),        SCMP_SYS(close),
        SCMP_SYS(fstat),      SCMP_SYS(newfstatat),     SCMP_SYS(statx),        SCMP_SYS(stat),
        SCMP_SYS(lstat),      SCMP_SYS(open),           SCMP_SYS(openat),       SCMP_SYS(openat2),
        SCMP_SYS(mkdirat),    SCMP_SYS(symlinkat),      SCMP_SYS(linkat),       SCMP_SYS(unlinkat),
        SCMP_SYS(mknodat),    SCMP_SYS(fchmod),         SCMP_SYS(fchmodat),     SCMP_SYS(fchownat),
        SCMP_SYS(utimensat),  SCMP_SYS(ftruncate),      SCMP_SYS(fsetxattr),    SCMP_SYS(fcntl),
        SCMP_SYS(getdents64), SCMP_SYS(fstatfs),        SCMP_SYS(mmap),         SCMP_SYS(munmap),
        SCMP_SYS(mremap),     SCMP_SYS(mprotect),       SCMP_SYS(madvise),      SCMP_SYS(brk),
        SCMP_SYS(futex),      SCMP_SYS(exit),           SCMP_SYS(exit_group),   SCMP_SYS(rt_sigreturn),
        SCMP_SYS(getpid),     SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(gettid),
        SCMP_SYS(getrandom),  SCMP_SYS(clock_gettime),  SCMP_SYS(sched_yield),  SCMP_SYS(sigaltstack),
        SCMP_SYS(geteuid),    SCMP_SYS(mlock),          SCMP_SYS(mlock2),       SCMP_SYS(gettimeofday),
        SCMP_SYS(fchown),     SCMP_SYS(fallocate),      SCMP_SYS(fremovexattr),
    };
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = ctx ? stor_allow_calls(ctx, calls, ARRAY_LEN(calls)) : -ENOMEM;
    r = r < 0 ? r : stor_allow_threads(ctx);
    if (r == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    return r < 0 ? err_sysk(e, ERR_UNSUPPORTED, -r, "seccomp") : 0;
}

/* Only the four descriptors live on; 3.. in the order of the struct. */
static int keep_descriptors(struct cage *c, struct err *e)
{
    int *fds[] = {&c->in_fd, &c->dirfd, &c->progress_fd, &c->answer_fd, &c->ready_fd, &c->mapped_fd};
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
        if (*fds[i] >= 0 && (*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, 64)) < 0)
            return err_sys(e, "descriptors");
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
        if (*fds[i] < 0)
            close(3 + (int)i);
        else if ((*fds[i] = dup2(*fds[i], 3 + (int)i)) < 0)
            return err_sys(e, "descriptors");
    return close_range(3 + ARRAY_LEN(fds), ~0u, 0) < 0 ? err_sys(e, "close_range") : 0;
}

static void bound_resources(void)
{
    struct rlimit files = {256, 256}, none = {0, 0}, cpu = {CAGE_SECONDS, CAGE_SECONDS};
    struct rlimit memory = {CAGE_MEMORY, CAGE_MEMORY};
    sigset_t no;
    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_CPU, &cpu);
    if (BOUND_MEMORY)
        setrlimit(RLIMIT_DATA, &memory);
    signal(SIGALRM, SIG_DFL); /* also when nothing is computed: a source that hangs */
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&no);
    sigprocmask(SIG_SETMASK, &no, NULL);
    alarm(CAGE_SECONDS);
}

static int enter_cage(struct cage *c, struct err *e)
{
    char byte = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC); /* the streams are others' */
    for (int i = 0; i < 3; i++)
        if (null < 0 || dup2(null, i) < 0)
            return err_sys(e, "/dev/null");
    int r = keep_descriptors(c, e);
    if (r < 0)
        return r;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return err_sys(e, "unshare");
    if (fd_write_full(c->ready_fd, &byte, 1) < 0 || fd_read_full(c->mapped_fd, &byte, 1) != 1)
        return err_set(e, ERR_INTERNAL, EIO, "the ids of the unpacking process were not set");
    close_fd(&c->ready_fd);
    close_fd(&c->mapped_fd);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_sys(e, "prctl");
    if (fchdir(c->dirfd) < 0 || chroot(".") < 0)
        return err_sys(e, "chroot");
    bound_resources();
    r = confine_to(c->dirfd, c->work == CAGE_UNPACK, e);
    r = r < 0 ? r : keep_few_capabilities(e);
    return r < 0 ? r : allow_few_calls(e);
}

static int do_work(struct cage *c, struct stor_unpack_stats *stats, struct err *e)
{
    if (c->work == CAGE_INFLATE)
        return stor_inflate(c->in_fd, c->progress_fd, c->job->bounds, e);
    struct stor_unpack_job job = *c->job;
    job.in_fd = c->in_fd;
    job.dirfd = c->dirfd;
    job.progress_fd = c->progress_fd;
    int r = stor_unpack(&job, e);
    *stats = job.stats;
    return r;
}

static _Noreturn void cage_main(struct cage c)
{
    struct answer a = {0};
    int r = enter_cage(&c, &a.error);
    if (r == 0)
        r = do_work(&c, &a.stats, &a.error);
    if (r < 0)
        err_set(&a.error, ERR_INTERNAL, -r, "unpacking failed"); /* if nobody said why: never adopted */
    (void)fd_write_full(c.answer_fd, &a, sizeof(a));
    _exit(r < 0 ? 1 : 0);
}

/* All ids one to one: owners are kept, and rights over anything but these ids' files are not given. */
static int map_ids(pid_t pid, struct err *e)
{
    static const char *const maps[] = {"uid_map", "gid_map"};
    char path[48];
    for (unsigned i = 0; i < ARRAY_LEN(maps); i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, maps[i]);
        int r = file_write(AT_FDCWD, path, "0 0 4294967295\n", e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int start_cage(struct cage *c, struct stor_cage *out, struct err *e)
{
    int ready[2], mapped[2], r = 0;
    char byte = 0;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    auto_fd int ready_in = ready[0];
    auto_fd int ready_out = ready[1];
    if (pipe2(mapped, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    auto_fd int mapped_in = mapped[0];
    auto_fd int mapped_out = mapped[1];
    c->ready_fd = ready_out;
    c->mapped_fd = mapped_in;
    out->pid = fork();
    if (out->pid == 0)
        cage_main(*c);
    close_fd(&ready_out);
    close_fd(&mapped_in);
    if (out->pid < 0)
        return err_sys(e, "fork");
    if (fd_read_full(ready_in, &byte, 1) == 1 && (r = map_ids(out->pid, e)) == 0)
        (void)!write(mapped_out, &byte, 1);
    if (r < 0)
        stor_cage_kill(out);
    return r;
}

int stor_cage_start(struct stor_cage *out, enum stor_cage_work work, const struct stor_unpack_job *j,
                    struct err *e)
{
    int p[2];
    *out = STOR_CAGE_NONE;
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    auto_fd int answer_in = p[1];
    out->answer = p[0];
    out->work = work;
    struct cage c = {j->in_fd, j->dirfd, j->progress_fd, answer_in, -1, -1, work, j};
    int r = start_cage(&c, out, e);
    if (r < 0)
        stor_cage_kill(out);
    return r;
}

static int reap(struct stor_cage *c)
{
    int status = 0;
    while (c->pid > 0 && waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    c->pid = -1;
    close_fd(&c->answer);
    return status;
}

int stor_cage_wait(struct stor_cage *c, struct stor_unpack_stats *stats, struct err *e)
{
    struct answer a = {0};
    struct err *got = &a.error;
    ssize_t n = fd_read_full(c->answer, &a, sizeof(a));
    int status = reap(c);
    if (n != (ssize_t)sizeof(a) || (!err_is(got) && status))
        return err_set(e, ERR_INTERNAL, EIO, "the unpacking process died (status %x)", (unsigned)status);
    if (!err_is(got)) {
        if (stats)
            *stats = a.stats;
        return 0;
    }
    got->text[sizeof(got->text) - 1] = '\0';
    return err_set(e, got->kind > ERR_NONE && got->kind < ERR_KIND_MAX ? got->kind : ERR_INTERNAL,
                   got->code > 0 ? got->code : EIO, "%s", got->text);
}

void stor_cage_kill(struct stor_cage *c)
{
    if (c->pid > 0)
        (void)kill(c->pid, SIGKILL);
    (void)reap(c);
}

int stor_unpack_caged(struct stor_unpack_job *j, struct err *e)
{
    struct stor_cage c;
    int r = stor_cage_start(&c, CAGE_UNPACK, j, e);
    return r < 0 ? r : stor_cage_wait(&c, &j->stats, e);
}
