/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process that meets the network: a fork without capabilities, with Landlock to the store's folder (and to read what TLS and
 * the resolver need), and a list of calls without exec, kill, mount, Unix sockets or listening. It dies with its parent. Progress,
 * answer and error come back as records of one pipe. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "storage/internal.h"
#include "storage/registry.h"
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ANSWER_MAX 512
#define CAGE_MEMORY (512ull << 20)
#if defined(__SANITIZE_ADDRESS__) /* its shadow is larger than any bound */
#define BOUND_MEMORY 0
#else
#define BOUND_MEMORY 1
#endif
struct record { /* below PIPE_BUF: a write is whole */
    enum { RECORD_PROGRESS = 1, RECORD_ANSWER, RECORD_ERROR } kind;
    union {
        struct {
            char item[64], phase[32];
            uint64_t done, total;
        } progress;
        char answer[ANSWER_MAX];
        struct err error;
    };
};

/* ---- confinement ---- */
static const char *const readable[] = {"/etc",
                                       "/usr",
                                       "/lib",
                                       "/lib64",
                                       "/run/systemd/resolve",
                                       "/run/resolvconf",
                                       "/run/NetworkManager",
                                       "/dev/urandom",
                                       "/dev/null"};

static int allow_path(int rules, int fd, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* ABI 1 denies every rename to another folder, which the store needs: there the call list and the ids must do. */
static int confine_to(int store_fd, struct err *e)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 2)
        return 0;
    const uint64_t all = (2ull << (abi >= 3 ? 14 : 13)) - 1;
    struct landlock_ruleset_attr attr = {.handled_access_fs = all};
    auto_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (rules < 0 || allow_path(rules, store_fd, all & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE) < 0)
        return err_sys(e, "landlock");
    for (unsigned i = 0; i < ARRAY_LEN(readable); i++) {
        auto_fd int fd = open(readable[i], O_PATH | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0)
            continue;
        if (allow_path(rules, fd,
                       LANDLOCK_ACCESS_FS_READ_FILE |
                           (S_ISDIR(st.st_mode) ? LANDLOCK_ACCESS_FS_READ_DIR : 0)) < 0)
            return err_sys(e, "landlock rule for %s", readable[i]);
    }
    return syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? err_sys(e, "landlock") : 0;
}

static int drop_capabilities(struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &head, none) < 0)
        return err_sys(e, "capabilities");
    return 0;
}

/* What libcurl, its TLS, its resolver thread and the store's writer call; all else is EPERM. */
static const int calls[] = {
    /* files */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(fcntl),
    SCMP_SYS(flock),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(mkdirat),
    SCMP_SYS(linkat),
    SCMP_SYS(fchmod),
    SCMP_SYS(utimensat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(statfs),
    SCMP_SYS(fadvise64),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(dup),
    SCMP_SYS(umask),
    SCMP_SYS(sendfile),
    /* network */
    SCMP_SYS(connect),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(socketpair),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(pipe),
    /* memory, threads, time */
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(membarrier),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
};

static int add_rules(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_INET, AF_INET6, AF_NETLINK /* the resolver's look at the addresses */};
    int r = stor_allow_calls(ctx, calls, ARRAY_LEN(calls));
    for (unsigned i = 0; r == 0 && i < ARRAY_LEN(families); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    if (r == 0) /* its own limits may be read, not set */
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
    r = r < 0 ? r : stor_allow_threads(ctx);
    return r == 0 ? seccomp_load(ctx) : r;
}

static int allow_few_calls(struct err *e)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = ctx ? add_rules(ctx) : -ENOMEM;
    seccomp_release(ctx);
    return r < 0 ? err_sysk(e, ERR_UNSUPPORTED, -r, "seccomp") : 0;
}

/* Its parent's standard input and output may be the way to the daemon. */
static int forget_streams(struct err *e)
{
    auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        return err_sys(e, "/dev/null");
    return 0;
}

