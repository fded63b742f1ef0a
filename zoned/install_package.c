/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packages become zones: what one asks and wants is looked at without side effects, then the zone is made, or an installed one is
 * changed: the package's new spec with the operator's own settings on top, a fresh root, its volumes as they are, and the former
 * self kept to go back to. */
#include "base/log.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/package.h"
#include <errno.h>

struct look {
    struct zd *d;
    const struct install *in;
    struct zone *z; /* NULL: a new one */
    struct zone_package had;
    json *values, *messages, *missing, *kept;
    json *wants, *before; /* of this package, and what the former one wants */
    json *
        shown; /* what the zone takes that comes of it: the operator's own settings in place of the package's; NULL: wants */
    char **allow;        /* of now and before, for the record */
    struct spec *theirs; /* as the package says; NULL while values are missing */
    char *text;          /* of the spec file to be */
};

static void look_done(struct look *k)
{
    zone_package_done(&k->had);
    js_free(k->values);
    js_free(k->messages);
    js_free(k->missing);
    js_free(k->kept);
    js_free(k->wants);
    js_free(k->before);
    js_free(k->shown);
    strv_free(k->allow);
    spec_free(k->theirs);
    free(k->text);
}

static void note(struct look *k, char *text)
{
    js_add(k->messages, js_string(text));
    free(text);
}

/* An installed zone may only be changed by a package of the same name, while it is at rest. */
static int look_at_zone(struct look *k, struct err *e)
{
    const char *name = k->in->name;
    k->z = registry_find(k->d, name);
    if (!k->z) {
        int r = spec_check_name("zone", name, e);
        return r < 0 ? r : build_permits(k->d, NULL, name, e);
    }
    if (zone_package_load(k->d, name, &k->had) < 0) {
        err_set(e, ERR_CONFLICT, EEXIST, "zone %s exists already and is of no package", name);
        return err_hint(e, "zonectl install %s OTHER-NAME", k->in->ref);
    }
    const char *was = k->had.package->name, *is = k->in->package->name;
    if (was && is && strcmp(was, is) != 0) {
        err_set(e, ERR_CONFLICT, EEXIST, "zone %s is of package %s, not of %s", name, was, is);
        return err_hint(e, "zonectl install %s OTHER-NAME", k->in->ref);
    }
    return state_allows(k->z->state, VERB_INSTALL, name, e) == VERB_REFUSED ? -EBUSY : 0;
}

/* What was given before holds on; what the package no longer asks goes. */
static void gather_values(struct look *k)
{
    const struct spec_package *p = k->in->package;
    k->values = js_object();
    for (void *it = k->had.values ? js_iter(k->had.values) : NULL; it; it = js_next(k->had.values, it)) {
        bool asked = false;
        for (unsigned i = 0; i < p->parameters.len; i++)
            asked |= str_eq(p->parameters.at[i].name, js_iter_key(it));
        if (asked)
            js_set(k->values, js_iter_key(it), js_ref(js_iter_value(it)));
        else
            note(k, xasprintf("the package no longer has the parameter %s", js_iter_key(it)));
    }
    for (void *it = k->in->set ? js_iter((json *)k->in->set) : NULL; it; it = js_next((json *)k->in->set, it))
        js_set(k->values, js_iter_key(it), js_ref(js_iter_value(it)));
    for (char **w = k->had.allow; w && *w; w++)
        strv_add(&k->allow, *w);
    for (char **w = k->in->allow; w && *w; w++)
        if (!strv_has(k->allow, *w))
            strv_add(&k->allow, *w);
}

static int parse(const char *text, struct spec **out, struct problems *ps, struct err *e)
{
    return spec_parse(text, strlen(text), "the package", out, ps) < 0 ? problems_to_err(ps, e, "the package")
                                                                      : 0;
}

/* What the operator has set himself needs no word. */
static void show_merged(struct look *k)
{
    auto_spec struct spec *s = NULL;
    if (parse(k->text, &s, NULL, NULL) < 0)
        return; /* who installs is told */
    k->shown = install_wants(k->d, k->in->name, s);
    for (size_t i = 0; i < js_len(k->shown); i++)
        if (!install_had(k->wants, js_at(k->shown, i)))
            js_set(js_at(k->shown, i), "allow", js_null());
}

