/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions: somebody's upgraded connection, speaking api frames with PID 1's console (run, attach, console)
 * or with a program of exec. Bytes from the client are data of an outsider: frames are checked, sizes
 * bounded. A client that does not read never blocks the loop: its bytes wait in a bounded queue, and then it
 * either holds the console back (the one that started the zone) or is cut off. */
#include "zoned/sup/rt.h"
#include <sys/socket.h>

#define QUEUE_SOFT (256u * 1024)
#define QUEUE_MAX (4u * 1024 * 1024)

struct session *session_add(struct sup *s, enum session_kind kind, int fd, bool want_stdin)
{
    struct session *x = xcalloc(1, sizeof(*x));
    x->kind = kind;
    x->fd = fd;
    x->want_stdin = want_stdin;
    x->io = SUP_IO_NONE;
    x->devpts_fd = x->pidfd = -1;
    if (fd >= 0) {
        fd_nonblock(fd, true);
        x->in = malloc(sizeof(*x->in)); /* not cleared: 64 kB that only the used part of shall be touched */
        if (x->in)
            x->in->have = x->in->used = 0;
        else
            x->dead = true;
    }
    *vec_add(&s->sessions) = x;
    return x;
}

static void session_free(struct sup *s, struct session *x)
{
    jobs_forget(s, x);
    close_fd(&x->fd);
    io_close(&x->io);
    close_fd(&x->devpts_fd);
    free(x->in);
    free(x->pend);
    str_done(&x->out);
    free(x);
}

static struct sup_io *io_of(struct sup *s, struct session *x)
{
    return x->kind == SESSION_ZONE ? &s->rt.io : &x->io;
}

/* ---- to the client ---- */
static void flush_out(struct session *x)
{
    while (x->sent < x->out.len) {
        ssize_t n = send(x->fd, x->out.p + x->sent, x->out.len - x->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            x->dead = true;
            return;
        }
        x->sent += (size_t)n;
    }
    str_done(&x->out);
    x->sent = 0;
    if (x->ended) {
        (void)shutdown(x->fd, SHUT_WR);
        x->dead = true;
    }
}

