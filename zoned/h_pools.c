/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of pools and of the host's part: text, edits, parse, check, the ledger, the kernel, the file; what the
 * ledger or the kernel refuses is not written. */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/etc_files.h"
#include "zoned/h_spec.h"
#include "zoned/handlers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json *pool_json(struct zd *d, struct pool_entry *p)
{
    (void)pool_reread(d, p->name, NULL); /* what is wrong with it, who starts in it is told */
    json *o = js_object(), *zones = js_array();
    js_set_str(o, "name", p->name);
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++)
        if (pool_is_named(all[i], p->name) || pool_runs(all[i], p->name))
            js_add(zones, js_string(all[i]->name));
    js_set(o, "zones", zones);
    js_set_bool(o, "up", p->group != NULL);
    js_set_bool(o, "pending", pool_pending(d, p));
    json *drift = drift_check_shared(d, p);
    js_set_bool(o, "drifted", js_len(drift) > 0);
    js_set(o, "drift", drift);
    js_set(o, "division", p->group ? spec_cpu_to_json(&p->now) : js_null());
    js_set(o, "spec", spec_party_to_json(SPEC_PARTY_POOL, p->spec));
    return o;
}

static int get_pool(struct zd *d, const char *name, struct pool_entry **out, struct err *e)
{
    int r = spec_check_name("pool", name, e);
    if (r == 0 && !pool_find(d, name))
        r = pool_reread(d, name, e);
    if (r < 0)
        return r;
    *out = pool_find(d, name);
    if (*out)
        return 0;
    err_set(e, ERR_NOT_FOUND, ENOENT, "pool %s does not exist", name);
    return err_hint(e, "zonectl pool list shows all pools");
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct pool_entry *const *)a)->name, (*(struct pool_entry *const *)b)->name);
}

int h_list_pools(struct zd *d, struct zd_request *r, struct err *e)
{
    json *list = js_array();
    char **names = etc_names(d, "pools");
    for (char **n = names; n && *n; n++)
        (void)pool_reread(d, *n, NULL); /* doctor tells of a broken one */
    strv_free(names);
    unsigned n = d->pools.len;
    auto_free struct pool_entry **all = xcalloc(n + 1, sizeof(struct pool_entry *));
    for (unsigned i = 0; i < n; i++)
        all[i] = d->pools.at[i];
    qsort(all, n, sizeof(struct pool_entry *), by_name);
    for (unsigned i = 0; i < n; i++)
        js_add(list, pool_json(d, all[i]));
    zd_reply_json(r, 200, list);
    return 0;
}

int h_get_pool(struct zd *d, struct zd_request *r, struct err *e)
{
    struct pool_entry *p;
    int k = get_pool(d, zd_param(r, 0), &p, e);
    if (k == 0)
        zd_reply_json(r, 200, pool_json(d, p));
    return k;
}

/* Text with edits, parsed and held against what this host can do. */
static int edited(struct zd *d, struct zd_request *r, enum spec_party_kind kind, const char *text,
                  const char *path, char *const *edits, char **out, struct spec_party **party, bool *lost,
                  struct err *e)
{
    auto_free char *now = NULL;
    auto_of(spec_party_free) struct spec_party *p = NULL;
    struct problems *ps = zd_problems(r);
    int k = check_once(edits, path, ps, e);
    if (k < 0)
        return k;
    if (spec_party_edit(kind, text, path, edits, &now, lost, ps) < 0 ||
        spec_party_parse(kind, now, strlen(now), path, &p, ps) < 0)
        return problems_to_err(ps, e, path);
    struct cg_limits l = {.cpu = &p->cpu, .tasks = SPEC_UNSET};
    if (kind == SPEC_PARTY_POOL)
        cg_check(d->cgroups, &l, ps);
    else if (p->cpu.shares != SPEC_UNSET && d->host_in_root)
        problem_add(
            ps, ERR_UNSUPPORTED, path, 0, "cpu.shares",
            "host tasks sit in the root control group, where no weight holds them (use cpu.reserved: a quota "
            "on all zones together)");
    if (ps->len)
        return problems_to_err(ps, e, path);
    *out = take_ptr(&now);
    *party = take_ptr(&p);
    return 0;
}

static json *changes_of(enum spec_party_kind kind, const struct spec_party *a, const struct spec_party *b,
                        bool lost)
{
    spec_changes changes = {0};
    json *o = js_object(), *list = js_array(), *notes = js_array();
    spec_party_diff(kind, a, b, &changes);
    for (unsigned i = 0; i < changes.len; i++) {
        json *c = js_object();
        js_set_str(c, "key", changes.at[i].key);
        js_set_str(c, "before", changes.at[i].before);
        js_set_str(c, "after", changes.at[i].after);
        js_set_str(c, "when", "live");
        js_add(list, c);
    }
    spec_changes_done(&changes);
    if (lost)
        js_add(notes, js_string("comments in a rewritten part were lost"));
    js_set(o, "changes", list);
    js_set(o, "messages", notes);
    return o;
}

/* The new one takes the old one's place, the kernel follows, then the file; or all stays as it was. What somebody else
 * wrote meanwhile to the groups that are meant is healed first. */
static int exchange(struct zd *d, struct spec_party **at, struct spec_party *with, const char *path,
                    const char *text, struct err *e)
{
    struct spec_party *old = *at;
    struct pool_entry *p = with->name ? pool_find(d, with->name) : NULL;
    int k = drift_heal_shared(d, p, e);
    if (k < 0) {
        spec_party_free(with);
        return k;
    }
    *at = with;
    d->pool_asks = p;
    k = division_apply(d, NULL, e);
    d->pool_asks = NULL;
    if (k == 0 && (k = file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e)) == 0) {
        spec_party_free(old);
        if (p && p->group)
            pool_keep(d, p);
        return 0;
    }
    *at = old;
    spec_party_free(with);
    division_left(d);
    return k;
}

