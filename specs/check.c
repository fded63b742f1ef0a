/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one row cannot see: required keys, keys that exclude or need each other, mounts. Also settles what
 * follows from several keys (health.kind, defaults that depend on init). Must never ask the host: that is the
 * plan's work. */
#include "base/mem.h"
#include "specs/schema.h"
#include <signal.h>
#include <string.h>

/* The node of a dotted key, or NULL. */
static const struct spec_node *node_of(const struct spec_node *map, const char *key)
{
    while (map && *key) {
        char name[32];
        size_t n = strcspn(key, ".");
        if (n >= sizeof(name))
            return NULL;
        memcpy(name, key, n);
        name[n] = '\0';
        map = spec_node_get(map, name);
        key += n + (key[n] == '.');
    }
    return map && !spec_node_null(map) ? map : NULL;
}

int spec_line_of(const struct spec_node *map, const char *key)
{
    const struct spec_node *n = node_of(map, key);
    return n ? n->key_line ? n->key_line : n->line : map ? map->line : 0;
}

static void bad_at(struct spec_load *l, const struct spec_node *root, const char *key, const char *what)
{
    struct spec_where w = {NULL, key, -1};
    spec_bad(l, spec_line_of(root, key), &w, "%s", what);
}

static void check_required(struct spec_load *l, const struct spec_node *root)
{
    if (!node_of(root, "zone"))
        bad_at(l, root, "zone", "is missing (every zone has a name)");
    if (!node_of(root, "image"))
        bad_at(l, root, "image",
               "is missing (an OCI reference, host, dir:/PATH or tar:/PATH; create has --image for it)");
}

static void check_process(struct spec_load *l, struct spec *s, const struct spec_node *root)
{
    bool system = s->init == SPEC_INIT_SYSTEM;
    s->process.stop_signal_given = s->process.stop_signal != 0;
    if (!s->process.stop_signal_given)
        s->process.stop_signal = system ? SIGRTMIN + 3 : SIGTERM;
    if (!node_of(root, "security.no_new_privs"))
        s->security.no_new_privs = !system;
    if (system && s->process.args)
        bad_at(l, root, "process.args",
               "is given with init: system (only init: app runs a program of its own)");
    if (system && s->process.entrypoint)
        bad_at(l, root, "process.entrypoint", "is for init: app (the image's own /sbin/init is PID 1)");
    if (s->process.entrypoint && s->process.entrypoint[0] && !*s->process.entrypoint[0])
        bad_at(l, root, "process.entrypoint", "begins with an empty program name");
    if (s->process.args && !strv_len(s->process.entrypoint) && !*s->process.args[0])
        bad_at(l, root, "process.args", "begins with an empty program name");
    if (s->zone && strv_has(s->depends, s->zone))
        bad_at(l, root, "depends", "names the zone itself");
    if (s->hostname && strlen(s->hostname) > 63)
        bad_at(l, root, "hostname", "is too long (at most 63 characters)");
}

static void check_health(struct spec_load *l, struct spec *s, const struct spec_node *root)
{
    struct spec_health *h = &s->health;
    bool exec = node_of(root, "health.exec"), http = node_of(root, "health.http"),
         tcp = node_of(root, "health.tcp");
    const struct spec_node *section = node_of(root, "health");
    if (!section || (section->kind == SPEC_MAP && !section->count))
        return;
    if (section->kind != SPEC_MAP)
        return; /* said already */
    if (exec + http + tcp != 1)
        bad_at(l, root, "health", "needs exactly one check (exec, http or tcp)");
    else if (exec && !h->exec)
        bad_at(l, root, "health.exec", "is empty (a program and its arguments)");
    h->kind = exec ? SPEC_HEALTH_EXEC : http ? SPEC_HEALTH_HTTP : SPEC_HEALTH_TCP;
}

