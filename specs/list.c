/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows whose value is a list or a mapping: texts, capabilities, addresses, ports, names with values, and
 * lists of structs with a table of their own. Every list is bounded. */
#include "base/mem.h"
#include "specs/number.h"
#include "specs/value.h"
#include <errno.h>
#include <string.h>

#define LIST_MAX 1024
#define PORTS_MAX 1024

/* Any VEC: its items' size is the table's. */
typedef VEC(void) __attribute__((may_alias)) any_vec;
typedef VEC(struct spec_port) __attribute__((may_alias)) port_vec;

static bool item_is_text(struct spec_load *l, const struct spec_node *n, const struct spec_where *w)
{
    if (n->kind == SPEC_SCALAR && !spec_node_null(n))
        return true;
    spec_bad(l, n->line, w,
             n->kind == SPEC_SCALAR ? "is empty (wanted: text; quote it if it is meant so)"
                                    : "is not one value (wanted: text)");
    return false;
}

/* The item as it is kept; malloc'd, or NULL after a problem. */
static char *take_item(struct spec_load *l, const struct spec_row *r, const struct spec_node *n,
                       const struct spec_where *w)
{
    char show[SPEC_SHOW];
    if (!item_is_text(l, n, w))
        return NULL;
    const char *complaint = r->check ? r->check(n->text) : NULL, *cap;
    char *address;
    if (r->type == SPEC_T_CAPS) {
        if ((cap = spec_capability(n->text, r->min)))
            return xstrdup(cap);
        complaint = r->min ? "is not a capability (like NET_ADMIN, or ALL)"
                           : "is not a capability (like NET_ADMIN; ALL is taken in drop only)";
    } else if (r->type == SPEC_T_ADDRESS) {
        if ((address = spec_address_normal(n->text)))
            return address;
        complaint = "is not an address that a zone can have (auto, 10.0.0.5, fd00::5)";
    }
    if (!complaint)
        return xstrdup(n->text);
    spec_bad(l, n->line, w, "\"%s\" %s", spec_show(n->text, show), complaint);
    return NULL;
}

static void set_strv(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                     const struct spec_where *w)
{
    char **v = xcalloc(n->count + 1, sizeof(char *));
    bool set = !(r->type == SPEC_T_STRV &&
                 (r->check == spec_check_arg || r->check == spec_rule_check)); /* may repeat */
    unsigned len = 0;
    int i = 0;
    for (const struct spec_node *c = n->first; c; c = c->next, i++) {
        struct spec_where at = {w, NULL, i};
        char *item = take_item(l, r, c, &at);
        if (item && set && strv_has(v, item)) {
            spec_bad(l, c->line, &at, "\"%s\" is given twice", item);
            free(item);
        } else if (item) {
            v[len++] = item;
        }
    }
    strv_free(SPEC_FIELD(char **, base, r));
    if (!len && !r->keeps_empty)
        v = (free(v), NULL);
    SPEC_FIELD(char **, base, r) = v;
}

static void set_address(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                        const struct spec_where *w)
{
    if (!strcmp(n->text, "auto"))
        return;
    char *a = take_item(l, r, n, w);
    if (a)
        strv_take(&SPEC_FIELD(char **, base, r), a);
}

static void set_map(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                    const struct spec_where *w)
{
    spec_map *map = &SPEC_FIELD(spec_map, base, r);
    for (const struct spec_node *c = n->first; c; c = c->next) {
        struct spec_where at = {w, c->key, -1};
        char show[SPEC_SHOW];
        const char *complaint = r->check_key(c->key);
        if (complaint)
            spec_bad(l, c->key_line, &at, "%s", complaint);
        else if (c->kind == SPEC_SCALAR && c->plain && !*c->text)
            *vec_add(map) = (struct spec_kv){xstrdup(c->key), xstrdup("")};
        else if (!item_is_text(l, c, &at))
            continue;
        else if ((complaint = r->check(c->text)))
            spec_bad(l, c->line, &at, "\"%s\" %s", spec_show(c->text, show), complaint);
        else
            *vec_add(map) = (struct spec_kv){xstrdup(c->key), xstrdup(c->text)};
    }
}

static void set_ports(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                      const struct spec_where *w)
{
    port_vec *ports = &SPEC_FIELD(port_vec, base, r);
    int i = 0;
    for (const struct spec_node *c = n->first; c; c = c->next, i++) {
        struct spec_where at = {w, NULL, i};
        struct spec_port p;
        struct err e = {0};
        if (!item_is_text(l, c, &at))
            continue;
        if (spec_parse_port(c->text, &p, &e) < 0)
            spec_bad(l, c->line, &at, "%s", e.text);
        else
            *vec_add(ports) = p;
    }
}

static void *vec_grow(any_vec *v, size_t size)
{
    v->at = xrealloc(v->at, v->len + 1, size);
    v->cap = v->len + 1;
    void *item = (char *)v->at + v->len++ * size;
    return memset(item, 0, size);
}

static void set_items(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                      const struct spec_where *w)
{
    any_vec *v = &SPEC_FIELD(any_vec, base, r);
    int i = 0;
    for (const struct spec_node *c = n->first; c; c = c->next, i++) {
        struct spec_where at = {w, NULL, i};
        if (c->kind != SPEC_MAP && !spec_node_null(c))
            spec_bad(l, c->line, &at, "is not a mapping (wanted: keys with values)");
        else
            spec_read_map(l, r->items, vec_grow(v, r->items->size), c, &at);
    }
}