static int change(struct zd *d, struct zd_request *r, enum spec_party_kind kind, struct spec_party **at,
                  const char *path, struct err *e)
{
    auto_free char *text = NULL, *now = NULL;
    struct spec_party *p = NULL;
    bool lost = false;
    struct err re = {0};
    int k = file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &text, NULL, &re);
    if (k < 0 && k != -ENOENT)
        return err_set(e, re.kind, re.code, "%s", re.text);
    char **edits = js_get_strv(zd_body_of(r), "set");
    auto_free char *none =
        kind == SPEC_PARTY_POOL ? spec_pool_text((*at)->name) : xstrdup(""); /* its file is gone */
    k = edited(d, r, kind, text ? text : none, path, edits, &now, &p, &lost, e);
    strv_free(edits);
    if (k < 0)
        return k;
    json *answer = changes_of(kind, *at, p, lost);
    auto_js json *drift = drift_check_shared(d, kind == SPEC_PARTY_POOL ? pool_find(d, (*at)->name) : NULL);
    drift_notes(drift, js_get(answer, "messages"));
    if (kind == SPEC_PARTY_POOL && strcmp(p->name, (*at)->name)) {
        spec_party_free(p);
        k = err_set(e, ERR_INVALID, EINVAL, "pool: the name of a pool stays");
    } else {
        k = exchange(d, at, p, path, now, e);
    }
    if (k < 0) {
        js_free(answer);
        return k;
    }
    auto_js json *remarks = kind == SPEC_PARTY_POOL ? pool_remarks(d, *at) : host_remarks(d);
    js_add_all(js_get(answer, "messages"), remarks);
    bool changed = js_len(js_get(answer, "changes")) > 0;
    zd_reply_json(r, 200, answer);
    if (changed && kind == SPEC_PARTY_POOL)
        event_of(d, "pool_changed", "pool", (*at)->name);
    else if (changed)
        event_publish(d, "host_changed", NULL, NULL);
    return 0;
}

int h_patch_pool(struct zd *d, struct zd_request *r, struct err *e)
{
    struct pool_entry *p;
    int k = get_pool(d, zd_param(r, 0), &p, e);
    if (k < 0)
        return k;
    auto_free char *path = pool_path(d, p->name);
    return change(d, r, SPEC_PARTY_POOL, &p->spec, path, e);
}

int h_patch_host(struct zd *d, struct zd_request *r, struct err *e)
{
    auto_free char *path = xasprintf("%s/host.yaml", d->etc_dir);
    return change(d, r, SPEC_PARTY_HOST, &d->host, path, e);
}

int h_create_pool(struct zd *d, struct zd_request *r, struct err *e)
{
    const char *name = js_get_str(zd_body_of(r), "name", NULL);
    auto_free char *text = NULL;
    struct spec_party *p = NULL;
    bool lost = false;
    struct err le = {0};
    int k = spec_check_name("pool", name, e);
    if (k < 0)
        return k;
    if (!pool_find(d, name) &&
        pool_reread(d, name, &le) < 0) { /* a file that somebody wrote is not ours to replace */
        err_set(e, ERR_CONFLICT, EEXIST, "pool %s cannot be taken from its file: %s", name, le.text);
        return err_hint(e, "mend the file, or delete it");
    }
    if (pool_find(d, name)) {
        err_set(e, ERR_CONFLICT, EEXIST, "pool %s exists already", name);
        return err_hint(e, "zonectl pool set %s changes it", name);
    }
    auto_free char *path = pool_path(d, name), *begin = spec_pool_text(name);
    char **edits = js_get_strv(zd_body_of(r), "set");
    k = edited(d, r, SPEC_PARTY_POOL, begin, path, edits, &text, &p, &lost, e);
    strv_free(edits);
    if (k == 0 && strcmp(p->name, name))
        k = err_set(e, ERR_INVALID, EINVAL, "pool: %s differs from the name %s that was asked for", p->name,
                    name);
    if (k == 0)
        k = file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e);
    if (k < 0) {
        spec_party_free(p);
        return k;
    }
    struct pool_entry *made = pool_add(d, name, p);
    zd_reply_json(r, 201, pool_json(d, made));
    event_of(d, "pool_created", "pool", made->name);
    return 0;
}

static bool names_pool(const struct spec *s, const char *pool)
{
    return s && str_eq(s->cpu.pool, pool);
}

static int check_unused(struct zd *d, const char *name, struct err *e)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        const char *zone = all[i]->name;
        if (store_names(d, all[i], names_pool, name)) {
            err_set(e, ERR_BUSY, EBUSY, "pool %s is used by zone %s", name, zone);
            return err_hint(e, "zonectl set %s cpu.pool= first (and restart it), or delete the zone", zone);
        }
        if (pool_runs(all[i], name)) {
            err_set(e, ERR_BUSY, EBUSY, "pool %s is used by zone %s, which runs in it", name, zone);
            return err_hint(e, "%s leaves it at its next start: zonectl restart %s, or stop it", zone, zone);
        }
    }
    return 0;
}

int h_delete_pool(struct zd *d, struct zd_request *r, struct err *e)
{
    struct pool_entry *p;
    int k = get_pool(d, zd_param(r, 0), &p, e);
    if (k < 0)
        return k;
    if ((k = check_unused(d, p->name, e)) < 0)
        return k;
    auto_free char *path = pool_path(d, p->name);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(e, "%s", path);
    event_of(d, "pool_deleted", "pool", p->name);
    pool_forget(d, p);
    zd_reply_json(r, 200, js_object());
    return 0;
}
