/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lxcfs: one process that shows every zone its own part of the machine. Ours alone: its mount lies below RUN,
 * proof of life is the lock that it inherits, so it outlives zoned and is adopted by the next one; when it
 * dies it is started again and running zones get its new files. The mount is a FUSE mount: zoned itself never
 * touches a file of it (a hung server would hang the loop); a forked helper opens them and sends the
 * descriptors. Undo: end the process, detach the mount. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "namespaces/namespaces.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#define PROGRAM "/usr/bin/lxcfs"
#define READY_MS 3000      /* from its start until its files open */
#define END_MS 2000        /* to end by itself */
#define PAUSE_MAX_S 60     /* between two starts of one that dies at once */
#define STEADY_US 60000000 /* having lived so long, the next death is a first one */

struct lxcfs {
    struct zd *d;
    char *dir, *mount;
    int pidfd, helper_fd, files[NSPACE_PART_FILES];
    pid_t pid, helper;
    struct sd_event_source *died, *opened, *again;
    unsigned deaths;
    uint64_t started_us;
    bool serves;
    struct err problem;
};

bool lxcfs_there(const struct zd *d)
{
    return d->lxcfs != NULL;
}

int lxcfs_check(const struct zd *d, struct err *e)
{
    if (!d->lxcfs) {
        err_set(e, ERR_UNSUPPORTED, ENOENT,
                "%s is not there: /proc/meminfo, cpuinfo, stat, uptime and loadavg of a zone show the host",
                access(PROGRAM, X_OK) < 0 ? PROGRAM : "/dev/fuse");
        return err_hint(e, "install the package lxcfs, load the module fuse, and restart zoned");
    }
    if (d->lxcfs->serves)
        return 0;
    err_set(e, ERR_UNSUPPORTED, EIO, "lxcfs does not serve: %s", d->lxcfs->problem.text);
    return err_hint(e, "see %s/log; it is started again by itself", d->lxcfs->dir);
}

/* ---- the process ---- */
static void write_pid(int dirfd)
{
    char text[64];
    uint64_t start = 0;
    (void)proc_start_time(getpid(), &start);
    int n = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)getpid(), start);
    (void)file_replace(dirfd, "pid", text, (size_t)n, 0600, false, NULL);
}

