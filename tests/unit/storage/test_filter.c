/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left to the process that reads strangers' images: each call is made once without the filter's leave and must be EPERM
 * (without the filter it is not), and once with it. */
#include "base/auto.h"
#include "storage/images.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long do_exec(void)
{
    char *argv[] = {(char *)"/nowhere", NULL};
    return execve(argv[0], argv, argv + 1);
}
static long do_trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static long do_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static long do_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long do_bind(void)
{
    return bind(-1, NULL, 0);
}
static long do_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long do_mount(void)
{
    return mount("none", "/nowhere", "tmpfs", 0, NULL);
}
static long do_setns(void)
{
    return setns(-1, 0);
}
static long do_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}
static long do_handle(void)
{
    return syscall(SYS_open_by_handle_at, -1, NULL, 0);
}
static long do_key(void)
{
    return syscall(SYS_keyctl, 99999);
}
static long do_pivot(void)
{
    return syscall(SYS_pivot_root, "/nowhere", "/nowhere");
}
static long do_push(void)
{
    return ioctl(-1, TIOCSTI, "x");
}
static long do_open(void)
{
    return open("/nowhere", O_RDONLY);
}

/* The errno of a call made by a child. */
static int answer(long (*call)(void), bool filter, enum img_sockets sockets, bool mounts)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct err e = {0};
        if (filter && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || img_confine(sockets, mounts, &e) < 0))
            _exit(255);
        errno = 0;
        _exit(call() < 0 ? errno : 0);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

int main(void)
{
    static const struct {
        const char *name;
        long (*call)(void);
    } never[] = {{"execve", do_exec},  {"ptrace", do_trace},
                 {"setns", do_setns},  {"open_by_handle_at", do_handle},
                 {"keyctl", do_key},   {"pivot_root", do_pivot},
                 {"TIOCSTI", do_push}, {"a socket to the hypervisor", do_vsock},
                 {"bpf", do_bpf}};
    for (unsigned i = 0; i < ARRAY_LEN(never); i++)
        ok(answer(never[i].call, true, IMG_ALL_SOCKETS, true) == EPERM &&
               answer(never[i].call, false, IMG_NO_SOCKETS, false) != EPERM,
           "%s: with the filter alone it is not permitted", never[i].name);
    ok(answer(do_socket, true, IMG_NO_SOCKETS, true) == EPERM &&
           answer(do_unix, true, IMG_NO_SOCKETS, true) == EPERM,
       "no socket");
    ok(answer(do_socket, true, IMG_ALL_SOCKETS, false) == 0 &&
           answer(do_unix, true, IMG_ALL_SOCKETS, false) == 0,
       "but with leave");
    ok(answer(do_socket, true, IMG_UNIX_SOCKETS, false) == EPERM &&
           answer(do_bind, true, IMG_UNIX_SOCKETS, false) == EPERM,
       "to nobody but zoned");
    ok(answer(do_unix, true, IMG_UNIX_SOCKETS, false) == 0, "with leave for that alone");
    ok(answer(do_mount, true, IMG_ALL_SOCKETS, false) == EPERM, "no mount");
    ok(answer(do_mount, true, IMG_NO_SOCKETS, true) == ENOENT, "but with leave");
    ok(answer(do_open, true, IMG_NO_SOCKETS, false) == ENOENT, "files are opened");
    return done_testing();
}
