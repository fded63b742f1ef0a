/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to specs/: the types of a row that are one number or word in the text. */
#pragma once
#include "specs/schema.h"

/* A typed look at the row's field. */
#define SPEC_FIELD(type, base, row) (*(type *)(void *)((char *)(base) + (row)->offset))
#define SPEC_CFIELD(type, base, row) (*(__typeof__(type) const *)((const char *)(base) + (row)->offset))

/* Parses text for the row into base; false after a problem. */
bool spec_number_set(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                     const struct spec_where *w);
json *spec_number_get(const struct spec_row *r, const void *base);
/* "1 to 10000", "4M or more", with the type's units; empty where anything goes. */
void spec_range(const struct spec_row *r, char buf[80]);
int spec_word_find(const struct spec_word *words, const char *text);  /* index or -1 */
const char *spec_word_name(const struct spec_word *words, int value); /* or NULL */
char *spec_word_list(const struct spec_word *words);                  /* "a, b or c" */
