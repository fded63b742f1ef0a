/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why is a zone slow? One cause out of what the counters of an interval say, with the counter named. Pure.
 *
 * Each cause has a score, the part of the interval that it cost; the greatest wins, and below its threshold
 * none counts. Two causes show themselves in the counters of others and are asked first: a cap makes tasks wait
 * for a CPU, and a working set beyond the memory cap makes them wait for the disk that it is read from again. */
#include "base/cpus.h"
#include "base/str.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"
#include <stdarg.h>
#include <stdio.h>

#define HELD_LEAST 0.10   /* of the cap's periods */
#define WAIT_LEAST 0.10   /* of the time: CPU, I/O */
#define MEMORY_LEAST 0.05 /* of the time */
#define FULL 0.9          /* of a limit */

__attribute__((format(printf, 4, 5))) static json *answer(const struct why_facts *f, const char *cause,
                                                          const char *who, const char *fmt, ...)
{
    char text[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json *o = js_object();
    js_set_str(o, "zone", f->self.name);
    js_set_str(o, "cause", cause);
    js_set_str(o, "neighbour", who);
    js_set_str(o, "text", text);
    js_set_real(o, "seconds", f->seconds);
    return o;
}

static double percent(double part)
{
    return part * 100 > 100 ? 100 : part * 100;
}

static json *not_running(const struct why_facts *f)
{
    const char *name = f->self.name;
    if (f->self.state == ZONE_PAUSED)
        return answer(f, "paused", NULL,
                      "Zone %s is paused: all its processes are frozen. zonectl resume %s lets them go on.",
                      name, name);
    return answer(f, "not_running", NULL, "Zone %s does not run: it is %s.", name, state_name(f->self.state));
}

static json *no_groups(const struct why_facts *f)
{
    const char *name = f->self.name;
    return answer(
        f, "no_groups", NULL,
        "Zone %s runs without limits: its control groups are gone, somebody has removed them. No cap, share "
        "or reservation of it is kept, and nothing tells what holds it back. zonectl restart %s makes them "
        "anew.",
        name, name);
}

static json *moved(const struct why_facts *f)
{
    const char *name = f->self.name;
    return answer(f, "moved", NULL,
                  "PID 1 of zone %s lies outside of the zone's control group: somebody has moved it to %s. "
                  "The group's caps, shares "
                  "and reservations do not hold what runs there, and its counters do not see it. zonectl "
                  "export %s | zonectl apply "
                  "-f - takes PID 1 back; zonectl restart %s all that runs in the zone.",
                  name, f->moved, name, name);
}

/* What it was cut for is gone, by somebody else's hand. */
static json *still_cut(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    auto_free char *pool =
        f->pool ? xasprintf(", and zonectl pool set %s cpu.cap=… its pool's", f->pool) : xstrdup("");
    return answer(
        f, "cap", NULL,
        "Zone %s is slow because its group still has a cap of %.2f CPUs, which was cut for one above it that "
        "somebody "
        "else has taken away since: it used %.2f, and was held back in %.0f %% of the periods (cpu.stat: "
        "nr_throttled). zonectl set @host cpu.reserved=… writes the caps of all zones again%s.",
        z->name, z->cap, z->used, percent(z->held), pool);
}

static json *own_cap(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    if (z->cut)
        return still_cut(f);
    return answer(
        f, "cap", NULL,
        "Zone %s is slow because of its own cap: it may use %.2f CPUs, used %.2f, and was held back in "
        "%.0f %% of the periods (cpu.stat: nr_throttled; throttled for %.2f s in %.1f s). A higher cap "
        "ends that: zonectl set %s cpu.cap=…",
        z->name, z->cap, z->used, percent(z->held), z->throttled, f->seconds, z->name);
}

/* Where the zone's cap is cut to that of what is above it, its own group may be the one that shows it. */
static bool cut_by_pool(const struct why_facts *f)
{
    return f->self.cut && f->pool && f->pool_cap > 0 && f->pool_cap <= f->self.cap + 0.005;
}

static bool cut_by_all(const struct why_facts *f)
{
    return f->self.cut && !cut_by_pool(f) && f->all_cap > 0 && f->all_cap <= f->self.cap + 0.005;
}

static double pool_held(const struct why_facts *f)
{
    return cut_by_pool(f) && f->self.held > f->pool_held ? f->self.held : f->pool_held;
}

static double all_held(const struct why_facts *f)
{
    return cut_by_all(f) && f->self.held > f->all_held ? f->self.held : f->all_held;
}

static json *by_pool(const struct why_facts *f)
{
    return answer(
        f, "pool", f->pool,
        "Zone %s is slow because of its pool %s: the pool's cap of %.2f CPUs held its zones back in "
        "%.0f %% of the periods (cpu.stat of the pool: nr_throttled), while %s used %.2f CPUs. %szonectl "
        "pool set %s cpu.cap=… gives the pool more.",
        f->self.name, f->pool, f->pool_cap, percent(pool_held(f)), f->self.name, f->self.used,
        f->pool_foreign ? "Somebody else wrote that cap to the pool's group; any zonectl pool set heals it. "
                        : "",
        f->pool);
}

/* The quota on all zones together, which keeps the host's part. */
static json *by_all(const struct why_facts *f)
{
    return answer(
        f, "reserved", "@host",
        "Zone %s is slow because of %s: all zones together may use %.2f of %u CPUs, and that quota held them "
        "back in %.0f %% of the periods (cpu.stat of the zones' parent group: nr_throttled), while %s used "
        "%.2f CPUs. zonectl set @host cpu.reserved=… %s.",
        f->self.name,
        f->all_foreign ? "a quota that somebody else wrote to the group of all zones"
                       : "what is kept for the host, @host cpu.reserved",
        f->all_cap, f->cpus, percent(all_held(f)), f->self.name, f->self.used,
        f->all_foreign ? "writes ours again" : "with less leaves more to zones");
}

static json *memory(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    char use[24], cap[24], again[24];
    print_size((uint64_t)z->refaults >> 20 << 20, again);
    print_size(z->mem >> 20 << 20, use);
    print_size(z->mem_cap, cap);
    bool capped = z->mem_cap != SPEC_UNSET;
    if (z->oom_kills)
        return answer(
            f, "memory", NULL,
            "Zone %s ran out of memory: %llu of its processes were killed (memory: oom_kill) at %s of "
            "its cap of %s. zonectl set %s memory.cap=… gives it more.",
            z->name, (unsigned long long)z->oom_kills, use, capped ? cap : "the machine", z->name);
    return answer(
        f, "memory", NULL,
        "Zone %s is slow because it is short of memory: it holds %s of %s%s; some of its tasks waited for "
        "memory in %.0f %% of the time (memory.pressure) and for a disk in %.0f %% (io.pressure), from "
        "which %s a second came that had been in memory before (memory.stat: workingset_refault).%s%s%s",
        z->name, use, capped ? "its cap of " : "a machine that is full", capped ? cap : "",
        percent(z->wait_mem), percent(z->wait_io), again, capped ? " A higher cap: zonectl set " : "",
        capped ? z->name : "", capped ? " memory.cap=…" : "");
}

static json *io(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    char rd[24], wr[24];
    print_size((uint64_t)z->read >> 10 << 10, rd);
    print_size((uint64_t)z->write >> 10 << 10, wr);
    return answer(
        f, "io", NULL,
        "Zone %s is slow because of I/O: in %.0f %% of the time some of its tasks waited for a disk "
        "(io.pressure), while it read %s and wrote %s a second.%s",
        z->name, percent(z->wait_io), rd, wr,
        z->io_capped ? " It has an I/O limit of its own: see io in its spec." : "");
}

/* ---- waiting for a CPU ---- */
static bool share_a_cpu(const char *a, const char *b)
{
    for (unsigned i = 0; i < CPU_NUMBERS; i++)
        if (cpu_in_set(a, i) && cpu_in_set(b, i))
            return true;
    return false;
}

static const struct why_zone *worst_neighbour(const struct why_facts *f)
{
    const struct why_zone *worst = NULL;
    for (unsigned i = 0; i < f->nothers; i++) {
        const struct why_zone *o = &f->others[i];
        bool yields = o->idle && !f->self.idle; /* whatever it uses is left over */
        if (!yields && share_a_cpu(f->self.set, o->set) && (!worst || o->used > worst->used))
            worst = o;
    }
    return worst;
}

/* What the host can have used of the CPUs that are the zone's: they are not more than the zones left. */
static double host_here(const struct why_facts *f, unsigned cpus)
{
    double zones = f->self.used;
    for (unsigned i = 0; i < f->nothers; i++)
        if (share_a_cpu(f->self.set, f->others[i].set))
            zones += f->others[i].used;
    double left = zones < cpus ? cpus - zones : 0;
    return f->host_used < left ? f->host_used : left;
}

/* CPUs that are not of its own choice. */
static json *by_given_set(const struct why_facts *f, unsigned cpus)
{
    const struct why_zone *z = &f->self;
    const char *s = cpus == 1 ? "" : "s";
    if (f->bound == WHY_DEDICATED)
        return answer(
            f, "dedicated", NULL,
            "Zone %s is slow because it keeps its %u dedicated CPU%s (%s) busy itself: used %.2f, and in "
            "%.0f %% of the time a task waited for one (cpu.pressure). More of them: zonectl set %s "
            "cpu.dedicated=%u",
            z->name, cpus, s, z->set, z->used, percent(z->wait_cpu), z->name, cpus + 1);
    if (f->bound == WHY_POOL)
        return answer(
            f, "pool", f->pool,
            "Zone %s is slow because of its pool %s: it keeps the %u CPU%s of the pool (%s) busy itself: "
            "used "
            "%.2f, and in %.0f %% of the time a task waited for one (cpu.pressure). More for the pool: "
            "zonectl pool set %s, cpu.set or cpu.dedicated",
            z->name, f->pool, cpus, s, z->set, z->used, percent(z->wait_cpu), f->pool);
    return answer(
        f, "machine", NULL,
        "Zone %s is slow because the machine has no more CPUs for it: it keeps the %u CPU%s (%s) that are "
        "not "
        "dedicated to others busy itself: used %.2f, and in %.0f %% of the time a task waited for one "
        "(cpu.pressure).",
        z->name, cpus, s, z->set, z->used, percent(z->wait_cpu));
}

static json *by_itself(const struct why_facts *f, unsigned cpus)
{
    const struct why_zone *z = &f->self;
    if (z->set && f->bound != WHY_SET)
        return by_given_set(f, cpus);
    if (z->set)
        return answer(
            f, "set", NULL,
            "Zone %s is slow because of its own CPU set: it keeps the %u CPUs of its set %s busy itself "
            "(used %.2f; in %.0f %% of the time a task waited for one of them: cpu.pressure). A larger "
            "set: zonectl set %s cpu.set=…",
            z->name, cpus, z->set, z->used, percent(z->wait_cpu), z->name);
    return answer(
        f, "machine", NULL,
        "Zone %s is slow because the machine has no more CPUs: it uses %.2f of %u itself (in %.0f %% of "
        "the time a task waited for one: cpu.pressure).",
        z->name, z->used, f->cpus, percent(z->wait_cpu));
}

/* Its own, or its pool's: shares do not help. */
static json *by_idle(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    if (z->idle)
        return answer(
            f, "idle", NULL,
            "Zone %s is slow because of its own cpu.idle: it gets only what others on its CPUs leave, and "
            "its "
            "shares count for nothing. It used %.2f CPUs, and in %.0f %% of the time a task of it waited for "
            "one (cpu.pressure). zonectl set %s cpu.idle=false gives it its part.",
            z->name, z->used, percent(z->wait_cpu), z->name);
    return answer(
        f, "pool", f->pool,
        "Zone %s is slow because of its pool %s, which has cpu.idle: the pool gets only what others on its "
        "CPUs leave, and shares count among its own zones alone. %s used %.2f CPUs, and in %.0f %% of the "
        "time a task of it waited for one (cpu.pressure). zonectl pool set %s cpu.idle=false gives the pool "
        "its part.",
        z->name, f->pool, z->name, z->used, percent(z->wait_cpu), f->pool);
}

static json *cpu_wait(const struct why_facts *f)
{
    const struct why_zone *z = &f->self, *o = worst_neighbour(f);
    unsigned cpus = z->set ? cpus_in_set(z->set) : f->cpus;
    if (z->used >= FULL * cpus)
        return by_itself(f, cpus);
    if (z->idle || (f->pool_idle && !(o && o->mate)))
        return by_idle(f);
    if (o && o->used >= host_here(f, cpus))
        return answer(
            f, "neighbour", o->name,
            "Zone %s is slow because of its neighbour %s, which used %.2f CPUs (entitled to %.2f): in "
            "%.0f %% of the time a task of %s waited for a CPU (cpu.pressure), it got %.2f of the %.2f "
            "that it is entitled to. More shares: zonectl set %s cpu.shares=…; a cap for the other: "
            "zonectl set %s cpu.cap=…",
            z->name, o->name, o->used, o->entitled, percent(z->wait_cpu), z->name, z->used, z->entitled,
            z->name, o->name);
    return answer(
        f, "host", "[host]",
        "Zone %s is slow because of the host: what runs outside of zones used %.2f of %u CPUs, and in "
        "%.0f %% of the time a task of %s waited for a CPU (cpu.pressure); it got %.2f.",
        z->name, f->host_used, f->cpus, percent(z->wait_cpu), z->name, z->used);
}

/* cgroup v1 counts no pressure, nor does a kernel that was started with psi=0. */
static json *unknown(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    return answer(f, "unknown", NULL,
                  "No cap holds zone %s back (%.0f %% of the periods): it used %.2f CPUs of the %.2f that it "
                  "is entitled to. Whether its tasks wait for a CPU, memory or I/O is not counted here: that "
                  "needs cgroup2 (mount -t cgroup2 none /sys/fs/cgroup/unified, then restart zoned) and a "
                  "kernel that counts pressure (psi=1).",
                  z->name, percent(z->held), z->used, z->entitled);
}

static json *none(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    return answer(
        f, "none", NULL,
        "Zone %s is not slow: it used %.2f CPUs of the %.2f that it is entitled to, no cap held it back "
        "(%.0f %% of the periods), and its tasks waited %.0f %% of the time for a CPU, %.0f %% for "
        "memory, %.0f %% for I/O.",
        z->name, z->used, z->entitled, percent(z->held), percent(z->wait_cpu), percent(z->wait_mem),
        percent(z->wait_io));
}

static json *decide(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    bool full = z->mem_cap != SPEC_UNSET && (double)z->mem >= FULL * (double)z->mem_cap,
         above = cut_by_pool(f) || cut_by_all(f);
    double mem = z->wait_mem >= MEMORY_LEAST ? z->wait_mem : 0,
           disk = z->wait_io >= WAIT_LEAST ? z->wait_io : 0,
           held = z->held >= HELD_LEAST && !above ? z->held : 0,
           pool = f->pool && pool_held(f) >= HELD_LEAST ? pool_held(f) : 0,
           all = (above || z->wait_cpu >= WAIT_LEAST) && all_held(f) >= HELD_LEAST ? all_held(f) : 0,
           wait = held || pool || all || z->wait_cpu < WAIT_LEAST ? 0 : z->wait_cpu;
    if (full && disk > mem && (mem > 0 || z->refaults * 2 > z->read))
        mem = disk;
    if (z->state != ZONE_RUNNING)
        return not_running(f);
    if (f->gone)
        return no_groups(f);
    if (f->moved)
        return moved(f);
    if (z->oom_kills || (mem && mem >= disk && mem >= held && mem >= pool && mem >= all && mem >= wait))
        return memory(f);
    if (disk && disk >= held && disk >= pool && disk >= all && disk >= wait)
        return io(f);
    if (held && held >= pool && held >= all)
        return own_cap(f);
    if (pool && pool >= all)
        return by_pool(f);
    if (all)
        return by_all(f);
    return wait ? cpu_wait(f) : z->blind ? unknown(f) : none(f);
}

static json *waited(const struct why_zone *z, double part)
{
    return z->blind ? js_null() : js_real(part);
}

json *why_decide(const struct why_facts *f)
{
    const struct why_zone *z = &f->self;
    json *o = decide(f), *c = js_object();
    js_set_real(c, "cpu_used", z->used);
    js_set_real(c, "cpu_entitled", z->entitled);
    js_set_real(c, "periods_held", z->held);
    js_set_real(c, "throttled_seconds", z->throttled);
    js_set(c, "pool_periods_held", f->pool ? js_real(f->pool_held) : js_null());
    js_set_real(c, "all_periods_held", f->all_held);
    js_set(c, "cpu_waiting", waited(z, z->wait_cpu));
    js_set(c, "memory_waiting", waited(z, z->wait_mem));
    js_set_real(c, "refault_bytes", z->refaults);
    js_set_real(c, "read_bytes", z->read);
    js_set(c, "io_waiting", waited(z, z->wait_io));
    js_set_int(c, "memory", (int64_t)z->mem);
    js_set(c, "memory_cap", z->mem_cap == SPEC_UNSET ? js_null() : js_int((int64_t)z->mem_cap));
    js_set_int(c, "oom_kills", (int64_t)z->oom_kills);
    js_set_real(c, "host_cpu_used", f->host_used);
    js_set(o, "counters", c);
    return o;
}
