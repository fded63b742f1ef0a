/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one table: key of the spec -> controller, file and format, v1 and v2. Everything that writes, compares
 * or checks limits walks it. Pure but for cg_disks (which disk). Sources: cgroup-v2.rst;
 * cgroup-v1/{cpusets,memory, blkio-controller,pids}.rst; scheduler/sched-bwc.rst. */
#include "cgroups/internal.h"
#include <string.h>

/* What every host has; huge.c adds the host's own rows. Order matters: idle before shares (shares of an idle
 * group are EINVAL), period before quota before burst (burst <= quota), cap before swap (v1 memsw >= limit).
 * What an order cannot serve (lowering) cg_apply tries a second time. */
const struct cg_key cg_table[] = {
    {"cpu.set", CG_CPUSET, "cpuset.cpus", F_SET, "cpuset.cpus", F_SET, 0},
    {"cpu.dedicated", CG_CPUSET, NULL, F_NONE, "cpuset.cpus.exclusive", F_EXCLUSIVE, 0},
    {"cpu.dedicated", CG_CPUSET, NULL, F_NONE, "cpuset.cpus.partition", F_PARTITION, 0},
    {"cpu.idle", CG_CPU, "cpu.idle", F_IDLE, "cpu.idle", F_IDLE, 0},
    {"cpu.shares", CG_CPU, "cpu.shares", F_SHARES, "cpu.weight", F_WEIGHT, 0},
    {"cpu.cap", CG_CPU, "cpu.cfs_period_us", F_PERIOD, NULL, F_NONE, 0},
    {"cpu.cap", CG_CPU, "cpu.cfs_quota_us", F_QUOTA, "cpu.max", F_CPUMAX, 0},
    {"cpu.burst", CG_CPU, "cpu.cfs_burst_us", F_BURST, "cpu.max.burst", F_BURST, 0},
    {"memory.cap", CG_MEMORY, "memory.limit_in_bytes", F_CAP_V1, "memory.max", F_CAP, 0},
    {"memory.swap", CG_MEMORY, "memory.memsw.limit_in_bytes", F_MEMSW, "memory.swap.max", F_SWAP, 0},
    {"memory.soft", CG_MEMORY, NULL, F_NONE, "memory.high", F_SOFT, 0},
    {"memory.reserved", CG_MEMORY, "memory.soft_limit_in_bytes", F_RESERVED_V1, "memory.min", F_RESERVED, 0},
    {"memory.oom", CG_MEMORY, "memory.oom_control", F_OOM_V1, "memory.oom.group", F_OOM, 0},
    {"tasks", CG_PIDS, "pids.max", F_TASKS, "pids.max", F_TASKS, 0},
    {"io.weight", CG_BLKIO, "blkio.bfq.weight", F_BFQ, "io.bfq.weight", F_BFQ, 0},
    {"io.weight", CG_BLKIO, NULL, F_NONE, "io.weight", F_IOCOST, 0},
    {"io.read", CG_BLKIO, "blkio.throttle.read_bps_device", F_RBPS, "io.max", F_RBPS, 0},
    {"io.write", CG_BLKIO, "blkio.throttle.write_bps_device", F_WBPS, "io.max", F_WBPS, 0},
    {"io.read_ops", CG_BLKIO, "blkio.throttle.read_iops_device", F_RIOPS, "io.max", F_RIOPS, 0},
    {"io.write_ops", CG_BLKIO, "blkio.throttle.write_iops_device", F_WIOPS, "io.max", F_WIOPS, 0},
};
const unsigned cg_table_len = ARRAY_LEN(cg_table);

/* libm stays out of the link line for one rounding. */
static uint64_t rounded(double v)
{
    return (uint64_t)(v + 0.5);
}

/* Period 100 ms; longer only where the quota would fall below the 1 ms that the kernel demands (EINVAL), at
 * most 1 s. */
void cg_cpu_quota(double cap, uint64_t *quota_us, uint64_t *period_us)
{
    *period_us = 100000;
    if (cap * 100000 < 999.5)
        *period_us = cap > 0.001 ? rounded(1000 / cap + 0.5) : 1000000;
    *quota_us = rounded(cap * (double)*period_us);
    if (*quota_us < 1000)
        *quota_us = 1000;
}