void session_send(struct sup *s, struct session *x, enum api_frame_type type, const void *data, size_t n)
{
    unsigned char head[API_FRAME_HEAD];
    if (x->fd < 0 || x->dead || x->ended)
        return;
    api_frame_head(head, type, (uint32_t)n);
    size_t done = 0, total = API_FRAME_HEAD + n;
    if (x->out.len == 0) { /* mostly there is room: nothing is copied */
        struct iovec v[2] = {{head, API_FRAME_HEAD}, {(void *)data, n}};
        struct msghdr m = {.msg_iov = v, .msg_iovlen = n ? 2 : 1};
        ssize_t w = sendmsg(x->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (w < 0 && errno != EAGAIN && errno != EINTR) {
            x->dead = true;
            return;
        }
        done = w > 0 ? (size_t)w : 0;
    }
    if (done == total)
        return;
    if (done < API_FRAME_HEAD) {
        str_addn(&x->out, head + done, API_FRAME_HEAD - done);
        done = API_FRAME_HEAD;
    }
    str_addn(&x->out, (const char *)data + (done - API_FRAME_HEAD), total - done);
    if (x->out.len - x->sent > QUEUE_MAX)
        x->dead = true;
}

void session_exit(struct sup *s, struct session *x, int status, const struct err *e)
{
    auto_js json *o = js_object();
    js_set_int(o, "exit_status", status);
    if (e && e->code)
        js_set(o, "error", js_from_err(e, NULL));
    auto_free char *text = js_dump(o, false);
    session_send(s, x, API_EXIT, text, strlen(text));
    x->ended = true;
    if (x->fd >= 0 && !x->dead)
        flush_out(x);
    else
        x->dead = true;
}

void session_broadcast(struct sup *s, enum api_frame_type type, const void *data, size_t n)
{
    for (unsigned i = 0; i < s->sessions.len; i++)
        if (s->sessions.at[i]->kind == SESSION_ZONE)
            session_send(s, s->sessions.at[i], type, data, n);
}

bool session_blocks_console(const struct sup *s)
{
    for (unsigned i = 0; i < s->sessions.len; i++) {
        const struct session *x = s->sessions.at[i];
        if (x->kind == SESSION_ZONE && x->origin && !x->dead && x->out.len - x->sent > QUEUE_SOFT)
            return true;
    }
    return false;
}

/* ---- from the client ---- */
static int input_fd(struct sup *s, struct session *x)
{
    struct sup_io *io = io_of(s, x);
    return io->tty ? io->out : io->in;
}

static void close_input(struct sup *s, struct session *x)
{
    struct sup_io *io = io_of(s, x);
    if (!io->tty && (x->kind == SESSION_EXEC || x->origin))
        close_fd(&io->in);
}

static void write_pending(struct sup *s, struct session *x)
{
    int fd = input_fd(s, x);
    while (fd >= 0 && x->pend_off < x->pend_len) {
        ssize_t n = write(fd, x->pend + x->pend_off, x->pend_len - x->pend_off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_input(s, x); /* the program closed its end: the rest is nobody's */
            break;
        }
        x->pend_off += (size_t)n;
    }
    free(x->pend);
    x->pend = NULL;
    x->pend_len = x->pend_off = 0;
    if (x->pend_eof)
        close_input(s, x);
    x->pend_eof = false;
}

static void take_signal(struct sup *s, struct session *x, int sig)
{
    int pidfd = x->kind == SESSION_ZONE ? s->rt.pidfd : x->pidfd;
    if (sig >= 1 && sig <= SIGRTMAX && pidfd >= 0)
        (void)pidfd_kill(pidfd, sig);
}

static void take_frame(struct sup *s, struct session *x, enum api_frame_type type, const unsigned char *p,
                       uint32_t n)
{
    switch (type) {
    case API_STDIN:
        if (!x->want_stdin || n == 0)
            return;
        x->pend = xmemdup(p, n);
        x->pend_len = n;
        x->pend_off = 0;
        write_pending(s, x);
        return;
    case API_EOF:
        x->pend_eof = true;
        if (!x->pend)
            write_pending(s, x);
        return;
    case API_RESIZE:
        if (n == 4)
            console_resize(io_of(s, x), (unsigned)p[0] << 8 | p[1], (unsigned)p[2] << 8 | p[3]);
        return;
    case API_SIGNAL:
        if (n == 1)
            take_signal(s, x, p[0]);
        return;
    default:
        x->dead = true; /* not a client's frame */
    }
}

/* However its end was noticed: what waits for its input sees the end of that, and a program of exec loses its terminal. */
static void client_gone(struct sup *s, struct session *x)
{
    close_fd(&x->fd);
    if (x->pend && x->kind == SESSION_EXEC)
        x->pend_eof = true;
    else
        close_input(s, x);
    if (x->kind == SESSION_EXEC && x->io.tty)
        take_signal(s, x, SIGHUP);
}

/* Until nothing is left: frames may wait in the reader's buffer, where no poll sees them. */
static void read_client(struct sup *s, struct session *x)
{
    enum api_frame_type type;
    const unsigned char *payload;
    uint32_t n;
    while (!x->dead && !x->pend) {
        int r = api_frames_next(x->in, x->fd, &type, &payload, &n);
        if (r == 0)
            return;
        if (r < 0) {
            x->dead = true;
            return;
        }
        take_frame(s, x, type, payload, n);
    }
}

static void on_client(struct sup *s, void *arg, short revents)
{
    struct session *x = arg;
    if (revents & POLLOUT)
        flush_out(x);
    if (x->pend &&
        revents & (POLLHUP | POLLERR)) /* it reads and writes no more; poll would tell it without end */
        x->dead = true;
    else if (revents & (POLLIN | POLLHUP | POLLERR))
        read_client(s, x);
}

static void on_input_room(struct sup *s, void *arg, short revents)
{
    write_pending(s, arg);
    read_client(s, arg);
}

/* ---- exec's output ---- */
static int pump_exec(struct sup *s, struct session *x, int *fd, enum api_frame_type type)
{
    char buf[8192];
    ssize_t n = read(*fd, buf, sizeof(buf));
    if (n > 0) {
        session_send(s, x, type, buf, (size_t)n);
        return 1;
    }
    if (!(n < 0 && (errno == EAGAIN || errno == EINTR)))
        close_fd(fd);
    return 0;
}

static void on_exec_out(struct sup *s, void *arg, short revents)
{
    struct session *x = arg;
    (void)pump_exec(s, x, &x->io.out, API_STDOUT);
}

static void on_exec_err(struct sup *s, void *arg, short revents)
{
    struct session *x = arg;
    (void)pump_exec(s, x, &x->io.err, API_STDERR);
}

void session_exec_output(struct sup *s, struct session *x)
{
    for (unsigned i = 0; i < 64 && x->io.out >= 0 && pump_exec(s, x, &x->io.out, API_STDOUT); i++)
        ;
    for (unsigned i = 0; i < 64 && x->io.err >= 0 && pump_exec(s, x, &x->io.err, API_STDERR); i++)
        ;
}

void session_watch(struct sup *s, struct session *x)
{
    bool full = x->out.len - x->sent > QUEUE_SOFT;
    if (x->fd >= 0 && !x->dead) {
        bool waits = x->pend || (x->kind == SESSION_EXEC && !x->pid &&
                                 !x->ended); /* of one that enters yet only the end counts */
        short ev = (short)((waits ? 0 : POLLIN) | (x->out.len ? POLLOUT : 0));
        sup_watch(s, x->fd, ev, on_client, x);
    }
    int in = input_fd(s, x);
    if (x->pend && in >= 0)
        sup_watch(s, in, POLLOUT, on_input_room, x);
    if (x->kind != SESSION_EXEC || full)
        return;
    if (x->io.out >= 0)
        sup_watch(s, x->io.out, POLLIN, on_exec_out, x);
    if (x->io.err >= 0)
        sup_watch(s, x->io.err, POLLIN, on_exec_err, x);
}

/* Frees what is over; an exec whose program runs on is kept for its output's sake (nobody reads: it is thrown
 * away). */
void sessions_sweep(struct sup *s)
{
    for (unsigned i = 0; i < s->sessions.len;) {
        struct session *x = s->sessions.at[i];
        if (x->dead && x->fd >= 0)
            client_gone(s, x);
        if (x->dead && !(x->kind == SESSION_EXEC && x->pid > 0)) {
            vec_remove(&s->sessions, i);
            session_free(s, x);
            continue;
        }
        i++;
    }
}

bool sessions_pending(const struct sup *s)
{
    for (unsigned i = 0; i < s->sessions.len; i++)
        if (!s->sessions.at[i]->dead && s->sessions.at[i]->fd >= 0)
            return true;
    return false;
}

void sessions_end_zone(struct sup *s)
{
    for (unsigned i = 0; i < s->sessions.len; i++) {
        struct session *x = s->sessions.at[i];
        if (x->ended)
            continue;
        int status = s->exit_status >= 0 ? s->exit_status : 125;
        if (s->exit_status < 0 && s->error.kind == ERR_INVALID && s->error.code == ENOENT)
            status = 127;
        if (s->exit_status < 0 && s->error.kind == ERR_INVALID && s->error.code == EACCES)
            status = 126;
        session_exit(s, x, x->kind == SESSION_EXEC ? 137 : status,
                     x->kind == SESSION_ZONE ? &s->error : NULL);
    }
}
