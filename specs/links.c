/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The links of a zone among each other: what may stand together, ports that collide, how many elements the
 * ports cost in the kernel's maps. */
#include "base/mem.h"
#include "specs/schema.h"
#include <string.h>

#define PORT_ELEMENTS_MAX 1024

static bool is_network(const char *link)
{
    return strcmp(link, "none") != 0 && strcmp(link, "host") != 0 && !str_starts(link, "zone:");
}

/* A range with equal numbers is one interval; the kernel maps a shifted one port by port. */
static unsigned elements(const struct spec_port *p)
{
    return p->host_first == p->zone_first ? 1 : (unsigned)(p->host_last - p->host_first) + 1;
}

static bool collide(const struct spec_port *a, const struct spec_port *b)
{
    return a->proto == b->proto && a->host_first <= b->host_last && b->host_first <= a->host_last &&
           spec_host_ips_meet(a->host_ip, b->host_ip);
}

struct port_at {
    const struct spec_port *port;
    int link, index;
};

static void check_ports(struct spec_load *l, struct spec *s, const struct spec_node *root)
{
    VEC(struct port_at) all = {0};
    unsigned total = 0;
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++) {
            *vec_add(&all) = (struct port_at){&s->network.at[i].ports.at[k], (int)i, (int)k};
            total += elements(all.at[all.len - 1].port);
        }
    for (unsigned i = 1; i < all.len && all.len <= PORT_ELEMENTS_MAX; i++)
        for (unsigned k = 0; k < i; k++)
            if (collide(all.at[i].port, all.at[k].port)) {
                auto_free char *mine = spec_print_port(all.at[i].port),
                               *other = spec_print_port(all.at[k].port);
                struct spec_where link = {NULL, "network", all.at[i].link},
                                  at = {&link, "ports", all.at[i].index};
                spec_bad(l, spec_line_of(root, "network"), &at, "\"%s\" takes a host port of \"%s\" again",
                         mine, other);
                break;
            }
    if (total > PORT_ELEMENTS_MAX) {
        struct spec_where w = {NULL, "network", -1};
        spec_bad_kind(
            l, ERR_LIMIT, spec_line_of(root, "network"), &w,
            "publishes %u ports that the kernel keeps one by one (at most %d a zone; a range with equal "
            "numbers on both sides counts as one)",
            total, PORT_ELEMENTS_MAX);
    }
    vec_done(&all);
}

/* What it asks for must be told by its MAC alone. */
static void check_dhcp(struct spec_load *l, const struct spec *s, unsigned i, const struct spec_node *n)
{
    const struct spec_link *k = &s->network.at[i];
    struct spec_where w = {NULL, "network", (int)i}, address = {&w, "address", -1}, dhcp = {&w, "dhcp", -1};
    if (!k->dhcp)
        return;
    for (char **a = k->address; a && *a; a++)
        if (strchr(*a, ':'))
            spec_bad(
                l, spec_line_of(n, "address"), &address,
                "%s is fixed, but with dhcp the IPv6 address follows from the MAC (an IPv4 address can be "
                "fixed)",
                *a);
    for (unsigned m = 0; m < s->network.len; m++)
        if (m != i && s->network.at[m].link && !strcmp(s->network.at[m].link, k->link)) {
            spec_bad(l, spec_line_of(n, "dhcp"), &dhcp,
                     "is given with several links to network %s (it must be the only one)", k->link);
            break;
        }
}

static void check_addresses(struct spec_load *l, const struct spec_link *k, unsigned i,
                            const struct spec_node *n)
{
    struct spec_where w = {NULL, "network", (int)i}, at = {&w, "address", -1};
    const char *first[2] = {NULL, NULL};
    for (char **a = k->address; a && *a; a++) {
        const char **have = &first[strchr(*a, ':') != NULL];
        if (*have)
            spec_bad(
                l, spec_line_of(n, "address"), &at,
                "has %s besides %s (at most one IPv4 and one IPv6 address for each link; another link to "
                "the network may have it)",
                *a, *have);
        *have = *a;
    }
}

static const char *own_ports(const char *link)
{
    return strcmp(link, "host") != 0 ? ""
                                     : "; the zone's programs take the host's ports themselves, from 1024 "
                                       "up: root in a zone is nobody on the host";
}

static void check_link(struct spec_load *l, struct spec *s, unsigned i, const struct spec_node *n)
{
    const struct spec_link *k = &s->network.at[i];
    struct spec_where w = {NULL, "network", (int)i};
    if (!k->link)
        return;
    if (str_starts(k->link, "zone:") && s->zone && !strcmp(k->link + 5, s->zone))
        spec_bad(l, spec_line_of(n, "link"), &w, "shares the network of the zone itself");
    if (is_network(k->link)) {
        check_addresses(l, k, i, n);
        check_dhcp(l, s, i, n);
        return;
    }
    if (s->network.len > 1)
        spec_bad(l, spec_line_of(n, "link"), &w, "link %s stands with other links (it must be the only one)",
                 k->link);
    static const char *const needs[] = {"ports", "rate_in", "rate_out", "aliases", "trusted", "dhcp"};
    const bool given[] = {
        k->ports.len > 0, k->rate_in != SPEC_UNSET, k->rate_out != SPEC_UNSET, k->aliases != NULL, k->trusted,
        k->dhcp};
    for (unsigned m = 0; m < ARRAY_LEN(needs); m++)
        if (given[m]) {
            struct spec_where at = {&w, needs[m], -1};
            spec_bad(l, spec_line_of(n, needs[m]), &at, "is given with link %s (only a network has it%s)",
                     k->link, m ? "" : own_ports(k->link));
        }
    if (k->address) {
        struct spec_where at = {&w, "address", -1};
        spec_bad(l, spec_line_of(n, "address"), &at, "is given with link %s (only a network has it)",
                 k->link);
    }
}

static void default_link(struct spec *s, const char *name)
{
    struct spec_link *k = vec_add(&s->network);
    k->link = xstrdup(name);
    k->rate_in = k->rate_out = SPEC_UNSET;
}

void spec_check_links(struct spec_load *l, struct spec *s, const struct spec_node *root)
{
    const struct spec_node *list = spec_node_get(root, "network");
    if (!list || spec_node_null(list))
        default_link(s, "default");
    else if (list->kind == SPEC_SEQ && !list->count)
        default_link(s, "none"); /* an empty list means what it says */
    else if (list->kind == SPEC_SEQ && list->count == s->network.len) {
        unsigned i = 0;
        for (const struct spec_node *n = list->first; n; n = n->next)
            check_link(l, s, i++, n);
        check_ports(l, s, root);
    }
}
