/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DHCP and router advertisements for zones that ask. A network on which one does has a second dnsmasq, which knows no names
 * and holds what the first has given up (NET_ADMIN, NET_RAW). It leases nothing of its own: a folder says for each MAC the
 * one address that zoned leased, read by inotify; and it keeps nothing, so that it may die and come again. What it has read it
 * does not forget, and neither a lease: an address that passes to another MAC is the one change for which it starts anew.
 * Who hears it, and for which MAC a zone may ask, is the bridge table's (netstack/table.c). Must never lease what is not in a
 * plan. */
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/resolver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define KIND "dhcp"        /* RUN/dhcp/NETWORK */
#define LEASE_TIME "1h"    /* after so long a client asks again */
#define ADVERTISE_S 600    /* between two words of the router to all */
#define DEFAULT_FOR_S 1800 /* so long its word on the way out holds */

struct leased { /* a file of the folder, named by the MAC */
    char mac[13], addr[64];
    char *line;
};
struct dhcp { /* of one network */
    struct resolver *server;
    char *dir;
    int hosts_fd;
    char **askers; /* zones */
    VEC(struct leased) leased;
};

/* ---- the process ---- */
static void subnet_words(char ***argv, const struct net_network *n)
{
    char base[64], gateway[64];
    unsigned long mask = n->subnet4.prefix ? 0xffffffffUL << (32 - n->subnet4.prefix) & 0xffffffffUL : 0;
    if (n->subnet4.family) {
        net_addr_print(&n->subnet4, false, base);
        net_addr_print(&n->gateway4, false, gateway);
        resolver_word(argv, xasprintf("--dhcp-range=%s,static,%lu.%lu.%lu.%lu," LEASE_TIME, base, mask >> 24,
                                      mask >> 16 & 255, mask >> 8 & 255, mask & 255));
        resolver_word(argv, xasprintf("--dhcp-option=option:dns-server,%s", gateway));
    }
    if (n->subnet6.family) {
        net_addr_print(&n->subnet6, false, base);
        net_addr_print(&n->gateway6, false, gateway);
        resolver_word(argv, xasprintf("--dhcp-range=%s,ra-stateless,%u,infinite", base, n->subnet6.prefix));
        resolver_word(argv, xasprintf("--dhcp-option=option6:dns-server,[%s]", gateway));
    }
}

/* A sealed network is a way out for those alone who have no other. */
static char *router_word(const struct net_entry *entry)
{
    const struct net_network *n = &entry->net;
    bool sealed = n->type == SPEC_NET_SEALED, way = !sealed || strv_len(entry->spec->reach);
    return xasprintf("--ra-param=%s,%s%d,%d", n->bridge, sealed ? "low," : "", ADVERTISE_S,
                     way ? DEFAULT_FOR_S : 0);
}

static char **command(const struct net_entry *entry)
{
    const struct net_network *n = &entry->net;
    static const char *const words[] = {
        RESOLVER_PROGRAM, "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--log-facility=-",
        "--except-interface=lo", "--bind-dynamic", "--port=0",
        /* who it is says the MAC alone, which the bridge has checked; it remembers nothing */
        "--dhcp-authoritative", "--dhcp-ignore-clid", "--leasefile-ro", "--no-ping",
        /* zones must not fill the disk with its log */
        "--quiet-dhcp", "--quiet-dhcp6", "--quiet-ra", "--enable-ra",
        /* a link that does not bear its zone's way out */
        "--dhcp-option=tag:side,option:router"};
    char **argv = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        strv_add(&argv, words[i]);
    strv_add(&argv, "--domain=" NET_DOMAIN);
    resolver_word(&argv, xasprintf("--interface=%s", n->bridge));
    resolver_word(&argv, router_word(entry));
    if (n->mtu)
        resolver_word(&argv, xasprintf("--dhcp-option-force=option:mtu,%u", n->mtu));
    subnet_words(&argv, n);
    resolver_word(&argv, xasprintf("--dhcp-hostsdir=" RESOLVER_SHOWN "/%s/hosts", n->name));
    return argv;
}