/* Base: what the former package with the former values says; the difference to the file is the operator's. */
static int merge(struct look *k, struct err *e)
{
    auto_free char *base_text = NULL;
    auto_spec struct spec *base = NULL;
    int r =
        spec_package_render(k->had.package, k->had.values, k->in->name, k->had.image, &base_text, NULL, NULL);
    if (r == 0)
        r = parse(base_text, &base, NULL, NULL);
    if (r < 0 || !k->z->spec)
        return err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", k->in->name);
    k->before = install_wants(k->d, k->in->name, base);
    auto_js json *merged = spec_merge(base, k->z->spec, k->theirs, k->kept);
    k->text = spec_to_text(merged);
    show_merged(k);
    return 0;
}

static int render(struct look *k, struct problems *ps, struct err *e)
{
    auto_free char *text = NULL;
    if (spec_package_render(k->in->package, k->values, k->in->name, k->in->ref, &text, k->missing, ps) < 0)
        return problems_to_err(ps, e, "the package");
    if (js_len(k->missing))
        return 0;
    int r = parse(text, &k->theirs, ps, e);
    if (r == 0)
        k->wants = install_wants(k->d, k->in->name, k->theirs);
    if (r == 0 && k->z)
        r = merge(k, e);
    else if (r == 0)
        k->text = xstrdup(text);
    return r;
}

static int look(struct zd *d, const struct install *in, struct look *k, struct problems *ps, struct err *e)
{
    *k = (struct look){.d = d, .in = in, .messages = js_array(), .missing = js_array(), .kept = js_array()};
    int r = look_at_zone(k, e);
    if (r < 0)
        return r;
    gather_values(k);
    return render(k, ps, e);
}

/* ---- what is shown ---- */
static json *parameters_of(const struct look *k)
{
    json *list = js_array();
    for (unsigned i = 0; i < k->in->package->parameters.len; i++) {
        const struct spec_param *p = &k->in->package->parameters.at[i];
        const char *given = js_get_str(k->values, p->name, NULL);
        json *o = js_object();
        js_set_str(o, "name", p->name);
        js_set_str(o, "type", spec_param_type_name(p->type));
        js_set_str(o, "description", p->description);
        js_set_str(o, "default", p->def);
        js_set_bool(o, "required", p->required);
        js_set_bool(o, "secret", p->secret);
        js_set_bool(o, "given", given != NULL);
        js_set_str(o, "value", p->secret ? NULL : given ? given : p->def);
        if (p->choices)
            js_set_strv(o, "choices", p->choices);
        js_add(list, o);
    }
    return list;
}

/* The words that are needed and were not given. */
static json *denied_words(const struct look *k)
{
    auto_js json *denied = install_denied(k->wants, k->in->allow, k->before);
    json *list = js_array();
    char **seen = NULL;
    for (size_t i = 0; i < js_len(denied); i++) {
        const char *word = js_get_str(js_at(denied, i), "allow", "");
        if (strv_has(seen, word))
            continue;
        strv_add(&seen, word);
        js_add(list, js_string(word));
    }
    strv_free(seen);
    return list;
}

static json *changes_of(const struct look *k)
{
    json *list = js_array();
    auto_spec struct spec *new = NULL;
    spec_changes changes = {0};
    if (!k->z || !k->z->spec || !k->text || parse(k->text, &new, NULL, NULL) < 0)
        return list;
    spec_diff(k->z->spec, new, &changes);
    for (unsigned i = 0; i < changes.len; i++) {
        bool env = str_starts(changes.at[i].key, "process.env."); /* it may be a secret's */
        json *o = js_object();
        js_set_str(o, "key", changes.at[i].key);
        js_set_str(o, "before", env ? NULL : changes.at[i].before);
        js_set_str(o, "after", env ? NULL : changes.at[i].after);
        js_add(list, o);
    }
    spec_changes_done(&changes);
    return list;
}

