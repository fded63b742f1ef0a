/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a tree of nodes to a spec: every key of the text is looked up in the table, every key of the table
 * that the text lacks gets its default. Goes on after a problem, to name all at once; gives out a spec only
 * when there is none. */
#include "base/mem.h"
#include "specs/schema.h"
#include <errno.h>
#include <string.h>

#define KEY_MAX 64 /* longer than every key of the table */
#define GUESSES_MAX 100

struct reader {
    struct spec_load *l;
    const struct spec_table *t;
    void *base;
    bool seen[SPEC_ROWS_MAX];
};

static const char *unknown_why(const struct spec_table *t, const char *dotted)
{
    if (t == &spec_table_zone && !strcmp(dotted, "disk"))
        return "is not available in this version (leave it out)";
    if (t == &spec_table_pool && !strcmp(dotted, "cpu.pool"))
        return "is no key of a pool: pools lie in no other pool, so none can lie in itself (leave it out)";
    return NULL;
}

static char *all_keys(const struct spec_table *t)
{
    struct str s = {0};
    for (unsigned i = 0; i < t->n; i++)
        if (t->rows[i].type != SPEC_T_VERSION)
            str_addf(&s, "%s%s", s.len ? ", " : "", t->rows[i].key);
    return str_take(&s);
}

void spec_unknown(struct spec_load *l, const struct spec_table *t, const char *dotted, int line,
                  const struct spec_where *w)
{
    const char *page = t->page ? t->page : "zone.yaml(5)", *why = unknown_why(t, dotted);
    bool many = l->bad >= GUESSES_MAX; /* beyond what a list of problems keeps, a guess is wasted time */
    auto_free char *near = many ? NULL : spec_row_nearest(t, dotted), *all = t->of ? all_keys(t) : NULL;
    if (why)
        spec_bad(l, line, w, "%s", why);
    else if (near)
        spec_bad(l, line, w, "unknown key (did you mean %s?)", near);
    else if (all)
        spec_bad(l, line, w, "unknown key (%s has %s: %s)", t->of, all, page);
    else
        spec_bad(l, line, w, "unknown key (%s lists all)", page);
}

static void read_section(struct reader *rd, const struct spec_node *map, const char *prefix,
                         const struct spec_where *w)
{
    for (const struct spec_node *c = map->first; c; c = c->next) {
        struct spec_where at = {w, c->key, -1};
        char dotted[KEY_MAX];
        bool section = false;
        size_t np = strlen(prefix), nk = strlen(c->key);
        const struct spec_row *r = NULL;
        if (np + nk + 2 < sizeof(dotted) && nk && !strchr(c->key, '.')) {
            memcpy(dotted, prefix, np);
            memcpy(dotted + np, c->key, nk + 1);
            r = spec_row_find(rd->t, dotted, &section);
        } else {
            dotted[0] = '\0';
        }
        if (r) {
            rd->seen[r - rd->t->rows] = true;
            spec_value_default(r, rd->base);
            spec_value_set(rd->l, r, rd->base, c, &at);
        } else if (section && c->kind == SPEC_MAP) {
            strcat(dotted, ".");
            read_section(rd, c, dotted, &at);
        } else if (!section) {
            spec_unknown(rd->l, rd->t, dotted, c->key_line, &at);
        } else if (!spec_node_null(c)) {
            spec_bad(rd->l, c->line, &at, "is not a mapping (wanted: keys with values)");
        }
    }
}

void spec_read_map(struct spec_load *l, const struct spec_table *t, void *base, const struct spec_node *map,
                   const struct spec_where *w)
{
    struct reader rd = {.l = l, .t = t, .base = base};
    memset(base, 0, t->size);
    read_section(&rd, map, "", w);
    for (unsigned i = 0; i < t->n; i++)
        if (!rd.seen[i])
            spec_value_default(&t->rows[i], base);
}

void spec_table_done(const struct spec_table *t, void *base)
{
    for (unsigned i = 0; i < t->n; i++)
        spec_value_done(&t->rows[i], base);
}

void spec_table_dup(const struct spec_table *t, void *base)
{
    for (unsigned i = 0; i < t->n; i++)
        spec_value_dup(&t->rows[i], base);
}

void spec_free(struct spec *s)
{
    if (!s)
        return;
    spec_table_done(&spec_table_zone, s);
    free(s);
}

void spec_drop_link(struct spec *s, unsigned i)
{
    bool section;
    spec_table_done(spec_row_find(&spec_table_zone, "network", &section)->items, &s->network.at[i]);
    vec_remove(&s->network, i);
    if (!s->network.len)
        *vec_add(&s->network) =
            (struct spec_link){.link = xstrdup("none"), .rate_in = SPEC_UNSET, .rate_out = SPEC_UNSET};
}

struct spec *spec_copy(const struct spec *s)
{
    struct spec *c = xmemdup(s, sizeof(*s));
    spec_table_dup(&spec_table_zone, c);
    return c;
}

static int read_root(struct spec_load *l, const struct spec_node *root, struct spec **out)
{
    unsigned before = l->bad;
    if (!root || spec_node_null(root)) {
        spec_bad(l, 0, NULL, "is empty (wanted: at least zone and image)");
        return -EINVAL;
    }
    if (root->kind != SPEC_MAP) {
        spec_bad(l, root->line, NULL, "is not a mapping (wanted: keys with values, as in zone.yaml(5))");
        return -EINVAL;
    }
    struct spec *s = xcalloc(1, sizeof(*s));
    spec_read_map(l, &spec_table_zone, s, root, NULL);
    spec_check_all(l, s, root);
    if (l->bad > before) {
        spec_free(s);
        return -EINVAL;
    }
    *out = s;
    return 0;
}

int spec_parse(const char *text, size_t n, const char *file, struct spec **out, struct problems *ps)
{
    struct spec_load l = {.file = file, .ps = ps};
    struct spec_doc d = {0};
    int r = spec_doc_read(&d, text, n, &l);
    if (!r)
        r = read_root(&l, d.root, out);
    spec_doc_done(&d);
    return r;
}

int spec_from_json(const json *j, struct spec **out, struct err *e)
{
    struct problems ps = {0};
    struct spec_load l = {.ps = &ps};
    struct spec_doc d = {0};
    int r = spec_doc_from_json(&d, j, &l);
    if (!r)
        r = read_root(&l, d.root, out);
    if (r < 0)
        (void)problems_to_err(&ps, e, "the spec");
    problems_done(&ps);
    spec_doc_done(&d);
    return r;
}
