/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main loop of one supervisor: a plain poll over zoned's connection, its own socket, PID 1, console,
 * sessions, children and timers. It may assume the zone's lock in its hands. It never blocks on a zone, a
 * client or zoned, holds no big buffers while nobody is connected, and ends only when nothing of the zone is
 * left (or what is left was told). */
#include "zoned/sup/rt.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define PLAN_TEXT_MAX (1u << 20)
#define LINGER_US 600000000u

void sup_watch(struct sup *s, int fd, short events, void (*fn)(struct sup *, void *, short), void *arg)
{
    *vec_add(&s->polls) = (struct pollfd){fd, events, 0};
    *vec_add(&s->watches) = (struct watch){fn, arg};
}

static void on_pid1(struct sup *s, void *arg, short revents)
{
    int status;
    if (s->rt.pidfd < 0)
        return;
    /* of a process that is not our child the status comes when its parent has reaped it */
    if (sup_wait_pid1(s, s->rt.adopted ? 2000 : 0, &status) == 0)
        sup_pid1_ended(s, status);
    else if (s->rt.adopted)
        sup_pid1_ended(s, 255 << 8);
}

/* PID 1 said its status or is being killed. A zone's root could make it say so falsely: it would take its own
 * network away, no more. */
static void on_status(struct sup *s, void *arg, short revents)
{
    pid1_told(s);
    (void)net_leave(s, NULL); /* an error is NET's undo to tell, which tries again */
}

static void on_oom(struct sup *s, void *arg, short revents)
{
    int r = s->rt.cg ? cg_oom_read(s->rt.cg, s->rt.oom_fd) : -1;
    if (r < 0) {
        close_fd(&s->rt.oom_fd);
        return;
    }
    if (r > 0)
        memory_oom(s);
}

static void build_watches(struct sup *s)
{
    s->polls.len = s->watches.len = 0;
    if (s->conn >= 0)
        sup_watch(s, s->conn, POLLIN, request_read, NULL);
    if (s->listen_fd >= 0)
        sup_watch(s, s->listen_fd, POLLIN, request_accept, NULL);
    jobs_watch(s); /* before PID 1: their exit status goes out before its */
    console_watch(s);
    if (s->rt.oom_fd >= 0)
        sup_watch(s, s->rt.oom_fd, s->rt.oom_events, on_oom, NULL);
    if (s->rt.status_fd >= 0 && s->state != SUP_STARTING)
        sup_watch(s, s->rt.status_fd, POLLIN, on_status, NULL);
    for (unsigned i = 0; i < s->sessions.len; i++)
        session_watch(s, s->sessions.at[i]);
    if (s->rt.pidfd >= 0 && s->state != SUP_STARTING)
        sup_watch(s, s->rt.pidfd, POLLIN, on_pid1, NULL);
}

static void earlier(uint64_t *at, uint64_t t)
{
    if (t && (!*at || t < *at))
        *at = t;
}

static int next_timeout(const struct sup *s)
{
    uint64_t at = 0, now = clock_mono_us();
    earlier(&at, s->stop_deadline);
    earlier(&at, s->state == SUP_RESTARTING ? s->restart_at : 0);
    earlier(&at, s->bye_deadline);
    earlier(&at, s->oom_tell);
    earlier(&at, s->rt.net_close_at);
    earlier(&at, s->state == SUP_RUNNING ? s->warn_next : 0);
    earlier(&at, s->state == SUP_RUNNING && !s->health.busy ? s->health.next : 0);
    for (unsigned i = 0; i < s->jobs.len; i++)
        earlier(&at, s->jobs.at[i]->deadline);
    if (!at)
        return -1;
    return at <= now ? 0 : (int)((at - now) / 1000 + 1);
}

static void run_timers(struct sup *s)
{
    uint64_t now = clock_mono_us();
    for (unsigned i = 0; i < s->jobs.len; i++) {
        struct job *j = s->jobs.at[i];
        if (j->deadline && now >= j->deadline)
            job_overdue(s, j);
    }
    if (s->stop_deadline && now >= s->stop_deadline) {
        s->stop_deadline = 0;
        sup_kill(s);
    }
    if (s->state == SUP_RESTARTING && now >= s->restart_at)
        sup_begin(s);
    net_tick(s, now);
    memory_tick(s, now);
    if (s->state == SUP_RUNNING)
        health_tick(s, now);
}

static void loop_once(struct sup *s)
{
    build_watches(s);
    int n = poll(s->polls.at, s->polls.len, next_timeout(s));
    /* a callback may use the arrays itself (waiting for PID 1), so work on a copy of what fired */
    struct {
        struct watch w;
        short revents;
    } fired[32];
    unsigned nf = 0;
    for (unsigned i = 0; n > 0 && i < s->polls.len && nf < ARRAY_LEN(fired); i++)
        if (s->polls.at[i].revents) {
            fired[nf].w = s->watches.at[i];
            fired[nf++].revents = s->polls.at[i].revents;
        }
    for (unsigned i = 0; i < nf; i++)
        fired[i].w.fn(s, fired[i].w.arg, fired[i].revents);
    if (s->conn < 0)
        sup_release(s);
    run_timers(s);
    sessions_sweep(s); /* only here: the callbacks above hold pointers to sessions */
}