/* ---- what would refuse it ---- */
static int check_complete(struct look *k, struct problems *ps, struct err *e)
{
    for (size_t i = 0; i < js_len(k->missing); i++) {
        auto_free char *key = xasprintf("set %s", js_str_of(js_at(k->missing, i), ""));
        problem_add(ps, ERR_INVALID, NULL, 0, key, "is missing");
    }
    if (js_len(k->missing)) {
        (void)problems_to_err(ps, e, "the package");
        return err_hint(e, "--set %s=VALUE", js_str_of(js_at(k->missing, 0), "NAME"));
    }
    auto_js json *denied = install_denied(k->wants, k->in->allow, k->before), *words = denied_words(k);
    if (!js_len(denied))
        return 0;
    char **list = NULL;
    for (size_t i = 0; i < js_len(words); i++)
        strv_add(&list, js_str_of(js_at(words, i), ""));
    auto_free char *all = strv_join(list, ",");
    strv_free(list);
    for (size_t i = 0; i < js_len(denied); i++) {
        const json *w = js_at(denied, i);
        problem_add(ps, ERR_DENIED, NULL, 0, js_get_str(w, "allow", ""), "the package wants %s %s",
                    js_get_str(w, "what", ""), js_get_str(w, "value", ""));
    }
    err_set(e, ERR_DENIED, EPERM, "the package wants more of the host than is allowed");
    err_hint(e, "--allow %s, if you trust whoever made it", all);
    return -EPERM;
}

/* What this host lacks of all that the spec names, at once. */
static int check_host(struct look *k, struct problems *ps, struct err *e)
{
    auto_spec struct spec *s = NULL;
    int r = parse(k->text, &s, ps, e);
    if (r < 0)
        return r;
    check_limits(k->d, s, ps);
    networks_check(k->d, s, ps);
    return ps->len ? problems_to_err(ps, e, k->in->name) : 0;
}

static int check(struct look *k, struct problems *ps, struct err *e)
{
    int r = check_complete(k, ps, e);
    return r < 0 ? r : check_host(k, ps, e);
}

/* The error that an install would end with, or null. */
static json *refusal(struct look *k)
{
    struct err e = {0};
    struct problems ps = {0};
    json *o = check(k, &ps, &e) < 0 ? js_from_err(&e, &ps) : js_null();
    problems_done(&ps);
    return o;
}

json *install_look(struct zd *d, const struct install *in, struct problems *ps, struct err *e)
{
    struct look k;
    json *o = NULL;
    if (look(d, in, &k, ps, e) == 0) {
        o = js_object();
        js_set_str(o, "name", in->name);
        js_set_str(o, "ref", in->ref);
        js_set_str(o, "digest", in->digest);
        js_set_str(o, "package", in->package->name);
        js_set_str(o, "version", in->package->version);
        js_set_str(o, "description", in->package->description);
        js_set_bool(o, "new", !k.z);
        js_set_str(o, "installed_version", k.had.package ? k.had.package->version : NULL);
        js_set(o, "parameters", parameters_of(&k));
        js_set(o, "missing", js_ref(k.missing));
        js_set(o, "wants", k.shown ? js_ref(k.shown) : k.wants ? js_ref(k.wants) : js_array());
        js_set(o, "denied", denied_words(&k));
        js_set(o, "changes", changes_of(&k));
        js_set(o, "kept", js_ref(k.kept));
        js_set(o, "messages", js_ref(k.messages));
        js_set(o, "refused", refusal(&k));
    }
    look_done(&k);
    return o;
}

/* ---- and done ---- */
static char *record_of(const struct look *k)
{
    const struct zone_package p = {.image = (char *)k->in->ref,
                                   .digest = (char *)k->in->digest,
                                   .package = (struct spec_package *)k->in->package,
                                   .values = k->values,
                                   .allow = k->allow};
    return zone_package_text(&p);
}

/* A name may have been given to another image since it was shown: what is installed is what was looked at. */
static int check_root(const struct look *k, const struct stor_root_plan *root, struct err *e)
{
    if (str_eq(root->manifest, k->in->digest))
        return 0;
    err_set(e, ERR_CONFLICT, ESTALE, "%s has become another image meanwhile (%.19s…, not %.19s…)", k->in->ref,
            root->manifest ? root->manifest : "none", k->in->digest);
    return err_hint(e, "look at it anew: zonectl install --dry-run %s", k->in->ref);
}

