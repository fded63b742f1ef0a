/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of zones. Each network has a folder with a file for each running zone, and a dnsmasq that answers from it on the
 * network's own link. A zone on several networks must find the zones of each, and those of one must not learn of the other:
 * for each such set of networks there is a dnsmasq more, on a port of its own, and what these zones ask of any of their
 * gateways is sent there (nft). The folders lie in RUN and are made anew from the running zones at our start. */
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/resolver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETS_MAX 16u      /* networks of a zone */
#define PORT_FIRST 20000u /* of resolvers for several networks: */
#define PORT_COUNT 10000u /* below what the kernel gives to clients */
#define PORT_TRIES 50u
#define ANSWER_MS 1000

struct names { /* of one network */
    struct resolver *resolver;
    char *dir; /* RUN/names/NETWORK; below it shown/hosts/ */
    int hosts_fd;
    bool fresh; /* shown/ was not there: a process that lives sees another */
};

struct set { /* the networks of a zone that have names, sorted */
    struct net_entry *at[SETS_MAX];
    unsigned n;
};

bool names_there(const struct zd *d)
{
    return access(RESOLVER_PROGRAM, X_OK) == 0;
}

/* Adopted, it may see a folder that somebody has removed: then it is started anew. */
static struct resolver *started(struct zd *d, const char *dir, struct net_entry *const *nets, unsigned n,
                                unsigned port)
{
    bool fresh = false;
    struct resolver *r = resolver_start(d, dir, nets, n, port);
    for (unsigned i = 0; i < n; i++)
        fresh |= nets[i]->names->fresh;
    if (fresh && !d->net_watch && service_adopted(&r->process))
        service_restart(&r->process);
    return r;
}

/* ---- one network ---- */
void names_network_up(struct zd *d, struct net_entry *entry)
{
    struct err e = {0};
    if (entry->names || !names_there(d) || spec_network_joins_lan(entry->net.type))
        return;
    struct names *n = xcalloc(1, sizeof(*n));
    n->hosts_fd = -1;
    n->dir = xasprintf("%s/names/%s", d->run_dir, entry->net.name);
    entry->names = n;
    auto_free char *hosts = path_join(n->dir, "shown/hosts");
    n->fresh = access(hosts, F_OK) < 0;
    if (resolver_folders(n->dir, &n->hosts_fd, &e) < 0)
        log_warning("names of network %s: %s", entry->net.name, e.text);
    else
        n->resolver = started(d, entry->net.name, &entry, 1, RESOLVER_PORT);
}

static void close_sets_with(struct zd *d, const char *network, bool end)
{
    for (unsigned i = d->resolvers.len; i-- > 0;) {
        struct resolver *r = d->resolvers.at[i];
        if (!strv_has(r->networks, network))
            continue;
        (void)net_resolver_close(d->net, r->port, NULL);
        resolver_close(r, end);
        vec_remove(&d->resolvers, i);
    }
}

void names_network_down(struct zd *d, struct net_entry *entry, bool end)
{
    struct names *n = take_ptr(&entry->names);
    if (!n)
        return;
    close_sets_with(d, entry->net.name, end);
    close_fd(&n->hosts_fd);
    if (end)
        resolver_drop_folders(n->dir);
    resolver_close(n->resolver, end);
    if (end)
        (void)rmdir(n->dir);
    free(n->dir);
    free(n);
}

/* ---- several networks ---- */
static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct net_entry *const *)a)->net.name, (*(struct net_entry *const *)b)->net.name);
}

static struct net_entry *with_names(struct zd *d, const char *network)
{
    struct net_entry *entry = network_find(d, network);
    return entry && entry->names && entry->names->hosts_fd >= 0 ? entry : NULL;
}

static struct set set_of(struct zd *d, const struct plan *p)
{
    struct set s = {0};
    for (unsigned i = 0; i < p->links.len && s.n < SETS_MAX; i++) {
        struct net_entry *entry = with_names(d, p->links.at[i].network.name);
        bool twice = false;
        for (unsigned k = 0; k < s.n; k++)
            twice |= s.at[k] == entry;
        if (entry && !twice)
            s.at[s.n++] = entry;
    }
    qsort(s.at, s.n, sizeof(*s.at), by_name);
    return s;
}

static bool port_is_free(struct zd *d, unsigned port)
{
    static const enum spec_proto protos[] = {SPEC_UDP, SPEC_TCP};
    for (unsigned i = 0; i < d->resolvers.len; i++)
        if (d->resolvers.at[i]->port == port)
            return false;
    for (unsigned i = 0; i < ARRAY_LEN(protos); i++) {
        struct spec_port p = {.proto = protos[i], .host_first = (uint16_t)port, .host_last = (uint16_t)port};
        if (net_port_check(&p, NULL) < 0)
            return false;
    }
    return true;
}