static enum cg_val put(char *buf, enum cg_val val, uint64_t v)
{
    snprintf(buf, CG_VALUE_MAX, "%llu", (unsigned long long)v);
    return val;
}

static enum cg_val text(char *buf, enum cg_val val, const char *s)
{
    snprintf(buf, CG_VALUE_MAX, "%s", s);
    return val;
}

static enum cg_val value_cpu(const struct cg_host *h, enum cg_fmt f, const struct spec_cpu *c, char *buf)
{
    uint64_t quota = 0, period = 100000;
    bool capped = c->cap > 0;
    if (capped)
        cg_cpu_quota(c->cap, &quota, &period);
    switch (f) {
    case F_SET: /* a new group has its parent's CPUs; v2 too refuses to empty it (ENOSPC) */
        return c->set && c->set[0] ? text(buf, CG_VAL_GIVEN, c->set) : text(buf, CG_VAL_DEFAULT, h->online);
    case F_EXCLUSIVE: /* without it the CPUs are kept free of the other zones, as on v1 */
    case F_PARTITION:
        if (!cg_can_exclude(h))
            return CG_VAL_NONE;
        if (f == F_EXCLUSIVE)
            return c->dedicated && c->set ? text(buf, CG_VAL_GIVEN, c->set) : text(buf, CG_VAL_DEFAULT, "\n");
        return text(buf, c->dedicated ? CG_VAL_GIVEN : CG_VAL_DEFAULT, c->dedicated ? "root" : "member");
    case F_IDLE:
        return put(buf, c->idle ? CG_VAL_GIVEN : CG_VAL_DEFAULT, c->idle);
    case F_SHARES:
    case F_WEIGHT: {
        if (c->idle)
            return CG_VAL_NONE;
        uint64_t s = c->shares ? c->shares : 100;
        uint64_t v = f == F_WEIGHT ? s : (s * 1024 + 50) / 100;
        return put(buf, s == 100 ? CG_VAL_DEFAULT : CG_VAL_GIVEN, v < 2 && f == F_SHARES ? 2 : v);
    }
    case F_PERIOD:
        return put(buf, period == 100000 ? CG_VAL_DEFAULT : CG_VAL_GIVEN, period);
    case F_QUOTA:
        return capped ? put(buf, CG_VAL_GIVEN, quota) : text(buf, CG_VAL_DEFAULT, "-1");
    case F_CPUMAX:
        snprintf(buf, CG_VALUE_MAX, "max 100000");
        if (capped)
            snprintf(buf, CG_VALUE_MAX, "%llu %llu", (unsigned long long)quota, (unsigned long long)period);
        return capped ? CG_VAL_GIVEN : CG_VAL_DEFAULT;
    default: /* F_BURST: a share of a period's quota */
        return c->burst > 0 && capped ? put(buf, CG_VAL_GIVEN, rounded(c->burst * (double)period))
                                      : put(buf, CG_VAL_DEFAULT, 0);
    }
}

static enum cg_val bytes_or(char *buf, uint64_t v, const char *none)
{
    return v == SPEC_UNSET ? text(buf, CG_VAL_DEFAULT, none) : put(buf, CG_VAL_GIVEN, v);
}

/* Swap that the spec does not give is none (the default profile). v1 counts memory and swap together, so
 * without a cap there is nothing to write. */
static enum cg_val value_memory(enum cg_fmt f, uint64_t unit, const struct spec_memory *m, char *buf)
{
    uint64_t swap = m->swap == SPEC_UNSET ? 0 : m->swap;
    switch (f) {
    case F_CAP_V1:
        return bytes_or(buf, m->cap, "-1");
    case F_CAP:
        return bytes_or(buf, m->cap, "max");
    case F_MEMSW:
        return m->cap == SPEC_UNSET ? text(buf, CG_VAL_DEFAULT, "-1") : put(buf, CG_VAL_GIVEN, m->cap + swap);
    case F_SWAP:
        return put(buf, CG_VAL_GIVEN, swap);
    case F_SOFT:
        return bytes_or(buf, m->soft, "max");
    case F_RESERVED_V1:
        return bytes_or(buf, m->reserved, "-1");
    case F_RESERVED:
        return bytes_or(buf, m->reserved, "0");
    case F_HUGE_V1: /* the kernel cuts it to whole pages */
    case F_HUGE:
        return bytes_or(buf, m->hugepages == SPEC_UNSET ? SPEC_UNSET : m->hugepages / unit * unit,
                        f == F_HUGE ? "max" : "-1");
    case F_OOM_V1: /* no killer: what runs out of memory stands still for ever */
        return put(buf, CG_VAL_DEFAULT, 0);
    default: /* F_OOM */
        return put(buf, m->oom == SPEC_OOM_ZONE ? CG_VAL_GIVEN : CG_VAL_DEFAULT, m->oom == SPEC_OOM_ZONE);
    }
}

