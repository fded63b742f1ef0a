/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system call filter: an allow-list as a small program of our own making: arguments first, then a binary
 * search over the ranges of numbers that share an answer. libseccomp gives the numbers of names. Its own
 * compiler takes 2 ms and makes 410 instructions of this list, ours 20 µs and a third of that; loading costs
 * each start and each exec in proportion to the length. And it compares 64 bits where the kernel takes an
 * int: garbage in the upper half would pass a refused socket family. Sources: seccomp(2), linux/seccomp.h,
 * bpf(4), security.md. */
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
#define PROGRAM_MAX 1024
#define NUMBERS (NSPACE_SYSCALL_NEWEST + 1)
#define ALLOW SECCOMP_RET_ALLOW
#define DENY(code) (SECCOMP_RET_ERRNO | (code))

struct program {
    struct sock_filter at[PROGRAM_MAX];
    unsigned len;
};

static void put(struct program *p, unsigned code, uint32_t k, unsigned yes, unsigned no)
{
    if (p->len < PROGRAM_MAX)
        p->at[p->len] = (struct sock_filter){(uint16_t)code, (uint8_t)yes, (uint8_t)no, k};
    p->len++; /* past the end: seen by nspace_filter_compile */
}

/* x86_64 and aarch64 are little-endian: the low half of args[n], all that the kernel takes of an int, comes
 * first. */
static void load_arg(struct program *p, unsigned n)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * n), 0, 0);
}
static void load_arg_high(struct program *p, unsigned n)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * n + 4), 0, 0);
}
static void load_number(struct program *p)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
}
static void answer(struct program *p, uint32_t v)
{
    put(p, BPF_RET | BPF_K, v, 0, 0);
}
/* The next instruction runs only where A equals v / does not. */
static void when(struct program *p, uint32_t v)
{
    put(p, BPF_JMP | BPF_JEQ | BPF_K, v, 0, 1);
}
static void unless(struct program *p, uint32_t v)
{
    put(p, BPF_JMP | BPF_JEQ | BPF_K, v, 1, 0);
}

/* `number`: the block that decides it by its arguments and always answers. begin…end brackets it; A is the
 * number again for the calls that skip it. */
static unsigned begin(struct program *p, uint32_t number)
{
    when(p, number);
    return p->len - 1;
}
static void end(struct program *p, unsigned start)
{
    if (start < PROGRAM_MAX)
        p->at[start].jf = (uint8_t)(p->len - start - 1);
}

static void refuse_values(struct program *p, uint32_t number, unsigned arg, uint32_t v1, uint32_t v2,
                          uint32_t refusal)
{
    unsigned b = begin(p, number);
    load_arg(p, arg);
    when(p, v1);
    answer(p, refusal);
    when(p, v2);
    answer(p, refusal);
    answer(p, ALLOW);
    end(p, b);
}

static void add_prologue(struct program *p)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    unless(p, NATIVE_ARCH);
    answer(p, DENY(ENOSYS)); /* foreign ABIs are off */
    load_number(p);
    put(p, BPF_JMP | BPF_JGT | BPF_K, NSPACE_SYSCALL_NEWEST, 0, 1); /* x32 too: its numbers have bit 30 */
    answer(p, DENY(ENOSYS));
}

static void add_conditional(struct program *p, bool free_clone)
{
    static const uint32_t personas[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};
    /* TIOCSTI types into a terminal, TIOCLINUX pastes: both reach the one who attached it */
    refuse_values(p, SYS_ioctl, 1, TIOCSTI, TIOCLINUX, DENY(EPERM));
    /* AF_VSOCK reaches the hypervisor, AF_ALG is a large part of the kernel that nobody needs */
    refuse_values(p, SYS_socket, 0, AF_VSOCK, AF_ALG, DENY(EAFNOSUPPORT));
    unsigned b = begin(p, SYS_personality);
    load_arg_high(p, 0);
    unless(p, 0);
    answer(p, DENY(EPERM));
    load_arg(p, 0);
    for (unsigned i = 0; i < ARRAY_LEN(personas); i++) {
        when(p, personas[i]);
        answer(p, ALLOW);
    }
    answer(p, DENY(EPERM));
    end(p, b);
    if (free_clone)
        return;
    b = begin(p, SYS_clone);
    load_arg(p, 0);
    put(p, BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1);
    answer(p, DENY(EPERM));
    answer(p, ALLOW);
    end(p, b);
}

