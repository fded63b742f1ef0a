/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network is: its table of keys, and what the rows alone cannot see. A network's file is read by the same reader as
 * a zone's. Must never ask the host: whether a subnet is free is netstack's to say. Source: contract.md, "network create". */
#include "base/mem.h"
#include "specs/edit.h"
#include "specs/package.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const struct spec_word type_words[] = {{"nat", SPEC_NET_NAT},         {"sealed", SPEC_NET_SEALED},
                                              {"routed", SPEC_NET_ROUTED},   {"bridge", SPEC_NET_BRIDGE},
                                              {"macvlan", SPEC_NET_MACVLAN}, {NULL, 0}};

static const struct spec_word policy_words[] = {{"allow", 0}, {"deny", 1}, {NULL, 0}};

struct cidr {
    int family; /* 4, 6 */
    unsigned prefix;
    unsigned char a[16];
};

/* Without a prefix it is the whole address. */
static bool parse_cidr(const char *text, struct cidr *out)
{
    char buf[64];
    uint64_t prefix;
    size_t n = strlen(text);
    if (n >= sizeof(buf))
        return false;
    memcpy(buf, text, n + 1);
    char *slash = strchr(buf, '/');
    if (slash)
        *slash++ = '\0';
    memset(out, 0, sizeof(*out));
    out->family = inet_pton(AF_INET, buf, out->a) == 1 ? 4 : inet_pton(AF_INET6, buf, out->a) == 1 ? 6 : 0;
    unsigned most = out->family == 6 ? 128 : 32;
    prefix = most;
    if (!out->family || (slash && parse_u64(slash, most, &prefix) < 0))
        return false;
    out->prefix = (unsigned)prefix;
    return true;
}

static bool inside(const struct cidr *a, const struct cidr *net)
{
    unsigned whole = net->prefix / 8, rest = net->prefix % 8;
    return a->family == net->family && !memcmp(a->a, net->a, whole) &&
           (!rest || !((a->a[whole] ^ net->a[whole]) >> (8 - rest)));
}

static bool host_bits(const struct cidr *c)
{
    for (unsigned i = c->prefix; i < (c->family == 6 ? 128u : 32u); i++)
        if (c->a[i / 8] & 0x80u >> i % 8)
            return true;
    return false;
}

/* Addresses that no network of ours may consist of: this host, loopback, link-local, multicast, reserved. */
static bool special(const struct cidr *c)
{
    static const char *const never[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3",
                                        "::/8",      "fe80::/10",   "ff00::/8"};
    for (unsigned i = 0; i < ARRAY_LEN(never); i++) {
        struct cidr n;
        if (parse_cidr(never[i], &n) && (inside(c, &n) || inside(&n, c)))
            return true;
    }
    return false;
}

static const char *check_subnet(const char *t)
{
    struct cidr c;
    if (!strchr(t, '/') || !parse_cidr(t, &c))
        return "is not a subnet (like 10.20.0.0/16 or fd12:3456:789a::/64)";
    if (c.family == 4 && (c.prefix < 8 || c.prefix > 30))
        return "has a prefix that no network can have (/8 to /30; a /30 holds one zone)";
    if (c.family == 6 && (c.prefix < 32 || c.prefix > 124))
        return "has a prefix that no network can have (/32 to /124; usual is /64)";
    if (host_bits(&c))
        return "names an address inside a subnet (the bits behind the prefix must be 0)";
    return special(&c) ? "is a range that nobody can use (loopback, link-local, multicast, reserved)" : NULL;
}

static const char *check_address(const char *t)
{
    struct cidr c;
    return !strchr(t, '/') && parse_cidr(t, &c) && !special(&c)
               ? NULL
               : "is not an address (like 10.20.0.1 or fd12::1)";
}

