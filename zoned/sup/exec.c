/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that we start beside PID 1 in a running zone (exec, login, health checks, cp) and the table of our
 * children. They enter by nspace_enter and are put into the zone's groups before they run. They must be
 * reaped even while we wait for PID 1: the kernel ends a pid namespace only when its last task is waited for.
 */
#include "zoned/sup/rt.h"
#include <sys/wait.h>

#define ENTER_TIMEOUT_MS 10000u

/* ---- children ---- */
struct job *job_add(struct sup *s, pid_t pid, int pidfd, void (*done)(struct sup *, struct job *, int),
                    void *arg)
{
    struct job *j = xcalloc(1, sizeof(*j));
    *j = (struct job){.pid = pid, .pidfd = pidfd, .done = done, .arg = arg, .out_fd = -1, .reply_id = -1};
    *vec_add(&s->jobs) = j;
    return j;
}

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
        vec_remove(&s->jobs, i);
        if (j->done)
            j->done(s, j, r < 0 ? 0 : status);
        close_fd(&j->pidfd);
        close_fd(&j->out_fd);
        free(j);
    }
}

static void on_job(struct sup *s, void *arg, short revents)
{
    jobs_reap(s);
}

void jobs_watch(struct sup *s)
{
    for (unsigned i = 0; i < s->jobs.len; i++)
        sup_watch(s, s->jobs.at[i]->pidfd, POLLIN, on_job, NULL);
}

void jobs_forget(struct sup *s, void *arg)
{
    for (unsigned i = 0; i < s->jobs.len; i++)
        if (s->jobs.at[i]->arg == arg)
            s->jobs.at[i]->done = NULL;
}

/* ---- entering ---- */
void exec_setup(struct sup *s, struct nspace_exec *x)
{
    const struct plan *p = s->plan;
    memset(x, 0, sizeof(*x));
    strv_free(s->exec_env);
    s->exec_env = strv_copy(p->env);
    for (unsigned i = 0; i < p->spec->process.env.len; i++)
        strv_take(&s->exec_env,
                  xasprintf("%s=%s", p->spec->process.env.at[i].key, p->spec->process.env.at[i].value));
    x->extra_env = s->exec_env;
    x->stdio[0] = x->stdio[1] = x->stdio[2] = x->job_fd = -1;
    x->cgroup_fd = s->rt.cg ? cg_exec_fd(s->rt.cg, s->rt.pid) : -1;
    if (s->rt.cg)
        x->ntask_fds = cg_join_fds(s->rt.cg, &x->task_fds);
    x->init = p->spec->init;
    x->security = &p->spec->security;
    x->limits = &p->spec->limits;
    x->uid_base = p->uid_base;
}

/* Groups, then go; on failure the child is gone. */
int exec_attach_go(struct sup *s, struct nspace_child *c, bool groups, struct err *e)
{
    int r = groups && s->rt.cg ? cg_attach(s->rt.cg, c->pid, cg_clone_fd(s->rt.cg) >= 0, e) : 0;
    if (r == 0)
        r = nspace_go(c, ENTER_TIMEOUT_MS, e);
    if (r < 0) {
        nspace_child_done(c);
        return r;
    }
    close_fd(&c->sync_fd);
    close_fd(&c->userns_fd);
    close_fd(&c->netns_fd);
    return 0;
}

static void exec_done(struct sup *s, struct job *j, int wait_status)
{
    struct session *x = j->arg;
    session_exec_output(s, x);
    x->pid = 0;
    x->pidfd = -1; /* the job's */
    io_close(&x->io);
    if (x->fd < 0 || x->dead)
        x->dead = true;
    else
        session_exit(s, x, exit_status_of(wait_status), NULL);
}

static void env_of(const json *m, spec_map *env)
{
    const json *list = js_get(m, "env");
    for (size_t i = 0; i < js_len(list) && i < 1024; i++) {
        const char *kv = js_str_of(js_at(list, i), ""), *eq = strchr(kv, '=');
        if (eq && eq != kv)
            *vec_add(env) = (struct spec_kv){xstrndup(kv, (size_t)(eq - kv)), xstrdup(eq + 1)};
    }
}

static void env_done(spec_map *env)
{
    for (unsigned i = 0; i < env->len; i++) {
        free(env->at[i].key);
        free(env->at[i].value);
    }
    vec_done(env);
}

static int exec_stdio(struct sup *s, struct session *x, const json *m, int stdio[3], struct err *e)
{
    if (js_get_bool(m, "detach", false)) {
        for (unsigned i = 0; i < 3; i++)
            if ((stdio[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
                return err_sys(e, "/dev/null");
        return 0;
    }
    if (!js_get_bool(m, "tty", false))
        return console_pipes(&x->io, stdio, x->want_stdin, false, s->plan->uid_base, e);
    /* the zone's own devpts; an adopted supervisor that has none makes one */
    if (s->rt.devpts_fd < 0 && (s->rt.devpts_fd = nspace_devpts_new(s->plan->uid_base, e)) < 0)
        return s->rt.devpts_fd;
    int r = console_pty(s->rt.devpts_fd, s->plan->uid_base, &x->io, stdio, e);
    if (r == 0)
        console_resize(&x->io, (unsigned)js_get_int(m, "rows", 0), (unsigned)js_get_int(m, "cols", 0));
    return r;
}

static int exec_run(struct sup *s, struct session *x, const json *m, struct err *e)
{
    struct nspace_exec n;
    struct nspace_child c = {.pidfd = -1, .userns_fd = -1, .netns_fd = -1, .sync_fd = -1};
    spec_map env = {0};
    exec_setup(s, &n);
    char **args = js_get_strv(m, "args");
    n.args = args;
    n.login = js_get_bool(m, "login", false);
    n.user = js_get_str(m, "user", NULL);
    n.cwd = js_get_str(m, "cwd", NULL);
    n.terminal = js_get_bool(m, "tty", false);
    env_of(m, &env);
    n.env = &env;
    int r = exec_stdio(s, x, m, n.stdio, e);
    if (r == 0 && !n.login && strv_len(args) == 0)
        r = err_set(e, ERR_INVALID, EINVAL, "exec: no program given");
    if (r == 0)
        r = nspace_enter(s->kit, s->rt.pidfd, &n, &c, e);
    if (r >= 0)
        r = exec_attach_go(s, &c, true, e);
    for (unsigned i = 0; i < 3; i++)
        close_fd(&n.stdio[i]);
    strv_free(args);
    env_done(&env);
    if (r < 0)
        return r;
    x->pid = c.pid;
    x->pidfd = c.pidfd;
    job_add(s, c.pid, c.pidfd, exec_done, x);
    return 0;
}

int exec_request(struct sup *s, const json *m, int session_fd, pid_t *pid, struct err *e)
{
    struct session *x = session_add(s, SESSION_EXEC, session_fd, js_get_bool(m, "stdin", false));
    int r = exec_run(s, x, m, e);
    if (r < 0) {
        bool missing = e->kind == ERR_INVALID && e->code == ENOENT,
             refused = e->kind == ERR_INVALID && e->code == EACCES;
        if (session_fd >= 0)
            session_exit(s, x, missing ? 127 : refused ? 126 : 125, e);
        else
            x->dead = true;
        return r;
    }
    *pid = x->pid;
    return 0;
}
