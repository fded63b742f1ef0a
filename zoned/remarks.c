/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept less well than its key says, in sentences for people: of a zone's limits on this host (cg_remarks), of
 * promises beside the host's part, and of ports on addresses that are not there. Says only; what is refused is said elsewhere. */
#include "base/cpus.h"
#include "zoned/division.h"

static void add(json *list, char *sentence)
{
    js_add(list, js_string(sentence));
    free(sentence);
}

/* Of each CPU's time, what the quota on all zones lets them have while they want all CPUs; 1 without one. */
static double part_of_cpu(const struct zd *d)
{
    unsigned cpus = cpus_in_set(cg_online(d->cgroups));
    return d->part.cap > 0 && d->part.cap < cpus ? d->part.cap / cpus : 1;
}

/* Is the host without a part beside these promises, and without a weight? No lesser weight of the zones' would keep them: a zone's
 * part is reckoned of what all zones have, and each task of the host's takes from that. */
static bool outweighs_host(const struct zd *d, const struct spec_cpu *c)
{
    return d->host_in_root && d->host->cpu.reserved <= 0 &&
           (c->reserved > 0 || (c->dedicated && !d->exclusive_cpus));
}

static void add_promise(struct zd *d, const struct spec_cpu *c, json *list)
{
    const char *key = c->dedicated ? "cpu.dedicated" : "cpu.reserved";
    double part = part_of_cpu(d);
    if (!c->dedicated && c->reserved <= 0)
        return;
    if (part < 1)
        add(list,
            xasprintf(
                "%s: @host cpu.reserved=%g is kept by a quota on all zones together, which stops them on "
                "all CPUs alike: when they want all of them, each%s gives them %.2f of its time, and one "
                "thread gets no more",
                key, d->host->cpu.reserved, c->dedicated ? ", a dedicated one too," : "", part));
    if (outweighs_host(d, c))
        add(list, xasprintf("%s: while this is promised all zones go before the host's own programs, those "
                            "without a promise, too: these programs sit in the root control group, where no "
                            "weight holds them (zonectl set @host cpu.reserved=… keeps CPUs for them)",
                            key));
}

#define SHARES_DEFAULT 100
/* Shares that were asked for, and weigh nothing, or not against everybody. */
static void add_idle(const struct spec_cpu *c, const struct pool_entry *p, json *list)
{
    if (c->shares == SHARES_DEFAULT)
        return;
    if (c->idle)
        js_add(list, js_string("cpu.shares: count for nothing while cpu.idle is set: it gets only what "
                               "others on its CPUs leave"));
    else if (p && p->spec->cpu.idle)
        add(list, xasprintf("cpu.shares: count only among the zones of the pool %s, which has cpu.idle: it "
                            "gets what others on its CPUs leave",
                            p->name));
}

/* In a pool the pool's promise is what others give up. */
static json *with_cpu(struct zd *d, const struct spec_cpu *c, json *list)
{
    const struct pool_entry *p = pool_find(d, c->pool);
    add_promise(d, p ? &p->spec->cpu : c, list);
    add_idle(c, p, list);
    return list;
}

/* An address may come later, with a peer that fails or a link that comes up: so it is no error. */
static json *with_ports(const struct spec *s, json *list)
{
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++) {
            const struct spec_port *p = &s->network.at[i].ports.at[k];
            struct net_addr a, all = {0};
            if (!p->host_ip || net_addr_parse(p->host_ip, &a) < 0)
                continue;
            all.family = a.family;
            if (!net_addr_eq(&a, &all) && !net_host_has(&a))
                add(list,
                    xasprintf(
                        "network[%u].ports: this host has no address %s now: until it has, nobody reaches "
                        "port %u there",
                        i, p->host_ip, p->host_first));
        }
    return list;
}

json *port_remarks(const struct spec *s)
{
    return with_ports(s, js_array());
}

json *plan_remarks(struct zd *d, const struct plan *p)
{
    struct cg_limits l;
    plan_limits(p, &l);
    return with_ports(p->spec, with_cpu(d, &p->spec->cpu, cg_remarks(d->cgroups, &l)));
}

json *limits_remarks(struct zd *d, const struct spec *s)
{
    struct cg_limits l = limits_of(d, s);
    return with_ports(s, with_cpu(d, &s->cpu, cg_remarks(d->cgroups, &l)));
}

json *pool_remarks(struct zd *d, const struct spec_party *p)
{
    json *list = js_array();
    add_promise(d, &p->cpu, list);
    add_idle(&p->cpu, NULL, list);
    return list;
}

json *host_remarks(struct zd *d)
{
    json *list = js_array();
    const struct spec_party *h = d->host;
    double part = part_of_cpu(d);
    if (part < 1)
        add(list,
            xasprintf(
                "cpu.reserved: kept by a quota on all zones together, which stops them on all CPUs alike: "
                "when they want all of them, each, a dedicated one too, gives them %.2f of its time, and one "
                "thread gets no more",
                part));
    else if (d->host_in_root && d->part.weight)
        js_add(list,
               js_string(
                   "cpu.reserved: while zones are promised CPUs all zones go before the host's own programs, "
                   "which sit in the root control group, where no weight holds them"));
    if (h->memory.reserved != SPEC_UNSET && h->memory.reserved)
        js_add(
            list,
            js_string(
                "memory.reserved: promised to no zone; what zones use beyond their own promises is held by "
                "their memory.cap alone"));
    return list;
}
