/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An upgraded connection between this terminal (or these pipes) and a program in a zone. One poll loop; what
 * goes to zoned is kept in one buffer while the socket is full, because waiting for it without reading could
 * stop both sides for ever. The terminal is given back on every way out. */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>

#define READ_MAX 16384u
#define OUT_ROOM 1024u /* beside data: for signals, sizes and the end of file */

static struct termios saved;
static bool raw;

struct stream {
    struct ctl *c;
    const struct ctl_session *s;
    int fd, sig;
    bool stdin_open, leave;
    int left_by; /* signal that ends us while the terminal is raw */
    struct ctl_escape escape;
    size_t out_at, out_len;
    unsigned char out[2 * READ_MAX + API_FRAME_HEAD + OUT_ROOM];
};

static void restore_terminal(void)
{
    if (raw)
        tcsetattr(0, TCSADRAIN, &saved);
    raw = false;
}

static bool raw_terminal(void)
{
    struct termios t;
    if (tcgetattr(0, &saved) < 0)
        return false;
    t = saved;
    cfmakeraw(&t);
    if (tcsetattr(0, TCSADRAIN, &t) < 0)
        return false;
    if (!raw)
        atexit(restore_terminal);
    raw = true;
    return true;
}

/* The end of a file is no key: a shell on a terminal would wait for the next one for ever. */
int ctl_need_terminal(struct ctl *c)
{
    struct err e = {0};
    if (isatty(0))
        return 0;
    err_set(&e, ERR_USAGE, ENOTTY, "-t: standard input is not a terminal");
    err_hint(&e, "leave out -t");
    return ctl_fail(c, &e, NULL, c->called);
}

void ctl_window(int *rows, int *cols)
{
    struct winsize w = {0};
    *rows = 24;
    *cols = 80;
    for (int fd = 0; fd < 3; fd++) {
        if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col) {
            *rows = w.ws_row;
            *cols = w.ws_col;
            return;
        }
    }
}

size_t ctl_escape_keys(struct ctl_escape *s, const char *in, size_t n, char *out, bool *leave)
{
    size_t m = 0;
    *leave = false;
    for (size_t i = 0; i < n; i++) {
        char ch = in[i];
        if (s->tilde) {
            s->tilde = false;
            if (ch == '.') {
                *leave = true;
                return m;
            }
            out[m++] = '~';
            s->in_line = true;
            if (ch == '~')
                continue;
        } else if (ch == '~' && !s->in_line) {
            s->tilde = true;
            continue;
        }
        out[m++] = ch;
        s->in_line = ch != '\r' && ch != '\n';
    }
    return m;
}

static void queue(struct stream *t, enum api_frame_type type, const void *data, size_t n)
{
    if (t->out_at && t->out_at == t->out_len)
        t->out_at = t->out_len = 0;
    if (t->out_len + API_FRAME_HEAD + n > sizeof(t->out))
        return; /* only a storm of signals while the socket is full */
    api_frame_head(t->out + t->out_len, type, (uint32_t)n);
    if (n)
        memcpy(t->out + t->out_len + API_FRAME_HEAD, data, n);
    t->out_len += API_FRAME_HEAD + n;
}

static int flush_out(struct stream *t)
{
    while (t->out_at < t->out_len) {
        ssize_t r = send(t->fd, t->out + t->out_at, t->out_len - t->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return errno == EAGAIN ? 0 : -errno;
        t->out_at += (size_t)r;
    }
    t->out_at = t->out_len = 0;
    return 0;
}

static void take_stdin(struct stream *t)
{
    static char in[READ_MAX], out[READ_MAX + 1];
    ssize_t n = read(0, in, sizeof(in));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        t->stdin_open = false;
        queue(t, API_EOF, NULL, 0);
        return;
    }
    if (t->s->escape && raw) {
        size_t m = ctl_escape_keys(&t->escape, in, (size_t)n, out, &t->leave);
        if (m)
            queue(t, API_STDIN, out, m);
    } else {
        queue(t, API_STDIN, in, (size_t)n);
    }
}

