/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs of the program zone-image: started here, their lines passed on, ended when whoever asked has gone. Whatever is slow or
 * reads foreign bytes is over there; zoned only copies lines. A job dies with zoned and leaves a usable store. */
#include "zoned/images.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define JOB_FD 3
#define LINE_MAX_BYTES (64u << 20) /* a list of very many images */

struct image_job {
    struct zd *d;
    enum image_answer how;
    struct zd_request *r;     /* not answered yet, or NULL */
    struct zd_stream *stream; /* its answer, until it is closed */
    pid_t pid;
    int fd;
    struct sd_event_source *io;
    struct str text;
    bool told, finished, ended; /* its last line has come; answered; its process is gone */
    image_done done;
    void *arg;
};

static void maybe_free(struct image_job *j)
{
    if (!j->finished || !j->ended || j->stream)
        return;
    str_done(&j->text);
    free(j);
}

static void cancel(struct image_job *j)
{
    if (j->pid > 0)
        (void)kill(j->pid, SIGKILL);
}

/* ---- to the client ---- */
static void on_gone(struct zd_request *r, void *arg)
{
    cancel(arg);
}

static void on_closed(void *arg)
{
    struct image_job *j = arg;
    j->stream = NULL;
    if (!j->finished)
        cancel(j);
    maybe_free(j);
}

static void send_line(struct image_job *j, const char *text, size_t n)
{
    if (j->r) {
        struct zd_request *r = take_ptr(&j->r);
        j->stream = zd_reply_stream(r, "application/x-ndjson", on_closed, j);
    }
    if (j->stream) {
        zd_stream_write(j->stream, text, n);
        zd_stream_write(j->stream, "\n", 1);
    }
}

static void send_object(struct image_job *j, const char *key, json *value)
{
    auto_js json *o = js_object();
    js_set(o, key, value);
    auto_free char *text = js_dump(o, false);
    send_line(j, text, strlen(text));
}

void image_note(struct image_job *j, const char *text)
{
    if (j->how == IMAGE_STREAM && !j->finished)
        send_object(j, "note", js_string(text));
}

/* An error before anything was told has a status of its own. */
void image_finish(struct image_job *j, const json *result, const struct err *e, const struct problems *ps)
{
    struct zd_request *r = j->r;
    bool failed = err_is(e);
    if (r && failed) {
        j->r = NULL;
        zd_reply_error(r, e, ps);
    } else if (r && j->how == IMAGE_RESULT) {
        j->r = NULL;
        zd_reply_json(r, 200, js_ref((json *)result));
    } else if (j->how == IMAGE_STREAM) {
        send_object(j, failed ? "error" : "result", failed ? js_from_err(e, ps) : js_ref((json *)result));
    }
    j->finished = true;
    if (j->stream)
        zd_stream_end(j->stream);
    else
        maybe_free(j);
}

/* ---- from the worker ---- */
static void tell_end(struct image_job *j, const json *result, const struct err *e)
{
    j->told = true;
    if (j->done)
        j->done(j, result, e, j->arg);
    else
        image_finish(j, result, e, NULL);
}

static void take_line(struct image_job *j, const char *text, size_t n)
{
    struct err e = {0};
    auto_js json *line = j->told ? NULL : js_parse(text, n, NULL);
    if (!line)
        return;
    if (js_get(line, "error")) {
        js_to_err(js_get(line, "error"), &e, NULL);
        tell_end(j, NULL, &e);
    } else if (js_get(line, "result")) {
        tell_end(j, js_get(line, "result"), &e);
    } else if (j->how == IMAGE_STREAM) {
        send_line(j, text, n);
    }
}

static void take_lines(struct image_job *j)
{
    size_t at = 0;
    for (char *nl; at < j->text.len && (nl = memchr(j->text.p + at, '\n', j->text.len - at));) {
        size_t n = (size_t)(nl - (j->text.p + at));
        take_line(j, j->text.p + at, n);
        at += n + 1;
    }
    if (at) {
        memmove(j->text.p, j->text.p + at, j->text.len - at);
        j->text.len -= at;
    }
}

