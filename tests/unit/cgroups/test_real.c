/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: v2 */
/* The kernel's own groups, as root, below a parent of this test's own that it removes again. No timing
 * decides a result: counters, states and files do. */
#include "cgroups/internal.h"
#include "tests/unit/cgroups/limits.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct cg_host *host;
static char parent[64];

/* The file of a group, v1 or v2 name, as a string without its newline. */
static const char *value(struct cg_group *g, enum cg_ctrl c, const char *v1, const char *v2)
{
    static char buf[4096];
    int hier = host->of[c];
    const char *file = hier >= 0 && host->at[hier].v2 ? v2 : v1;
    if (hier < 0 || cg_group_read(g, hier, file, buf, sizeof(buf)) < 0)
        return "?";
    buf[strcspn(buf, "\n")] = 0;
    return buf;
}

/* A child in the group, running job; it has joined when this returns. */
static pid_t child(struct cg_group *g, int (*job)(void))
{
    const int *fds;
    unsigned n = cg_join_fds(g, &fds);
    int p[2];
    if (pipe(p) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned i = 0; i < n; i++)
            if (write(fds[i], "0", 1) != 1)
                _exit(99);
        char c;
        close(p[1]);
        if (read(p[0], &c, 1) != 1)
            _exit(98);
        _exit(job());
    }
    close(p[0]);
    struct err e = {0};
    ok(cg_attach(g, pid, false, &e) == 0, "attached %s", e.text);
    if (write(p[1], "x", 1) != 1)
        kill(pid, SIGKILL);
    close(p[1]);
    return pid;
}

static int status_of(pid_t pid)
{
    int st = 0;
    while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
        ;
    return st;
}

static struct cg_group *make(const char *name)
{
    struct err e = {0};
    struct cg_group *g = NULL;
    ok(cg_create(host, parent, name, &limits, &g, &e) == 0, "create %s %s", name, e.text);
    return g;
}

static void finish(struct cg_group *g, const char *name)
{
    struct err e = {0};
    cg_close(g);
    ok(cg_kill(host, parent, name, 5000, &e) == 0, "kill %s %s", name, e.text);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    ok(cg_remove(host, parent, name, &e) == 0, "remove %s %s", name, e.text);
    ok(cg_remove(host, parent, name, &e) == 0, "remove again");
    ok(cg_open(host, parent, name, &g, NULL) == -ENOENT, "gone");
}

static int spin(void)
{
    for (;;)
        __asm__ volatile("");
    return 0;
}

static int sleep_on(void)
{
    for (;;)
        pause();
    return 0;
}

static int waiting(void)
{
    pause();
    return 0;
}

static void live_update(struct cg_group *g, bool v2)
{
    /* live: lower cap and memory together with swap, drop the set, idle on and off */
    struct spec_cpu cpu2 = cpu;
    struct spec_memory memory2 = memory;
    struct spec_io io2 = io;
    struct cg_limits after = limits;
    after.cpu = &cpu2, after.memory = &memory2, after.io = &io2;
    cpu2.cap = 0.05, cpu2.burst = 0.01, cpu2.set = NULL, cpu2.idle = true;
    memory2.cap = 32u << 20;
    io2.read = SPEC_UNSET;
    struct err e = {0};
    ok(cg_update(g, &limits, &after, &e) == 0, "update %s", e.text);
    is_str(value(g, CG_CPU, "cpu.cfs_quota_us", "cpu.max"), v2 ? "5000 100000" : "5000", "cap lowered");
    is_str(value(g, CG_CPU, "cpu.idle", "cpu.idle"), "1", "idle");
    is_str(value(g, CG_MEMORY, "memory.limit_in_bytes", "memory.max"), "33554432", "memory lowered");
    json *d = cg_drift(g, &limits);
    ok(js_len(d) >= 5, "drift tells the differences (%zu)", js_len(d));
    js_free(d);
    ok(cg_update(g, &after, &limits, &e) == 0, "and back %s", e.text);
    d = cg_drift(g, &limits);
    char *text = js_dump(d, false);
    is_str(text, "[]", "no drift after the way back");
    free(text);
    js_free(d);

    /* one bad key: nothing changes */
    cpu2 = cpu, memory2 = memory, io2 = io;
    memory2.cap = 128u << 20;
    cpu2.set = (char *)"0,4000";
    ok(cg_update(g, &limits, &after, &e) < 0, "a bad key fails: %s", e.text);
    is_str(value(g, CG_MEMORY, "memory.limit_in_bytes", "memory.max"), "67108864",
           "the good one was set back");
}

