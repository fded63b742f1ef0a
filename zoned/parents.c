/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's links of our networks. Those that bridge and macvlan networks hang on come and go without us: one that is gone is
 * told at once, by an event, network show and doctor; with one that is there again the network is made whole, running zones too.
 * Bridges of our own, which somebody else deleted, shut or emptied, are made whole at once; what fails waits. Looks only when the
 * kernel tells of such a link (or at our start), and at zones only when it is another link than before. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/look_later.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>

#define PAUSE_US 200000u /* what others do, and what we do about it, is told in many messages */

static bool hangs(const struct net_entry *n)
{
    return spec_network_joins_lan(n->net.type);
}

void parents_follow(struct zd *d)
{
    char **names = NULL, **bridges = NULL;
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct net_network *n = &d->networks.at[i]->net;
        if (hangs(d->networks.at[i]))
            strv_add(&names, n->parent);
        else
            strv_add(&bridges, n->bridge);
    }
    struct err e = {0};
    if (d->net_watch && net_watch_links(d->net_watch, names, bridges, &e) < 0)
        log_warning("links of networks are not watched: %s", e.text);
    strv_free(names);
    strv_free(bridges);
}

/* ---- zones on it ---- */
static bool on(const struct zone *z, unsigned i, const struct net_entry *n)
{
    return str_eq(z->plan->links.at[i].network.name, n->net.name);
}

static bool has_link(const struct zone *z, unsigned i)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)z->pid);
    auto_fd int ns = z->pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    return ns < 0 || net_link_there(&z->plan->links.at[i], ns);
}

/* A macvlan goes with its parent, a pair only leaves the bridge that goes. */
static void look_at_zone(struct zone *z, const struct net_entry *n, bool there)
{
    struct err e = {0};
    bool missing = false;
    if (!links_at_rest(z)) {
        z->links_told = true;
        return;
    }
    for (unsigned i = 0; i < z->plan->links.len; i++) {
        if (!on(z, i, n))
            continue;
        if (n->net.type == SPEC_NET_BRIDGE && there &&
            net_link_rejoin(z->d->net, &z->plan->links.at[i], &e) < 0)
            log_warning("zone %s: %s", z->name, e.text);
        if (n->net.type == SPEC_NET_MACVLAN && !has_link(z, i)) {
            z->missing |= 1u << i;
            missing = true;
        }
    }
    if (missing && there) /* what is missing joins as a new link does */
        zone_refresh(z, "its link did not come back");
}

static void look_at_zones(struct zd *d, const struct net_entry *n, bool there)
{
    unsigned count;
    auto_free struct zone **all = registry_sorted(d, &count);
    for (unsigned i = 0; i < count; i++)
        if (zone_is_up(all[i]))
            look_at_zone(all[i], n, there);
}

void parents_look_at(struct zone *z)
{
    ends_look_at(z);
    for (unsigned i = 0; i < z->d->networks.len && zone_is_up(z); i++)
        if (hangs(z->d->networks.at[i]))
            look_at_zone(z, z->d->networks.at[i], !z->d->networks.at[i]->lost);
}

void parents_look_at_told(struct zone *z)
{
    if (!z->links_told || !zone_is_up(z) || !links_at_rest(z))
        return;
    z->links_told = false;
    parents_look_at(z);
}

/* ---- a network ---- */
static void tell(struct zd *d, struct net_entry *n, const char *lost)
{
    bool was = n->lost != NULL;
    free(n->lost);
    n->lost = xstrdup(lost);
    if (!n->up || was == (lost != NULL))
        return;
    json *extra = js_object();
    js_set_str(extra, "network", n->net.name);
    js_set_str(extra, "reason", lost);
    if (lost)
        log_warning("%s", lost);
    else
        log_info("network %s: what it lacked is there again", n->net.name);
    event_publish(d, lost ? "network-down" : "network-up", NULL, extra);
}

/* Another link with the bridge's name, or none: what was in the way may be gone. */
static bool is_moved(const struct net_entry *n)
{
    return if_nametoindex(n->net.bridge) != n->in_the_way;
}

