/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What zoned asks of a supervisor: a table of operations. Only root may connect; a malformed message is
 * answered with an error or ends that connection, never the supervisor. */
#include "base/log.h"
#include "zoned/sup/rt.h"
#include <sys/socket.h>

#define FREEZE_TIMEOUT_MS 2000u
#define PART_TIMEOUT_S 10u

struct request {
    const json *m;
    int64_t id;
    int *fds;
    unsigned nfds;
    json *extra;
    int reply_fd; /* borrowed */
    bool later;   /* answered by somebody else */
};

static int need_running(const struct sup *s, struct err *e)
{
    if (s->rt.pidfd >= 0 && (s->state == SUP_RUNNING || s->state == SUP_STOPPING))
        return 0;
    if (s->state == SUP_PAUSED)
        return err_set(e, ERR_CONFLICT, EAGAIN, "zone %s is paused", s->zone);
    return err_set(e, ERR_CONFLICT, ESRCH, "zone %s does not run", s->zone);
}

static int op_stop(struct sup *s, struct request *r, struct err *e)
{
    int64_t t = js_get_int(r->m, "timeout_ms", -1);
    uint64_t timeout = t < 0 ? s->plan->spec->process.stop_timeout_ms : (uint64_t)t;
    sup_reply(s, r->id, NULL, NULL, NULL, 0);
    r->later = true;
    sup_stop(s, js_get_bool(r->m, "force", false), timeout);
    return 0;
}

static int op_signal(struct sup *s, struct request *r, struct err *e)
{
    int64_t sig = js_get_int(r->m, "signal", 0);
    const char *name = js_get_str(r->m, "signal", NULL);
    int n = (int)sig;
    if (name && spec_parse_signal(name, &n) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "signal %s is not known", name);
    if (n < 1 || n > SIGRTMAX)
        return err_set(e, ERR_INVALID, EINVAL, "signal %d is not known", n);
    if (s->rt.pidfd < 0)
        return need_running(s, e);
    int x = pidfd_kill(s->rt.pidfd, n);
    return x < 0 ? err_sysk(e, ERR_INTERNAL, -x, "signal") : 0;
}

/* Somebody else may have frozen it, or thawed it: then it is done again, and nothing new. */
static int freeze(struct sup *s, bool on, struct err *e)
{
    enum sup_state was = s->state, wanted = on ? SUP_PAUSED : SUP_RUNNING;
    if (was == wanted && (!s->rt.cg || cg_frozen(s->rt.cg) == on))
        return 0;
    if ((was != SUP_RUNNING && was != SUP_PAUSED) || !s->rt.cg)
        return err_set(e, ERR_CONFLICT, ESRCH, "zone %s does not run", s->zone);
    int r = cg_freeze(s->rt.cg, on, FREEZE_TIMEOUT_MS, e);
    if (r < 0) {
        if (on)
            (void)cg_freeze(s->rt.cg, false, 0, NULL);
        return r;
    }
    s->state = wanted;
    if (was != wanted)
        sup_event(s, on ? "paused" : "resumed", NULL, NULL, 0);
    return 0;
}

static int op_pause(struct sup *s, struct request *r, struct err *e)
{
    bool held = js_get_bool(r->m, "while_connected", false) && (s->held || s->state == SUP_RUNNING);
    int x = freeze(s, true, e);
    if (x == 0)
        s->held = held;
    return x;
}

static int op_resume(struct sup *s, struct request *r, struct err *e)
{
    s->held = false;
    return freeze(s, false, e);
}

void sup_release(struct sup *s)
{
    if (s->held && s->state == SUP_PAUSED)
        (void)freeze(s, false, NULL);
    s->held = false;
}

static int op_exec(struct sup *s, struct request *r, struct err *e)
{
    int x = need_running(s, e);
    bool detach = js_get_bool(r->m, "detach", false);
    if (x == 0 && !detach && r->nfds < 1)
        x = err_set(e, ERR_INVALID, EPROTO, "exec: no session given");
    if (x < 0)
        return x;
    refresh_await(s);
    x = exec_request(s, r->m, detach ? -1 : take_fd(&r->fds[0]), r->id, e);
    r->later = x == 0;
    return x;
}

static int op_attach(struct sup *s, struct request *r, struct err *e)
{
    if (r->nfds < 1)
        return err_set(e, ERR_INVALID, EPROTO, "attach: no session given");
    if (s->rt.pidfd < 0)
        return need_running(s, e);
    struct session *x = session_add(s, SESSION_ZONE, take_fd(&r->fds[0]), js_get_bool(r->m, "stdin", false));
    x->origin = false;
    console_resize(&s->rt.io, (unsigned)js_get_int(r->m, "rows", 0), (unsigned)js_get_int(r->m, "cols", 0));
    return 0;
}

/* Files in the zone follow behind the answer: who is to rewrite them takes longer to be born than a link to be made, and nobody
 * waits for him. */
static int op_update(struct sup *s, struct request *r, struct err *e)
{
    struct plan *was auto_of(plan_free) = NULL;
    int x = sup_update(s, js_get(r->m, "plan"), &was, e);
    if (x < 0)
        return x;
    if (s->state == SUP_RUNNING)
        health_start(s);
    memory_start(s);
    sup_reply(s, r->id, NULL, NULL, NULL, 0);
    r->later = true;
    if (s->state != SUP_RESTARTING)
        refresh_files(s, was, s->plan);
    return 0;
}

