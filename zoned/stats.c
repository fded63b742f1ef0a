/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics as the API tells them: one object per zone, built anew only when something in it moved (its text
 * is kept), and the host's. Counters are totals; whoever wants rates takes the difference of two answers. */
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#define FRESH_MAX 32 /* so many zones asked for by name are looked at in full */

static void set_known(json *o, const char *key, uint64_t v)
{
    js_set(o, key, v == UINT64_MAX ? js_null() : js_int((int64_t)v));
}

/* Zones' objects are written as text at once: a tree of sixty values and its dump cost 25 µs a zone, this two. */
static void put_key(struct str *s, const char *key)
{
    char last = s->len ? s->p[s->len - 1] : '{';
    str_add(s, last == '{' || last == '[' ? "\"" : ", \"");
    str_add(s, key);
    str_add(s, "\": ");
}

static void put(struct str *s, const char *key, const char *text)
{
    put_key(s, key);
    str_add(s, text);
}

static void put_known(struct str *s, const char *key, uint64_t v)
{
    put_key(s, key);
    if (v == UINT64_MAX)
        str_add(s, "null");
    else
        str_addu(s, v);
}

/* CPUs, to the millionth; < 0: null. printf's way with a double costs as much as ten numbers. */
static void put_given(struct str *s, const char *key, double v)
{
    if (!(v >= 0)) {
        put(s, key, "null");
        return;
    }
    uint64_t millionths = (uint64_t)(v * 1e6 + 0.5);
    char part[8] = ".000000";
    for (unsigned i = 6, rest = (unsigned)(millionths % 1000000); i > 0; i--, rest /= 10)
        part[i] = (char)('0' + rest % 10);
    put_known(s, key, millionths / 1000000);
    str_addn(s, part, 7);
}

/* Names and CPU lists: checked when they came in, nothing in them needs quoting. */
static void put_word(struct str *s, const char *key, const char *word)
{
    put(s, key, word ? "\"" : "null");
    if (word) {
        str_add(s, word);
        str_add(s, "\"");
    }
}

static void put_open(struct str *s, const char *key)
{
    put(s, key, "{");
}

static void cpu_stats(const struct zone *z, const struct cg_stats *c, struct str *s)
{
    const struct spec *has = zone_has(z);
    put_open(s, "cpu");
    put_known(s, "usage_usec", c->cpu_usage);
    put_known(s, "user_usec", c->cpu_user);
    put_known(s, "system_usec", c->cpu_system);
    put_known(s, "throttled_usec", c->cpu_throttled);
    put_known(s, "periods", c->cpu_periods);
    put_known(s, "throttled_periods", c->cpu_throttled_periods);
    put_known(s, "shares", has->cpu.shares);
    put_given(s, "cap", has->cpu.cap);
    put_word(s, "set", has->cpu.set);
    put_word(s, "pool", has->cpu.pool);
    put_given(s, "entitled", z->entitled);
    put_given(s, "guaranteed", z->guaranteed);
    put_given(s, "use", z->cpu_use);
    put_known(s, "psi_some_usec", c->psi_cpu_some);
    str_add(s, "}");
}

static void memory_stats(const struct zone *z, const struct cg_stats *c, struct str *s)
{
    const struct spec *has = zone_has(z);
    put_open(s, "memory");
    put_known(s, "usage", c->mem_usage);
    put_known(s, "peak", c->mem_peak);
    put_known(s, "anon", c->mem_anon);
    put_known(s, "file", c->mem_file);
    put_known(s, "shmem", c->mem_shmem);
    put_known(s, "kernel", c->mem_kernel);
    put_known(s, "swap", c->mem_swap);
    put_known(s, "refaults", c->mem_refaults);
    put_known(s, "cap", has->memory.cap);
    put_known(s, "reserved", has->memory.reserved);
    put_known(s, "oom_kills", c->oom_kills);
    put_known(s, "psi_some_usec", c->psi_mem_some);
    put_known(s, "psi_full_usec", c->psi_mem_full);
    str_add(s, "}");
}

static void io_stats(const struct zone *z, const struct cg_stats *c, struct str *s)
{
    const struct spec *has = zone_has(z);
    put_open(s, "io");
    put_known(s, "read", c->io_read);
    put_known(s, "write", c->io_write);
    put_known(s, "read_ops", c->io_read_ops);
    put_known(s, "write_ops", c->io_write_ops);
    put_known(s, "read_cap", has->io.read);
    put_known(s, "write_cap", has->io.write);
    put_known(s, "psi_some_usec", c->psi_io_some);
    put_known(s, "psi_full_usec", c->psi_io_full);
    str_add(s, "}");
}

