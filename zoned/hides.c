/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the host a network of ours would hide, or hides: the host gets another LAN, on another machine or while we run. A
 * network that is down stays down until the host's route, address, gateway or resolver is gone; one that is up runs on, since
 * zones are on it. Both are told, once: by an event, the log, network show and doctor. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/networks.h"
#include <errno.h>
#include <systemd/sd-event.h>

#define PAUSE_US 1000000u /* routes follow the address */

static int check(const struct net_entry *n, struct err *e)
{
    if (spec_network_joins_lan(n->net.type)) /* that LAN is the host's own */
        return 0;
    int r = net_network_check_host(&n->net, n->pool, e);
    if (r == -EEXIST)
        err_hint(e,
                 "take it from the host, or give the zones another network: zonectl network create NET, then "
                 "zonectl set ZONE 'network[0].link=NET'");
    return r;
}

static void tell(struct zd *d, struct net_entry *n, const char *hides)
{
    if (str_eq(n->hides, hides))
        return;
    free(n->hides);
    n->hides = xstrdup(hides);
    json *extra = js_object();
    js_set_str(extra, "network", n->net.name);
    js_set_str(extra, "reason", hides);
    if (hides)
        log_warning("%s", hides);
    event_publish(d, hides ? "network-conflict" : "network-conflict-gone", NULL, extra);
}

int hides_look_at(struct zd *d, struct net_entry *n, struct err *e)
{
    struct err own = {0};
    int r = check(n, &own);
    if (r == 0 || r == -EEXIST)
        tell(d, n, r < 0 ? own.text : NULL);
    if (r < 0 && e)
        *e = own;
    return r;
}

void hides_look(struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++)
        (void)hides_look_at(d, &d->networks.at[i], NULL);
}

static int on_pause(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zd *d = arg;
    d->hides_pause = sd_event_source_disable_unref(d->hides_pause);
    hides_look(d);
    return 0;
}

void hides_look_soon(struct zd *d)
{
    if (!d->hides_pause)
        (void)sd_event_add_time_relative(d->event, &d->hides_pause, CLOCK_MONOTONIC, PAUSE_US, 0, on_pause,
                                         d);
}

int hides_doctor(const struct zd *d, struct err *e)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct net_entry *n = &d->networks.at[i];
        int r = check(n, e);
        if (r == -EEXIST && n->up)
            return err_prefix(e, "zones run on, and the host does not reach that");
        if (r < 0)
            return r;
    }
    return 0;
}
