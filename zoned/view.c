/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients see of a zone: the API's object. Reads only. */
#include "base/clock.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/package.h"
#include "zoned/statistics.h"
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
static const struct net_link_plan *running_link(const struct zone *z, const struct lease_link *l)
{
    for (unsigned i = 0; z->plan && i < z->plan->links.len; i++) {
        const struct net_link_plan *p = &z->plan->links.at[i];
        if (str_eq(p->network.name, l->network) && net_addr_eq(&p->addr4, &l->addr4) &&
            net_addr_eq(&p->addr6, &l->addr6))
            return p;
    }
    return NULL;
}

static json *network_view(const struct zone *z)
{
    static const struct net_addr none;
    const struct spec *has = zone_has(z);
    json *list = js_array();
    unsigned eth = 0;
    for (unsigned i = 0; has && i < has->network.len; i++) {
        const struct spec_link *l = &has->network.at[i];
        const struct lease_link *lease = i < z->lease.nlinks ? &z->lease.links[i] : NULL;
        json *o = js_object();
        js_set_str(o, "link", l->link);
        char ifname[16];
        snprintf(ifname, sizeof(ifname), "eth%u", eth);
        bool has_if = lease && lease->network[0];
        const struct net_link_plan *running = has_if ? running_link(z, lease) : NULL;
        eth += has_if;
        js_set_str(o, "ifname", running ? running->ifname : has_if ? ifname : NULL);
        js_set_bool(o, "missing", running && z->missing >> (running - z->plan->links.at) & 1u);
        js_set(o, "addresses", has_if ? addresses(&lease->addr4, &lease->addr6) : addresses(&none, &none));
        js_set(o, "ports", port_list(l));
        js_add(list, o);
    }
    return list;
}

static void add_use(struct zone *z, json *o)
{
    struct cg_stats s;
    const struct spec *has = zone_has(z);
    json *cpu = js_object(), *mem = js_object();
    js_set_int(cpu, "shares", has ? (int64_t)has->cpu.shares : 100);
    js_set(cpu, "cap", has && has->cpu.cap >= 0 ? js_real(has->cpu.cap) : js_null());
    if (z->group && cg_read(z->group, true, &s, NULL) == 0) {
        sample_use(z, s.cpu_usage);
        js_set_int(cpu, "usage_usec", (int64_t)s.cpu_usage);
        js_set_real(cpu, "use", z->cpu_use);
        js_set_int(mem, "usage", (int64_t)s.mem_usage);
    }
    bool capped = has && has->memory.cap != SPEC_UNSET;
    js_set(mem, "cap", capped ? js_int((int64_t)has->memory.cap) : js_null());
    js_set(o, "cpu", cpu);
    js_set(o, "memory", mem);
}

json *zone_to_json(struct zd *d, struct zone *z, bool with_spec)
{
    json *o = js_object();
    store_fresh(d, z);
    js_set_str(o, "name", z->name);
    js_set_str(o, "state", state_name(z->state));
    js_set(o, "pid", z->pid > 0 && z->state != ZONE_DOWN ? js_int(z->pid) : js_null());
    js_set(o, "exit_status", z->exit_status >= 0 ? js_int(z->exit_status) : js_null());
    js_set_str(o, "image", zone_has(z) ? zone_has(z)->image : NULL);
    bool up = z->state == ZONE_RUNNING || z->state == ZONE_PAUSED;
    uint64_t now = clock_real_us();
    js_set(o, "uptime",
           up && z->started_us && now >= z->started_us ? js_int((int64_t)((now - z->started_us) / 1000000))
                                                       : js_null());
    js_set(o, "network", network_view(z));
    js_set_bool(o, "oom", z->oom);
    js_set(o, "healthy", z->healthy < 0 ? js_null() : js_bool(z->healthy));
    js_set_bool(o, "pending", z->pending);
    if (with_spec)
        js_set(o, "division", z->plan && z->plan->divided ? spec_cpu_to_json(&z->plan->cpu) : js_null());
    js_set_bool(o, "drifted", z->drifted);
    auto_free char *lost = sharer_lost(d, z);
    js_set_str(o, "network_lost", lost);
    js_set_int(o, "restarts", (int64_t)z->restarts);
    js_set_str(o, "error", z->error);
    add_use(z, o);
    js_set(o, "labels", zone_labels(z));
    json *package = with_spec ? zone_package_view(d, z->name) : NULL;
    if (package)
        js_set(o, "package", package);
    if (with_spec)
        js_set(o, "spec", z->spec ? spec_to_json(z->spec) : js_null());
    return o;
}

static void hide_env(json *spec)
{
    json *process = js_get(spec, "process"), *env = js_get(process, "env"), *hidden = js_object();
    for (void *it = js_type_of(env) == JS_OBJECT ? js_iter(env) : NULL; it; it = js_next(env, it))
        js_set_str(hidden, js_iter_key(it), "(hidden)");
    if (env)
        js_set(process, "env", hidden);
    else
        js_free(hidden);
}

json *zone_view(const struct zd_request *r, struct zd *d, struct zone *z, bool with_spec)
{
    json *o = zone_to_json(d, z, with_spec);
    if (zd_role_of(r) < ROLE_ADMIN)
        hide_env(js_get(o, "spec"));
    return o;
}