/* ---- limits are in the kernel's files ---- */
static void test_values(void)
{
    reset();
    cpu.cap = 0.25;
    cpu.burst = 0.1;
    cpu.shares = 200;
    cpu.set = (char *)"0";
    memory.cap = 64u << 20;
    memory.swap = 0;
    limits.tasks = 33;
    io.read = 50u << 20;
    io.write_ops = 1000;
    struct problems ps = {0};
    cg_check(host, &limits, &ps);
    is_int(ps.len, 0, "enforceable %s", ps.len ? ps.at[0].message : "");
    problems_done(&ps);
    struct cg_group *g = make("values");
    bool v2 = host->layout == CG_V2;
    is_str(value(g, CG_CPU, "cpu.shares", "cpu.weight"), v2 ? "200" : "2048", "shares");
    is_str(value(g, CG_CPU, "cpu.cfs_quota_us", "cpu.max"), v2 ? "25000 100000" : "25000", "cap");
    is_str(value(g, CG_CPU, "cpu.cfs_burst_us", "cpu.max.burst"), "10000", "burst");
    is_str(value(g, CG_CPUSET, "cpuset.cpus", "cpuset.cpus"), "0", "set");
    is_str(value(g, CG_MEMORY, "memory.limit_in_bytes", "memory.max"), "67108864", "memory cap");
    is_str(value(g, CG_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max"), v2 ? "0" : "67108864",
           "swap");
    is_str(value(g, CG_PIDS, "pids.max", "pids.max"), "33", "tasks");
    json *d = cg_drift(g, &limits);
    char *text = js_dump(d, false);
    is_str(text, "[]", "no drift");
    free(text);
    js_free(d);

    ok(child(g, waiting) > 0, "a task in it"); /* a set with tasks in it cannot be emptied */
    live_update(g, v2);
    finish(g, "values");
}

static void test_throttle_and_freeze(void)
{
    reset();
    cpu.cap = 0.25;
    struct err e = {0};
    struct cg_group *g = make("spin");
    pid_t pid = child(g, spin);
    struct cg_stats st = {0};
    for (int i = 0; i < 3000 && st.cpu_throttled_periods < 2; i++) {
        usleep(10000);
        if (cg_read(g, false, &st, &e) < 0)
            break;
    }
    ok(st.cpu_throttled_periods >= 2, "throttled %s", e.text);
    ok(st.cpu_throttled > 0 && st.cpu_throttled != UINT64_MAX, "and for some time");
    ok(st.cpu_usage > 0 && st.cpu_usage != UINT64_MAX, "usage %llu", (unsigned long long)st.cpu_usage);
    is_int(st.tasks, 1, "one task");
    ok(st.mem_usage != UINT64_MAX && st.mem_anon != UINT64_MAX, "memory");
    ok(st.psi_cpu_some != UINT64_MAX || host->v2 < 0, "pressure");
    ok(cg_freeze(g, true, 5000, &e) == 0, "freeze %s", e.text);
    ok(cg_read(g, true, &st, &e) == 0, "brief %s", e.text);
    uint64_t before = 0;
    for (int i = 0; i < 100 && st.cpu_usage != before;
         i++) { /* v1 says frozen before its last slice is counted */
        before = st.cpu_usage;
        usleep(10000);
        cg_read(g, true, &st, &e);
    }
    before = st.cpu_usage;
    usleep(50000);
    cg_read(g, true, &st, &e);
    ok(st.cpu_usage == before, "a frozen zone uses nothing");
    is_int(cg_populated(g), 1, "populated");
    ok(cg_freeze(g, false, 5000, &e) == 0, "thaw");
    ok(cg_freeze(g, true, 5000, &e) == 0, "freeze again");
    pid_t *pids = NULL;
    unsigned n = 0;
    ok(cg_pids(g, &pids, &n, &e) == 0 && n == 1 && pids[0] == pid, "pids");
    free(pids);
    struct cg_group *busy = NULL;
    ok(cg_create(host, parent, "spin", &limits, &busy, &e) == -EBUSY, "create over a live one: %s", e.text);
    err_clear(&e);
    ok(cg_remove(host, parent, "spin", &e) == -EBUSY && e.kind == ERR_BUSY, "remove names the holder: %s",
       e.text);
    finish(g, "spin"); /* frozen: kill takes it all the same */
}

static int eat(void)
{
    for (;;) {
        /* cppcheck-suppress invalidFunctionArg ; it takes -1 for a mistake, which a nameless mapping wants */
        void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p != MAP_FAILED)
            memset(p, 1, 1 << 20);
    }
    return 0;
}