/* The folder of the set's resolver, "+PORT+HASH": one that is there (its process may live) or a new one. */
static char *choose_folder(struct zd *d, const struct set *s, unsigned *port)
{
    auto_done(str_done) struct str all = {0};
    for (unsigned i = 0; i < s->n; i++)
        str_addf(&all, "%s+", s->at[i]->net.name);
    uint64_t h = hash64(all.p, all.len);
    auto_free char *names = path_join(d->run_dir, "names");
    auto_dir DIR *dir = opendir(names);
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        uint64_t have;
        if (sscanf(ent->d_name, "+%u+%" SCNx64, port, &have) == 2 && have == h)
            return xstrdup(ent->d_name);
    }
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        *port = PORT_FIRST + (unsigned)((h + i) % PORT_COUNT);
        if (port_is_free(d, *port))
            break;
    }
    return xasprintf("+%u+%016" PRIx64, *port, h);
}

static struct resolver *resolver_of(struct zd *d, const struct set *s)
{
    for (unsigned i = 0; i < d->resolvers.len; i++)
        if (resolver_is_for(d->resolvers.at[i], s->at, s->n))
            return d->resolvers.at[i];
    unsigned port;
    auto_free char *dir = choose_folder(d, s, &port);
    struct resolver *r = started(d, dir, s->at, s->n, port);
    *vec_add(&d->resolvers) = r;
    if (d->net_watch) /* not while zones are adopted one by one: what is not yet known would be taken away */
        neighbour_hooks(d);
    return r;
}

/* What a zone on several networks asks of its gateways goes to the resolver of all. */
static void send_questions(struct zone *z, const struct plan *p, bool on)
{
    struct err e = {0};
    struct set s = set_of(z->d, p);
    const struct resolver *r = s.n > 1 ? resolver_of(z->d, &s) : NULL;
    if (!r)
        return;
    for (unsigned i = 0; i < p->links.len; i++)
        if (with_names(z->d, p->links.at[i].network.name) &&
            net_resolver_set(z->d->net, &p->links.at[i], r->port, on, &e) < 0) {
            log_warning("names for zone %s: %s", z->name, e.text);
            err_clear(&e);
        }
}

/* ---- zones ---- */
/* All links of the zone to one network are one file. */
static void publish_on(struct zone *z, const struct net_entry *entry)
{
    auto_done(str_done) struct str text = {0};
    struct err e = {0};
    for (unsigned i = 0; i < z->plan->links.len; i++) {
        const struct net_link_plan *l = &z->plan->links.at[i];
        auto_free char *one = str_eq(l->network.name, entry->net.name) ? net_names_text(z->name, l) : NULL;
        if (one)
            str_add(&text, one);
    }
    if (resolver_put(entry->names->hosts_fd, z->name, text.p ? text.p : "", &e) < 0)
        log_warning("name of zone %s: %s", z->name, e.text);
}

void names_publish(struct zone *z)
{
    if (!z->plan)
        return;
    struct set s = set_of(z->d, z->plan);
    for (unsigned i = 0; i < s.n; i++)
        publish_on(z, s.at[i]);
    send_questions(z, z->plan, true);
}

void names_withdraw(struct zone *z)
{
    if (!z->plan)
        return;
    struct set s = set_of(z->d, z->plan);
    for (unsigned i = 0; i < s.n; i++)
        (void)unlinkat(s.at[i]->names->hosts_fd, z->name, 0);
    send_questions(z, z->plan, false);
}

/* z->plan is the new one already. Names that stay are rewritten, never gone for a moment. */
void names_follow(struct zone *z, const struct plan *old)
{
    struct set was = set_of(z->d, old), is = set_of(z->d, z->plan);
    for (unsigned i = 0; i < was.n; i++) {
        bool stays = false;
        for (unsigned k = 0; k < is.n; k++)
            stays |= is.at[k] == was.at[i];
        if (!stays)
            (void)unlinkat(was.at[i]->names->hosts_fd, z->name, 0);
    }
    send_questions(z, old, false);
    names_publish(z);
}

