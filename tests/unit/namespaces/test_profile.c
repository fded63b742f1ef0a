/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a default zone sees, from inside a real one; the whole of it, line by line, is in tests/golden. */
#include "namespaces/inner.h"
#include "tests/unit/namespaces/fixture.h"
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Classic BPF, as far as the filter uses it. 0: not a valid program. */
static uint32_t simulate(const struct sock_fprog *f, const struct seccomp_data *d)
{
    uint32_t a = 0;
    for (unsigned pc = 0; pc < f->len; pc++) {
        const struct sock_filter *i = &f->filter[pc];
        bool yes = false;
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)d + i->k, 4);
            continue;
        case BPF_RET | BPF_K:
            return i->k;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            yes = a == i->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            yes = a > i->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            yes = a >= i->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            yes = a & i->k;
            break;
        default:
            return 0;
        }
        pc += yes ? i->jt : i->jf;
    }
    return 0;
}

/* The answer of every number against the table, without arguments that matter. */
static void filter_answers(enum spec_init init, uint64_t caps)
{
    struct sock_fprog f = {0};
    struct err e = {0};
    unsigned wrong = 0, allowed = 0;
    int r = nspace_filter_compile(init, caps, &f, &e);
    if (!ok(r == 0, "filter of %u instructions", f.len))
        return;
    for (int nr = 0; nr < 700; nr++) {
        struct seccomp_data d = {.nr = nr, .arch = AUDIT_ARCH_X86_64};
        bool want = nr == SYS_clone || nr == SYS_personality;
        for (unsigned i = 0; i < nspace_nsyscalls; i++) {
            int n = nspace_syscalls[i].number >= 0 ? nspace_syscalls[i].number
                                                   : seccomp_syscall_resolve_name(nspace_syscalls[i].name);
            want |= n == nr && nspace_syscall_allowed(&nspace_syscalls[i], init, caps);
        }
        bool free_clone = init == SPEC_INIT_SYSTEM || (caps & (1ull << CAP_SYS_ADMIN));
        uint32_t expect = nr > NSPACE_SYSCALL_NEWEST        ? SECCOMP_RET_ERRNO | ENOSYS
                          : nr == SYS_clone3 && !free_clone ? SECCOMP_RET_ERRNO | ENOSYS
                          : want || nr == SYS_clone3        ? SECCOMP_RET_ALLOW
                                                            : SECCOMP_RET_ERRNO | EPERM;
        uint32_t got = simulate(&f, &d);
        allowed += got == SECCOMP_RET_ALLOW;
        if (got != expect && wrong++ < 5)
            printf("#   %d: got %#x, want %#x\n", nr, got, expect);
        d.arch = AUDIT_ARCH_I386;
        wrong += simulate(&f, &d) != (SECCOMP_RET_ERRNO | ENOSYS);
        d.arch = AUDIT_ARCH_X86_64;
        d.nr |= 0x40000000;
        wrong += simulate(&f, &d) != (SECCOMP_RET_ERRNO | ENOSYS);
    }
    is_int(wrong, 0, "every number, foreign ABIs: init %d caps %llx, %u allowed", init,
           (unsigned long long)caps, allowed);
    free(f.filter);
}

static void identity(void)
{
    int st;
    auto_free char *t = fx_output(
        "ident",
        "cat /proc/self/status; cat /proc/self/uid_map; id; hostname; cat /run/zone/name; env; "
        "echo uptime $(cut -d. -f1 /proc/uptime); ls /proc/self/fd | tr '\\n' ' '; echo; umask; ulimit -n; "
        "ulimit -c; "
        "echo pids $(ls -d /proc/[0-9]*|wc -l); cat /proc/1/comm; pwd; readlink /proc/1/exe; exit 7",
        &st);
    is_int(st, 7, "the program's status passes through");
    ok(has(t, "CapBnd:\t00000000800405fb"), "bounding set is the profile's");
    ok(has(t, "CapEff:\t00000000800405fb") && has(t, "CapInh:\t0000000000000000") &&
           has(t, "CapAmb:\t0000000000000000"),
       "effective as bounding, inheritable and ambient empty");
    ok(has(t, "NoNewPrivs:\t1") && has(t, "Seccomp:\t2") && has(t, "Seccomp_filters:\t1"),
       "no_new_privs and filter on");
    ok(has(t, "Groups:\t \n"), "no supplementary groups");
    ok(has(t, "         0  700000000      65536"), "uid map");
    ok(has(t, "uid=0(root) gid=0(root)") && has(t, "\ntestzone\n") && has(t, "\nident\n"),
       "root, host name, zone name");
    ok(has(t, "container=zoned") && has(t, "HOME=/root") && !strstr(t, "LANG=") && !strstr(t, "HOSTNAME=vm"),
       "environment built from nothing");
    ok(has(t, "\n0 1 2 3 \n"), "no descriptors but 0-2 (3 is ls's own)");
    ok(has(t, "\n0022\n1024\n0\n"), "umask 022, 1024 files, no core");
    ok(has(t, "zone-init\n/\n/memfd:zone-init (deleted)"), "PID 1 is zone-init from memory, cwd /");
    ok(strstr(t, "\nuptime 0\n") || has(t, "\nuptime 1\n"), "uptime starts at zero");
}

