/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a spec to JSON, and what differs between two specs, both row by row of the table. */
#include "base/mem.h"
#include "specs/schema.h"
#include <string.h>

/* A health section without a check means nothing: it is printed only where there is one. */
static bool applies(const struct spec_table *t, const struct spec_row *r, const void *base)
{
    if (t != &spec_table_zone)
        return true;
    const struct spec *s = base;
    if (str_starts(r->key, "health."))
        return s->health.kind != SPEC_HEALTH_NONE;
    return r->type != SPEC_T_SIGNAL || s->process.stop_signal_given;
}

static json *get(const struct spec_table *t, const struct spec_row *r, const void *base)
{
    return applies(t, r, base) ? spec_value_get(r, base) : NULL;
}

/* The object that holds the last word of a dotted key; made if missing. */
static json *section_of(json *o, const char *key, const char **last)
{
    const char *dot;
    while ((dot = strchr(key, '.'))) {
        char name[32];
        size_t n = (size_t)(dot - key) < sizeof(name) - 1 ? (size_t)(dot - key) : sizeof(name) - 1;
        memcpy(name, key, n);
        name[n] = '\0';
        json *next = js_get(o, name);
        if (!next) {
            next = js_object();
            js_set(o, name, next);
        }
        o = next;
        key = dot + 1;
    }
    *last = key;
    return o;
}

void spec_write_map(const struct spec_table *t, const void *base, json *out)
{
    for (unsigned i = 0; i < t->n; i++) {
        json *v = get(t, &t->rows[i], base);
        const char *last;
        if (v) {
            json *o = section_of(out, t->rows[i].key, &last);
            js_set(o, last, v);
        }
    }
}

json *spec_to_json(const struct spec *s)
{
    json *o = js_object();
    spec_write_map(&spec_table_zone, s, o);
    return o;
}

/* As it would be written: text bare, all else as JSON. NULL stays NULL. */
static char *written(const json *v)
{
    if (!v)
        return NULL;
    return js_type_of(v) == JS_STRING ? xstrdup(js_str_of(v, "")) : js_dump(v, false);
}

static void add_change(spec_changes *out, char *key, const json *a, const json *b, bool live)
{
    char *before = written(a), *after = written(b);
    if (str_eq(before, after)) {
        free(key);
        free(before);
        free(after);
        return;
    }
    *vec_add(out) = (struct spec_change){key, before, after, live ? SPEC_LIVE : SPEC_NEXT_BOOT};
}

/* One change for each name of a mapping. */
static void diff_maps(const char *key, json *a, json *b, bool live, spec_changes *out)
{
    for (void *it = a ? js_iter(a) : NULL; it; it = js_next(a, it))
        add_change(out, xasprintf("%s.%s", key, js_iter_key(it)), js_iter_value(it),
                   js_get(b, js_iter_key(it)), live);
    for (void *it = b ? js_iter(b) : NULL; it; it = js_next(b, it))
        if (!js_get(a, js_iter_key(it)))
            add_change(out, xasprintf("%s.%s", key, js_iter_key(it)), NULL, js_iter_value(it), live);
}

static void diff_items(const struct spec_row *r, json *a, json *b, spec_changes *out)
{
    size_t na = js_len(a), nb = js_len(b);
    for (size_t i = 0; i < na || i < nb; i++) {
        json *x = js_at(a, i), *y = js_at(b, i);
        auto_free char *item = xasprintf("%s[%zu]", r->key, i);
        if (!x || !y) {
            add_change(out, take_ptr(&item), x, y, r->live);
            continue;
        }
        for (unsigned k = 0; k < r->items->n; k++) {
            const struct spec_row *sub = &r->items->rows[k];
            add_change(out, xasprintf("%s.%s", item, sub->key), js_get(x, sub->key), js_get(y, sub->key),
                       sub->live);
        }
    }
}

void spec_diff_table(const struct spec_table *t, const void *a, const void *b, spec_changes *out)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct spec_row *r = &t->rows[i];
        auto_js json *x = get(t, r, a);
        auto_js json *y = get(t, r, b);
        if (r->type == SPEC_T_MAP)
            diff_maps(r->key, x, y, r->live, out);
        else if (r->type == SPEC_T_ITEMS)
            diff_items(r, x, y, out);
        else
            add_change(out, xstrdup(r->key), x, y, r->live);
    }
}

/* A zone with the host's or another zone's network has no stack of its own that links could join. */
static bool foreign_stack(const struct spec *s)
{
    const char *link = s->network.len ? s->network.at[0].link : NULL;
    return link && (!strcmp(link, "host") || str_starts(link, "zone:"));
}

/* What is asked of the pool to come waits with it; what is given back is given back at once. */
static bool waits_for_pool(const struct spec *a, const struct spec *b, const char *key)
{
    if (str_eq(a->cpu.pool, b->cpu.pool))
        return false;
    return str_eq(key, "cpu.set") || (str_eq(key, "cpu.reserved") && b->cpu.reserved > a->cpu.reserved) ||
           (str_eq(key, "cpu.dedicated") && b->cpu.dedicated > a->cpu.dedicated);
}

/* What its pool is asked for, of a copy that is to be in another one. */
static void stay_in_pool(const struct spec *running, struct spec *s)
{
    const struct spec_cpu *was = &running->cpu;
    if (waits_for_pool(running, s, "cpu.reserved"))
        s->cpu.reserved = was->reserved;
    if (waits_for_pool(running, s, "cpu.dedicated"))
        s->cpu.dedicated = was->dedicated;
    if (waits_for_pool(running, s, "cpu.set")) {
        free(s->cpu.set);
        s->cpu.set = xstrdup(was->set);
    }
}

int spec_stay(const struct spec *running, const struct spec *s, struct spec **out, struct err *e)
{
    const struct spec_table *t = &spec_table_zone;
    bool no_links = foreign_stack(running) || foreign_stack(s);
    auto_spec struct spec *c = spec_copy(s);
    stay_in_pool(running, c);
    auto_js json *o = spec_to_json(c);
    for (unsigned i = 0; i < t->n; i++) {
        const struct spec_row *r = &t->rows[i];
        const char *last;
        if (r->live && !(no_links && str_eq(r->key, "network")))
            continue;
        json *v = get(t, r, running), *in = section_of(o, r->key, &last);
        if (v)
            js_set(in, last, v);
        else
            js_del(in, last);
    }
    return spec_from_json(o, out, e);
}

void spec_diff(const struct spec *a, const struct spec *b, spec_changes *out)
{
    unsigned first = out->len;
    spec_diff_table(&spec_table_zone, a, b, out);
    for (unsigned i = first; i < out->len; i++)
        if (waits_for_pool(a, b, out->at[i].key))
            out->at[i].when = SPEC_NEXT_BOOT;
    if (!foreign_stack(a) && !foreign_stack(b))
        return;
    for (unsigned i = first; i < out->len; i++)
        if (str_starts(out->at[i].key, "network"))
            out->at[i].when = SPEC_NEXT_BOOT;
}

void spec_changes_done(spec_changes *c)
{
    for (unsigned i = 0; i < c->len; i++) {
        free(c->at[i].key);
        free(c->at[i].before);
        free(c->at[i].after);
    }
    vec_done(c);
}