/* ---- at our start ---- */
/* Of zones that ended while nobody looked. */
static void drop_stale(struct zd *d, const struct net_entry *entry)
{
    auto_dir DIR *dir = fdopendir(openat(entry->names->hosts_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        struct zone *z = *ent->d_name == '.' ? NULL : registry_find(d, ent->d_name);
        bool is_on = false;
        for (unsigned i = 0; z && z->plan && i < z->plan->links.len; i++)
            is_on |= str_eq(z->plan->links.at[i].network.name, entry->net.name);
        if (*ent->d_name != '.' && !is_on)
            (void)unlinkat(entry->names->hosts_fd, ent->d_name, 0);
    }
}

/* Of sets of networks that no zone is on any more, and of a network whose end was cut off. */
static void end_unused(struct zd *d)
{
    auto_free char *names = path_join(d->run_dir, "names");
    auto_dir DIR *dir = opendir(names);
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        auto_free char *path = path_join(names, ent->d_name);
        const struct net_entry *entry = network_find(d, ent->d_name);
        bool used = *ent->d_name != '+' && (!entry || entry->names);
        for (unsigned i = 0; i < d->resolvers.len && !used; i++)
            used = str_eq(d->resolvers.at[i]->process.dir, path);
        if (used)
            continue;
        resolver_drop_folders(path);
        service_end(path);
    }
}

void names_adopt(struct zd *d)
{
    unsigned count;
    auto_free struct zone **all = registry_sorted(d, &count);
    struct err e = {0};
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i]->up) /* with zones or without: its end must find the process */
            names_network_up(d, d->networks.at[i]);
    if (net_resolvers_forget(d->net, &e) < 0)
        log_warning("%s", e.text);
    for (unsigned i = 0; i < count; i++)
        names_publish(all[i]);
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i]->names && d->networks.at[i]->names->hosts_fd >= 0)
            drop_stale(d, d->networks.at[i]);
    end_unused(d);
}

/* ---- doctor ---- */
static int check(const struct resolver *r, struct err *e)
{
    if (!r || service_runs(&r->process))
        return 0;
    err_set(e, ERR_INTERNAL, EIO, "dnsmasq of network %s: %s", r->networks[0], r->process.problem.text);
    return err_hint(e, "see %s/log; it is started again by itself", r->process.dir);
}

static int check_folder(const struct net_entry *entry, struct err *e)
{
    struct stat st;
    if (entry->names->hosts_fd < 0 || (fstat(entry->names->hosts_fd, &st) == 0 && st.st_nlink > 0))
        return 0;
    err_set(e, ERR_INTERNAL, ENOENT, "%s/shown was removed: zones of network %s do not learn new names",
            entry->names->dir, entry->net.name);
    return err_hint(e, "restart zoned, which makes it anew (zones run on)");
}

/* Any answer will do; asked by the host, at the gateway's address. Waits: for doctor's worker alone. */
static int check_answers(const struct net_entry *entry, struct err *e)
{
    static const char question[] =
        "ZO\1\0\0\1\0\0\0\0\0\0\4zone\10internal\0\0\1\0\1"; /* ours: not forwarded */
    const struct net_addr *gw = entry->net.gateway4.family ? &entry->net.gateway4 : &entry->net.gateway6;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(RESOLVER_PORT)};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(RESOLVER_PORT)};
    bool four = gw->family == AF_INET;
    unsigned char answer[512];
    memcpy(&to.sin_addr, gw->bytes, 4);
    memcpy(&to6.sin6_addr, gw->bytes, 16);
    auto_fd int fd = socket(gw->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (fd < 0 || connect(fd, four ? (void *)&to : (void *)&to6, four ? sizeof(to) : sizeof(to6)) < 0 ||
        (send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) > 0 && poll(&p, 1, ANSWER_MS) == 1 &&
         recv(fd, answer, sizeof(answer), 0) > 0))
        return 0;
    err_set(e, ERR_BUSY, ETIMEDOUT, "dnsmasq of network %s (process %d) does not answer", entry->net.name,
            (int)entry->names->resolver->process.pid);
    return err_hint(e, "kill it: it is started again by itself");
}

static int check_network(const struct net_entry *entry, struct err *e)
{
    int r = entry->names ? check(entry->names->resolver, e) : 0;
    r = r < 0 || !entry->names ? r : check_folder(entry, e);
    return r < 0 || !entry->up || !entry->names || !entry->names->resolver ? r : check_answers(entry, e);
}

int names_check(const struct zd *d, struct err *e)
{
    int r = 0;
    if (!names_there(d)) {
        err_set(e, ERR_UNSUPPORTED, ENOENT, "%s is not there: zones do not find each other by name",
                RESOLVER_PROGRAM);
        return err_hint(e, "install the package dnsmasq-base");
    }
    for (unsigned i = 0; i < d->networks.len && r == 0; i++)
        r = check_network(d->networks.at[i], e);
    for (unsigned i = 0; i < d->resolvers.len && r == 0; i++)
        r = check(d->resolvers.at[i], e);
    return r;
}
