/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan told in words, for `start --dry-run`: what each step would do. From the plan alone; touches nothing.
 */
#include "base/mem.h"
#include "base/str.h"
#include "zoned/sup/plan.h"

__attribute__((format(printf, 2, 3))) static void say(json *list, const char *fmt, ...)
{
    char buf[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    js_add(list, js_string(buf));
}

static void say_rootfs(const struct plan *p, json *l)
{
    for (unsigned i = 0; i < p->files.len; i++)
        say(l, "write /%s (mode %04o)", p->files.at[i].path + (p->files.at[i].path[0] == '/'),
            p->files.at[i].mode);
    say(l, "root from %s%s", p->root.image ? p->root.image : "?",
        p->spec->security.read_only_root ? ", read-only" : "");
    for (unsigned i = 0; i < p->spec->filesystems.len; i++) {
        const struct spec_mount *m = &p->spec->filesystems.at[i];
        char size[24];
        if (m->kind == SPEC_MOUNT_TMPFS) {
            print_size(m->size, size);
            say(l, "tmpfs of %s on %s", size, m->target);
        } else {
            say(l, "%s %s on %s%s", m->kind == SPEC_MOUNT_BIND ? "bind" : "volume", m->source, m->target,
                m->read_only ? ", read-only" : "");
        }
    }
}

static void say_limit(json *l, const char *what, uint64_t bytes)
{
    char size[24];
    if (bytes == SPEC_UNSET)
        return;
    print_size(bytes, size);
    say(l, "%s %s", what, size);
}

static void say_cgroup(const struct plan *p, json *l)
{
    const struct spec *s = p->spec;
    say(l, "group %s/%s", p->cgroup_parent, p->cgroup_name);
    say(l, "cpu shares %llu", (unsigned long long)s->cpu.shares);
    if (s->cpu.cap > 0)
        say(l, "cpu cap %g", s->cpu.cap);
    if (s->cpu.set)
        say(l, "cpu set %s", s->cpu.set);
    say_limit(l, "memory cap", s->memory.cap);
    say_limit(l, "memory swap", s->memory.swap);
    if (s->tasks != SPEC_UNSET)
        say(l, "tasks %llu", (unsigned long long)s->tasks);
}

static void say_net(const struct plan *p, json *l)
{
    if (p->host_network)
        say(l, "the host's network");
    if (p->join_zone)
        say(l, "the network of zone %s", p->join_zone);
    for (unsigned i = 0; i < p->links.len; i++) {
        const struct net_link_plan *k = &p->links.at[i];
        char a4[64] = "", a6[64] = "";
        if (k->addr4.family)
            net_addr_print(&k->addr4, true, a4);
        if (k->addr6.family)
            net_addr_print(&k->addr6, true, a6);
        say(l, "%s on network %s (%s): %s %s", k->ifname, k->network.name, k->host_ifname, a4, a6);
        for (unsigned n = 0; n < k->ports.len; n++) {
            auto_free char *t = spec_print_port(&k->ports.at[n].port);
            say(l, "publish %s", t);
        }
    }
}

static void say_go(const struct plan *p, json *l)
{
    auto_free char *args = strv_join(p->spec->process.args, " ");
    if (p->spec->init == SPEC_INIT_SYSTEM)
        say(l, "let the image's own init run");
    else
        say(l, "run %s as %s", args, p->spec->process.user ? p->spec->process.user : "root");
}

json *plan_describe(const struct plan *p)
{
    json *out = js_array();
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        json *o = js_object(), *l = js_array();
        bool tty = p->spec->process.terminal || p->spec->init == SPEC_INIT_SYSTEM;
        js_set_str(o, "step", plan_step_name((enum plan_step)i));
        switch ((enum plan_step)i) {
        case STEP_ROOTFS:
            say_rootfs(p, l);
            break;
        case STEP_CGROUP:
            say_cgroup(p, l);
            break;
        case STEP_CONSOLE:
            say(l, "%s", tty ? "a terminal in the zone's own devpts" : "pipes for standard output and error");
            break;
        case STEP_SPAWN:
            say(l, "namespaces with ids %u-%u", p->uid_base, p->uid_base + 65535);
            if (p->part)
                say(l, "the zone's part of CPUs and memory in /proc and /sys (lxcfs)");
            break;
        case STEP_NET:
            say_net(p, l);
            break;
        case STEP_GO:
        case STEP_COUNT:
            say_go(p, l);
            break;
        }
        js_set(o, "does", l);
        js_add(out, o);
    }
    return out;
}
