/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spec files (the truth of what is configured) and leases. Durable writes only here (R10); nothing of a
 * running zone. */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

#define LEASE_FILE "lease.json"

char *store_path(struct zd *d, const struct zone *z)
{
    return z->ephemeral ? xasprintf("%s/zones/%s/spec.yaml", d->run_dir, z->name)
                        : xasprintf("%s/zones/%s.yaml", d->etc_dir, z->name);
}

int store_read_text(struct zd *d, const struct zone *z, char **text, struct err *e)
{
    auto_free char *path = store_path(d, z);
    return file_read(AT_FDCWD, path, SPEC_TEXT_MAX, text, NULL, e);
}

int store_write_text(struct zd *d, const struct zone *z, const char *text, struct err *e)
{
    auto_free char *path = store_path(d, z);
    int r = file_replace(AT_FDCWD, path, text, strlen(text), 0600, !z->ephemeral, e);
    return r < 0 ? err_prefix(e, "spec of zone %s", z->name) : 0;
}

int store_reload(struct zd *d, struct zone *z, struct problems *ps, struct err *e)
{
    auto_free char *path = store_path(d, z), *text = NULL;
    size_t n;
    int r = file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &text, &n, e);
    if (r < 0)
        return err_prefix(e, "zone %s", z->name);
    struct spec *s = NULL;
    r = spec_parse(text, n, path, &s, ps);
    if (r < 0)
        return problems_to_err(ps, e, path);
    if (s->zone && strcmp(s->zone, z->name)) {
        r = err_set(e, ERR_INVALID, EINVAL, "%s names zone %s", path, s->zone);
        spec_free(s);
        return r;
    }
    spec_free(z->spec);
    z->spec = s;
    return 0;
}

int store_delete(struct zd *d, const struct zone *z, struct err *e)
{
    auto_free char *path = store_path(d, z);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(e, "delete %s", path);
    return 0;
}

int store_rename(struct zd *d, const char *from, const char *to, struct err *e)
{
    auto_free char *a = xasprintf("%s.yaml", from), *b = xasprintf("%s.yaml", to);
    auto_fd int dir = openat(d->etc_fd, "zones", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || renameat2(dir, a, dir, b, RENAME_NOREPLACE) < 0)
        return err_sys(e, "rename the spec of %s", from);
    (void)file_fsync_dir(dir);
    return 0;
}

/* ---- leases ---- */
void lease_machine_id(char out[33])
{
    unsigned char raw[16];
    if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
        memset(raw, 0x5a, sizeof(raw));
    raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40); /* a version 4 UUID, as machine-id(5) asks */
    raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
    hex_encode(raw, sizeof(raw), out);
}

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

/* Takes an address that the lease names; one that is gone to somebody else is dropped and taken anew. */
static bool claim(struct zd *d, const char *network, struct net_addr *a)
{
    struct net_entry *n = network_find(d, network);
    if (!a->family)
        return true;
    if (n && net_pool_claim(n->pool, a, NULL) == 0)
        return true;
    memset(a, 0, sizeof(*a));
    return false;
}

int lease_load(struct zd *d, struct zone *z, struct err *e)
{
    auto_free char *text = NULL;
    size_t n;
    auto_fd int dir = stor_zone_fd(d->pool, z->name, e);
    if (dir < 0)
        return dir;
    int r = file_read(dir, LEASE_FILE, 65536, &text, &n, e);
    if (r < 0)
        return r;
    auto_js json *o = js_parse(text, n, e);
    if (!o)
        return -EINVAL;
    if (js_get_int(o, "format", 0) != 1)
        return err_set(e, ERR_UNSUPPORTED, EINVAL, "lease of zone %s has an unknown format", z->name);
    snprintf(z->lease.machine_id, sizeof(z->lease.machine_id), "%s", js_get_str(o, "machine_id", ""));
    json *links = js_get(o, "links");
    z->lease.nlinks = (unsigned)js_len(links);
    z->lease.links = xcalloc(z->lease.nlinks + 1, sizeof(*z->lease.links));
    for (unsigned i = 0; i < z->lease.nlinks; i++) {
        struct lease_link *l = &z->lease.links[i];
        json *j = js_at(links, i);
        snprintf(l->network, sizeof(l->network), "%s", js_get_str(j, "network", ""));
        (void)net_addr_parse(js_get_str(j, "addr4", ""), &l->addr4);
        (void)net_addr_parse(js_get_str(j, "addr6", ""), &l->addr6);
        claim(d, l->network, &l->addr4);
        claim(d, l->network, &l->addr6);
    }
    return 0;
}

static void release_link(struct zd *d, struct lease_link *l)
{
    struct net_entry *n = network_find(d, l->network);
    if (n && l->addr4.family)
        net_pool_release(n->pool, &l->addr4);
    if (n && l->addr6.family)
        net_pool_release(n->pool, &l->addr6);
    memset(&l->addr4, 0, sizeof(l->addr4));
    memset(&l->addr6, 0, sizeof(l->addr6));
}

