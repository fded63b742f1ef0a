/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to specs/: what package and recipe share. */
#pragma once
#include "specs/package.h"
#include "specs/schema.h"

extern const struct spec_table spec_table_param, spec_table_recipe;
#define SPEC_PARAMS_MAX 64
/* What rows cannot see: names, defaults, choices, and a sample of the zone. root: to name lines. */
void spec_package_check(struct spec_load *l, const struct spec_package *p, const struct spec_node *root);
void spec_package_done(struct spec_package *p);
/* The document's root, a mapping; NULL after a problem. what: "a package". */
const struct spec_node *spec_doc_mapping(struct spec_doc *d, const char *text, size_t n, const char *what,
                                         struct spec_load *l);

/* params.c */
const struct spec_param *spec_param_find(const struct spec_package *p, const char *name, size_t n);
/* What is wrong with a value, as the rest of a sentence; NULL: nothing. buf: room for it. */
const char *spec_param_check(const struct spec_param *p, const char *value, char buf[160]);
/* The tree with values in place of parameters; problems name the key below where. values: text by name, complete. */
json *spec_param_fill(const struct spec_package *p, const json *values, const json *tree, struct spec_load *l,
                      const struct spec_where *w);
/* A value for each parameter, whatever may stand for it. */
json *spec_param_samples(const struct spec_package *p);
