/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forwarding: turned on only on our bridge and on the links that have addresses, only where it was off, and
 * given back. The list of links that we opened stands in the sets opened4/opened6 of our table before the
 * first switch moves, so a crash forgets nothing; in the state file it counts for the boot and namespace in which it was
 * written. Must never touch net.ipv4.ip_forward, nor a link that somebody else opened meanwhile. IPv6 below 6.17 knows one
 * switch for all links; from 6.17 force_forwarding is per link and leaves router advertisements alone. Source: Documentation/networking/ip-sysctl.rst. */
#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "netstack/priv.h"
#include <errno.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#define V4 "ipv4"
#define V6 "ipv6"

/* The number in a sysctl, or -1. */
static int get(int procfs, const char *family, const char *link, const char *key)
{
    char path[128];
    auto_free char *text = NULL;
    snprintf(path, sizeof(path), "sys/net/%s/conf/%s/%s", family, link, key);
    return procfs_read(procfs, path, 32, &text, NULL) < 0 ? -1 : atoi(text);
}

bool net_bridge_nf(struct net_ctx *c)
{
    auto_free char *text = NULL;
    struct err ignored = {0}; /* no such file: no br_netfilter */
    int procfs = net_ctx_procfs(c, &ignored);
    return procfs >= 0 &&
           procfs_read(procfs, "sys/net/bridge/bridge-nf-call-iptables", 8, &text, &ignored) == 0 &&
           atoi(text) != 0;
}

static int put(int procfs, const char *family, const char *link, const char *key, const char *value,
               struct err *e)
{
    char path[128];
    snprintf(path, sizeof(path), "sys/net/%s/conf/%s/%s", family, link, key);
    return procfs_write(procfs, path, value, e);
}

static const char *key6(int procfs)
{
    return get(procfs, V6, "all", "force_forwarding") >= 0 ? "force_forwarding" : "forwarding";
}

static bool eligible(const struct net_link_info *l, const net_addr_list *addrs, int family)
{
    if (!strcmp(l->name, "lo") || strchr(l->name, '/'))
        return false;
    for (unsigned i = 0; i < addrs->len; i++)
        if (addrs->at[i].index == l->index && addrs->at[i].addr.family == family &&
            addrs->at[i].scope < RT_SCOPE_LINK)
            return true;
    return false;
}

static void plan_link(int procfs, const struct net_link_info *l, const net_addr_list *addrs,
                      struct net_opened *o, bool want4, bool want6)
{
    if (want4 && eligible(l, addrs, AF_INET) && get(procfs, V4, l->name, "forwarding") == 0 &&
        !strv_has(o->v4, l->name))
        strv_add(&o->v4, l->name);
    if (!want6)
        return;
    if (o->all6) { /* all links become routers: those that listened to advertisements must go on */
        if (get(procfs, V6, l->name, "accept_ra") == 1 && !strv_has(o->ra, l->name))
            strv_add(&o->ra, l->name);
    } else if (eligible(l, addrs, AF_INET6) && get(procfs, V6, l->name, "force_forwarding") == 0 &&
               !strv_has(o->v6, l->name)) {
        strv_add(&o->v6, l->name);
    }
}

static bool own_bridge(const struct net_link_info *l, char *const *bridges, const struct net_network *n)
{
    return strv_has(bridges, l->name) || str_eq(l->name, n->bridge);
}

static int merge_set(struct net_nft *nft, const char *table, const char *set, char ***to, struct err *e)
{
    auto_done(net_strv_done) char **v = NULL;
    int r = net_nft_names(nft, table, set, &v, e);
    for (char **p = v; p && *p; p++)
        if (!strv_has(*to, *p))
            strv_add(to, *p);
    return r;
}

int net_opened_merge_table(struct net_nft *nft, const char *table, struct net_opened *o, struct err *e)
{
    int r = merge_set(nft, table, "opened4", &o->v4, e);
    if (r == 0)
        r = merge_set(nft, table, "opened6", &o->v6, e);
    o->all6 |= strv_has(o->v6, "all");
    return r;
}

