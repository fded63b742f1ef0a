/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to specs/: one edit, taken apart and checked against the table. */
#pragma once
#include "specs/schema.h"

#define SPEC_STEPS_MAX 8

struct spec_step {
    char *key; /* NULL: an item of a list */
    int index; /* -1: append */
    const struct spec_table
        *table; /* that key is looked up in, after prefix; NULL: a name of the user's own */
    char prefix[64];
};
struct spec_edit_one {
    struct spec_step steps[SPEC_STEPS_MAX];
    unsigned n;
    const struct spec_row *row; /* that the last step names or lies in; NULL: a section or an item of items */
    bool in_row;                /* the last step is an item or a name inside the row's value */
    bool text;                  /* the value is text, whatever it looks like */
    bool unset;
    const struct spec_node *value; /* NULL with unset */
    struct spec_doc value_doc;
    char *value_text;
    char *shown; /* the key as given */
};
/* Problems go to l; e must be done in either case. */
int spec_edit_read(const struct spec_table *t, const char *edit, struct spec_edit_one *e,
                   struct spec_load *l);
void spec_edit_done(struct spec_edit_one *e);
/* Carries it out on *text (replaced by a new one). */
int spec_edit_apply(char **text, const struct spec_edit_one *e, bool *lost_comments, struct spec_load *l);

/* All edits on a text, unchecked as a whole. */
int spec_edit_text(const struct spec_table *t, const char *text, char *const *edits, char **out,
                   bool *lost_comments, struct spec_load *l);

/* A scalar as YAML that reads back as itself: plain where that is safe and clear, else in double quotes.
 * text: it must not be taken for a number or truth by other readers. as_json: always as JSON. */
void spec_emit_scalar(struct str *out, const char *value, bool plain, bool text, bool as_json);
/* A tree in flow style. */
void spec_emit_flow(struct str *out, const struct spec_node *n, bool text, bool as_json);
