/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of a running zone: its new spec is on disk already, leases and ports are taken beside the old ones, and the
 * supervisor gets the new plan. When it has done it the old ones are given back; when it refuses, all is as it was, the
 * file too. The others make room before it is sent. One at a time per zone, and the division waits for its end. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <systemd/sd-event.h>

struct update {
    struct spec *spec; /* what the zone is to have */
    struct plan *plan; /* the new one; once it is sent, and is the zone's, the old one */
    char *old_text;
    struct lease_change leases;
    unsigned missing; /* links that it makes again */
    bool divides;     /* it asks for another part of the machine than before */
    uint64_t divisions;
    zone_update_done done; /* NULL: it was told that the supervisor does not answer */
    void *arg;
    struct zone *zone;
    sd_event_source *deadline;
};

void zone_put_back(struct zd *d, struct zone *z, const char *old_text)
{
    struct problems ps = {0};
    struct err e = {0};
    if (store_write_text(d, z, old_text, &e) < 0 || store_reload(d, z, &ps, &e) < 0)
        log_error("zone %s: %s", z->name, e.text);
    problems_done(&ps);
}

void zone_claims_back(struct zone *z)
{
    struct problems ps = {0};
    (void)ports_claim(z->d, z, z->plan->spec, false, &ps);
    (void)aliases_claim(z->d, z, z->plan->spec, &ps);
    problems_done(&ps);
}

/* Changes the zone's plan for the one kept here. */
static void swap_plans(struct zone *z, struct update *u)
{
    struct plan *p = z->plan;
    z->plan = u->plan;
    u->plan = p;
}

static void update_free(struct update *u)
{
    sd_event_source_disable_unref(u->deadline);
    spec_free(u->spec);
    plan_free(u->plan);
    free(u->old_text);
    free(u);
}

/* The files with names, which who shares the zone's network has of it. */
static bool same_files(const struct plan *a, const struct plan *b)
{
    bool same = a->files.len == b->files.len;
    for (unsigned i = 0; same && i < a->files.len; i++)
        same = !strcmp(a->files.at[i].path, b->files.at[i].path) &&
               str_eq(a->files.at[i].text, b->files.at[i].text);
    return same;
}

/* What rules of networks know a zone by. Loading them anew takes as long as there are rules and zones. */
static bool same_to_rules(const struct plan *a, const struct plan *b)
{
    const struct spec *x = a->spec, *y = b->spec;
    bool same = x->labels.len == y->labels.len && a->links.len == b->links.len;
    for (unsigned i = 0; same && i < x->labels.len; i++)
        same = str_eq(x->labels.at[i].key, y->labels.at[i].key) &&
               str_eq(x->labels.at[i].value, y->labels.at[i].value);
    for (unsigned i = 0; same && i < a->links.len; i++)
        same = str_eq(a->links.at[i].network.name, b->links.at[i].network.name) &&
               str_eq(a->links.at[i].host_ifname, b->links.at[i].host_ifname) &&
               net_addr_eq(&a->links.at[i].addr4, &b->links.at[i].addr4) &&
               net_addr_eq(&a->links.at[i].addr6, &b->links.at[i].addr6);
    return same;
}

static void finished(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct update *u = arg;
    struct err se = {0};
    z->updating = z->unanswered = false;
    if (err_is(e)) { /* what the kernel refused is not written either */
        zone_put_back(z->d, z, u->old_text);
        lease_rollback(z->d, z, &u->leases);
        if (z->plan) {
            swap_plans(z, u);
            zone_claims_back(z);
            if (!same_to_rules(z->plan, u->plan))
                firewall_follow(z);
        }
    } else {
        z->missing &= ~u->missing;
        lease_commit(z->d, z, &u->leases);
        if (lease_save(z->d, z, &se) < 0)
            log_error("zone %s: %s", z->name, se.text);
        if (z->plan) {
            zone_judge(z);
            names_follow(z, u->plan);
            dhcp_follow(z, u->plan);
            if (!same_to_rules(z->plan, u->plan))
                firewall_follow(z);
        }
    }
    sample_stale(z);
    if (z->plan) { /* the supervisor has written the plan as it was sent; who else came meanwhile counts too */
        division_save_plan(z);
        if (u->divides || z->d->divisions != u->divisions)
            division_left(z->d);
    }
    bool renamed = !err_is(e) && z->plan && !same_files(z->plan, u->plan);
    const char *again = z->refresh;
    z->refresh = NULL;
    if (u->done)
        u->done(z, e, u->arg);
    update_free(u);
    if (renamed)
        sharers_refresh(z);
    if (again && zone_is_up(z))
        zone_refresh(z, again);
    parents_look_at_told(z);
}