static bool is_due(const struct net_entry *n)
{
    return clock_mono_us() - n->tried >= (is_moved(n) ? look_pause(0) : n->pause);
}

/* Why it is not whole, or NULL; malloc'd. */
static char *mend(struct zd *d, struct net_entry *n, bool at_once)
{
    struct err e = {0};
    if (!at_once && n->pause && !is_due(n))
        return xstrdup(n->lost);
    int r = network_repair(d, n, &e);
    bool again = n->pause && !is_moved(n);
    n->pause = r == 0 ? 0 : look_pause(again ? n->pause : 0);
    if (r == 0)
        return NULL;
    n->tried = clock_mono_us();
    n->in_the_way = if_nametoindex(n->net.bridge);
    look_later(d, &d->mend_later, look_pause(0),
               parents_look); /* later ones come with the look that goes round */
    return *e.hint ? xasprintf("%s (%s)", e.text, e.hint) : xstrdup(e.text);
}

bool parents_mend(struct zd *d, struct net_entry *n, bool at_once)
{
    auto_free char *lost = mend(d, n, at_once);
    bool healed = n->lost && !lost;
    if (hangs(n) && healed) /* the tables are there; of the link on which it hangs only look_at knows */
        return false;
    tell(d, n, lost);
    return healed;
}

static void look_at(struct zd *d, struct net_entry *n)
{
    struct err e = {0};
    struct net_network now = n->net;
    int r = net_network_attach(d->net, &now, &e);
    unsigned index = if_nametoindex(n->net.parent);
    bool fresh = index != n->parent_index, port = n->net.type == SPEC_NET_BRIDGE;
    n->parent_index = index;
    auto_free char *lost = r < 0 ? xasprintf("%s", e.text) : NULL;
    if (r == 0 && n->up && port && !net_network_is_up(d->net, &n->net)) {
        n->net = now;
        lost = mend(d, n, false);
    } else {
        n->pause = 0;
    }
    if (n->up && (fresh || n->lost))
        look_at_zones(d, n, !lost);
    tell(d, n, lost);
}

/* Its ports are told of one by one, when they have left the bridge; whoever was looked at while there was none is told of no more. True:
 * it is whole again, and the ends of its zones are to be looked at. */
static bool look_at_bridge(struct zd *d, struct net_entry *n)
{
    if (!n->up)
        return false;
    bool whole = !n->pause && net_network_whole(d->net, &n->net); /* which says nothing of the tables */
    if (whole && !n->lost)
        return false;
    auto_free char *lost = whole ? NULL : mend(d, n, false);
    if (!lost && !n->lost) {
        log_warning("network %s: another program changed its bridge %s, which is as it was", n->net.name,
                    n->net.bridge);
        event_of(d, "network-repaired", "network", n->net.name);
    }
    tell(d, n, lost);
    return !lost;
}

void parents_look(struct zd *d)
{
    bool healed = false;
    for (unsigned i = 0; i < d->networks.len; i++)
        if (hangs(d->networks.at[i]))
            look_at(d, d->networks.at[i]);
        else
            healed |= look_at_bridge(d, d->networks.at[i]);
    if (healed)
        ends_look_at_all(d);
}

void parents_look_soon(struct zd *d)
{
    look_later(d, &d->links_later, PAUSE_US, parents_look);
}

int parents_doctor(const struct zd *d, struct err *e)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct net_entry *n = d->networks.at[i];
        if (!n->lost || !n->up)
            continue;
        err_set(e, ERR_NOT_FOUND, ENODEV, "%s: its zones are cut off", n->lost);
        return hangs(n)
                   ? err_hint(e, "ip link shows the links; when %s is there and up, the zones have it again",
                              n->net.parent)
                   : err_hint(e, "zoned tries again when that link goes, and at least once a minute");
    }
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next)
            if (z->missing) {
                err_set(e, ERR_NOT_FOUND, ENODEV,
                        "zone %s lacks a link: it was deleted, or went with the host's", z->name);
                return err_hint(e, "zonectl apply of its file, or zonectl restart %s", z->name);
            }
    return 0;
}
