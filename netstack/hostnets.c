/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host routes and bears, for the choice of a subnet. Reads only; the choice itself is pure
 * (choose.c). */
#include "base/file.h"
#include "netstack/priv.h"
#include <fcntl.h>
#include <linux/netlink.h>

static void take(net_subnets *v, const struct net_addr *a)
{
    if (a->family && a->prefix)
        *vec_add(v) = *a;
}

int net_network_choose_beside(const char *instance, const char *name, const struct net_network *others,
                              unsigned nothers, struct net_network *out, struct err *e)
{
    struct nl_sock *s;
    net_subnets taken = {0};
    net_addr_list addrs = {0};
    auto_free char *id = NULL;
    int r = net_nl_open(NETLINK_ROUTE, &s, e);
    if (r < 0)
        return r;
    r = net_routes(s, &taken, e);
    if (r == 0)
        r = net_addrs(s, &addrs, e);
    net_nl_close(s);
    for (unsigned i = 0; i < addrs.len; i++)
        take(&taken, &addrs.at[i].addr);
    for (unsigned i = 0; i < nothers; i++) {
        take(&taken, &others[i].subnet4);
        take(&taken, &others[i].subnet6);
    }
    if (file_read(AT_FDCWD, "/etc/machine-id", 256, &id, NULL, NULL) < 0)
        id = xstrdup("");
    if (r == 0)
        r = net_choose_free(instance, name, id, taken.at, taken.len, out, e);
    vec_done(&taken);
    vec_done(&addrs);
    return r;
}

int net_network_choose(const char *instance, const char *name, struct net_network *out, struct err *e)
{
    return net_network_choose_beside(instance, name, NULL, 0, out, e);
}
