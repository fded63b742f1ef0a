/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon: folders, lock, facts, rooms in order, the loop. Adopts what runs before it accepts a
 * connection. TERM ends the daemon and leaves zones running; --shutdown (another process) asks it over the
 * socket to stop all. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "namespaces/namespaces.h"
#include "zoned/api/api.h"
#include "zoned/division.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#define LARGE_TEXT 131072
#define QUIET_US 10000000u /* after a start */

void zd_exit(struct zd *d, int code)
{
    d->exit_code = code;
    (void)sd_event_exit(d->event, code);
}

static int on_exit_timer(sd_event_source *s, uint64_t usec, void *arg)
{
    zd_exit(arg, 0);
    return 0;
}

void zd_exit_soon(struct zd *d)
{
    if (sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, 100000, 0, on_exit_timer, d) < 0)
        zd_exit(d, 0);
}

static void set_paths(struct zd *d, const struct zd_options *o, const char *bin_dir)
{
    char hex[17];
    d->bin_dir = xstrdup(bin_dir);
    if (o->root) {
        char *real = realpath(o->root, NULL);
        const char *root = real ? real : o->root;
        uint64_t h = hash64(root, strlen(root));
        hex_encode(&h, 4, hex);
        d->instance = xasprintf("zoned-%s", hex);
        d->etc_dir = path_join(root, "etc");
        d->lib_dir = path_join(root, "lib");
        d->run_dir = path_join(root, "run");
        free(real);
    } else {
        d->instance = xstrdup("zoned");
        d->etc_dir = xstrdup("/etc/zoned");
        d->lib_dir = xstrdup("/var/lib/zoned");
        d->run_dir = xstrdup("/run/zoned");
    }
    d->socket_path = o->socket ? xstrdup(o->socket) : path_join(d->run_dir, "zoned.sock");
    d->keeper_socket = path_join(d->run_dir, KEEPER_SOCKET);
    d->cgroup_parent = xasprintf("%s.slice", d->instance);
}

static int make_folder(const char *base, const char *sub, mode_t mode, struct err *e)
{
    auto_free char *path = sub ? path_join(base, sub) : xstrdup(base);
    int r = path_mkdirs(path, mode, e);
    /* Our umask hides what others must reach: the socket's folder. A folder that an administrator made
     * stricter stays so. */
    if (r == 0 && mode == 0755 && !strcmp(path, base) && chmod(path, mode) < 0)
        r = err_sys(e, "%s", path);
    return r;
}

