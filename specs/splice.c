/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How an edit becomes one cut and one insertion: every byte that it does not concern stays, so comments and
 * order do too. The tree says where things are. Must never guess: what it does not know how to edit it marks
 * as failed. */
#include "specs/splice.h"
#include <string.h>

#define INDENT 2

static void too_clever(struct spec_splice *s)
{
    s->failed = true;
}

static unsigned entry_start(const struct spec_node *n)
{
    return n->key ? n->key_start : n->start;
}

static void cut(struct spec_splice *s, unsigned from, unsigned to)
{
    s->from = from;
    s->to = to;
}

static void spaces(struct str *out, unsigned n)
{
    while (n--)
        str_add(out, " ");
}

/* The steps from i on and the value, in flow style. */
static void emit_flow_steps(struct spec_splice *s, unsigned i)
{
    const struct spec_edit_one *e = s->e;
    if (i == e->n) {
        spec_emit_flow(&s->put, e->value, e->text, s->json_text);
        return;
    }
    str_add(&s->put, e->steps[i].key ? "{" : "[");
    if (e->steps[i].key) {
        spec_emit_scalar(&s->put, e->steps[i].key, true, true, s->json_text);
        str_add(&s->put, ": ");
    }
    emit_flow_steps(s, i + 1);
    str_add(&s->put, e->steps[i].key ? "}" : "]");
}

/* One entry in block style, as if the cursor stood at column `indent`; ends with a newline. */
static void emit_block_steps(struct spec_splice *s, unsigned i, unsigned indent)
{
    const struct spec_edit_one *e = s->e;
    for (;; i++) {
        bool last = i + 1 == e->n;
        if (e->steps[i].key) {
            spec_emit_scalar(&s->put, e->steps[i].key, true, true, false);
            str_add(&s->put, last ? ": " : ":\n");
            indent += INDENT;
            if (!last)
                spaces(&s->put, indent);
        } else {
            str_add(&s->put, "- ");
            indent += INDENT;
        }
        if (last)
            break;
    }
    spec_emit_flow(&s->put, e->value, e->text, false);
    str_add(&s->put, "\n");
}

/* ---- set what is there ---- */

static void put_value_here(struct spec_splice *s, const struct spec_node *n, unsigned i)
{
    unsigned end = spec_node_end(s, n);
    cut(s, n->start, end > n->start ? end : n->start);
    emit_flow_steps(s, i);
    if (s->to > s->from && s->text[s->to - 1] == '\n')
        str_add(&s->put, "\n"); /* a block scalar ends behind its line */
}

/* The steps from i on become n's value. */
void spec_splice_set(struct spec_splice *s, const struct spec_node *n, unsigned i)
{
    unsigned colon = n->key ? spec_colon_end(s, n) : 0;
    if (n->key && !colon) {
        if (!n->parent->flow || n->start < n->end) {
            too_clever(s);
            return;
        }
        cut(s, n->key_end, n->key_end); /* {a} */
        str_add(&s->put, ": ");
        emit_flow_steps(s, i);
    } else if (n->start == n->end && n->kind == SPEC_SCALAR) {
        cut(s, colon ? colon : n->start, colon ? colon : n->start);
        str_add(&s->put, " ");
        emit_flow_steps(s, i);
    } else if (n->kind != SPEC_SCALAR && !n->flow && colon && spec_line_start(s, n->start) > colon) {
        /* keep what stands behind the colon */
        unsigned end = spec_line_end(s, spec_node_end(s, n));
        str_add(&s->put, " ");
        emit_flow_steps(s, i);
        str_addn(&s->put, s->text + colon, spec_line_start(s, n->start) - colon);
        cut(s, colon, end);
    } else {
        put_value_here(s, n, i);
    }
}

/* ---- take away ---- */

static unsigned dash_of(const struct spec_splice *s, const struct spec_node *n)
{
    unsigned at = n->start;
    while (at && s->text[at - 1] == ' ')
        at--;
    return at && s->text[at - 1] == '-' ? at - 1 : UINT32_MAX;
}

static void remove_from_flow(struct spec_splice *s, const struct spec_node *n, const struct spec_node *before)
{
    if (before)
        cut(s, spec_node_end(s, before), spec_node_end(s, n));
    else
        cut(s, entry_start(n), entry_start(n->next));
}

static void remove_from_block(struct spec_splice *s, const struct spec_node *n)
{
    unsigned start = n->key ? n->key_start : dash_of(s, n);
    if (start == UINT32_MAX || (n->key && !spec_colon_end(s, n))) {
        too_clever(s);
        return;
    }
    if (spec_only_blanks(s, spec_line_start(s, start), start))
        cut(s, spec_line_start(s, start), spec_line_end(s, spec_node_end(s, n)));
    else if (n->key && n->next) /* "- a: 1" and more keys below it */
        cut(s, start, n->next->key_start);
    else
        too_clever(s);
}

static void replace_empty(struct spec_splice *s, const struct spec_node *n)
{
    unsigned colon = n->key ? spec_colon_end(s, n) : 0;
    unsigned start = !n->flow && colon && spec_line_start(s, n->start) > colon ? colon : n->start;
    str_add(&s->put, start == colon ? " " : "");
    str_add(&s->put, n->kind == SPEC_MAP ? "{}" : "[]");
    cut(s, start, spec_node_end(s, n));
}

