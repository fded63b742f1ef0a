/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone's answer to every system call, without making any: a second filter of ours traces all calls that carry a
 * mark in their sixth argument. An errno of the zone's filter comes before a trace; what the zone's filter allows
 * stops at our tracer, which puts a number of ours in its place. Sources: seccomp(2), ptrace(2). */
#include "tests/hostile/hostile.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK 0x5ca1ab1eL
#define ALLOWED 7777
#define NUMBERS 480

/* Newer than libseccomp 2.5 knows. */
static const char *const newer[] = {
    "cachestat",        "fchmodat2",      "map_shadow_stack", "futex_wake",        "futex_wait",
    "futex_requeue",    "statmount",      "listmount",        "lsm_get_self_attr", "lsm_set_self_attr",
    "lsm_list_modules", "mseal",          "setxattrat",       "getxattrat",        "listxattrat",
    "removexattrat",    "open_tree_attr", "file_getattr",     "file_setattr"};
#define NEWER_FIRST 451

#ifdef __x86_64__
static const char *answer(long r)
{
    return r == ALLOWED ? "allow" : r >= 0 ? "made" : strerrorname_np(errno);
}
/* By hand: the mark must not stay in the register, where the next call of libc would carry it too. */
static long marked(long nr, unsigned long a, unsigned long b)
{
    long r;
    register long mark __asm__("r9") = MARK;
    __asm__ volatile("xor %%edx, %%edx; xor %%r10, %%r10; xor %%r8, %%r8; syscall; xor %%r9, %%r9"
                     : "=a"(r), "+r"(mark)
                     : "a"(nr), "D"(a), "S"(b)
                     : "rcx", "rdx", "r8", "r10", "r11", "memory");
    errno = r < 0 ? (int)-r : 0;
    return r;
}
#define ASK(nr, a, b) answer(marked(nr, (unsigned long)(a), (unsigned long)(b)))

static void every_number(void)
{
    for (long nr = 0; nr < NUMBERS; nr++) {
        if (nr == 335 ||
            nr == 336) /* uretprobe, uprobe: the kernel keeps filters away from them, and sends SIGILL */
            continue;
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)nr);
        const char *late = nr >= NEWER_FIRST && nr < NEWER_FIRST + (long)(sizeof(newer) / sizeof(*newer))
                               ? newer[nr - NEWER_FIRST]
                               : NULL;
        const char *a = ASK(nr, 0, 0);
        if (name || late)
            printf("call %s %s\n", name ? name : late, a);
        else if (strcmp(a, "ENOSYS") && strcmp(a, "EPERM"))
            printf("call number %ld %s\n", nr, a);
        free(name);
    }
    printf("call number 100000 %s\n", ASK(100000, 0, 0));
}

static void arguments(void)
{
    static const struct {
        const char *name;
        long flag;
    } flags[] = {{"none", SIGCHLD},
                 {"CLONE_NEWNS", CLONE_NEWNS},
                 {"CLONE_NEWUTS", CLONE_NEWUTS},
                 {"CLONE_NEWIPC", CLONE_NEWIPC},
                 {"CLONE_NEWPID", CLONE_NEWPID},
                 {"CLONE_NEWNET", CLONE_NEWNET},
                 {"CLONE_NEWUSER", CLONE_NEWUSER},
                 {"CLONE_NEWCGROUP", CLONE_NEWCGROUP}};
    static const unsigned long personas[] = {0,          8,        0x20000, 0x20008,
                                             0xffffffff, 0x400000, 0x40000, 0x100000000};
    for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        printf("call clone flag %s %s\n", flags[i].name, ASK(SYS_clone, flags[i].flag, 0));
    for (unsigned i = 0; i < sizeof(personas) / sizeof(*personas); i++)
        printf("call personality %#lx %s\n", personas[i], ASK(SYS_personality, personas[i], 0));
    for (long f = 0; f < 64; f++) {
        const char *a = ASK(SYS_socket, f, 0), *high = ASK(SYS_socket, f | 0x100000000, 0);
        if (strcmp(a, "allow") || strcmp(high, "allow"))
            printf("call socket family %ld %s, with garbage above %s\n", f, a, high);
    }
    for (long c = 0x5400; c < 0x5480; c++) {
        const char *a = ASK(SYS_ioctl, 0, c), *high = ASK(SYS_ioctl, 0, c | 0x700000000);
        if (strcmp(a, "allow") || strcmp(high, "allow"))
            printf("call ioctl %#lx %s, with garbage above %s\n", c, a, high);
    }
    printf("call getpid as x32 %s\n", ASK(SYS_getpid | 0x40000000, 0, 0));
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-r;
    printf("call getpid as i386 %s\n", r > 0 ? "made" : strerrorname_np(errno));
}

static _Noreturn void asker(void)
{
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args) + 40},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, MARK},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct sock_fprog prog = {4, code};
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
        _exit(printf("call ptrace %s\n", strerrorname_np(errno)));
    raise(SIGSTOP);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
        printf("call seccomp %s\n", strerrorname_np(errno));
    every_number();
    arguments();
    fflush(stdout);
    _exit(0);
}

void profile_calls(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        asker();
    int st = 0;
    while (waitpid(pid, &st, 0) == pid && WIFSTOPPED(st)) {
        struct user_regs_struct regs;
        int sig = WSTOPSIG(st);
        if (st >> 8 == (SIGTRAP | (PTRACE_EVENT_SECCOMP << 8))) {
            ptrace(PTRACE_GETREGS, pid, 0, &regs);
            regs.orig_rax = ~0ull;
            regs.rax = ALLOWED;
            ptrace(PTRACE_SETREGS, pid, 0, &regs);
            sig = 0;
        } else if (sig == SIGSTOP) {
            ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
            sig = 0;
        }
        ptrace(PTRACE_CONT, pid, 0, sig);
    }
    if (st)
        printf("call probe died %#x\n", st);
}
#else
void profile_calls(void)
{
}
#endif
