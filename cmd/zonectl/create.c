/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create and run. What argv means is in options.c; here the request is sent and its answer told. */
#include "cmd/zonectl/image.h"
#include <stdio.h>
#include <string.h>

static void remark_on_cpus(const char *number)
{
    if (number && strspn(number, "0") != strlen(number))
        fprintf(stderr, "cpu.set: CPU number %s alone; for the time of %s CPU%s: --cpu-cap %s\n", number,
                number, strcmp(number, "1") ? "s" : "", number);
}

/* 0, or CTL_BAD with *status. */
static int parse(struct ctl *c, int argc, char **argv, bool run, struct ctl_create *k, json **source,
                 int *status)
{
    struct err e = {0};
    struct ctl_args a = {.argc = argc, .argv = argv, .format = &c->format};
    int r = ctl_parse_create(&a, run, k, &e);
    if (a.socket)
        c->socket = a.socket;
    if (r == CTL_HELP) {
        ctl_help_verb(c->verb, stdout);
        *status = 0;
        return CTL_BAD;
    }
    if (r == 0 && k->file && !(*source = ctl_source(k->file, &e))) {
        ctl_create_done(k);
        r = CTL_BAD;
    }
    if (r == 0) {
        remark_on_cpus(k->one_cpu);
        return 0;
    }
    if (e.kind == ERR_USAGE)
        err_hint(&e, "usage: zonectl %s %s", c->verb->name, c->verb->args);
    *status = ctl_fail(c, &e, NULL, c->called);
    return CTL_BAD;
}

struct sending {
    const char *path, *what;
    json *body;  /* stolen */
    int *stream; /* the answer is a connection, or NULL */
};

static int send_once(struct ctl *c, const struct sending *s, json **answer, struct err *e,
                     struct problems *details)
{
    struct api_answer a = {0};
    int r = ctl_connect(c, e);
    if (r == 0)
        r = s->stream ? api_upgrade(c->client, s->path, js_ref(s->body), s->stream, &a, e, details)
                      : api_call(c->client, "POST", s->path, js_ref(s->body), &a, e, details);
    if (r == 0 && answer)
        *answer = take_ptr(&a.body);
    api_answer_done(&a);
    return r;
}

/* An image that is not in the store is pulled, once. */
static int send(struct ctl *c, const struct sending *s, json **answer)
{
    struct err e = {0};
    struct problems details = {0};
    int status = 0, r = send_once(c, s, answer, &e, &details);
    auto_free char *image = r < 0 ? ctl_absent_image(&e, &details) : NULL;
    if (image) {
        auto_js json *pulled = NULL;
        fprintf(stderr, "image %s is not in the store: pulling it\n", image);
        problems_done(&details);
        err_clear(&e);
        status = ctl_pull(c, image, &(struct transfer_options){0}, &pulled);
        r = status ? 0 : send_once(c, s, answer, &e, &details);
    }
    if (r < 0)
        status = ctl_fail(c, &e, &details, s->what);
    js_free(s->body);
    problems_done(&details);
    return status;
}

int ctl_create(struct ctl *c, int argc, char **argv)
{
    struct ctl_create k = {0};
    json *source = NULL;
    auto_js json *answer = NULL;
    int status;
    if (parse(c, argc, argv, false, &k, &source, &status) < 0)
        return status;
    auto_free char *what = xasprintf("create%s%s", k.name ? " " : "", k.name ? k.name : "");
    json *body = ctl_create_body(&k, source, false, 0, 0);
    ctl_create_done(&k);
    status = send(c, &(struct sending){.path = "/zones", .body = body, .what = what}, &answer);
    if (status)
        return status;
    ctl_messages(answer);
    ctl_print_data(c, answer);
    return 0;
}

static int run_detached(struct ctl *c, json *body)
{
    auto_js json *answer = NULL;
    int status = send(c, &(struct sending){.path = "/run", .body = body, .what = "run"}, &answer);
    if (status)
        return status;
    ctl_messages(answer);
    if (!ctl_print_data(c, answer))
        puts(js_get_str(answer, "name", ""));
    return 0;
}

int ctl_run(struct ctl *c, int argc, char **argv)
{
    struct ctl_create k = {0};
    json *source = NULL;
    int status, rows = 24, cols = 80;
    c->own_failure = CTL_OWN_FAILURE;
    if (parse(c, argc, argv, true, &k, &source, &status) < 0)
        return status;
    if (k.tty && k.stdin_ && (status = ctl_need_terminal(c))) {
        ctl_create_done(&k);
        js_free(source);
        return status;
    }
    if (k.tty)
        ctl_window(&rows, &cols);
    json *body = ctl_create_body(&k, source, true, rows, cols);
    ctl_create_done(&k);
    if (k.detach)
        return run_detached(c, body);
    int fd = -1;
    status = send(c, &(struct sending){.path = "/run", .body = body, .what = "run", .stream = &fd}, NULL);
    if (fd >= 0)
        status = ctl_stream(c, fd, &(struct ctl_session){.tty = k.tty, .stdin_ = k.stdin_, .what = "run"});
    return status;
}
