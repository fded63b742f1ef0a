/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refuses what this host cannot enforce, before anything is made: every problem at once, each with key and
 * remedy. Reads only. The rule behind it: no limit is silently inert. */
#include "base/cpus.h"
#include "base/path.h"
#include "cgroups/internal.h"
#include <stdlib.h>
#include <string.h>

#define NO(ps, kind, key, ...) problem_add(ps, kind, NULL, 0, key, __VA_ARGS__)

static bool have(const struct cg_host *h, enum cg_ctrl c)
{
    return h->of[c] >= 0;
}

static bool on_v2(const struct cg_host *h, enum cg_ctrl c)
{
    return have(h, c) && h->at[h->of[c]].v2;
}

static void need(const struct cg_host *h, enum cg_ctrl c, const char *key, struct problems *ps)
{
    if (have(h, c))
        return;
    if (h->v2 >= 0 && h->layout == CG_V2)
        NO(ps, ERR_UNSUPPORTED, key,
           "this host has no %s controller (the kernel needs it built in, and the group above us must enable "
           "it)",
           cg_ctrl_name(c, true));
    else
        NO(ps, ERR_UNSUPPORTED, key,
           "this host has no %s controller (mount -t cgroup -o %s none /sys/fs/cgroup/%s)",
           cg_ctrl_name(c, false), cg_ctrl_name(c, false), cg_ctrl_name(c, false));
}

/* Both lists as sets; names the first CPU of `set` that is not online. */
static void check_set(const struct cg_host *h, const char *set, struct problems *ps)
{
    uint16_t *want = NULL, *online = NULL;
    unsigned nw = 0, no = 0;
    if (spec_parse_cpuset(set, &want, &nw) < 0 || spec_parse_cpuset(h->online, &online, &no) < 0)
        NO(ps, ERR_INVALID, "cpu.set", "\"%s\" is no list of CPUs (0-3,6)", set);
    for (unsigned i = 0; i < nw; i++) {
        unsigned k = 0;
        while (k < no && online[k] != want[i])
            k++;
        if (k < no)
            continue;
        NO(ps, ERR_INVALID, "cpu.set", "CPU %u is not online here (online: %s)", want[i], h->online);
        break;
    }
    free(want);
    free(online);
}

static void check_reserved(const struct cg_host *h, const struct spec_cpu *c, struct problems *ps)
{
    unsigned own = cpus_in_set(c->set && c->set[0] ? c->set : NULL);
    if (c->reserved > 0)
        need(h, CG_CPU, "cpu.reserved", ps);
    if (c->reserved > h->cpus) {
        NO(ps, ERR_INVALID, "cpu.reserved", "%g is more than the %u CPUs of this host", c->reserved, h->cpus);
    } else if (own && c->reserved > own && !c->dedicated) {
        NO(ps, ERR_LIMIT, "cpu.reserved", "%g CPUs are promised on CPU %s alone, which %s only %u",
           c->reserved, c->set, own == 1 ? "is" : "are", own);
        problem_hint(ps, "promise at most %u, or widen cpu.set", own);
    }
}

static void check_cpu(const struct cg_host *h, const struct spec_cpu *c, struct problems *ps)
{
    if (c->shares && c->shares != 100)
        need(h, CG_CPU, "cpu.shares", ps);
    if (c->cap > 0) {
        need(h, CG_CPU, "cpu.cap", ps);
        if (c->cap > h->cpus)
            NO(ps, ERR_INVALID, "cpu.cap", "%g is more than the %u CPUs of this host", c->cap, h->cpus);
        if (c->cap < 0.01)
            NO(ps, ERR_INVALID, "cpu.cap", "%g is too small (at least 0.01)", c->cap);
    }
    if (c->burst > 0 && c->cap <= 0)
        NO(ps, ERR_INVALID, "cpu.burst", "a burst needs a cpu.cap to go beyond");
    else if (c->burst > c->cap && c->burst > 0)
        NO(ps, ERR_INVALID, "cpu.burst", "%g is more than cpu.cap %g (the kernel's bound)", c->burst, c->cap);
    if (c->idle)
        need(h, CG_CPU, "cpu.idle", ps);
    if (c->set && c->set[0]) {
        need(h, CG_CPUSET, "cpu.set", ps);
        check_set(h, c->set, ps);
    }
    if (c->dedicated)
        need(h, CG_CPUSET, "cpu.dedicated", ps);
    if (c->dedicated > h->cpus)
        NO(ps, ERR_INVALID, "cpu.dedicated", "%llu is more than the %u CPUs of this host",
           (unsigned long long)c->dedicated, h->cpus);
    if (c->dedicated && c->pool)
        NO(ps, ERR_UNSUPPORTED, "cpu.dedicated",
           "not in a pool: leave cpu.pool out, or give the CPUs to the pool (zonectl pool set %s "
           "cpu.dedicated=%llu)",
           c->pool, (unsigned long long)c->dedicated);
    check_reserved(h, c, ps);
}

