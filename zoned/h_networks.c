/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of networks. What a network is, is said in its file and decided in networks.c; here it is only asked and shown. */
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <errno.h>

static void set_addr(json *o, const char *key, const struct net_addr *a, bool with_prefix)
{
    char buf[64];
    net_addr_print(a, with_prefix, buf);
    js_set_str(o, key, *buf ? buf : NULL);
}

static json *zones_of(struct zd *d, const char *name)
{
    json *list = js_array();
    char **zones = network_zones(d, name);
    for (char **z = zones; z && *z; z++)
        js_add(list, js_string(*z));
    strv_free(zones);
    return list;
}

static json *row(struct zd *d, const struct net_entry *n)
{
    json *o = js_object();
    bool pending;
    auto_free char *wrong = network_file_told(d, n, &pending);
    js_set_str(o, "name", n->net.name);
    js_set_str(o, "type", spec_network_type_name(n->net.type));
    js_set_str(o, "bridge", n->net.type == SPEC_NET_MACVLAN ? NULL : n->net.bridge);
    js_set_str(o, "parent", *n->net.parent ? n->net.parent : NULL);
    set_addr(o, "subnet4", &n->net.subnet4, true);
    set_addr(o, "gateway4", &n->net.gateway4, false);
    set_addr(o, "subnet6", &n->net.subnet6, true);
    set_addr(o, "gateway6", &n->net.gateway6, false);
    js_set(o, "mtu", n->net.mtu ? js_int(n->net.mtu) : js_null());
    js_set_bool(o, "big_tcp", n->net.big_tcp);
    js_set_strv(o, "reach", n->spec->reach);
    js_set_str(o, "policy", n->spec->deny ? "deny" : "allow");
    js_set_strv(o, "rules", n->spec->rules);
    js_set_bool(o, "up", n->up && !n->lost);
    js_set_bool(o, "pending", pending);
    js_set_str(o, "error", n->lost ? n->lost : n->hides ? n->hides : wrong);
    js_set_int(o, "addresses_used", net_pool_used(n->pool));
    js_set(o, "zones", zones_of(d, n->net.name));
    js_set(o, "spec", spec_network_to_json(n->spec));
    return o;
}

static json *row_with_warnings(struct zd *d, const struct net_entry *n)
{
    json *o = row(d, n), *messages = firewall_warnings(d, n);
    unsigned less;
    if (net_network_check_mtu(d->net, &n->net, &less, NULL) == 0 && less) {
        auto_free char *text =
            xasprintf("mtu: zones have %u, but the link %s %u: what is larger is lost on its way out "
                      "(ip link set %s mtu %u, where its card and LAN can)",
                      n->net.mtu, n->net.parent, less, n->net.parent, n->net.mtu);
        js_add(messages, js_string(text));
    }
    js_set(o, "messages", messages);
    return o;
}

static int by_name(const void *a, const void *b)
{
    const struct net_entry *const *x = a, *const *y = b;
    return strcmp((*x)->net.name, (*y)->net.name);
}

/* One whose file cannot be taken. */
static json *broken_row(struct zd *d, const json *broken)
{
    const char *name = js_get_str(broken, "name", "");
    json *o = js_object();
    js_set_str(o, "name", name);
    js_set_str(o, "type", "broken");
    js_set(o, "subnet4", js_null());
    js_set(o, "subnet6", js_null());
    js_set_bool(o, "up", false);
    js_set_bool(o, "pending", true);
    js_set_str(o, "error", js_get_str(broken, "error", NULL));
    js_set(o, "zones", zones_of(d, name));
    return o;
}

int h_list_networks(struct zd *d, struct zd_request *r, struct err *e)
{
    auto_js json *broken = networks_look(d);
    unsigned n = d->networks.len;
    auto_free const struct net_entry **all = xcalloc(n + 1, sizeof(*all));
    json *list = js_array();
    for (unsigned i = 0; i < n; i++)
        all[i] = d->networks.at[i];
    qsort(all, n, sizeof(*all), by_name);
    for (unsigned i = 0; i < n; i++)
        js_add(list, row(d, all[i]));
    for (size_t i = 0; i < js_len(broken); i++)
        js_add(list, broken_row(d, js_at(broken, i)));
    zd_reply_json(r, 200, list);
    return 0;
}

int h_get_network(struct zd *d, struct zd_request *r, struct err *e)
{
    struct net_entry *n = network_get(d, zd_param(r, 0), e);
    if (!n)
        return -ENOENT;
    zd_reply_json(r, 200, row(d, n));
    return 0;
}

/* The body is the network's spec. */
int h_create_network(struct zd *d, struct zd_request *r, struct err *e)
{
    struct spec_network *s = NULL;
    if (spec_network_from_json(zd_body_of(r), &s, zd_problems(r)) < 0)
        return problems_to_err(zd_problems(r), e, "the network");
    auto_free char *name = xstrdup(s->network);
    int k = network_create(d, s, e);
    if (k == 0)
        zd_reply_json(r, 201, row_with_warnings(d, network_find(d, name)));
    return k;
}

/* The body: keys of the spec with their new values. */
int h_patch_network(struct zd *d, struct zd_request *r, struct err *e)
{
    js_free(networks_look(
        d)); /* a zone that is changed with it may need one that is not known yet, and n would move */
    struct net_entry *n = network_get(d, zd_param(r, 0), e);
    bool lost = false;
    int k = n ? network_change(d, n, zd_body_of(r), &lost, zd_problems(r), e) : -ENOENT;
    if (k < 0)
        return k;
    json *o = row_with_warnings(d, n);
    if (lost)
        js_add(js_get(o, "messages"), js_string("comments in a rewritten part were lost"));
    zd_reply_json(r, 200, o);
    return k;
}

int h_delete_network(struct zd *d, struct zd_request *r, struct err *e)
{
    struct net_entry *n = network_get(d, zd_param(r, 0), e);
    int k = n ? network_delete(d, n, e) : -ENOENT;
    if (k == 0)
        zd_reply_json(r, 200, js_object());
    return k;
}
