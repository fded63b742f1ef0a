/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leases: machine-id and addresses, a zone's own for life. A lease belongs to a network and is kept when the links' order
 * changes; nothing is given back before the change that needs no more of it is certain. Durable (R10). The pools are pure
 * memory and are filled from the leases when zoned starts. */
#include "base/file.h"
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <sys/random.h>

#define LEASE_FILE "lease.json"
#define LINKS_MAX 16u

void lease_machine_id(char out[33])
{
    unsigned char raw[16];
    if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
        memset(raw, 0x5a, sizeof(raw));
    raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40); /* a version 4 UUID, as machine-id(5) asks */
    raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
    hex_encode(raw, sizeof(raw), out);
}

/* ---- one link ---- */
static void release(struct zd *d, struct lease_link *l)
{
    struct net_entry *n = network_find(d, l->network);
    if (n && l->addr4.family)
        net_pool_release(n->pool, &l->addr4);
    if (n && l->addr6.family)
        net_pool_release(n->pool, &l->addr6);
    if (n && n->links && *l->network)
        n->links--;
    memset(l, 0, sizeof(*l));
}

/* Takes an address that the lease names; one that is gone to somebody else is dropped and taken anew. Of a network that is not
 * known, whose file may be mended, it stays in the lease. */
static void claim(struct net_entry *n, struct net_addr *a)
{
    if (a->family && n && net_pool_claim(n->pool, a, NULL) < 0)
        memset(a, 0, sizeof(*a));
}

void lease_claim(struct zd *d, struct lease_link *l)
{
    struct net_entry *n = network_find(d, l->network);
    if (n)
        n->links++;
    claim(n, &l->addr4);
    claim(n, &l->addr6);
}

void lease_network_there(struct zd *d, const char *network)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            for (unsigned k = 0; k < z->lease.nlinks; k++)
                if (!strcmp(z->lease.links[k].network, network))
                    lease_claim(d, &z->lease.links[k]);
}

static const char *holder(const struct zd *d, const struct net_entry *n, const struct net_addr *a)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next)
            for (unsigned k = 0; k < z->lease.nlinks; k++) {
                const struct lease_link *l = &z->lease.links[k];
                if (!strcmp(l->network, n->net.name) &&
                    (net_addr_eq(&l->addr4, a) || net_addr_eq(&l->addr6, a)))
                    return z->name;
            }
    return NULL;
}

static int claim_fixed(struct zd *d, const struct net_entry *n, const struct net_addr *a, struct err *e)
{
    struct err le = {0};
    char text[64];
    int r = net_pool_claim(n->pool, a, &le);
    if (r == 0)
        return 0;
    const char *who = r == -EADDRINUSE ? holder(d, n, a) : NULL;
    net_addr_print(a, false, text);
    if (who)
        err_set(e, le.kind, le.code, "address %s is taken by zone %s", text, who);
    else
        err_set(e, le.kind, le.code, "%s", le.text);
    return le.hint[0] ? err_hint(e, "%s", le.hint) : r;
}

static int fix(struct zd *d, struct net_entry *n, const char *text, struct lease_link *l, struct err *e)
{
    struct net_addr want;
    if (net_addr_parse(text, &want) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "address %s is not an IP address", text);
    struct net_addr *have = want.family == AF_INET ? &l->addr4 : &l->addr6;
    if (have->family && net_addr_eq(have, &want))
        return 0;
    int r = claim_fixed(d, n, &want, e);
    if (r < 0)
        return r;
    if (have->family)
        net_pool_release(n->pool, have);
    *have = want;
    return 0;
}

/* What neither the spec nor the lease has. */
static int take(struct net_entry *n, struct lease_link *l, struct err *e)
{
    struct net_addr *four = l->addr4.family ? NULL : &l->addr4, *six = l->addr6.family ? NULL : &l->addr6;
    return four || six ? net_pool_take(n->pool, four, six, e) : 0;
}

/* The IPv6 address of a link that asks: what its zone makes of the prefix and its MAC. */
static bool derive(struct zd *d, const struct zone *z, const struct spec_link *s, struct net_addr *out)
{
    struct net_entry *n = s->dhcp ? network_find(d, s->link) : NULL;
    unsigned char mac[6];
    if (!n || !n->net.subnet6.family)
        return false;
    net_mac_of(d->instance, z->lease.machine_id, n->net.name, 0, mac);
    *out = net_addr_of_mac(&n->net.subnet6, mac);
    return true;
}

