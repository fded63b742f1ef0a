/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to specs/: one cut and one insertion in a spec's text, between place.c, splice.c and apply.c. */
#pragma once
#include "specs/edit.h"

struct spec_splice {
    const char *text;
    unsigned n;
    struct spec_doc d;
    const struct spec_edit_one *e;
    bool json_text, failed; /* json_text: the file is JSON and stays it */
    unsigned from, to;      /* what is cut */
    struct str put;         /* what takes its place */
};

/* ---- place.c: where things are ---- */
unsigned spec_line_start(const struct spec_splice *s, unsigned at);
/* The start of the next line; at itself where it starts one already (behind a block scalar). */
unsigned spec_line_end(const struct spec_splice *s, unsigned at);
bool spec_only_blanks(const struct spec_splice *s, unsigned from, unsigned to);
/* Behind the colon of a key; 0 if it does not follow at once. */
unsigned spec_colon_end(const struct spec_splice *s, const struct spec_node *n);
/* Where a node really ends: libyaml lets block collections end where the next token begins. */
unsigned spec_node_end(const struct spec_splice *s, const struct spec_node *n);
/* Comments in what is cut, less those that are put back. */
bool spec_loses_comments(const struct spec_splice *s);

/* ---- splice.c: they fill from, to and put ---- */
/* The steps from i on become n's value. */
void spec_splice_set(struct spec_splice *s, const struct spec_node *n, unsigned i);
void spec_splice_unset(struct spec_splice *s, const struct spec_node *n);
/* Below c, the deepest node that there is. */
void spec_splice_insert(struct spec_splice *s, const struct spec_node *c, unsigned i);
