/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that can refuse an apply and can be known beforehand. What zones hold against each other (ports, names, addresses,
 * promises) is judged as it will be when all is applied: our own tables are set to that, asked, and set back, all in one go. */
#include "base/str.h"
#include "zoned/apply.h"
#include "zoned/division.h"
#include "zoned/h_spec.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include <errno.h>

/* ---- one source ---- */
static int read_source(struct apply_job *a, struct apply_item *it, const json *source, struct problems *ps,
                       struct err *e)
{
    auto_js json *notes = js_array();
    it->job = a;
    it->file = spec_source_file(source);
    it->text = xstrdup(js_get_str(source, "text", ""));
    /* with what its image adds, so that what apply writes once it finds again */
    if (spec_add_image(a->d, it->file, false, &it->text, notes, ps, e) < 0)
        return -EINVAL;
    if (spec_parse(it->text, strlen(it->text), it->file, &it->spec, ps) < 0)
        return problems_to_err(ps, e, it->file);
    if (!it->spec->zone)
        problem_add(ps, ERR_INVALID, it->file, 0, "zone", "is missing (the zone's name)");
    for (const struct apply_item *o = a->at; it->spec->zone && o < it; o++)
        if (str_eq(o->spec->zone, it->spec->zone))
            problem_add(ps, ERR_INVALID, it->file, 0, "zone", "%s is the zone of %s too", o->spec->zone,
                        o->file);
    if (ps->len)
        return problems_to_err(ps, e, it->file);
    int r = build_zone_check(a->d, it->spec->zone, it->spec, e);
    return r < 0 ? r : build_permits(a->d, NULL, it->spec->zone, e);
}

/* A group that somebody removed comes back with a start alone. */
static int check_groups(const struct zone *z, const json *drift, struct err *e)
{
    for (size_t i = 0; i < js_len(drift); i++) {
        const json *row = js_at(drift, i);
        if (!str_eq(js_get_str(row, "key", ""), "group") || js_get_str(row, "of", NULL))
            continue;
        err_set(e, ERR_CONFLICT, ENOENT, "zone %s: its control group %s was removed", z->name,
                js_get_str(row, "file", ""));
        return err_hint(e, "zonectl restart %s makes it anew", z->name);
    }
    return 0;
}

static int look_at_change(struct apply_item *it, struct zone *z, struct err *e)
{
    struct zd *d = z->d;
    spec_changes changes = {0};
    bool up = zone_is_up(z);
    int r = store_read_text(d, z, &it->old, e);
    if (r < 0)
        return r;
    auto_spec struct spec *new = up ? zone_effective(d, z, it->spec) : spec_copy(it->spec);
    auto_spec struct spec *less = spec_copy(it->spec);
    spec_diff(up ? z->plan->spec : z->spec ? z->spec : it->spec, new, &changes);
    it->same = !strcmp(it->old, it->text) && !changes.len;
    it->live = up && changes_any_live(&changes);
    it->takes = it->live && spec_lessen(less, z->plan->spec);
    if (it->live) {
        auto_spec struct spec *was = spec_copy(z->plan->spec);
        it->gives = spec_lessen(was, it->spec);
    }
    js_set_str(it->view, "action", it->same ? "none" : "change");
    js_set(it->view, "changes", changes_to_json(&changes, up));
    spec_changes_done(&changes);
    auto_js json *drift = drift_check_around(d, z);
    if (js_len(drift)) {
        js_set(it->view, "drift", js_ref(drift));
        if (it->same)
            js_set_str(it->view, "action", "heal");
    }
    if (z->op == OP_NONE && (!it->live || !z->updating))
        return check_groups(z, drift, e);
    err_set(e, ERR_BUSY, EBUSY, "zone %s: another change is under way", z->name);
    return err_hint(e, "try again when it is done");
}

/* What the host and the networks can do; of a new zone also what it is made of. */
static int check_one(struct apply_item *it, const struct zone *z, struct problems *ps, struct err *e)
{
    struct zd *d = it->job->d;
    if (it->same)
        return 0;
    check_limits(d, it->spec, ps);
    networks_check(d, it->spec, ps);
    int r = 0;
    if (!z) {
        closed_folders_refresh(d, it->spec);
        r = image_check(d, it->spec->image, ps, e);
    }
    spec_locate(it->text, it->file, ps);
    if (r == 0 && ps->len)
        r = problems_to_err(ps, e, it->file);
    if (r == 0 && !z)
        r = mounts_check(d, it->spec, e);
    if (r == 0 && it->live)
        r = networks_there(d, it->spec, e);
    return r;
}

static int read_one(struct apply_job *a, struct apply_item *it, const json *source, struct problems *ps,
                    struct err *e)
{
    it->view = js_object();
    js_add(a->list, it->view);
    int r = read_source(a, it, source, ps, e);
    if (r < 0)
        return r;
    struct zone *z = registry_find(a->d, it->spec->zone);
    js_set_str(it->view, "name", it->spec->zone);
    js_set_str(it->view, "action", "create");
    r = z ? look_at_change(it, z, e) : 0;
    return r < 0 ? r : check_one(it, z, ps, e);
}

/* ---- all together ---- */
static struct zone *zone_of(const struct apply_item *it)
{
    return registry_find(it->job->d, it->spec->zone);
}

/* Written in the second round. */
static bool is_late(const struct apply_item *it)
{
    return !it->old || it->takes;
}

static bool lists(const struct lease_link *v, unsigned n, const struct net_addr *addr)
{
    for (unsigned i = 0; i < n; i++)
        if (net_addr_eq(&v[i].addr4, addr) || net_addr_eq(&v[i].addr6, addr))
            return true;
    return false;
}