static void worker_ended(struct image_job *j)
{
    int status = 0;
    sd_event_source_disable_unref(j->io);
    close(j->fd);
    (void)waitpid(j->pid, &status, 0);
    j->pid = 0;
    if (!j->told) {
        struct err e = {0};
        err_set(&e, ERR_INTERNAL, ECANCELED, "the process at work on the images ended without a word (%s %d)",
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        err_hint(&e, "the store is as it was; try again, and look at zoned's log");
        tell_end(j, NULL, &e);
    }
    j->ended = true; /* NOLINT: before this nobody frees it */
    maybe_free(j);
}

static int on_output(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    struct image_job *j = arg;
    char buf[65536];
    ssize_t n = read(fd, buf, sizeof(buf));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n > 0 && j->text.len < LINE_MAX_BYTES) {
        str_addn(&j->text, buf, (size_t)n);
        take_lines(j);
        return 0;
    }
    cancel(j);
    worker_ended(j);
    return 0;
}

/* ---- its start ---- */
static _Noreturn void become(const struct zd *d, const char *program, pid_t parent, int job, int out)
{
    static char *const env[] = {NULL};
    char *argv[] = {(char *)program, NULL};
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR), held = fcntl(job, F_DUPFD, 10);
    if (getppid() != parent || null < 0 || held < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(null, STDIN_FILENO) < 0 || dup2(held, JOB_FD) < 0)
        _exit(127);
    close_range(JOB_FD + 1, ~0u, 0);
    execve(program, argv, env);
    _exit(127);
}

static int write_job(const json *args, struct err *e)
{
    auto_free char *text = js_dump(args, false);
    auto_fd int fd = memfd_create("job", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_sysk(e, ERR_INTERNAL, r < 0 ? -r : errno, "job for zone-image");
    return take_fd(&fd);
}

static int spawn(struct image_job *j, const json *args, struct err *e)
{
    auto_free char *program = path_join(j->d->bin_dir, "zone-image");
    int p[2];
    auto_fd int job = write_job(args, e);
    if (job < 0)
        return job;
    if (access(program, X_OK) < 0)
        return err_sys(e, "%s", program);
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    pid_t parent = getpid();
    j->pid = fork();
    if (j->pid == 0)
        become(j->d, program, parent, job, p[1]);
    close(p[1]);
    j->fd = p[0];
    if (j->pid < 0) {
        close(p[0]);
        return err_sys(e, "fork");
    }
    int r = sd_event_add_io(j->d->event, &j->io, j->fd, EPOLLIN, on_output, j);
    if (r >= 0)
        return 0;
    cancel(j);
    waitpid(j->pid, NULL, 0);
    close(j->fd);
    return err_sysk(e, ERR_INTERNAL, -r, "event source");
}

int image_run_known(struct zd *d, const char *op, json *args, enum image_answer how, struct zd_request *r,
                    image_done done, void *arg, pid_t *pid, struct err *e)
{
    auto_js json *job = args ? args : js_object();
    struct image_job *j = xcalloc(1, sizeof(*j));
    *j = (struct image_job){.d = d, .how = how, .r = how == IMAGE_QUIET ? NULL : r, .done = done, .arg = arg};
    js_set_str(job, "op", op);
    js_set_str(job, "pool", d->lib_dir);
    int k = spawn(j, job, e);
    if (k < 0) {
        free(j);
        return k;
    }
    if (j->r)
        zd_on_gone(j->r, on_gone, j);
    *pid = j->pid;
    return 0;
}

int image_run(struct zd *d, const char *op, json *args, enum image_answer how, struct zd_request *r,
              image_done done, void *arg, struct err *e)
{
    pid_t pid;
    return image_run_known(d, op, args, how, r, done, arg, &pid, e);
}