static int fit_derived(struct zd *d, struct net_entry *n, const struct net_addr *want, struct lease_link *l,
                       struct err *e)
{
    if (l->addr6.family)
        return 0;
    int r = claim_fixed(d, n, want, e);
    if (r == 0)
        l->addr6 = *want;
    return r;
}

/* What a link still lacks, out of its network. */
static int fill(struct zd *d, const struct zone *z, const struct spec_link *s, struct net_entry *n,
                struct lease_link *l, struct err *e)
{
    struct net_addr derived;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < strv_len(s->address); i++)
        r = fix(d, n, s->address[i], l, e);
    if (r == 0 && derive(d, z, s, &derived))
        r = fit_derived(d, n, &derived, l, e);
    return r < 0 ? r : take(n, l, e);
}

/* On a LAN the host has addresses, too, its router, and other networks of the same link. */
static int fill_on_lan(struct zd *d, const struct zone *z, const struct spec_link *s, struct net_entry *n,
                       struct lease_link *l, struct err *e)
{
    auto_free struct net_addr *host = NULL;
    VEC(struct net_addr) others = {0};
    VEC(struct net_pool *) beside = {0};
    unsigned count = 0;
    int r = net_host_taken(&host, &count, e);
    for (unsigned i = 0; i < count; i++)
        *vec_add(&others) = host[i];
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct net_entry *o = d->networks.at[i];
        if (o == n || strcmp(o->net.parent, n->net.parent) != 0)
            continue;
        *vec_add(&beside) = o->pool;
        *vec_add(&others) = o->net.gateway4;
        *vec_add(&others) = o->net.gateway6;
    }
    net_pool_avoid(n->pool, others.at, others.len, beside.at, beside.len);
    r = r < 0 ? r : fill(d, z, s, n, l, e);
    net_pool_avoid(n->pool, NULL, 0, NULL, 0);
    vec_done(&others);
    vec_done(&beside);
    return r;
}

static bool lacks(const struct spec_link *s, const struct net_entry *n, const struct lease_link *l)
{
    return (n->net.subnet4.family && !l->addr4.family) || (n->net.subnet6.family && !l->addr6.family) ||
           (s->address && !l->addr4.family && !l->addr6.family);
}

/* l: what the link has already, or zeroes. */
static int fit(struct zd *d, const struct zone *z, const struct spec_link *s, struct lease_link *l,
               struct err *e)
{
    struct net_entry *n = network_find(d, s->link);
    if (!*l->network) {
        if (n->links >= NET_BRIDGE_ZONES) {
            err_set(e, ERR_LIMIT, ENOSPC, "network %s has its %u zones (a bridge holds 1,023 ports)", s->link,
                    NET_BRIDGE_ZONES);
            return err_hint(e, "put the zone on another network");
        }
        n->links++;
        snprintf(l->network, sizeof(l->network), "%s", s->link);
    }
    bool lan = spec_network_joins_lan(n->net.type) && lacks(s, n, l);
    return lan ? fill_on_lan(d, z, s, n, l, e) : fill(d, z, s, n, l, e);
}

/* ---- all links of a zone ---- */
/* The old lease of a network that no link of the new spec has taken yet. */
static struct lease_link *find_old(struct lease_change *t, const char *network)
{
    for (unsigned i = 0; i < t->nbefore; i++)
        if (!t->kept[i] && !strcmp(t->before[i].network, network)) {
            t->kept[i] = true;
            return &t->before[i];
        }
    return NULL;
}

/* What the spec fixes otherwise is not the link's any more; the old lease holds it until commit. */
static void drop_unpinned(struct zd *d, const struct zone *z, struct lease_link *l, const struct spec_link *s)
{
    struct net_addr derived;
    if (derive(d, z, s, &derived) && !net_addr_eq(&l->addr6, &derived))
        memset(&l->addr6, 0, sizeof(l->addr6));
    for (char **a = s->address; a && *a; a++) {
        struct net_addr want;
        if (net_addr_parse(*a, &want) < 0)
            continue;
        struct net_addr *have = want.family == AF_INET ? &l->addr4 : &l->addr6;
        if (!net_addr_eq(have, &want))
            memset(have, 0, sizeof(*have));
    }
}

static bool among(const struct lease_link *v, unsigned n, const char *network, const struct net_addr *a)
{
    for (unsigned i = 0; i < n; i++)
        if (!strcmp(v[i].network, network) && (net_addr_eq(&v[i].addr4, a) || net_addr_eq(&v[i].addr6, a)))
            return true;
    return false;
}

