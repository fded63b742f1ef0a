/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the handlers that make and change zones (create, run, set, apply). */
#pragma once
#include "zoned/zoned.h"
/* The source's text with the edits; one that names no zone gets the name, unless NULL. *out: malloc'd. */
int spec_text_of(const json *source, char *const *edits, const char *name, char **out, struct problems *ps,
                 struct err *e);
int create_from_request(struct zd *d, struct zd_request *r, const char *name, bool ephemeral,
                        struct zone **out, struct err *e);
/* imagespec.c: adds to the text what the image of the store says (volumes, with publish_all ports); notes: an array of texts. */
int spec_add_image(struct zd *d, const char *file, bool publish_all, char **text, json *notes,
                   struct problems *ps, struct err *e);
void make_up_name(struct zd *d, char out[SPEC_NAME_MAX + 1]);
const char *spec_source_file(const json *source); /* borrowed; what errors name where no file was said */
/* Of a key that edits give twice only one can be meant; a list's [] and a += go on. */
int check_once(char *const *edits, const char *path, struct problems *ps, struct err *e);
json *changes_to_json(const spec_changes *changes, bool running);
bool changes_any_live(const spec_changes *c);
/* What a written change asks of the host and of the leases when no supervisor is told of it: checked, leases made anew and saved.
 * 0, or the error with problems added to ps. */
int change_at_rest(struct zd *d, struct zone *z, struct problems *ps, struct err *e);
