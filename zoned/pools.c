/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pools that there are (ETC/pools/NAME.yaml), the host's part (ETC/host.yaml), and the groups of pools in
 * which a zone runs: made before the first zone of a pool, gone after the last. */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/etc_files.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct pool_entry *pool_find(struct zd *d, const char *name)
{
    for (unsigned i = 0; name && i < d->pools.len; i++)
        if (!strcmp(d->pools.at[i]->name, name))
            return d->pools.at[i];
    return NULL;
}

bool pool_runs(const struct zone *z, const char *pool)
{
    auto_free char *runs_in = z->plan ? division_pool_of(z->plan) : NULL;
    return str_eq(runs_in, pool);
}

bool pool_is_named(const struct zone *z, const char *pool)
{
    return z->spec && str_eq(z->spec->cpu.pool, pool);
}

static bool runs(struct zd *d, const char *name)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next)
            if (pool_runs(z, name))
                return true;
    return false;
}

/* ---- what a running pool was given, beside its file: for a zoned that cannot read that ---- */
static char *kept_path(const struct zd *d, const char *name)
{
    return xasprintf("%s/pools/%s.json", d->run_dir, name);
}

void pool_keep(const struct zd *d, const struct pool_entry *p)
{
    auto_free char *path = kept_path(d, p->name), *dir = xasprintf("%s/pools", d->run_dir);
    auto_js json *j = spec_cpu_to_json(&p->spec->cpu);
    auto_free char *text = js_dump(j, false);
    struct err e = {0};
    if ((mkdir(dir, 0700) < 0 && errno != EEXIST) ||
        file_replace(AT_FDCWD, path, text, strlen(text), 0600, false, &e) < 0)
        log_warning("pool %s: %s: %s", p->name, path, err_is(&e) ? e.text : strerror(errno));
}

static void take_kept(const struct zd *d, struct pool_entry *p)
{
    auto_free char *path = kept_path(d, p->name), *text = NULL;
    struct spec_cpu cpu = {0};
    struct err e = {0};
    size_t n = 0;
    int r = file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &text, &n, &e);
    auto_js json *j = r < 0 ? NULL : js_parse(text, n, &e);
    if (!j || spec_cpu_from_json(j, &cpu, &e) < 0) {
        log_error("pool %s: what its zones were given is not known: %s", p->name, e.text);
        return;
    }
    spec_cpu_done(&p->spec->cpu);
    p->spec->cpu = cpu;
    log_warning("pool %s: no file of it can be read: its zones keep what they have", p->name);
}

static void drop_kept(const struct zd *d, const char *name)
{
    auto_free char *path = kept_path(d, name), *dir = xasprintf("%s/pools", d->run_dir);
    (void)unlink(path);
    (void)rmdir(dir); /* the last one's */
}

/* Its own values are division_apply's to write: `now` is what a new group has. */
int pool_ensure_up(struct zd *d, struct pool_entry *p, struct err *e)
{
    if (p->group)
        return 0;
    auto_free char *parent = division_parent(d, p->name), *group = pool_group(p->name);
    int r = cg_parent_ensure(d->cgroups, parent, e);
    if (r == 0)
        r = cg_open(d->cgroups, d->cgroup_parent, group, &p->group, e);
    spec_cpu_done(&p->now);
    p->drifted = false;
    p->now = (struct spec_cpu){.shares = 100, .cap = -1, .burst = -1, .reserved = -1};
    if (r == 0)
        pool_keep(d, p);
    return r < 0 ? err_prefix(e, "pool %s", p->name), r : 0;
}

static void take_down(struct zd *d, const char *name)
{
    struct err e = {0};
    drop_kept(d, name);
    auto_free char *parent = division_parent(d, name);
    if (cg_parent_remove(d->cgroups, parent, &e) < 0)
        log_warning("pool %s: %s", name, e.text);
}

void pools_tidy(struct zd *d)
{
    for (unsigned i = 0; i < d->pools.len; i++) {
        struct pool_entry *p = d->pools.at[i];
        if (!p->group || runs(d, p->name))
            continue;
        cg_close(p->group);
        p->group = NULL;
        take_down(d, p->name);
    }
}

