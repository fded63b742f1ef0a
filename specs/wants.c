/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone takes of the host, for whoever decides whether it may: said in words, and by which word it is allowed where the
 * zone could reach the host through it. A key that nobody has thought of is told as it is written: nothing is taken unseen. */
#include "base/mem.h"
#include "specs/package_internal.h"
#include <string.h>

void spec_want(json *list, const char *allow, const char *what, char *value)
{
    json *o = js_object();
    js_set_str(o, "what", what);
    js_set_str(o, "value", value);
    js_set_str(o, "allow", allow);
    js_add(list, o);
    free(value);
}

static void want_links(json *list, const struct spec *s)
{
    for (unsigned i = 0; i < s->network.len; i++) {
        const struct spec_link *k = &s->network.at[i];
        bool shared = !strcmp(k->link, "host") || str_starts(k->link, "zone:");
        spec_want(list, shared ? "network" : NULL, "network", xstrdup(k->link));
        for (unsigned p = 0; p < k->ports.len; p++)
            spec_want(list, NULL, "port", spec_print_port(&k->ports.at[p]));
        for (char **a = k->address; a && *a; a++)
            spec_want(list, NULL, "address", xasprintf("%s on %s", *a, k->link));
        for (char **a = k->aliases; a && *a; a++)
            spec_want(list, NULL, "name", xasprintf("%s on %s", *a, k->link));
        if (k->trusted)
            spec_want(list, "network", "trust", xasprintf("sends as anybody on %s", k->link));
    }
}

static void want_mounts(json *list, const struct spec *s)
{
    for (unsigned i = 0; i < s->filesystems.len; i++) {
        const struct spec_mount *m = &s->filesystems.at[i];
        const char *mode = m->read_only ? ", read-only" : "";
        if (m->kind == SPEC_MOUNT_BIND)
            spec_want(list, "binds", "folder of the host",
                      xasprintf("%s at %s%s", m->source, m->target, mode));
        else if (m->kind == SPEC_MOUNT_VOLUME)
            spec_want(list, NULL, "volume", xasprintf("%s at %s%s", m->source, m->target, mode));
    }
}

static void want_resources(json *list, const struct spec *s)
{
    char size[24];
    if (s->memory.cap != SPEC_UNSET) {
        print_size(s->memory.cap, size);
        spec_want(list, NULL, "memory", xasprintf("at most %s", size));
    } else {
        spec_want(list, NULL, "memory", xstrdup("no cap"));
    }
    if (s->memory.reserved != SPEC_UNSET && s->memory.reserved) {
        print_size(s->memory.reserved, size);
        spec_want(list, NULL, "memory", xasprintf("%s reserved", size));
    }
    if (s->cpu.cap >= 0)
        spec_want(list, NULL, "cpu", xasprintf("at most %g", s->cpu.cap));
    if (s->cpu.dedicated)
        spec_want(list, NULL, "cpu", xasprintf("%llu dedicated", (unsigned long long)s->cpu.dedicated));
    if (s->cpu.reserved > 0)
        spec_want(list, NULL, "cpu", xasprintf("%g reserved", s->cpu.reserved));
}

static void want_security(json *list, const struct spec *s)
{
    for (char **c = s->security.caps_add; c && *c; c++)
        spec_want(list, "capabilities", "capability", xstrdup(*c));
    for (char **c = s->devices; c && *c; c++)
        spec_want(list, "devices", "device", xstrdup(*c));
    if (s->security.seccomp == SPEC_SECCOMP_UNCONFINED)
        spec_want(list, "seccomp", "system calls", xstrdup("unconfined"));
    if (s->init == SPEC_INIT_APP && !s->security.no_new_privs)
        spec_want(list, "privileges", "privileges", xstrdup("setuid programs gain them"));
    if (s->init == SPEC_INIT_SYSTEM)
        spec_want(list, "capabilities", "init",
                  xstrdup("a whole system, with the capabilities of its own user namespace"));
    if (s->limits.core != SPEC_UNSET && s->limits.core) /* a program of the host may read them, as root */
        spec_want(list, "privileges", "core dumps", xstrdup("where the host's core_pattern says"));
    if (s->autoboot)
        spec_want(list, NULL, "autoboot", xstrdup("starts with the host"));
}

