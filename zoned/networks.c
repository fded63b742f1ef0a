/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The networks of this instance. ETC/networks/NAME.yaml says what was asked for and is the truth; LIB/networks/NAME.json keeps
 * what was chosen for it, so that addresses stay. A network comes up with its first zone and goes when zoned leaves with none
 * running, or by delete. `default` is made where it is missing. */
#include "zoned/networks.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>

#define SAVED "forwarding" /* what the host's switches were; not a network's name plus .json */

static char *spec_path(struct zd *d, const char *name)
{
    return xasprintf("%s/networks/%s.yaml", d->etc_dir, name);
}

static char *state_path(struct zd *d, const char *name)
{
    return xasprintf("%s/networks/%s.json", d->lib_dir, name);
}

/* ---- state: what was chosen ---- */
static int load_state(struct zd *d, const char *name, struct net_network *n, struct err *e)
{
    auto_free char *path = state_path(d, name), *text = NULL;
    size_t len;
    int r = file_read(AT_FDCWD, path, 65536, &text, &len, e);
    if (r < 0)
        return r;
    auto_js json *j = js_parse(text, len, e);
    r = j ? net_network_from_json(j, n, e) : -EINVAL;
    return r < 0 ? err_prefix(e, "%s", path), r : 0;
}

static int save_state(struct zd *d, const struct net_network *n, struct err *e)
{
    auto_js json *j = net_network_to_json(n);
    auto_free char *text = js_dump(j, true), *path = state_path(d, n->name);
    return file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e);
}

static void save_switches(struct zd *d)
{
    auto_free char *path = xasprintf("%s/networks/" SAVED, d->lib_dir);
    auto_free char *text = d->net_saved ? js_dump(d->net_saved, false) : NULL;
    if (!text)
        (void)unlink(path);
    else
        (void)file_replace(AT_FDCWD, path, text, strlen(text), 0600, false, NULL);
}

static void load_switches(struct zd *d)
{
    auto_free char *path = xasprintf("%s/networks/" SAVED, d->lib_dir), *text = NULL;
    size_t len;
    if (file_read(AT_FDCWD, path, 65536, &text, &len, NULL) == 0)
        d->net_saved = js_parse(text, len, NULL);
}

/* ---- the table ---- */
static void add(struct zd *d, const struct net_network *n, struct spec_network *spec)
{
    struct net_entry *entry = vec_add(&d->networks);
    entry->net = *n;
    entry->spec = spec;
    entry->pool = net_pool_new(n);
    entry->up = net_network_is_up(d->net, n); /* a zoned before us may have left it */
}

static void entry_done(struct net_entry *n)
{
    net_pool_free(n->pool);
    spec_network_free(n->spec);
    free(n->lost);
}

struct net_entry *network_find(struct zd *d, const char *name)
{
    for (unsigned i = 0; name && i < d->networks.len; i++)
        if (!strcmp(d->networks.at[i].net.name, name))
            return &d->networks.at[i];
    return NULL;
}

/* The other networks' subnets are taken, up or not. */
static int make(struct zd *d, const struct spec_network *s, const struct net_network *kept,
                struct net_network *out, struct err *e)
{
    auto_free struct net_network *others = xcalloc(d->networks.len + 1, sizeof(*others));
    for (unsigned i = 0; i < d->networks.len; i++)
        others[i] = d->networks.at[i].net;
    return net_network_make(d->instance, s, kept, others, d->networks.len, out, e);
}

static int load_one(struct zd *d, const char *name, struct err *e)
{
    auto_free char *path = spec_path(d, name), *text = NULL;
    auto_spec_network struct spec_network *s = NULL;
    struct problems ps = {0};
    struct net_network kept = {0}, n = {0};
    struct err se = {0};
    size_t len;
    int r = file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &text, &len, e);
    if (r == 0 && spec_network_parse(text, len, path, &s, &ps) < 0)
        r = problems_to_err(&ps, e, path);
    problems_done(&ps);
    if (r == 0 && strcmp(s->network, name))
        r = err_set(e, ERR_INVALID, EINVAL, "%s names network %s", path, s->network);
    if (r < 0)
        return r;
    bool known = load_state(d, name, &kept, &se) == 0;
    if (!known && se.code != ENOENT)
        return err_set(e, se.kind, se.code, "%s", se.text);
    r = make(d, s, known ? &kept : NULL, &n, e);
    r = r < 0 || known ? r : save_state(d, &n, e);
    if (r == 0)
        (void)net_network_attach(d->net, &n, NULL); /* which bridge it is, if its link is there */
    if (r == 0)
        add(d, &n, take_ptr(&s));
    return r;
}