/* Gives back the addresses that one side has and the other has not, and the places of links without a counterpart. */
static void give_back(struct zd *d, const struct lease_link *from, unsigned nfrom,
                      const struct lease_link *to, unsigned nto, const bool *matched)
{
    for (unsigned i = 0; i < nfrom; i++) {
        const struct lease_link *l = &from[i];
        struct net_entry *n = *l->network ? network_find(d, l->network) : NULL;
        if (n && l->addr4.family && !among(to, nto, l->network, &l->addr4))
            net_pool_release(n->pool, &l->addr4);
        if (n && l->addr6.family && !among(to, nto, l->network, &l->addr6))
            net_pool_release(n->pool, &l->addr6);
        if (n && !matched[i])
            n->links--;
    }
}

/* Before the lease is taken apart: its file is one of ours, and all networks are known, for one that comes to be known claims
 * what leases have. */
static int look_first(struct zd *d, struct zone *z, const struct spec *s, struct err *e)
{
    struct err le = {0};
    for (unsigned i = 0; i < s->network.len; i++)
        if (network_is_name(s->network.at[i].link) && !network_get(d, s->network.at[i].link, e))
            return err_prefix(e, "zone %s, network[%u]", z->name, i);
    if (z->ephemeral || lease_load(d, z, &le) == 0 || le.code == ENOENT)
        return 0;
    (void)err_set(e, le.kind, le.code, "%s", le.text);
    return err_hint(e, "%s", le.hint);
}

int lease_begin(struct zd *d, struct zone *z, const struct spec *spec, struct lease_change *t, struct err *e)
{
    struct zone_lease *ls = &z->lease;
    unsigned n = spec->network.len;
    *t = (struct lease_change){0};
    int first = look_first(d, z, spec, e);
    if (first < 0)
        return first;
    if (!ls->machine_id[0])
        lease_machine_id(ls->machine_id);
    *t = (struct lease_change){.before = ls->links, .nbefore = ls->nlinks};
    t->kept = xcalloc(ls->nlinks + 1, sizeof(bool));
    t->known = xcalloc(n + 1, sizeof(bool));
    ls->links = xcalloc(n + 1, sizeof(*ls->links));
    ls->nlinks = n;
    for (unsigned i = 0; i < n; i++) {
        const struct spec_link *s = &spec->network.at[i];
        if (!network_is_name(s->link))
            continue;
        const struct lease_link *old = find_old(t, s->link);
        if (old)
            ls->links[i] = *old;
        t->known[i] = old != NULL;
        drop_unpinned(d, z, &ls->links[i], s);
        int r = fit(d, z, s, &ls->links[i], e);
        if (r < 0) {
            err_prefix(e, "zone %s, network[%u]", z->name, i);
            lease_rollback(d, z, t);
            return r;
        }
    }
    return 0;
}

static void change_done(struct lease_change *t)
{
    free(t->before);
    free(t->kept);
    free(t->known);
    memset(t, 0, sizeof(*t));
}

void lease_commit(struct zd *d, struct zone *z, struct lease_change *t)
{
    give_back(d, t->before, t->nbefore, z->lease.links, z->lease.nlinks, t->kept);
    change_done(t);
}

void lease_rollback(struct zd *d, struct zone *z, struct lease_change *t)
{
    give_back(d, z->lease.links, z->lease.nlinks, t->before, t->nbefore, t->known);
    free(z->lease.links);
    z->lease.links = take_ptr(&t->before);
    z->lease.nlinks = t->nbefore;
    change_done(t);
}

static bool has_network(const struct zone_lease *ls, const char *network)
{
    for (unsigned i = 0; i < ls->nlinks; i++)
        if (!strcmp(ls->links[i].network, network))
            return true;
    return false;
}

/* What the spec fixes otherwise is not wanted back. */
static void drop_fixed(struct lease_link *l, const struct spec *s)
{
    for (unsigned i = 0; s && i < s->network.len; i++)
        for (char **a = s->network.at[i].address; a && *a && !strcmp(s->network.at[i].link, l->network);
             a++) {
            struct net_addr want;
            if (net_addr_parse(*a, &want) == 0)
                memset(want.family == AF_INET ? &l->addr4 : &l->addr6, 0, sizeof(want));
        }
}

