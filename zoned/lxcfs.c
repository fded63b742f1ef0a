/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lxcfs: one process that shows every zone its own part of the machine. Ours alone: its mount lies below RUN;
 * when it dies it is started again (service.c) and running zones get its new files. The mount is a FUSE mount:
 * zoned itself never touches a file of it (a hung server would hang the loop); a forked helper opens them and
 * sends the descriptors. Undo: end the process, detach the mount. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/namespaces.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#define PROGRAM "/usr/bin/lxcfs"
#define READY_MS 3000 /* from its start until its files open */

struct lxcfs {
    struct zd *d;
    struct service process;
    char *mount;
    int helper_fd, files[NSPACE_PART_FILES];
    pid_t helper;
    struct sd_event_source *opened;
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
    const struct lxcfs *l = d->lxcfs;
    err_set(e, ERR_UNSUPPORTED, EIO, "lxcfs does not serve: %s",
            service_runs(&l->process) ? l->problem.text : l->process.problem.text);
    return err_hint(e, "see %s/log; it is started again by itself", l->process.dir);
}

static void detach_mount(const struct lxcfs *l)
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

static void opened(struct lxcfs *l)
{
    err_clear(&l->problem);
    int r = take_files(l, &l->problem);
    helper_end(l);
    if (r < 0) {
        log_warning("%s", l->problem.text);
        service_kill(&l->process);
        return;
    }
    lxcfs_tell_keeper(l->d);
    tell_zones(l);
    log_info("lxcfs %d serves", (int)l->process.pid);
}

static int on_opened(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    opened(arg);
    return 0;
}

/* ---- the process's life ---- */
static int before(void *arg, struct err *e)
{
    const struct lxcfs *l = arg;
    detach_mount(l);
    return mkdir(l->mount, 0755) < 0 && errno != EEXIST ? err_sys(e, "%s", l->mount) : 0;
}

static int up(void *arg, struct err *e)
{
    struct lxcfs *l = arg;
    int r = helper_start(l, e);
    if (r == 0)
        r = sd_event_add_io(l->d->event, &l->opened, l->helper_fd, EPOLLIN, on_opened, l);
    if (r < 0)
        service_kill(&l->process);
    return r;
}

static void down(void *arg)
{
    struct lxcfs *l = arg;
    helper_end(l);
    if (l->serves)
        fd_close_all(l->files, NSPACE_PART_FILES);
    l->serves = false;
}

static char **command(const struct lxcfs *l)
{
    char **argv = NULL;
    auto_free char *pidfile = path_join(l->process.dir, "lxcfs.pid");
    const char *const words[] = {PROGRAM, "-f", "-l", "--enable-cfs", "-p", pidfile, l->mount};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        strv_add(&argv, words[i]);
    return argv;
}

int lxcfs_open(struct zd *d, struct err *e)
{
    if (access(PROGRAM, X_OK) < 0 || access("/dev/fuse", F_OK) < 0)
        return 0; /* doctor tells */
    struct lxcfs *l = xcalloc(1, sizeof(*l));
    *l = (struct lxcfs){.d = d, .helper_fd = -1};
    l->process = (struct service){.d = d,
                                  .name = "lxcfs",
                                  .dir = path_join(d->run_dir, "lxcfs"),
                                  .before = before,
                                  .up = up,
                                  .down = down,
                                  .arg = l};
    l->mount = path_join(l->process.dir, "mnt");
    l->process.argv = command(l);
    d->lxcfs = l;
    service_start(&l->process);
    /* zones that are started at once shall have it */
    struct pollfd p = {.fd = l->helper_fd, .events = POLLIN};
    if (l->helper > 0) {
        (void)poll(&p, 1, READY_MS + 500);
        opened(l);
    }
    return 0;
}

void lxcfs_close(struct zd *d, bool end)
{
    struct lxcfs *l = take_ptr(&d->lxcfs);
    if (!l)
        return;
    down(l);
    auto_free char *dir = xstrdup(l->process.dir), *pidfile = path_join(dir, "lxcfs.pid");
    service_close(&l->process, end);
    if (end) {
        detach_mount(l);
        (void)rmdir(l->mount);
        (void)unlink(pidfile);
        (void)rmdir(dir);
    }
    free(l->mount);
    free(l);
}
