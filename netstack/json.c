/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks and link plans as JSON and back. Pure. What is read is checked like any input: names, lengths,
 * addresses. */
#include "netstack/priv.h"
#include <errno.h>

static void set_addr(json *j, const char *key, const struct net_addr *a)
{
    char text[64];
    net_addr_print(a, true, text);
    if (a->family)
        js_set_str(j, key, text);
}

static void set_mac(json *j, const unsigned char mac[6])
{
    char text[18];
    snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
    js_set_str(j, "mac", text);
}

static bool get_addr(const json *j, const char *key, struct net_addr *a)
{
    const char *text = js_get_str(j, key, NULL);
    memset(a, 0, sizeof(*a));
    return !text || net_addr_parse(text, a) == 0;
}

static bool get_mac(const json *j, unsigned char mac[6])
{
    const char *text = js_get_str(j, "mac", "");
    int end = 0;
    return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                  &mac[5], &end) == 6 &&
           end == 17 && !text[17];
}

static bool get_name(const json *j, const char *key, char *out, size_t size)
{
    const char *text = js_get_str(j, key, "");
    if (!*text || strlen(text) >= size || strpbrk(text, "/ \t\n\"") || !strcmp(text, ".") ||
        !strcmp(text, ".."))
        return false;
    strcpy(out, text);
    return true;
}

json *net_network_to_json(const struct net_network *n)
{
    json *j = js_object();
    js_set_str(j, "name", n->name);
    js_set_str(j, "bridge", n->bridge);
    set_mac(j, n->mac);
    set_addr(j, "subnet4", &n->subnet4);
    set_addr(j, "gateway4", &n->gateway4);
    set_addr(j, "subnet6", &n->subnet6);
    set_addr(j, "gateway6", &n->gateway6);
    js_set_int(j, "mtu", n->mtu);
    js_set_bool(j, "big_tcp", n->big_tcp);
    js_set_str(j, "type", spec_network_type_name(n->type));
    if (*n->parent)
        js_set_str(j, "parent", n->parent);
    set_addr(j, "first4", &n->first4);
    set_addr(j, "last4", &n->last4);
    set_addr(j, "first6", &n->first6);
    set_addr(j, "last6", &n->last6);
    return j;
}

/* No type: written before there were several. */
static bool get_type(const json *j, struct net_network *n)
{
    const char *text = js_get_str(j, "type", "nat");
    for (n->type = SPEC_NET_NAT; n->type < SPEC_NET_MACVLAN && strcmp(spec_network_type_name(n->type), text);
         n->type++)
        ;
    bool lan = spec_network_joins_lan(n->type);
    return !strcmp(spec_network_type_name(n->type), text) &&
           (lan ? get_name(j, "parent", n->parent, sizeof(n->parent)) : true) &&
           get_addr(j, "first4", &n->first4) && get_addr(j, "last4", &n->last4) &&
           get_addr(j, "first6", &n->first6) && get_addr(j, "last6", &n->last6);
}

int net_network_from_json(const json *j, struct net_network *out, struct err *e)
{
    struct net_network n = {0};
    int64_t mtu = js_get_int(j, "mtu", 0);
    bool good = get_name(j, "name", n.name, sizeof(n.name)) &&
                get_name(j, "bridge", n.bridge, sizeof(n.bridge)) && get_mac(j, n.mac) &&
                get_addr(j, "subnet4", &n.subnet4) && get_addr(j, "gateway4", &n.gateway4) &&
                get_addr(j, "subnet6", &n.subnet6) && get_addr(j, "gateway6", &n.gateway6) && mtu >= 0 &&
                mtu <= 65535 && get_type(j, &n);
    if (!good)
        return err_set(e, ERR_INVALID, EINVAL, "network \"%.32s\": malformed record",
                       js_get_str(j, "name", ""));
    n.mtu = (unsigned)mtu;
    n.big_tcp = js_get_bool(j, "big_tcp", false);
    *out = n;
    return 0;
}