int net_forward_known(struct net_ctx *c, struct net_opened *o, struct err *e)
{
    struct net_nft *nft;
    int r = net_ctx_nft(c, &nft, e);
    return r < 0 ? r : net_opened_merge_table(nft, c->instance, o, e);
}

/* What has to be opened, with what was opened before (as the sets tell). */
int net_forward_plan(struct net_ctx *c, const struct net_network *n, struct net_opened *o, struct err *e)
{
    struct nl_sock *rt;
    struct net_nft *nft;
    net_link_list links = {0};
    net_addr_list addrs = {0};
    auto_done(net_strv_done) char **bridges = NULL;
    int procfs = net_ctx_procfs(c, e);
    int r = procfs < 0 ? procfs : net_ctx_rt(c, &rt, e);
    if (r == 0)
        r = net_ctx_nft(c, &nft, e);
    if (r == 0)
        r = net_nft_names(nft, c->instance, "bridges", &bridges, e);
    if (r == 0)
        r = net_opened_merge_table(nft, c->instance, o, e);
    if (r == 0)
        r = net_links(rt, NULL, &links, e);
    if (r == 0)
        r = net_addrs(rt, &addrs, e);
    if (r == 0) {
        bool out = n->type != SPEC_NET_SEALED;
        bool want4 = out && n->subnet4.family && get(procfs, V4, "all", "forwarding") == 0;
        bool want6 = out && n->subnet6.family && get(procfs, V6, "all", "forwarding") == 0;
        if (want6 && strcmp(key6(procfs), "forwarding") == 0)
            o->all6 = true;
        /* somebody else wants it everywhere: what we opened is no longer only ours to close */
        if (get(procfs, V4, "all", "forwarding") == 1)
            net_strv_done(&o->v4);
        if (!o->all6 && get(procfs, V6, "all", "forwarding") == 1)
            net_strv_done(&o->v6);
        if (o->all6 && !strv_has(o->v6, "all")) /* into the table's memory as well */
            strv_add(&o->v6, "all");
        for (unsigned i = 0; i < links.len; i++)
            if (!own_bridge(&links.at[i], bridges, n))
                plan_link(procfs, &links.at[i], &addrs, o, want4, want6);
    }
    vec_done(&links);
    vec_done(&addrs);
    return r;
}

static int open_six(int procfs, const struct net_network *n, const struct net_opened *o, struct err *e)
{
    int r = 0;
    if (o->all6) {
        for (char **p = o->ra; r == 0 && p && *p; p++)
            r = put(procfs, V6, *p, "accept_ra", "2", e);
        return r < 0 ? r : put(procfs, V6, "all", "forwarding", "1", e);
    }
    for (char **p = o->v6; r == 0 && p && *p; p++)
        if (get(procfs, V6, *p, "force_forwarding") == 0)
            r = put(procfs, V6, *p, "force_forwarding", "1", e);
    const char *key = key6(procfs);
    if (r == 0 && get(procfs, V6, n->bridge, key) == 0)
        r = put(procfs, V6, n->bridge, key, "1", e);
    return r;
}

int net_six_on(struct net_ctx *c, const char *ifname, struct err *e)
{
    int procfs = net_ctx_procfs(c, e);
    if (procfs < 0)
        return procfs;
    return get(procfs, V6, ifname, "disable_ipv6") == 1 ? put(procfs, V6, ifname, "disable_ipv6", "0", e) : 0;
}

bool net_forward_there(struct net_ctx *c, const struct net_network *n)
{
    int procfs = net_ctx_procfs(c, NULL);
    bool four = n->subnet4.family != 0, local = four && n->type != SPEC_NET_SEALED;
    return procfs < 0 || ((!local || get(procfs, V4, n->bridge, "route_localnet") != 0) &&
                          (!four || get(procfs, V4, n->bridge, "forwarding") != 0) &&
                          (!n->subnet6.family || (get(procfs, V6, n->bridge, key6(procfs)) != 0 &&
                                                  get(procfs, V6, n->bridge, "disable_ipv6") != 1)));
}

