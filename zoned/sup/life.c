/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's life in its supervisor: apply, run, ask to stop, PID 1's end, undo, and then the restart policy or
 * "stopped". There is one way out: every start that begins ends with sup_stopped, exactly once. */
#include "zoned/sup/rt.h"
#include <malloc.h>
#include <sys/wait.h>

#define BYE_TIMEOUT_US 5000000u
#define SETTLED_US 600000000u

static void history(struct sup *s, const char *event)
{
    auto_js json *o = js_object();
    if (s->rt.zone_dirfd < 0)
        return;
    js_set_str(o, "event", event);
    js_set_int(o, "start_no", s->plan ? (int64_t)s->plan->start_no : 0);
    if (str_eq(event, "end")) {
        if (s->exit_status >= 0)
            js_set_int(o, "exit_status", s->exit_status);
        js_set_bool(o, "oom", s->oom);
        js_set_bool(o, "failed", s->failed);
        if (s->error.code)
            js_set_str(o, "error", s->error.text);
    }
    js_set_int(o, "time_us", (int64_t)clock_real_us());
    (void)sup_history_append(s->rt.zone_dirfd, o, NULL);
}

static void stopped(struct sup *s)
{
    history(s, "end");
    s->state = SUP_STOPPED;
    close_fd(&s->listen_fd);
    (void)unlinkat(s->run_dirfd, PLAN_SOCKET, 0);
    if (!s->leftover) { /* else a recovery has work to do, and needs them */
        (void)unlinkat(s->run_dirfd, PLAN_FILE, 0);
        (void)unlinkat(s->run_dirfd, PLAN_NEXT, 0);
        (void)unlinkat(s->run_dirfd, PLAN_JOURNAL, 0);
    }
    json *x = js_object();
    if (s->error.code)
        js_set(x, "error", js_from_err(&s->error, NULL));
    js_set_bool(x, "failed", s->failed);
    if (s->leftover)
        js_set(x, "leftover", js_ref(s->leftover));
    sup_event(s, "stopped", x, NULL, 0);
    s->bye_deadline = clock_mono_us() + BYE_TIMEOUT_US;
}

static void start_failed(struct sup *s)
{
    struct err e = {0};
    s->failed = true;
    console_drain(s);
    (void)sup_undo(s, s->done, &e);
    json *x = js_object();
    js_set(x, "error", js_from_err(&s->error, NULL));
    sup_event(s, "failed", x, NULL, 0);
    stopped(s);
}

void sup_begin(struct sup *s)
{
    s->state = SUP_STARTING;
    s->started_us = clock_real_us();
    s->oom = s->warned = false;
    s->oom_tell = 0;
    s->ran = false;
    s->health_act = SPEC_HEALTH_ACTION_NONE;
    if (sup_apply(s, &s->error) < 0) {
        start_failed(s);
        return;
    }
    history(s, "start");
    s->up_since = clock_mono_us();
    s->state = SUP_RUNNING;
    health_start(s);
    memory_start(s);
    sup_event(s, "running", NULL, &s->rt.pidfd, 1);
    /* what only a start needs goes back; a restart opens the pool again */
    stor_pool_free(s->rt.pool);
    s->rt.pool = NULL;
    (void)malloc_trim(0);
}

/* ---- ending ---- */
void sup_kill(struct sup *s)
{
    if (s->rt.pidfd < 0)
        return;
    const struct spec_cpu *c = s->plan->divided ? &s->plan->cpu : &s->plan->spec->cpu;
    if (s->rt.cg && (c->idle || c->cap > 0 || c->shares < 100))
        cg_lift(s->rt.cg);
    (void)pidfd_kill(s->rt.pidfd, SIGKILL);
    if (s->rt.cg) /* a v1-frozen task does not die of SIGKILL */
        cg_thaw(s->rt.cg);
    if (!s->ran && s->rt.adopted)
        (void)cg_kill(s->cgh, s->plan->cgroup_parent, s->plan->cgroup_name, 0, NULL);
}

static int default_stop_signal(const struct plan *p)
{
    if (p->spec->process.stop_signal > 0)
        return p->spec->process.stop_signal;
    return p->spec->init == SPEC_INIT_SYSTEM ? SIGRTMIN + 3 : SIGTERM;
}

void sup_stop(struct sup *s, bool force, uint64_t timeout_ms)
{
    if (!s->stop_asked)
        journal_write(s->journal_fd, "stop", STEP_GO, NULL);
    s->stop_asked = true;
    if (s->state == SUP_RESTARTING) {
        stopped(s);
        return;
    }
    if (s->rt.pidfd < 0 || s->state == SUP_STOPPED)
        return;
    health_stop(s);
    if (force || timeout_ms == 0) {
        sup_kill(s);
    } else {
        (void)pidfd_kill(s->rt.pidfd, default_stop_signal(s->plan));
        if (s->rt.cg) /* somebody else than us may have frozen it */
            cg_thaw(s->rt.cg);
        uint64_t deadline = clock_mono_us() + timeout_ms * 1000;
        if (!s->stop_deadline || deadline < s->stop_deadline)
            s->stop_deadline = deadline;
    }
    if (s->state != SUP_STOPPING) {
        s->state = SUP_STOPPING;
        sup_event(s, "stopping", NULL, NULL, 0);
    }
}

void pid1_told(struct sup *s)
{
    unsigned char byte;
    ssize_t n = s->rt.status_fd < 0 ? -1 : read(s->rt.status_fd, &byte, 1);
    if (n == 1)
        s->rt.told = byte;
    if (n >= 0)
        close_fd(&s->rt.status_fd);
}