static json *ports_to_json(const struct net_link_plan *l)
{
    json *v = js_array();
    for (unsigned i = 0; i < l->ports.len; i++) {
        json *p = js_object();
        auto_free char *text = spec_print_port(&l->ports.at[i].port);
        js_set_str(p, "port", text);
        set_addr(p, "to4", &l->ports.at[i].to4);
        set_addr(p, "to6", &l->ports.at[i].to6);
        js_add(v, p);
    }
    return v;
}

json *net_link_to_json(const struct net_link_plan *l)
{
    json *j = js_object();
    js_set_str(j, "ifname", l->ifname);
    js_set_str(j, "host_ifname", l->host_ifname);
    js_set(j, "network", net_network_to_json(&l->network));
    set_mac(j, l->mac);
    set_addr(j, "addr4", &l->addr4);
    set_addr(j, "addr6", &l->addr6);
    js_set(j, "ports", ports_to_json(l));
    if (l->rate_in != SPEC_UNSET)
        js_set_int(j, "rate_in", (int64_t)l->rate_in);
    if (l->rate_out != SPEC_UNSET)
        js_set_int(j, "rate_out", (int64_t)l->rate_out);
    js_set_strv(j, "aliases", l->aliases);
    js_set_bool(j, "default_route", l->default_route);
    js_set_bool(j, "trusted", l->trusted);
    js_set_bool(j, "dhcp", l->dhcp);
    return j;
}

static int ports_from_json(const json *v, struct net_link_plan *l, struct err *e)
{
    for (size_t i = 0; i < js_len(v) && i < 1024; i++) {
        const json *p = js_at(v, i);
        struct net_port_rule rule = {0};
        int r = spec_parse_port(js_get_str(p, "port", ""), &rule.port, e);
        if (r < 0)
            return r;
        bool good = get_addr(p, "to4", &rule.to4) && get_addr(p, "to6", &rule.to6);
        *vec_add(&l->ports) = rule;
        if (!good)
            return err_set(e, ERR_INVALID, EINVAL, "port %zu: malformed address", i);
    }
    return 0;
}

int net_link_from_json(const json *j, struct net_link_plan *out, struct err *e)
{
    struct net_link_plan l = {.rate_in = SPEC_UNSET, .rate_out = SPEC_UNSET};
    bool good = get_name(j, "ifname", l.ifname, sizeof(l.ifname)) &&
                get_name(j, "host_ifname", l.host_ifname, sizeof(l.host_ifname)) && get_mac(j, l.mac) &&
                get_addr(j, "addr4", &l.addr4) && get_addr(j, "addr6", &l.addr6);
    int r = good ? net_network_from_json(js_get(j, "network"), &l.network, e)
                 : err_set(e, ERR_INVALID, EINVAL, "link \"%.15s\": malformed record",
                           js_get_str(j, "ifname", ""));
    if (r == 0)
        r = ports_from_json(js_get(j, "ports"), &l, e);
    if (r < 0) {
        net_link_done(&l);
        return r;
    }
    int64_t in = js_get_int(j, "rate_in", -1), to = js_get_int(j, "rate_out", -1);
    l.rate_in = in > 0 ? (uint64_t)in : SPEC_UNSET;
    l.rate_out = to > 0 ? (uint64_t)to : SPEC_UNSET;
    l.aliases = js_get_strv(j, "aliases");
    l.trusted = js_get_bool(j, "trusted", false);
    l.dhcp = js_get_bool(j, "dhcp", false);
    l.default_route = js_get_bool(j, "default_route", false);
    *out = l;
    return 0;
}

void net_link_done(struct net_link_plan *l)
{
    for (unsigned i = 0; i < l->ports.len; i++)
        free(l->ports.at[i].port.host_ip);
    vec_done(&l->ports);
    strv_free(l->aliases);
    l->aliases = NULL;
}
