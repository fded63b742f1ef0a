/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses of a network are taken: a bit per host number, for each family. Next-fit: the search goes
 * on where the last address was given, so a released address rests until the pool has gone round. Pure. */
#include "netstack/priv.h"
#include <errno.h>

#define HOSTS_MAX 65536u /* host numbers below this are handed out; a claimed IPv6 address may lie above */

struct family {
    struct net_addr subnet, gateway;
    unsigned hosts; /* host numbers 0 … hosts-1 exist; 0 = family absent */
    unsigned used;
    bool gives;        /* false: only claimed, never taken (a LAN of others without a range) */
    unsigned low, end; /* host numbers low … end-1 are taken from */
    unsigned char taken[HOSTS_MAX / 8];
    VEC(struct net_addr) far; /* claimed beyond HOSTS_MAX */
};
struct net_pool {
    struct family four, six;
    bool apart;                    /* a range for one of them: each goes its own way */
    VEC(struct net_addr) avoid;    /* of others on the same LAN */
    VEC(struct net_pool *) beside; /* of other networks on it */
    unsigned next,                 /* the search for an address begins here */
        rests; /* the host number released last; given again only when nothing else is free */
};

static uint64_t host_number(const struct net_addr *a, const struct net_addr *subnet)
{
    uint64_t n = 0;
    unsigned len = (unsigned)net_addr_len(a);
    for (unsigned i = len > 8 ? len - 8 : 0; i < len; i++) {
        unsigned bits =
            subnet->prefix > 8 * i ? (subnet->prefix - 8 * i > 8 ? 8 : subnet->prefix - 8 * i) : 0;
        n = n << 8 | (a->bytes[i] & (0xffu >> bits));
    }
    for (unsigned i = subnet->prefix / 8; i + 8 < len;
         i++) /* a subnet wider than /64: bits above the low 64 */
        if (a->bytes[i] & (i == subnet->prefix / 8 ? 0xffu >> subnet->prefix % 8 : 0xffu))
            return UINT64_MAX;
    return n;
}

static struct net_addr number_host(const struct family *f, unsigned n)
{
    struct net_addr a = f->subnet;
    unsigned len = (unsigned)net_addr_len(&a);
    for (unsigned i = len; n && i-- > 0; n >>= 8)
        a.bytes[i] |= (unsigned char)n;
    return a;
}

static bool test(const struct family *f, unsigned n)
{
    return f->taken[n / 8] & 1u << n % 8;
}

static void mark(struct family *f, unsigned n)
{
    f->used += !test(f, n);
    f->taken[n / 8] |= (unsigned char)(1u << n % 8);
}

static bool is_broadcast(const struct family *f, uint64_t n)
{
    unsigned bits = 8 * (unsigned)net_addr_len(&f->subnet) - f->subnet.prefix;
    return f->subnet.family == AF_INET && bits > 1 && n == (1ull << bits) - 1;
}

/* The part that `auto` is taken from; what lies beyond HOSTS_MAX is only claimed. */
static void family_range(struct family *f, const struct net_addr *first, const struct net_addr *last,
                         bool lan)
{
    f->gives = f->hosts && (!lan || first->family);
    f->low = 0;
    f->end = f->hosts;
    if (!f->hosts || !first->family)
        return;
    uint64_t low = host_number(first, &f->subnet), end = host_number(last, &f->subnet);
    f->low = low < f->hosts ? (unsigned)low : f->hosts;
    f->end = end < f->hosts ? (unsigned)end + 1 : f->hosts;
}

static void family_init(struct family *f, const struct net_addr *subnet, const struct net_addr *gateway)
{
    if (!subnet->family)
        return;
    unsigned bits = 8 * (unsigned)net_addr_len(subnet) - subnet->prefix;
    f->subnet = *subnet;
    f->gateway = *gateway;
    f->hosts = bits >= 16 ? HOSTS_MAX : 1u << bits;
    mark(f, 0); /* the network's own address; in IPv6 the routers' anycast */
    if (is_broadcast(f, f->hosts - 1))
        mark(f, f->hosts - 1); /* broadcast */
    uint64_t g = gateway->family ? host_number(gateway, subnet) : 0;
    if (g < f->hosts)
        mark(f, (unsigned)g);
    f->used = 0;
}

