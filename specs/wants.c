/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone takes of the host, for whoever decides whether it may: said in words, and by which word it is allowed where the
 * zone could reach the host through it. */
#include "base/mem.h"
#include "specs/package_internal.h"
#include <string.h>

static void want(json *list, const char *allow, const char *what, char *value /* stolen */)
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
        want(list, shared ? "network" : NULL, "network", xstrdup(k->link));
        for (unsigned p = 0; p < k->ports.len; p++)
            want(list, NULL, "port", spec_print_port(&k->ports.at[p]));
    }
}

static void want_mounts(json *list, const struct spec *s)
{
    for (unsigned i = 0; i < s->filesystems.len; i++) {
        const struct spec_mount *m = &s->filesystems.at[i];
        const char *mode = m->read_only ? ", read-only" : "";
        if (m->kind == SPEC_MOUNT_BIND)
            want(list, "binds", "folder of the host", xasprintf("%s at %s%s", m->source, m->target, mode));
        else if (m->kind == SPEC_MOUNT_VOLUME)
            want(list, NULL, "volume", xasprintf("%s at %s%s", m->source, m->target, mode));
    }
}

static void want_resources(json *list, const struct spec *s)
{
    char size[24];
    if (s->memory.cap != SPEC_UNSET) {
        print_size(s->memory.cap, size);
        want(list, NULL, "memory", xasprintf("at most %s", size));
    } else {
        want(list, NULL, "memory", xstrdup("no cap"));
    }
    if (s->memory.reserved != SPEC_UNSET && s->memory.reserved) {
        print_size(s->memory.reserved, size);
        want(list, NULL, "memory", xasprintf("%s reserved", size));
    }
    if (s->cpu.cap >= 0)
        want(list, NULL, "cpu", xasprintf("at most %g", s->cpu.cap));
    if (s->cpu.dedicated)
        want(list, NULL, "cpu", xasprintf("%llu dedicated", (unsigned long long)s->cpu.dedicated));
    if (s->cpu.reserved > 0)
        want(list, NULL, "cpu", xasprintf("%g reserved", s->cpu.reserved));
}

json *spec_wants(const struct spec *s)
{
    json *list = js_array();
    want_links(list, s);
    want_mounts(list, s);
    want_resources(list, s);
    for (char **c = s->security.caps_add; c && *c; c++)
        want(list, "capabilities", "capability", xstrdup(*c));
    for (char **c = s->devices; c && *c; c++)
        want(list, "devices", "device", xstrdup(*c));
    if (s->security.seccomp == SPEC_SECCOMP_UNCONFINED)
        want(list, "seccomp", "system calls", xstrdup("unconfined"));
    if (s->init == SPEC_INIT_APP && !s->security.no_new_privs)
        want(list, "privileges", "privileges", xstrdup("setuid programs gain them"));
    if (s->init == SPEC_INIT_SYSTEM)
        want(list, NULL, "init", xstrdup("a whole system, with the capabilities of its own user namespace"));
    if (s->autoboot)
        want(list, NULL, "autoboot", xstrdup("starts with the host"));
    return list;
}