/* The run folder holds the socket, which others than root may reach; everything else in it is 0700. */
static int make_folders(struct zd *d, struct err *e)
{
    int r = make_folder(d->etc_dir, NULL, 0755, e);
    r = r < 0 ? r : make_folder(d->etc_dir, "zones", 0700, e);
    r = r < 0 ? r : make_folder(d->etc_dir, "pools", 0700, e);
    r = r < 0 ? r : make_folder(d->etc_dir, "networks", 0700, e);
    r = r < 0 ? r : make_folder(d->lib_dir, NULL, 0700, e);
    r = r < 0 ? r : make_folder(d->lib_dir, "networks", 0700, e);
    r = r < 0 ? r : make_folder(d->run_dir, NULL, 0755, e);
    r = r < 0 ? r : make_folder(d->run_dir, "zones", 0700, e);
    r = r < 0 ? r : make_folder(d->run_dir, "tmp", 0700, e);
    if (r < 0)
        return r;
    auto_free char *tmp = path_join(d->run_dir, "tmp");
    d->etc_fd = open(d->etc_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    d->run_fd = open(d->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    d->tmp_fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return d->etc_fd < 0 || d->run_fd < 0 || d->tmp_fd < 0 ? err_sys(e, "state folders") : 0;
}

/* A worker that was just forked by a zoned that is killed holds the lock for the moment that it takes to die. */
#define LOCK_TRIES 50
#define LOCK_PAUSE_NS 20000000

static int lock_instance(struct zd *d, struct err *e)
{
    d->lock_fd = openat(d->run_fd, "zoned.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock_fd < 0)
        return err_sys(e, "%s/zoned.lock", d->run_dir);
    int r = -1;
    for (unsigned i = 0; r < 0 && i < LOCK_TRIES; i++)
        if ((r = flock(d->lock_fd, LOCK_EX | LOCK_NB)) < 0)
            (void)nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
    if (r < 0) {
        err_set(e, ERR_CONFLICT, EEXIST, "another zoned runs on %s", d->run_dir);
        return err_hint(e, "stop it first, or give this one a --root of its own");
    }
    return 0;
}

static void gather_facts(struct zd *d)
{
    struct utsname u;
    struct sysinfo si;
    auto_free char *resolv = NULL;
    uname(&u);
    sysinfo(&si);
    d->facts.kernel = xstrdup(u.release);
    d->facts.cpus = cg_online_cpus(d->cgroups);
    d->facts.memory = (uint64_t)si.totalram * si.mem_unit;
    (void)file_read(AT_FDCWD, "/etc/resolv.conf", 65536, &resolv, NULL, NULL);
    d->facts.host_resolv = net_resolv_text(resolv ? resolv : "");
}

/* What zoned itself is: no dumps, no debugger, only its own files, as many descriptors as it may have. What it runs gets no
 * capability by inheritance: some of it, mmdebstrap, is root with a bounding set that would not hold those. */
static void harden(void)
{
    struct rlimit core, files;
    cap_t caps = cap_get_proc();
    if (caps && cap_clear_flag(caps, CAP_INHERITABLE) == 0)
        (void)cap_set_proc(caps);
    cap_free(caps);
    umask(077);
    prctl(PR_SET_DUMPABLE, 0);
    if (getrlimit(RLIMIT_CORE, &core) == 0) { /* the hard one stays: zones are given theirs below it */
        core.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &core);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* Large texts (statistics and lists of all zones) get pages of their own, which go back with them: by itself malloc would,
 * after the first of them, take the next from a heap that then stays so large. */
static void keep_small(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_TEXT);
}

static int open_rooms(struct zd *d, struct err *e)
{
    int r = cg_detect("/proc/self/mountinfo", &d->cgroups, e);
    r = r < 0 ? r : stor_pool_open(d->lib_dir, &d->pool, e);
    r = r < 0 ? r : nspace_check_host(stor_pool_fd(d->pool), e);
    r = r < 0 ? r : net_ctx_new(d->instance, &d->net, e);
    net_table_keep_descriptor();
    r = r < 0 ? r : ranges_open(d->run_dir, &d->ranges, e);
    r = r < 0 ? r : networks_open(d, e);
    if (r < 0)
        return r;
    closed_folders_tell(d);
    closed_folders_refresh(d, NULL);
    stor_pool_clear(d->pool);
    (void)path_remove_tree(d->run_fd, "gone", NULL);
    gather_facts(d);
    r = cg_parent_ensure(d->cgroups, d->cgroup_parent, e);
    r = r < 0 ? r : keeper_ensure(d, e);
    r = r < 0 ? r : division_open(d, e);
    r = r < 0 ? r : store_load_all(d, e);
    op_tidy_soon(d);
    r = r < 0 ? r : adopt_all(d, e);
    r = r < 0 ? r : neighbour_open(d, e);
    if (r == 0) {
        division_adopted(d);
        build_clear(d);
    }
    return r < 0 ? r : lxcfs_open(d, e); /* adopted zones are told of it */
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *arg)
{
    log_notice("ends by signal %u; zones run on", si->ssi_signo);
    zd_exit(arg, 0);
    return 0;
}

static int watch_signals(struct zd *d, struct err *e)
{
    static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++)
        sigaddset(&set, ends[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++)
        if (sd_event_add_signal(d->event, NULL, ends[i], on_signal, d) < 0)
            return err_set(e, ERR_INTERNAL, EIO, "signals");
    return 0;
}

static bool anything_runs(struct zd *d)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        if (all[i]->plan)
            return true;
    return false;
}

/* With no zone left there is no reason for a bridge, a group or a fork server to stay. */
static void leave(struct zd *d)
{
    bool idle = d->ranges && !anything_runs(d);
    if (idle) {
        networks_down(d);
        (void)keeper_quit(d);
        (void)cg_parent_remove(d->cgroups, d->cgroup_parent, NULL);
    }
    lxcfs_close(d, idle);
    zd_server_free(d->server);
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        registry_remove(d, all[i]);
    neighbour_close(d);
    networks_free(d);
    division_free(d);
    ranges_free(d->ranges, idle);
    net_ctx_free(d->net);
    cg_host_free(d->cgroups);
    stor_pool_free(d->pool);
    strv_free(d->closed_folders);
    event_hub_free(d->events);
    (void)sd_event_unref(d->event);
    if (idle)
        (void)unlink(d->socket_path);
}

static int listen_fd(void)
{
    return sd_listen_fds(1) >= 1 ? SD_LISTEN_FDS_START : -1;
}

/* Reading all specs and plans, and what supervisors tell whoever adopts them, leave a heap of holes. */
static int on_quiet(sd_event_source *s, uint64_t usec, void *arg)
{
    (void)malloc_trim(0);
    return 0;
}

static int serve(struct zd *d, struct err *e)
{
    int r = zd_server_new(d, d->event, d->socket_path, listen_fd(), d->tmp_fd, zd_routes, zd_nroutes,
                          &d->server, e);
    if (r < 0)
        return r;
    if ((r = drift_watch(d, e)) < 0)
        return r;
    boot_autostart(d);
    (void)sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, QUIET_US, QUIET_US, on_quiet, NULL);
    (void)sd_notify(0, "READY=1");
    log_notice("zoned %s serves %s with %u zones", ZONED_VERSION, d->socket_path, d->nzones);
    r = sd_event_loop(d->event);
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "event loop") : d->exit_code;
}