/* Ranges first…last of equal answers: a node compares with the start of its upper half. */
static void add_search(struct program *p, const uint32_t *answers, const uint16_t *starts, unsigned first,
                       unsigned last)
{
    if (first == last) {
        answer(p, answers[starts[first]]);
        return;
    }
    unsigned mid = (first + last + 1) / 2, jump = p->len;
    put(p, BPF_JMP | BPF_JGE | BPF_K, starts[mid], 0, 0);
    add_search(p, answers, starts, first, mid - 1);
    unsigned skip = p->len - jump - 1;
    if (jump >= PROGRAM_MAX)
        return;
    if (skip <= 255) {
        p->at[jump].jt = (uint8_t)skip;
    } else { /* too far for a conditional jump: over a long one */
        memmove(&p->at[jump + 2], &p->at[jump + 1], skip * sizeof(p->at[0]));
        p->at[jump] = (struct sock_filter){BPF_JMP | BPF_JGE | BPF_K, 0, 1, starts[mid]};
        p->at[jump + 1] = (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, skip};
        p->len++;
    }
    add_search(p, answers, starts, mid, last);
}

bool nspace_syscall_allowed(const struct nspace_syscall *c, enum spec_init init, uint64_t caps)
{
    if (c->cap == NSPACE_CAP_ALWAYS || (c->system && init == SPEC_INIT_SYSTEM))
        return true;
    return c->cap < 64 && (caps & (1ull << c->cap));
}

static void fill_answers(uint32_t *answers, enum spec_init init, uint64_t caps, bool free_clone)
{
    for (unsigned i = 0; i < NUMBERS; i++)
        answers[i] = DENY(EPERM);
    for (unsigned i = 0; i < nspace_nsyscalls; i++) {
        const struct nspace_syscall *c = &nspace_syscalls[i];
        int nr = c->number >= 0 ? c->number : seccomp_syscall_resolve_name(c->name);
        if (nr >= 0 && nr < NUMBERS &&
            nspace_syscall_allowed(c, init, caps)) /* below 0: not on this architecture */
            answers[nr] = ALLOW;
    }
    answers[SYS_clone] = ALLOW; /* where it is not decided by its flags */
    /* clone3's flags lie in memory, where a filter cannot look: libc falls back to clone on ENOSYS */
    answers[SYS_clone3] = free_clone ? ALLOW : DENY(ENOSYS);
}

int nspace_filter_compile(enum spec_init init, uint64_t caps, struct sock_fprog *out, struct err *e)
{
    bool free_clone = init == SPEC_INIT_SYSTEM || (caps & (1ull << CAP_SYS_ADMIN));
    uint32_t answers[NUMBERS];
    uint16_t starts[NUMBERS];
    unsigned n = 0;
    auto_free struct program *p = xcalloc(1, sizeof(*p));
    fill_answers(answers, init, caps, free_clone);
    for (unsigned i = 0; i < NUMBERS; i++)
        if (i == 0 || answers[i] != answers[i - 1])
            starts[n++] = (uint16_t)i;
    add_prologue(p);
    add_conditional(p, free_clone);
    add_search(p, answers, starts, 0, n - 1);
    if (p->len >= PROGRAM_MAX)
        return err_set(e, ERR_INTERNAL, E2BIG, "system call filter");
    *out = (struct sock_fprog){.len = (unsigned short)p->len,
                               .filter = xmemdup(p->at, p->len * sizeof(p->at[0]))};
    return 0;
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
