/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of a start, as a table: each makes something in the kernel whose name is in the plan or whose
 * descriptor is in struct rt, and takes it away again. An undo may run without its apply (recovery after kill
 * -9): it works from the names, and "not there" is success. Must never wait without a bound. */
#include "zoned/sup/rt.h"
#include <sys/wait.h>

#define GO_TIMEOUT_MS 30000u
#define KILL_TIMEOUT_MS 10000u
#define NET_KEPT_US 1000000u

void rt_init(struct rt *rt)
{
    memset(rt, 0, sizeof(*rt));
    rt->zone_dirfd = rt->oom_fd = rt->devpts_fd = rt->pidfd = rt->status_fd = -1;
    rt->fds.layers_fd = rt->fds.zone_fd = rt->fds.usr_fd = -1;
    rt->root.layers_fd = rt->root.zone_fd = rt->root.usr_fd = -1;
    rt->told = -1;
    rt->io = SUP_IO_NONE;
    rt->stdio[0] = rt->stdio[1] = rt->stdio[2] = -1;
    rt->child.pidfd = rt->child.userns_fd = rt->child.netns_fd = rt->child.sync_fd = -1;
}

void plan_limits(const struct plan *p, struct cg_limits *l)
{
    const struct spec *s = p->spec;
    *l = (struct cg_limits){.cpu = p->divided ? &p->cpu : &s->cpu,
                            .memory = &s->memory,
                            .io = &s->io,
                            .tasks = s->tasks,
                            .devices = s->devices,
                            .system = s->init == SPEC_INIT_SYSTEM,
                            .uid_base = p->uid_base,
                            .io_dev = cg_io_dev(p->data_dir)};
}

/* ---- cgroup ---- */
static int step_cgroup(struct sup *s, struct err *e)
{
    struct cg_limits l;
    plan_limits(s->plan, &l);
    int r = cg_create(s->cgh, s->plan->cgroup_parent, s->plan->cgroup_name, &l, &s->rt.cg, e);
    if (r < 0)
        return r;
    s->rt.oom_fd = cg_oom_fd(s->rt.cg, &s->rt.oom_events, NULL); /* none: the exit alone tells */
    return 0;
}

static int step_cgroup_undo(struct sup *s, struct err *e)
{
    const struct plan *p = s->plan;
    close_fd(&s->rt.oom_fd);
    cg_close(s->rt.cg);
    s->rt.cg = NULL;
    /* PID 1's end has emptied it: the kernel ends a pid namespace whole. Only then look for stragglers. */
    if (cg_remove(s->cgh, p->cgroup_parent, p->cgroup_name, NULL) == 0)
        return 0;
    int r = cg_kill(s->cgh, p->cgroup_parent, p->cgroup_name, KILL_TIMEOUT_MS, e);
    jobs_reap(s);
    struct err again = {0};
    int r2 = cg_remove(s->cgh, p->cgroup_parent, p->cgroup_name, &again);
    if (r2 < 0)
        return err_set(e, again.kind, again.code, "%s", again.text);
    return r2 == 0 ? 0 : r;
}

/* ---- console ---- */
static bool wants_stdin(const struct sup *s)
{
    for (unsigned i = 0; i < s->sessions.len; i++)
        if (s->sessions.at[i]->kind == SESSION_ZONE && s->sessions.at[i]->want_stdin)
            return true;
    return false;
}

static int step_console(struct sup *s, struct err *e)
{
    struct rt *rt = &s->rt;
    const struct spec *spec = s->plan->spec;
    rt->devpts_fd = nspace_devpts_new(s->plan->uid_base, e);
    if (rt->devpts_fd < 0)
        return rt->devpts_fd;
    log_open(&s->log, rt->zone_dirfd, s->plan->log_size, s->plan->log_files);
    if (spec->process.terminal || spec->init == SPEC_INIT_SYSTEM) {
        int r = console_pty(rt->devpts_fd, s->plan->uid_base, &rt->io, rt->stdio, e);
        console_resize(&rt->io, s->rows, s->cols);
        return r;
    }
    return console_pipes(&rt->io, rt->stdio, wants_stdin(s), true, s->plan->uid_base, e);
}

static int step_console_undo(struct sup *s, struct err *e)
{
    io_close(&s->rt.io);
    for (unsigned i = 0; i < 3; i++)
        close_fd(&s->rt.stdio[i]);
    close_fd(&s->rt.devpts_fd);
    log_close(&s->log);
    return 0;
}

