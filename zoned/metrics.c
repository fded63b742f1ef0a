/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /v1/metrics: Prometheus' text format 0.0.4. Counters in base units (seconds, bytes), one family after the
 * other, each with HELP and TYPE; what this host does not tell is left out. Names of zones need no quoting
 * ([a-z0-9-]). */
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"
#include <stddef.h>
#include <stdio.h>

struct family {
    const char *name, *type, *help;
    size_t at;     /* of a uint64_t in struct cg_stats */
    unsigned unit; /* so many of the kernel's are one: 1, or MICRO for microseconds */
};
#define MICRO 1000000u
#define STAT(field) offsetof(struct cg_stats, field)
static const struct family families[] = {
    {"cpu_seconds_total", "counter", "CPU time used.", STAT(cpu_usage), MICRO},
    {"cpu_user_seconds_total", "counter", "CPU time used by programs.", STAT(cpu_user), MICRO},
    {"cpu_system_seconds_total", "counter", "CPU time used by the kernel.", STAT(cpu_system), MICRO},
    {"cpu_throttled_seconds_total", "counter", "Time held back by the cap.", STAT(cpu_throttled), MICRO},
    {"cpu_periods_total", "counter", "Periods of the cap.", STAT(cpu_periods), 1},
    {"cpu_throttled_periods_total", "counter", "Periods in which the cap held it back.",
     STAT(cpu_throttled_periods), 1},
    {"memory_bytes", "gauge", "Memory in use.", STAT(mem_usage), 1},
    {"memory_peak_bytes", "gauge", "Most memory ever in use.", STAT(mem_peak), 1},
    {"memory_anon_bytes", "gauge", "Memory of programs.", STAT(mem_anon), 1},
    {"memory_file_bytes", "gauge", "Page cache.", STAT(mem_file), 1},
    {"memory_shmem_bytes", "gauge", "Shared memory and tmpfs.", STAT(mem_shmem), 1},
    {"memory_kernel_bytes", "gauge", "Memory of the kernel on its behalf.", STAT(mem_kernel), 1},
    {"memory_swap_bytes", "gauge", "Swap in use.", STAT(mem_swap), 1},
    {"memory_oom_kills_total", "counter", "Processes killed for lack of memory.", STAT(oom_kills), 1},
    {"tasks", "gauge", "Tasks.", STAT(tasks), 1},
    {"io_read_bytes_total", "counter", "Bytes read from disks.", STAT(io_read), 1},
    {"io_written_bytes_total", "counter", "Bytes written to disks.", STAT(io_write), 1},
    {"io_reads_total", "counter", "Reads from disks.", STAT(io_read_ops), 1},
    {"io_writes_total", "counter", "Writes to disks.", STAT(io_write_ops), 1},
    {"pressure_cpu_waiting_seconds_total", "counter", "Time some task waited for a CPU.", STAT(psi_cpu_some),
     MICRO},
    {"pressure_memory_waiting_seconds_total", "counter", "Time some task waited for memory.",
     STAT(psi_mem_some), MICRO},
    {"pressure_memory_stalled_seconds_total", "counter", "Time all tasks waited for memory.",
     STAT(psi_mem_full), MICRO},
    {"pressure_io_waiting_seconds_total", "counter", "Time some task waited for I/O.", STAT(psi_io_some),
     MICRO},
    {"pressure_io_stalled_seconds_total", "counter", "Time all tasks waited for I/O.", STAT(psi_io_full),
     MICRO},
};

static void head(struct str *s, const char *name, const char *type, const char *help)
{
    str_addf(s, "# HELP zoned_%s %s\n# TYPE zoned_%s %s\n", name, help, name, type);
}

static void number(struct str *s, uint64_t v, unsigned unit)
{
    str_add(s, " ");
    str_addu(s, v / unit);
    if (unit == MICRO && v % MICRO) {
        char digits[] = ".000000";
        unsigned rest = v % MICRO;
        for (char *p = digits + 6; rest; rest /= 10)
            *p-- = (char)('0' + rest % 10);
        str_add(s, digits);
    }
    str_add(s, "\n");
}

/* Thirty lines a zone: printf cost 1 µs a line, this a tenth. */
static void zone_value(struct str *s, const char *name, const struct zone *z, uint64_t v, unsigned unit)
{
    str_add(s, "zoned_zone_");
    str_add(s, name);
    str_add(s, "{zone=\"");
    str_add(s, z->name);
    str_add(s, "\"}");
    number(s, v, unit);
}

static void zone_cpus(struct str *s, const char *name, const struct zone *z, double cpus)
{
    zone_value(s, name, z, (uint64_t)(cpus * MICRO + 0.5), MICRO);
}

