/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the registry to the ledger, and from the ledger to the groups. A zone's own start and update are written
 * by its supervisor; what that changes for everybody else (CPUs that are dedicated, weights that keep a
 * reservation, the parent's part) is written here, at once, so that the answer to a client is true. A change is
 * rare: a start that promises nothing writes nothing. Undo: what was written is set back before an error is
 * told; division_left when a zone is gone. */
#include "zoned/division.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include <errno.h>
#include <stdio.h>

#define POOL_SUFFIX ".pool"

char *pool_group(const char *name)
{
    return xasprintf("%s" POOL_SUFFIX, name);
}

char *division_parent(const struct zd *d, const char *pool)
{
    return pool ? xasprintf("%s/%s" POOL_SUFFIX, d->cgroup_parent, pool) : xstrdup(d->cgroup_parent);
}

char *division_pool_of(const struct plan *p)
{
    const char *slash = strchr(p->cgroup_parent, '/');
    size_t n = slash ? strlen(slash + 1) : 0, tail = strlen(POOL_SUFFIX);
    return n > tail ? xstrndup(slash + 1, n - tail) : NULL;
}

/* ---- who there is ---- */
static struct ledger_entry *entry(struct division *v, struct zone *z, struct pool_entry *p)
{
    v->who[v->l.n] = (struct division_who){z, p};
    return &v->l.at[v->l.n++];
}

static void add_zone(struct division *v, struct zone *z, const struct spec *s, char *pool)
{
    struct ledger_entry *e = entry(v, z, NULL);
    const struct plan *p = z ? z->plan : NULL;
    e->name = s->zone;
    e->cpu = &s->cpu;
    e->pool = pool;
    e->memory = s->memory.reserved == SPEC_UNSET ? 0 : s->memory.reserved;
    e->held = p && p->divided && p->cpu.dedicated ? p->cpu.set : NULL;
}

static void add_pools(struct zd *d, struct division *v)
{
    unsigned zones = v->l.n;
    for (unsigned i = 0; i < d->pools.len; i++) {
        struct pool_entry *p = d->pools.at[i];
        bool used = false;
        for (unsigned k = 0; k < zones && !used; k++)
            used = str_eq(v->l.at[k].pool, p->name);
        if (!used)
            continue;
        struct ledger_entry *e = entry(v, NULL, p);
        e->name = p->name;
        e->cpu = &p->spec->cpu;
        e->is_pool = true;
        e->held = p->group && p->now.dedicated ? p->now.set : NULL;
        if (p == d->pool_asks)
            v->l.asks = (int)v->l.n - 1;
    }
}

static uint64_t top_weights(const struct zd *d)
{
    return d->host_in_root ? 0 : cg_top_weights(d->cgroups, d->cgroup_parent);
}

static void mark(const struct division_ask *asks, unsigned n, bool asks_now)
{
    for (unsigned i = 0; i < n; i++)
        if (asks[i].z)
            asks[i].z->asks = asks_now;
}

int division_make(struct zd *d, const struct division_ask *asks, unsigned n, unsigned asker,
                  struct division *v, struct problems *ps)
{
    memset(v, 0, sizeof(*v));
    unsigned most = d->nzones + d->pools.len + n + 1;
    v->l.at = xcalloc(most, sizeof(*v->l.at));
    v->who = xcalloc(most, sizeof(*v->who));
    mark(asks, n, true);
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *o = d->table[i]; o; o = o->next)
            if (o->plan && !o->asks)
                add_zone(v, o, o->plan->spec, division_pool_of(o->plan));
    mark(asks, n, false);
    v->first = v->l.n;
    v->asked = n;
    for (unsigned i = 0; i < n; i++)
        add_zone(v, asks[i].z, asks[i].spec, xstrdup(asks[i].spec->cpu.pool));
    v->l.asks = n ? (int)(v->first + asker) : -1;
    v->l.planned = n && asks[asker].planned;
    add_pools(d, v);
    v->l.online = cg_online(d->cgroups);
    v->l.memory = d->facts.memory;
    v->l.host = d->host;
    v->l.host_in_root = d->host_in_root;
    v->l.exclusive_cpus = d->exclusive_cpus;
    v->l.top_weights = top_weights(d);
    return ledger_divide(&v->l, ps);
}

static bool promises(const struct spec *s)
{
    return s->cpu.reserved > 0 || s->cpu.dedicated || s->cpu.set || s->cpu.pool ||
           (s->memory.reserved != SPEC_UNSET && s->memory.reserved);
}

int division_try(struct zd *d, const struct division_ask *asks, unsigned n, struct division *v,
                 unsigned *culprit, struct problems *ps)
{
    bool tried = false;
    for (unsigned i = 0; i < n; i++) {
        if (!promises(asks[i].spec) && (tried || i + 1 < n))
            continue;
        if (tried)
            division_done(v);
        tried = true;
        *culprit = i;
        int r = division_make(d, asks, n, i, v, ps);
        if (r < 0)
            return r;
    }
    return 0;
}

