/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One edit on a spec's text, from finding its place to the proof: the new text is read again and must hold
 * what was asked for. A layout that is too clever for that is refused, never mangled. */
#include "base/mem.h"
#include "specs/splice.h"
#include <errno.h>
#include <string.h>

static const struct spec_node *item_at(const struct spec_node *seq, int index)
{
    const struct spec_node *c = index < 0 ? NULL : seq->first;
    while (c && index--)
        c = c->next;
    return c;
}

/* The deepest node that exists; *i: the first step that does not. NULL after a problem. */
static const struct spec_node *walk(struct spec_splice *s, unsigned *i, struct spec_load *l)
{
    const struct spec_node *n = s->d.root;
    const struct spec_edit_one *e = s->e;
    struct spec_where w = {NULL, e->shown, -1};
    for (*i = 0; *i < e->n; (*i)++) {
        const struct spec_step *step = &e->steps[*i];
        const struct spec_node *next = NULL;
        bool address = n->kind == SPEC_SCALAR && e->row && e->row->type == SPEC_T_ADDRESS && step->index < 0;
        unsigned count = n->kind == SPEC_SEQ ? n->count : 0;
        if (spec_node_null(n) || n->kind == (step->key ? SPEC_MAP : SPEC_SEQ))
            next = step->key ? spec_node_get(n, step->key) : item_at(n, step->index);
        else if (!address || step->key) {
            spec_bad(l, n->line, &w, "\"%s\" is not a %s in the file", n->key ? n->key : "the item",
                     step->key ? "mapping" : "list");
            return NULL;
        }
        if (!step->key && step->index > (int)count) {
            spec_bad(l, n->line, &w, "there is no item %d (the list has %u)", step->index, count);
            return NULL;
        }
        if (!next)
            break;
        n = next;
    }
    for (unsigned k = *i + 1; k < e->n; k++) /* lists that do not exist have no items */
        if (!e->steps[k].key && e->steps[k].index > 0) {
            spec_bad(l, n->line, &w, "there is no item %d (the list has 0)", e->steps[k].index);
            return NULL;
        }
    return n;
}

/* Does the new text say what was asked for? */
static bool holds(const char *text, size_t n, const struct spec_edit_one *e)
{
    struct spec_load quiet = {0};
    struct spec_splice s = {.text = text, .n = (unsigned)n, .e = e};
    unsigned i;
    bool good = spec_doc_load(&s.d, text, n, &quiet) == 0;
    bool appended = false; /* then the place has no name to look under */
    for (i = 0; i < e->n; i++)
        appended |= !e->steps[i].key && e->steps[i].index < 0;
    if (good && !e->unset && !appended) {
        const struct spec_node *at = s.d.root ? walk(&s, &i, &quiet) : NULL;
        good = at && i == e->n && at->kind == e->value->kind &&
               (at->kind != SPEC_SCALAR || spec_node_null(e->value) || !strcmp(at->text, e->value->text));
    }
    spec_doc_done(&s.d);
    return good;
}

static int finish(struct spec_splice *s, char **text, bool *lost, struct spec_load *l)
{
    struct str out = {0};
    struct spec_where w = {NULL, s->e->shown, -1};
    if (!s->failed) {
        str_addn(&out, s->text, s->from);
        str_addn(&out, s->put.p, s->put.len);
        str_addn(&out, s->text + s->to, s->n - s->to);
    }
    if (s->failed || !holds(out.p, out.len, s->e)) {
        str_done(&out);
        spec_bad(l, 0, &w, "cannot be edited where it stands (write that part of the file plainly)");
        return -EINVAL;
    }
    *lost |= spec_loses_comments(s);
    char *old = *text;
    *text = str_take(&out);
    free(old);
    return 0;
}

int spec_edit_apply(char **text, const struct spec_edit_one *e, bool *lost_comments, struct spec_load *l)
{
    struct spec_splice s = {.text = *text, .n = (unsigned)strlen(*text), .e = e};
    const struct spec_node empty = {.kind = SPEC_SCALAR, .plain = true, .text = ""};
    unsigned i = 0;
    int r = spec_doc_load(&s.d, s.text, s.n, l);
    const struct spec_node *root = s.d.root, *at = &empty;
    if (!r && root) {
        s.json_text =
            root->kind == SPEC_MAP && root->flow && (!root->first || s.text[root->first->key_start] == '"');
        at = walk(&s, &i, l);
        r = at ? 0 : -EINVAL;
    }
    if (!r && i < e->n && e->unset) {
        spec_doc_done(&s.d);
        return 0; /* not there: nothing to do */
    }
    if (!r) {
        if (e->unset)
            spec_splice_unset(&s, at);
        else if (i == e->n)
            spec_splice_set(&s, at, i);
        else
            spec_splice_insert(&s, at, i);
        r = finish(&s, text, lost_comments, l);
    }
    str_done(&s.put);
    spec_doc_done(&s.d);
    return r;
}
