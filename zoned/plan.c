/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the plan of one start from a spec, a lease and facts. Pure: no system call, so --dry-run prints what
 * a start would do and unit tests need no root. All that can be refused by reading is refused here, every
 * problem at once. */
#include "base/str.h"
#include "namespaces/namespaces.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>

static const struct net_network *find(const struct plan_inputs *in, const char *name)
{
    for (unsigned i = 0; i < in->nnetworks; i++)
        if (!strcmp(in->networks[i]->net.name, name))
            return &in->networks[i]->net;
    return NULL;
}

static struct net_addr with_prefix(const struct net_addr *a, const struct net_addr *subnet)
{
    struct net_addr out = *a;
    out.prefix = subnet->prefix;
    return out;
}

/* ---- names of links: those that stay keep theirs, the others get what is free ---- */
struct naming {
    const struct plan_inputs *in;
    struct plan *p;
    bool used[16]; /* links of the running plan that found their place */
};

static bool named(const struct naming *n, const char *ifname, const char *host, const unsigned char *mac)
{
    const struct plan *plans[] = {n->p, n->in->running};
    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0; plans[k] && i < plans[k]->links.len; i++) {
            const struct net_link_plan *l = &plans[k]->links.at[i];
            bool goes = k == 1 && i < ARRAY_LEN(n->used) && !n->used[i];
            if (goes &&
                !host) /* it leaves before another joins; on the host a kill between shows which is which */
                continue;
            if ((ifname && str_eq(l->ifname, ifname)) || (host && str_eq(l->host_ifname, host)) ||
                (mac && !memcmp(l->mac, mac, 6)))
                return true;
        }
    return false;
}

/* The link of the running zone that this one is: same network, same addresses. */
static const struct net_link_plan *running_link(struct naming *n, const struct net_network *net,
                                                const struct lease_link *lease)
{
    const struct plan *r = n->in->running;
    for (unsigned i = 0; r && i < r->links.len && i < ARRAY_LEN(n->used); i++) {
        const struct net_link_plan *l = &r->links.at[i];
        if (!n->used[i] && !(n->in->missing & 1u << i) && str_eq(l->network.name, net->name) &&
            net_addr_eq(&l->addr4, &lease->addr4) && net_addr_eq(&l->addr6, &lease->addr6)) {
            n->used[i] = true;
            return l;
        }
    }
    return NULL;
}

/* asks: the zone's only link to this network; its MAC is the one that its lease was made for. */
static void name_link(struct naming *n, const struct net_network *net, bool asks, struct net_link_plan *l)
{
    const struct plan_inputs *in = n->in;
    char ifname[16], host[16];
    unsigned char mac[6];
    unsigned k = 0;
    do
        snprintf(ifname, sizeof(ifname), "eth%u", k);
    while (named(n, ifname, NULL, NULL) && ++k);
    k = 0;
    do
        net_host_ifname(in->instance, in->spec->zone, (unsigned)in->start_no, k, host);
    while (named(n, NULL, host, NULL) && ++k < 36);
    k = 0;
    do
        net_mac_of(in->instance, in->lease->machine_id, net->name, k, mac);
    while (!asks && named(n, NULL, NULL, mac) && ++k);
    memcpy(l->ifname, ifname, sizeof(ifname));
    memcpy(l->host_ifname, host, sizeof(host));
    memcpy(l->mac, mac, sizeof(mac));
}

static void fill_link(const struct spec_link *s, const struct net_network *n, const struct lease_link *lease,
                      struct net_link_plan *l)
{
    l->network = *n;
    if (lease->addr4.family)
        l->addr4 = with_prefix(&lease->addr4, &n->subnet4);
    if (lease->addr6.family)
        l->addr6 = with_prefix(&lease->addr6, &n->subnet6);
    l->rate_in = s->rate_in;
    l->rate_out = s->rate_out;
    l->aliases = strv_copy(s->aliases);
    l->trusted = s->trusted;
    l->dhcp = s->dhcp;
    for (unsigned k = 0; k < s->ports.len; k++) {
        struct net_port_rule *r = vec_add(&l->ports);
        r->port = s->ports.at[k];
        r->port.host_ip = xstrdup(s->ports.at[k].host_ip);
        r->to4 = l->addr4;
        r->to6 = l->addr6;
    }
}

/* A sealed network is no way out, but the one to the networks that it reaches. */
static void go_by_sealed(const struct plan_inputs *in, struct plan *p)
{
    for (unsigned i = 0; i < p->links.len; i++)
        for (unsigned k = 0; k < in->nnetworks; k++)
            if (!strcmp(in->networks[k]->net.name, p->links.at[i].network.name) &&
                in->networks[k]->net.type == SPEC_NET_SEALED && strv_len(in->networks[k]->spec->reach)) {
                p->links.at[i].default_route = true;
                return;
            }
}

