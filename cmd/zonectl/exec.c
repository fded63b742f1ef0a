/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec, login, attach, console: programs in a running zone. */
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>

static int upgraded(struct ctl *c, const char *path, json *body, const struct ctl_session *s)
{
    struct err e = {0};
    struct problems details = {0};
    struct api_answer a = {0};
    int fd = -1, r = ctl_connect(c, &e), status = 0;
    if (r < 0)
        js_free(body);
    else
        r = api_upgrade(c->client, path, body, &fd, &a, &e, &details);
    if (r < 0)
        status = ctl_fail(c, &e, &details, s->what);
    else if (fd >= 0)
        status = ctl_stream(c, fd, s);
    api_answer_done(&a);
    problems_done(&details);
    return status;
}

static void add_size(json *body)
{
    int rows, cols;
    ctl_window(&rows, &cols);
    js_set_int(body, "rows", rows);
    js_set_int(body, "cols", cols);
}

struct exec_args {
    bool stdin_, tty, detach, login;
    const char *user, *cwd;
    char **env;
};

static void add_env(char ***env, const char *pair)
{
    const char *value = strchr(pair, '=') ? NULL : getenv(pair);
    if (value)
        strv_take(env, xasprintf("%s=%s", pair, value));
    else if (strchr(pair, '='))
        strv_add(env, pair);
}

static json *exec_body(struct exec_args *x, char **cmd)
{
    json *b = js_object();
    if (x->tty && getenv("TERM"))
        add_env(&x->env, "TERM");
    js_set_strv(b, "args", cmd);
    js_set_strv(b, "env", x->env);
    js_set_str(b, "user", x->user);
    js_set_str(b, "cwd", x->cwd);
    js_set_bool(b, "login", x->login);
    js_set_bool(b, "tty", x->tty);
    js_set_bool(b, "stdin", x->stdin_);
    js_set_bool(b, "detach", x->detach);
    if (x->tty)
        add_size(b);
    else
        js_set_int(b, "rows", 24), js_set_int(b, "cols", 80);
    strv_free(x->env);
    x->env = NULL;
    return b;
}

/* Index of NAME, or -1 with *status. */
static int exec_options(struct ctl *c, struct ctl_args *a, struct exec_args *x, int *status)
{
    int id, rest;
    while ((id = ctl_option(c, a, &rest, status)) != CTL_END) {
        switch (id) {
        case 'i':
            x->stdin_ = true;
            break;
        case 't':
            x->tty = true;
            break;
        case 'd':
            x->detach = true;
            break;
        case 'u':
            x->user = a->value;
            break;
        case 'w':
            x->cwd = a->value;
            break;
        case 'e':
            add_env(&x->env, a->value);
            break;
        default:
            strv_free(x->env);
            return -1;
        }
    }
    return rest;
}

int ctl_exec(struct ctl *c, int argc, char **argv)
{
    struct exec_args x = {0};
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .order = CTL_ORDER_STOP};
    int status, at;
    c->own_failure = CTL_OWN_FAILURE;
    if ((at = exec_options(c, &a, &x, &status)) < 0)
        return status;
    int cmd = at + 1 < argc && !strcmp(argv[at + 1], "--") ? at + 2 : at + 1;
    if (at >= argc || cmd >= argc)
        return ctl_usage(c, at >= argc ? "the zone's name is missing" : "a command is missing");
    if (x.detach && (x.stdin_ || x.tty))
        return ctl_usage(c, "-d goes without -i and -t");
    if (x.tty && x.stdin_ && (status = ctl_need_terminal(c)))
        return status;
    auto_free char *path = ctl_zone_path(argv[at], "exec");
    auto_free char *what = xasprintf("exec %s", argv[at]);
    bool tty = x.tty, in = x.stdin_;
    json *body = exec_body(&x, argv + cmd);
    if (x.detach)
        return ctl_call(c, "POST", path, body, NULL, what);
    return upgraded(c, path, body, &(struct ctl_session){.tty = tty, .stdin_ = in, .what = what});
}

int ctl_login(struct ctl *c, int argc, char **argv)
{
    struct exec_args x = {.login = true, .stdin_ = true, .tty = isatty(0)};
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts};
    int status, at;
    c->own_failure = CTL_OWN_FAILURE;
    if ((at = exec_options(c, &a, &x, &status)) < 0)
        return status;
    if (argc - at != 1)
        return ctl_usage(c, "one zone's name is wanted");
    auto_free char *path = ctl_zone_path(argv[at], "exec");
    auto_free char *what = xasprintf("login %s", argv[at]);
    bool tty = x.tty;
    return upgraded(c, path, exec_body(&x, NULL),
                    &(struct ctl_session){.tty = tty, .stdin_ = true, .escape = true, .what = what});
}

int ctl_attach(struct ctl *c, int argc, char **argv)
{
    bool console = !strcmp(c->verb->name, "console");
    int status, at;
    c->own_failure = console ? 0 : CTL_OWN_FAILURE;
    if ((at = ctl_positionals(c, argc, argv, 1, 1, &status)) < 0)
        return status;
    auto_free char *path = ctl_zone_path(argv[at], c->verb->name);
    auto_free char *what = xasprintf("%s %s", c->verb->name, argv[at]);
    json *body = js_object();
    js_set_bool(body, "stdin", true);
    add_size(body);
    if (console && isatty(0) && isatty(2))
        fprintf(stderr, "Connected to the console of %s; ~. at the start of a line leaves.\n", argv[at]);
    return upgraded(c, path, body,
                    &(struct ctl_session){.tty = isatty(0), .stdin_ = true, .escape = true, .what = what});
}