/* Told above, or of no weight beyond the zone: what runs in it, and how little it takes. */
static const char *const told[] = {"version",
                                   "zone",
                                   "image",
                                   "init",
                                   "process.",
                                   "hostname",
                                   "autoboot",
                                   "restart.",
                                   "health.",
                                   "cpu.cap",
                                   "cpu.dedicated",
                                   "cpu.reserved",
                                   "cpu.idle",
                                   "memory.cap",
                                   "memory.soft",
                                   "memory.reserved",
                                   "memory.hugepages",
                                   "memory.oom",
                                   "memory.warn",
                                   "memory.on_warn",
                                   "io.read",
                                   "io.write",
                                   "io.read_ops",
                                   "io.write_ops",
                                   "network[].link",
                                   "network[].address",
                                   "network[].ports",
                                   "network[].rate_in",
                                   "network[].rate_out",
                                   "network[].trusted",
                                   "network[].aliases",
                                   "filesystems[].target",
                                   "filesystems[].volume",
                                   "filesystems[].bind",
                                   "filesystems[].tmpfs",
                                   "filesystems[].mode",
                                   "security.capabilities.add",
                                   "security.capabilities.drop",
                                   "security.seccomp",
                                   "security.no_new_privs",
                                   "security.read_only_root",
                                   "devices",
                                   "limits.core"};

/* Without the numbers of list items. */
static bool is_told(const char *key)
{
    auto_free char *plain = xstrdup(key);
    char *to = plain;
    for (const char *c = key; *c; c++) {
        *to++ = *c;
        if (*c == '[')
            c += strspn(c + 1, "0123456789");
    }
    *to = '\0';
    for (unsigned i = 0; i < ARRAY_LEN(told); i++)
        if (str_ends(told[i], ".") ? str_starts(plain, told[i]) : !strcmp(plain, told[i]))
            return true;
    return false;
}

/* A zone that wants nothing, with as many links and filesystems. */
static struct spec *modest(const struct spec *s)
{
    struct spec *out = NULL;
    auto_js json *o = js_object();
    json *links = js_array(), *mounts = js_array();
    for (unsigned i = 0; i < s->network.len; i++) {
        auto_free char *name = xasprintf("n%u", i);
        json *k = js_object();
        js_set_str(k, "link", name);
        js_add(links, k);
    }
    for (unsigned i = 0; i < s->filesystems.len; i++) {
        auto_free char *target = xasprintf("/m%u", i);
        json *m = js_object();
        js_set_str(m, "target", target);
        js_set_int(m, "tmpfs", 4096);
        js_add(mounts, m);
    }
    js_set_str(o, "zone", "x");
    js_set_str(o, "image", "x:1");
    js_set_str(o, "init", s->init == SPEC_INIT_SYSTEM ? "system" : "app");
    js_set(o, "network", links);
    js_set(o, "filesystems", mounts);
    return spec_from_json(o, &out, NULL) < 0 ? NULL : out;
}

static void want_the_rest(json *list, const struct spec *s)
{
    spec_changes changes = {0};
    auto_spec struct spec *base = modest(s);
    if (base)
        spec_diff(base, s, &changes);
    for (unsigned i = 0; i < changes.len; i++)
        if (changes.at[i].after && !is_told(changes.at[i].key))
            spec_want(list, NULL, changes.at[i].key, xstrdup(changes.at[i].after));
    spec_changes_done(&changes);
}

json *spec_wants(const struct spec *s)
{
    json *list = js_array();
    want_links(list, s);
    want_mounts(list, s);
    want_resources(list, s);
    want_security(list, s);
    want_the_rest(list, s);
    return list;
}