static bool split_range(const char *t, struct cidr *first, struct cidr *last)
{
    const char *dash = strchr(t, '-');
    char low[64];
    size_t n = dash ? (size_t)(dash - t) : sizeof(low);
    if (n >= sizeof(low) || strchr(t, '/'))
        return false;
    memcpy(low, t, n);
    low[n] = '\0';
    return parse_cidr(low, first) && parse_cidr(dash + 1, last) && first->family == last->family &&
           memcmp(first->a, last->a, 16) <= 0;
}

static const char *check_range(const char *t)
{
    struct cidr a, b;
    return split_range(t, &a, &b) ? NULL
                                  : "is not a range of addresses (FIRST-LAST, like 10.20.0.100-10.20.0.200)";
}

static const char *check_parent(const char *t)
{
    size_t n = strlen(t);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)t[i] <= ' ' || strchr("/:\"", t[i]) || (unsigned char)t[i] >= 0x7f)
            n = 0;
    return n && n < 16 && strcmp(t, ".") != 0 && strcmp(t, "..") != 0 && strcmp(t, "lo") != 0
               ? NULL
               : "is not the name of a link of the host (like eth0)";
}

/* clang-format off */
#define N(m) offsetof(struct spec_network, m)
static const struct spec_row rows[] = {
    {.key = "version", .type = SPEC_T_VERSION, .min = 1, .max = 1, .def = "1",
     .doc = "The version of this format."},
    {.key = "network", .type = SPEC_T_STR, .offset = N(network), .check = spec_check_zone,
     .doc = "The network's name. Required."},
    {.key = "type", .type = SPEC_T_WORD, .offset = N(type), .words = type_words, .def = "nat",
     .doc = "nat: a bridge of its own, zones go out under the host's address; sealed: a bridge without a way out; routed: zones go out under their own addresses; bridge: zones are on the LAN of the host's link `parent`; macvlan: the same without a bridge, not reachable from the host itself, and without a filter: what a zone pretends to be there, no host's end of a link can drop."},
    {.key = "subnets", .type = SPEC_T_STRV, .offset = N(subnets), .check = check_subnet,
     .doc = "At most one IPv4 and one IPv6 subnet; a family that is not given is chosen so that no route of the host is hidden (nat, sealed, routed), or left to the LAN (bridge, macvlan)."},
    {.key = "gateways", .type = SPEC_T_STRV, .offset = N(gateways), .check = check_address,
     .doc = "The gateway's address in each subnet; not given: the first one (nat, sealed, routed), or none (bridge, macvlan)."},
    {.key = "ranges", .type = SPEC_T_STRV, .offset = N(ranges), .check = check_range,
     .doc = "FIRST-LAST in a subnet: only these are given out by `address: auto`; a bridge or macvlan network gives out none without."},
    {.key = "parent", .type = SPEC_T_STR, .offset = N(parent), .check = check_parent,
     .doc = "The host's link that a bridge or macvlan network joins."},
    {.key = "reach", .type = SPEC_T_STRV, .offset = N(reach), .check = spec_check_zone,
     .doc = "Networks whose zones this network's zones may connect to; others are closed to them."},
    {.key = "policy", .type = SPEC_T_WORD, .offset = N(deny), .words = policy_words, .def = "allow",
     .doc = "Whether a zone of this network may connect to another one where no rule says so: allow or deny. Published ports stay published."},
    {.key = "rules", .type = SPEC_T_STRV, .offset = N(rules), .check = spec_rule_check, .max = SPEC_RULES_MAX,
     .doc = "What may connect to this network's zones: [from WHO] [to WHO] allow|deny [tcp|udp|sctp|icmp|any] [PORT[-PORT]], WHO one of any, label KEY=VALUE, zone NAME, network NET, an address or subnet. The first rule that fits decides; allow also opens the way between networks."},
    {.key = "mtu", .type = SPEC_T_INT, .offset = N(mtu), .min = 1280, .max = 65535,
     .doc = "The links' MTU; not given: the kernel's default, or the parent's."},
    {.key = "big_tcp", .type = SPEC_T_BOOL, .offset = N(big_tcp), .def = "false",
     .doc = "Zones hand the kernel IPv4's TCP in pieces of up to 180 KiB (Linux 6.3 and later). Between zones of the network bulk data is faster; what leaves it is cut up by the CPU. Not on bridge and macvlan networks."},
};
/* clang-format on */
static const struct spec_table table = {rows, ARRAY_LEN(rows), sizeof(struct spec_network), "zonectl(1)",
                                        NULL};

