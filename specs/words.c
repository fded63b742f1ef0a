/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words that the kernel gave a meaning: signals, capabilities, CPU lists, restart policies. Tables and
 * nothing else: which of them this host knows is asked elsewhere. */
#include "base/mem.h"
#include "specs/number.h"
#include "specs/value.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CPU_MAX 4096

/* clang-format off */
static const char *const signals[] = {
    [SIGHUP] = "SIGHUP", [SIGINT] = "SIGINT", [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL", [SIGTRAP] = "SIGTRAP",
    [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS", [SIGFPE] = "SIGFPE", [SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1",
    [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2", [SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",
    [SIGSTKFLT] = "SIGSTKFLT", [SIGCHLD] = "SIGCHLD", [SIGCONT] = "SIGCONT", [SIGSTOP] = "SIGSTOP",
    [SIGTSTP] = "SIGTSTP", [SIGTTIN] = "SIGTTIN", [SIGTTOU] = "SIGTTOU", [SIGURG] = "SIGURG", [SIGXCPU] = "SIGXCPU",
    [SIGXFSZ] = "SIGXFSZ", [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF", [SIGWINCH] = "SIGWINCH",
    [SIGIO] = "SIGIO", [SIGPWR] = "SIGPWR", [SIGSYS] = "SIGSYS",
    "SIGRTMIN-2", "SIGRTMIN-1", "SIGRTMIN", "SIGRTMIN+1", "SIGRTMIN+2", "SIGRTMIN+3", "SIGRTMIN+4", "SIGRTMIN+5",
    "SIGRTMIN+6", "SIGRTMIN+7", "SIGRTMIN+8", "SIGRTMIN+9", "SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12",
    "SIGRTMIN+13", "SIGRTMIN+14", "SIGRTMIN+15", "SIGRTMAX-14", "SIGRTMAX-13", "SIGRTMAX-12", "SIGRTMAX-11",
    "SIGRTMAX-10", "SIGRTMAX-9", "SIGRTMAX-8", "SIGRTMAX-7", "SIGRTMAX-6", "SIGRTMAX-5", "SIGRTMAX-4", "SIGRTMAX-3",
    "SIGRTMAX-2", "SIGRTMAX-1", "SIGRTMAX",
};
static const char *const capabilities[] = {
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
};
/* clang-format on */

int spec_parse_signal(const char *text, int *sig)
{
    uint64_t number;
    if (!text)
        return -EINVAL;
    if (parse_u64(text, 64, &number) == 0 && number >= 1 && spec_signal_name((int)number)) {
        *sig = (int)number;
        return 0;
    }
    for (int i = 1; i < (int)ARRAY_LEN(signals); i++)
        if (signals[i] && (!strcasecmp(text, signals[i]) || !strcasecmp(text, signals[i] + 3))) {
            *sig = i;
            return 0;
        }
    return -EINVAL;
}

const char *spec_signal_name(int sig)
{
    return sig > 0 && sig < (int)ARRAY_LEN(signals) ? signals[sig] : NULL;
}

const char *spec_capability(const char *t, bool all)
{
    if (!strncasecmp(t, "CAP_", 4))
        t += 4;
    for (unsigned i = 0; i < ARRAY_LEN(capabilities); i++)
        if (!strcasecmp(t, capabilities[i]))
            return capabilities[i];
    return all && !strcasecmp(t, "ALL") ? "ALL" : NULL;
}

const char *spec_restart_name(enum spec_restart_policy p)
{
    static const char *const names[] = {[SPEC_RESTART_NO] = "no",
                                        [SPEC_RESTART_ON_FAILURE] = "on-failure",
                                        [SPEC_RESTART_ALWAYS] = "always",
                                        [SPEC_RESTART_UNLESS_STOPPED] = "unless-stopped"};
    return (unsigned)p < ARRAY_LEN(names) ? names[p] : "no";
}

/* "3" or "0-3" at *t, up to a comma or the end. */
static bool cpu_range(const char **t, unsigned *first, unsigned *last)
{
    unsigned v[2] = {0, 0};
    int n = 0;
    for (;; n++) {
        size_t digits = strspn(*t, "0123456789");
        if (!digits || digits > 4)
            return false;
        for (v[n] = 0; digits; digits--)
            v[n] = v[n] * 10 + (unsigned)(*(*t)++ - '0');
        if (n || **t != '-')
            break;
        (*t)++;
    }
    *first = v[0];
    *last = n ? v[1] : v[0];
    return *first <= *last && *last < CPU_MAX && (!**t || **t == ',');
}

int spec_parse_cpuset(const char *text, uint16_t **cpus, unsigned *n)
{
    bool in[CPU_MAX] = {false};
    unsigned first, last, count = 0;
    if (!text || strlen(text) > 16384)
        return -EINVAL;
    for (const char *t = text;;) {
        if (!cpu_range(&t, &first, &last))
            return -EINVAL;
        for (unsigned i = first; i <= last; i++)
            in[i] = true;
        if (!*t++)
            break;
    }
    uint16_t *list = xcalloc(CPU_MAX, sizeof(*list));
    for (unsigned i = 0; i < CPU_MAX; i++)
        if (in[i])
            list[count++] = (uint16_t)i;
    *cpus = list;
    *n = count;
    return 0;
}

char *spec_cpuset_normal(const char *text)
{
    auto_free uint16_t *cpus = NULL;
    unsigned n;
    struct str s = {0};
    if (spec_parse_cpuset(text, &cpus, &n) < 0)
        return NULL;
    for (unsigned i = 0; i < n;) {
        unsigned end = i;
        while (end + 1 < n && cpus[end + 1] == cpus[end] + 1)
            end++;
        str_addf(&s, end > i ? "%s%u-%u" : "%s%u", s.len ? "," : "", cpus[i], cpus[end]);
        i = end + 1;
    }
    return str_take(&s);
}
