/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PID 1 of an application zone: starts one program, reaps everything, passes signals on, ends with the
 * program's status.
 *
 *   zone-init ERRFD STATUSFD|- -- PROGRAM ARGS...
 *
 * ERRFD gets the errno of a failed exec (4 bytes), or is closed: that is "started". STATUSFD gets one byte,
 * the exit status, for supervisors on kernels where a pidfd does not tell it. After the program has started
 * this process must never give up: its end is the zone's end.
 *
 * Bare system calls, no libc: one of these stays in memory for every zone (12 kB instead of 700), and libc's
 * start costs half a millisecond in a virtual machine, where each CPUID instruction traps. Built freestanding
 * it brings its own entry; built with libc it is only started by it. Source: pid_namespaces(7), signal(7):
 * PID 1 gets only signals for which it has a handler or that it waits for. */
#include "sys.h"
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#define EXIT_USAGE 125
#define PATH_MAX_ 4096
#define WNOHANG_ 1
#define ALL_SIGNALS (~0ul)

struct info { /* the head of siginfo_t; the kernel fills 128 bytes */
    int signo, error, code, rest[29];
};

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

static const char *search_path(char **env)
{
    for (; *env; env++) {
        const char *v = *env, *k = "PATH=";
        while (*k && *v == *k)
            k++, v++;
        if (!*k)
            return v;
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* dir/name into out; false where it does not fit or dir is empty (that would be the working folder). */
static int join(char *out, const char **dir, const char *name)
{
    int n = 0;
    for (; **dir && **dir != ':'; (*dir)++)
        if (n < PATH_MAX_ - 2)
            out[n++] = **dir;
    if (**dir)
        (*dir)++;
    if (!n)
        return 0;
    out[n++] = '/';
    while (*name && n < PATH_MAX_ - 1)
        out[n++] = *name++;
    out[n] = '\0';
    return !*name;
}

/* Like execvpe, but a file without an interpreter is an error, not a shell script. Returns the errno to
 * report. */
static int run(char **args, char **env)
{
    char full[PATH_MAX_];
    const char *p = args[0], *dirs = search_path(env);
    int worst = ENOENT;
    while (*p && *p != '/')
        p++;
    if (*p || !args[0][0])
        return args[0][0] ? (int)-sys3(SYS_execve, args[0], args, env) : ENOENT;
    while (*dirs) {
        if (!join(full, &dirs, args[0]))
            continue;
        int code = (int)-sys3(SYS_execve, full, args, env);
        if (code != ENOENT && code != ENOTDIR)
            worst = code;
    }
    return worst;
}

static __attribute__((noinline, noreturn)) void become_program(char **args, char **env, int errfd,
                                                               unsigned long old)
{
    long self = sys3(SYS_getpid, 0, 0, 0);
    int foreground = (int)self, termios[16];
    sys3(SYS_setpgid, 0, 0, 0);
    if (sys3(SYS_ioctl, 0, TCGETS, termios) == 0) /* all signals are blocked, SIGTTOU with them */
        sys3(SYS_ioctl, 0, TIOCSPGRP, &foreground);
    sys4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof(old));
    int code = run(args, env);
    sys3(SYS_write, errfd, &code, sizeof(code));
    for (;;)
        sys3(SYS_exit_group, code == ENOENT ? 127 : 126, 0, 0);
}

static int status_of(int w)
{
    return w & 0x7f ? 128 + (w & 0x7f) : w >> 8 & 0xff;
}

/* Takes every child that has ended; the program's own status, or -1 while it runs. */
static int reap(int program)
{
    for (;;) {
        int w = 0;
        long p = sys4(SYS_wait4, -1, &w, WNOHANG_, 0);
        if (p == program)
            return status_of(w);
        if (p <= 0 && p != -EINTR)
            return -1;
    }
}

static int serve(int program)
{
    const unsigned long all = ALL_SIGNALS;
    for (;;) {
        struct info si = {.signo = 0};
        long sig = sys4(SYS_rt_sigtimedwait, &all, &si, 0, sizeof(all));
        int status = -1;
        if (sig == SIGCHLD)
            status = reap(program);
        /* A terminal's own (si_code SI_KERNEL) reach the foreground group without us, they would arrive
         * twice. */
        else if (sig > 0 && (si.code != SI_KERNEL || sig == SIGHUP || sig == SIGPWR))
            sys3(SYS_kill, program, sig, 0);
        if (status >= 0)
            return status;
    }
}

static int zone_init(int argc, char **argv, char **env)
{
    const unsigned long all = ALL_SIGNALS;
    unsigned long old = 0;
    if (argc < 5 || argv[3][0] != '-' || argv[3][1] != '-' || argv[3][2])
        return EXIT_USAGE;
    int errfd = number(argv[1]), statusfd = argv[2][0] == '-' ? -1 : number(argv[2]);
    if (errfd < 3 || sys3(SYS_fcntl, errfd, F_SETFD, FD_CLOEXEC) < 0)
        return EXIT_USAGE;
    if (statusfd >= 0)
        sys3(SYS_fcntl, statusfd, F_SETFD, FD_CLOEXEC);
    /* blocked and waited for; faults of our own (SIGSEGV…) still kill, blocked or not */
    sys4(SYS_rt_sigprocmask, SIG_BLOCK, &all, &old, sizeof(all));
    long program = sys6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0); /* a plain fork: some 10 pages */
    if (program == 0)
        become_program(argv + 4, env, errfd, old);
    if (program < 0) {
        int code = (int)-program;
        sys3(SYS_write, errfd, &code, sizeof(code));
        return 126;
    }
    sys3(SYS_close, errfd, 0, 0);
    int status = serve((int)program);
    unsigned char byte = (unsigned char)status;
    if (statusfd >= 0)
        sys3(SYS_write, statusfd, &byte, 1);
    return status;
}

#if __STDC_HOSTED__
int main(int argc, char **argv, char **env)
{
    return zone_init(argc, argv, env);
}
#else
__asm__(START_CODE);
_Noreturn void zone_init_start(long *stack);
void zone_init_start(long *stack)
{
    char **argv = (char **)(stack + 1);
    int status = zone_init((int)stack[0], argv, argv + stack[0] + 1);
    for (;;)
        sys3(SYS_exit_group, status, 0, 0);
}

void *memset(void *p, int c, unsigned long n);
void *memset(void *p, int c, unsigned long n) /* the compiler may call it */
{
    for (volatile char *b = p; n; n--)
        *b++ = (char)c;
    return p;
}
#endif