const char *spec_network_type_name(enum spec_network_type t)
{
    for (const struct spec_word *w = type_words; w->name; w++)
        if (w->value == (int)t)
            return w->name;
    return "?";
}

bool spec_network_joins_lan(enum spec_network_type t)
{
    return t == SPEC_NET_BRIDGE || t == SPEC_NET_MACVLAN;
}

static void bad(struct spec_load *l, const struct spec_node *root, const char *key, const char *what)
{
    struct spec_where w = {NULL, key, -1};
    spec_bad(l, spec_line_of(root, key), &w, "%s", what);
}

static const char *subnet_of(const struct spec_network *n, int family, struct cidr *out)
{
    for (char **s = n->subnets; s && *s; s++)
        if (parse_cidr(*s, out) && out->family == family)
            return *s;
    return NULL;
}

static void check_families(struct spec_load *l, const struct spec_node *root, const char *key, char *const *v)
{
    unsigned seen[2] = {0, 0};
    for (; v && *v; v++)
        if (seen[strchr(*v, ':') != NULL]++)
            bad(l, root, key,
                strchr(*v, ':') ? "has two of IPv6 (at most one)" : "has two of IPv4 (at most one)");
}

/* A gateway in its subnet, and neither its first nor its last address. */
static void check_gateway(struct spec_load *l, const struct spec_network *n, const struct spec_node *root,
                          const char *text)
{
    struct cidr g, net;
    if (!parse_cidr(text, &g))
        return;
    if (!subnet_of(n, g.family, &net) || !inside(&g, &net)) {
        bad(l, root, "gateways",
            "names an address outside the subnets (give the subnet, and an address in it)");
        return;
    }
    struct cidr end = net;
    for (unsigned i = net.prefix; i < 32; i++)
        end.a[i / 8] |= (unsigned char)(0x80u >> i % 8);
    if (!memcmp(g.a, net.a, 16) || (g.family == 4 && !memcmp(g.a, end.a, 4)))
        bad(l, root, "gateways", "names the subnet's own or its broadcast address");
}

static void check_lan(struct spec_load *l, const struct spec_network *n, const struct spec_node *root)
{
    bool lan = spec_network_joins_lan(n->type);
    if (lan && !n->parent)
        bad(l, root, "parent", "is missing (the host's link that the network joins)");
    if (!lan && n->parent)
        bad(l, root, "parent", "is given with a network that joins no link (only bridge and macvlan do)");
    if (lan && (n->rules || n->deny))
        bad(l, root, n->rules ? "rules" : "policy",
            "is given with a network that the host does not route (the LAN decides there)");
    if (lan && n->big_tcp)
        bad(l, root, "big_tcp",
            "is given with a network whose other side is the LAN (no card takes such pieces)");
    if (lan && n->reach)
        bad(l, root, "reach", "is given with a network that the host does not route (the LAN decides there)");
}