static int load_all(struct zd *d, struct err *e)
{
    int fd = openat(d->etc_fd, "networks", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_sys(e, "%s/networks", d->etc_dir);
    for (struct dirent *ent; (ent = readdir(dir));) {
        struct err le = {0};
        if (str_ends(ent->d_name, ".yaml.new")) /* a write that was killed before its rename */
            (void)unlinkat(fd, ent->d_name, 0);
        if (!str_ends(ent->d_name, ".yaml"))
            continue;
        auto_free char *name = xstrndup(ent->d_name, strlen(ent->d_name) - 5);
        if (spec_check_name("network", name, &le) == 0)
            (void)load_one(d, name, &le);
        if (err_is(&le)) /* its zones cannot start and say so; the others can */
            log_error("%s", le.text);
    }
    return 0;
}

int networks_open(struct zd *d, struct err *e)
{
    auto_free char *path = spec_path(d, "default");
    int r = load_all(d, e);
    load_switches(d);
    if (r < 0 || file_exists(AT_FDCWD, path))
        return r;
    struct spec_network *s = xcalloc(1, sizeof(*s));
    s->network = xstrdup("default");
    return network_create(d, s, e) < 0 ? err_prefix(e, "default network") : 0;
}

/* ---- create, delete ---- */
static int check_reach(struct zd *d, const struct spec_network *s, struct err *e)
{
    for (char **r = s->reach; r && *r; r++) {
        const struct net_entry *n = network_find(d, *r);
        if (!n)
            return err_set(e, ERR_NOT_FOUND, ENOENT, "reach: network %s does not exist", *r);
        if (spec_network_joins_lan(n->net.type))
            return err_set(e, ERR_INVALID, EINVAL, "reach: the host does not route network %s (type %s)", *r,
                           spec_network_type_name(n->net.type));
    }
    return 0;
}

int network_create(struct zd *d, struct spec_network *spec, struct err *e)
{
    auto_spec_network struct spec_network *s = spec;
    struct net_network n = {0};
    if (network_find(d, s->network)) {
        err_set(e, ERR_CONFLICT, EEXIST, "network %s exists already", s->network);
        return err_hint(e, "zonectl network delete %s first", s->network);
    }
    int r = check_reach(d, s, e);
    r = r < 0 ? r : make(d, s, NULL, &n, e);
    r = r < 0 ? r : net_network_attach(d->net, &n, e);
    r = r < 0 ? r : save_state(d, &n, e);
    if (r < 0)
        return r;
    auto_free char *text = spec_network_text(s), *path = spec_path(d, s->network),
                   *state = state_path(d, s->network);
    r = file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e);
    if (r < 0) {
        (void)unlink(state);
        return r;
    }
    add(d, &n, take_ptr(&s));
    parents_follow(d);
    event_publish(d, "network-created", n.name, NULL);
    return 0;
}

/* Rules that name a network would be those of the next one of that name. */
static int check_unnamed(struct zd *d, const char *name, struct err *e)
{
    char **naming = firewall_naming(d, SPEC_SIDE_NETWORK, name);
    int r = 0;
    for (char **n = naming; n && *n && r == 0; n++) {
        if (!strcmp(*n, name))
            continue;
        r = err_set(e, ERR_BUSY, EBUSY, "network %s is in use: rules of network %s name it", name, *n);
        err_hint(e, "zonectl network set %s with a --rule for each of its rules that shall stay", *n);
    }
    strv_free(naming);
    return r;
}