static void test_oom(void)
{
    reset();
    memory.cap = 16u << 20;
    struct err e = {0};
    struct cg_group *g = make("oom");
    short events = 0;
    int fd = cg_oom_fd(g, &events, &e);
    ok(fd >= 0, "oom fd %s", e.text);
    is_int(cg_oom_read(g, fd), 0, "quiet before");
    pid_t pid = child(g, eat);
    struct pollfd p = {.fd = fd, .events = events};
    int fired = 0, oom = 0;
    while (!oom && (fired = poll(&p, 1, 30000)) == 1)
        oom = cg_oom_read(g, fd); /* v2's file also tells of reaching the limit, before */
    is_int(fired, 1, "the fd fires");
    is_int(oom, 1, "out of memory");
    int st = status_of(pid);
    ok(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL, "killed");
    struct cg_stats s;
    ok(cg_read(g, false, &s, &e) == 0 && s.oom_kills >= 1 && s.oom_kills != UINT64_MAX, "counted");
    close(fd);
    finish(g, "oom");
}

static int forks(void)
{
    for (int i = 0; i < 100; i++) {
        pid_t p = fork();
        if (p == 0) {
            pause();
            _exit(0);
        }
        if (p < 0)
            return errno == EAGAIN ? i : 90;
    }
    return 91;
}

static void test_tasks(void)
{
    reset();
    limits.tasks = 5;
    struct cg_group *g = make("tasks");
    int st = status_of(child(g, forks));
    ok(WIFEXITED(st) && WEXITSTATUS(st) == 4, "the fifth fork fails (%d)", WEXITSTATUS(st));
    finish(g, "tasks"); /* four orphans are in it */
}

static int open_devices(void)
{
    int fd = open("/dev/null", O_RDWR), bad = 0;
    if (fd < 0)
        bad |= 1;
    fd = open("/dev/urandom", O_RDONLY);
    if (fd < 0)
        bad |= 2;
    fd = open("/dev/kmsg", O_RDONLY);
    if (fd >= 0 || errno != EPERM)
        bad |= 4;
    fd = open("/dev/fuse", O_RDWR);
    if (fd < 0 && errno == EPERM)
        bad |= 8;
    return bad;
}

static void test_devices(void)
{
    reset();
    struct cg_group *g = make("dev");
    int st = status_of(child(g, open_devices));
    is_int(WEXITSTATUS(st), access("/dev/fuse", F_OK) == 0 ? 8 : 0, "default devices only");
    static char *extra[] = {(char *)"/dev/fuse", NULL};
    if (access("/dev/fuse", F_OK) == 0) {
        struct cg_limits after = limits;
        struct err e = {0};
        after.devices = extra;
        ok(cg_update(g, &limits, &after, &e) == 0, "add a device %s", e.text);
        is_int(WEXITSTATUS(status_of(child(g, open_devices))), 0, "and it opens");
        ok(cg_update(g, &after, &limits, &e) == 0, "take it away %s", e.text);
        is_int(WEXITSTATUS(status_of(child(g, open_devices))), 8, "and it does not");
    }
    finish(g, "dev");
}

