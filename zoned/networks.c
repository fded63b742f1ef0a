/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The networks of this instance. ETC/networks/NAME.yaml says what was asked for and is the truth; LIB/networks/NAME.json keeps
 * what was chosen for it, so that addresses stay, and what was taken from the file, by which a network that is up is known while
 * the file cannot be read, or is gone: its rules hold. A network comes up with its first zone and goes when zoned leaves with none running,
 * or by delete. `default` is made where it is missing. */
#include "zoned/networks.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/etc_files.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>

#define UNTAKEN "network %s cannot be taken from its file: %s"

/* ---- the table ---- */
static void add(struct zd *d, const struct net_network *n, struct spec_network *spec)
{
    struct net_entry *entry = xcalloc(1, sizeof(*entry));
    *vec_add(&d->networks) = entry;
    entry->net = *n;
    entry->spec = spec;
    entry->pool = net_pool_new(n);
    entry->up = net_network_is_up(d->net, n); /* a zoned before us may have left it */
}

static void entry_free(struct net_entry *n)
{
    net_pool_free(n->pool);
    spec_network_free(n->spec);
    free(n->lost);
    free(n->hides);
    free(n->untaken);
    free(n);
}

static void forget(struct zd *d, struct net_entry *n)
{
    unsigned i = 0;
    while (i < d->networks.len && d->networks.at[i] != n)
        i++;
    if (i < d->networks.len)
        vec_remove(&d->networks, i);
    entry_free(n);
}

struct net_entry *network_find(struct zd *d, const char *name)
{
    for (unsigned i = 0; name && i < d->networks.len; i++)
        if (!strcmp(d->networks.at[i]->net.name, name))
            return d->networks.at[i];
    return NULL;
}

/* The other networks' subnets are taken, up or not. */
static int make(struct zd *d, const struct spec_network *s, const struct net_network *kept,
                struct net_network *out, struct err *e)
{
    auto_free struct net_network *others = xcalloc(d->networks.len + 1, sizeof(*others));
    for (unsigned i = 0; i < d->networks.len; i++)
        others[i] = d->networks.at[i]->net;
    return net_network_make(d->instance, s, kept, others, d->networks.len, out, e);
}

/* What was taken is kept; a full disk does not take a network away that was chosen before. */
static int keep(struct zd *d, const struct net_network *n, const struct spec_network *s, bool known,
                struct err *e)
{
    struct err own = {0};
    if (network_state_save(d, n, s, &own) == 0)
        return 0;
    if (!known)
        return err_set(e, own.kind, own.code, "%s", own.text);
    log_warning("network %s: %s", n->name, own.text);
    return 0;
}

/* at_start: where the file cannot be taken, by what was taken last, until networks_adopted knows who needs it. */
static int load_one(struct zd *d, const char *name, bool at_start, struct err *e)
{
    auto_spec_network struct spec_network *s = NULL, *taken = NULL;
    struct net_network kept = {0}, n = {0};
    struct err fe = {0}, se = {0};
    int r = network_file(d, name, &s, &fe);
    bool known = network_state_load(d, name, &kept, &taken, &se) == 0, untaken = r < 0 && at_start && taken;
    if (r < 0 && !untaken)
        return err_set(e, fe.kind, fe.code, "%s", fe.text);
    if (!known && se.code != ENOENT)
        return err_set(e, se.kind, se.code, "%s", se.text);
    if (untaken)
        s = take_ptr(&taken);
    r = make(d, s, known ? &kept : NULL, &n, e);
    r = r < 0 ? r : keep(d, &n, s, known, e);
    if (r < 0)
        return r;
    (void)net_network_attach(d->net, &n, NULL); /* which bridge it is, if its link is there */
    add(d, &n, take_ptr(&s));
    if (untaken)
        network_find(d, name)->untaken = xstrdup(fe.text);
    return 0;
}

/* Its file was mended or written while zoned runs; an older zoned, which kept no spec, may have left it up. */
static void come_to_know(struct zd *d, struct net_entry *n)
{
    struct err e = {0};
    lease_network_there(d, n->net.name);
    parents_follow(d);
    if (!n->up)
        return;
    names_network_up(d, n);
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            if (zone_is_up(z) && zone_is_on(z, n->net.name)) {
                names_publish(z);
                dhcp_publish(z);
            }
    neighbour_hooks(d);
    if (firewall_load(d, NULL, &e) < 0)
        log_error("%s", e.text);
}

/* serves: not before our start has adopted what runs, for rules would be loaded that know no zone. */
static struct net_entry *get(struct zd *d, const char *name, bool serves, struct err *e)
{
    struct err le = {0};
    struct net_entry *n = network_find(d, name);
    if (n)
        return n;
    auto_free char *path = network_path(d, name);
    bool there = spec_check_name("network", name, NULL) == 0 && file_exists(AT_FDCWD, path);
    if (!there && network_runs(d, name)) {
        auto_free char *gone = network_gone_text(d, name);
        err_set(e, ERR_CONFLICT, ENODATA, "%s", gone);
    } else if (!there) {
        err_set(e, ERR_NOT_FOUND, ENOENT, "network %s does not exist", name);
        err_hint(e, "zonectl network list shows the networks");
    } else if (load_one(d, name, !serves, &le) < 0) {
        err_set(e, le.kind, le.code, UNTAKEN, name, le.text);
        err_hint(e, "mend %s: it is read again at the next verb", path);
    } else {
        n = network_find(d, name);
        if (serves)
            come_to_know(d, n);
    }
    return n;
}