int net_forward_apply(struct net_ctx *c, const struct net_network *n, const struct net_opened *o,
                      struct err *e)
{
    int procfs = net_ctx_procfs(c, e), r = procfs < 0 ? procfs : 0;
    /* route_localnet: the answer to a connection from 127.0.0.1 comes back over the bridge */
    if (r == 0 && n->subnet4.family && n->type != SPEC_NET_SEALED)
        r = put(procfs, V4, n->bridge, "route_localnet", "1", e);
    if (r == 0 && n->subnet4.family && get(procfs, V4, n->bridge, "forwarding") == 0)
        r = put(procfs, V4, n->bridge, "forwarding", "1", e);
    if (r == 0 && get(procfs, V6, n->bridge, "accept_ra") > 0)
        r = put(procfs, V6, n->bridge, "accept_ra", "0", e);
    for (char **p = o->v4; r == 0 && p && *p; p++)
        if (get(procfs, V4, *p, "forwarding") == 0)
            r = put(procfs, V4, *p, "forwarding", "1", e);
    if (r == 0 && n->subnet6.family)
        r = open_six(procfs, n, o, e);
    return r;
}

/* Links that are gone are skipped; where the global switch is on by now, somebody else wants forwarding: left
 * alone. */
int net_forward_restore(struct net_ctx *c, const struct net_opened *o, struct err *e)
{
    int procfs = net_ctx_procfs(c, e), r = procfs < 0 ? procfs : 0;
    for (char **p = o->v4; r == 0 && p && *p && get(procfs, V4, "all", "forwarding") == 0; p++)
        if (get(procfs, V4, *p, "forwarding") == 1)
            r = put(procfs, V4, *p, "forwarding", "0", e);
    for (char **p = o->v6; r == 0 && p && *p; p++)
        if (get(procfs, V6, *p, "force_forwarding") == 1)
            r = put(procfs, V6, *p, "force_forwarding", "0", e);
    if (r == 0 && o->all6 && get(procfs, V6, "all", "forwarding") == 1)
        r = put(procfs, V6, "all", "forwarding", "0", e);
    for (char **p = o->ra; r == 0 && p && *p; p++)
        if (get(procfs, V6, *p, "accept_ra") == 2)
            r = put(procfs, V6, *p, "accept_ra", "1", e);
    return r;
}

/* The boot and the network namespace that switches belong to: others have theirs from the administrator. malloc'd. */
static char *whose(void)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof(cookie);
    auto_free char *boot = proc_boot_id();
    auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n);
    return xasprintf("%s %" PRIu64, boot, cookie);
}

void net_opened_now(json *j)
{
    auto_free char *where = whose();
    js_set_str(j, "of", where);
}

json *net_opened_to_json(const struct net_opened *o)
{
    json *j = js_object();
    net_opened_now(j);
    js_set_strv(j, "forwarding4", o->v4);
    js_set_strv(j, "forwarding6", o->v6);
    js_set_strv(j, "accept_ra", o->ra);
    js_set_bool(j, "all6", o->all6);
    return j;
}

static void merge(char ***to, const json *j, const char *key)
{
    auto_done(net_strv_done) char **v = js_get_strv(j, key);
    for (char **p = v; p && *p; p++)
        if (!strv_has(*to, *p) && strlen(*p) < 16 && !strchr(*p, '/') && strcmp(*p, "..") != 0)
            strv_add(to, *p);
}

void net_opened_merge_json(struct net_opened *o, const json *j)
{
    auto_free char *where = whose();
    if (!str_eq(js_get_str(j, "of", NULL), where)) /* a power loss took what it tells of */
        return;
    merge(&o->v4, j, "forwarding4");
    merge(&o->v6, j, "forwarding6");
    merge(&o->ra, j, "accept_ra");
    o->all6 |= js_get_bool(j, "all6", false);
}

void net_strv_done(char ***v)
{
    strv_free(*v);
    *v = NULL;
}

void net_opened_done(struct net_opened *o)
{
    strv_free(o->v4);
    strv_free(o->v6);
    strv_free(o->ra);
    memset(o, 0, sizeof(*o));
}
