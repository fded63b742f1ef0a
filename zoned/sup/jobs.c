/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of our children, and how one enters the running zone: a worker gives birth to it there (nspace_enter_begin), it is
 * put into the zone's groups, let go, and says whether it runs. None of that is waited for: a zone may be frozen by anybody, and
 * may stop what enters it. They must be reaped even while we wait for PID 1: the kernel ends a pid namespace only when its last
 * task is waited for. */
#include "zoned/sup/rt.h"
#include <sys/wait.h>

#define ENTER_TIMEOUT_MS 10000u
#define ENTERING_MAX 128u

struct job *job_add(struct sup *s, pid_t pid, int pidfd, void (*done)(struct sup *, struct job *, int),
                    void *arg)
{
    struct job *j = xcalloc(1, sizeof(*j));
    *j = (struct job){.pid = pid, .pidfd = pidfd, .done = done, .arg = arg, .out_fd = -1, .reply_id = -1};
    j->entry.sync_fd = j->child.sync_fd = -1;
    *vec_add(&s->jobs) = j;
    return j;
}

void job_asked(struct sup *s, struct job *j, int64_t reply_id)
{
    j->reply_id = reply_id;
    j->asked = s->conns;
}

/* Another zoned counts its requests from the first again. */
void job_reply(struct sup *s, const struct job *j, json *extra, const struct err *e)
{
    if (j->reply_id >= 0 && j->asked == s->conns)
        sup_reply(s, j->reply_id, extra, e, NULL, 0);
    else
        js_free(extra);
}

void job_drop(struct job *j)
{
    j->done = NULL;
    j->begun = NULL;
    (void)pidfd_kill(j->pidfd, SIGKILL);
}

/* ---- entering ---- */
struct job *job_enter(struct sup *s, const struct nspace_exec *x, bool groups, enter_fn begun, void *arg,
                      struct err *e)
{
    unsigned entering = 0;
    struct nspace_entry n;
    for (unsigned i = 0; i < s->jobs.len; i++)
        entering += s->jobs.at[i]->begun != NULL;
    if (entering >= ENTERING_MAX) {
        err_set(e, ERR_BUSY, EAGAIN, "%u programs are about to enter zone %s", entering, s->zone);
        err_hint(e, "it may be frozen, or stop what enters it; zonectl stop ends it");
        return NULL;
    }
    if (nspace_enter_begin(s->kit, s->rt.pidfd, x, &n, e) < 0)
        return NULL;
    struct job *j = job_add(s, n.worker.pid, n.worker.pidfd, NULL, arg);
    j->entry = n;
    j->begun = begun;
    j->groups = groups;
    j->deadline = clock_mono_us() + ENTER_TIMEOUT_MS * 1000;
    return j;
}

static void tell(struct sup *s, struct job *j, const struct err *e)
{
    enter_fn begun = j->begun;
    if (e)
        job_drop(j);
    j->begun = NULL;
    j->deadline = 0;
    close_fd(&j->child.sync_fd);
    begun(s, j, e);
}

void job_overdue(struct sup *s, struct job *j)
{
    struct err e = {0};
    j->deadline = 0;
    j->timed_out = true;
    (void)pidfd_kill(j->pidfd, SIGKILL);
    if (!j->begun)
        return;
    err_set(&e, ERR_BUSY, ETIMEDOUT, "no program could enter zone %s within %u s", s->zone,
            ENTER_TIMEOUT_MS / 1000);
    err_hint(&e, "it may be frozen, or stop what enters it; zonectl stop ends it");
    tell(s, j, &e);
}

/* The worker was waited for. false: there is no child that the job goes on with. */
static bool born(struct sup *s, struct job *j)
{
    struct err e = {0};
    j->pidfd = -1; /* the worker's */
    int r = nspace_enter_end(&j->entry, &j->child, &e);
    bool child = r == 0;
    if (child) {
        j->pid = j->child.pid;
        j->pidfd = j->child.pidfd;
    }
    if (child && !j->begun)
        job_drop(j); /* given up in the meantime */
    if (child && j->begun && j->groups && s->rt.cg)
        r = cg_attach(s->rt.cg, j->pid, cg_clone_fd(s->rt.cg) >= 0, &e);
    if (child && r == 0 && j->begun)
        r = nspace_go_send(&j->child, &e);
    if (r < 0 && j->begun)
        tell(s, j, &e);
    return child;
}

static void look(struct sup *s, struct job *j, bool ended)
{
    struct err e = {0};
    if (!j->begun || j->child.sync_fd < 0)
        return;
    int r = nspace_go_answer(&j->child, &e);
    if (r == 0 && ended)
        r = err_set(&e, ERR_INTERNAL, ECHILD, "the program was killed before it started");
    if (r != 0)
        tell(s, j, r < 0 ? &e : NULL);
}

/* ---- their ends ---- */
void jobs_reap(struct sup *s)
{
    for (unsigned i = 0; i < s->jobs.len;) {
        struct job *j = s->jobs.at[i];
        int status = 0;
        pid_t r = waitpid(j->pid, &status, WNOHANG);
        if (r == 0 || (r < 0 && errno == EINTR)) {
            i++;
            continue;
        }
        if (j->entry.worker.page && born(s, j))
            continue;
        look(s, j, true);
        vec_remove(&s->jobs, i);
        if (j->done)
            j->done(s, j, r < 0 ? 0 : status);
        close_fd(&j->pidfd);
        close_fd(&j->out_fd);
        close_fd(&j->child.sync_fd);
        free(j);
    }
}

void jobs_look(struct sup *s)
{
    for (unsigned i = 0; i < s->jobs.len; i++)
        look(s, s->jobs.at[i], false);
    jobs_reap(s);
}

static void on_job(struct sup *s, void *arg, short revents)
{
    jobs_look(s);
}

void jobs_watch(struct sup *s)
{
    for (unsigned i = 0; i < s->jobs.len; i++) {
        sup_watch(s, s->jobs.at[i]->pidfd, POLLIN, on_job, NULL);
        if (s->jobs.at[i]->begun && s->jobs.at[i]->child.sync_fd >= 0)
            sup_watch(s, s->jobs.at[i]->child.sync_fd, POLLIN, on_job, NULL);
    }
}

/* Nobody wants it any more. */
static void cancel(struct sup *s, struct job *j)
{
    struct err e = {0};
    err_set(&e, ERR_BUSY, ECANCELED, "who asked for the program has gone");
    job_reply(s, j, NULL, &e);
    job_drop(j);
}

void jobs_cancel(struct sup *s, int64_t reply_id)
{
    for (unsigned i = 0; i < s->jobs.len; i++) {
        struct job *j = s->jobs.at[i];
        if (j->reply_id == reply_id && j->asked == s->conns && (j->begun || j->done))
            cancel(s, j);
    }
}

void jobs_forget(struct sup *s, void *arg)
{
    for (unsigned i = 0; i < s->jobs.len; i++) {
        struct job *j = s->jobs.at[i];
        if (j->arg == arg && j->begun) {
            cancel(s, j);
        } else if (j->arg == arg) {
            j->done = NULL;
        }
    }
}
