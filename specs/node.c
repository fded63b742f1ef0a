/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The node tree: memory in chunks that go together, problems with their place, and the tree of a JSON value.
 * Bounded by construction: no node is made beyond SPEC_NODES_MAX. Must never interpret a value: that is the
 * table's work. */
#include "specs/node.h"
#include "base/mem.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 8192

struct spec_chunk {
    struct spec_chunk *next;
    size_t used, size;
    _Alignas(16) char data[];
};

void *spec_doc_alloc(struct spec_doc *d, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    struct spec_chunk *c = d->chunks;
    if (!c || c->size - c->used < n) {
        size_t size = n > CHUNK_SIZE ? n : CHUNK_SIZE;
        c = xcalloc(1, sizeof(*c) + size);
        c->size = size;
        c->next = d->chunks;
        d->chunks = c;
    }
    void *p = c->data + c->used;
    c->used += n;
    return p;
}

char *spec_doc_strdup(struct spec_doc *d, const char *s, size_t n)
{
    char *p = spec_doc_alloc(d, n + 1);
    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

void spec_doc_done(struct spec_doc *d)
{
    while (d->chunks) {
        struct spec_chunk *next = d->chunks->next;
        free(d->chunks);
        d->chunks = next;
    }
    memset(d, 0, sizeof(*d));
}

void spec_where_print(const struct spec_where *w, struct str *out)
{
    if (!w)
        return;
    spec_where_print(w->up, out);
    if (w->key) {
        char show[SPEC_SHOW];
        if (out->len)
            str_add(out, ".");
        str_add(out, spec_show(w->key, show));
    }
    if (w->index >= 0)
        str_addf(out, "[%d]", w->index);
}

__attribute__((format(printf, 5, 0))) static void bad_text(struct spec_load *l, enum err_kind kind, int line,
                                                           const struct spec_where *w, const char *fmt,
                                                           va_list ap)
{
    struct str key = {0};
    char message[400];
    l->bad++;
    if (!l->ps)
        return;
    vsnprintf(message, sizeof(message), fmt, ap);
    spec_where_print(w, &key);
    problem_add(l->ps, kind, l->file, line, key.len ? key.p : NULL, "%s", message);
    str_done(&key);
}

void spec_bad(struct spec_load *l, int line, const struct spec_where *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bad_text(l, ERR_INVALID, line, w, fmt, ap);
    va_end(ap);
}

void spec_bad_kind(struct spec_load *l, enum err_kind kind, int line, const struct spec_where *w,
                   const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bad_text(l, kind, line, w, fmt, ap);
    va_end(ap);
}

const char *spec_show(const char *text, char buf[SPEC_SHOW])
{
    size_t n = strlen(text), keep = n > 60 ? 60 : n;
    /* not in the middle of a character */
    while (keep < n && keep && ((unsigned char)text[keep] & 0xc0) == 0x80)
        keep--;
    for (size_t i = 0; i < keep; i++)
        buf[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    strcpy(buf + keep, keep < n ? "..." : "");
    return buf;
}

static uint32_t hash_key(const char *key)
{
    uint32_t h = 2166136261u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 16777619u;
    return h;
}

/* The dotted key of a node, as far as keys go. */
static void node_path(const struct spec_node *n, struct str *out)
{
    int index = 0;
    if (!n || !n->parent)
        return;
    node_path(n->parent, out);
    if (n->key) {
        str_add(out, out->len ? "." : "");
        str_add(out, n->key);
        return;
    }
    for (const struct spec_node *c = n->parent->first; c && c != n; c = c->next)
        index++;
    str_addf(out, "[%d]", index);
}

static void check_key_is_new(const struct spec_node *parent, const char *key, uint32_t hash, int line,
                             struct spec_load *l)
{
    for (const struct spec_node *c = parent->first; c; c = c->next)
        if (c->key_hash == hash && !strcmp(c->key, key)) {
            struct str path = {0};
            node_path(c, &path);
            struct spec_where w = {NULL, path.p ? path.p : key, -1};
            spec_bad(l, line, &w, "is given twice (first in line %d)", c->key_line);
            str_done(&path);
            return;
        }
}

static bool fits(struct spec_doc *d, const struct spec_node *parent, int line, struct spec_load *l)
{
    if (d->nodes >= SPEC_NODES_MAX)
        spec_bad(l, line, NULL, "too many values (at most %d)", SPEC_NODES_MAX);
    else if (parent && parent->kind == SPEC_MAP && parent->count >= SPEC_ENTRIES_MAX)
        spec_bad(l, line, NULL, "too many keys in one mapping (at most %d)", SPEC_ENTRIES_MAX);
    else
        return true;
    return false;
}

struct spec_node *spec_node_new(struct spec_doc *d, struct spec_node *parent, enum spec_node_kind kind,
                                const char *key, int line, struct spec_load *l)
{
    if (!fits(d, parent, line, l))
        return NULL;
    struct spec_node *n = spec_doc_alloc(d, sizeof(*n));
    d->nodes++;
    n->kind = kind;
    n->line = line;
    n->text = "";
    n->parent = parent;
    if (!parent) {
        d->root = n;
        return n;
    }
    if (key) {
        n->key = key;
        n->key_hash = hash_key(key);
        check_key_is_new(parent, key, n->key_hash, line, l); /* goes on, to find all problems at once */
    }
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
    parent->count++;
    return n;
}

struct spec_node *spec_node_get(const struct spec_node *map, const char *key)
{
    for (struct spec_node *c = map && map->kind == SPEC_MAP ? map->first : NULL; c; c = c->next)
        if (!strcmp(c->key, key))
            return c;
    return NULL;
}

bool spec_node_null(const struct spec_node *n)
{
    return n->kind == SPEC_SCALAR && n->plain &&
           (!*n->text || !strcmp(n->text, "~") || !strcasecmp(n->text, "null"));
}

static const char *json_scalar(struct spec_doc *d, const json *j, bool *plain)
{
    char buf[40];
    *plain = true;
    switch (js_type_of(j)) {
    case JS_STRING:
        *plain = false;
        return spec_doc_strdup(d, js_str_of(j, ""), strlen(js_str_of(j, "")));
    case JS_INT:
        snprintf(buf, sizeof(buf), "%" PRId64, js_int_of(j, 0));
        break;
    case JS_REAL:
        snprintf(buf, sizeof(buf), "%.15g", js_real_of(j, 0));
        break;
    case JS_BOOL:
        return js_is_true(j) ? "true" : "false";
    default:
        return "null";
    }
    return spec_doc_strdup(d, buf, strlen(buf));
}

static int add_json(struct spec_doc *d, struct spec_node *parent, const char *key, const json *j, int depth,
                    struct spec_load *l)
{
    enum js_type t = js_type_of(j);
    if (depth > SPEC_DEPTH_MAX) {
        spec_bad(l, 0, NULL, "nested too deep (at most %d levels)", SPEC_DEPTH_MAX);
        return -EINVAL;
    }
    struct spec_node *n = spec_node_new(d, parent,
                                        t == JS_OBJECT  ? SPEC_MAP
                                        : t == JS_ARRAY ? SPEC_SEQ
                                                        : SPEC_SCALAR,
                                        key, 0, l);
    if (!n)
        return -EINVAL;
    int r = 0;
    n->flow = true;
    if (t == JS_OBJECT)
        for (void *it = js_iter((json *)j); it && !r; it = js_next((json *)j, it))
            r = add_json(d, n, js_iter_key(it), js_iter_value(it), depth + 1, l);
    else if (t == JS_ARRAY)
        for (size_t i = 0; i < js_len(j) && !r; i++)
            r = add_json(d, n, NULL, js_at(j, i), depth + 1, l);
    else
        n->text = json_scalar(d, j, &n->plain);
    return r;
}

int spec_doc_from_json(struct spec_doc *d, const json *j, struct spec_load *l)
{
    return add_json(d, NULL, NULL, j, 1, l);
}

static json *scalar_to_json(const struct spec_node *n)
{
    const char *t = n->text;
    uint64_t v;
    if (spec_node_null(n))
        return js_null();
    if (n->plain && (!strcmp(t, "true") || !strcmp(t, "false")))
        return js_bool(*t == 't');
    if (n->plain && (t[0] != '0' || !t[1]) && parse_u64(t, INT64_MAX, &v) == 0)
        return js_int((int64_t)v);
    char again[40];
    double real = n->plain && strspn(t, "0123456789.") == strlen(t) && strlen(t) < 16 ? strtod(t, NULL) : -1;
    snprintf(again, sizeof(again), "%.15g", real);
    return real >= 0 && !strcmp(again, t) ? js_real(real) : js_string(t); /* 1.10 is a version */
}

json *spec_node_to_json(const struct spec_node *n)
{
    if (n->kind == SPEC_SCALAR)
        return scalar_to_json(n);
    json *out = n->kind == SPEC_MAP ? js_object() : js_array();
    for (const struct spec_node *c = n->first; c; c = c->next)
        if (n->kind == SPEC_MAP)
            js_set(out, c->key, spec_node_to_json(c));
        else
            js_add(out, spec_node_to_json(c));
    return out;
}