static void drop(struct pool_entry *p)
{
    cg_close(p->group);
    spec_party_free(p->spec);
    spec_cpu_done(&p->now);
    free(p);
}

void pools_free(struct zd *d)
{
    for (unsigned i = 0; i < d->pools.len; i++)
        drop(d->pools.at[i]);
    vec_done(&d->pools);
}

static int load(const char *path, enum spec_party_kind kind, struct spec_party **out, struct err *e)
{
    auto_free char *text = NULL;
    size_t n = 0;
    struct problems ps = {0};
    int r = file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &text, &n, e);
    if (r == 0 && (r = spec_party_parse(kind, text, n, path, out, &ps)) < 0)
        r = problems_to_line(&ps, e);
    problems_done(&ps);
    return r;
}

char *pool_path(struct zd *d, const char *name)
{
    return xasprintf("%s/pools/%s.yaml", d->etc_dir, name);
}

int pool_file(struct zd *d, const char *name, struct spec_party **out, struct err *e)
{
    auto_free char *path = pool_path(d, name);
    int r = load(path, SPEC_PARTY_POOL, out, e);
    if (r == 0 && strcmp((*out)->name, name)) {
        r = err_set(e, ERR_INVALID, EINVAL, "%s names pool %s", path, (*out)->name);
        spec_party_free(*out);
        *out = NULL;
    }
    return r;
}

int pool_reread(struct zd *d, const char *name, struct err *e)
{
    struct err le = {0};
    struct spec_party *spec = NULL;
    struct pool_entry *p = pool_find(d, name);
    if (p && p->group)
        return 0;
    if (spec_check_name("pool", name, NULL) < 0)
        return 0; /* no pool's file */
    int r = pool_file(d, name, &spec, &le);
    if (r == -ENOENT) /* made without one, see adopt_pool; or there is none */
        return 0;
    if (r < 0)
        return err_set(e, le.kind, le.code, "%s", le.text), r;
    if (p) {
        spec_party_free(p->spec);
        p->spec = spec;
    } else {
        (void)pool_add(d, name, spec);
    }
    return 0;
}

bool pool_pending(struct zd *d, const struct pool_entry *p)
{
    struct err e = {0};
    auto_of(spec_party_free) struct spec_party *spec = NULL;
    spec_changes changes = {0};
    int r = pool_file(d, p->name, &spec, &e);
    if (r == 0)
        spec_party_diff(SPEC_PARTY_POOL, p->spec, spec, &changes);
    bool differs = r == 0 ? changes.len > 0 : r != -ENOENT;
    spec_changes_done(&changes);
    return differs;
}

int pools_doctor(struct zd *d, struct err *e)
{
    for (unsigned i = 0; i < d->pools.len; i++) {
        const struct pool_entry *p = d->pools.at[i];
        auto_free char *path = pool_path(d, p->name);
        if (!p->group || file_exists(AT_FDCWD, path))
            continue;
        err_set(e, ERR_NOT_FOUND, ENOENT, "pool %s has no file %s: its running zones keep what they have",
                p->name, path);
        return err_hint(e, "put the file back; the next start in the pool finds none");
    }
    return 0;
}

struct pool_entry *pool_add(struct zd *d, const char *name, struct spec_party *spec)
{
    struct pool_entry *p = xcalloc(1, sizeof(*p));
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->spec = spec;
    *vec_add(&d->pools) = p;
    return p;
}

void pool_forget(struct zd *d, struct pool_entry *p)
{
    for (unsigned i = 0; i < d->pools.len; i++)
        if (d->pools.at[i] == p) {
            vec_remove(&d->pools, i);
            drop(p);
            return;
        }
}

static void load_pool(struct zd *d, const char *name)
{
    struct err e = {0};
    struct spec_party *spec = NULL;
    int r = spec_check_name("pool", name, &e);
    if (r == 0)
        r = pool_file(d, name, &spec, &e);
    if (r < 0)
        log_error("%s: left alone", e.text);
    else
        (void)pool_add(d, name, spec);
}