static void zone_family(struct str *s, const struct family *f, struct zone **all, unsigned n)
{
    char name[80];
    snprintf(name, sizeof(name), "zone_%s", f->name);
    head(s, name, f->type, f->help);
    for (unsigned i = 0; i < n; i++) {
        uint64_t v;
        if (!all[i]->group || !all[i]->sample)
            continue;
        memcpy(&v, (const char *)&all[i]->sample->stats + f->at, sizeof(v));
        if (v != UINT64_MAX)
            zone_value(s, f->name, all[i], v, f->unit);
    }
}

static void limits(struct str *s, struct zone **all, unsigned n)
{
    head(s, "zone_cpu_entitled_cpus", "gauge", "CPUs it would get now if all wanted them.");
    for (unsigned i = 0; i < n; i++)
        if (all[i]->group && all[i]->sample)
            zone_cpus(s, "cpu_entitled_cpus", all[i], all[i]->entitled);
    head(s, "zone_cpu_guaranteed_cpus", "gauge", "CPUs that are promised to it.");
    for (unsigned i = 0; i < n; i++)
        if (all[i]->group && all[i]->sample)
            zone_cpus(s, "cpu_guaranteed_cpus", all[i], all[i]->guaranteed);
    head(s, "zone_cpu_cap_cpus", "gauge", "CPUs it can use at most.");
    for (unsigned i = 0; i < n; i++)
        if (all[i]->group && all[i]->spec && all[i]->spec->cpu.cap >= 0)
            zone_cpus(s, "cpu_cap_cpus", all[i], all[i]->spec->cpu.cap);
    head(s, "zone_memory_cap_bytes", "gauge", "Memory it can use at most.");
    for (unsigned i = 0; i < n; i++)
        if (all[i]->group && all[i]->spec && all[i]->spec->memory.cap != SPEC_UNSET)
            zone_value(s, "memory_cap_bytes", all[i], all[i]->spec->memory.cap, 1);
    head(s, "zone_up", "gauge", "1 while the zone runs.");
    for (unsigned i = 0; i < n; i++)
        zone_value(s, "up", all[i], all[i]->state == ZONE_RUNNING, 1);
}

static void link_value(struct str *s, const char *name, const struct zone *z, const char *ifname, uint64_t v)
{
    str_add(s, "zoned_");
    str_add(s, name);
    str_add(s, "{zone=\"");
    str_add(s, z->name);
    str_add(s, "\",link=\"");
    str_add(s, ifname);
    str_add(s, "\"}");
    number(s, v, 1);
}

static void network(struct str *s, struct zone **all, unsigned n, const char *name, const char *help,
                    size_t at)
{
    head(s, name, "counter", help);
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; all[i]->group && all[i]->sample && all[i]->plan &&
                             k < all[i]->sample->links.len && k < all[i]->plan->links.len;
             k++) {
            const struct net_count *c = &all[i]->sample->links.at[k];
            uint64_t v;
            memcpy(&v, (const char *)&c->count + at, sizeof(v));
            if (c->there)
                link_value(s, name, all[i], all[i]->plan->links.at[k].ifname, v);
        }
}

static void host(struct zd *d, struct str *s)
{
    static const struct {
        const char *name, *type, *help, *key;
        unsigned unit;
    } rows[] = {
        {"host_cpus", "gauge", "CPUs of the machine.", "cpus", 1},
        {"host_cpu_seconds_total", "counter", "CPU time used by the machine.", "cpu_busy_usec", MICRO},
        {"host_own_cpu_seconds_total", "counter", "CPU time used outside of zones.", "cpu_host_usec", MICRO},
        {"host_memory_bytes", "gauge", "Memory of the machine.", "memory", 1},
        {"host_memory_available_bytes", "gauge", "Memory that could be had.", "memory_available", 1},
    };
    auto_js json *o = host_stats(d);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        json *v = js_get(o, rows[i].key);
        if (js_type_of(v) != JS_INT)
            continue;
        head(s, rows[i].name, rows[i].type, rows[i].help);
        str_add(s, "zoned_");
        str_add(s, rows[i].name);
        number(s, (uint64_t)js_int_of(v, 0), rows[i].unit);
    }
    head(s, "zones", "gauge", "Zones known.");
    str_addf(s, "zoned_zones %u\n", d->nzones);
}

int h_metrics(struct zd *d, struct zd_request *r, struct err *e)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    struct str s = {0};
    sample_take(d, all, n, false);
    sample_entitle(d);
    host(d, &s);
    for (unsigned i = 0; i < ARRAY_LEN(families); i++)
        zone_family(&s, &families[i], all, n);
    limits(&s, all, n);
    network(&s, all, n, "zone_network_received_bytes_total", "Bytes to the zone.",
            offsetof(struct net_counters, rx_bytes));
    network(&s, all, n, "zone_network_sent_bytes_total", "Bytes from the zone.",
            offsetof(struct net_counters, tx_bytes));
    zd_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", str_take(&s));
    return 0;
}
