/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host routes, bears and asks, for the choice of a subnet and for the refusal of one that would hide it. Reads only;
 * the choice itself is pure (choose.c). */
#include "base/file.h"
#include "netstack/priv.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define RESOLVER "a resolver of this host"

/* Routes as wide as 0.0.0.0/1 or 2000::/3 (VPNs) are default routes in two parts and hide nothing. */
static void take(net_taken_list *v, const struct net_addr *a, int index, const char *what)
{
    if (a->family && a->prefix > 3)
        *vec_add(v) = (struct net_taken){*a, what, index};
}

static void take_all(net_taken_list *v, const net_addr_list *from, int but, const char *what)
{
    for (unsigned i = 0; i < from->len; i++)
        if (!but || from->at[i].index != but)
            take(v, &from->at[i].addr, from->at[i].index, what);
}

static void take_resolvers(net_taken_list *v, const char *file)
{
    auto_free char *text = NULL;
    char *save = NULL, value[64];
    if (file_read(AT_FDCWD, file, 65536, &text, NULL, NULL) < 0)
        return;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct net_addr a;
        if (sscanf(line, "nameserver %63[0-9a-fA-F:.]", value) == 1 && net_addr_parse(value, &a) == 0)
            take(v, &a, 0, RESOLVER);
    }
}

struct net_host {
    net_addr_list routes, gateways, addrs;
};

void net_host_free(struct net_host *h)
{
    if (!h)
        return;
    vec_done(&h->routes);
    vec_done(&h->gateways);
    vec_done(&h->addrs);
    free(h);
}

int net_host_read(struct net_host **out, struct err *e)
{
    struct nl_sock *s;
    int r = net_nl_open(NETLINK_ROUTE, &s, e);
    if (r < 0)
        return r;
    struct net_host *h = xcalloc(1, sizeof(*h));
    r = net_routes(s, &h->routes, &h->gateways, e);
    r = r < 0 ? r : net_addrs(s, &h->addrs, e);
    net_nl_close(s);
    if (r < 0)
        net_host_free(h);
    else
        *out = h;
    return r;
}

int net_host_taken(struct net_addr **out, unsigned *n, struct err *e)
{
    struct net_host *h;
    VEC(struct net_addr) all = {0};
    int r = net_host_read(&h, e);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < h->gateways.len; i++)
        *vec_add(&all) = h->gateways.at[i].addr;
    for (unsigned i = 0; i < h->addrs.len; i++)
        *vec_add(&all) = h->addrs.at[i].addr;
    net_host_free(h);
    *n = all.len;
    *out = all.at;
    return 0;
}

/* but: a link whose routes and addresses count not, 0: none. */
static void take_host(const struct net_host *h, int but, net_taken_list *out)
{
    take_resolvers(out, "/etc/resolv.conf");
    take_resolvers(out, "/run/systemd/resolve/resolv.conf");
    take_all(out, &h->gateways, but, "a gateway of this host");
    take_all(out, &h->addrs, but, "an address of this host");
    take_all(out, &h->routes, but, "a route of this host");
}

/* The others first: a conflict is better told by their name than as a route. */
static int list_taken(const struct net_network *others, unsigned nothers, net_taken_list *out, struct err *e)
{
    struct net_host *h;
    int r = net_host_read(&h, e);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < nothers; i++)
        if (!spec_network_joins_lan(others[i].type)) {
            take(out, &others[i].subnet4, 0, others[i].name);
            take(out, &others[i].subnet6, 0, others[i].name);
        }
    take_host(h, 0, out);
    net_host_free(h);
    return 0;
}

static int choose(const char *instance, const char *name, const net_taken_list *taken,
                  struct net_network *out, struct err *e)
{
    auto_free char *id = NULL;
    VEC(struct net_addr) plain = {0};
    if (file_read(AT_FDCWD, "/etc/machine-id", 256, &id, NULL, NULL) < 0)
        id = xstrdup("");
    for (unsigned i = 0; i < taken->len; i++)
        *vec_add(&plain) = taken->at[i].addr;
    int r = net_choose_free(instance, name, id, plain.at, plain.len, out, e);
    vec_done(&plain);
    return r;
}

int net_network_choose_beside(const char *instance, const char *name, const struct net_network *others,
                              unsigned nothers, struct net_network *out, struct err *e)
{
    net_taken_list taken = {0};
    int r = list_taken(others, nothers, &taken, e);
    if (r == 0)
        r = choose(instance, name, &taken, out, e);
    vec_done(&taken);
    return r;
}

int net_network_choose(const char *instance, const char *name, struct net_network *out, struct err *e)
{
    return net_network_choose_beside(instance, name, NULL, 0, out, e);
}

/* ---- from a spec ---- */
static bool of_family(char *const *v, int family, struct net_addr *out)
{
    for (; v && *v; v++)
        if (net_addr_parse(*v, out) == 0 && out->family == family)
            return true;
    *out = (struct net_addr){0};
    return false;
}