static bool over(const struct sup *s)
{
    return s->state == SUP_STOPPED && (s->bye || s->conn < 0 || clock_mono_us() >= s->bye_deadline);
}

/* The zone is gone and zoned knows. Its lock is free again; what sessions have not read yet may take its
 * time. */
static _Noreturn void finish(struct sup *s)
{
    s->bye_deadline = clock_mono_us() + LINGER_US;
    sessions_end_zone(s);
    close_fd(&s->conn);
    close_fd(&s->lock_fd);
    close_fd(&s->run_dirfd);
    sessions_sweep(s);
    while (sessions_pending(s) && clock_mono_us() < s->bye_deadline)
        loop_once(s);
    _exit(0);
}

static int load_plan(struct sup *s, struct err *e)
{
    auto_free char *text = NULL;
    size_t n = 0;
    int r = file_read(s->run_dirfd, PLAN_FILE, PLAN_TEXT_MAX, &text, &n, e);
    if (r < 0)
        return err_prefix(e, "plan of zone %s", s->zone), r;
    auto_js json *j = js_parse(text, n, e);
    if (!j)
        return -EINVAL;
    r = plan_from_json(j, &s->plan, e);
    if (r == 0 && !str_eq(s->plan->zone, s->zone))
        r = err_set(e, ERR_INVALID, EINVAL, "plan is of zone %s, not of %s", s->plan->zone, s->zone);
    return r;
}

/* Takes over what the dead supervisor had: PID 1, console, groups. */
static void adopt(struct sup *s)
{
    struct rt *rt = &s->rt;
    struct kept k = {0};
    (void)rt_open_pool(s, NULL);
    rt->adopted = true;
    s->ran = true;
    if (keep_fetch(s->plan->keeper_socket, s->zone, &k, NULL) == 0) {
        rt->pidfd = kept_take(&k, "pidfd");
        rt->io.out = kept_take(&k, "pty");
        rt->io.tty = rt->io.out >= 0;
        if (!rt->io.tty)
            rt->io.out = kept_take(&k, "out");
        rt->io.err = kept_take(&k, "err");
        rt->devpts_fd = kept_take(&k, "devpts");
        rt->status_fd = kept_take(&k, "status");
        kept_done(&k);
    }
    if (rt->pidfd < 0) { /* the fork server is another one than it was */
        rt_find_pid1(s);
        console_reopen(s);
        if (rt->pidfd >= 0)
            keep_all(s);
    }
    if (cg_open(s->cgh, s->plan->cgroup_parent, s->plan->cgroup_name, &rt->cg, NULL) == 0)
        rt->oom_fd = cg_oom_fd(rt->cg, &rt->oom_events, NULL);
    log_open(&s->log, rt->zone_dirfd, s->plan->log_size, s->plan->log_files);
}

/* The last thing that the one before us wrote down of this start; NULL: nothing. The caller's. */
static json *last_of(const struct sup *s, const char *event)
{
    json *last = NULL;
    if (s->rt.zone_dirfd >= 0)
        (void)sup_history_last(s->rt.zone_dirfd, &last);
    if (str_eq(js_get_str(last, "event", ""), event) &&
        js_get_int(last, "start_no", -1) == (int64_t)s->plan->start_no)
        return last;
    js_free(last);
    return NULL;
}

static uint64_t start_time(const struct sup *s)
{
    auto_js json *last = last_of(s, "start");
    int64_t at = js_get_int(last, "time_us", 0);
    return at > 0 ? (uint64_t)at : clock_real_us();
}

static void run_on(struct sup *s, const struct journal_state *j)
{
    s->rt.pid = (pid_t)j->pid;
    s->state = SUP_RUNNING;
    s->started_us = start_time(s);
    s->up_since = clock_mono_us();
    update_put_back(s);
    hold_again(s);
    health_start(s);
    memory_start(s);
    if (!j->stop)
        sup_event(s, "running", NULL, &s->rt.pidfd, 1);
    if (s->rt.cg && cg_frozen(s->rt.cg)) {
        s->state = SUP_PAUSED;
        sup_event(s, "paused", NULL, NULL, 0);
    }
    if (j->stop) /* how much of its time is over nobody knows */
        sup_stop(s, false, s->plan->spec->process.stop_timeout_ms);
}

