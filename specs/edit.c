/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KEY=VALUE edits of a spec's text, all or none. Here an edit is read and held against the table of keys;
 * splice.c carries it out on the text. The result goes through spec_parse, so that nothing is written that
 * would not be read. */
#include "specs/edit.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

#define EDITS_MAX 256

struct edit_reader {
    struct spec_edit_one *e;
    struct spec_load *l;
    const struct spec_table *t;
    const char *p; /* what is left of the key */
    char prefix[64];
};

static int bad_key(struct edit_reader *rd, const char *what)
{
    struct spec_where w = {NULL, rd->e->shown, -1};
    spec_bad(rd->l, 0, &w, "%s", what);
    return -EINVAL;
}

static struct spec_step *add_step(struct edit_reader *rd)
{
    if (rd->e->n == SPEC_STEPS_MAX) {
        (void)bad_key(rd, "has too many parts");
        return NULL;
    }
    struct spec_step *s = &rd->e->steps[rd->e->n++];
    s->index = -1;
    return s;
}

/* "[3]" or "[]". */
static int read_index(struct edit_reader *rd)
{
    const char *end = strchr(rd->p, ']');
    auto_free char *digits = end ? xstrndup(rd->p + 1, (size_t)(end - rd->p) - 1) : NULL;
    uint64_t index = 0;
    if (!end || (*digits && parse_u64(digits, SPEC_NODES_MAX, &index) < 0))
        return bad_key(rd, "has no valid index ([0], [1], ... or [] to append)");
    struct spec_step *s = add_step(rd);
    if (!s)
        return -EINVAL;
    if (*digits)
        s->index = (int)index;
    rd->p = end + 1;
    return 0;
}

static int unknown(struct edit_reader *rd, const char *dotted)
{
    struct spec_where w = {NULL, rd->e->shown, -1};
    spec_unknown(rd->l, rd->t, dotted, 0, &w);
    return -EINVAL;
}

/* What follows a row's key: nothing, a name of a mapping, an index. 1: the key goes on in the items' table.
 */
static int read_in_row(struct edit_reader *rd, const struct spec_row *r)
{
    rd->e->row = r;
    if (!*rd->p)
        return 0;
    if (r->type == SPEC_T_MAP && *rd->p == '.' && rd->p[1]) {
        struct spec_step *s = add_step(rd);
        if (!s)
            return -EINVAL;
        s->key = xstrdup(rd->p + 1); /* all of it: such names have dots */
        rd->e->in_row = true;
        return 0;
    }
    if (!spec_type_is_list(r->type) || *rd->p != '[')
        return bad_key(rd, "has parts that this key does not have");
    int ret = read_index(rd);
    if (ret < 0)
        return ret;
    if (!r->items) {
        rd->e->in_row = true;
        return *rd->p ? bad_key(rd, "goes on after an item that has no keys") : 0;
    }
    rd->e->row = NULL;
    rd->t = r->items;
    rd->prefix[0] = '\0';
    if (!*rd->p)
        return 0;
    return *rd->p++ == '.' ? 1 : bad_key(rd, "needs a dot after the index");
}

/* One name; 1: there is more. */
static int read_name(struct edit_reader *rd)
{
    size_t n = strcspn(rd->p, ".["), np = strlen(rd->prefix);
    char dotted[64];
    bool section;
    if (!n || np + n + 2 > sizeof(dotted))
        return unknown(rd, "");
    memcpy(dotted, rd->prefix, np);
    memcpy(dotted + np, rd->p, n);
    dotted[np + n] = '\0';
    const struct spec_row *r = spec_row_find(rd->t, dotted, &section);
    struct spec_step *s = r || section ? add_step(rd) : NULL;
    if (!s)
        return r || section ? -EINVAL : unknown(rd, dotted);
    s->key = xstrndup(rd->p, n);
    s->table = rd->t;
    memcpy(s->prefix, rd->prefix, sizeof(s->prefix));
    rd->p += n;
    if (r)
        return read_in_row(rd, r);
    rd->e->row = NULL;
    if (!*rd->p)
        return 0;
    if (*rd->p++ != '.')
        return bad_key(rd, "is not a list");
    memcpy(rd->prefix, dotted, np + n);
    memcpy(rd->prefix + np + n, ".", 2);
    return 1;
}

static const struct spec_node *literal(struct spec_edit_one *e, const char *text)
{
    struct spec_node *n = spec_doc_alloc(&e->value_doc, sizeof(*n));
    n->plain = true;
    n->text = spec_doc_strdup(&e->value_doc, text, strlen(text));
    return n;
}