static void range_of(char *const *v, int family, struct net_addr *first, struct net_addr *last)
{
    for (; v && *v; v++) {
        auto_free char *low = xstrndup(*v, strcspn(*v, "-"));
        struct net_addr a, b;
        if (net_addr_parse(low, &a) == 0 && a.family == family &&
            net_addr_parse(*v + strlen(low) + 1, &b) == 0) {
            *first = a;
            *last = b;
        }
    }
}

/* One family as the spec gives it; false: it gives no subnet. */
static bool given(const struct spec_network *s, int family, struct net_addr *subnet, struct net_addr *gateway)
{
    if (!of_family(s->subnets, family, subnet))
        return false;
    if (of_family(s->gateways, family, gateway))
        gateway->prefix = subnet->prefix;
    else if (!spec_network_joins_lan(s->type))
        net_gateway_first(subnet, gateway);
    return true;
}

static int check_free(const struct net_addr *subnet, const net_taken_list *taken, const char *name,
                      const struct net_network *others, unsigned nothers, struct err *e)
{
    char mine[64], other[64], link[IF_NAMESIZE];
    const struct net_taken *t = subnet->family ? net_taken_find(taken, subnet) : NULL;
    if (!t)
        return 0;
    net_addr_print(subnet, true, mine);
    net_addr_print(&t->addr, t->addr.prefix < 8 * (unsigned)net_addr_len(&t->addr), other);
    bool ours = false, linked = t->index && if_indextoname((unsigned)t->index, link);
    for (unsigned i = 0; i < nothers; i++)
        ours |= t->what == others[i].name;
    return err_set(e, ERR_CONFLICT, EEXIST, "network %s: the subnet %s overlaps %s (%s%s%s%s)", name, mine,
                   other, ours ? "of network " : "", t->what, linked ? " by " : "", linked ? link : "");
}

int net_network_check_host(const struct net_host *h, const struct net_network *n, struct net_pool *pool,
                           struct err *e)
{
    net_taken_list taken = {0};
    unsigned kept = 0;
    take_host(h, (int)if_nametoindex(n->bridge), &taken);
    for (unsigned i = 0; i < taken.len; i++) /* a zone may be the host's resolver */
        if (strcmp(taken.at[i].what, RESOLVER) != 0 || !net_pool_gave(pool, &taken.at[i].addr))
            taken.at[kept++] = taken.at[i];
    taken.len = kept;
    int r = check_free(&n->subnet4, &taken, n->name, NULL, 0, e);
    r = r < 0 ? r : check_free(&n->subnet6, &taken, n->name, NULL, 0, e);
    vec_done(&taken);
    return r;
}

static void shape_of(const char *instance, const struct spec_network *s, struct net_network *n)
{
    snprintf(n->name, sizeof(n->name), "%s", s->network);
    net_bridge_name(instance, s->network, n->bridge);
    net_bridge_mac(instance, s->network, n->mac);
    n->type = s->type;
    n->mtu = (unsigned)s->mtu;
    n->big_tcp = s->big_tcp;
    snprintf(n->parent, sizeof(n->parent), "%s", s->parent ? s->parent : "");
    range_of(s->ranges, AF_INET, &n->first4, &n->last4);
    range_of(s->ranges, AF_INET6, &n->first6, &n->last6);
}

int net_network_make(const char *instance, const struct spec_network *s, const struct net_network *kept,
                     const struct net_network *others, unsigned nothers, struct net_network *out,
                     struct err *e)
{
    struct net_network n = {0}, chosen = {0};
    net_taken_list taken = {0};
    bool lan = spec_network_joins_lan(s->type);
    shape_of(instance, s, &n);
    bool four = given(s, AF_INET, &n.subnet4, &n.gateway4), six = given(s, AF_INET6, &n.subnet6, &n.gateway6);
    int r = 0;
    if (!lan && !kept) {
        r = list_taken(others, nothers, &taken, e);
        r = r < 0 ? r : check_free(&n.subnet4, &taken, s->network, others, nothers, e);
        r = r < 0 ? r : check_free(&n.subnet6, &taken, s->network, others, nothers, e);
        if (r < 0)
            err_hint(e, "give another --subnet, or none: then a free one is chosen");
        if (r == 0 && (!four || !six))
            r = choose(instance, s->network, &taken, &chosen, e);
        vec_done(&taken);
    } else if (!lan) {
        chosen = *kept;
    }
    if (r < 0)
        return r;
    if (!lan && !four) {
        n.subnet4 = chosen.subnet4;
        n.gateway4 = chosen.gateway4;
    }
    if (!lan && !six) {
        n.subnet6 = chosen.subnet6;
        n.gateway6 = chosen.gateway6;
    }
    *out = n;
    return 0;
}

/* The kernel knows without a walk through all links: a socket takes no other address. */
bool net_host_has(const struct net_addr *a)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct net_addr all = {.family = a->family};
    bool six = a->family == AF_INET6;
    if (net_addr_eq(a, &all))
        return false;
    auto_fd int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(six ? (void *)&v6.sin6_addr : &v4.sin_addr, a->bytes, (size_t)net_addr_len(a));
    return fd >= 0 && bind(fd, six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
                           six ? sizeof(v6) : sizeof(v4)) == 0;
}
