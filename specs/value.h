/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to specs/: between value.c and list.c. */
#pragma once
#include "specs/schema.h"

void spec_list_set(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                   const struct spec_where *w);
json *spec_list_get(const struct spec_row *r, const void *base);
void spec_list_done(const struct spec_row *r, void *base);
void spec_list_dup(const struct spec_row *r, void *base);
/* "3,0-2" -> "0-3"; malloc'd, NULL if it is none. */
char *spec_cpuset_normal(const char *text);
/* An IP address without prefix, as it may be given to a zone; malloc'd in its shortest form, or NULL. */
char *spec_address_normal(const char *text);