void spec_splice_unset(struct spec_splice *s, const struct spec_node *n)
{
    const struct spec_node *p = n->parent, *before = NULL;
    while (p && p->count == 1 && p->parent) {
        bool keep = p->kind == SPEC_MAP ? !p->key : !strcmp(p->key ? p->key : "", "network");
        if (keep) { /* an item of a list; the list of links, which means something when empty */
            replace_empty(s, p);
            return;
        }
        n = p;
        p = n->parent;
    }
    if (!p || p->count == 1) {
        too_clever(s);
        return;
    }
    for (const struct spec_node *c = p->first; c != n; c = c->next)
        before = c;
    if (p->flow)
        remove_from_flow(s, n, before);
    else
        remove_from_block(s, n);
}

/* ---- put in what is not there ---- */

static void insert_flow(struct spec_splice *s, const struct spec_node *c, unsigned i)
{
    const struct spec_step *step = &s->e->steps[i];
    char open = c->kind == SPEC_MAP ? '{' : '[';
    if (s->text[c->start] != open) {
        too_clever(s);
        return;
    }
    unsigned at = c->last ? spec_node_end(s, c->last) : c->start + 1;
    cut(s, at, at);
    if (c->last) {
        unsigned start = entry_start(c->last), line = spec_line_start(s, start);
        str_add(&s->put, ",");
        if (spec_only_blanks(s, line, start) && line > c->start) { /* one entry a line */
            str_add(&s->put, "\n");
            spaces(&s->put, start - line);
        } else {
            str_add(&s->put, " ");
        }
    }
    if (step->key) {
        spec_emit_scalar(&s->put, step->key, true, true, s->json_text);
        str_add(&s->put, ": ");
    }
    emit_flow_steps(s, i + 1);
}

static unsigned order_of(const struct spec_step *step, const char *key)
{
    char dotted[160];
    size_t np = strlen(step->prefix), nk = strlen(key);
    if (!step->table || np + nk + 1 > sizeof(dotted))
        return UINT32_MAX;
    memcpy(dotted, step->prefix, np);
    memcpy(dotted + np, key, nk + 1);
    for (unsigned i = 0; i < step->table->n; i++) {
        const char *k = step->table->rows[i].key;
        if (!strncmp(k, dotted, np + nk) && (!k[np + nk] || k[np + nk] == '.'))
            return i;
    }
    return UINT32_MAX;
}

static bool comment_above(const struct spec_splice *s, unsigned line)
{
    unsigned above = line ? spec_line_start(s, line - 1) : 0;
    while (above < line && s->text[above] == ' ')
        above++;
    return line && s->text[above] == '#';
}

static void insert_lines(struct spec_splice *s, unsigned at, unsigned indent, unsigned i)
{
    cut(s, at, at);
    if (at && s->text[at - 1] != '\n')
        str_add(&s->put, "\n");
    spaces(&s->put, indent);
    emit_block_steps(s, i, indent);
}

static void insert_in_map(struct spec_splice *s, const struct spec_node *c, unsigned i)
{
    const struct spec_step *step = &s->e->steps[i];
    const struct spec_node *first = c->first, *before = NULL;
    unsigned order = order_of(step, step->key), line = spec_line_start(s, first->key_start);
    unsigned indent = first->key_start - line;
    for (const struct spec_node *n = first; n; n = n->next)
        if (order_of(step, n->key) <= order)
            before = n;
    if (!before && comment_above(s, line))
        before = c->last;
    if (before) {
        insert_lines(s, spec_line_end(s, spec_node_end(s, before)), indent, i);
        return;
    }
    cut(s, first->key_start, first->key_start);
    emit_block_steps(s, i, indent);
    spaces(&s->put, indent);
}

/* "key:" with nothing behind it, or null: becomes a section or a list. */
static void insert_in_nothing(struct spec_splice *s, const struct spec_node *n, unsigned i)
{
    unsigned colon = n->key ? spec_colon_end(s, n) : 0;
    if (n->parent->flow || !colon || n->start < n->end) {
        spec_splice_set(s, n, i);
        return;
    }
    unsigned indent = n->key_start - spec_line_start(s, n->key_start) + INDENT;
    insert_lines(s, spec_line_end(s, colon), indent, i);
}

static void insert_in_empty_text(struct spec_splice *s)
{
    if (s->d.root && s->d.root->start < s->d.root->end) {
        too_clever(s);
        return;
    }
    cut(s, s->n, s->n);
    if (s->n && s->text[s->n - 1] != '\n')
        str_add(&s->put, "\n");
    if (strcmp(s->e->steps[0].key, "version") != 0)
        str_add(&s->put, "version: 1\n");
    emit_block_steps(s, 0, 0);
}

/* address: 10.0.0.5 becomes a list when one is appended. */
static void append_to_scalar(struct spec_splice *s, const struct spec_node *n)
{
    str_add(&s->put, "[");
    if (strcmp(n->text, "auto") != 0) {
        spec_emit_scalar(&s->put, n->text, n->plain, true, s->json_text);
        str_add(&s->put, ", ");
    }
    spec_emit_flow(&s->put, s->e->value, true, s->json_text);
    str_add(&s->put, "]");
    cut(s, n->start, n->end);
}

void spec_splice_insert(struct spec_splice *s, const struct spec_node *c, unsigned i)
{
    if (!c->parent && c->kind == SPEC_SCALAR)
        insert_in_empty_text(s);
    else if (c->parent && spec_node_null(c))
        insert_in_nothing(s, c, i);
    else if (c->kind == SPEC_SCALAR)
        append_to_scalar(s, c);
    else if (c->flow)
        insert_flow(s, c, i);
    else if (c->kind == SPEC_MAP)
        insert_in_map(s, c, i);
    else
        insert_lines(s, spec_line_end(s, spec_node_end(s, c)), c->column, i);
}
