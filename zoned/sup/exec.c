/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that we start beside PID 1 in a running zone (exec, login), and what all that enter it have. */
#include "zoned/sup/rt.h"

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

static void exec_refused(struct sup *s, struct session *x, const struct err *e)
{
    bool missing = e->kind == ERR_INVALID && e->code == ENOENT,
         refused = e->kind == ERR_INVALID && e->code == EACCES;
    if (x->fd >= 0)
        session_exit(s, x, missing ? 127 : refused ? 126 : 125, e);
    else
        x->dead = true;
}

static void exec_begun(struct sup *s, struct job *j, const struct err *e)
{
    struct session *x = j->arg;
    json *extra = NULL;
    if (e) {
        exec_refused(s, x, e);
    } else {
        x->pid = j->pid;
        x->pidfd = j->pidfd;
        j->done = exec_done;
        extra = js_object();
        js_set_int(extra, "pid", j->pid);
    }
    job_reply(s, j, extra, e);
}

static struct job *exec_run(struct sup *s, struct session *x, const json *m, struct err *e)
{
    struct nspace_exec n;
    struct job *j = NULL;
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
        j = job_enter(s, &n, true, exec_begun, x, e);
    for (unsigned i = 0; i < 3; i++)
        close_fd(&n.stdio[i]);
    strv_free(args);
    env_done(&env);
    return j;
}

int exec_request(struct sup *s, const json *m, int session_fd, int64_t reply_id, struct err *e)
{
    struct session *x = session_add(s, SESSION_EXEC, session_fd, js_get_bool(m, "stdin", false));
    struct job *j = exec_run(s, x, m, e);
    if (!j) {
        exec_refused(s, x, e);
        return -e->code;
    }
    job_asked(s, j, reply_id);
    return 0;
}