/* It died while it waited to start the zone anew: nothing is in the kernel, and the policy goes on. */
static void go_on_again(struct sup *s, unsigned restarts)
{
    uint64_t delay = 0;
    auto_js json *last = last_of(s, "end");
    s->exit_status = (int)js_get_int(last, "exit_status", -1);
    s->restarts = restarts;
    (void)restart_decide(&s->plan->spec->restart, false, 0, true, restarts - 1, &delay);
    s->state = SUP_RESTARTING;
    s->restart_at = clock_mono_us() + delay * 1000;
    json *x = js_object();
    js_set_int(x, "in_ms", (int64_t)delay);
    sup_event(s, "restarting", x, NULL, 0);
}

/* Supervisor and PID 1 are both dead: its end is told and judged as if we had been there. */
static bool ended_unseen(struct sup *s, const struct journal_state *j)
{
    struct pollfd p = {s->rt.pidfd, POLLIN, 0};
    int status = 255 << 8; /* unknown: its parent has reaped it, and nobody else saw it */
    uint64_t now = clock_real_us(), mono = clock_mono_us();
    if (s->rt.pidfd >= 0 && (poll(&p, 1, 0) != 1 || sup_wait_pid1(s, 2000, &status) < 0))
        return false;
    s->started_us = start_time(s);
    s->up_since = now > s->started_us && now - s->started_us < mono ? mono - (now - s->started_us) : mono;
    s->stop_asked = j->stop;
    sup_pid1_ended(s, status);
    update_forget(s);
    return true;
}

static void take_over(struct sup *s, enum sup_mode mode)
{
    struct journal_state j = {0};
    int status = 0;
    (void)journal_read(s->run_dirfd, &j, NULL);
    adopt(s);
    update_load(s);
    bool all = (j.done & (1u << STEP_GO)) != 0;
    s->restarts = j.restarts;
    if (mode == SUP_MODE_ADOPT && all && s->rt.pidfd >= 0 && j.pid > 0) {
        run_on(s, &j);
        return;
    }
    if (j.again && !s->next) {
        go_on_again(s, j.restarts);
        return;
    }
    if (all && ended_unseen(s, &j))
        return;
    /* recovery, or a start that was cut off: undo all. The end of one that ran keeps its exit status. */
    if (s->rt.pidfd >= 0) {
        s->rt.pid = (pid_t)j.pid;
        if (mode == SUP_MODE_RECOVER || !all)
            sup_kill(s);
        if (all && sup_wait_pid1(s, 10000, &status) == 0)
            s->exit_status = exit_status_of(status);
    }
    console_drain(s);
    s->ran = all;
    if (!all) {
        auto_js json *ran = last_of(s, "start"); /* and the journal knows nothing of it */
        s->failed = true;
        err_set(&s->error, ERR_INTERNAL, ECANCELED,
                !ran
                    ? "the start was cut off: its supervisor was killed"
                    : "its run folder was taken away or damaged while it ran, and its supervisor was killed");
    }
    s->stop_asked = true;
    s->state = SUP_STOPPING;
    sup_recover_end(s);
}

static _Noreturn void die(struct sup *s, const struct err *e)
{
    s->error = *e;
    s->failed = true;
    s->state = SUP_STOPPED;
    json *x = js_object();
    js_set(x, "error", js_from_err(e, NULL));
    js_set_bool(x, "failed", true);
    sup_event(s, "stopped", x, NULL, 0);
    finish(s);
}

static void first_session(struct sup *s, const json *m, int fd)
{
    if (fd < 0)
        return;
    struct session *x = session_add(s, SESSION_ZONE, fd, js_get_bool(m, "session_stdin", false));
    x->origin = true;
}

_Noreturn void sup_main(struct nspace_kit *kit, struct cg_host *cgh, enum sup_mode mode, const json *m,
                        int lock_fd, int run_dirfd, int conn, int session_fd)
{
    struct sup *s = xcalloc(1, sizeof(*s));
    struct err e = {0};
    s->kit = kit;
    s->cgh = cgh;
    s->zone = xstrdup(js_get_str(m, "zone", ""));
    s->lock_fd = lock_fd;
    s->run_dirfd = run_dirfd;
    s->conn = conn;
    if (conn >= 0)
        fd_nonblock(conn, true);
    s->listen_fd = s->journal_fd = s->log.fd = s->log.dirfd = -1;
    s->exit_status = s->health.value = -1;
    rt_init(&s->rt);
    char title[16];
    snprintf(title, sizeof(title), NET_SUPERVISOR "%s", s->zone);
    (void)prctl(PR_SET_NAME, title);
    first_session(s, m, session_fd);
    s->rows = (unsigned)js_get_int(m, "rows", 0);
    s->cols = (unsigned)js_get_int(m, "cols", 0);
    if (load_plan(s, &e) < 0 || (s->listen_fd = sup_listen_at(run_dirfd, PLAN_SOCKET, &e)) < 0 ||
        (s->journal_fd = journal_open(run_dirfd, mode == SUP_MODE_START, &e)) < 0)
        die(s, &e);
    if (mode == SUP_MODE_START)
        sup_begin(s);
    else
        take_over(s, mode);
    while (!over(s))
        loop_once(s);
    finish(s);
}
