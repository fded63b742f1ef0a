/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients see of a zone and of the host: the API's objects. Reads only; statistics by kept descriptors.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

static json *addresses(const struct net_addr *a4, const struct net_addr *a6)
{
    char buf[64];
    json *list = js_array();
    const struct net_addr *both[2] = {a4, a6};
    for (unsigned i = 0; i < 2; i++) {
        if (!both[i]->family)
            continue;
        net_addr_print(both[i], false, buf);
        js_add(list, js_string(buf));
    }
    return list;
}

static json *port_list(const struct spec_link *l)
{
    json *list = js_array();
    for (unsigned i = 0; i < l->ports.len; i++) {
        auto_free char *text = spec_print_port(&l->ports.at[i]);
        js_add(list, js_string(text));
    }
    return list;
}

/* A running zone's links keep their names when others come and go; at the next boot they are counted from 0. */
static const char *running_ifname(const struct zone *z, const struct lease_link *l)
{
    for (unsigned i = 0; z->plan && i < z->plan->links.len; i++) {
        const struct net_link_plan *p = &z->plan->links.at[i];
        if (str_eq(p->network.name, l->network) && net_addr_eq(&p->addr4, &l->addr4) &&
            net_addr_eq(&p->addr6, &l->addr6))
            return p->ifname;
    }
    return NULL;
}

static json *network_view(const struct zone *z)
{
    static const struct net_addr none;
    json *list = js_array();
    unsigned eth = 0;
    for (unsigned i = 0; z->spec && i < z->spec->network.len; i++) {
        const struct spec_link *l = &z->spec->network.at[i];
        const struct lease_link *lease = i < z->lease.nlinks ? &z->lease.links[i] : NULL;
        json *o = js_object();
        js_set_str(o, "link", l->link);
        char ifname[16];
        snprintf(ifname, sizeof(ifname), "eth%u", eth);
        bool has_if = lease && lease->network[0];
        const char *running = has_if ? running_ifname(z, lease) : NULL;
        eth += has_if;
        js_set_str(o, "ifname", running ? running : has_if ? ifname : NULL);
        js_set(o, "addresses", has_if ? addresses(&lease->addr4, &lease->addr6) : addresses(&none, &none));
        js_set(o, "ports", port_list(l));
        js_add(list, o);
    }
    return list;
}

static void add_use(struct zone *z, json *o)
{
    struct cg_stats s;
    json *cpu = js_object(), *mem = js_object();
    js_set_int(cpu, "shares", z->spec ? (int64_t)z->spec->cpu.shares : 100);
    js_set(cpu, "cap", z->spec && z->spec->cpu.cap >= 0 ? js_real(z->spec->cpu.cap) : js_null());
    if (z->group && cg_read(z->group, true, &s, NULL) == 0) {
        uint64_t now = clock_mono_us();
        if (z->cpu_last_time && now - z->cpu_last_time > 100000) {
            z->cpu_use = (double)(s.cpu_usage - z->cpu_last_usec) / (double)(now - z->cpu_last_time);
            z->cpu_last_time = 0;
        }
        if (!z->cpu_last_time) {
            z->cpu_last_usec = s.cpu_usage;
            z->cpu_last_time = now;
        }
        js_set_int(cpu, "usage_usec", (int64_t)s.cpu_usage);
        js_set_real(cpu, "use", z->cpu_use);
        js_set_int(mem, "usage", (int64_t)s.mem_usage);
    }
    bool capped = z->spec && z->spec->memory.cap != SPEC_UNSET;
    js_set(mem, "cap", capped ? js_int((int64_t)z->spec->memory.cap) : js_null());
    js_set(o, "cpu", cpu);
    js_set(o, "memory", mem);
}

json *zone_to_json(struct zd *d, struct zone *z, bool with_spec)
{
    json *o = js_object();
    js_set_str(o, "name", z->name);
    js_set_str(o, "state", state_name(z->state));
    js_set(o, "pid", z->pid > 0 && z->state != ZONE_DOWN ? js_int(z->pid) : js_null());
    js_set(o, "exit_status", z->exit_status >= 0 ? js_int(z->exit_status) : js_null());
    js_set_str(o, "image", z->spec ? z->spec->image : NULL);
    bool up = z->state == ZONE_RUNNING || z->state == ZONE_PAUSED;
    uint64_t now = clock_real_us();
    js_set(o, "uptime",
           up && z->started_us && now >= z->started_us ? js_int((int64_t)((now - z->started_us) / 1000000))
                                                       : js_null());
    js_set(o, "network", network_view(z));
    js_set_bool(o, "oom", z->oom);
    js_set(o, "healthy", z->healthy < 0 ? js_null() : js_bool(z->healthy));
    js_set_bool(o, "pending", z->pending);
    js_set_int(o, "restarts", (int64_t)z->restarts);
    js_set_str(o, "error", z->error);
    add_use(z, o);
    json *labels = js_object();
    for (unsigned i = 0; z->spec && i < z->spec->labels.len; i++)
        js_set_str(labels, z->spec->labels.at[i].key, z->spec->labels.at[i].value);
    js_set(o, "labels", labels);
    if (with_spec)
        js_set(o, "spec", z->spec ? spec_to_json(z->spec) : js_null());
    return o;
}

static void set_known(json *o, const char *key, uint64_t v)
{
    js_set(o, key, v == UINT64_MAX ? js_null() : js_int((int64_t)v));
}