struct net_pool *net_pool_new(const struct net_network *n)
{
    struct net_pool *p = xcalloc(1, sizeof(*p));
    family_init(&p->four, &n->subnet4, &n->gateway4);
    family_init(&p->six, &n->subnet6, &n->gateway6);
    bool lan = spec_network_joins_lan(n->type);
    family_range(&p->four, &n->first4, &n->last4, lan);
    family_range(&p->six, &n->first6, &n->last6, lan);
    p->apart = lan || n->first4.family || n->first6.family;
    p->next = 2;
    return p;
}

void net_pool_free(struct net_pool *p)
{
    if (!p)
        return;
    vec_done(&p->four.far);
    vec_done(&p->six.far);
    vec_done(&p->avoid);
    vec_done(&p->beside);
    free(p);
}

unsigned net_pool_used(const struct net_pool *p)
{
    return p->four.used > p->six.used ? p->four.used : p->six.used;
}

static int full(const struct net_pool *p, struct err *e)
{
    if (net_pool_used(p) < NET_BRIDGE_ZONES)
        return 0;
    err_set(e, ERR_LIMIT, ENOSPC, "the network has its %u zones (a bridge holds 1,023 ports)",
            NET_BRIDGE_ZONES);
    return err_hint(e, "put the zone on another network");
}

static struct family *family_of(struct net_pool *p, const struct net_addr *a)
{
    struct family *f = a->family == AF_INET6 ? &p->six : &p->four;
    return f->hosts && net_addr_in(a, &f->subnet) ? f : NULL;
}

static int find_far(const struct family *f, const struct net_addr *a)
{
    for (unsigned i = 0; i < f->far.len; i++)
        if (net_addr_eq(&f->far.at[i], a))
            return (int)i;
    return -1;
}

/* ---- what others have on the same LAN ---- */
void net_pool_avoid(struct net_pool *p, const struct net_addr *others, unsigned n,
                    struct net_pool *const *beside, unsigned nbeside)
{
    p->avoid.len = p->beside.len = 0;
    for (unsigned i = 0; i < n; i++)
        *vec_add(&p->avoid) = others[i];
    for (unsigned i = 0; i < nbeside; i++)
        *vec_add(&p->beside) = beside[i];
}

static bool given(struct net_pool *p, const struct net_addr *a)
{
    struct family *f = family_of(p, a);
    uint64_t n = f ? host_number(a, &f->subnet) : 0;
    return n && !is_broadcast(f, n) && (n < f->hosts ? test(f, (unsigned)n) : find_far(f, a) >= 0);
}

bool net_pool_gave(struct net_pool *p, const struct net_addr *a)
{
    const struct family *f = family_of(p, a);
    return f && !net_addr_eq(a, &f->gateway) && given(p, a);
}

/* Who has it, or NULL. */
static const char *foreign(const struct net_pool *p, const struct net_addr *a)
{
    for (unsigned i = 0; i < p->avoid.len; i++)
        if (net_addr_eq(&p->avoid.at[i], a))
            return "this host's own, or a gateway's";
    for (unsigned i = 0; i < p->beside.len; i++)
        if (given(p->beside.at[i], a))
            return "taken on another network of the same link";
    return NULL;
}

static bool free_for(const struct net_pool *p, const struct family *f, unsigned n)
{
    if (test(f, n))
        return false;
    struct net_addr a = number_host(f, n);
    return !foreign(p, &a);
}

/* From where the last address was given, round low … end-1; end when none is free. b NULL: a alone counts. */
static unsigned next_free(const struct net_pool *p, const struct family *a, const struct family *b,
                          unsigned but)
{
    unsigned end = b && b->end < a->end ? b->end : a->end, low = b && b->low > a->low ? b->low : a->low;
    for (unsigned i = 0; low < end && i < end - low; i++) {
        unsigned n = low + (p->next >= low ? p->next - low + i : i) % (end - low);
        if (n != but && free_for(p, a, n) && !(b && !free_for(p, b, n)))
            return n;
    }
    return end;
}

