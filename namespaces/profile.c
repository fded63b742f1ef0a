/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The default profile as text, from the same tables that are applied: the golden file of the tests. Pure. */
#include "base/str.h"
#include "namespaces/inner.h"
#include <sys/capability.h>

static void add_caps(struct str *s, uint64_t caps)
{
    for (int c = 0; c < 64; c++) {
        char *name = caps & (1ull << c) ? cap_to_name(c) : NULL;
        if (name)
            str_addf(s, "capability %s\n", name);
        cap_free(name);
    }
}

static void add_syscalls(struct str *s, enum spec_init init, uint64_t caps)
{
    for (unsigned i = 0; i < nspace_nsyscalls; i++)
        if (nspace_syscall_allowed(&nspace_syscalls[i], init, caps))
            str_addf(s, "syscall %s\n", nspace_syscalls[i].name);
    str_addf(s, "syscall clone %s\n", init == SPEC_INIT_APP ? "without new namespaces" : "any");
    str_add(s, "syscall personality 0 8 0x20000 0x20008 0xffffffff\n"
               "refused socket AF_ALG AF_VSOCK\nrefused ioctl TIOCSTI TIOCLINUX\nrefused foreign ABI\n");
    str_addf(s, "unknown above %d ENOSYS\n", NSPACE_SYSCALL_NEWEST);
}

static void add_hidden(struct str *s, const char *what, const char *base, const struct nspace_hidden *h)
{
    for (; h->path; h++)
        str_addf(s, "%s %s/%s\n", what, base, h->path);
}

char *nspace_profile_text(enum spec_init init)
{
    struct str s = {0};
    uint64_t caps = nspace_caps_default(init);
    bool app = init == SPEC_INIT_APP;
    str_addf(&s, "profile %s\nnamespaces user mnt pid net ipc uts cgroup time\nids %u\n",
             app ? "app" : "system", NSPACE_IDS);
    str_addf(&s, "no_new_privs %s\n", app ? "on" : "off");
    add_caps(&s, caps);
    add_syscalls(&s, init, caps);
    add_hidden(&s, "masked", "/proc", nspace_masked_proc);
    add_hidden(&s, "masked", "/sys", nspace_masked_sys);
    str_add(&s, "masked /sys/firmware\n");
    add_hidden(&s, "read-only", "/proc", nspace_read_only_proc);
    str_addf(&s, "read-only /sys\n%s /sys/fs/cgroup\n", app ? "read-only" : "writable");
    if (!app)
        str_add(&s, "writable /proc/sys/net\n");
    str_add(&s, "device null zero full random urandom tty pts ptmx console\n");
    str_add(&s, "sysctl net.ipv4.ip_unprivileged_port_start=0\nsysctl net.ipv4.ping_group_range=0 65535\n"
                "sysctl net.ipv6.conf.default.accept_ra=0\n");
    str_add(&s, "limit nofile 1024:65536\nlimit memlock 65536\nlimit core 0\nshm 67108864\numask 022\n");
    return str_take(&s);
}