/* Can this host count swap? Asked of the file of any group but the root. */
static bool counts_swap(const struct cg_host *h)
{
    int hier = h->of[CG_MEMORY];
    if (hier < 0)
        return false;
    if (!h->at[hier].v2) /* the root group has it too on v1 */
        return faccessat(h->at[hier].fd, "memory.memsw.limit_in_bytes", F_OK, 0) == 0;
    return true; /* v2: swapaccount=0 is gone since 5.19, and CONFIG_SWAP is the rule: cg_apply names a
                    missing file */
}

static void check_huge(const struct cg_host *h, uint64_t bytes, struct problems *ps)
{
    need(h, CG_HUGETLB, "memory.hugepages", ps);
    if (!h->huge_least)
        NO(ps, ERR_UNSUPPORTED, "memory.hugepages", "this kernel has no huge pages (CONFIG_HUGETLBFS)");
    else if (bytes && bytes < h->huge_least)
        NO(ps, ERR_INVALID, "memory.hugepages", "less than one huge page of %llu KiB (0 allows none)",
           (unsigned long long)(h->huge_least >> 10));
}

static void check_memory(const struct cg_host *h, const struct spec_memory *m, struct problems *ps)
{
    if (m->cap != SPEC_UNSET) {
        need(h, CG_MEMORY, "memory.cap", ps);
        if (m->cap < 4u << 20)
            NO(ps, ERR_INVALID, "memory.cap", "less than 4M: no program starts in that");
    }
    bool v2 = on_v2(h, CG_MEMORY);
    if (m->soft != SPEC_UNSET && !v2)
        NO(ps, ERR_UNSUPPORTED, "memory.soft",
           "needs the memory controller of cgroup2 (boot with cgroup_no_v1=memory), or leave it out");
    if (m->reserved != SPEC_UNSET && m->reserved)
        need(h, CG_MEMORY, "memory.reserved", ps);
    if (m->hugepages != SPEC_UNSET)
        check_huge(h, m->hugepages, ps);
    if (m->swap == SPEC_UNSET || !have(h, CG_MEMORY))
        return;
    if (!counts_swap(h) && cg_host_has_swap(h))
        NO(ps, ERR_UNSUPPORTED, "memory.swap",
           "this kernel does not count swap (boot with swapaccount=1, or swapoff -a)");
    else if (!v2 && m->cap == SPEC_UNSET && cg_host_has_swap(h))
        NO(ps, ERR_UNSUPPORTED, "memory.swap",
           "on cgroup v1 swap is limited together with memory: give memory.cap as well");
}

static void check_io(const struct cg_host *h, const struct cg_limits *l, struct problems *ps)
{
    const struct spec_io *io = l->io;
    const struct {
        const char *key;
        uint64_t v;
    } rates[] = {{"io.read", io->read},
                 {"io.write", io->write},
                 {"io.read_ops", io->read_ops},
                 {"io.write_ops", io->write_ops}};
    uint64_t disks[CG_DISKS_MAX];
    unsigned n = cg_io_asked(io) ? cg_disks(h, l, disks) : 0;
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        if (rates[i].v == SPEC_UNSET)
            continue;
        need(h, CG_BLKIO, rates[i].key, ps);
        if (!rates[i].v)
            NO(ps, ERR_INVALID, rates[i].key,
               "0 would mean no limit (leave the key out) or no transfer at all");
        if (!n)
            NO(ps, ERR_UNSUPPORTED, rates[i].key, "no disk is known that could be limited");
    }
    if (!io->weight)
        return;
    need(h, CG_BLKIO, "io.weight", ps);
    enum cg_io_weight kind = have(h, CG_BLKIO) ? cg_io_weight_of(h, l) : CG_IOW_NONE;
    if (kind == CG_IOW_NONE && have(h, CG_BLKIO))
        NO(ps, ERR_UNSUPPORTED, "io.weight",
           "inert unless the disk's scheduler is bfq (echo bfq > /sys/block/DISK/queue/scheduler)%s",
           on_v2(h, CG_BLKIO) ? " or io.cost is on (io.cost.qos)" : "");
    if (kind == CG_IOW_BFQ && io->weight > 1000)
        NO(ps, ERR_INVALID, "io.weight", "bfq knows weights from 1 to 1000");
}