/* ---- spawn ---- */
/* link: zone:NAME. The keeper has every zone's pidfd. */
static int join_pidfd(struct sup *s, struct err *e)
{
    struct kept k;
    if (!s->plan->join_zone)
        return -1;
    int r = keep_fetch(s->plan->keeper_socket, s->plan->join_zone, &k, e);
    if (r < 0)
        return r == -1 ? -EIO : r;
    int fd = kept_take(&k, "pidfd");
    kept_done(&k);
    if (fd < 0)
        return err_set(e, ERR_CONFLICT, ESRCH, "zone %s, whose network this zone shares, does not run",
                       s->plan->join_zone),
               -ESRCH;
    return fd;
}

static void fill_setup(const struct sup *s, struct nspace_setup *n)
{
    const struct plan *p = s->plan;
    const struct spec *spec = p->spec;
    const struct rt *rt = &s->rt;
    bool v1 = spec->init == SPEC_INIT_APP && cg_layout_of(s->cgh) != CG_V2;
    *n = (struct nspace_setup){
        .zone = p->zone,
        .hostname = spec->hostname ? spec->hostname : p->zone,
        .init = spec->init,
        .process = &spec->process,
        .security = &spec->security,
        .limits = &spec->limits,
        .devices = spec->devices,
        .sysctls = &spec->sysctls,
        .shm = spec->shm,
        .root = rt->root,
        .mounts = rt->mounts,
        .nmounts = rt->nmounts,
        .devpts_fd = rt->devpts_fd,
        .stdio = {rt->stdio[0], rt->stdio[1], rt->stdio[2]},
        .terminal = rt->io.tty,
        .extra_env = p->env,
        .uid_base = p->uid_base,
        .part = p->part,
        .host_network = p->host_network,
        .join_pidfd = -1,
        .cgroup_fd = cg_clone_fd(rt->cg),
        .cgroup_view_v1 = v1,
        .cgroup_v1_controllers = v1 ? cg_v1_view(s->cgh) : NULL,
        .status_fd = -1,
    };
    n->ntask_fds = cg_join_fds(rt->cg, &n->task_fds);
}

