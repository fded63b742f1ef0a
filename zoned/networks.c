/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The networks that this instance has: today the default one. Its subnets are chosen once and kept in
 * LIB/networks. */
#include "base/file.h"
#include "base/log.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>

static char *state_path(struct zd *d, const char *name, const char *suffix)
{
    return xasprintf("%s/networks/%s%s", d->lib_dir, name, suffix);
}

static int load(struct zd *d, const char *name, struct net_network *n, struct err *e)
{
    auto_free char *path = state_path(d, name, ".json"), *text = NULL;
    size_t len;
    int r = file_read(AT_FDCWD, path, 65536, &text, &len, e);
    if (r < 0)
        return r;
    auto_js json *j = js_parse(text, len, e);
    return j ? net_network_from_json(j, n, e) : -EINVAL;
}

static int choose(struct zd *d, const char *name, struct net_network *n, struct err *e)
{
    int r = net_network_choose(d->instance, name, n, e);
    if (r < 0)
        return r;
    auto_js json *j = net_network_to_json(n);
    auto_free char *text = js_dump(j, true), *path = state_path(d, name, ".json");
    return file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e);
}

int networks_open(struct zd *d, struct err *e)
{
    struct net_network n = {0};
    struct err le = {0};
    int r = load(d, "default", &n, &le);
    if (r == -ENOENT)
        r = choose(d, "default", &n, e);
    else if (r < 0)
        return err_set(e, le.kind, le.code, "%s", le.text);
    if (r < 0)
        return err_prefix(e, "default network");
    struct net_entry *entry = vec_add(&d->networks);
    entry->net = n;
    entry->pool = net_pool_new(&n);
    auto_free char *path = state_path(d, "default", ".saved"), *text = NULL;
    size_t len;
    if (file_read(AT_FDCWD, path, 65536, &text, &len, NULL) == 0)
        entry->saved = js_parse(text, len, NULL);
    return 0;
}

struct net_entry *network_find(struct zd *d, const char *name)
{
    for (unsigned i = 0; name && i < d->networks.len; i++)
        if (!strcmp(d->networks.at[i].net.name, name))
            return &d->networks.at[i];
    return NULL;
}

int network_ensure_up(struct zd *d, struct net_entry *n, struct err *e)
{
    if (n->up && net_network_is_up(d->net, &n->net))
        return 0;
    json *saved = n->saved;
    int r = net_network_up(d->net, &n->net, &saved, e);
    if (r < 0)
        return err_prefix(e, "network %s", n->net.name);
    n->up = true;
    names_network_up(d, n);
    if (saved != n->saved) {
        n->saved = saved;
        auto_free char *text = js_dump(saved, false), *path = state_path(d, n->net.name, ".saved");
        (void)file_replace(AT_FDCWD, path, text, strlen(text), 0600, false, NULL);
    }
    return 0;
}

void networks_down(struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        struct net_entry *n = &d->networks.at[i];
        struct err e = {0};
        names_network_down(n, true);
        if (net_network_down(d->net, &n->net, i + 1 == d->networks.len, n->saved, &e) < 0)
            log_warning("%s", e.text);
        n->up = false;
        js_free(n->saved);
        n->saved = NULL;
        auto_free char *path = state_path(d, n->net.name, ".saved");
        (void)unlink(path);
    }
}

void networks_free(struct zd *d)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        names_network_down(&d->networks.at[i], false);
        net_pool_free(d->networks.at[i].pool);
        js_free(d->networks.at[i].saved);
    }
    vec_done(&d->networks);
}