/* Bytes of the whole machine; 0 = not known. */
static uint64_t memory_of(const struct cg_host *h)
{
    char buf[256];
    auto_free char *file = path_join(h->proc, "meminfo");
    ssize_t n = cg_read_at(AT_FDCWD, file, buf, sizeof(buf));
    uint64_t kib = n > 0 ? cg_field(buf, "MemTotal:") : UINT64_MAX;
    return kib == UINT64_MAX ? 0 : kib << 10;
}

static void remark_on_size(json *list, const char *key, uint64_t bytes, uint64_t machine)
{
    if (bytes == SPEC_UNSET || !machine || bytes <= machine)
        return;
    auto_free char *text = xasprintf("%s: more than the %.1f GiB of this machine, so it bounds nothing", key,
                                     (double)machine / (1 << 30));
    js_add(list, js_string(text));
}

static void remark_on_pages(json *list, const struct cg_host *h, uint64_t bytes)
{
    uint64_t page = h->huge_least;
    if (bytes == SPEC_UNSET || !page || bytes % page == 0)
        return;
    auto_free char *text =
        xasprintf("memory.hugepages: cut to whole pages of %llu KiB: %llu KiB",
                  (unsigned long long)page >> 10, (unsigned long long)(bytes / page * page) >> 10);
    js_add(list, js_string(text));
}

json *cg_remarks(const struct cg_host *h, const struct cg_limits *l)
{
    json *list = js_array();
    if (l->cpu && l->cpu->dedicated && !cg_can_exclude(h))
        js_add(
            list,
            js_string("cpu.dedicated: exclusive among zones; the host's own processes may still run on these "
                      "CPUs (taking them away needs cgroup2 and a kernel of 6.7)"));
    if (l->memory && l->memory->reserved != SPEC_UNSET && l->memory->reserved && !on_v2(h, CG_MEMORY))
        js_add(
            list,
            js_string("memory.reserved: best effort on cgroup v1 (a soft limit; memory.min needs cgroup2)"));
    if (l->io && have(h, CG_BLKIO) && !on_v2(h, CG_BLKIO) &&
        (l->io->write != SPEC_UNSET || l->io->write_ops != SPEC_UNSET))
        js_add(
            list,
            js_string("io.write: on cgroup v1 direct and synchronous writes are held, also fsync; what a "
                      "program leaves to the page cache is written later at full speed (cgroup2 holds it)"));
    if (!l->memory)
        return list;
    uint64_t machine = memory_of(h);
    remark_on_size(list, "memory.cap", l->memory->cap, machine);
    remark_on_size(list, "memory.hugepages", l->memory->hugepages, machine);
    remark_on_pages(list, h, l->memory->hugepages);
    return list;
}

void cg_check(const struct cg_host *h, const struct cg_limits *l, struct problems *ps)
{
    if (l->cpu)
        check_cpu(h, l->cpu, ps);
    if (l->memory)
        check_memory(h, l->memory, ps);
    if (l->io)
        check_io(h, l, ps);
    if (l->tasks != SPEC_UNSET)
        need(h, CG_PIDS, "tasks", ps);
    if (l->tasks == 0)
        NO(ps, ERR_INVALID, "tasks", "0: no program could start");
    if (l->system && h->v2 < 0)
        NO(ps, ERR_UNSUPPORTED, "init",
           "system: its PID 1 gets a cgroup2 group of its own, and no cgroup2 is mounted here "
           "(mount -t cgroup2 none /sys/fs/cgroup/unified, then restart zoned)");
    if (!have(h, CG_DEVICES) && h->v2 < 0)
        NO(ps, ERR_UNSUPPORTED, "devices",
           "neither the v1 devices controller nor cgroup2 is mounted (mount -t cgroup2 none /sys/fs/cgroup)");
}