/* Has another zone given it up when this one takes it? A running one does so at the end of its round. */
static bool given_up(const struct apply_item *it, const struct net_addr *addr)
{
    const struct apply_job *a = it->job;
    for (unsigned i = 0; i < a->n; i++) {
        const struct apply_item *o = &a->at[i];
        const struct zone *z = o != it && o->old && o->leased ? zone_of(o) : NULL;
        bool before = is_late(o) != is_late(it) ? is_late(it) : !o->live && o < it;
        if (z && before && lists(o->lease.before, o->lease.nbefore, addr) &&
            !lists(z->lease.links, z->lease.nlinks, addr))
            return true;
    }
    return false;
}

static bool wants_what_is_given_up(const struct apply_item *it)
{
    for (unsigned i = 0; i < it->spec->network.len; i++)
        for (char **s = it->spec->network.at[i].address; s && *s; s++) {
            struct net_addr addr;
            if (net_addr_parse(*s, &addr) == 0 && given_up(it, &addr))
                return true;
        }
    return false;
}

/* z: of the registry, or one that only looks like the zone that is to be made. */
static int try_lease(struct apply_item *it, struct zone *z, struct err *e)
{
    if (it->same || (it->old && zone_is_up(z) && !it->live) || wants_what_is_given_up(it))
        return 0;
    int r = lease_begin(it->job->d, z, it->spec, &it->lease, e);
    it->leased = r == 0;
    return r;
}

/* Addresses: taken by all, then all given back. */
static int try_leases(struct apply_job *a, struct err *e)
{
    struct zone *news = xcalloc(a->n + 1, sizeof(*news));
    int r = 0;
    for (unsigned i = 0; i < 2 * a->n && r == 0; i++) {
        struct apply_item *it = &a->at[i % a->n];
        struct zone *made = &news[i % a->n];
        if (is_late(it) != (i >= a->n))
            continue;
        snprintf(made->name, sizeof(made->name), "%s", it->spec->zone);
        r = try_lease(it, it->old ? zone_of(it) : made, e);
    }
    for (unsigned i = 0; i < a->n; i++)
        if (a->at[i].leased)
            lease_rollback(a->d, a->at[i].old ? zone_of(&a->at[i]) : &news[i], &a->at[i].lease);
    free(news);
    return r;
}

static void release_claims(struct apply_job *a)
{
    for (unsigned i = 0; i < a->n; i++)
        if (a->at[i].live) {
            ports_release(a->d, zone_of(&a->at[i]));
            aliases_release(a->d, zone_of(&a->at[i]));
        }
}

/* Ports and names of the zones that run. */
static void try_claims(struct apply_job *a, struct problems *ps)
{
    for (unsigned i = 0; i < a->n; i++)
        if (a->at[i].live) {
            ports_check_host(a->d, a->at[i].spec, ps);
            spec_locate(a->at[i].text, a->at[i].file, ps);
        }
    release_claims(a);
    for (unsigned i = 0; i < a->n; i++)
        if (a->at[i].live) {
            (void)ports_claim(a->d, zone_of(&a->at[i]), a->at[i].spec, false, ps);
            (void)aliases_claim(a->d, zone_of(&a->at[i]), a->at[i].spec, ps);
            spec_locate(a->at[i].text, a->at[i].file, ps);
        }
    release_claims(a);
    for (unsigned i = 0; i < a->n; i++)
        if (a->at[i].live)
            zone_claims_back(zone_of(&a->at[i]));
}

/* What the plans of running zones say, for what they will say; again: back. */
static void swap_specs(struct apply_job *a, struct spec **will)
{
    for (unsigned i = 0; i < a->n; i++) {
        struct plan *p = will[i] ? zone_of(&a->at[i])->plan : NULL;
        struct spec *was = p ? p->spec : NULL;
        if (!p)
            continue;
        p->spec = will[i];
        will[i] = was;
    }
}

/* Promises: asked by each zone that changes its own, among the others as they will be until they start anew. */
static void try_division(struct apply_job *a, struct problems *ps)
{
    auto_free struct spec **will = xcalloc(a->n + 1, sizeof(*will));
    for (unsigned i = 0; i < a->n; i++)
        if (a->at[i].live) {
            will[i] = spec_copy(a->at[i].spec);
            spec_stay(zone_of(&a->at[i])->plan->spec, will[i]);
        }
    swap_specs(a, will);
    for (unsigned i = 0; i < a->n && !ps->len; i++) {
        struct apply_item *it = &a->at[i];
        struct zone *z = will[i] ? zone_of(it) : NULL;
        struct division v;
        if (!z || division_asks_same(z->plan->spec, will[i]))
            continue;
        (void)division_make(a->d, z, z->plan->spec, &v, ps);
        division_done(&v);
        spec_locate(it->text, it->file, ps);
    }
    swap_specs(a, will);
    for (unsigned i = 0; i < a->n; i++)
        spec_free(will[i]);
}

int apply_read(struct apply_job *a, const json *sources, struct problems *ps, struct err *e)
{
    int r = 0;
    a->at = xcalloc(js_len(sources) + 1, sizeof(*a->at));
    a->list = js_array();
    for (; a->n < js_len(sources) && r == 0; a->n++)
        r = read_one(a, &a->at[a->n], js_at(sources, a->n), ps, e);
    if (r == 0)
        r = try_leases(a, e);
    if (r < 0)
        return r;
    try_claims(a, ps);
    if (!ps->len)
        try_division(a, ps);
    return ps->len ? problems_to_err(ps, e, ps->at[0].file) : 0;
}

void apply_items_free(struct apply_job *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        free(a->at[i].text);
        free(a->at[i].old);
        spec_free(a->at[i].spec);
    }
    free(a->at);
    a->at = NULL;
    a->n = 0;
}