static int check_unused(struct zd *d, const struct net_entry *n, struct err *e)
{
    char **zones = network_zones(d, n->net.name);
    unsigned count = strv_len(zones);
    if (count) {
        err_set(e, ERR_BUSY, EBUSY, "network %s is in use by zone %s%s", n->net.name, zones[0],
                count > 1 ? " and others" : "");
        err_hint(e, "delete the zones or take the link out of their specs first");
    }
    strv_free(zones);
    for (unsigned i = 0; !count && i < d->networks.len; i++)
        if (strv_has(d->networks.at[i].spec->reach, n->net.name)) {
            count = 1;
            err_set(e, ERR_BUSY, EBUSY, "network %s is in use: network %s may reach it", n->net.name,
                    d->networks.at[i].net.name);
        }
    return count ? -EBUSY : check_unnamed(d, n->net.name, e);
}

/* A network whose file cannot be read is not among ours; its zones may run. */
static bool others_up(const struct zd *d, const struct net_entry *n)
{
    for (unsigned i = 0; i < d->networks.len; i++)
        if (&d->networks.at[i] != n && d->networks.at[i].up)
            return true;
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next)
            if (z->plan && z->plan->links.len)
                return true;
    return false;
}

static int set_reach(struct zd *d, const struct net_entry *n, bool on, struct err *e)
{
    int r = 0;
    for (char **to = n->spec->reach; r == 0 && to && *to; to++) {
        const struct net_entry *other = network_find(d, *to);
        r = other ? net_network_reach(d->net, &n->net, &other->net, on, e) : 0;
    }
    return r;
}

static int undo(struct zd *d, struct net_entry *n, bool last, struct err *e)
{
    int r = last ? 0 : set_reach(d, n, false, e);
    r = r < 0 ? r : net_network_down(d->net, &n->net, last, d->net_saved, e);
    if (r < 0)
        return r;
    n->up = false;
    if (last) {
        js_free(d->net_saved);
        d->net_saved = NULL;
        save_switches(d);
    }
    return 0;
}

static int down(struct zd *d, struct net_entry *n, bool last, struct err *e)
{
    int r = undo(d, n, last, e);
    if (r == 0)
        neighbour_hooks(d);
    return r;
}

void networks_adopted(struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        struct net_entry *n = &d->networks.at[i];
        struct err e = {0};
        if (n->up || !net_network_is_half_up(d->net, &n->net))
            continue;
        log_info("network %s: what is left of it is undone", n->net.name);
        if (undo(d, n, !others_up(d, n), &e) < 0)
            log_warning("%s", e.text);
    }
}

int network_delete(struct zd *d, struct net_entry *n, struct err *e)
{
    auto_free char *path = spec_path(d, n->net.name), *state = state_path(d, n->net.name),
                   *name = xstrdup(n->net.name);
    int r = check_unused(d, n, e);
    if (r == 0 && (n->spec->rules || n->spec->deny))
        r = firewall_load(d, n->net.name, e);
    if (r == 0 && n->up)
        r = down(d, n, !others_up(d, n), e);
    if (r < 0)
        return r;
    names_network_down(d, n, true);
    dhcp_network_down(d, n, true);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(e, "%s", path);
    (void)unlink(state);
    entry_done(n);
    vec_remove(&d->networks, (unsigned)(n - d->networks.at));
    parents_follow(d);
    event_publish(d, "network-deleted", name, NULL);
    return 0;
}

/* Of the spec, what a network changes while zones are on it. */
static int check_change(const json *patch, struct err *e)
{
    static const char *const live[] = {"rules", "policy", "reach"};
    for (void *it = js_iter((json *)patch); it; it = js_next((json *)patch, it)) {
        bool is = false;
        for (unsigned i = 0; i < ARRAY_LEN(live); i++)
            is |= !strcmp(js_iter_key(it), live[i]);
        if (!is) {
            err_set(e, ERR_CONFLICT, EINVAL, "%s of a network cannot change (rules, policy and reach can)",
                    js_iter_key(it));
            return err_hint(e, "make another network, and let the zones join it while they run");
        }
    }
    return 0;
}

