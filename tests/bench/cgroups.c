/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures, no test (the Makefile builds test_*.c only): what a start costs in this folder, ours against
 * libcgroup, and reading many groups. Prints medians in µs. Root; makes and removes groups of its own. Build
 * by hand: gcc -std=gnu17 -O2 -D_GNU_SOURCE -I. -o /tmp/bench_start tests/bench/cgroups.c
 * cgroups/X.c specs/X.c base/X.c -lcgroup -lyaml -ljansson   (X = *) */
#include "base/clock.h"
#include "cgroups/internal.h"
#include <libcgroup.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 60

static struct cg_host *host;
static char parent[64];
static struct spec_cpu cpu = {.shares = 100, .cap = 0.5, .burst = -1, .reserved = -1};
static struct spec_memory memory = {.cap = 256u << 20, .soft = SPEC_UNSET, .reserved = SPEC_UNSET, .swap = 0};
static struct spec_io io = {
    .read = SPEC_UNSET, .write = SPEC_UNSET, .read_ops = SPEC_UNSET, .write_ops = SPEC_UNSET};
static struct cg_limits limits = {.cpu = &cpu, .memory = &memory, .io = &io, .tasks = 512};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct series {
    const char *what;
    double at[ROUNDS];
    unsigned n;
};

static void tell(struct series *s)
{
    qsort(s->at, s->n, sizeof(s->at[0]), by_value);
    printf("  %-44s median %8.0f  p90 %8.0f\n", s->what, s->at[s->n / 2], s->at[s->n * 9 / 10]);
}