void lease_recall(struct zd *d, struct zone *z, const struct zone_lease *was, const struct spec *s)
{
    struct zone_lease has = z->lease;
    z->lease.links = xcalloc(has.nlinks + was->nlinks + 1, sizeof(*z->lease.links));
    for (unsigned i = 0; i < has.nlinks; i++)
        z->lease.links[i] = has.links[i];
    for (unsigned i = 0; i < was->nlinks; i++) {
        struct lease_link *l = &z->lease.links[z->lease.nlinks];
        if (has_network(&has, was->links[i].network))
            continue;
        *l = was->links[i];
        z->lease.nlinks++;
        drop_fixed(l, s);
        if (*l->network)
            lease_claim(d, l);
    }
    free(has.links);
}

int lease_make(struct zd *d, struct zone *z, struct err *e)
{
    struct lease_change t;
    int r = lease_begin(d, z, z->spec, &t, e);
    if (r == 0)
        lease_commit(d, z, &t);
    return r;
}

void lease_release(struct zd *d, struct zone *z)
{
    for (unsigned i = 0; i < z->lease.nlinks; i++)
        release(d, &z->lease.links[i]);
    free(z->lease.links);
    z->lease.links = NULL;
    z->lease.nlinks = 0;
}

/* ---- on disk ---- */
static void print_addr(json *o, const char *key, const struct net_addr *a)
{
    char buf[64];
    if (!a->family)
        return;
    net_addr_print(a, false, buf);
    js_set_str(o, key, buf);
}

int lease_save(struct zd *d, const struct zone *z, struct err *e)
{
    if (z->ephemeral)
        return 0;
    auto_js json *o = js_object();
    js_set_int(o, "format", 1);
    js_set_str(o, "machine_id", z->lease.machine_id);
    json *links = js_array();
    for (unsigned i = 0; i < z->lease.nlinks; i++) {
        json *l = js_object();
        js_set_str(l, "network", z->lease.links[i].network);
        print_addr(l, "addr4", &z->lease.links[i].addr4);
        print_addr(l, "addr6", &z->lease.links[i].addr6);
        js_add(links, l);
    }
    js_set(o, "links", links);
    auto_free char *text = js_dump(o, true);
    auto_fd int dir = stor_zone_fd(d->pool, z->name, e);
    if (dir < 0)
        return dir;
    return file_replace(dir, LEASE_FILE, text, strlen(text), 0600, true, e);
}

/* The file as it is; -ENOENT without one. One that is not understood is somebody else's work: it is told, never written over. */
static int read_file(struct zd *d, const struct zone *z, json **out, struct err *e)
{
    auto_free char *text = NULL;
    size_t n;
    struct err je = {0};
    auto_fd int dir = stor_zone_fd(d->pool, z->name, e);
    int r = dir < 0 ? dir : file_read(dir, LEASE_FILE, 65536, &text, &n, e);
    if (r < 0)
        return r;
    auto_js json *o = js_parse(text, n, &je);
    if (o && js_get_int(o, "format", 0) == 1) {
        *out = js_ref(o);
        return 0;
    }
    err_set(e, ERR_UNSUPPORTED, EINVAL, "the lease of zone %s, %s/zones/%s/" LEASE_FILE ", %s%s", z->name,
            d->lib_dir, z->name,
            o ? "has a format that this zoned does not know" : "cannot be read: ", o ? "" : je.text);
    return err_hint(
        e,
        "start it with the zoned that wrote the file, or put the file back; without it the zone gets a new "
        "machine-id and new addresses");
}

static void take_links(struct zd *d, struct zone *z, const json *links)
{
    z->lease.nlinks = js_len(links) < LINKS_MAX ? (unsigned)js_len(links) : LINKS_MAX;
    z->lease.links = xcalloc(z->lease.nlinks + 1, sizeof(*z->lease.links));
    for (unsigned i = 0; i < z->lease.nlinks; i++) {
        struct lease_link *l = &z->lease.links[i];
        json *j = js_at(links, i);
        snprintf(l->network, sizeof(l->network), "%s", js_get_str(j, "network", ""));
        (void)net_addr_parse(js_get_str(j, "addr4", ""), &l->addr4);
        (void)net_addr_parse(js_get_str(j, "addr6", ""), &l->addr6);
        if (*l->network)
            lease_claim(d, l);
    }
}

int lease_load(struct zd *d, struct zone *z, struct err *e)
{
    auto_js json *o = NULL;
    int r = read_file(d, z, &o, e);
    if (r < 0 || z->lease.machine_id[0])
        return r;
    snprintf(z->lease.machine_id, sizeof(z->lease.machine_id), "%s", js_get_str(o, "machine_id", ""));
    take_links(d, z, js_get(o, "links"));
    return 0;
}
