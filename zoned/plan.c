/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the plan of one start from a spec, a lease and facts. Pure: no system call, so --dry-run prints what
 * a start would do and unit tests need no root. All that can be refused by reading is refused here, every
 * problem at once. */
#include "base/str.h"
#include "namespaces/namespaces.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>

static const struct net_network *find(const struct plan_inputs *in, const char *name)
{
    for (unsigned i = 0; i < in->nnetworks; i++)
        if (!strcmp(in->networks[i].net.name, name))
            return &in->networks[i].net;
    return NULL;
}

static struct net_addr with_prefix(const struct net_addr *a, const struct net_addr *subnet)
{
    struct net_addr out = *a;
    out.prefix = subnet->prefix;
    return out;
}

static void add_link(const struct plan_inputs *in, struct plan *p, unsigned i, struct problems *ps)
{
    const struct spec_link *s = &in->spec->network.at[i];
    const struct net_network *n = find(in, s->link);
    if (!n || i >= in->lease->nlinks) {
        problem_add(ps, ERR_NOT_FOUND, NULL, 0, "network", "network %s does not exist", s->link);
        return;
    }
    struct net_link_plan *l = vec_add(&p->links);
    const struct lease_link *lease = &in->lease->links[i];
    snprintf(l->ifname, sizeof(l->ifname), "eth%u", p->links.len - 1);
    net_host_ifname(in->instance, in->spec->zone, (unsigned)in->start_no, i, l->host_ifname);
    l->network = *n;
    net_mac_of(in->instance, in->spec->zone, i, l->mac);
    if (lease->addr4.family)
        l->addr4 = with_prefix(&lease->addr4, &n->subnet4);
    if (lease->addr6.family)
        l->addr6 = with_prefix(&lease->addr6, &n->subnet6);
    l->rate_in = s->rate_in;
    l->rate_out = s->rate_out;
    l->aliases = strv_copy(s->aliases);
    l->default_route = p->links.len == 1;
    for (unsigned k = 0; k < s->ports.len; k++) {
        struct net_port_rule *r = vec_add(&l->ports);
        r->port = s->ports.at[k];
        r->port.host_ip = xstrdup(s->ports.at[k].host_ip);
        r->to4 = l->addr4;
        r->to6 = l->addr6;
    }
}

static void add_links(const struct plan_inputs *in, struct plan *p, struct problems *ps)
{
    for (unsigned i = 0; i < in->spec->network.len; i++) {
        const char *link = in->spec->network.at[i].link;
        if (!strcmp(link, "host"))
            p->host_network = true;
        else if (str_starts(link, "zone:")) {
            p->join_zone = xstrdup(link + 5);
            p->join_run_dir = xstrdup(in->join_run_dir);
            if (!in->join_run_dir)
                problem_add(ps, ERR_CONFLICT, NULL, 0, "network", "zone %s does not run", link + 5);
        } else if (strcmp(link, "none"))
            add_link(in, p, i, ps);
    }
}

static void add_file(struct plan *p, const char *path, char *text)
{
    *vec_add(&p->files) = (struct stor_file){xstrdup(path), text, 0644};
}

static void add_files(const struct plan_inputs *in, struct plan *p)
{
    const char *host = in->spec->hostname ? in->spec->hostname : in->spec->zone;
    add_file(p, "etc/hostname", xasprintf("%s\n", host));
    add_file(p, "etc/hosts", net_hosts_text(host, p->links.at, p->links.len));
    add_file(p, "etc/machine-id", xasprintf("%s\n", in->lease->machine_id));
    if (p->links.len || p->host_network)
        add_file(p, "etc/resolv.conf",
                 net_resolv_of_zone(in->host_resolv, p->links.at, in->names ? p->links.len : 0));
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
        problem_add(ps, ERR_INVALID, NULL, 0, "process.args",
                    "is missing (a list of words: the program and its arguments)");
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
        add_links(in, p, ps);
        p->part = in->part && !p->host_network;
        add_files(in, p);
        check_capabilities(in->spec, ps);
        check_app(in->spec, ps);
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