/* The entry with the new spec instead of its own, which goes to *old. Nothing on disk. */
static int put_spec(struct zd *d, struct net_entry *n, struct spec_network *s, struct spec_network **old,
                    struct err *e)
{
    int r = n->up ? set_reach(d, n, false, e) : 0;
    if (r < 0)
        return r;
    *old = n->spec;
    n->spec = s;
    r = firewall_load(d, NULL, e);
    return r < 0 || !n->up ? r : set_reach(d, n, true, e);
}

/* Whether a zone's way to others is a sealed network. */
static void routes_follow(struct zd *d, const struct net_entry *n)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            if (zone_is_up(z) && zone_is_on(z, n->net.name))
                zone_refresh(z, "its routes");
}

int network_change(struct zd *d, struct net_entry *n, const json *patch, struct problems *ps, struct err *e)
{
    auto_js json *whole = spec_network_to_json(n->spec);
    struct spec_network *s = NULL, *old = NULL;
    int r = check_change(patch, e);
    if (r < 0)
        return r;
    for (void *it = js_iter((json *)patch); it; it = js_next((json *)patch, it))
        js_set(whole, js_iter_key(it), js_ref(js_iter_value(it)));
    if (spec_network_from_json(whole, &s, ps) < 0)
        return problems_to_err(ps, e, n->net.name);
    r = check_reach(d, s, e);
    if (r == 0 && strv_has(s->reach, n->net.name))
        r = err_set(e, ERR_INVALID, EINVAL, "reach: names the network itself");
    auto_free char *text = spec_network_text(s), *path = spec_path(d, n->net.name);
    r = r < 0 ? r : put_spec(d, n, s, &old, e);
    if (r == 0)
        r = file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e);
    if (r < 0 && old) {
        struct err own = {0};
        struct spec_network *mine = NULL;
        if (put_spec(d, n, old, &mine, &own) < 0)
            log_error("network %s: %s", n->net.name, own.text);
    }
    bool opened = r == 0 && n->net.type == SPEC_NET_SEALED && !strv_len(old->reach) != !strv_len(s->reach);
    spec_network_free(r < 0 ? s : old);
    if (opened) {
        dhcp_network_changed(n);
        routes_follow(d, n);
    }
    if (r == 0)
        event_publish(d, "network-changed", n->net.name, NULL);
    return r;
}

/* ---- up, down ---- */
static bool has_rules(const struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i].spec->rules || d->networks.at[i].spec->deny)
            return true;
    return false;
}

int network_ensure_up(struct zd *d, struct net_entry *n, struct err *e)
{
    int r = net_network_attach(d->net, &n->net, e);
    if (r < 0 || (n->up && net_network_is_up(d->net, &n->net)))
        return r;
    r = net_network_up(d->net, &n->net, &d->net_saved, e);
    r = r < 0 ? r : set_reach(d, n, true, e);
    if (r < 0)
        return r;
    if (!n->up)
        n->parent_index = if_nametoindex(n->net.parent);
    n->up = true;
    names_network_up(d, n);
    save_switches(d);
    neighbour_hooks(d);
    return has_rules(d) ? firewall_load(d, NULL, e) : 0;
}

int network_repair(struct zd *d, struct net_entry *n, struct err *e)
{
    int r = net_network_up(d->net, &n->net, &d->net_saved, e);
    save_switches(d);
    return r < 0 ? r : set_reach(d, n, true, e);
}

void networks_down(struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        struct err e = {0};
        names_network_down(d, &d->networks.at[i], true);
        dhcp_network_down(d, &d->networks.at[i], true);
        if (down(d, &d->networks.at[i], i + 1 == d->networks.len, &e) < 0)
            log_warning("%s", e.text);
    }
}

void networks_free(struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        names_network_down(d, &d->networks.at[i], false);
        dhcp_network_down(d, &d->networks.at[i], false);
        entry_done(&d->networks.at[i]);
    }
    js_free(d->net_saved);
    vec_done(&d->networks);
    vec_done(&d->resolvers);
}