void lease_release(struct zd *d, struct zone *z)
{
    for (unsigned i = 0; i < z->lease.nlinks; i++)
        release_link(d, &z->lease.links[i]);
    free(z->lease.links);
    z->lease.links = NULL;
    z->lease.nlinks = 0;
}

static bool is_network(const char *link)
{
    return link && strcmp(link, "none") && strcmp(link, "host") && !str_starts(link, "zone:");
}

/* The addresses that the spec fixes; the rest stays as leased or is taken from the pool. */
static int fit_link(struct zd *d, const struct spec_link *s, struct lease_link *l, struct err *e)
{
    struct net_entry *n = network_find(d, s->link);
    if (!n) {
        err_set(e, ERR_NOT_FOUND, ENOENT, "network %s does not exist", s->link);
        return err_hint(e, "zonectl network list shows the networks");
    }
    if (strcmp(l->network, s->link)) {
        release_link(d, l);
        snprintf(l->network, sizeof(l->network), "%s", s->link);
    }
    for (unsigned i = 0; i < strv_len(s->address); i++) {
        struct net_addr want;
        if (net_addr_parse(s->address[i], &want) < 0)
            return err_set(e, ERR_INVALID, EINVAL, "address %s is not an IP address", s->address[i]);
        struct net_addr *have = want.family == AF_INET ? &l->addr4 : &l->addr6;
        if (have->family && net_addr_eq(have, &want))
            continue;
        int r = net_pool_claim(n->pool, &want, e);
        if (r < 0)
            return r;
        if (have->family)
            net_pool_release(n->pool, have);
        *have = want;
    }
    if (l->addr4.family && l->addr6.family)
        return 0;
    struct net_addr a4, a6;
    int r = net_pool_take(n->pool, &a4, &a6, e);
    if (r < 0)
        return r;
    if (l->addr4.family)
        net_pool_release(n->pool, &a4);
    else
        l->addr4 = a4;
    if (l->addr6.family)
        net_pool_release(n->pool, &a6);
    else
        l->addr6 = a6;
    return 0;
}

int lease_make(struct zd *d, struct zone *z, struct err *e)
{
    struct zone_lease *ls = &z->lease;
    if (!ls->machine_id[0])
        lease_machine_id(ls->machine_id);
    unsigned want = z->spec->network.len;
    for (unsigned i = want; i < ls->nlinks; i++)
        release_link(d, &ls->links[i]);
    ls->links = xrealloc(ls->links, want + 1, sizeof(*ls->links));
    for (unsigned i = ls->nlinks; i < want; i++)
        memset(&ls->links[i], 0, sizeof(ls->links[i]));
    ls->nlinks = want;
    for (unsigned i = 0; i < want; i++) {
        const struct spec_link *s = &z->spec->network.at[i];
        int r = 0;
        if (is_network(s->link))
            r = fit_link(d, s, &ls->links[i], e);
        else
            release_link(d, &ls->links[i]);
        if (r < 0)
            return err_prefix(e, "zone %s, network[%u]", z->name, i);
    }
    return 0;
}

/* ---- all at start ---- */
static void load_one(struct zd *d, const char *name)
{
    struct err e = {0};
    struct problems ps = {0};
    struct zone *z = registry_add(d, name);
    z->state = ZONE_CONFIGURED;
    if (store_reload(d, z, &ps, &e) < 0)
        zone_set_error(z, e.text);
    struct err le = {0};
    if (lease_load(d, z, &le) == 0) {
        z->state = ZONE_INSTALLED;
        auto_fd int dir = stor_zone_fd(d->pool, name, NULL);
        json *last = NULL;
        if (dir >= 0 && sup_history_last(dir, &last) == 0 && last) {
            z->start_no = (uint64_t)js_get_int(last, "start_no", 0);
            z->exit_status = (int)js_get_int(last, "exit_status", -1);
            z->oom = js_get_bool(last, "oom", false);
            z->operator_stop = js_get_bool(last, "operator", false);
            if (js_get_bool(last, "failed", false)) {
                z->state = ZONE_FAILED;
                zone_set_error(z, js_get_str(last, "error", "the last start failed"));
            }
        }
        js_free(last);
    } else if (le.code != ENOENT) {
        zone_set_error(z, le.text);
    }
    problems_done(&ps);
}

int store_load_all(struct zd *d, struct err *e)
{
    int fd = openat(d->etc_fd, "zones", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_sys(e, "%s/zones", d->etc_dir);
    for (struct dirent *ent; (ent = readdir(dir));) {
        if (str_ends(ent->d_name, ".yaml.new")) /* a write that was killed before its rename */
            (void)unlinkat(fd, ent->d_name, 0);
        if (!str_ends(ent->d_name, ".yaml"))
            continue;
        auto_free char *name = xstrndup(ent->d_name, strlen(ent->d_name) - 5);
        if (spec_check_name("zone", name, NULL) == 0)
            load_one(d, name);
        else
            log_warning("%s/zones/%s: not a zone's name, left alone", d->etc_dir, ent->d_name);
    }
    return 0;
}
