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

static void look_at_claims(struct apply_item *it)
{
    const struct spec *has = apply_has(it);
    if (!has)
        return;
    auto_spec struct spec *was = spec_copy(has), *will = spec_copy(it->spec);
    it->takes = spec_lessen(will, has);
    it->gives = spec_lessen(was, it->spec);
}

/* Links that were deleted are made again by an update of what the zone has. */
static void add_missing(const struct zone *z, json *drift)
{
    for (unsigned i = 0; i < z->plan->links.len; i++) {
        const struct net_link_plan *l = &z->plan->links.at[i];
        if (!(z->missing & 1u << i))
            continue;
        auto_free char *key = xasprintf("network[%u]", i);
        json *row = js_object();
        js_set_str(row, "key", key);
        js_set_str(row, "want", l->network.name);
        js_set_str(row, "have", "none");
        js_set_str(row, "file", l->ifname);
        js_add(drift, row);
    }
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
    spec_diff(up ? z->plan->spec : z->spec ? z->spec : it->spec, new, &changes);
    bool missing = up && z->missing;
    it->same = !strcmp(it->old, it->text) && !changes_any_live(&changes) && !missing;
    it->live = up && (changes_any_live(&changes) || missing);
    if (!it->same && (it->live || !up))
        look_at_claims(it);
    bool alone = missing && !changes.len && !strcmp(it->old, it->text);
    js_set_str(it->view, "action", it->same ? "none" : "change");
    js_set(it->view, "changes", changes_to_json(&changes, up));
    spec_changes_done(&changes);
    auto_js json *drift = drift_check_around(d, z);
    if (missing)
        add_missing(z, drift);
    if (js_len(drift)) {
        js_set(it->view, "drift", js_ref(drift));
        if (it->same || alone)
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
    if (r == 0 && it->live && z->group)
        r = cg_cap_holds(z->group, &z->plan->spec->memory, &it->spec->memory, e);
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

static void set_aside(struct apply_item *it, struct zone *z)
{
    if (it->aside)
        return;
    it->aside = true;
    if (it->old && !z->ephemeral) /* a file that is mended by now is what it has */
        (void)lease_load(it->job->d, z, NULL);
    it->was = z->lease;
    it->was.links = xcalloc(z->lease.nlinks + 1, sizeof(*it->was.links));
    for (unsigned i = 0; i < z->lease.nlinks; i++)
        it->was.links[i] = z->lease.links[i];
}

/* z: of the registry, or one that only looks like the zone that is to be made. A running zone that takes gives back what it had
 * only when it is done. */
static int try_lease(struct apply_item *it, struct zone *z, const struct spec *s, bool hold, struct err *e)
{
    struct zd *d = it->job->d;
    set_aside(it, z);
    int r = lease_begin(d, z, s, &it->lease, e);
    it->leased = r == 0 && hold;
    if (r == 0 && !hold)
        lease_commit(d, z, &it->lease);
    return r;
}

static int try_round(struct apply_job *a, struct zone *news, enum apply_phase phase, struct err *e)
{
    int r = 0;
    for (unsigned i = 0; i < a->n && r == 0; i++) {
        struct apply_item *it = &a->at[i];
        struct zone *z = it->old ? zone_of(it) : &news[i];
        bool late = apply_is_late(it);
        auto_spec struct spec *less = phase == APPLY_GIVE ? apply_less(it) : NULL;
        if (it->same || (it->old && zone_is_up(z) && !it->live))
            continue;
        snprintf(news[i].name, sizeof(news[i].name), "%s", it->spec->zone);
        if (less)
            r = try_lease(it, z, less, false, e);
        else if (late == (phase == APPLY_TAKE))
            r = try_lease(it, z, it->spec, late && it->live, e);
    }
    return r;
}

/* Addresses: both rounds, then all as it was. */
static int try_leases(struct apply_job *a, struct err *e)
{
    struct zone *news = xcalloc(a->n + 1, sizeof(*news));
    int r = try_round(a, news, APPLY_GIVE, e);
    r = r < 0 ? r : try_round(a, news, APPLY_TAKE, e);
    for (unsigned i = 0; i < a->n; i++) {
        struct apply_item *it = &a->at[i];
        struct zone *z = it->old ? zone_of(it) : &news[i];
        if (it->leased)
            lease_rollback(a->d, z, &it->lease);
        if (it->aside)
            lease_release(a->d, z);
    }
    for (unsigned i = 0; i < a->n; i++)
        if (a->at[i].aside && a->at[i].old)
            lease_recall(a->d, zone_of(&a->at[i]), &a->at[i].was, NULL);
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

/* Promises: of the zones that change theirs, among the others as they will be until they start anew. */
static void try_division(struct apply_job *a, struct problems *ps)
{
    auto_free struct division_ask *asks = xcalloc(a->n + 1, sizeof(*asks));
    auto_free const struct apply_item **of = xcalloc(a->n + 1, sizeof(*of));
    struct division v;
    unsigned n = 0, culprit;
    for (unsigned i = 0; i < a->n; i++) {
        struct zone *z = a->at[i].live ? zone_of(&a->at[i]) : NULL;
        struct spec *will = NULL;
        if (!z || spec_stay(z->plan->spec, a->at[i].spec, &will, NULL) < 0) /* the change says why */
            continue;
        if (division_asks_same(z->plan->spec, will)) {
            spec_free(will);
            continue;
        }
        asks[n] = (struct division_ask){.z = z, .spec = will};
        of[n++] = &a->at[i];
    }
    if (n) {
        if (division_try(a->d, asks, n, &v, &culprit, ps) < 0)
            spec_locate(of[culprit]->text, of[culprit]->file, ps);
        division_done(&v);
    }
    while (n)
        spec_free((struct spec *)asks[--n].spec);
}

int apply_read(struct apply_job *a, const json *sources, struct problems *ps, struct err *e)
{
    int r = 0;
    a->at = xcalloc(js_len(sources) + 1, sizeof(*a->at));
    a->list = js_array();
    for (; a->n < js_len(sources) && r == 0; a->n++) {
        r = read_one(a, &a->at[a->n], js_at(sources, a->n), ps, e);
        a->takers += r == 0 && apply_is_late(&a->at[a->n]);
    }
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
        free(a->at[i].was.links);
        spec_free(a->at[i].spec);
    }
    free(a->at);
    a->at = NULL;
    a->n = 0;
}