static double us_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* clone3 into the v2 group; the child joins v1 by itself if asked, says so, and waits. */
static pid_t spawn(struct cg_group *g, bool join, int *ready)
{
    const int *fds;
    unsigned n = join ? cg_join_fds(g, &fds) : 0;
    int p[2];
    if (pipe(p) < 0)
        exit(1);
    struct clone_args a = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cg_clone_fd(g)};
    pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
    if (pid == 0) {
        for (unsigned i = 0; i < n; i++)
            if (write(fds[i], "0", 1) != 1)
                _exit(1);
        if (write(p[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(p[1]);
    *ready = p[0];
    return pid;
}

static void start(bool join)
{
    static struct series create, spawned, attach, total, killed, removed;
    create = (struct series){.what = "cg_create (with limits and devices)"};
    spawned = (struct series){.what = join ? "clone3 + child joins v1" : "clone3"};
    attach = (struct series){.what = "cg_attach"};
    total = (struct series){.what = "create + attach, all in"};
    killed = (struct series){.what = "cg_kill until empty"};
    removed = (struct series){.what = "cg_remove"};
    for (int i = 0; i < ROUNDS; i++) {
        struct err e = {0};
        struct cg_group *g = NULL;
        usleep(20000);
        double t0 = us_now();
        if (cg_create(host, parent, "bench", &limits, &g, &e) < 0) {
            printf("%s\n", e.text);
            return;
        }
        double t1 = us_now();
        int ready;
        char c;
        pid_t pid = spawn(g, join, &ready);
        if (read(ready, &c, 1) != 1)
            return;
        close(ready);
        double t2 = us_now();
        cg_attach(g, pid, true, &e);
        double t3 = us_now();
        cg_kill(host, parent, "bench", 5000, &e);
        double t4 = us_now();
        waitpid(pid, NULL, 0);
        cg_close(g);
        double t5 = us_now();
        cg_remove(host, parent, "bench", &e);
        double t6 = us_now();
        create.at[create.n++] = t1 - t0;
        spawned.at[spawned.n++] = t2 - t1;
        attach.at[attach.n++] = t3 - t2;
        total.at[total.n++] = t3 - t0;
        killed.at[killed.n++] = t4 - t3;
        removed.at[removed.n++] = t6 - t5;
        if (e.code)
            printf("%s\n", e.text);
    }
    printf("%s\n", join ? "ours, the child joins" : "ours, the parent attaches");
    tell(&create);
    tell(&spawned);
    tell(&attach);
    tell(&total);
    tell(&killed);
    tell(&removed);
}

/* libcgroup: the same controllers, values and attach; v2 and devices left out, so it has less to do. */
static void library(void)
{
    static const char *const ctrls[] = {"cpu", "cpuacct", "cpuset", "memory", "devices", "blkio", "pids"};
    static struct series create = {.what = "new + values + create (no v2, no devices)"},
                         attach = {.what = "attach_task_pid"}, removed = {.what = "delete"};
    double t0 = us_now();
    if (cgroup_init())
        return;
    printf("libcgroup\n  cgroup_init %.0f\n", us_now() - t0);
    for (int i = 0; i < ROUNDS; i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s/lib", parent);
        pid_t pid = fork();
        if (pid == 0)
            for (;;)
                pause();
        usleep(20000);
        double t1 = us_now();
        struct cgroup *g = cgroup_new_cgroup(name);
        for (unsigned c = 0; c < ARRAY_LEN(ctrls); c++) {
            struct cgroup_controller *k = cgroup_add_controller(g, ctrls[c]);
            if (c == 0)
                cgroup_add_value_string(k, "cpu.cfs_quota_us", "50000");
            if (c == 3) {
                cgroup_add_value_string(k, "memory.limit_in_bytes", "268435456");
                cgroup_add_value_string(k, "memory.memsw.limit_in_bytes", "268435456");
            }
            if (c == 6)
                cgroup_add_value_string(k, "pids.max", "512");
        }
        int r = cgroup_create_cgroup(g, 1);
        double t2 = us_now();
        int r2 = cgroup_attach_task_pid(g, pid);
        double t3 = us_now();
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        double t4 = us_now();
        cgroup_delete_cgroup_ext(g, CGFLAG_DELETE_IGNORE_MIGRATION);
        double t5 = us_now();
        cgroup_free(&g);
        if (r || r2)
            printf("libcgroup: %s\n", cgroup_strerror(r ? r : r2));
        create.at[create.n++] = t2 - t1;
        attach.at[attach.n++] = t3 - t2;
        removed.at[removed.n++] = t5 - t4;
    }
    tell(&create);
    tell(&attach);
    tell(&removed);
}

static void many(unsigned n)
{
    struct cg_group **g = xcalloc(n, sizeof(struct cg_group *));
    struct err e = {0};
    struct cg_stats s;
    double t0 = us_now();
    for (unsigned i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof(name), "z%u", i);
        if (cg_create(host, parent, name, &limits, &g[i], &e) < 0) {
            printf("%s\n", e.text);
            return;
        }
    }
    double t1 = us_now();
    printf("%u groups\n  create, each %.0f\n", n, (t1 - t0) / n);
    for (int pass = 0; pass < 4; pass++) {
        bool brief = pass < 2;
        t0 = us_now();
        for (unsigned i = 0; i < n; i++)
            if (cg_read(g[i], brief, &s, &e) < 0)
                printf("%s\n", e.text);
        t1 = us_now();
        printf("  read %-5s %-14s each %6.1f, all %8.0f\n", brief ? "brief" : "full",
               pass & 1 ? "(kept)" : "(first)", (t1 - t0) / n, t1 - t0);
    }
    t0 = us_now();
    for (unsigned i = 0; i < n; i++) {
        char name[32];
        cg_close(g[i]);
        snprintf(name, sizeof(name), "z%u", i);
        cg_remove(host, parent, name, &e);
    }
    printf("  remove, each %.0f %s\n", (us_now() - t0) / n, e.text);
    free(g);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    double t0 = us_now();
    if (cg_detect("/proc/self/mountinfo", &host, &e) < 0)
        return 1;
    double t1 = us_now();
    snprintf(parent, sizeof(parent), "zoned-bench-%d.slice", (int)getpid());
    if (cg_parent_ensure(host, parent, &e) < 0)
        printf("%s\n", e.text);
    printf("cg_detect %.0f, cg_parent_ensure %.0f (with cgroup_init)\n", t1 - t0, us_now() - t1);
    start(true);
    start(false);
    library();
    many(argc > 1 ? (unsigned)atoi(argv[1]) : 1000);
    if (cg_parent_remove(host, parent, &e) < 0)
        printf("%s\n", e.text);
    cg_host_free(host);
    return 0;
}