/* One host number for both where both give. false: none is free. */
static bool take_number(struct net_pool *p, struct family *a, struct family *b, struct net_addr *out,
                        struct net_addr *out_b)
{
    unsigned end = b && b->end < a->end ? b->end : a->end, n = next_free(p, a, b, p->rests);
    if (n == end)
        n = next_free(p, a, b, 0);
    if (n == end)
        return false;
    mark(a, n);
    *out = number_host(a, n);
    if (b) {
        mark(b, n);
        *out_b = number_host(b, n);
    }
    p->next = n + 1;
    return true;
}

int net_pool_take(struct net_pool *p, struct net_addr *v4, struct net_addr *v6, struct err *e)
{
    struct net_addr four = {0}, six = {0};
    int r = full(p, e);
    if (r < 0)
        return r;
    bool want4 = v4 && p->four.gives, want6 = v6 && p->six.gives, both = want4 && want6 && !p->apart, good;
    if (both)
        good = take_number(p, &p->four, &p->six, &four, &six);
    else
        good = (!want4 || take_number(p, &p->four, NULL, &four, NULL)) &&
               (!want6 || take_number(p, &p->six, NULL, &six, NULL));
    if (good) {
        if (v4)
            *v4 = four;
        if (v6)
            *v6 = six;
        return 0;
    }
    if (four.family)
        net_pool_release(p, &four);
    err_set(e, ERR_LIMIT, ENOSPC, "no address is free in the network");
    return err_hint(e, "delete zones, or make a network with a larger subnet or range");
}

int net_pool_fits(struct net_pool *p, const struct net_addr *a, struct err *e)
{
    char text[64], net[64];
    const struct family *f = family_of(p, a);
    net_addr_print(a, false, text);
    if (!f) {
        net_addr_print(a->family == AF_INET6 ? &p->six.subnet : &p->four.subnet, true, net);
        return err_set(e, ERR_INVALID, EINVAL, "address %s is not in the network's subnet %s", text,
                       *net ? net : "(none)");
    }
    uint64_t n = host_number(a, &f->subnet);
    bool broadcast = is_broadcast(f, n);
    if (net_addr_eq(a, &f->gateway) || n == 0 || broadcast)
        return err_set(e, ERR_INVALID, EINVAL, "address %s is the network's own (%s)", text,
                       broadcast ? "broadcast"
                       : n       ? "gateway"
                                 : "network address");
    return 0;
}

int net_pool_claim(struct net_pool *p, const struct net_addr *a, struct err *e)
{
    char text[64];
    struct family *f = family_of(p, a);
    int r = net_pool_fits(p, a, e);
    if (r < 0)
        return r;
    uint64_t n = host_number(a, &f->subnet);
    net_addr_print(a, false, text);
    if (n < f->hosts ? test(f, (unsigned)n) : find_far(f, a) >= 0)
        return err_set(e, ERR_CONFLICT, EADDRINUSE, "address %s is taken", text);
    const char *who = foreign(p, a);
    if (who)
        return err_set(e, ERR_CONFLICT, EADDRINUSE, "address %s is %s", text, who);
    if (f->used >= NET_BRIDGE_ZONES && (r = full(p, e)) < 0)
        return r;
    if (n < f->hosts) {
        mark(f, (unsigned)n);
    } else {
        *vec_add(&f->far) = *a;
        f->used++;
    }
    return 0;
}

void net_pool_release(struct net_pool *p, const struct net_addr *a)
{
    struct family *f = family_of(p, a);
    uint64_t n = f ? host_number(a, &f->subnet) : 0;
    if (!f || !n || net_addr_eq(a, &f->gateway))
        return;
    if (n < f->hosts) {
        if (!is_broadcast(f, n) && test(f, (unsigned)n)) {
            f->taken[n / 8] &= (unsigned char)~(1u << n % 8);
            f->used--;
            p->rests = (unsigned)n;
        }
        return;
    }
    int i = find_far(f, a);
    if (i >= 0) {
        vec_remove(&f->far, (unsigned)i);
        f->used--;
    }
}