/* Whoever asked goes on. The change is neither done nor refused: it stays under way until the supervisor says which, or has gone. */
static int on_deadline(sd_event_source *s, uint64_t usec, void *arg)
{
    struct update *u = arg;
    struct zone *z = u->zone;
    struct err e = {0};
    zone_update_done done = u->done;
    u->done = NULL;
    z->unanswered = true;
    (void)sup_silent(z, "; when it does, the change is made, or taken back", &e);
    done(z, &e, u->arg);
    return 0;
}

static int prepare(struct zd *d, struct zone *z, struct update *u, struct problems *ps, struct err *e)
{
    int r = lease_begin(d, z, u->spec, &u->leases, e);
    if (r < 0)
        return r;
    u->missing = z->missing;
    r = networks_needed(d, u->spec, e);
    r = r < 0 ? r : op_plan(d, z, u->spec, z->plan, &u->plan, ps, e);
    if (r == 0 && (ports_claim(d, z, u->spec, true, ps) < 0 || aliases_claim(d, z, u->spec, ps) < 0))
        r = problems_to_err(ps, e, z->name);
    if (r < 0) {
        zone_claims_back(z);
        lease_rollback(d, z, &u->leases);
        return r;
    }
    u->plan->uid_base = z->plan->uid_base;
    return 0;
}

static int send_plan(struct zone *z, struct update *u, struct err *e)
{
    json *m = js_object();
    js_set_str(m, "op", "update");
    js_set(m, "plan", plan_to_json(u->plan));
    auto_free char *pool = division_pool_of(z->plan);
    int r = drift_heal_shared(z->d, pool_find(z->d, pool), e);
    swap_plans(z, u);
    bool judged = !same_to_rules(z->plan, u->plan);
    if (r >= 0 && judged) /* before the new links carry anything; what goes, goes at the end */
        r = firewall_join(z, e);
    u->divides = !division_asks_same(z->plan->spec, u->plan->spec);
    r = r < 0 || !u->divides ? r : division_apply(z->d, z, e);
    u->divisions = z->d->divisions;
    if (r < 0)
        js_free(m);
    else
        r = sup_request_long(z, m, NULL, 0, finished, u, e);
    if (r < 0) {
        swap_plans(z, u);
        division_left(z->d);
        lease_rollback(z->d, z, &u->leases);
        zone_claims_back(z);
        if (judged)
            firewall_follow(z);
    }
    return r;
}

static int live_part(const struct zone *z, const struct spec *spec, struct spec **out, struct err *e)
{
    struct problems none = {0}; /* of the image: they were told at the start */
    char **env = NULL;
    auto_spec struct spec *full = spec_copy(spec);
    spec_apply_image(full, z->plan->root.config, &env, &none);
    strv_free(env);
    problems_done(&none);
    int r = spec_stay(z->plan->spec, full, out, e);
    if (r < 0)
        return err_prefix(e, "zone %s", z->name);
    free((*out)->cpu.pool); /* a plan of an older zoned has that of the file */
    (*out)->cpu.pool = division_pool_of(z->plan);
    return 0;
}

/* spec: as the zone is to be; taken. */
static int begin(struct zd *d, struct zone *z, struct spec *spec, const char *old_text, struct problems *ps,
                 zone_update_done done, void *arg, struct err *e)
{
    struct update *u = xcalloc(1, sizeof(*u));
    *u = (struct update){.zone = z, .spec = spec, .old_text = xstrdup(old_text), .done = done, .arg = arg};
    int r = prepare(d, z, u, ps, e);
    r = r < 0 ? r : send_plan(z, u, e);
    if (r < 0) {
        update_free(u);
        return r;
    }
    z->updating = true;
    (void)sd_event_add_time_relative(d->event, &u->deadline, CLOCK_MONOTONIC, SUP_PATIENCE_US, 0, on_deadline,
                                     u);
    return 0;
}

int zone_update(struct zd *d, struct zone *z, const struct spec *spec, const char *old_text,
                struct problems *ps, zone_update_done done, void *arg, struct err *e)
{
    struct spec *live = NULL;
    if (z->unanswered)
        return sup_silent(z, ", and has not for the change before", e);
    if (z->updating) {
        err_set(e, ERR_BUSY, EBUSY, "zone %s: another change is under way", z->name);
        return err_hint(e, "try again when it is done");
    }
    int r = live_part(z, spec, &live, e);
    return r < 0 ? r : begin(d, z, live, old_text, ps, done, arg, e);
}

static void refreshed(struct zone *z, const struct err *e, void *arg)
{
    if (err_is(e))
        log_warning("zone %s: %s: %s", z->name, (const char *)arg, e->text);
}

void zone_refresh(struct zone *z, const char *what)
{
    auto_free char *text = NULL;
    struct problems ps = {0};
    struct err e = {0};
    if (z->updating) {
        z->refresh = what;
        return;
    }
    int r = store_read_text(z->d, z, &text, &e);
    r = r < 0 ? r : begin(z->d, z, spec_copy(z->plan->spec), text, &ps, refreshed, (void *)what, &e);
    if (r < 0)
        refreshed(z, &e, (void *)what);
    problems_done(&ps);
}
