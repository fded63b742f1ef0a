/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zones that have another's network (link: zone:NAME), and what becomes of them when that zone's stack ends with its PID 1: they
 * keep a dead one. A stop is refused then, a new start of the owner starts them anew, and in between they are shown as what they
 * are. Who has which stack the kernel says; nothing is kept of it here but that it is worth looking. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/op.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

const char *sharer_owner(const struct spec *s)
{
    for (unsigned i = 0; s && i < s->network.len; i++)
        if (str_starts(s->network.at[i].link, "zone:"))
            return s->network.at[i].link + 5;
    return NULL;
}

static bool shares(const struct zone *o, const struct zone *z)
{
    return o->plan && str_eq(o->plan->join_zone, z->name);
}

static bool stack_of(const struct zone *z, struct stat *st)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)z->pid);
    return z->pid > 0 && stat(path, st) == 0;
}

static bool other_stack(const struct zone *a, const struct zone *b)
{
    struct stat x, y;
    return stack_of(a, &x) && stack_of(b, &y) && (x.st_ino != y.st_ino || x.st_dev != y.st_dev);
}

char *sharer_lost(struct zd *d, const struct zone *z)
{
    const char *name = z->plan && zone_is_up(z) ? z->plan->join_zone : NULL;
    const struct zone *owner = registry_find(d, name);
    if (!name)
        return NULL;
    if (!owner || !zone_is_up(owner))
        return xasprintf("zone %s, whose network it has, does not run", name);
    return other_stack(owner, z) ? xasprintf("zone %s, whose network it had, was started anew since", name)
                                 : NULL;
}

/* Those that run, or start; strv. left_too: also who has the stack of an earlier start. */
static char **sharers_of(struct zd *d, const struct zone *z, bool left_too)
{
    unsigned n;
    char **list = NULL;
    if (!z->shared)
        return NULL;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        if (shares(all[i], z) && (left_too || !other_stack(all[i], z)))
            strv_add(&list, all[i]->name);
    return list;
}

int sharers_refuse(struct zd *d, const struct zone *z, const char *hint, struct err *e)
{
    char **list = sharers_of(d, z, false);
    if (!list)
        return 0;
    auto_free char *names = strv_join(list, " ");
    bool many = strv_len(list) > 1;
    strv_free(list);
    err_set(e, ERR_BUSY, EBUSY, "zone %s is in use: %s %s its network", z->name, names,
            many ? "share" : "shares");
    return err_hint(e, "zonectl stop %s first%s", names, hint);
}

void sharers_lose(struct zone *z)
{
    char **list = sharers_of(z->d, z, false);
    for (char **name = list; name && *name; name++) {
        json *extra = js_object();
        js_set_str(extra, "of", z->name);
        log_warning("zone %s has lost its network: it was zone %s's", *name, z->name);
        event_publish(z->d, "network-lost", *name, extra);
    }
    strv_free(list);
}

static void start_anew(struct zone *z, struct zone *owner)
{
    struct err e = {0};
    auto_free char *lost = sharer_lost(z->d, z);
    if (!lost)
        return;
    uint64_t patience = zone_has(z) ? zone_has(z)->process.stop_timeout_ms : 10000;
    if (op_stop(z->d, z, NULL, patience, false, OP_RESTART, &e) < 0)
        log_warning("zone %s: %s: %s", z->name, lost, e.text);
    else if (owner->op != OP_NONE) /* somebody waits, and is told */
        zone_note(owner, "zone %s shares its network: it is restarted, too", z->name);
}

void sharers_follow(struct zone *owner)
{
    char **list = zone_is_up(owner) ? sharers_of(owner->d, owner, true) : NULL;
    for (char **name = list; name && *name; name++)
        start_anew(registry_find(owner->d, *name), owner);
    strv_free(list);
}

/* Their files say what the owner's links are. */
void sharers_refresh(struct zone *owner)
{
    char **list = sharers_of(owner->d, owner, true);
    for (char **name = list; name && *name; name++) {
        struct zone *z = registry_find(owner->d, *name);
        if (zone_is_up(z))
            zone_refresh(z, "its etc/hosts and etc/resolv.conf");
    }
    strv_free(list);
}

void sharers_adopt(struct zd *d)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        struct zone *owner = all[i]->plan ? registry_find(d, all[i]->plan->join_zone) : NULL;
        if (owner)
            owner->shared = true;
    }
    for (unsigned i = 0; i < n; i++)
        sharers_follow(all[i]);
}

int sharers_doctor(struct zd *d, struct err *e)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        auto_free char *lost = sharer_lost(d, all[i]);
        if (!lost)
            continue;
        err_set(e, ERR_CONFLICT, ENETDOWN, "zone %s has no network: %s", all[i]->name, lost);
        return err_hint(e, "zonectl start %s, then zonectl restart %s", all[i]->plan->join_zone,
                        all[i]->name);
    }
    return 0;
}