/* Below 6.15 a pidfd does not tell: the keeper has reaped it as an orphan and knows, or zone-init said it before (its
 * keeper then was another, of the version before ours). */
static int status_elsewhere(struct sup *s, int *wait_status)
{
    struct kept k;
    struct pollfd p = {s->rt.pidfd, POLLIN, 0};
    bool ended = false;
    if (keep_fetch(s->plan->keeper_socket, s->zone, &k, NULL) == 0) {
        ended = k.ended;
        *wait_status = k.wait_status;
        kept_done(&k);
    }
    pid1_told(s);
    if (!ended && s->rt.told >= 0 && poll(&p, 1, 0) > 0) {
        ended = true;
        *wait_status = s->rt.told << 8;
    }
    return ended;
}

/* 1: ended, with status; 0: not yet. */
int pid1_status(struct sup *s, int *wait_status)
{
    if (!s->rt.adopted) {
        pid_t r = waitpid(s->rt.pid, wait_status, WNOHANG);
        if (r == s->rt.pid)
            return 1;
        if (r == 0)
            return 0;
    }
    int r = pidfd_exit_status(s->rt.pidfd, wait_status);
    if (r == 0)
        return 0;
    if (r > 0)
        return 1;
    if (s->rt.adopted)
        return status_elsewhere(s, wait_status);
    *wait_status = SIGKILL; /* our child, waited for already: nspace_go ends one that could not start */
    return 1;
}

int sup_wait_pid1(struct sup *s, uint64_t timeout_ms, int *wait_status)
{
    uint64_t end = clock_mono_us() + timeout_ms * 1000;
    for (;;) {
        if (pid1_status(s, wait_status))
            return 0;
        jobs_reap(s);
        uint64_t now = clock_mono_us();
        if (now >= end)
            return -ETIMEDOUT;
        s->polls.len = 0;
        *vec_add(&s->polls) = (struct pollfd){s->rt.pidfd, POLLIN, 0};
        for (unsigned i = 0; i < s->jobs.len; i++)
            *vec_add(&s->polls) = (struct pollfd){s->jobs.at[i]->pidfd, POLLIN, 0};
        bool zombie = s->rt.adopted && poll(s->polls.at, 1, 0) > 0;
        if (zombie && s->jobs.len == 0 && (int64_t)(end - now) > 0) {
            /* ended, and its new parent has not reaped it yet: a moment, then look again */
            (void)poll(NULL, 0, 1);
            continue;
        }
        (void)poll(s->polls.at, s->polls.len, (int)((end - now) / 1000 + 1));
    }
}

static void go_again(struct sup *s, uint64_t delay_ms)
{
    history(s, "end");
    s->restarts++;
    s->state = SUP_RESTARTING;
    auto_js json *facts = js_object();
    js_set_int(facts, "restarts", (int64_t)s->restarts);
    journal_write(s->journal_fd, "again", STEP_ROOTFS, facts);
    s->restart_at = clock_mono_us() + delay_ms * 1000;
    json *x = js_object();
    js_set_int(x, "in_ms", (int64_t)delay_ms);
    sup_event(s, "restarting", x, NULL, 0);
}

static void check_oom(struct sup *s)
{
    if (s->rt.oom_fd >= 0 && cg_oom_read(s->rt.cg, s->rt.oom_fd) > 0)
        memory_oom(s);
    memory_tell_oom(s); /* before the end is told, and the group is gone */
}

void sup_pid1_ended(struct sup *s, int wait_status)
{
    struct err e = {0};
    const struct spec *spec = s->plan->spec;
    bool system = spec->init == SPEC_INIT_SYSTEM;
    s->exit_status = exit_status_of(wait_status);
    if (system && WIFSIGNALED(wait_status) &&
        (WTERMSIG(wait_status) == SIGINT || WTERMSIG(wait_status) == SIGHUP))
        s->exit_status = 0;
    check_oom(s);
    health_stop(s);
    s->stop_deadline = 0;
    jobs_reap(s);
    console_drain(s);
    close_fd(&s->rt.pidfd); /* reaped: the undo of SPAWN has nobody to wait for */
    s->rt.pid = 0;
    s->rt.reaped = true;
    sup_event(s, "exited", NULL, NULL, 0);
    int r = sup_undo(s, STEP_COUNT, &e);
    if (clock_mono_us() - s->up_since > SETTLED_US)
        s->restarts = 0;
    uint64_t delay = 0;
    bool forced = s->health_act == SPEC_HEALTH_ACTION_RESTART;
    bool alone = !s->stop_asked && s->health_act != SPEC_HEALTH_ACTION_STOP && r == 0;
    enum restart_verdict v =
        alone ? restart_decide(&spec->restart, system, wait_status, forced, s->restarts, &delay)
              : RESTART_NEVER;
    if (v == RESTART_AGAIN) {
        go_again(s, delay);
        return;
    }
    if (v == RESTART_GAVE_UP) {
        s->failed = true;
        err_set(&s->error, ERR_LIMIT, ECANCELED, "gave up after %llu restarts (last exit status %d)",
                (unsigned long long)s->restarts, s->exit_status);
        json *x = js_object();
        js_set(x, "error", js_from_err(&s->error, NULL));
        sup_event(s, "failed", x, NULL, 0);
    }
    stopped(s);
}

void sup_recover_end(struct sup *s)
{
    struct err e = {0};
    (void)sup_undo(s, STEP_COUNT, &e);
    stopped(s);
}
