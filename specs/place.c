/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in the text a node, a line and the comments are. Reads only. */
#include "specs/splice.h"
#include <string.h>

unsigned spec_line_start(const struct spec_splice *s, unsigned at)
{
    while (at && s->text[at - 1] != '\n')
        at--;
    return at;
}

unsigned spec_line_end(const struct spec_splice *s, unsigned at)
{
    if (at && s->text[at - 1] == '\n')
        return at;
    while (at < s->n && s->text[at] != '\n')
        at++;
    return at < s->n ? at + 1 : at;
}

bool spec_only_blanks(const struct spec_splice *s, unsigned from, unsigned to)
{
    for (; from < to; from++)
        if (s->text[from] != ' ')
            return false;
    return true;
}

unsigned spec_colon_end(const struct spec_splice *s, const struct spec_node *n)
{
    unsigned at = n->key_end;
    while (at < s->n && (s->text[at] == ' ' || s->text[at] == '\t'))
        at++;
    return at < s->n && s->text[at] == ':' ? at + 1 : 0;
}

unsigned spec_node_end(const struct spec_splice *s, const struct spec_node *n)
{
    unsigned colon = n->key ? spec_colon_end(s, n) : 0;
    unsigned end = n->end;
    if (n->kind != SPEC_SCALAR && !n->flow)
        end = n->last ? spec_node_end(s, n->last) : n->start;
    else if (n->start == n->end) /* nothing written */
        end = n->key ? (colon ? colon : n->key_end) : n->start;
    return end > colon ? end : colon;
}

/* ---- comments ---- */

struct comment_scan {
    const struct spec_splice *s;
    unsigned at;
    bool found;
};

/* Between values every '#' behind a blank begins a comment. */
static void scan_gap(struct comment_scan *c, unsigned to, unsigned skip)
{
    const struct spec_splice *s = c->s;
    unsigned end = to < s->to ? to : s->to;
    for (unsigned p = c->at > s->from ? c->at : s->from; p < end; p++)
        if (s->text[p] == '#' && (!p || strchr(" \t\n\r", s->text[p - 1])))
            c->found = true;
    c->at = skip > c->at ? skip : c->at;
}

static void scan_comments(struct comment_scan *c, const struct spec_node *n)
{
    if (n->key)
        scan_gap(c, n->key_start, n->key_end);
    if (n->kind == SPEC_SCALAR)
        scan_gap(c, n->start, n->end);
    for (const struct spec_node *k = n->first; k; k = k->next)
        scan_comments(c, k);
}

static unsigned count_comments(const char *text, unsigned n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < n; i++)
        count += text[i] == '#';
    return count;
}

bool spec_loses_comments(const struct spec_splice *s)
{
    struct comment_scan c = {.s = s};
    if (s->d.root)
        scan_comments(&c, s->d.root);
    scan_gap(&c, s->n, s->n);
    return c.found && count_comments(s->text + s->from, s->to - s->from) >
                          count_comments(s->put.p ? s->put.p : "", (unsigned)s->put.len);
}