/* v2's program works on the hybrid's v2 group as well: test it where v1 is in charge too. */
static void test_bpf(void)
{
    reset();
    struct cg_group *g = make("bpf");
    struct err e = {0};
    struct cg_dev devs[CG_DEVS_MAX] = {{'c', 1, 3, false}, {'c', 1, 9, false}, {'c', 136, 0, true}};
    for (int round = 0; g->v2_fd >= 0 && round < 3; round++)
        ok(cg_bpf_devices(g->v2_fd, devs, round == 2 ? 1 : 3, &e) == 0, "device program %s", e.text);
    if (g->v2_fd >= 0)
        is_int(WEXITSTATUS(status_of(child(g, open_devices))) & 7, 2, "null yes, urandom and kmsg no");
    finish(g, "bpf");
}

/* A child in its own user namespace joins through our descriptors. */
static int in_userns(void)
{
    return 0;
}

static void test_join(void)
{
    reset();
    struct cg_group *g = make("join");
    const int *fds;
    unsigned n = cg_join_fds(g, &fds);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWUSER) < 0)
            _exit(97);
        for (unsigned i = 0; i < n; i++)
            if (write(fds[i], "0", 1) != 1)
                _exit(1);
        _exit(in_userns());
    }
    is_int(WEXITSTATUS(status_of(pid)), 0, "joined from a user namespace");
    pid = child(g, sleep_on);
    struct err e = {0};
    ok(cg_signal(g, SIGTERM, &e) == 0, "signal %s", e.text);
    int st = status_of(pid);
    ok(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM, "arrived");
    is_int(cg_populated(g), 0, "empty");

    /* groups that the zone made below */
    for (unsigned i = 0; i < host->n; i++) {
        char path[CG_PATH_MAX];
        if (!g->in[i])
            continue;
        cg_path(path, parent, "join", "a");
        mkdirat(host->at[i].fd, path, 0755);
        cg_path(path, parent, "join", "a/b");
        mkdirat(host->at[i].fd, path, 0755);
    }
    char **names = NULL;
    ok(cg_list(host, parent, &names, &e) == 0 && strv_len(names) == 1 && str_eq(names[0], "join"), "list");
    strv_free(names);
    finish(g, "join");
}

static void test_delegation(void)
{
    reset();
    limits.system = true;
    limits.uid_base = 1000000;
    struct cg_group *g = make("system");
    struct stat st = {0};
    if (g->v2_fd >= 0) {
        ok(fstat(g->v2_fd, &st) == 0 && st.st_uid == 1000000, "its v2 folder is the zone's");
        ok(fstatat(g->v2_fd, "cgroup.procs", &st, 0) == 0 && st.st_uid == 1000000, "cgroup.procs too");
        ok(fstatat(g->v2_fd, "cgroup.max.descendants", &st, 0) == 0 && st.st_uid == 0, "limits are not");
    }
    finish(g, "system");
}

int main(void)
{
    struct err e = {0};
    setvbuf(stdout, NULL, _IONBF, 0);
    if (geteuid() != 0 || cg_detect("/proc/self/mountinfo", &host, &e) < 0) {
        printf("1..0 # SKIP needs root and control groups %s\n", e.text);
        return 0;
    }
    snprintf(parent, sizeof(parent), "zoned-test-%d.slice", (int)getpid());
    ok(cg_parent_ensure(host, parent, &e) == 0, "parent %s", e.text);
    ok(cg_parent_ensure(host, parent, &e) == 0, "parent again");
    test_values();
    test_throttle_and_freeze();
    test_oom();
    test_tasks();
    test_devices();
    test_bpf();
    test_join();
    test_delegation();
    ok(cg_parent_remove(host, parent, &e) == 0, "parent removed %s", e.text);
    ok(cg_parent_remove(host, parent, &e) == 0, "parent removed again");
    cg_host_free(host);
    return done_testing();
}
