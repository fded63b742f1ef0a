/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slow work (unpacking, copying, deleting) in a forked process, so that the loop never waits. The result
 * comes back as JSON through a pipe; a worker that dies gives an error. */
#include "base/fd.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#define OUTPUT_MAX (128u << 20) /* a diff of a million files */

struct worker {
    struct zd *d;
    pid_t pid;
    int fd;
    struct sd_event_source *io;
    struct str out;
    void (*done)(struct zd *d, json *result, void *arg);
    void *arg;
};

static void finish(struct worker *w)
{
    int status = 0;
    sd_event_source_disable_unref(w->io);
    close(w->fd);
    waitpid(w->pid, &status, 0);
    json *result = w->out.len ? js_parse(w->out.p, w->out.len, NULL) : NULL;
    if (!result) {
        struct err e = {0};
        err_set(&e, ERR_INTERNAL, EIO, "a worker ended without an answer (status %d)",
                exit_status_of(status));
        result = js_object();
        js_set(result, "error", js_from_err(&e, NULL));
    }
    w->done(w->d, result, w->arg);
    js_free(result);
    str_done(&w->out);
    free(w);
}

static int on_output(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    struct worker *w = arg;
    char buf[16384];
    ssize_t n = read(fd, buf, sizeof(buf));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n > 0 && w->out.len < OUTPUT_MAX) {
        str_addn(&w->out, buf, (size_t)n);
        return 0;
    }
    finish(w);
    return 0;
}

static _Noreturn void work_in_child(struct zd *d, pid_t parent, int out, json *(*work)(struct zd *, void *),
                                    void *arg)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* its half-done work is cleared from staging/ at the next start */
    if (getppid() != parent)
        _exit(1);
    close_fd(&d->lock_fd); /* the next zoned shall not wait for our end */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    json *result = work(d, arg);
    char *text = result ? js_dump(result, false) : NULL;
    if (text)
        (void)fd_write_full(out, text, strlen(text));
    _exit(text ? 0 : 1);
}

int worker_run(struct zd *d, json *(*work)(struct zd *d, void *arg), void *arg,
               void (*done)(struct zd *d, json *result, void *arg), struct err *e)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        work_in_child(d, parent, p[1], work, arg);
    close(p[1]);
    if (pid < 0) {
        close(p[0]);
        return err_sys(e, "fork");
    }
    struct worker *w = xcalloc(1, sizeof(*w));
    *w = (struct worker){.d = d, .pid = pid, .fd = p[0], .done = done, .arg = arg};
    int r = sd_event_add_io(d->event, &w->io, p[0], EPOLLIN, on_output, w);
    if (r < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(p[0]);
        free(w);
        return err_sysk(e, ERR_INTERNAL, -r, "event source");
    }
    return 0;
}

/* ---- an answer that is slow to make ---- */
struct answer {
    struct zd_request *r;
    json *(*make)(struct zd *d, const char *name, struct err *e);
    char *name;
};

static json *answer_work(struct zd *d, void *arg)
{
    struct answer *a = arg;
    struct err e = {0};
    json *o = js_object(), *value = a->make(d, a->name, &e);
    if (value)
        js_set(o, "value", value);
    else
        js_set(o, "error", js_from_err(&e, NULL));
    return o;
}

static void answer_done(struct zd *d, json *result, void *arg)
{
    struct answer *a = arg;
    struct err e = {0};
    if (js_get(result, "value")) {
        zd_reply_json(a->r, 200, js_ref(js_get(result, "value")));
    } else {
        js_to_err(js_get(result, "error"), &e, NULL);
        zd_reply_error(a->r, &e, NULL);
    }
    free(a->name);
    free(a);
}

int worker_answer(struct zd *d, struct zd_request *r, const char *name,
                  json *(*make)(struct zd *d, const char *name, struct err *e), struct err *e)
{
    struct answer *a = xcalloc(1, sizeof(*a));
    *a = (struct answer){.r = r, .make = make, .name = xstrdup(name)};
    int k = worker_run(d, answer_work, a, answer_done, e);
    if (k < 0) {
        free(a->name);
        free(a);
    }
    return k;
}