static int step_spawn(struct sup *s, struct err *e)
{
    struct rt *rt = &s->rt;
    struct nspace_setup setup;
    fill_setup(s, &setup);
    auto_fd int join = join_pidfd(s, e);
    if (join < -1)
        return join;
    setup.join_pidfd = join;
    int status[2] = {-1, -1};
    if (s->plan->spec->init == SPEC_INIT_APP && pipe2(status, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, "pipe");
    setup.status_fd = status[1];
    int r = nspace_spawn(s->kit, &setup, &rt->child, e);
    close_fd(&status[1]);
    close_fd(&rt->status_fd);
    rt->status_fd = status[0];
    rt->told = -1;
    if (r < 0)
        return r;
    rt->blocked = true;
    rt->pid = rt->child.pid;
    rt->pidfd = fcntl(rt->child.pidfd, F_DUPFD_CLOEXEC, 3);
    if (rt->pidfd < 0)
        return err_sys(e, "dup");
    rt->adopted = rt->reaped = false;
    keep_all(s);
    rootfs_release(rt);
    for (unsigned i = 0; i < 3; i++)
        close_fd(&rt->stdio[i]);
    return 0;
}

void rt_find_pid1(struct sup *s)
{
    struct journal_state j;
    uint64_t now = 0;
    if (s->rt.pidfd >= 0 || s->rt.reaped || journal_read(s->run_dirfd, &j, NULL) < 0 || j.pid <= 1 ||
        j.pid > INT32_MAX)
        return;
    int fd = pidfd_open_pid((pid_t)j.pid);
    if (fd < 0)
        return;
    /* the start time is read after the pidfd is open: then both speak of the same process */
    if (proc_start_time((pid_t)j.pid, &now) < 0 || !j.pid_start || now != j.pid_start) {
        close(fd);
        return;
    }
    s->rt.pidfd = fd;
    s->rt.pid = (pid_t)j.pid;
    s->rt.adopted = true;
}

static int step_spawn_undo(struct sup *s, struct err *e)
{
    struct rt *rt = &s->rt;
    int r = 0, status;
    rt_find_pid1(s);
    if (rt->pidfd >= 0) {
        sup_kill(s);
        r = sup_wait_pid1(s, KILL_TIMEOUT_MS, &status);
        if (r == 0 && s->exit_status < 0 && s->ran)
            s->exit_status = exit_status_of(status);
        if (r < 0)
            err_set(e, ERR_BUSY, -r, "process %d of the zone does not end", (int)rt->pid);
    }
    if (rt->blocked) {
        rt->child.pid = 0; /* waited for above */
        close_fd(&rt->child.sync_fd);
    }
    rt->blocked = false;
    close_fd(&rt->child.pidfd);
    close_fd(&rt->child.userns_fd);
    close_fd(&rt->child.netns_fd);
    close_fd(&rt->child.sync_fd);
    close_fd(&rt->pidfd);
    close_fd(&rt->status_fd);
    rt->pid = 0;
    keep_drop(s);
    return r;
}

/* ---- net ---- */
int net_open(struct sup *s, struct err *e)
{
    s->rt.net_close_at = 0;
    return s->rt.net ? 0 : net_ctx_new(s->plan->instance, &s->rt.net, e);
}

void net_close_later(struct sup *s)
{
    s->rt.net_close_at = clock_mono_us() + NET_KEPT_US;
}

void net_tick(struct sup *s, uint64_t now)
{
    if (!s->rt.net_close_at || now < s->rt.net_close_at)
        return;
    s->rt.net_close_at = 0;
    net_ctx_free(s->rt.net);
    s->rt.net = NULL;
}

static int step_net(struct sup *s, struct err *e)
{
    struct rt *rt = &s->rt;
    const struct plan *p = s->plan;
    if (p->host_network || p->join_zone || rt->child.netns_fd < 0)
        return 0;
    int r = net_open(s, e);
    if (r < 0)
        return r;
    r = net_zone_up(rt->net, p->links.at, p->links.len, rt->child.netns_fd, rt->hold, &rt->nhold, e);
    close_fd(&rt->child.netns_fd);
    net_close_later(s);
    return r;
}

int net_leave(struct sup *s, struct err *e)
{
    struct rt *rt = &s->rt;
    fd_close_all(rt->hold, rt->nhold);
    rt->nhold = 0;
    if ((s->plan->links.len == 0 && !s->next) || rt->net_left)
        return 0;
    int r = net_open(s, e);
    if (r == 0 && s->next) {
        r = net_zone_down(rt->net, s->next->links.at, s->next->links.len, e);
        r = r < 0 ? r : net_zone_gone(rt->net, s->next->links.at, s->next->links.len, e);
    }
    if (r == 0)
        r = net_zone_down(rt->net, s->plan->links.at, s->plan->links.len, e);
    rt->net_left = r == 0;
    return r;
}

static int step_net_undo(struct sup *s, struct err *e)
{
    int r = net_leave(s, e);
    if (r == 0 && s->rt.net_left && (r = net_open(s, e)) == 0)
        r = net_zone_gone(s->rt.net, s->plan->links.at, s->plan->links.len, e);
    s->rt.net_left = false;
    net_close_later(s);
    return r;
}

/* ---- go ---- */
/* What could not be executed is the user's word: it is named. */
static void name_command(const struct spec *spec, struct err *e)
{
    char *const *args = spec->process.args;
    if (!e || e->kind != ERR_INVALID || spec->init != SPEC_INIT_APP || !args || !args[0])
        return;
    err_prefix(e, "%s", args[0]);
    if (args[0][0] == '-')
        err_hint(e, "options of zonectl run go before IMAGE");
}

static int step_go(struct sup *s, struct err *e)
{
    struct rt *rt = &s->rt;
    /* The child has joined its groups itself while the links were made: this only verifies. */
    int r = cg_attach(rt->cg, rt->pid, cg_clone_fd(rt->cg) >= 0, e);
    if (r == 0)
        r = nspace_go(&rt->child, GO_TIMEOUT_MS, e);
    if (r < 0)
        return name_command(s->plan->spec, e), r;
    rt->blocked = false;
    close_fd(&rt->child.pidfd);
    close_fd(&rt->child.userns_fd);
    close_fd(&rt->child.netns_fd);
    close_fd(&rt->child.sync_fd);
    s->ran = true;
    return 0;
}

static int step_go_undo(struct sup *s, struct err *e)
{
    return 0; /* SPAWN's undo ends the program */
}

const struct step sup_steps[STEP_COUNT] = {
    [STEP_ROOTFS] = {"rootfs", step_rootfs, step_rootfs_undo},
    [STEP_CGROUP] = {"cgroup", step_cgroup, step_cgroup_undo},
    [STEP_CONSOLE] = {"console", step_console, step_console_undo},
    [STEP_SPAWN] = {"spawn", step_spawn, step_spawn_undo},
    [STEP_NET] = {"net", step_net, step_net_undo},
    [STEP_GO] = {"go", step_go, step_go_undo},
};
