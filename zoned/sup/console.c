/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console of a zone: a pty or pipes on one side, the log and attached sessions on the other. Nothing is
 * kept in memory: what is read is logged at once. The zone must never get EPIPE or SIGPIPE because a
 * supervisor died, and must never block this loop. */
#include "zoned/sup/rt.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#define CHUNK 8192

void io_close(struct sup_io *io)
{
    close_fd(&io->in);
    close_fd(&io->out);
    close_fd(&io->err);
    io->tty = false;
}

/* One output pipe. keep_open: the zone's end is opened for reading and writing, so that the zone itself is a
 * reader and a write after our death waits in the pipe instead of killing the writer. */
static int out_pipe(int *ours, int *theirs, bool keep_open, uint32_t owner, struct err *e)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    /* so that the zone's own processes may open /dev/stdout and /dev/stderr; the pipe has no other name */
    if (fchown(p[1], owner, owner) < 0 || fchmod(p[1], 0666) < 0) {
        fd_close_all(p, 2);
        return err_sys(e, "owner of a console pipe");
    }
    if (keep_open) {
        char path[32];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
        int both = open(path, O_RDWR | O_CLOEXEC);
        if (both >= 0) {
            close(p[1]);
            p[1] = both;
        }
    }
    fd_nonblock(p[0], true);
    *ours = p[0];
    *theirs = p[1];
    return 0;
}

int console_pipes(struct sup_io *io, int stdio[3], bool with_stdin, bool keep_open, uint32_t owner,
                  struct err *e)
{
    int p[2], r;
    io->tty = false;
    if (with_stdin) {
        if (pipe2(p, O_CLOEXEC) < 0)
            return err_sys(e, "pipe");
        stdio[0] = p[0];
        io->in = p[1];
        fd_nonblock(p[1], true);
        (void)!fchown(p[0], owner, owner);
    } else {
        stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (stdio[0] < 0)
            return err_sys(e, "/dev/null");
    }
    if ((r = out_pipe(&io->out, &stdio[1], keep_open, owner, e)) < 0)
        return r;
    return out_pipe(&io->err, &stdio[2], keep_open, owner, e);
}

int console_pty(int devpts_fd, uint32_t uid_base, struct sup_io *io, int stdio[3], struct err *e)
{
    int master, slave;
    int r = nspace_pty_new(devpts_fd, uid_base, &master, &slave, e);
    if (r < 0)
        return r;
    fd_nonblock(master, true);
    io->out = master;
    io->tty = true;
    stdio[0] = slave;
    stdio[1] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
    stdio[2] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
    return stdio[1] < 0 || stdio[2] < 0 ? err_sys(e, "dup") : 0;
}

/* The zone's end of a pipe of ours is open for reading too (out_pipe), so what was written meanwhile waits in it. A zone may
 * have put another pipe there: then that is what is logged of it, no more. A pty does not outlive its master. */
static int pipe_of(const struct sup *s, unsigned n)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)s->rt.pid, n);
    auto_fd int there = open(path, O_PATH | O_CLOEXEC);
    /* asked after the open: it is this PID 1's, and no other process's of the same number */
    if (there < 0 || pidfd_kill(s->rt.pidfd, 0) < 0 || fstat(there, &st) < 0 || !S_ISFIFO(st.st_mode))
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", there);
    return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

void console_reopen(struct sup *s)
{
    struct sup_io *io = &s->rt.io;
    if (io->tty || s->rt.pidfd < 0 || s->plan->spec->init == SPEC_INIT_SYSTEM)
        return;
    if (io->out < 0)
        io->out = pipe_of(s, 1);
    if (io->err < 0)
        io->err = pipe_of(s, 2);
}

void console_resize(const struct sup_io *io, unsigned rows, unsigned cols)
{
    struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
    if (io->tty && io->out >= 0 && rows && cols && rows < 65536 && cols < 65536)
        (void)ioctl(io->out, TIOCSWINSZ, &w);
}

/* One read of one stream. 1: more may be there. */
static int pump(struct sup *s, int *fd, const char *stream, enum api_frame_type type)
{
    char buf[CHUNK];
    ssize_t n = read(*fd, buf, sizeof(buf));
    if (n > 0) {
        log_write(&s->log, stream, buf, (size_t)n);
        session_broadcast(s, type, buf, (size_t)n);
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    /* A pty whose slaves are all closed gives EIO, and POLLHUP for ever, until somebody opens one again (an
     * init that restarts its getty): then we hold one ourselves. Pipes end for good. */
    if (s->rt.io.tty && n < 0 && errno == EIO && s->rt.stdio[0] < 0)
        s->rt.stdio[0] = ioctl(*fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (!s->rt.io.tty || s->rt.stdio[0] < 0)
        close_fd(fd);
    return 0;
}

static void on_out(struct sup *s, void *arg, short revents)
{
    (void)pump(s, &s->rt.io.out, "stdout", API_STDOUT);
}

static void on_err(struct sup *s, void *arg, short revents)
{
    (void)pump(s, &s->rt.io.err, "stderr", API_STDERR);
}

void console_watch(struct sup *s)
{
    struct sup_io *io = &s->rt.io;
    if (session_blocks_console(s))
        return;
    if (io->out >= 0)
        sup_watch(s, io->out, POLLIN, on_out, NULL);
    if (io->err >= 0)
        sup_watch(s, io->err, POLLIN, on_err, NULL);
}

/* All that is there, after PID 1's end. Bounded: nobody writes any more, but a pipe shared outwards must not
 * hold us. */
void console_drain(struct sup *s)
{
    struct sup_io *io = &s->rt.io;
    for (unsigned i = 0; i < 1024 && io->out >= 0 && pump(s, &io->out, "stdout", API_STDOUT); i++)
        ;
    for (unsigned i = 0; i < 1024 && io->err >= 0 && pump(s, &io->err, "stderr", API_STDERR); i++)
        ;
}