static void filesystems(void)
{
    int st;
    auto_free char *t = fx_output(
        "fs",
        "cat /proc/self/mountinfo; for f in kcore kallsyms keys kmsg timer_list; do [ -e /proc/$f ] && wc -c "
        "< /proc/$f; done;"
        "echo x > /proc/sys/kernel/hostname && echo BAD1; echo 1 > /proc/sys/net/ipv4/ip_forward && echo "
        "BAD2;"
        "ls /sys/firmware /sys/kernel/debug /sys/kernel/security 2>/dev/null | grep -v : | grep . && echo "
        "BAD3;"
        "mkdir /sys/fs/cgroup/x && echo BAD4; mkdir /sys/fs/cgroup/memory/x && echo BAD4b; mknod /tmp/n c 1 "
        "3 && echo BAD5;"
        "mknod /dev/n b 254 0 && echo BAD6; mount -t tmpfs x /tmp && echo BAD7; umount /proc/kcore && echo "
        "BAD8;"
        "head -c 4 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo hi > /dev/null && echo nullok;"
        "echo f > /dev/full || echo fullok; touch /dev/shm/a /tmp/b /run/c && echo writeok; ls -l /dev/ptmx; "
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range; df -k "
        "/dev/shm | tail -1;"
        "for f in $(find /proc/sys -type f -writable 2>/dev/null); do echo W $f; done",
        &st);
    static const char *const want[] = {
        " / / rw,nodev",        " /proc rw,nosuid,nodev,noexec", " /sys ro,nosuid,nodev,noexec",
        " /proc/sys ro,",       " /dev rw,nosuid,noexec",        " /dev/shm rw,nosuid,nodev,noexec",
        " /dev/pts rw,nosuid,", " /dev/mqueue rw,nosuid,nodev",  " /run/zone rw,nosuid,nodev",
        " /sys/fs/cgroup ro,"};
    for (unsigned i = 0; i < ARRAY_LEN(want); i++)
        ok(has(t, want[i]), "mount%s", want[i]);
    ok(!strstr(t, "BAD"), "nothing forbidden worked");
    if (strstr(t, "BAD"))
        printf("#   %.5s\n", strstr(t, "BAD"));
    ok(has(t, "\n0\n0\n"), "masked files are empty");
    ok(has(t, "\n4\n3\nnullok\n") && has(t, "fullok\n") && has(t, "writeok\n"),
       "device nodes and tmpfs work");
    ok(has(t, "/dev/ptmx -> pts/ptmx"), "ptmx");
    ok(has(t, "\n0\n0\t65535\n"), "net sysctls of the profile");
    ok(has(t, " 65536 ") || has(t, "65536  "), "shm of 64 MB");
    ok(!strstr(t, "\nW "), "no writable file below /proc/sys");
}

