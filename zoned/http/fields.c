/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of a request's body and query, held against the tables of its route: pure functions, no HTTP library. What a
 * client misspells or sends as another type is refused, never passed over. */
#include "base/mem.h"
#include "base/str.h"
#include "zoned/http/impl.h"
#include <string.h>

bool zd_is_flag(const char *text, bool *value)
{
    bool yes = str_eq(text, "1") || str_eq(text, "true");
    if (!yes && !str_eq(text, "0") && !str_eq(text, "false"))
        return false;
    *value = yes;
    return true;
}

static const struct zd_field *find(const struct zd_field *of, const char *name)
{
    for (; of && of->name; of++)
        if (of->type == ZD_ANY || str_eq(of->name, name))
            return of;
    return NULL;
}

static void add_unknown(const struct zd_field *of, const char *key, struct problems *ps)
{
    char **names = NULL;
    for (const struct zd_field *f = of; f && f->name; f++)
        strv_add(&names, f->name);
    auto_free char *all = names ? strv_join(names, ", ") : NULL;
    problem_add(ps, ERR_INVALID, NULL, 0, key, "is not known (%s)", all ? all : "none is wanted here");
    strv_free(names);
}

/* ---- body ---- */
static const char *wanted(enum zd_type t)
{
    static const char *const names[] = {[ZD_ANY] = "anything",
                                        [ZD_BOOL] = "true or false",
                                        [ZD_INT] = "a whole number, 0 or more",
                                        [ZD_TEXT] = "a string",
                                        [ZD_TEXTS] = "a list of strings",
                                        [ZD_OBJECT] = "an object",
                                        [ZD_OBJECTS] = "a list of objects"};
    return names[t];
}

static bool fits(const json *v, enum zd_type t)
{
    static const enum js_type types[] = {
        [ZD_BOOL] = JS_BOOL,   [ZD_INT] = JS_INT,       [ZD_TEXT] = JS_STRING,
        [ZD_TEXTS] = JS_ARRAY, [ZD_OBJECT] = JS_OBJECT, [ZD_OBJECTS] = JS_ARRAY};
    if (t == ZD_ANY)
        return true;
    if (js_type_of(v) != types[t] || (t == ZD_INT && js_int_of(v, -1) < 0))
        return false;
    enum js_type item = t == ZD_TEXTS ? JS_STRING : JS_OBJECT;
    for (size_t i = 0; (t == ZD_TEXTS || t == ZD_OBJECTS) && i < js_len(v); i++)
        if (js_type_of(js_at(v, i)) != item)
            return false;
    return true;
}

static void check_below(const struct zd_field *f, json *v, const char *key, struct problems *ps);

static void check_object(const struct zd_field *of, json *o, const char *within, struct problems *ps)
{
    for (void *it = o ? js_iter(o) : NULL; it; it = js_next(o, it)) {
        auto_free char *key = xasprintf("%s%.60s", within, js_iter_key(it));
        const struct zd_field *f = find(of, js_iter_key(it));
        json *v = js_iter_value(it);
        if (!f)
            add_unknown(of, key, ps);
        else if (js_type_of(v) != JS_NULL && !fits(v, f->type))
            problem_add(ps, ERR_INVALID, NULL, 0, key, "must be %s", wanted(f->type));
        else if (f->of)
            check_below(f, v, key, ps);
    }
    for (const struct zd_field *f = of; f && f->name; f++) {
        const json *v = f->type == ZD_ANY ? o : js_get(o, f->name);
        if (f->required && (!v || js_type_of(v) == JS_NULL)) {
            auto_free char *key = xasprintf("%s%s", within, f->type == ZD_ANY ? "the body" : f->name);
            problem_add(ps, ERR_INVALID, NULL, 0, key, "is missing: %s is wanted",
                        wanted(f->type == ZD_ANY ? ZD_OBJECT : f->type));
        }
    }
}

static void check_below(const struct zd_field *f, json *v, const char *key, struct problems *ps)
{
    auto_free char *within = xasprintf("%s.", key);
    if (js_type_of(v) == JS_OBJECT)
        check_object(f->of, v, within, ps);
    for (size_t i = 0; js_type_of(v) == JS_ARRAY && i < js_len(v); i++) {
        auto_free char *item = xasprintf("%s[%zu].", key, i);
        check_object(f->of, js_at(v, i), item, ps);
    }
}

/* ---- query ---- */
static bool text_fits(const char *text, enum zd_type t)
{
    uint64_t n;
    bool b;
    return t == ZD_BOOL ? zd_is_flag(text, &b) : t != ZD_INT || parse_u64(text, UINT64_MAX, &n) == 0;
}

static void check_query(const struct zd_field *of, const struct zd_url *u, struct problems *ps)
{
    for (unsigned i = 0; i < u->npairs; i++) {
        const struct zd_pair *p = &u->pair[i];
        const struct zd_field *f = find(of, p->key);
        bool again = false;
        for (unsigned k = 0; f && f->type != ZD_TEXTS && f->type != ZD_ANY && k < i; k++)
            again = again || str_eq(u->pair[k].key, p->key);
        auto_free char *key = xasprintf("%.60s", p->key);
        if (!f)
            add_unknown(of, key, ps);
        else if (again)
            problem_add(ps, ERR_INVALID, NULL, 0, key, "is given twice");
        else if (!text_fits(p->value, f->type))
            problem_add(ps, ERR_INVALID, NULL, 0, key, "must be %s",
                        f->type == ZD_BOOL ? "1, 0, true or false" : wanted(f->type));
    }
    for (const struct zd_field *f = of; f && f->name; f++) {
        bool there = !f->required;
        for (unsigned i = 0; i < u->npairs; i++)
            there = there || str_eq(u->pair[i].key, f->name);
        if (!there)
            problem_add(ps, ERR_INVALID, NULL, 0, f->name, "is missing: %s is wanted", wanted(f->type));
    }
}

void zd_fields_check(const struct zd_route *route, const struct zd_url *u, json *body, struct problems *ps)
{
    check_query(route->query, u, ps);
    if (route->body == BODY_JSON)
        check_object(route->fields, body, "", ps);
}