static int daemon_main(struct zd *d, struct err *e)
{
    harden();
    keep_small();
    d->started_us = clock_mono_us();
    d->events = event_hub_new();
    int r = sd_event_default(&d->event);
    if (r < 0)
        return err_sysk(e, ERR_INTERNAL, -r, "event loop");
    r = make_folders(d, e);
    r = r < 0 ? r : lock_instance(d, e);
    r = r < 0 ? r : watch_signals(d, e);
    r = r < 0 ? r : open_rooms(d, e);
    return r < 0 ? r : serve(d, e);
}

static int ask_shutdown(struct zd *d, struct err *e)
{
    struct api_client *c = NULL;
    struct api_answer a = {0};
    int r = api_open(d->socket_path, &c, e);
    if (r == 0)
        r = api_call(c, "POST", "/shutdown", js_object(), &a, e, NULL);
    api_answer_done(&a);
    api_close(c);
    return r;
}

int zd_main(const struct zd_options *o, const char *bin_dir)
{
    struct err e = {0};
    struct zd *d = xcalloc(1, sizeof(*d));
    d->lock_fd = d->etc_fd = d->run_fd = d->tmp_fd = -1;
    log_init("zoned", o->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    if (o->root && path_mkdirs(o->root, 0755, &e) < 0) {
        log_error("%s", e.text);
        return err_exit_status(e.kind);
    }
    set_paths(d, o, bin_dir);
    int r = o->shutdown ? ask_shutdown(d, &e) : daemon_main(d, &e);
    if (r < 0) {
        log_error("%s", e.text);
        if (e.hint[0])
            log_error("hint: %s", e.hint);
    }
    if (!o->shutdown)
        leave(d);
    return r < 0 ? err_exit_status(e.kind) : 0;
}