static void net_stats(const struct zone *z, struct str *s)
{
    bool first = true;
    put(s, "network", "[");
    for (unsigned i = 0; z->plan && i < z->plan->links.len && i < z->sample->links.len; i++) {
        const struct net_counters *c = &z->sample->links.at[i].count;
        if (!z->sample->links.at[i].there)
            continue;
        str_add(s, first ? "{" : ", {");
        first = false;
        put_word(s, "ifname", z->plan->links.at[i].ifname);
        put_known(s, "index", (uint64_t)z->sample->links.at[i].index);
        put_known(s, "rx_bytes", c->rx_bytes);
        put_known(s, "tx_bytes", c->tx_bytes);
        put_known(s, "rx_packets", c->rx_packets);
        put_known(s, "tx_packets", c->tx_packets);
        str_add(s, "}");
    }
    str_add(s, "]");
}

/* Without its end: what follows is another with every look. */
static void zone_object(const struct zone *z, struct str *s)
{
    const struct cg_stats *c = &z->sample->stats;
    const struct spec *has = zone_has(z);
    str_add(s, "{");
    put_word(s, "name", z->name);
    put_word(s, "state", state_name(z->state));
    if (has) {
        cpu_stats(z, c, s);
        memory_stats(z, c, s);
        put_open(s, "tasks");
        put_known(s, "current", c->tasks);
        put_known(s, "cap", has->tasks);
        str_add(s, "}");
        io_stats(z, c, s);
        net_stats(z, s);
        put_known(s, "group", c->group);
    }
}

/* The text is good as long as nothing moved; whoever moves something calls sample_stale. */
static void put_zone(struct str *out, struct zone *z)
{
    struct zone_sample *s = sample_of(z);
    size_t from = out->len;
    if (s->text && s->text_state == z->state)
        str_add(out, s->text);
    else {
        zone_object(z, out);
        free(s->text);
        s->text = xmemdup(out->p + from, out->len - from + 1); /* no longer than it is: one a zone */
        s->text_state = z->state;
    }
    if (zone_has(z)) {
        put_known(out, "read_us", s->read_us ? s->read_us : UINT64_MAX);
        put_known(out, "looked_us", s->looked_us ? s->looked_us : UINT64_MAX);
    }
    str_add(out, "}");
}

/* ---- the host ---- */
static uint64_t meminfo(const char *text, const char *key)
{
    const char *p = text ? strstr(text, key) : NULL;
    return p ? strtoull(p + strlen(key), NULL, 10) * 1024 : 0;
}