static void check_all(struct spec_load *l, struct spec_network *n, const struct spec_node *root)
{
    const struct spec_node *name = spec_node_get(root, "network");
    if (!n->network && (!name || spec_node_null(name)))
        bad(l, root, "network", "is missing (every network has a name)");
    else if (n->network && (!strcmp(n->network, "none") || !strcmp(n->network, "host")))
        bad(l, root, "network", "is a word of its own in a zone's link (take another name)");
    check_families(l, root, "subnets", n->subnets);
    check_families(l, root, "gateways", n->gateways);
    check_families(l, root, "ranges", n->ranges);
    for (char **g = n->gateways; g && *g; g++)
        check_gateway(l, n, root, *g);
    for (char **t = n->ranges; t && *t; t++) {
        struct cidr a, b, net;
        if (split_range(*t, &a, &b) &&
            (!subnet_of(n, a.family, &net) || !inside(&a, &net) || !inside(&b, &net)))
            bad(l, root, "ranges", "lies outside the subnets (give the subnet, and a range in it)");
    }
    if (n->network && strv_has(n->reach, n->network))
        bad(l, root, "reach", "names the network itself");
    check_lan(l, n, root);
}

static int read_root(struct spec_load *l, const struct spec_node *root, struct spec_network **out)
{
    unsigned before = l->bad;
    if (!root || spec_node_null(root) || root->kind != SPEC_MAP) {
        spec_bad(l, root ? root->line : 0, NULL,
                 "is not a mapping (wanted: keys with values, at least network)");
        return -EINVAL;
    }
    struct spec_network *n = xcalloc(1, sizeof(*n));
    spec_read_map(l, &table, n, root, NULL);
    check_all(l, n, root);
    if (l->bad > before) {
        spec_network_free(n);
        return -EINVAL;
    }
    *out = n;
    return 0;
}

int spec_network_parse(const char *text, size_t n, const char *file, struct spec_network **out,
                       struct problems *ps)
{
    struct spec_load l = {.file = file, .ps = ps};
    struct spec_doc d = {0};
    int r = spec_doc_read(&d, text, n, &l);
    if (!r)
        r = read_root(&l, d.root, out);
    spec_doc_done(&d);
    return r;
}

int spec_network_from_json(const json *j, struct spec_network **out, struct problems *ps)
{
    struct spec_load l = {.ps = ps};
    struct spec_doc d = {0};
    int r = spec_doc_from_json(&d, j, &l);
    if (!r)
        r = read_root(&l, d.root, out);
    spec_doc_done(&d);
    return r;
}

json *spec_network_to_json(const struct spec_network *n)
{
    json *o = js_object();
    spec_write_map(&table, n, o);
    return o;
}

char *spec_network_text(const struct spec_network *n)
{
    auto_js json *o = spec_network_to_json(n);
    auto_free char *text = spec_to_text(o);
    return str_starts(text, "version:") ? take_ptr(&text) : xasprintf("version: 1\n%s", text);
}

/* One key of the text with its new value; a list that is empty, or null, is unset. */
static char *edit_of(const char *key, const json *value)
{
    bool none = js_type_of(value) == JS_NULL || (js_type_of(value) == JS_ARRAY && !js_len(value));
    auto_free char *text = none                             ? xstrdup("")
                           : js_type_of(value) == JS_STRING ? xstrdup(js_str_of(value, ""))
                                                            : js_dump(value, false);
    return xasprintf("%s=%s", key, text);
}

int spec_network_edit(const char *text, const char *file, const json *patch, char **out, bool *lost_comments,
                      struct spec_network **network, struct problems *ps)
{
    struct spec_load l = {.file = file, .ps = ps};
    auto_free char *now = NULL;
    char **edits = NULL;
    for (void *it = js_iter((json *)patch); it; it = js_next((json *)patch, it))
        strv_take(&edits, edit_of(js_iter_key(it), js_iter_value(it)));
    int r = spec_edit_text(&table, text, edits, &now, lost_comments, &l);
    r = r < 0 ? r : spec_network_parse(now, strlen(now), NULL, network, ps);
    spec_blame_edits(edits, ps);
    strv_free(edits);
    spec_locate(text, file, ps);
    if (r == 0)
        *out = take_ptr(&now);
    return r;
}

void spec_network_free(struct spec_network *n)
{
    if (!n)
        return;
    spec_table_done(&table, n);
    free(n);
}