static void take_signal(struct stream *t)
{
    struct signalfd_siginfo si;
    if (read(t->sig, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return;
    unsigned char signo = (unsigned char)si.ssi_signo;
    if (signo == SIGWINCH) {
        int rows, cols;
        ctl_window(&rows, &cols);
        unsigned char size[4] = {(unsigned char)(rows >> 8), (unsigned char)rows, (unsigned char)(cols >> 8),
                                 (unsigned char)cols};
        if (t->s->tty)
            queue(t, API_RESIZE, size, sizeof(size));
    } else if (raw) {
        t->left_by = signo;
        t->leave = true;
    } else {
        queue(t, API_SIGNAL, &signo, 1);
    }
}

static int write_out(int fd, const unsigned char *p, size_t n)
{
    while (n) {
        ssize_t r = write(fd, p, n);
        if (r < 0 && errno == EAGAIN) {
            struct pollfd pf = {fd, POLLOUT, 0};
            poll(&pf, 1, -1);
        } else if (r < 0 && errno != EINTR) {
            return -errno;
        }
        n -= r > 0 ? (size_t)r : 0;
        p += r > 0 ? r : 0;
    }
    return 0;
}

static int take_exit(struct stream *t, const unsigned char *payload, uint32_t n)
{
    auto_js json *j = js_parse((const char *)payload, n, NULL);
    json *error = js_get(j, "error");
    int status = (int)js_get_int(j, "exit_status", t->c->own_failure ? t->c->own_failure : 1);
    restore_terminal();
    if (js_type_of(error) == JS_OBJECT) {
        struct err e = {0};
        struct problems details = {0};
        js_to_err(error, &e, &details);
        int own = ctl_fail(t->c, &e, &details, t->s->what);
        status = t->c->own_failure ? status : own;
        problems_done(&details);
    }
    return status & 255;
}

static int lost(struct stream *t, int code)
{
    struct err e = {0};
    restore_terminal();
    if (code == EPROTO)
        err_set(&e, ERR_INTERNAL, EPROTO, "zoned sent something that is no frame");
    else
        err_set(&e, ERR_UNREACHABLE, code, "the connection to zoned ended before the program did");
    return ctl_fail(t->c, &e, NULL, t->s->what);
}

/* All frames that are there. -1: go on; else the exit status. */
static int take_frames(struct stream *t, struct api_frames *f)
{
    enum api_frame_type type;
    const unsigned char *payload;
    uint32_t n;
    int r;
    while ((r = api_frames_next(f, t->fd, &type, &payload, &n)) > 0) {
        if (type == API_EXIT)
            return take_exit(t, payload, n);
        if (type == API_STDOUT || type == API_STDERR)
            r = write_out(type == API_STDOUT ? 1 : 2, payload, n);
        if (r < 0)
            return lost(t, -r);
    }
    return r < 0 ? lost(t, r == -ECONNRESET ? EPIPE : -r) : -1;
}

/* Blocks the signals that are forwarded and gives a descriptor of them. */
static int catch_signals(const struct ctl_session *s)
{
    sigset_t set;
    sigemptyset(&set);
    static const int all[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        sigaddset(&set, all[i]);
    if (s->tty)
        sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int loop(struct stream *t)
{
    static struct api_frames frames;
    int status;
    for (;;) {
        if (flush_out(t) < 0) { /* the last frames may still be there to be read */
            t->stdin_open = false;
            t->out_at = t->out_len = 0;
        }
        if (t->leave)
            return t->left_by ? 128 + t->left_by : 0;
        bool full = t->out_at < t->out_len;
        struct pollfd p[] = {{t->fd, (short)(POLLIN | (full ? POLLOUT : 0)), 0},
                             {t->sig, POLLIN, 0},
                             {t->stdin_open && !full ? 0 : -1, POLLIN, 0}};
        if (poll(p, 3, -1) < 0) {
            if (errno == EINTR)
                continue;
            return lost(t, errno);
        }
        if (p[0].revents & ~POLLOUT && (status = take_frames(t, &frames)) >= 0)
            return status;
        if (p[1].revents)
            take_signal(t);
        if (p[2].revents)
            take_stdin(t);
    }
}

int ctl_stream(struct ctl *c, int fd, const struct ctl_session *s)
{
    static struct stream t; /* not on the stack: its pages are touched only as far as they are used */
    t.c = c;
    t.s = s;
    t.fd = fd;
    t.stdin_open = s->stdin_;
    t.sig = catch_signals(s);
    if (s->tty && s->stdin_ && isatty(0))
        raw_terminal();
    int status = loop(&t);
    restore_terminal();
    if (t.leave && !t.left_by)
        fputs("\r\n", stderr);
    close(t.sig);
    close(fd);
    return status;
}
