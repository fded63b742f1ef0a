/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lives beside other firewalls: what they flush or reload under us is made again at once, and the chains that they keep for
 * their users get our marked rules whenever they come, and firewalld is asked to trust our bridges. Must never answer a change
 * of its own: the watch tells who made it. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/look_later.h"
#include "zoned/networks.h"
#include "zoned/resolver.h"
#include "zoned/zoned.h"
#include <net/if.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#define PAUSE_US 200000u /* many changes of others are one */
#define BATCH 64u        /* zones of one transaction */

static bool has_pair(const struct net_network *n)
{
    return n->type != SPEC_NET_MACVLAN;
}

struct net_pass neighbour_pass(const struct zd *d)
{
    struct net_pass pass = {0};
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct net_network *n = &d->networks.at[i]->net;
        if (!d->networks.at[i]->up || spec_network_joins_lan(n->type))
            continue;
        strv_add(&pass.askers, n->bridge);
        if (n->type != SPEC_NET_SEALED)
            strv_add(&pass.forwarded, n->bridge);
    }
    *vec_add(&pass.ports) = RESOLVER_PORT;
    for (unsigned i = 0; i < d->resolvers.len; i++)
        *vec_add(&pass.ports) = d->resolvers.at[i]->port;
    return pass;
}

void neighbour_pass_done(struct net_pass *pass)
{
    strv_free(pass->forwarded);
    strv_free(pass->askers);
    vec_done(&pass->ports);
}

void neighbour_hooks(struct zd *d)
{
    struct err e = {0};
    struct net_pass pass = neighbour_pass(d);
    if (net_hooks_set(d->net, &pass, &e) < 0)
        log_warning("rules for zones in the chains of other firewalls: %s", e.text);
    firewalld_trust(d, pass.askers);
    neighbour_pass_done(&pass);
}

/* Whose undo is under way gives up its elements before its links. */
static bool has_links(const struct zone *z)
{
    bool all = z->plan && z->plan->links.len && z->pid > 0;
    for (unsigned i = 0; all && i < z->plan->links.len; i++)
        all = z->plan->links.at[i].network.type == SPEC_NET_MACVLAN ||
              if_nametoindex(z->plan->links.at[i].host_ifname) || z->missing & 1u << i;
    return all;
}

/* Elements of all zones that run, some zones a transaction; those that are there already stay as they are. */
static int put_elements(struct zd *d, struct err *e)
{
    unsigned n;
    VEC(struct net_link_plan) links = {0};
    auto_free struct zone **all = registry_sorted(d, &n);
    int r = 0;
    for (unsigned i = 0; i <= n && r == 0; i++) {
        for (unsigned k = 0; i < n && has_links(all[i]) && k < all[i]->plan->links.len; k++)
            *vec_add(&links) = all[i]->plan->links.at[k];
        if (links.len && (links.len >= BATCH || i == n)) {
            r = net_zone_elements(d->net, links.at, links.len, e);
            links.len = 0;
        }
    }
    vec_done(&links);
    for (unsigned i = 0; i < n && r == 0; i++)
        if (has_links(all[i]) && all[i]->plan->links.len > 1)
            r = net_zone_selves(d->net, NULL, 0, all[i]->plan->links.at, all[i]->plan->links.len, e);
    return r;
}

static void put_names(struct zd *d)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        if (all[i]->state == ZONE_RUNNING)
            names_publish(all[i]);
}

/* Rules, before anybody may send, and what zones have in the sets. */
static int fill(struct zd *d, struct err *e)
{
    int r = firewall_load(d, NULL, e);
    return r < 0 ? r : put_elements(d, e);
}

/* Tables without rules or elements: packets go astray. */
static void try_again(struct zd *d, const struct err *why)
{
    log_error("the network's tables: %s", why->text);
    d->repair_pause = look_pause(d->repair_pause);
    look_later(d, &d->repair_later, d->repair_pause, neighbour_repair);
}

void neighbour_repair(struct zd *d)
{
    struct err e = {0};
    bool any = false;
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i]->up && has_pair(&d->networks.at[i]->net)) {
            any = true;
            parents_mend(d, d->networks.at[i], true);
        }
    if (!any)
        return;
    int r = fill(d, &e);
    ends_look_at_all(d);
    neighbour_hooks(d);
    put_names(d);
    if (r < 0) {
        try_again(d, &e);
        return;
    }
    d->repair_pause = 0;
    look_never(&d->repair_later);
    log_warning("another program changed the tables of our networks: they are as they were");
    event_publish(d, "network-repaired", NULL, NULL);
}

/* Who turns forwarding on for all wants what is not ours to pass; who turns it off takes it from our links too. */
static void put_right(struct zd *d)
{
    bool healed = false;
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i]->up && has_pair(&d->networks.at[i]->net))
            healed |= parents_mend(d, d->networks.at[i], false);
    if (healed)
        ends_look_at_all(d);
}

static int on_change(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    struct zd *d = arg;
    unsigned found = net_watch_read(d->net_watch);
    if (found & NET_WATCH_OURS)
        neighbour_repair(d);
    else if (found & NET_WATCH_SWITCHES)
        put_right(d);
    if (found & NET_WATCH_LINKS)
        parents_look_soon(d);
    if (found & NET_WATCH_ADDRS)
        hides_look_soon(d);
    if (found & NET_WATCH_ENDS)
        ends_told(d);
    if (found & NET_WATCH_OTHERS)
        look_later(d, &d->hooks_later, PAUSE_US, neighbour_hooks);
    return 0;
}

/* After adoption: what was lost while nobody looked is made again first; a single rule of ours, which nothing tells, too. */
int neighbour_open(struct zd *d, struct err *e)
{
    bool lost = false, any = false;
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i]->up) {
            any |= has_pair(&d->networks.at[i]->net);
            lost |= !net_network_is_up(d->net, &d->networks.at[i]->net);
        }
    lost |= any && !net_tables_current(d->net); /* another version of us made them */
    struct err own = {0};
    if (lost && any) {
        neighbour_repair(d);
    } else {
        put_right(d);
        if (any && fill(d, &own) < 0) /* sets may have been emptied, which leaves the tables as they are */
            try_again(d, &own);
        neighbour_hooks(d); /* of who came or reloaded while nobody looked */
    }
    int r = net_watch_open(d->instance, &d->net_watch, e);
    parents_follow(d);
    parents_look(d);
    hides_look(d);
    ends_look_at_all(d);
    if (r == 0)
        r = sd_event_add_io(d->event, &d->net_changed, net_watch_fd(d->net_watch), EPOLLIN, on_change, d);
    return r;
}

void neighbour_close(struct zd *d)
{
    look_never(&d->hooks_later);
    look_never(&d->hides_later);
    look_never(&d->ends_later);
    look_never(&d->links_later);
    look_never(&d->mend_later);
    look_never(&d->repair_later);
    d->net_changed = sd_event_source_disable_unref(d->net_changed);
    net_watch_close(d->net_watch);
    d->net_watch = NULL;
    firewalld_close(d);
}