static _Noreturn void become_lxcfs(struct lxcfs *l, int dirfd, int lock)
{
    auto_free char *pidfile = path_join(l->dir, "lxcfs.pid");
    char program[] = PROGRAM, fg[] = "-f", load[] = "-l", cfs[] = "--enable-cfs", p[] = "-p";
    char *argv[] = {program, fg, load, cfs, p, pidfile, l->mount, NULL};
    static char *const env[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    write_pid(dirfd);
    int out = openat(dirfd, "log", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600),
        null = open("/dev/null", O_RDWR);
    int held = fcntl(lock, F_DUPFD, 10);
    if (out < 0 || null < 0 || held < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
        dup2(held, 3) < 0)
        _exit(127);
    close_range(4, ~0u, 0);
    execve(PROGRAM, argv, env);
    _exit(127);
}

/* Double fork: nobody's child here, since it outlives us. */
static int spawn(struct lxcfs *l, int dirfd, int lock, struct err *e)
{
    pid_t pid = fork();
    if (pid < 0)
        return err_sys(e, "fork");
    if (pid == 0) {
        if (setsid() < 0 || fork() != 0)
            _exit(0);
        become_lxcfs(l, dirfd, lock);
    }
    waitpid(pid, NULL, 0);
    return 0;
}

/* The pid is the process's own word; the start time and the lock say that it still is the one. */
static int find(struct lxcfs *l, int dirfd, struct err *e)
{
    for (unsigned i = 0; i < 200; i++) {
        auto_free char *text = NULL;
        int pid = 0;
        uint64_t want = 0, start = 0;
        if (file_read(dirfd, "pid", 128, &text, NULL, NULL) == 0 &&
            sscanf(text, "%d %" SCNu64, &pid, &want) == 2 && pid > 1) {
            int fd = pidfd_open_pid(pid);
            if (fd >= 0 && proc_start_time(pid, &start) == 0 && start == want) {
                l->pidfd = fd;
                l->pid = pid;
                return 0;
            }
            if (fd >= 0)
                close(fd);
        }
        usleep(5000);
    }
    return err_set(e, ERR_INTERNAL, ESRCH, "lxcfs: its process was not found");
}

static void detach_mount(struct lxcfs *l)
{
    for (unsigned i = 0; i < 16 && umount2(l->mount, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; i++)
        ;
}

/* ---- the helper that opens the files ---- */
static _Noreturn void helper_main(struct lxcfs *l, int sock)
{
    uint64_t end = clock_mono_us() + READY_MS * 1000;
    struct err e = {0};
    int fds[NSPACE_PART_FILES];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(READY_MS / 1000 + 2);
    for (;;) {
        auto_fd int root = open(l->mount, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        err_clear(&e);
        int r = root < 0 ? err_sys(&e, "%s", l->mount) : nspace_part_open(root, fds, &e);
        if (r == 0)
            _exit(fd_send(sock, "f", 1, fds, NSPACE_PART_FILES) < 0);
        if (clock_mono_us() > end)
            break;
        usleep(3000);
    }
    (void)fd_send(sock, &e, sizeof(e), NULL, 0);
    _exit(1);
}

static int helper_start(struct lxcfs *l, struct err *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair");
    pid_t pid = fork();
    if (pid == 0)
        helper_main(l, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_sys(e, "fork");
    }
    l->helper = pid;
    l->helper_fd = pair[0];
    return 0;
}

static void helper_end(struct lxcfs *l)
{
    l->opened = sd_event_source_disable_unref(l->opened);
    close_fd(&l->helper_fd);
    if (l->helper > 0) {
        kill(l->helper, SIGKILL);
        waitpid(l->helper, NULL, 0);
    }
    l->helper = 0;
}

/* ---- who is told ---- */
void lxcfs_tell_keeper(struct zd *d)
{
    struct err e = {0};
    if (d->lxcfs && d->lxcfs->serves && keeper_part(d, d->lxcfs->files, NSPACE_PART_FILES, &e) < 0)
        log_warning("lxcfs: %s", e.text);
}

static void tell_zones(struct lxcfs *l)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(l->d, &n);
    for (unsigned i = 0; i < n; i++) {
        if (!all[i]->plan || !all[i]->plan->part || all[i]->sup_fd < 0)
            continue;
        json *m = js_object();
        struct err e = {0};
        js_set_str(m, "op", "part");
        if (sup_request(all[i], m, l->files, NSPACE_PART_FILES, NULL, NULL, &e) < 0)
            log_warning("zone %s: lxcfs: %s", all[i]->name, e.text);
    }
}

static int take_files(struct lxcfs *l, struct err *e)
{
    struct err told = {0};
    int fds[FD_MSG_MAX_FDS];
    unsigned n = ARRAY_LEN(fds);
    ssize_t got = fd_recv(l->helper_fd, &told, sizeof(told), fds, &n, MSG_DONTWAIT);
    if (got == 1 && n == NSPACE_PART_FILES) {
        memcpy(l->files, fds, sizeof(l->files));
        l->serves = true;
        return 0;
    }
    fd_close_all(fds, got < 0 ? 0 : n);
    if (got == (ssize_t)sizeof(told))
        *e = told;
    else
        err_set(e, ERR_INTERNAL, EIO, "lxcfs: its files could not be opened");
    return -EIO;
}

static void start_later(struct lxcfs *l);

static void opened(struct lxcfs *l)
{
    err_clear(&l->problem);
    int r = take_files(l, &l->problem);
    helper_end(l);
    if (r < 0) {
        log_warning("%s", l->problem.text);
        (void)pidfd_kill(l->pidfd, SIGKILL); /* a server that does not serve: its death starts another */
        return;
    }
    lxcfs_tell_keeper(l->d);
    tell_zones(l);
    log_info("lxcfs %d serves", (int)l->pid);
}

static int on_opened(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    opened(arg);
    return 0;
}

/* ---- life ---- */
static int on_died(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    struct lxcfs *l = arg;
    log_warning("lxcfs %d died; it is started again", (int)l->pid);
    l->died = sd_event_source_disable_unref(l->died);
    close_fd(&l->pidfd);
    helper_end(l);
    if (l->serves)
        fd_close_all(l->files, NSPACE_PART_FILES);
    l->serves = false;
    err_set(&l->problem, ERR_INTERNAL, ECHILD, "it died");
    l->deaths = clock_mono_us() - l->started_us > STEADY_US ? 1 : l->deaths + 1;
    event_publish(l->d, "lxcfs_died", NULL, NULL);
    start_later(l);
    return 0;
}

static int watch(struct lxcfs *l, struct err *e)
{
    int r = sd_event_add_io(l->d->event, &l->died, l->pidfd, EPOLLIN, on_died, l);
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "event source for lxcfs") : 0;
}

/* A lock that is held means that one lives: it is adopted. */
static int start(struct lxcfs *l, struct err *e)
{
    auto_fd int dirfd = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_fd int lock =
        dirfd < 0 ? -1 : openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return err_sys(e, "%s/lock", l->dir);
    bool lives = flock(lock, LOCK_EX | LOCK_NB) < 0;
    int r = 0;
    if (!lives) {
        detach_mount(l);
        (void)unlinkat(dirfd, "pid", 0);
        r = spawn(l, dirfd, lock, e);
    }
    if (r == 0)
        r = find(l, dirfd, e);
    if (r == 0)
        r = watch(l, e);
    l->started_us = clock_mono_us();
    return r == 0 ? helper_start(l, e) : r;
}

static int on_again(sd_event_source *s, uint64_t usec, void *arg)
{
    struct lxcfs *l = arg;
    l->again = sd_event_source_disable_unref(l->again);
    err_clear(&l->problem);
    int r = start(l, &l->problem);
    if (r == 0)
        r = sd_event_add_io(l->d->event, &l->opened, l->helper_fd, EPOLLIN, on_opened, l);
    if (r < 0) {
        log_warning("lxcfs: %s", l->problem.text);
        l->deaths++;
        start_later(l);
    }
    return 0;
}

/* At once after the first death, then after 1, 2, 4 … seconds. */
static void start_later(struct lxcfs *l)
{
    uint64_t pause_s = l->deaths < 2 ? 0 : l->deaths > 7 ? PAUSE_MAX_S : 1u << (l->deaths - 2);
    l->again = sd_event_source_disable_unref(l->again);
    (void)sd_event_add_time_relative(l->d->event, &l->again, CLOCK_MONOTONIC, pause_s * 1000000, 0, on_again,
                                     l);
}

int lxcfs_open(struct zd *d, struct err *e)
{
    if (access(PROGRAM, X_OK) < 0 || access("/dev/fuse", F_OK) < 0)
        return 0; /* doctor tells */
    struct lxcfs *l = xcalloc(1, sizeof(*l));
    *l = (struct lxcfs){
        .d = d, .pidfd = -1, .helper_fd = -1, .dir = path_join(d->run_dir, "lxcfs"), .started_us = 0};
    l->mount = path_join(l->dir, "mnt");
    d->lxcfs = l;
    if (path_mkdirs(l->dir, 0700, e) < 0 || (mkdir(l->mount, 0755) < 0 && errno != EEXIST))
        return err_is(e) ? -e->code : err_sys(e, "%s", l->mount);
    int r = start(l, &l->problem);
    if (r == 0) {
        struct pollfd p = {.fd = l->helper_fd, .events = POLLIN};
        (void)poll(&p, 1, READY_MS + 500);
        opened(l);
    } else {
        log_warning("lxcfs: %s", l->problem.text);
        l->deaths = 2;
        start_later(l);
    }
    return 0;
}

static void end_process(struct lxcfs *l)
{
    struct pollfd p = {.fd = l->pidfd, .events = POLLIN};
    if (l->pidfd >= 0 && pidfd_kill(l->pidfd, SIGTERM) == 0 && poll(&p, 1, END_MS) != 1)
        (void)pidfd_kill(l->pidfd, SIGKILL);
    detach_mount(l);
    static const char *const files[] = {"pid", "lock", "log", "lxcfs.pid"};
    auto_fd int dirfd = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < ARRAY_LEN(files); i++)
        (void)unlinkat(dirfd, files[i], 0);
    (void)unlinkat(dirfd, "mnt", AT_REMOVEDIR);
    (void)rmdir(l->dir);
}

void lxcfs_close(struct zd *d, bool end)
{
    struct lxcfs *l = take_ptr(&d->lxcfs);
    if (!l)
        return;
    helper_end(l);
    sd_event_source_disable_unref(l->died);
    sd_event_source_disable_unref(l->again);
    if (l->serves)
        fd_close_all(l->files, NSPACE_PART_FILES);
    if (end)
        end_process(l);
    close_fd(&l->pidfd);
    free(l->dir);
    free(l->mount);
    free(l);
}
