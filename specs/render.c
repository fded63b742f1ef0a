/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a package to a spec and back, as texts and trees; checked like any spec at the end. */
#include "base/mem.h"
#include "specs/edit.h"
#include "specs/package_internal.h"
#include <errno.h>
#include <string.h>

/* A text that could be taken for something else is quoted, all else is plain. */
static void emit(struct str *s, const struct spec_node *n)
{
    if (n->kind == SPEC_SCALAR) {
        spec_emit_scalar(s, n->text, true, !n->plain, false);
        return;
    }
    str_add(s, n->kind == SPEC_MAP ? "{" : "[");
    for (const struct spec_node *c = n->first; c; c = c->next) {
        str_add(s, c == n->first ? "" : ", ");
        if (c->key) {
            spec_emit_scalar(s, c->key, true, true, false);
            str_add(s, ": ");
        }
        emit(s, c);
    }
    str_add(s, n->kind == SPEC_MAP ? "}" : "]");
}

/* Block style for the keys of the top, flow style below: a line a key. */
char *spec_to_text(const json *spec)
{
    struct spec_load quiet = {0};
    struct spec_doc d = {0};
    struct str s = {0};
    if (spec_doc_from_json(&d, spec, &quiet) == 0 && d.root && d.root->kind == SPEC_MAP)
        for (const struct spec_node *c = d.root->first; c; c = c->next) {
            spec_emit_scalar(&s, c->key, true, true, false);
            str_add(&s, ": ");
            emit(&s, c);
            str_add(&s, "\n");
        }
    spec_doc_done(&d);
    return str_take(&s);
}

/* What each parameter is; a value that is none is a problem. */
static json *settle(const struct spec_package *p, const json *values, json *missing, struct spec_load *l)
{
    json *all = js_object();
    char buf[160];
    for (unsigned i = 0; i < p->parameters.len; i++) {
        const struct spec_param *q = &p->parameters.at[i];
        const char *given = js_get_str(values, q->name, NULL), *value = given ? given : q->def;
        auto_free char *key = xasprintf("set %s", q->name);
        struct spec_where w = {NULL, key, -1};
        const char *complaint = value ? spec_param_check(q, value, buf) : NULL;
        char show[SPEC_SHOW];
        if (complaint && q->secret)
            spec_bad(l, 0, &w, "the value %s", complaint);
        else if (complaint)
            spec_bad(l, 0, &w, "\"%s\" %s", spec_show(value, show), complaint);
        else if (value)
            js_set_str(all, q->name, value);
        else if (q->required && missing)
            js_add(missing, js_string(q->name));
        else if (q->required)
            spec_bad(l, 0, &w, "is missing (%s)", q->description ? q->description : "the package needs it");
    }
    return all;
}

static void check_names(const struct spec_package *p, const json *values, struct spec_load *l)
{
    for (void *it = values ? js_iter((json *)values) : NULL; it; it = js_next((json *)values, it)) {
        const char *name = js_iter_key(it);
        struct spec_where w = {NULL, "set", -1};
        char show[SPEC_SHOW];
        if (!spec_param_find(p, name, strlen(name)))
            spec_bad(l, 0, &w, "the package has no parameter %s", spec_show(name, show));
    }
}

int spec_package_render(const struct spec_package *p, const json *values, const char *zone, const char *image,
                        char **out, json *missing, struct problems *ps)
{
    struct spec_load l = {.ps = ps};
    check_names(p, values, &l);
    auto_js json *all = settle(p, values, missing, &l);
    if (l.bad || js_len(missing))
        return l.bad ? -EINVAL : 0;
    auto_js json *o = js_object();
    auto_js json *filled = p->zone ? spec_param_fill(p, all, p->zone, &l, NULL) : js_object();
    js_set_int(o, "version", 1);
    js_set_str(o, "zone", zone);
    js_set_str(o, "image", image);
    for (void *it = js_iter(filled); it; it = js_next(filled, it))
        if (!js_get(o, js_iter_key(it)))
            js_set(o, js_iter_key(it), js_ref(js_iter_value(it)));
    auto_spec struct spec *s = NULL;
    auto_free char *text = spec_to_text(o);
    if (l.bad || spec_parse(text, strlen(text), NULL, &s, ps) < 0)
        return -EINVAL;
    *out = take_ptr(&text);
    return 0;
}

