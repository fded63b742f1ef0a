/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PID 1 of an application zone: starts one program, reaps everything, passes signals on, ends with the
 * program's status.
 *
 *   zone-init ERRFD STATUSFD|- -- PROGRAM ARGS...
 *
 * ERRFD gets the errno of a failed exec (4 bytes), or is closed: that is "started". STATUSFD gets one byte,
 * the exit status, for supervisors on kernels where a pidfd does not tell it. Static, no stdio, no heap: one
 * of these stays in memory for every zone. After the program has started this process must never give up: its
 * end is the zone's end. Source: pid_namespaces(7), signal(7): PID 1 gets only signals for which it has a
 * handler or that it waits for. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_USAGE 125

static int number(const char *s)
{
    int v = 0;
    if (!*s)
        return -1;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || v > 100000)
            return -1;
        v = v * 10 + (*s - '0');
    }
    return v;
}

/* In the child of vfork: the parent's memory is shared until exec, so nothing is written but locals. */
static _Noreturn void become_program(char **args, int errfd, const sigset_t *old)
{
    setpgid(0, 0);
    if (isatty(0)) {
        pid_t self = getpid();
        signal(SIGTTOU, SIG_IGN); /* this group is not the terminal's foreground yet */
        (void)!ioctl(0, TIOCSPGRP, &self);
        signal(SIGTTOU, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, old, NULL);
    execvp(args[0], args);
    int code = errno;
    (void)!write(errfd, &code, sizeof(code));
    _exit(code == ENOENT ? 127 : 126);
}

static int status_of(int w)
{
    return WIFSIGNALED(w) ? 128 + WTERMSIG(w) : WEXITSTATUS(w);
}

/* Takes every child that has ended; the program's own status, or -1 while it runs. */
static int reap(pid_t program)
{
    for (;;) {
        int w;
        pid_t p = waitpid(-1, &w, WNOHANG);
        if (p == program)
            return status_of(w);
        if (p < 0 && errno == EINTR)
            continue;
        if (p <= 0)
            return -1;
    }
}

/* To the program alone, as with any init: its children are its own business. If it is stopped it stays so
 * (SIGCONT goes through like the others). */
static void forward(pid_t program, int sig)
{
    kill(program, sig);
}

static int serve(pid_t program, const sigset_t *all)
{
    for (;;) {
        siginfo_t si;
        int sig = sigwaitinfo(all, &si), status = -1;
        if (sig < 0)
            continue;
        if (sig == SIGCHLD)
            status = reap(program);
        /* The kernel's own (a terminal's SIGINT reaches the foreground group anyway) would arrive twice. */
        else if (si.si_code != SI_KERNEL || sig == SIGHUP || sig == SIGPWR)
            forward(program, sig);
        if (status >= 0)
            return status;
    }
}

int main(int argc, char **argv)
{
    sigset_t all, old;
    if (argc < 5 || strcmp(argv[3], "--"))
        return EXIT_USAGE;
    int errfd = number(argv[1]), statusfd = strcmp(argv[2], "-") ? number(argv[2]) : -1;
    if (errfd < 3 || fcntl(errfd, F_SETFD, FD_CLOEXEC) < 0)
        return EXIT_USAGE;
    if (statusfd >= 0)
        (void)fcntl(statusfd, F_SETFD, FD_CLOEXEC);

    sigfillset(&all); /* blocked and waited for; faults of our own (SIGSEGV…) still kill, blocked or not */
    sigprocmask(SIG_BLOCK, &all, &old);
    pid_t program = vfork();
    if (program == 0)
        become_program(argv + 4, errfd, &old);
    int code = errno;
    if (program < 0) {
        (void)!write(errfd, &code, sizeof(code));
        return 126;
    }
    close(errfd);
    int status = serve(program, &all);
    unsigned char byte = (unsigned char)status;
    if (statusfd >= 0)
        (void)!write(statusfd, &byte, 1);
    return status;
}