bool cg_counts_io(const struct cg_host *h, const struct cg_key *k)
{
    return h->io_by_rule && (k->v1_fmt == F_RBPS || k->v1_fmt == F_WBPS);
}

/* One line per disk; no limit is 0 on v1 (or the one that only makes the kernel count) and max on v2. */
static enum cg_val value_io_max(const struct cg_host *h, const char *v2_key, uint64_t v, uint64_t none,
                                const struct cg_limits *l, char *buf)
{
    uint64_t disks[CG_DISKS_MAX];
    unsigned n = cg_disks(h, l, disks), len = 0;
    for (unsigned i = 0; i < n && len < CG_VALUE_MAX; i++) {
        char num[32];
        snprintf(num, sizeof(num), "%llu", (unsigned long long)(v == SPEC_UNSET ? none : v));
        len += (unsigned)snprintf(buf + len, CG_VALUE_MAX - len, "%s%u:%u %s%s%s", i ? "\n" : "",
                                  (unsigned)(disks[i] >> 32), (unsigned)disks[i], v2_key ? v2_key : "",
                                  v2_key ? "=" : "", v2_key && v == SPEC_UNSET ? "max" : num);
    }
    return n == 0 ? CG_VAL_NONE : v == SPEC_UNSET ? CG_VAL_DEFAULT : CG_VAL_GIVEN;
}

bool cg_io_asked(const struct spec_io *io)
{
    return io && (io->weight || io->read != SPEC_UNSET || io->write != SPEC_UNSET ||
                  io->read_ops != SPEC_UNSET || io->write_ops != SPEC_UNSET);
}

static enum cg_val value_io(const struct cg_host *h, enum cg_fmt f, const struct cg_limits *l, bool v2,
                            char *buf)
{
    const struct spec_io *io = l->io;
    uint64_t none = h->io_by_rule ? CG_IO_NEVER : 0;
    switch (f) {
    case F_RBPS:
        return value_io_max(h, v2 ? "rbps" : NULL, io->read, none, l, buf);
    case F_WBPS:
        return value_io_max(h, v2 ? "wbps" : NULL, io->write, none, l, buf);
    case F_RIOPS:
        return value_io_max(h, v2 ? "riops" : NULL, io->read_ops, 0, l, buf);
    case F_WIOPS:
        return value_io_max(h, v2 ? "wiops" : NULL, io->write_ops, 0, l, buf);
    default:
        break;
    }
    enum cg_io_weight want = f == F_BFQ ? CG_IOW_BFQ : CG_IOW_COST;
    if (!io->weight)
        return put(buf, CG_VAL_DEFAULT, 100);
    return cg_io_weight_of(h, l) == want ? put(buf, CG_VAL_GIVEN, io->weight) : CG_VAL_NONE;
}

enum cg_val cg_value(const struct cg_host *h, const struct cg_key *k, const struct cg_limits *l,
                     char buf[CG_VALUE_MAX], int *hier, const char **file)
{
    *hier = h->of[k->ctrl];
    if (*hier < 0)
        return CG_VAL_NONE;
    bool v2 = h->at[*hier].v2;
    enum cg_fmt f = v2 ? k->v2_fmt : k->v1_fmt;
    *file = v2 ? k->v2 : k->v1;
    if (f == F_NONE)
        return CG_VAL_NONE;
    if (f <= F_BURST)
        return l->cpu ? value_cpu(h, f, l->cpu, buf) : CG_VAL_NONE;
    if (f <= F_OOM)
        return l->memory ? value_memory(f, k->unit, l->memory, buf) : CG_VAL_NONE;
    if (f == F_TASKS)
        return l->tasks == SPEC_UNSET ? text(buf, CG_VAL_DEFAULT, "max") : put(buf, CG_VAL_GIVEN, l->tasks);
    return l->io ? value_io(h, f, l, v2, buf) : CG_VAL_NONE;
}