/* ---- a spec's keys without those that say nothing ---- */
static json *defaults_of(const struct spec *s)
{
    static const char bare[] = "zone: x\nimage: host\n",
                      with_system[] = "zone: x\nimage: host\ninit: system\n";
    const char *text = s->init == SPEC_INIT_SYSTEM ? with_system : bare;
    struct spec *d = NULL;
    (void)spec_parse(text, strlen(text), NULL, &d, NULL);
    json *o = spec_to_json(d);
    spec_free(d);
    return o;
}

static bool same(const json *a, const json *b)
{
    auto_free char *x = a ? js_dump(a, false) : NULL, *y = b ? js_dump(b, false) : NULL;
    return str_eq(x, y);
}

/* Leaves of a that differ from b's, or that keep has too; objects are walked, lists are leaves. */
static json *without(json *a, const json *b, const json *keep)
{
    json *out = js_object();
    for (void *it = js_iter(a); it; it = js_next(a, it)) {
        json *v = js_iter_value(it), *d = js_get(b, js_iter_key(it)), *k = js_get(keep, js_iter_key(it));
        if (js_type_of(v) == JS_OBJECT && js_type_of(d) == JS_OBJECT) {
            json *sub = without(v, d, k);
            if (js_len(sub))
                js_set(out, js_iter_key(it), sub);
            else
                js_free(sub);
        } else if (k || !same(v, d)) {
            js_set(out, js_iter_key(it), js_ref(v));
        }
    }
    return out;
}

static json *essential(const struct spec *s, const json *keep)
{
    auto_js json *all = spec_to_json(s), *usual = defaults_of(s);
    json *out = without(all, usual, keep);
    js_set_str(out, "zone", s->zone);
    js_set_str(out, "image", s->image);
    if (s->init == SPEC_INIT_SYSTEM)
        js_set_str(out, "init", "system");
    return out;
}

/* ---- three ways ---- */
static json *merge(const json *base, const json *mine, const json *theirs, const char *key, json *kept);

static json *merge_objects(json *base, json *mine, json *theirs, const char *key, json *kept)
{
    json *out = js_object();
    for (void *it = js_iter(theirs); it; it = js_next(theirs, it)) {
        const char *k = js_iter_key(it);
        auto_free char *at = xasprintf("%s%s%s", key, *key ? "." : "", k);
        json *v = merge(js_get(base, k), js_get(mine, k), js_iter_value(it), at, kept);
        if (v)
            js_set(out, k, v);
    }
    for (void *it = js_iter(mine); it; it = js_next(mine, it)) {
        const char *k = js_iter_key(it);
        auto_free char *at = xasprintf("%s%s%s", key, *key ? "." : "", k);
        json *v = js_get(theirs, k) ? NULL : merge(js_get(base, k), js_iter_value(it), NULL, at, kept);
        if (v)
            js_set(out, k, v);
    }
    return out;
}

static bool walkable(const json *a, const json *b, const json *c, enum js_type t)
{
    return js_type_of(a) == t && js_type_of(b) == t && js_type_of(c) == t &&
           (t == JS_OBJECT ||
            (js_len(a) == js_len(b) && js_len(b) == js_len(c) && js_type_of(js_at(a, 0)) == JS_OBJECT));
}

/* NULL: not there. */
static json *merge(const json *base, const json *mine, const json *theirs, const char *key, json *kept)
{
    if (same(base, mine) || same(mine, theirs))
        return theirs ? js_ref((json *)theirs) : NULL;
    if (same(base, theirs))
        return mine ? js_ref((json *)mine) : NULL;
    if (walkable(base, mine, theirs, JS_OBJECT))
        return merge_objects((json *)base, (json *)mine, (json *)theirs, key, kept);
    if (walkable(base, mine, theirs, JS_ARRAY)) {
        json *out = js_array();
        for (size_t i = 0; i < js_len(mine); i++) {
            auto_free char *at = xasprintf("%s[%zu]", key, i);
            json *v = merge(js_at(base, i), js_at(mine, i), js_at(theirs, i), at, kept);
            js_add(out, v ? v : js_null());
        }
        return out;
    }
    js_add(kept, js_string(key));
    return mine ? js_ref((json *)mine) : NULL;
}

