/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the host a network of ours would hide, or hides: the host gets another LAN, on another machine or while we run. A
 * network that is down stays down until the host's route, address, gateway or resolver is gone; one that is up runs on, since
 * zones are on it. Both are told, once: by an event, the log, network show and doctor. Looked at when the host's addresses
 * change, at our start and before a network comes up; doctor looks itself. Not at each route: a router of a full table tells of
 * thousands a second, and each look reads all of them. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/look_later.h"
#include "zoned/networks.h"
#include <errno.h>

#define PAUSE_US 1000000u /* routes follow the address */

static int check(const struct net_host *h, const struct net_entry *n, struct err *e)
{
    if (spec_network_joins_lan(n->net.type)) /* that LAN is the host's own */
        return 0;
    int r = net_network_check_host(h, &n->net, n->pool, e);
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

static int look_at(struct zd *d, const struct net_host *h, struct net_entry *n, struct err *e)
{
    int r = check(h, n, e);
    if (r == 0 || r == -EEXIST)
        tell(d, n, r < 0 ? e->text : NULL);
    return r;
}

int hides_look_at(struct zd *d, struct net_entry *n, struct err *e)
{
    struct net_host *h;
    int r = net_host_read(&h, e);
    if (r < 0)
        return r;
    r = look_at(d, h, n, e);
    net_host_free(h);
    return r;
}

void hides_look(struct zd *d)
{
    struct net_host *h;
    struct err e = {0};
    if (!d->networks.len)
        return;
    if (net_host_read(&h, &e) < 0) {
        log_warning("what networks hide of the host is not known: %s", e.text);
        return;
    }
    for (unsigned i = 0; i < d->networks.len; i++) {
        struct err own = {0};
        (void)look_at(d, h, d->networks.at[i], &own);
    }
    net_host_free(h);
}

void hides_look_soon(struct zd *d)
{
    look_later(d, &d->hides_later, PAUSE_US, hides_look);
}

int hides_doctor(const struct zd *d, struct err *e)
{
    struct net_host *h;
    int r = net_host_read(&h, e);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < d->networks.len && r == 0; i++) {
        const struct net_entry *n = d->networks.at[i];
        r = check(h, n, e);
        if (r == -EEXIST && n->up)
            err_prefix(e, "zones run on, and the host does not reach that");
    }
    net_host_free(h);
    return r;
}
