/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's ends of running zones' links: one that somebody shut or took out of its bridge is put back, one that is gone (the
 * zone itself may delete it) is told and comes with the next start or apply. Looks only at what the kernel named, a moment later:
 * at starts and stops every end is for a moment in no bridge. Must never wait for a zone. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/look_later.h"
#include "zoned/networks.h"

#define PAUSE_US 300000u

static void gone(struct zone *z, unsigned i)
{
    const struct net_link_plan *l = &z->plan->links.at[i];
    if (z->missing & 1u << i)
        return;
    z->missing |= 1u << i;
    log_warning("zone %s: its link %s of network %s was deleted", z->name, l->ifname, l->network.name);
    json *extra = js_object();
    js_set_str(extra, "network", l->network.name);
    event_publish(z->d, "link-lost", z->name, extra);
}

static void look_at(struct zone *z, char *const *names)
{
    for (unsigned i = 0; i < z->plan->links.len; i++) {
        const struct net_link_plan *l = &z->plan->links.at[i];
        struct err e = {0};
        if (l->network.type == SPEC_NET_MACVLAN || (names && !strv_has(names, l->host_ifname)))
            continue;
        int r = net_link_whole(z->d->net, l, &e);
        if (r < 0)
            log_warning("zone %s: %s", z->name, e.text);
        else if (r == 0)
            gone(z, i);
        else if (r > 1)
            log_warning("zone %s: another program changed %s, which is as it was", z->name, l->host_ifname);
    }
}

bool links_at_rest(const struct zone *z)
{
    return zone_is_up(z) && z->pid > 0 && z->op == OP_NONE && !z->updating;
}

void ends_look_at(struct zone *z)
{
    if (links_at_rest(z))
        look_at(z, NULL);
}

static bool is_told(const struct zone *z, char *const *names)
{
    bool told = !names;
    for (unsigned i = 0; i < z->plan->links.len && !told; i++)
        told = strv_has(names, z->plan->links.at[i].host_ifname);
    return told;
}

static void look_at_all(struct zd *d, char *const *names)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            if (links_at_rest(z))
                look_at(z, names);
            else if (zone_is_up(z) && is_told(z, names))
                z->links_told = true;
}

void ends_look_at_all(struct zd *d)
{
    look_at_all(d, NULL);
}

static void look_at_told(struct zd *d)
{
    char **names = NULL;
    if (net_watch_ends(d->net_watch, &names))
        look_at_all(d, names);
    strv_free(names);
}

void ends_told(struct zd *d)
{
    look_later(d, &d->ends_later, PAUSE_US, look_at_told);
}