static int make_zone(struct look *k, struct problems *ps, struct err *e)
{
    struct zone *z = NULL;
    struct stor_root_plan root = {0};
    auto_free char *record = record_of(k);
    int r = op_create(k->d, k->in->name, k->text, false, &z, ps, e);
    if (r < 0)
        return r;
    k->z = z;
    r = zone_root(k->d, z, &root, e);
    r = r < 0 ? r : check_root(k, &root, e);
    stor_root_done(&root);
    r = r < 0 ? r : stor_zone_note_put(k->d->pool, z->name, "package", record, e);
    if (r < 0) {
        install_undo(k->d, z);
        k->z = NULL;
    } else {
        free(take_ptr(&z->new_volumes));
    }
    return r;
}

/* The registry's picture after the files have changed. */
static int settle(struct zd *d, struct zone *z, struct problems *ps, struct err *e)
{
    bool *made = NULL;
    int r = store_reload(d, z, ps, e);
    r = r < 0 ? r : mounts_make_volumes(d, z, &made, e);
    free(made);
    r = r < 0 ? r : lease_make(d, z, e);
    r = r < 0 ? r : lease_save(d, z, e);
    if (r == 0) {
        zone_set_error(z, NULL);
        if (z->state == ZONE_FAILED)
            zone_set_state(z, ZONE_INSTALLED);
        event_publish(d, "changed", z->name, NULL);
    }
    return r;
}

static int change_zone(struct look *k, struct problems *ps, struct err *e)
{
    struct stor_root_plan root = {0};
    struct zd *d = k->d;
    auto_free char *record = record_of(k), *before = NULL;
    auto_spec struct spec *new = NULL;
    int r = parse(k->text, &new, ps, e);
    if (r == 0)
        closed_folders_refresh(d, new);
    r = r < 0 ? r : mounts_check(d, new, e);
    r = r < 0 ? r : build_zone_check(d, k->in->name, new, e);
    r = r < 0 ? r : store_read_text(d, k->z, &before, e);
    r = r < 0 ? r : stor_image_prepare(d->pool, k->in->ref, NULL, -1, &root, e);
    r = r < 0 ? r : check_root(k, &root, e);
    r = r < 0 ? r : stor_zone_note_put(d->pool, k->in->name, "spec", before, e);
    r = r < 0 ? r : stor_zone_stage(d->pool, k->in->name, &root, record, k->text, e);
    stor_root_done(&root);
    r = r < 0 ? r : package_finish(d, k->in->name, e);
    return r < 0 ? r : settle(d, k->z, ps, e);
}

static void answer(struct look *k, json **out)
{
    for (size_t i = 0; i < js_len(k->kept); i++)
        note(k, xasprintf("%s: your own setting is kept over the package's new one",
                          js_str_of(js_at(k->kept, i), "")));
    json *o = zone_to_json(k->d, k->z, true), *all = k->z->messages ? take_ptr(&k->z->messages) : js_array();
    js_add_all(all, k->messages);
    js_set(o, "messages", all);
    *out = o;
}

int install_do(struct zd *d, const struct install *in, json **out, struct problems *ps, struct err *e)
{
    struct look k;
    int r = look(d, in, &k, ps, e);
    r = r < 0 ? r : check(&k, ps, e);
    r = r < 0 ? r : k.z ? change_zone(&k, ps, e) : make_zone(&k, ps, e);
    if (r == 0)
        answer(&k, out);
    look_done(&k);
    return r;
}

int install_back(struct zd *d, struct zone *z, json **out, struct problems *ps, struct err *e)
{
    auto_free char *before = NULL;
    if (state_allows(z->state, VERB_INSTALL, z->name, e) == VERB_REFUSED)
        return -EBUSY;
    if (!stor_zone_has_previous(d->pool, z->name)) {
        err_set(e, ERR_NOT_FOUND, ENOENT, "zone %s has no former package to go back to", z->name);
        return -ENOENT;
    }
    int r = store_read_text(d, z, &before, e);
    r = r < 0 ? r : stor_zone_note_put(d->pool, z->name, "spec", before, e);
    r = r < 0 ? r : stor_zone_stage_back(d->pool, z->name, e);
    r = r < 0 ? r : package_finish(d, z->name, e);
    r = r < 0 ? r : settle(d, z, ps, e);
    if (r < 0)
        return r;
    *out = zone_to_json(d, z, true);
    js_set(*out, "messages", js_array());
    return 0;
}