/* One value is taken as it stands, but for quotes around it; lists and mappings are YAML. */
static int read_value(struct spec_edit_one *e, const char *value, struct spec_load *l)
{
    bool one = e->row && (e->in_row || !(spec_type_is_list(e->row->type) || e->row->type == SPEC_T_MAP));
    if (e->row && e->row->type == SPEC_T_ADDRESS && !e->in_row)
        one = value[0] != '[';
    e->text = e->row && spec_type_is_text(e->row->type);
    size_t len;
    struct spec_load mine = {.file = NULL, .ps = one ? NULL : l->ps};
    struct spec_where w = {NULL, e->shown, -1};
    if (spec_text_clean(value, strlen(value), &e->value_text, &len, l) < 0)
        return -EINVAL;
    if (one && *value != '"' && *value != '\'') {
        e->value = literal(e, e->value_text);
        return 0;
    }
    int r = spec_doc_load(&e->value_doc, e->value_text, len, &mine);
    e->value = r < 0 ? NULL : e->value_doc.root;
    if (one && (!e->value || e->value->kind != SPEC_SCALAR))
        e->value = literal(e, e->value_text);
    if (e->value)
        return 0;
    spec_bad(l, 0, &w, "the value is not YAML");
    return -EINVAL;
}

int spec_edit_read(const struct spec_table *t, const char *edit, struct spec_edit_one *e, struct spec_load *l)
{
    const char *eq = strchr(edit, '=');
    struct edit_reader rd = {.e = e, .l = l, .t = t};
    e->shown = eq ? xstrndup(edit, (size_t)(eq - edit)) : xstrdup(edit);
    auto_free char *clean = NULL;
    size_t len;
    if (spec_text_clean(e->shown, strlen(e->shown), &clean, &len, l) < 0)
        return -EINVAL;
    if (!eq || eq == edit)
        return bad_key(&rd, "is not an edit (KEY=VALUE, or KEY= to unset)");
    rd.p = e->shown;
    int r;
    do
        r = read_name(&rd);
    while (r == 1);
    e->unset = !eq[1];
    if (r < 0 || e->unset)
        return r;
    return read_value(e, eq + 1, l);
}

void spec_edit_done(struct spec_edit_one *e)
{
    for (unsigned i = 0; i < e->n; i++)
        free(e->steps[i].key);
    spec_doc_done(&e->value_doc);
    free(e->value_text);
    free(e->shown);
}

/* An item besides the first of a list that the text leaves to be understood. */
static const char *understood(const struct spec_table *t, const char *text, const struct spec_edit_one *e)
{
    struct spec_load quiet = {0};
    struct spec_doc d = {0};
    bool section, given = true;
    const struct spec_row *r = e->n > 1 && !e->steps[1].key && e->steps[1].index && !e->unset
                                   ? spec_row_find(t, e->steps[0].key, &section)
                                   : NULL;
    if (!r || !r->implied)
        return NULL;
    if (spec_doc_load(&d, text, strlen(text), &quiet) == 0) {
        const struct spec_node *list = d.root ? spec_node_get(d.root, r->key) : NULL;
        given = list && !spec_node_null(list);
    }
    spec_doc_done(&d);
    return given ? NULL : r->implied;
}

static int edit_one(const struct spec_table *t, char **text, const char *edit, bool *lost,
                    struct spec_load *l)
{
    struct spec_edit_one e = {0};
    int r = spec_edit_read(t, edit, &e, l);
    const char *first = r ? NULL : understood(t, *text, &e);
    if (first)
        r = edit_one(t, text, first, lost, l);
    if (!r)
        r = spec_edit_apply(text, &e, lost, l);
    spec_edit_done(&e);
    return r;
}

int spec_edit_text(const struct spec_table *t, const char *text, char *const *edits, char **out,
                   bool *lost_comments, struct spec_load *l)
{
    struct spec_doc d = {0};
    auto_free char *now = NULL;
    bool lost = false;
    size_t len;
    if (spec_text_clean(text, strlen(text), &now, &len, l) < 0)
        return -EINVAL;
    int r = spec_doc_load(&d, now, len, l); /* a text that cannot be read is named once, not at each edit */
    spec_doc_done(&d);
    if (!r && strv_len(edits) > EDITS_MAX) {
        spec_bad_kind(l, ERR_LIMIT, 0, NULL, "too many edits at once (at most %d)", EDITS_MAX);
        r = -EINVAL;
    }
    if (r < 0)
        return r;
    struct spec_load own = {.file = PROBLEM_SET, .ps = l->ps};
    for (unsigned i = 0; edits && edits[i]; i++)
        if (edit_one(t, &now, edits[i], &lost, &own) < 0)
            r = -EINVAL;
    l->bad += own.bad;
    if (r < 0)
        return r;
    if (lost_comments)
        *lost_comments = lost;
    *out = take_ptr(&now);
    return 0;
}

int spec_edit(const char *text, const char *file, char *const *edits, char **out, bool *lost_comments,
              struct problems *ps)
{
    struct spec_load l = {.file = file, .ps = ps};
    auto_spec struct spec *s = NULL;
    auto_free char *now = NULL;
    int r = spec_edit_text(&spec_table_zone, text, edits, &now, lost_comments, &l);
    if (!r)
        r = spec_parse(now, strlen(now), NULL, &s, ps);
    spec_blame_edits(edits, ps);
    spec_locate(text, file, ps); /* lines as the file has them */
    if (!r)
        *out = take_ptr(&now);
    return r;
}