struct net_entry *network_get(struct zd *d, const char *name, struct err *e)
{
    return get(d, name, true, e);
}

static json *look(struct zd *d, bool serves)
{
    json *broken = js_array();
    char **names = etc_names(d, "networks");
    for (char **name = names; name && *name; name++) {
        struct err e = {0};
        if (spec_check_name("network", *name, &e) == 0 && get(d, *name, serves, &e))
            continue;
        js_add(broken, network_refused(*name, e.text));
    }
    strv_free(names);
    return broken;
}

json *networks_look(struct zd *d)
{
    json *broken = look(d, true);
    networks_gone_add(d, broken);
    return broken;
}

/* Files that are gone: what was taken from them last counts, until networks_adopted knows whether zones run on it. */
static void load_gone(struct zd *d)
{
    char **names = network_states(d);
    for (char **name = names; name && *name; name++) {
        auto_free char *path = network_path(d, *name);
        if (!file_exists(AT_FDCWD, path) && load_one(d, *name, true, NULL) == 0)
            network_find(d, *name)->gone = true;
    }
    strv_free(names);
}

static int make_default(struct zd *d, struct err *e)
{
    auto_free char *path = network_path(d, "default");
    if (network_find(d, "default") || file_exists(AT_FDCWD, path))
        return 0;
    struct spec_network *s = xcalloc(1, sizeof(*s));
    s->network = xstrdup("default");
    return network_create(d, s, e) < 0 ? err_prefix(e, "default network") : 0;
}

int networks_open(struct zd *d, struct err *e)
{
    int r = etc_tidy(d, "networks", e);
    if (r < 0)
        return r;
    auto_js json *broken = look(d, false);
    for (size_t i = 0; i < js_len(broken); i++) /* its zones cannot start and say so; the others can */
        log_error("%s", js_get_str(js_at(broken, i), "error", ""));
    load_gone(d);
    network_switches_load(d);
    net_saved_take_over(d->net, d->net_saved);
    return make_default(d, e);
}

/* ---- create, delete ---- */
int network_create(struct zd *d, struct spec_network *spec, struct err *e)
{
    auto_spec_network struct spec_network *s = spec;
    struct net_network n = {0};
    unsigned less;
    struct err le = {0};
    if (network_get(d, s->network, &le)) {
        err_set(e, ERR_CONFLICT, EEXIST, "network %s exists already", s->network);
        return err_hint(e, "zonectl network delete %s first", s->network);
    }
    if (le.kind != ERR_NOT_FOUND ||
        le.code != ENOENT) { /* a file that somebody wrote is not ours to replace */
        err_set(e, ERR_CONFLICT, EEXIST, "%s", le.text);
        return le.code == ENODATA ? -EEXIST : err_hint(e, "mend the file, or delete it");
    }
    int r = network_check_reach(d, s, e);
    r = r < 0 ? r : make(d, s, NULL, &n, e);
    r = r < 0 ? r : net_network_attach(d->net, &n, e);
    r = r < 0 ? r : net_network_check_mtu(d->net, &n, &less, e);
    r = r < 0 ? r : network_state_save(d, &n, s, e);
    if (r < 0)
        return r;
    auto_free char *text = spec_network_text(s), *path = network_path(d, s->network),
                   *state = network_state_path(d, s->network);
    r = file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e);
    if (r < 0) {
        (void)unlink(state);
        return r;
    }
    add(d, &n, take_ptr(&s));
    network_find(d, n.name)->parent_index = if_nametoindex(n.parent);
    lease_network_there(d, n.name);
    parents_follow(d);
    event_of(d, "network-created", "network", n.name);
    return 0;
}

/* A network whose file cannot be read is not among ours; its zones may run. */
static bool others_up(const struct zd *d, const struct net_entry *n)
{
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i] != n && d->networks.at[i]->up)
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
        network_switches_save(d);
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

/* A macvlan is up whenever its parent is there; one without a file is left when its zones are. */
static bool is_needed(struct zd *d, const struct net_entry *n)
{
    auto_free char *path = network_path(d, n->net.name);
    bool runs = n->up && n->net.type != SPEC_NET_MACVLAN && file_exists(AT_FDCWD, path);
    return runs || network_runs(d, n->net.name);
}

/* Its file could not be taken: what is up is known by what was taken last, so that what it denies stays denied. */
static void settle_untaken(struct zd *d, unsigned i)
{
    struct net_entry *n = d->networks.at[i];
    auto_free char *why = take_ptr(&n->untaken);
    bool stays = is_needed(d, n);
    if (stays || !n->gone)
        log_error(UNTAKEN "%s", n->net.name, why, stays ? ": it runs on as it was taken last" : "");
    if (stays)
        return;
    names_network_down(d, n, true);
    dhcp_network_down(d, n, true);
    forget(d, n);
}

