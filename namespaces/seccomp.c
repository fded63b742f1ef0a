/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system call filter: an allow-list compiled by libseccomp, behind a short program of our own for what
 * libseccomp cannot say (numbers newer than the list, arguments of which the kernel takes 32 bits only: a
 * 64-bit comparison would be passed by garbage in the upper half). Compiled once per kit (2 ms), loaded by
 * the child. Sources: seccomp(2), linux/seccomp.h, security.md. */
#include "base/mem.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "no system call table for this architecture"
#endif
#define NEW_NAMESPACES                                                                                       \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |            \
     CLONE_NEWNET)
#define DENY(code) (SECCOMP_RET_ERRNO | (code))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, v)
#define IF_EQ(v, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, yes, no)
#define IF_GT(v, yes, no) BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, v, yes, no)

/* Runs before libseccomp's program, falls through to it (its jumps are relative). x86_64 and aarch64 are
 * little-endian: the low half of args[n] comes first. */
static const struct sock_filter prologue[] = {
    LOAD(arch),
    IF_EQ(NATIVE_ARCH, 1, 0),
    RETURN(DENY(ENOSYS)), /* foreign ABIs are off */
    LOAD(nr),
    IF_GT(NSPACE_SYSCALL_NEWEST, 0, 1), /* x32 too: its numbers have bit 30 */
    RETURN(DENY(ENOSYS)),
    IF_EQ(SYS_ioctl, 0, 4),
    LOAD(args[1]), /* TIOCSTI types into a terminal, TIOCLINUX pastes: both reach the one who attached it */
    IF_EQ(TIOCSTI, 1, 0),
    IF_EQ(TIOCLINUX, 0, 6),
    RETURN(DENY(EPERM)),
    IF_EQ(SYS_socket, 0, 4),
    LOAD(args[0]), /* AF_VSOCK reaches the hypervisor, AF_ALG is a large part of the kernel that nobody needs
                    */
    IF_EQ(AF_VSOCK, 1, 0),
    IF_EQ(AF_ALG, 0, 1),
    RETURN(DENY(EAFNOSUPPORT)),
};

bool nspace_syscall_allowed(const struct nspace_syscall *c, enum spec_init init, uint64_t caps)
{
    if (c->cap == NSPACE_CAP_ALWAYS || (c->system && init == SPEC_INIT_SYSTEM))
        return true;
    return c->cap < 64 && (caps & (1ull << c->cap));
}

static int add_listed(scmp_filter_ctx ctx, enum spec_init init, uint64_t caps)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < nspace_nsyscalls; i++) {
        const struct nspace_syscall *c = &nspace_syscalls[i];
        int nr = c->number >= 0 ? c->number : seccomp_syscall_resolve_name(c->name);
        if (nr != __NR_SCMP_ERROR && nr >= 0 &&
            nspace_syscall_allowed(c, init, caps)) /* below 0: not on this architecture */
            r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
    }
    return r;
}

static int add_conditional(scmp_filter_ctx ctx, enum spec_init init, uint64_t caps)
{
    static const uint64_t personas[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};
    bool free_clone = init == SPEC_INIT_SYSTEM || (caps & (1ull << CAP_SYS_ADMIN));
    int r = free_clone ? seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 0)
                       : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                          SCMP_A0(SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0));
    /* clone3's flags lie in memory, where a filter cannot look: libc falls back to clone on ENOSYS */
    if (r == 0 && init == SPEC_INIT_APP)
        r = seccomp_rule_add(ctx, free_clone ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (unsigned i = 0; r == 0 && i < ARRAY_LEN(personas); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
                             SCMP_A0(SCMP_CMP_EQ, personas[i]));
    return r;
}

/* libseccomp writes to a descriptor only. */
static int export_program(scmp_filter_ctx ctx, struct sock_fprog *out)
{
    auto_fd int fd = memfd_create("filter", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
    off_t size = r < 0 ? 0 : lseek(fd, 0, SEEK_END);
    size_t n = (size_t)size / sizeof(struct sock_filter), head = ARRAY_LEN(prologue);
    if (r < 0 || !n || n + head > BPF_MAXINSNS)
        return r < 0 ? r : -E2BIG;
    struct sock_filter *f = xcalloc(n + head, sizeof(*f));
    memcpy(f, prologue, sizeof(prologue));
    if (pread(fd, f + head, (size_t)size, 0) != size) {
        free(f);
        return -EIO;
    }
    *out = (struct sock_fprog){.len = (unsigned short)(n + head), .filter = f};
    return 0;
}

int nspace_filter_compile(enum spec_init init, uint64_t caps, struct sock_fprog *out, struct err *e)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return err_set(e, ERR_INTERNAL, ENOMEM, "system call filter");
    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: a third of the steps per call */
    int r = add_listed(ctx, init, caps);
    if (r == 0)
        r = add_conditional(ctx, init, caps);
    if (r == 0)
        r = export_program(ctx, out);
    seccomp_release(ctx);
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "system call filter") : 0;
}

/* The conditions that capabilities open or close, as a set, to see whether the kit's filter fits. */
static uint64_t conditions(void)
{
    uint64_t m = 1ull << CAP_SYS_ADMIN;
    for (unsigned i = 0; i < nspace_nsyscalls; i++)
        if (nspace_syscalls[i].cap < 64)
            m |= 1ull << nspace_syscalls[i].cap;
    return m;
}

int nspace_filter_for(const struct nspace_kit *k, enum spec_init init, const struct spec_security *sec,
                      uint64_t caps, struct sock_fprog *filter, bool *owned, struct err *e)
{
    *owned = false;
    *filter = (struct sock_fprog){0};
    if (sec->seccomp == SPEC_SECCOMP_UNCONFINED)
        return 0;
    uint64_t usual = nspace_caps_default(init) & k->bounding;
    if (((caps ^ usual) & conditions()) == 0) {
        *filter = k->filters[init];
        return 0;
    }
    int r = nspace_filter_compile(init, caps, filter, e);
    *owned = r == 0;
    return r;
}

int nspace_filter_load(const struct sock_fprog *f, struct err *e)
{
    if (!f->len)
        return 0;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, f) < 0)
        return err_sys(e, "load the system call filter");
    return 0;
}