void spec_list_set(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                   const struct spec_where *w)
{
    unsigned most = r->type == SPEC_T_ITEMS || r->max ? (unsigned)r->max : LIST_MAX;
    if (n->count > most) {
        spec_bad_kind(l, ERR_LIMIT, n->line, w, "has %u entries (at most %u)", n->count, most);
        return;
    }
    if (n->kind == SPEC_SCALAR)
        set_address(l, r, base, n, w);
    else if (r->type == SPEC_T_MAP)
        set_map(l, r, base, n, w);
    else if (r->type == SPEC_T_PORTS)
        set_ports(l, r, base, n, w);
    else if (r->type == SPEC_T_ITEMS)
        set_items(l, r, base, n, w);
    else
        set_strv(l, r, base, n, w);
}

static json *get_strv(char *const *v)
{
    json *a = js_array();
    for (; *v; v++)
        js_add(a, js_string(*v));
    return a;
}

static json *get_map(const spec_map *m)
{
    json *o = js_object();
    for (unsigned i = 0; i < m->len; i++)
        js_set_str(o, m->at[i].key, m->at[i].value);
    return o;
}

static json *get_ports(const port_vec *v)
{
    json *a = js_array();
    for (unsigned i = 0; i < v->len; i++) {
        auto_free char *text = spec_print_port(&v->at[i]);
        js_add(a, js_string(text));
    }
    return a;
}

static json *get_items(const struct spec_table *t, const any_vec *v)
{
    json *a = js_array();
    for (unsigned i = 0; i < v->len; i++) {
        json *o = js_object();
        spec_write_map(t, (const char *)v->at + i * t->size, o);
        js_add(a, o);
    }
    return a;
}

json *spec_list_get(const struct spec_row *r, const void *base)
{
    if (r->type == SPEC_T_MAP) {
        const spec_map *m = &SPEC_CFIELD(spec_map, base, r);
        return m->len ? get_map(m) : NULL;
    }
    if (r->type == SPEC_T_PORTS) {
        const port_vec *v = &SPEC_CFIELD(port_vec, base, r);
        return v->len ? get_ports(v) : NULL;
    }
    if (r->type == SPEC_T_ITEMS) {
        const any_vec *v = &SPEC_CFIELD(any_vec, base, r);
        return v->len ? get_items(r->items, v) : NULL;
    }
    char *const *v = SPEC_CFIELD(char **, base, r);
    if (strv_len(v) || (v && r->keeps_empty))
        return get_strv(v);
    return r->type == SPEC_T_ADDRESS ? js_string("auto") : NULL;
}

static void done_map(spec_map *m)
{
    for (unsigned i = 0; i < m->len; i++) {
        free(m->at[i].key);
        free(m->at[i].value);
    }
    vec_done(m);
}

void spec_list_done(const struct spec_row *r, void *base)
{
    port_vec *ports = &SPEC_FIELD(port_vec, base, r);
    any_vec *items = &SPEC_FIELD(any_vec, base, r);
    switch (r->type) {
    case SPEC_T_MAP:
        done_map(&SPEC_FIELD(spec_map, base, r));
        break;
    case SPEC_T_PORTS:
        for (unsigned i = 0; i < ports->len; i++)
            free(ports->at[i].host_ip);
        vec_done(ports);
        break;
    case SPEC_T_ITEMS:
        for (unsigned i = 0; i < items->len; i++)
            spec_table_done(r->items, (char *)items->at + i * r->items->size);
        free(items->at);
        *items = (any_vec){0};
        break;
    case SPEC_T_STRV:
    case SPEC_T_CAPS:
    case SPEC_T_ADDRESS:
        strv_free(SPEC_FIELD(char **, base, r));
        SPEC_FIELD(char **, base, r) = NULL;
        break;
    default:
        break; /* owns nothing */
    }
}

static void dup_map(spec_map *m)
{
    if (!m->at)
        return;
    m->at = xmemdup(m->at, m->len * sizeof(*m->at));
    m->cap = m->len;
    for (unsigned i = 0; i < m->len; i++)
        m->at[i] = (struct spec_kv){xstrdup(m->at[i].key), xstrdup(m->at[i].value)};
}

static void dup_ports(port_vec *v)
{
    if (!v->at)
        return;
    v->at = xmemdup(v->at, v->len * sizeof(*v->at));
    v->cap = v->len;
    for (unsigned i = 0; i < v->len; i++)
        v->at[i].host_ip = xstrdup(v->at[i].host_ip);
}

static void dup_items(const struct spec_table *t, any_vec *v)
{
    if (!v->at)
        return;
    v->at = xmemdup(v->at, v->len * t->size);
    v->cap = v->len;
    for (unsigned i = 0; i < v->len; i++)
        spec_table_dup(t, (char *)v->at + i * t->size);
}

void spec_list_dup(const struct spec_row *r, void *base)
{
    switch (r->type) {
    case SPEC_T_MAP:
        dup_map(&SPEC_FIELD(spec_map, base, r));
        break;
    case SPEC_T_PORTS:
        dup_ports(&SPEC_FIELD(port_vec, base, r));
        break;
    case SPEC_T_ITEMS:
        dup_items(r->items, &SPEC_FIELD(any_vec, base, r));
        break;
    case SPEC_T_STRV:
    case SPEC_T_CAPS:
    case SPEC_T_ADDRESS:
        SPEC_FIELD(char **, base, r) = strv_copy(SPEC_FIELD(char **, base, r));
        break;
    default:
        break;
    }
}