int pools_open(struct zd *d, struct err *e)
{
    int r = etc_tidy(d, "pools", e);
    char **names = r < 0 ? NULL : etc_names(d, "pools");
    for (char **n = names; n && *n; n++)
        load_pool(d, *n);
    strv_free(names);
    return r;
}

/* ---- the daemon's start and end ---- */
int host_file(struct zd *d, struct spec_party **out, struct err *e)
{
    auto_free char *path = xasprintf("%s/host.yaml", d->etc_dir);
    return load(path, SPEC_PARTY_HOST, out, e);
}

char *host_file_told(struct zd *d, bool *pending)
{
    struct err e = {0};
    auto_of(spec_party_free) struct spec_party *spec = NULL;
    spec_changes changes = {0};
    int r = host_file(d, &spec, &e);
    if (r == -ENOENT)
        r = spec_party_parse(SPEC_PARTY_HOST, "", 0, "host.yaml", &spec, NULL), err_clear(&e);
    if (r == 0)
        spec_party_diff(SPEC_PARTY_HOST, d->host, spec, &changes);
    *pending = r < 0 || changes.len > 0;
    spec_changes_done(&changes);
    return r < 0 ? xstrdup(e.text) : NULL;
}

int division_open(struct zd *d, struct err *e)
{
    struct err le = {0};
    d->host_in_root = cg_host_in_root(d->cgroups);
    d->exclusive_cpus = cg_can_exclude(d->cgroups);
    int r = host_file(d, &d->host, &le);
    if (r < 0 && r != -ENOENT) /* zones run all the same; doctor and show tell, too */
        log_error("%s: the host has no part of its own until that is mended", le.text);
    if (r < 0)
        r = spec_party_parse(SPEC_PARTY_HOST, "", 0, "host.yaml", &d->host, NULL);
    return r < 0 ? err_set(e, ERR_INTERNAL, EINVAL, "the host's part") : pools_open(d, e);
}

static void remove_empty_pools(struct zd *d)
{
    char **names = NULL;
    (void)cg_list(d->cgroups, d->cgroup_parent, &names, NULL);
    for (char **n = names; n && *n; n++) {
        if (!str_ends(*n, ".pool"))
            continue;
        (*n)[strlen(*n) - strlen(".pool")] = '\0';
        if (!runs(d, *n))
            take_down(d, *n);
    }
    strv_free(names);
}

/* A running zone whose pool's file is gone or broken keeps its group; the pool is there with what it was given. */
static void adopt_pool(struct zd *d, const char *name)
{
    struct err e = {0};
    struct problems ps = {0};
    struct pool_entry *p = pool_find(d, name);
    auto_free char *text = spec_pool_text(name);
    struct spec_party *spec = NULL;
    if (!p && spec_party_parse(SPEC_PARTY_POOL, text, strlen(text), name, &spec, &ps) == 0) {
        p = pool_add(d, name, spec);
        take_kept(d, p);
    }
    if (p && pool_ensure_up(d, p, &e) < 0)
        log_error("%s", e.text);
    problems_done(&ps);
}

void division_adopted(struct zd *d)
{
    struct err e = {0};
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next) {
            auto_free char *pool = z->plan ? division_pool_of(z->plan) : NULL;
            if (pool)
                adopt_pool(d, pool);
        }
    remove_empty_pools(d);
    d->part.cap = -1; /* not known: to be written */
    if (division_apply(d, NULL, &e) < 0)
        log_error("division: %s", e.text);
    for (unsigned i = 0; i < d->pools.len; i++) { /* what a pool's group has is not known either */
        struct pool_entry *p = d->pools.at[i];
        struct cg_limits l = {.cpu = &p->now, .tasks = SPEC_UNSET};
        struct err pe = {0};
        if (p->group && cg_heal(p->group, &l, &pe) < 0)
            log_error("pool %s: %s", p->name, pe.text);
    }
}

void division_free(struct zd *d)
{
    pools_free(d);
    spec_party_free(d->host);
    free((char *)d->part.exclusive);
}