/* Two passes over the spec's links, so that a new one takes no name of one that stays. */
static void add_networks(const struct plan_inputs *in, struct plan *p, struct problems *ps)
{
    struct naming names = {.in = in, .p = p};
    const struct net_link_plan *stay[16] = {NULL};
    const struct spec *s = in->spec;
    for (unsigned i = 0; i < s->network.len && i < ARRAY_LEN(stay); i++) {
        const struct net_network *n = find(in, s->network.at[i].link);
        if (n && i < in->lease->nlinks)
            stay[i] = running_link(&names, n, &in->lease->links[i]);
    }
    bool way_out = false;
    for (unsigned i = 0; i < s->network.len && i < ARRAY_LEN(stay); i++) {
        const struct spec_link *link = &s->network.at[i];
        const struct net_network *n = find(in, link->link);
        if (!network_is_name(link->link))
            continue;
        if (!n || i >= in->lease->nlinks) {
            problem_add(ps, ERR_NOT_FOUND, NULL, 0, "network", "network %s does not exist", link->link);
            continue;
        }
        struct net_link_plan one = {0};
        if (stay[i]) {
            memcpy(one.ifname, stay[i]->ifname, sizeof(one.ifname));
            memcpy(one.host_ifname, stay[i]->host_ifname, sizeof(one.host_ifname));
            memcpy(one.mac, stay[i]->mac, sizeof(one.mac));
        } else {
            name_link(&names, n, link->dhcp, &one);
        }
        fill_link(link, n, &in->lease->links[i], &one);
        one.default_route =
            !way_out && n->type != SPEC_NET_SEALED && (n->gateway4.family || n->gateway6.family);
        way_out |= one.default_route;
        *vec_add(&p->links) = one;
    }
    if (!way_out)
        go_by_sealed(in, p);
}

static void add_links(const struct plan_inputs *in, struct plan *p, struct problems *ps)
{
    for (unsigned i = 0; i < in->spec->network.len; i++) {
        const char *link = in->spec->network.at[i].link;
        if (!strcmp(link, "host"))
            p->host_network = true;
        else if (str_starts(link, "zone:")) {
            p->join_zone = xstrdup(link + 5);
            if (in->join)
                p->join_run_dir = xstrdup(in->join->run_dir);
            else
                problem_add(ps, ERR_CONFLICT, NULL, 0, "network", "zone %s does not run", link + 5);
        }
    }
    add_networks(in, p, ps);
}

static void add_file(struct plan *p, const char *path, char *text)
{
    *vec_add(&p->files) = (struct stor_file){xstrdup(path), text, 0644};
}

static const char *host_name(const struct spec *s)
{
    return s->hostname ? s->hostname : s->zone;
}

/* Who has another's network is at its addresses, beside it, and asks whom it asks. */
static void add_files(const struct plan_inputs *in, struct plan *p)
{
    const struct plan *net = in->stack ? in->stack : p;
    const char *host = host_name(in->spec);
    auto_free char *hosts = in->stack ? xasprintf("%s %s", host, host_name(net->spec)) : xstrdup(host);
    add_file(p, "etc/hostname", xasprintf("%s\n", host));
    add_file(p, "etc/hosts", net_hosts_text(hosts, net->links.at, net->links.len));
    add_file(p, "etc/machine-id", xasprintf("%s\n", in->lease->machine_id));
    bool any =
        net->links.len || net->host_network; /* without, too: a link that comes changes what is there */
    add_file(p, "etc/resolv.conf",
             any ? net_resolv_of_zone(in->host_resolv, net->links.at, in->names ? net->links.len : 0)
                 : xstrdup("# no network, no resolver\n"));
}

static void check_capabilities(const struct spec *s, struct problems *ps)
{
    for (char **c = s->security.caps_add; c && *c; c++)
        if (strcmp(*c, "ALL") && !nspace_capability_known(*c))
            problem_add(ps, ERR_INVALID, NULL, 0, "security.capabilities.add", "%s is no capability", *c);
    for (unsigned i = 0; i < s->sysctls.len; i++) {
        struct err e = {0};
        if (nspace_check_sysctl(s->sysctls.at[i].key, &e) < 0)
            problem_add(ps, e.kind, NULL, 0, "sysctls", "%s", e.text);
    }
}

static void check_app(const struct spec *s, struct problems *ps)
{
    if (s->init == SPEC_INIT_APP && !strv_len(s->process.args))
        problem_add(
            ps, ERR_INVALID, NULL, 0, "process.args",
            "is missing, and the image names no program (a list of words: the program and its arguments)");
}

int plan_build(const struct plan_inputs *in, struct plan **out, struct problems *ps, struct err *e)
{
    unsigned before = ps->len;
    struct plan *p = xcalloc(1, sizeof(*p));
    p->format = PLAN_FORMAT;
    p->instance = xstrdup(in->instance);
    p->zone = xstrdup(in->spec->zone);
    p->start_no = in->start_no;
    p->run_dir = xasprintf("%s/zones/%s", in->run_dir, in->spec->zone);
    p->data_dir = xstrdup(in->data_dir);
    p->own_dirs = strv_copy((char **)in->own_dirs);
    p->keeper_socket = xstrdup(in->keeper_socket);
    p->cgroup_parent = xstrdup(in->cgroup_parent);
    p->cgroup_name = xstrdup(in->spec->zone);
    p->uid_base = in->uid_base;
    p->spec = spec_copy(in->spec);
    p->remove = in->remove;
    p->log_size = 10u << 20;
    p->log_files = 3;
    auto_js json *root = stor_root_to_json(in->root);
    int r = stor_root_from_json(root, &p->root, e);
    if (r == 0) {
        if (in->running)
            p->env = strv_copy(in->running->env);
        else
            spec_apply_image(p->spec, p->root.config, &p->env, ps);
        add_links(in, p, ps);
        p->part = in->part && !p->host_network;
        add_files(in, p);
        check_capabilities(in->spec, ps);
        check_app(p->spec, ps);
        if (ps->len > before)
            r = problems_to_err(ps, e, in->spec->zone);
    }
    if (r < 0) {
        plan_free(p);
        return r;
    }
    *out = p;
    return 0;
}