static int write_section(const struct sup *s, const struct spec_cpu *was, struct err *e)
{
    struct cg_limits before, after;
    plan_limits(s->plan, &after);
    before = after;
    before.cpu = was;
    return cg_update(s->rt.cg, &before, &after, e);
}

/* zoned has written another cpu section into the group, or found none; the plan follows, for our own next start. */
static int op_divide(struct sup *s, struct request *r, struct err *e)
{
    struct spec_cpu cpu;
    int x = spec_cpu_from_json(js_get(r->m, "cpu"), &cpu, e);
    if (x < 0)
        return x;
    struct spec_cpu was = s->plan->cpu;
    bool divided = s->plan->divided;
    s->plan->cpu = cpu;
    s->plan->divided = true;
    if (s->rt.cg && js_get_bool(r->m, "unwritten", false))
        x = write_section(s, divided ? &was : &s->plan->spec->cpu, e);
    spec_cpu_done(&was);
    return x;
}

static int op_archive(struct sup *s, struct request *r, struct err *e)
{
    int x = s->state == SUP_PAUSED && s->rt.pidfd >= 0 ? 0 : need_running(s, e);
    if (x == 0 && r->nfds < 1)
        x = err_set(e, ERR_INVALID, EPROTO, "archive: no data descriptor given");
    if (x < 0)
        return x;
    refresh_await(s);
    x = archive_request(s, r->m, r->fds[0], r->id, e);
    r->later = x == 0;
    return x;
}

static int op_cancel(struct sup *s, struct request *r, struct err *e)
{
    jobs_cancel(s, js_get_int(r->m, "request", -1));
    return 0;
}

static int op_status(struct sup *s, struct request *r, struct err *e)
{
    r->extra = sup_status(s);
    r->reply_fd = s->rt.pidfd;
    if (s->rt.pidfd >= 0) /* who asks this has just come, and may have brought a new keeper */
        keep_all(s);
    return 0;
}

static _Noreturn void renew_part(struct sup *s)
{
    struct err e = {0};
    alarm(PART_TIMEOUT_S);
    if (nspace_part_renew(s->kit, s->rt.pidfd, &e) < 0)
        log_warning("zone %s: %s", s->zone, e.text);
    _exit(err_is(&e));
}

/* lxcfs was started again: its new files for the running zone, and for its next start. */
static int op_part(struct sup *s, struct request *r, struct err *e)
{
    if (r->nfds != NSPACE_PART_FILES)
        return err_set(e, ERR_INVALID, EPROTO, "part: %u descriptors are wanted", NSPACE_PART_FILES);
    bool other = nspace_kit_part(s->kit, r->fds);
    if (!s->plan->part || !other || s->rt.pidfd < 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0)
        renew_part(s);
    int pidfd = pid < 0 ? -1 : pidfd_open_pid(pid);
    if (pid < 0)
        return err_sys(e, "fork");
    (void)job_add(s, pid, pidfd, NULL, NULL);
    return 0;
}

static int op_bye(struct sup *s, struct request *r, struct err *e)
{
    if (s->state != SUP_STOPPED)
        return err_set(e, ERR_CONFLICT, EBUSY, "zone %s has not stopped", s->zone);
    s->bye = true;
    return 0;
}

static const struct {
    const char *name;
    int (*fn)(struct sup *s, struct request *r, struct err *e);
} operations[] = {
    {"stop", op_stop},       {"signal", op_signal}, {"pause", op_pause},   {"resume", op_resume},
    {"exec", op_exec},       {"attach", op_attach}, {"update", op_update}, {"divide", op_divide},
    {"archive", op_archive}, {"status", op_status}, {"part", op_part},     {"bye", op_bye},
    {"cancel", op_cancel},
};

static void dispatch(struct sup *s, const json *m, int *fds, unsigned nfds)
{
    struct request r = {.m = m, .id = js_get_int(m, "id", -1), .fds = fds, .nfds = nfds, .reply_fd = -1};
    struct err e = {0};
    const char *op = js_get_str(m, "op", "");
    int x = -ENOENT;
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++)
        if (str_eq(operations[i].name, op)) {
            x = operations[i].fn(s, &r, &e);
            break;
        }
    if (x < 0 && !e.code)
        err_set(&e, ERR_USAGE, -x, "operation %.40s is not known", op);
    if (!r.later)
        sup_reply(s, r.id, r.extra, x < 0 ? &e : NULL, &r.reply_fd, r.reply_fd >= 0);
}

void request_read(struct sup *s, void *arg, short revents)
{
    for (unsigned i = 0; i < 16 && s->conn >= 0; i++) {
        auto_js json *m = NULL;
        int fds[FD_MSG_MAX_FDS];
        unsigned nfds = ARRAY_LEN(fds);
        struct err e = {0};
        int r = sup_recv(s->conn, 0, &m, fds, &nfds, &e);
        if (r == -EAGAIN)
            return;
        if (r <= 0) { /* zoned went, or speaks garbage: we go on alone */
            close_fd(&s->conn);
            return;
        }
        dispatch(s, m, fds, nfds);
        fd_close_all(fds, nfds);
    }
}

void request_accept(struct sup *s, void *arg, short revents)
{
    struct ucred c = {0};
    socklen_t n = sizeof(c);
    auto_fd int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0 || c.uid != 0)
        return;
    sup_release(s);
    close_fd(&s->conn); /* the newest zoned is the one */
    s->conn = take_fd(&fd);
    s->conns++;
}