static json *cpu_stats(struct zd *d, const struct zone *z, const struct cg_stats *s)
{
    json *o = js_object();
    set_known(o, "usage_usec", s->cpu_usage);
    set_known(o, "user_usec", s->cpu_user);
    set_known(o, "system_usec", s->cpu_system);
    set_known(o, "throttled_usec", s->cpu_throttled);
    set_known(o, "periods", s->cpu_periods);
    set_known(o, "throttled_periods", s->cpu_throttled_periods);
    js_set_int(o, "shares", (int64_t)z->spec->cpu.shares);
    js_set(o, "cap", z->spec->cpu.cap >= 0 ? js_real(z->spec->cpu.cap) : js_null());
    js_set_real(o, "entitled",
                d->share_sum ? (double)z->spec->cpu.shares / (double)d->share_sum * d->facts.cpus : 0);
    js_set_real(o, "use", z->cpu_use);
    set_known(o, "psi_some_usec", s->psi_cpu_some);
    return o;
}

static json *memory_stats(const struct zone *z, const struct cg_stats *s)
{
    json *o = js_object();
    set_known(o, "usage", s->mem_usage);
    set_known(o, "peak", s->mem_peak);
    set_known(o, "anon", s->mem_anon);
    set_known(o, "file", s->mem_file);
    set_known(o, "shmem", s->mem_shmem);
    set_known(o, "kernel", s->mem_kernel);
    set_known(o, "swap", s->mem_swap);
    set_known(o, "cap", z->spec->memory.cap);
    set_known(o, "oom_kills", s->oom_kills);
    set_known(o, "psi_some_usec", s->psi_mem_some);
    set_known(o, "psi_full_usec", s->psi_mem_full);
    return o;
}

static json *io_stats(const struct cg_stats *s)
{
    json *o = js_object();
    set_known(o, "read", s->io_read);
    set_known(o, "write", s->io_write);
    set_known(o, "read_ops", s->io_read_ops);
    set_known(o, "write_ops", s->io_write_ops);
    set_known(o, "psi_some_usec", s->psi_io_some);
    set_known(o, "psi_full_usec", s->psi_io_full);
    return o;
}

static json *net_stats(struct zd *d, const struct zone *z)
{
    json *list = js_array();
    for (unsigned i = 0; z->plan && i < z->plan->links.len; i++) {
        struct net_counters c;
        if (net_link_counters(d->net, z->plan->links.at[i].host_ifname, &c) < 0)
            continue;
        json *o = js_object();
        js_set_str(o, "ifname", z->plan->links.at[i].ifname);
        js_set_int(o, "rx_bytes", (int64_t)c.rx_bytes);
        js_set_int(o, "tx_bytes", (int64_t)c.tx_bytes);
        js_add(list, o);
    }
    return list;
}

json *zone_stats(struct zd *d, struct zone *z)
{
    struct cg_stats s;
    memset(&s, 0xff, sizeof(s));
    json *o = js_object(), *tasks = js_object();
    js_set_str(o, "name", z->name);
    js_set_str(o, "state", state_name(z->state));
    if (!z->spec)
        return o;
    if (z->group)
        (void)cg_read(z->group, false, &s, NULL);
    js_set(o, "cpu", cpu_stats(d, z, &s));
    js_set(o, "memory", memory_stats(z, &s));
    set_known(tasks, "current", s.tasks);
    set_known(tasks, "cap", z->spec->tasks);
    js_set(o, "tasks", tasks);
    js_set(o, "io", io_stats(&s));
    js_set(o, "network", net_stats(d, z));
    return o;
}

json *host_stats(struct zd *d)
{
    auto_free char *stat = NULL, *mem = NULL;
    json *o = js_object();
    uint64_t user = 0, nice = 0, sys = 0, idle = 0, wait = 0, avail = 0;
    if (file_read(AT_FDCWD, "/proc/stat", 1u << 20, &stat, NULL, NULL) == 0)
        (void)!sscanf(stat, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &user, &nice,
                      &sys, &idle, &wait);
    if (file_read(AT_FDCWD, "/proc/meminfo", 65536, &mem, NULL, NULL) == 0) {
        char *p = strstr(mem, "MemAvailable:");
        (void)!(p && sscanf(p, "MemAvailable: %" SCNu64, &avail));
    }
    js_set_int(o, "cpus", d->facts.cpus);
    js_set_int(o, "cpu_busy_usec", (int64_t)((user + nice + sys) * 10000));
    js_set_int(o, "cpu_idle_usec", (int64_t)((idle + wait) * 10000));
    js_set_int(o, "memory", (int64_t)d->facts.memory);
    js_set_int(o, "memory_available", (int64_t)avail * 1024);
    js_set_int(o, "time_us", (int64_t)clock_mono_us());
    return o;
}

json *stats_object(struct zd *d, char *const *names, struct err *e)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    json *o = js_object(), *list = js_array();
    d->share_sum = 0;
    for (unsigned i = 0; i < n; i++)
        if (all[i]->state == ZONE_RUNNING && all[i]->spec)
            d->share_sum += all[i]->spec->cpu.shares;
    for (unsigned i = 0; names && names[i]; i++)
        if (!registry_find(d, names[i])) {
            js_free(o);
            js_free(list);
            err_set(e, ERR_NOT_FOUND, 2, "zone %s does not exist", names[i]);
            return NULL;
        }
    for (unsigned i = 0; i < n; i++)
        if (names && names[0] ? strv_has(names, all[i]->name) : all[i]->group != NULL)
            js_add(list, zone_stats(d, all[i]));
    js_set(o, "host", host_stats(d));
    js_set(o, "zones", list);
    return o;
}