static int enter(int store_fd, struct err *e)
{
    struct rlimit none = {0, 0}, memory = {CAGE_MEMORY, CAGE_MEMORY};
    sigset_t no;
    setrlimit(RLIMIT_CORE, &none);
    if (BOUND_MEMORY)
        setrlimit(RLIMIT_DATA, &memory);
    if (forget_streams(e) < 0)
        return -e->code;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&no);
    sigprocmask(SIG_SETMASK, &no, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_sys(e, "prctl");
    int r = confine_to(store_fd, e);
    r = r < 0 ? r : drop_capabilities(e);
    return r < 0 ? r : allow_few_calls(e);
}

/* ---- the pipe ---- */
static void relay_progress(void *arg, const struct img_progress *p)
{
    struct record rec = {.kind = RECORD_PROGRESS, .progress = {.done = p->done, .total = p->total}};
    snprintf(rec.progress.item, sizeof(rec.progress.item), "%s", p->item);
    snprintf(rec.progress.phase, sizeof(rec.progress.phase), "%s", p->phase);
    (void)fd_write_full(*(int *)arg, &rec, sizeof(rec));
}

static void hear_progress(const struct reg_job *j, struct record *rec)
{
    rec->progress.item[sizeof(rec->progress.item) - 1] = '\0';
    rec->progress.phase[sizeof(rec->progress.phase) - 1] = '\0';
    struct img_progress p = {rec->progress.item, rec->progress.phase, rec->progress.done,
                             rec->progress.total};
    if (j->report)
        j->report(j->arg, &p);
}

static int hear_error(struct record *rec, struct err *e)
{
    struct err *got = &rec->error;
    got->text[sizeof(got->text) - 1] = got->hint[sizeof(got->hint) - 1] = '\0';
    enum err_kind kind = got->kind > ERR_NONE && got->kind < ERR_KIND_MAX ? got->kind : ERR_INTERNAL;
    err_set(e, kind, got->code > 0 ? got->code : EIO, "%s", got->text);
    return got->hint[0] ? err_hint(e, "%s", got->hint) : -(got->code > 0 ? got->code : EIO);
}

/* Until the end of the pipe; 1: the answer came. */
static int hear(const struct reg_job *j, int fd, void *answer, size_t size, struct err *e)
{
    struct record rec;
    int r = 0;
    while (fd_read_full(fd, &rec, sizeof(rec)) == (ssize_t)sizeof(rec)) {
        if (rec.kind == RECORD_PROGRESS) {
            hear_progress(j, &rec);
        } else if (rec.kind == RECORD_ANSWER) {
            if (size)
                memcpy(answer, rec.answer, size);
            r = 1;
        } else if (rec.kind == RECORD_ERROR) {
            r = hear_error(&rec, e);
        }
    }
    return r;
}

typedef int reg_work(const struct reg_job *j, void *arg, void *answer, struct err *e);
static _Noreturn void caged_main(int store_fd, int out, pid_t parent, reg_work *work, struct reg_job *j,
                                 void *arg, size_t size)
{
    struct record rec = {.kind = RECORD_ANSWER};
    struct err e = {0};
    char answer[ANSWER_MAX] = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    j->report = relay_progress;
    j->arg = &out;
    int r = enter(store_fd, &e);
    if (r == 0)
        r = work(j, arg, answer, &e);
    memcpy(rec.answer, answer, size);
    if (r < 0) {
        err_set(&e, ERR_INTERNAL, -r, "the transfer failed");
        rec.kind = RECORD_ERROR;
        rec.error = e;
    }
    (void)fd_write_full(out, &rec, sizeof(rec));
    _exit(r < 0 ? 1 : 0);
}

int reg_in_cage(int store_fd, reg_work *work, struct reg_job *j, void *arg, void *answer, size_t answer_size,
                struct err *e)
{
    int p[2], status = 0;
    pid_t parent = getpid();
    if (answer_size > ANSWER_MAX)
        return err_set(e, ERR_INTERNAL, E2BIG, "an answer of %zu bytes", answer_size);
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        close(p[0]);
        caged_main(store_fd, p[1], parent, work, j, arg, answer_size);
    }
    close(p[1]);
    auto_fd int in = p[0];
    if (pid < 0)
        return err_sys(e, "fork");
    int r = hear(j, in, answer, answer_size, e);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (r == 0)
        return err_set(e, ERR_INTERNAL, EIO, "the transfer's process died (status %x)", (unsigned)status);
    return r < 0 ? r : 0;
}