void division_done(struct division *v)
{
    for (unsigned i = 0; i < v->l.n; i++)
        if (!v->l.at[i].is_pool)
            free((char *)v->l.at[i].pool);
    ledger_done(&v->l);
    free(v->l.at);
    free(v->who);
}

static bool same_section(const struct spec_cpu *a, const struct spec_cpu *b)
{
    return a->shares == b->shares && a->idle == b->idle && a->dedicated == b->dedicated &&
           str_eq(a->set, b->set) && (a->cap == b->cap || (a->cap <= 0 && b->cap <= 0)) &&
           (a->burst == b->burst || (a->burst <= 0 && b->burst <= 0));
}

bool division_asks_same(const struct spec *a, const struct spec *b)
{
    const struct spec_cpu *x = &a->cpu, *y = &b->cpu;
    return same_section(x, y) && x->reserved == y->reserved && str_eq(x->pool, y->pool) &&
           a->memory.reserved == b->memory.reserved;
}

void division_keep(const struct plan *running, struct plan *p)
{
    spec_cpu_done(&p->cpu);
    spec_cpu_copy(&p->cpu, &running->cpu);
    p->divided = true;
    free(p->cgroup_parent);
    p->cgroup_parent = xstrdup(running->cgroup_parent);
}

int division_plan(struct zd *d, struct zone *z, struct plan *p, struct problems *ps)
{
    struct division v;
    const struct division_ask ask = {.z = z, .spec = p->spec};
    int r = division_make(d, &ask, 1, 0, &v, ps);
    if (r == 0) {
        const struct ledger_entry *e = &v.l.at[v.first];
        spec_cpu_done(&p->cpu);
        ledger_section(&v.l, e, &p->cpu);
        p->divided = true;
        free(p->cgroup_parent);
        p->cgroup_parent = division_parent(d, e->pool);
    }
    division_done(&v);
    return r;
}

/* ---- into the kernel ---- */
struct party {            /* whose section changes */
    struct zone *z;       /* one of these, */
    struct pool_entry *p; /* or the parent */
    struct spec_cpu before, after;
    bool sets_done,
        rest_done;  /* CPUs, and shares and caps: written apart, since each may have to wait for others */
    bool unwritten; /* its group is gone */
};

static bool same_part(const struct cg_part *a, const struct cg_part *b)
{
    return a->cap == b->cap && a->weight == b->weight && str_eq(a->exclusive, b->exclusive);
}

/* The section with its CPUs as in `sets` and all else as in `rest`; borrows. */
static struct spec_cpu mixed(const struct spec_cpu *sets, const struct spec_cpu *rest)
{
    struct spec_cpu c = *rest;
    c.set = sets->set;
    c.dedicated = sets->dedicated;
    return c;
}

static int write_half(struct zd *d, struct party *w, const struct cg_part *part, bool sets, bool back,
                      struct err *e)
{
    if (!w->z && !w->p)
        return sets ? 0
                    : cg_parent_part(d->cgroups, d->cgroup_parent, back && d->part.cap >= 0 ? &d->part : part,
                                     e);
    struct cg_limits before = {.tasks = SPEC_UNSET};
    if (w->z)
        plan_limits(w->z->plan, &before);
    struct cg_limits after = before;
    struct spec_cpu to = sets ? mixed(&w->after, &w->before) : mixed(&w->before, &w->after);
    before.cpu = &w->before;
    after.cpu = &to;
    struct cg_group *g = w->z ? w->z->group : w->p->group;
    int r = back ? cg_update(g, &after, &before, e) : cg_update(g, &before, &after, e);
    if ((r != -ENOENT && r != -ENODEV) || !w->z || !cg_gone(g))
        return r;
    if (cg_populated(g) == 1) /* else it ends, and its supervisor's word is on the way */
        log_warning("zone %s: %s", w->z->name, e->text);
    err_clear(e); /* no concern of the others */
    w->unwritten = true;
    return 0;
}

/* Some go only after others (a pool's CPUs shrink after its zones', grow before them; v1 wants no cap above the
 * parent's): what is refused goes round again while that brings something. First comes the parent, back and forth:
 * a partition that is tried before the parent names its CPUs makes 6.12 call others invalid. */
static int write_all(struct zd *d, struct party *at, unsigned n, const struct cg_part *part, bool back,
                     struct err *e)
{
    for (unsigned left = 2 * n, was = left + 1; left && left < was;) {
        was = left;
        left = 0;
        err_clear(e);
        for (unsigned k = 0; k < 2 * n; k++) {
            unsigned i = back && k > 1 ? 2 * n + 1 - k : k;
            struct err one = {0};
            bool *done = i & 1 ? &at[i / 2].rest_done : &at[i / 2].sets_done;
            if (*done != back)
                continue;
            if (write_half(d, &at[i / 2], part, !(i & 1), back, &one) == 0) {
                *done = !back;
                continue;
            }
            left++;
            if (!err_is(e))
                *e = one;
        }
    }
    return err_is(e) ? -e->code : 0;
}