static int try_calls(int fd, void *arg)
{
    struct {
        const char *name;
        long r;
        int code;
    } c[24];
    int n = 0, foreign = 0;
    for (int f = 4; f < 256; f++)
        foreign += fcntl(f, F_GETFD) >= 0;
#define TRY(nm, call) (errno = 0, c[n].name = (nm), c[n].r = (long)(call), c[n].code = errno, n++)
    TRY("unshare-user", syscall(SYS_unshare, CLONE_NEWUSER));
    TRY("unshare-ns", syscall(SYS_unshare, CLONE_NEWNS));
    TRY("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    TRY("vsock-high", syscall(SYS_socket, 0x100000000ul | AF_VSOCK, SOCK_STREAM, 0));
    TRY("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
    TRY("inet", socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : -1);
    TRY("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
    TRY("bpf", syscall(SYS_bpf, 0, NULL, 0));
    TRY("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
    TRY("perf", syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
    TRY("clone3", syscall(SYS_clone3, NULL, 0));
    TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, NULL, 0));
    TRY("clone-newuser", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    TRY("new-syscall", syscall(467, 0));
    TRY("far-syscall", syscall(100000, 0));
    TRY("mount", syscall(SYS_mount, "x", "/tmp", "tmpfs", 0, NULL));
    TRY("tiocsti", ioctl(0, TIOCSTI, "x"));
    TRY("tiocsti-high", syscall(SYS_ioctl, 0, 0x700000000ul | TIOCSTI, "x"));
    TRY("personality-x", syscall(SYS_personality, 0x40000));
    TRY("personality", syscall(SYS_personality, 0xffffffff));
    TRY("foreign-fds", foreign);
    TRY("dumpable", prctl(PR_GET_DUMPABLE));
    for (int i = 0; i < n; i++)
        dprintf(fd, "%s=%ld/%d;", c[i].name, c[i].r, c[i].code);
    return 11;
}

static char *job_in(struct zone *z, int (*job)(int, void *), int *status)
{
    int p[2];
    struct err e = {0};
    struct nspace_child c;
    if (pipe2(p, O_CLOEXEC) < 0)
        return xstrdup("pipe");
    struct nspace_exec x = {.stdio = {0, 1, 2},
                            .cgroup_fd = -1,
                            .init = z->setup.init,
                            .security = &z->security,
                            .limits = &z->limits,
                            .uid_base = UID_BASE,
                            .job = job,
                            .job_fd = p[1]};
    int r = fx_enter(z->child.pidfd, &x, &c, &e);
    if (r == 0)
        r = nspace_go(&c, 5000, &e);
    close(p[1]);
    char *t = r < 0 ? xstrdup(e.text) : fx_read_all(p[0]);
    close(p[0]);
    int st = -1;
    if (r == 0) {
        waitpid(c.pid, &st, 0);
        st = exit_status_of(st);
        nspace_child_done(&c);
    }
    *status = st;
    return t;
}

static void calls(enum spec_init init)
{
    struct zone z;
    struct err e = {0};
    int st = -1;
    fx_zone(&z, init == SPEC_INIT_APP ? "calls" : "calls2", "sleep 60");
    z.setup.init = init;
    z.security.no_new_privs = init == SPEC_INIT_APP;
    if (!ok(fx_start(&z, &e) == 0, "zone for calls %s", e.text))
        return;
    auto_free char *t = job_in(&z, try_calls, &st);
    is_int(st, 11, "job's status");
    bool app = init == SPEC_INIT_APP;
    if (app) {
        ok(has(t, "unshare-user=-1/1;unshare-ns=-1/1;"), "unshare refused");
        ok(has(t, "clone3=-1/38;") && has(t, "clone-newuser=-1/1;") && has(t, "mount=-1/1;"),
           "clone3 ENOSYS, namespaces and mount EPERM");
        ok(has(t, "keyctl=-1/1;"), "keyctl refused");
    } else {
        ok(has(t, "unshare-user=0/0;") && has(t, "unshare-ns=0/0;") && has(t, "clone3=-1/22;"),
           "a system zone may unshare");
        ok(!strstr(t, "keyctl=-1/1;"), "a system zone has keyctl");
    }
    ok(has(t, "vsock=-1/97;vsock-high=-1/97;alg=-1/97;inet=0/0;"),
       "AF_VSOCK and AF_ALG refused, also with garbage above");
    ok(has(t, "io_uring=-1/1;bpf=-1/1;") && has(t, "userfaultfd=-1/1;perf=-1/1;") &&
           has(t, "open_by_handle_at=-1/1;"),
       "io_uring, bpf, userfaultfd, perf, open_by_handle_at refused");
    ok(has(t, "new-syscall=-1/38;far-syscall=-1/38;"), "unknown calls are ENOSYS");
    ok(has(t, "tiocsti=-1/1;tiocsti-high=-1/1;"), "TIOCSTI refused");
    ok(has(t, "personality-x=-1/1;personality=0/0;"), "personality");
    ok(has(t, "foreign-fds=0/0;dumpable=0/0;"), "only job_fd is open, and not dumpable");
    fx_done(&z);
}

int main(int argc, char **argv)
{
#ifdef __x86_64__
    filter_answers(SPEC_INIT_APP, nspace_caps_default(SPEC_INIT_APP));
    filter_answers(SPEC_INIT_APP, 0);
    filter_answers(SPEC_INIT_APP, ~0ull);
    filter_answers(SPEC_INIT_SYSTEM, nspace_caps_default(SPEC_INIT_SYSTEM));
#endif
    if (!fx_begin(argv[0]))
        return done_testing();
    identity();
    filesystems();
    calls(SPEC_INIT_APP);
    calls(SPEC_INIT_SYSTEM);
    fx_end();
    return done_testing();
}