json *spec_merge(const struct spec *base, const struct spec *mine, const struct spec *theirs, json *kept)
{
    auto_js json *b = essential(base, NULL), *m = essential(mine, NULL), *t = essential(theirs, NULL);
    js_set_str(b, "image", theirs->image); /* the package's, never the operator's */
    js_set_str(m, "image", theirs->image);
    json *out = js_object(), *merged = merge_objects(b, m, t, "", kept);
    js_set_int(out, "version", 1);
    for (void *it = js_iter(merged); it; it = js_next(merged, it))
        js_set(out, js_iter_key(it), js_ref(js_iter_value(it)));
    js_free(merged);
    return out;
}

/* ---- the way back, for a package ---- */
struct unfill {
    const struct spec_package *former;
    const json *values;
    unsigned hidden;
};

static bool names_secret(const struct unfill *u, const char *template)
{
    for (unsigned i = 0; i < u->former->parameters.len; i++) {
        const struct spec_param *q = &u->former->parameters.at[i];
        auto_free char *mark = xasprintf("${%s}", q->name);
        if (q->secret && strstr(template, mark))
            return true;
    }
    return false;
}

static bool holds_secret(const struct unfill *u, const char *text)
{
    for (unsigned i = 0; u->former && i < u->former->parameters.len; i++) {
        const struct spec_param *q = &u->former->parameters.at[i];
        const char *v = q->secret ? js_get_str(u->values, q->name, NULL) : NULL;
        if (v && *v && strstr(text, v))
            return true;
    }
    return false;
}

static json *unfill_text(struct unfill *u, const char *text)
{
    struct str s = {0};
    if (holds_secret(u, text)) {
        u->hidden++;
        return NULL;
    }
    for (const char *p = text; *p; p++)
        str_add(&s, !strncmp(p, "${", 2) ? "$$" : (char[]){*p, 0});
    auto_free char *escaped = str_take(&s);
    return js_string(escaped);
}

/* v as it goes into the package, where the former one had template, which made it was; NULL: there was nothing. Gives NULL for
 * what is left out. */
static json *unfill(struct unfill *u, const json *v, const json *template, const json *was)
{
    enum js_type t = js_type_of(v);
    const char *mark = js_str_of(template, "");
    if (strstr(mark, "${") && (names_secret(u, mark) || same(v, was)))
        return js_ref((json *)template);
    if (t == JS_STRING)
        return unfill_text(u, js_str_of(v, ""));
    if (t != JS_OBJECT && t != JS_ARRAY)
        return js_ref((json *)v);
    json *out = t == JS_OBJECT ? js_object() : js_array();
    for (void *it = t == JS_OBJECT ? js_iter((json *)v) : NULL; it; it = js_next((json *)v, it)) {
        const char *k = js_iter_key(it);
        json *sub = unfill(u, js_iter_value(it), js_get(template, k), js_get(was, k));
        if (sub)
            js_set(out, k, sub);
    }
    for (size_t i = 0; t == JS_ARRAY && i < js_len(v); i++) {
        json *sub = unfill(u, js_at(v, i), js_at(template, i), js_at(was, i));
        if (sub)
            js_add(out, sub);
    }
    return out;
}

static json *rendered(const struct spec_package *p, const json *values)
{
    auto_free char *text = NULL;
    struct spec *s = NULL;
    if (!p || spec_package_render(p, values, "x", "x:1", &text, NULL, NULL) < 0 || !text ||
        spec_parse(text, strlen(text), NULL, &s, NULL) < 0)
        return NULL;
    json *o = spec_to_json(s);
    spec_free(s);
    return o;
}

json *spec_to_package_zone(const struct spec *s, const struct spec_package *former, const json *values,
                           unsigned *hidden)
{
    static const struct spec_package none;
    struct unfill u = {.former = former ? former : &none, .values = values};
    auto_js json *o = essential(s, u.former->zone), *was = rendered(former, values);
    js_del(o, "zone");
    js_del(o, "image");
    json *out = unfill(&u, o, u.former->zone, was);
    *hidden = u.hidden;
    return out;
}