/* ---- the folder ---- */
static void leased_done(struct leased *l)
{
    free(l->line);
}

/* "02:…,[set:side,]ADDRESS,NAME" */
static bool read_line(const char *file, const char *line, struct leased *out)
{
    const char *a = strchr(line, ',');
    if (a && str_starts(a, ",set:side"))
        a = strchr(a + 1, ',');
    size_t n = a ? strcspn(a + 1, ",\n") : 0;
    if (!n || n >= sizeof(out->addr) || strlen(file) != sizeof(out->mac) - 1)
        return false;
    *out = (struct leased){.line = xstrdup(line)};
    memcpy(out->mac, file, sizeof(out->mac));
    memcpy(out->addr, a + 1, n);
    return true;
}

static void read_folder(struct dhcp *h)
{
    auto_dir DIR *dir = fdopendir(openat(h->hosts_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        auto_free char *text = NULL;
        struct leased l;
        if (*ent->d_name == '.')
            continue;
        if (file_read(h->hosts_fd, ent->d_name, 512, &text, NULL, NULL) == 0 &&
            read_line(ent->d_name, text, &l))
            *vec_add(&h->leased) = l;
        else
            (void)unlinkat(h->hosts_fd, ent->d_name, 0);
    }
}

/* Whatever was said of this MAC or address otherwise goes; true: something was. */
static bool forget(struct dhcp *h, const char *mac, const char *addr)
{
    bool any = false;
    for (unsigned i = h->leased.len; i-- > 0;) {
        struct leased *l = &h->leased.at[i];
        if (strcmp(l->mac, mac) != 0 && strcmp(l->addr, addr) != 0)
            continue;
        (void)unlinkat(h->hosts_fd, l->mac, 0);
        leased_done(l);
        vec_remove(&h->leased, i);
        any = true;
    }
    return any;
}

static bool said(const struct dhcp *h, const char *line)
{
    for (unsigned i = 0; i < h->leased.len; i++)
        if (!strcmp(h->leased.at[i].line, line))
            return true;
    return false;
}

static void lease(struct dhcp *h, const struct zone *z, const struct net_link_plan *l)
{
    const unsigned char *m = l->mac;
    struct leased x = {0};
    struct err e = {0};
    net_addr_print(&l->addr4, false, x.addr);
    snprintf(x.mac, sizeof(x.mac), "%02x%02x%02x%02x%02x%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    auto_free char *line = xasprintf("%02x:%02x:%02x:%02x:%02x:%02x,%s%s,%s\n", m[0], m[1], m[2], m[3], m[4],
                                     m[5], l->default_route ? "" : "set:side,", x.addr, z->name);
    if (!l->addr4.family || said(h, line))
        return;
    bool changed = forget(h, x.mac, x.addr);
    if (resolver_put(h->hosts_fd, x.mac, line, &e) < 0) {
        log_warning("lease of zone %s: %s", z->name, e.text);
        return;
    }
    x.line = take_ptr(&line);
    *vec_add(&h->leased) = x;
    if (changed)
        service_restart(&h->server->process);
}

/* ---- networks ---- */
static struct dhcp *open_network(struct zd *d, struct net_entry *entry)
{
    struct dhcp *h = xcalloc(1, sizeof(*h));
    struct err e = {0};
    h->hosts_fd = -1;
    h->dir = xasprintf("%s/" KIND "/%s", d->run_dir, entry->net.name);
    h->server = resolver_make(d, KIND, entry->net.name, &entry, 1);
    h->server->process.argv = command(entry);
    if (resolver_folders(h->dir, &h->hosts_fd, &e) < 0)
        log_warning("leases of network %s: %s", entry->net.name, e.text);
    else
        read_folder(h);
    return entry->dhcp = h;
}

void dhcp_network_changed(struct net_entry *entry)
{
    struct dhcp *h = entry->dhcp;
    if (!h)
        return;
    strv_free(h->server->process.argv);
    h->server->process.argv = command(entry);
    service_restart(&h->server->process);
}

void dhcp_network_down(struct zd *d, struct net_entry *entry, bool end)
{
    struct dhcp *h = take_ptr(&entry->dhcp);
    auto_free char *all = path_join(d->run_dir, KIND);
    if (!h)
        return;
    close_fd(&h->hosts_fd);
    if (end)
        resolver_drop_folders(h->dir);
    resolver_close(h->server, end);
    if (end)
        (void)rmdir(all);
    for (unsigned i = 0; i < h->leased.len; i++)
        leased_done(&h->leased.at[i]);
    vec_done(&h->leased);
    strv_free(h->askers);
    free(h->dir);
    free(h);
}

/* ---- zones ---- */
static void publish_link(struct zone *z, const struct net_link_plan *l)
{
    struct net_entry *entry = l->dhcp ? network_find(z->d, l->network.name) : NULL;
    if (!entry)
        return;
    struct dhcp *h = entry->dhcp ? entry->dhcp : open_network(z->d, entry);
    if (h->hosts_fd < 0)
        return;
    bool first = !h->askers;
    if (!strv_has(h->askers, z->name))
        strv_add(&h->askers, z->name);
    lease(h, z, l);
    if (first && !service_runs(&h->server->process)) /* with the folder filled */
        service_start(&h->server->process);
}

void dhcp_publish(struct zone *z)
{
    for (unsigned i = 0; z->plan && i < z->plan->links.len; i++)
        publish_link(z, &z->plan->links.at[i]);
}

/* The lease's file stays as long as somebody asks: the zone may come again, and another's MAC is no one's else. */
static void leave(struct zone *z, const char *network)
{
    struct net_entry *entry = network_find(z->d, network);
    struct dhcp *h = entry ? entry->dhcp : NULL;
    if (!h || !strv_has(h->askers, z->name))
        return;
    strv_remove(h->askers, z->name);
    if (!h->askers || !*h->askers)
        dhcp_network_down(z->d, entry, true);
}

void dhcp_withdraw(struct zone *z)
{
    for (unsigned i = 0; z->plan && i < z->plan->links.len; i++)
        if (z->plan->links.at[i].dhcp)
            leave(z, z->plan->links.at[i].network.name);
}

static bool asks_on(const struct plan *p, const char *network)
{
    for (unsigned i = 0; i < p->links.len; i++)
        if (p->links.at[i].dhcp && !strcmp(p->links.at[i].network.name, network))
            return true;
    return false;
}

void dhcp_follow(struct zone *z, const struct plan *old)
{
    dhcp_publish(z);
    for (unsigned i = 0; i < old->links.len; i++)
        if (old->links.at[i].dhcp && !asks_on(z->plan, old->links.at[i].network.name))
            leave(z, old->links.at[i].network.name);
}

void dhcp_adopt(struct zd *d)
{
    unsigned count;
    auto_free struct zone **all = registry_sorted(d, &count);
    auto_free char *base = path_join(d->run_dir, KIND);
    auto_dir DIR *dir = opendir(base);
    for (unsigned i = 0; i < count; i++)
        dhcp_publish(all[i]);
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        auto_free char *path = path_join(base, ent->d_name);
        struct net_entry *entry = network_find(d, ent->d_name);
        if (*ent->d_name == '.' || (entry && entry->dhcp))
            continue;
        resolver_drop_folders(path);
        service_end(path);
    }
    (void)rmdir(base);
}

int dhcp_check(const struct zd *d, struct err *e)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct dhcp *h = d->networks.at[i]->dhcp;
        if (!h || service_runs(&h->server->process))
            continue;
        err_set(e, ERR_INTERNAL, EIO, "DHCP of network %s: %s", d->networks.at[i]->net.name,
                h->server->process.problem.text);
        return err_hint(e, "see %s/log; it is started again by itself", h->dir);
    }
    return 0;
}