void division_save_plan(struct zone *z)
{
    struct err e = {0};
    auto_js json *j = plan_to_json(z->plan);
    auto_free char *text = js_dump(j, false), *path = xasprintf("zones/%s/%s", z->name, PLAN_FILE);
    if (file_replace(z->d->run_fd, path, text, strlen(text), 0600, false, &e) < 0)
        log_warning("zone %s: %s", z->name, e.text);
}

/* The supervisor keeps its plan true, for its own next start of the zone; which may be under way where the group was gone. */
static void tell(struct zone *z, bool unwritten)
{
    json *m = js_object();
    js_set_str(m, "op", "divide");
    js_set_bool(m, "unwritten", unwritten);
    js_set(m, "cpu", spec_cpu_to_json(&z->plan->cpu));
    (void)sup_request(z, m, NULL, 0, NULL, NULL, NULL);
}

static void take_over(struct zd *d, struct party *at, unsigned n, const struct cg_part *part)
{
    for (unsigned i = 0; i < n; i++) {
        struct spec_cpu *to = at[i].z ? &at[i].z->plan->cpu : at[i].p ? &at[i].p->now : NULL;
        if (!to) {
            free((char *)d->part.exclusive);
            d->part = *part;
            d->part.exclusive = xstrdup(part->exclusive);
            continue;
        }
        spec_cpu_done(to);
        spec_cpu_copy(to, &at[i].after);
        if (at[i].z) {
            at[i].z->plan->divided = true;
            division_save_plan(at[i].z);
            tell(at[i].z, at[i].unwritten);
        }
    }
}

static unsigned add_party(struct party *at, unsigned n, struct party *w, const struct spec_cpu *has)
{
    spec_cpu_copy(&w->before, has);
    if (w->p && has->set && w->after.set && !str_eq(has->set, w->after.set)) {
        /* a pool's zones must stay within its CPUs and go over one by one: for that time it has both sets */
        struct party wide = {.p = w->p};
        spec_cpu_copy(&wide.before, has);
        spec_cpu_copy(&wide.after, has);
        free(wide.after.set);
        wide.after.set = xasprintf("%s,%s", has->set, w->after.set);
        wide.after.dedicated = 0;
        spec_cpu_done(&w->before);
        spec_cpu_copy(&w->before, &wide.after);
        at[n++] = wide;
    }
    at[n++] = *w;
    return n;
}

static unsigned differing(struct zd *d, const struct zone *except, const struct division *v, struct party *at)
{
    unsigned n = same_part(&d->part, &v->l.part) ? 0 : 1; /* the parent's, all NULL */
    for (unsigned i = 0; i < v->l.n; i++) {
        struct zone *z = v->who[i].z;
        struct pool_entry *p = v->who[i].p;
        if (z ? z == except || !z->group || z->updating : !p || !p->group)
            continue;
        struct party w = {.z = z, .p = p};
        ledger_section(&v->l, &v->l.at[i], &w.after);
        const struct spec_cpu *has = z ? (z->plan->divided ? &z->plan->cpu : &z->plan->spec->cpu) : &p->now;
        if (same_section(has, &w.after)) {
            spec_cpu_done(&w.after);
            continue;
        }
        n = add_party(at, n, &w, has);
    }
    return n;
}

int division_apply(struct zd *d, const struct zone *except, struct err *e)
{
    struct division v;
    struct problems ps = {0};
    struct err own = {0};
    e = e ? e : &own;
    d->division_moved = true;
    d->divisions++;
    int r = division_make(d, NULL, 0, 0, &v, &ps);
    struct party *at = xcalloc(2 * v.l.n + 1, sizeof(*at));
    unsigned n = r == 0 ? differing(d, except, &v, at) : 0;
    d->top_weights = v.l.top_weights;
    if (r < 0)
        r = problems_to_err(&ps, e, NULL);
    else if (n)
        r = write_all(d, at, n, &v.l.part, false, e);
    if (r == 0) {
        take_over(d, at, n, &v.l.part);
    } else if (n) {
        struct err back = {0};
        if (write_all(d, at, n, &v.l.part, true, &back) < 0)
            log_error("setting the division back: %s", back.text);
    }
    for (unsigned i = 0; i < n; i++) {
        spec_cpu_done(&at[i].before);
        spec_cpu_done(&at[i].after);
    }
    free(at);
    problems_done(&ps);
    division_done(&v);
    return r;
}

void division_follow_tops(struct zd *d)
{
    uint64_t now = top_weights(d), was = d->top_weights;
    if (now == was)
        return;
    log_notice("the other top control groups weigh %llu together, not %llu: divided again",
               (unsigned long long)now, (unsigned long long)was);
    division_left(d);
}

void division_left(struct zd *d)
{
    struct err e = {0};
    pools_tidy(d);
    if (division_apply(d, NULL, &e) < 0)
        log_error("division: %s", e.text);
}