void networks_adopted(struct zd *d)
{
    for (unsigned i = d->networks.len; i-- > 0;) {
        struct net_entry *n = d->networks.at[i];
        struct err e = {0};
        bool left = n->up ? n->gone && !is_needed(d, n) : net_network_is_half_up(d->net, &n->net);
        if (left)
            log_info("network %s: what is left of it is undone", n->net.name);
        if (left && undo(d, n, !others_up(d, n), &e) < 0)
            log_warning("%s", e.text);
        if (n->untaken)
            settle_untaken(d, i);
    }
    networks_gone_tell(d);
    struct err e = {0};
    if (make_default(d, &e) < 0)
        log_error("%s", e.text);
}

int network_delete(struct zd *d, struct net_entry *n, struct err *e)
{
    auto_free char *path = network_path(d, n->net.name), *state = network_state_path(d, n->net.name),
                   *name = xstrdup(n->net.name);
    int r = network_check_unused(d, n, e);
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
    forget(d, n);
    parents_follow(d);
    event_of(d, "network-deleted", "network", name);
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

/* What its file says with the new values; what was edited in it by hand stays. */
static int edited(struct zd *d, struct net_entry *n, const json *patch, char **text,
                  struct spec_network **out, bool *lost, struct problems *ps, struct err *e)
{
    auto_spec_network struct spec_network *s = NULL;
    auto_free char *was = NULL, *now = NULL, *path = network_path(d, n->net.name);
    struct err le = {0};
    int r = file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &was, NULL, &le);
    if (r < 0 && r != -ENOENT)
        return err_set(e, le.kind, le.code, "%s", le.text);
    if (r == -ENOENT)
        was = spec_network_text(n->spec);
    if (spec_network_edit(was, path, patch, &now, lost, &s, ps) < 0)
        return problems_to_err(ps, e, path);
    if ((r = network_check_edit(n->spec, s, path, e)) < 0)
        return r;
    *text = take_ptr(&now);
    *out = take_ptr(&s);
    return 0;
}

int network_change(struct zd *d, struct net_entry *n, const json *patch, bool *lost, struct problems *ps,
                   struct err *e)
{
    struct spec_network *s = NULL, *old = NULL;
    auto_free char *text = NULL, *path = network_path(d, n->net.name);
    int r = network_check_patch(patch, e);
    r = r < 0 ? r : edited(d, n, patch, &text, &s, lost, ps, e);
    if (r < 0)
        return r;
    r = network_check_reach(d, s, e);
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
    if (r == 0)
        (void)keep(d, &n->net, n->spec, true, NULL);
    if (opened) {
        dhcp_network_changed(n);
        routes_follow(d, n);
    }
    if (r == 0)
        event_of(d, "network-changed", "network", n->net.name);
    return r;
}

/* ---- up, down ---- */
static bool has_rules(const struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i]->spec->rules || d->networks.at[i]->spec->deny)
            return true;
    return false;
}

int network_ensure_up(struct zd *d, struct net_entry *n, struct err *e)
{
    unsigned less;
    int r = net_network_attach(d->net, &n->net, e);
    r = r < 0 ? r : net_network_check_mtu(d->net, &n->net, &less, e);
    if (r < 0 || (n->up && !n->lost && net_network_is_up(d->net, &n->net)))
        return r;
    if (n->up) { /* what zones are on is made whole all the same */
        r = network_repair(d, n, e);
    } else {
        r = hides_look_at(d, n, e);
        r = r < 0 ? r : net_network_up(d->net, &n->net, &d->net_saved, e);
        r = r < 0 ? r : set_reach(d, n, true, e);
    }
    if (r < 0)
        return r;
    if (n->lost) { /* no more: the look tells it, and looks after its other zones */
        n->pause = 0;
        parents_look_soon(d);
    }
    if (!n->up)
        n->parent_index = if_nametoindex(n->net.parent);
    n->up = true;
    names_network_up(d, n);
    network_switches_save(d);
    neighbour_hooks(d);
    return has_rules(d) ? firewall_load(d, NULL, e) : 0;
}

int network_repair(struct zd *d, struct net_entry *n, struct err *e)
{
    int r = net_network_repair(d->net, &n->net, &d->net_saved, e), reach = set_reach(d, n, true, e);
    network_switches_save(d);
    return r < 0 ? r : reach;
}

void networks_down(struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        struct err e = {0};
        names_network_down(d, d->networks.at[i], true);
        dhcp_network_down(d, d->networks.at[i], true);
        if (down(d, d->networks.at[i], i + 1 == d->networks.len, &e) < 0)
            log_warning("%s", e.text);
    }
}

void networks_free(struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        names_network_down(d, d->networks.at[i], false);
        dhcp_network_down(d, d->networks.at[i], false);
        entry_free(d->networks.at[i]);
    }
    js_free(d->net_saved);
    vec_done(&d->networks);
    vec_done(&d->resolvers);
}