static void host_cpu(struct zd *d, json *o, const struct cg_total *t)
{
    auto_free char *stat = NULL;
    uint64_t v[8] = {0};
    if (file_read(AT_FDCWD, "/proc/stat", 1u << 20, &stat, NULL, NULL) == 0)
        (void)!sscanf(stat,
                      "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                      " %" SCNu64,
                      &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
    uint64_t ticks = (v[0] + v[1] + v[2] + v[5] + v[6]) * 10000;
    uint64_t busy = t->cpu_machine == UINT64_MAX ? ticks : t->cpu_machine;
    js_set_int(o, "cpus", d->facts.cpus);
    js_set_int(o, "cpu_busy_usec", (int64_t)busy);
    js_set_int(o, "cpu_idle_usec", (int64_t)((v[3] + v[4]) * 10000));
    js_set_int(o, "cpu_steal_usec", (int64_t)(v[7] * 10000));
    set_known(o, "cpu_zones_usec", t->cpu_zones);
    /* The machine is counted in ticks, groups to the nanosecond: the difference may step back, a counter must not. */
    if (t->cpu_zones != UINT64_MAX && t->cpu_zones < busy && busy - t->cpu_zones > d->cpu_host_usec)
        d->cpu_host_usec = busy - t->cpu_zones;
    js_set(o, "cpu_host_usec", t->cpu_zones == UINT64_MAX ? js_null() : js_int((int64_t)d->cpu_host_usec));
}

static void host_memory(struct zd *d, json *o, const struct cg_total *t)
{
    auto_free char *mem = NULL;
    (void)file_read(AT_FDCWD, "/proc/meminfo", 65536, &mem, NULL, NULL);
    uint64_t used = d->facts.memory - meminfo(mem, "MemFree:");
    js_set_int(o, "memory", (int64_t)d->facts.memory);
    js_set_int(o, "memory_available", (int64_t)meminfo(mem, "MemAvailable:"));
    js_set_int(o, "memory_used", (int64_t)used);
    set_known(o, "memory_zones", t->mem_zones);
    js_set(o, "memory_host",
           t->mem_zones == UINT64_MAX || t->mem_zones > used ? js_null()
                                                             : js_int((int64_t)(used - t->mem_zones)));
}

static void host_tasks(json *o, const struct cg_total *t)
{
    auto_free char *load = NULL;
    uint64_t all = UINT64_MAX;
    if (file_read(AT_FDCWD, "/proc/loadavg", 256, &load, NULL, NULL) == 0)
        (void)!sscanf(load, "%*s %*s %*s %*[0-9]/%" SCNu64, &all);
    bool known = all != UINT64_MAX && t->tasks_zones != UINT64_MAX && t->tasks_zones <= all;
    set_known(o, "tasks", all);
    set_known(o, "tasks_zones", t->tasks_zones);
    js_set(o, "tasks_host", known ? js_int((int64_t)(all - t->tasks_zones)) : js_null());
}

/* What the groups of ended zones take along on v1 is not taken back. */
static void go_on(uint64_t *told, uint64_t *seen, uint64_t now)
{
    if (now == UINT64_MAX)
        return;
    *told += now > *seen ? now - *seen : 0;
    *seen = now;
}

static json *io_json(const struct cg_io *io)
{
    json *o = js_object();
    set_known(o, "read", io->read);
    set_known(o, "write", io->write);
    set_known(o, "read_ops", io->read_ops);
    set_known(o, "write_ops", io->write_ops);
    return o;
}

static void host_io(struct zd *d, json *o, const struct cg_total *t)
{
    struct cg_io *told = &d->io_zones, *seen = &d->io_zones_seen;
    go_on(&told->read, &seen->read, t->io_zones.read);
    go_on(&told->write, &seen->write, t->io_zones.write);
    go_on(&told->read_ops, &seen->read_ops, t->io_zones.read_ops);
    go_on(&told->write_ops, &seen->write_ops, t->io_zones.write_ops);
    js_set(o, "io", io_json(&t->io_machine));
    js_set(o, "io_zones", io_json(t->io_zones.read == UINT64_MAX ? &t->io_zones : told));
}

static void host_promise(struct zd *d, json *o)
{
    double cpus = d->host->cpu.reserved;
    js_set(o, "cpu_reserved", cpus > 0 ? js_real(cpus) : js_null());
    set_known(o, "memory_reserved", d->host->memory.reserved);
}

json *host_stats(struct zd *d)
{
    struct cg_total t;
    json *o = js_object();
    cg_read_total(d->cgroups, d->cgroup_parent, &t);
    host_cpu(d, o, &t);
    host_memory(d, o, &t);
    host_tasks(o, &t);
    host_io(d, o, &t);
    host_promise(d, o);
    js_set_int(o, "time_us", (int64_t)clock_mono_us());
    return o;
}

/* ---- all ---- */
static int wanted_zones(struct zd *d, char *const *names, struct zone ***out, unsigned *n, struct err *e)
{
    for (unsigned i = 0; names && names[i]; i++)
        if (!registry_find(d, names[i]))
            return err_set(e, ERR_NOT_FOUND, ENOENT, "zone %s does not exist", names[i]);
    *out = registry_sorted(d, n);
    return 0;
}

static bool is_wanted(const struct zone *z, char *const *names)
{
    return names && names[0] ? strv_has(names, z->name) : z->group != NULL;
}

char *stats_text(struct zd *d, char *const *names, struct err *e)
{
    unsigned n, some = 0;
    auto_free struct zone **all = NULL, **few = NULL;
    if (wanted_zones(d, names, &all, &n, e) < 0)
        return NULL;
    few = xcalloc(n + 1, sizeof(*few));
    for (unsigned i = 0; i < n; i++)
        if (is_wanted(all[i], names))
            few[some++] = all[i];
    bool named = names && names[0];
    sample_take(d, few, some, named && some <= FRESH_MAX);
    sample_entitle(d);
    auto_js json *host = host_stats(d);
    auto_free char *host_text = js_dump(host, false);
    struct str out = {0};
    str_add(&out, "{\"host\": ");
    str_add(&out, host_text);
    str_add(&out, ", \"zones\": [");
    for (unsigned i = 0; i < some; i++) {
        if (i)
            str_add(&out, ", ");
        put_zone(&out, few[i]);
    }
    str_add(&out, "]}");
    return str_take(&out);
}