static unsigned cpuset_count(const char *set)
{
    uint16_t *cpus = NULL;
    unsigned n = 0;
    if (set && spec_parse_cpuset(set, &cpus, &n) == 0)
        free(cpus);
    return n;
}

void spec_check_cpu(struct spec_load *l, const struct spec_cpu *c, const struct spec_node *root)
{
    if (c->burst > 0 && c->cap < 0)
        bad_at(l, root, "cpu.burst", "is given without cap (burst is unused cap, saved)");
    else if (c->burst > c->cap && c->cap >= 0)
        bad_at(l, root, "cpu.burst", "is more than cap (at most cap)");
    if (c->cap >= 0 && c->reserved > c->cap)
        bad_at(l, root, "cpu.reserved", "is more than cap (at most cap)");
    if (c->set && c->dedicated > cpuset_count(c->set))
        bad_at(l, root, "cpu.dedicated", "is more than set holds (at most as many CPUs as set)");
    if (c->idle && (c->dedicated || c->reserved > 0))
        bad_at(l, root, "cpu.idle", "is given with dedicated or reserved (idle takes only what is left)");
    if (c->dedicated && c->reserved > (double)c->dedicated)
        bad_at(l, root, "cpu.reserved", "is more than dedicated (at most dedicated, which holds it)");
}

void spec_check_memory(struct spec_load *l, const struct spec_memory *m, const struct spec_node *root)
{
    bool capped = m->cap != SPEC_UNSET;
    if (capped && m->soft != SPEC_UNSET && m->soft > m->cap)
        bad_at(l, root, "memory.soft", "is more than cap (at most cap)");
    if (capped && m->reserved != SPEC_UNSET && m->reserved > m->cap)
        bad_at(l, root, "memory.reserved", "is more than cap (at most cap)");
    if (m->warn_percent && !capped)
        bad_at(l, root, "memory.warn", "is given without cap (it is a part of cap)");
}

static void check_mount(struct spec_load *l, struct spec_mount *m, const struct spec_node *n,
                        const struct spec_where *w)
{
    bool volume = node_of(n, "volume"), bind = node_of(n, "bind"), tmpfs = node_of(n, "tmpfs");
    if (!node_of(n, "target")) {
        struct spec_where at = {w, "target", -1};
        spec_bad(l, n->line, &at, "is missing (where it appears in the zone)");
    }
    if (volume + bind + tmpfs != 1)
        spec_bad(l, n->line, w, "needs exactly one of volume, bind and tmpfs");
}

void spec_check_mounts(struct spec_load *l, struct spec *s, const struct spec_node *root)
{
    const struct spec_node *list = spec_node_get(root, "filesystems");
    int i = 0;
    if (!list || list->kind != SPEC_SEQ || list->count != s->filesystems.len)
        return; /* said already */
    for (const struct spec_node *n = list->first; n; n = n->next, i++) {
        struct spec_where top = {NULL, "filesystems", i}, at = {&top, "target", -1};
        struct spec_mount *m = &s->filesystems.at[i];
        check_mount(l, m, n, &top);
        for (int k = 0; k < i; k++)
            if (m->target && str_eq(m->target, s->filesystems.at[k].target))
                spec_bad(l, spec_line_of(n, "target"), &at, "\"%s\" is the target of item %d too", m->target,
                         k);
    }
}

static void check_capabilities(struct spec_load *l, struct spec *s, const struct spec_node *root)
{
    for (char **c = s->security.caps_add; c && *c; c++)
        if (strv_has(s->security.caps_drop, *c))
            bad_at(l, root, "security.capabilities", "adds and drops the same capability");
}

void spec_check_all(struct spec_load *l, struct spec *s, const struct spec_node *root)
{
    check_required(l, root);
    check_process(l, s, root);
    check_health(l, s, root);
    spec_check_cpu(l, &s->cpu, root);
    spec_check_memory(l, &s->memory, root);
    spec_check_links(l, s, root);
    spec_check_mounts(l, s, root);
    check_capabilities(l, s, root);
}
