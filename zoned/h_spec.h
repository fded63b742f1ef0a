/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the handlers that make zones (create, run). */
#pragma once
#include "zoned/zoned.h"
int spec_text_of(const json *body, const char *name, char **out, struct problems *ps, struct err *e);
int create_from_request(struct zd *d, struct zd_request *r, const char *name, bool ephemeral,
                        struct zone **out, struct err *e);
/* imagespec.c: adds to the text what the image of the store says (volumes, with publish_all ports); notes: an array of texts. */
int spec_add_image(struct zd *d, const char *file, bool publish_all, char **text, json *notes,
                   struct problems *ps, struct err *e);
void make_up_name(struct zd *d, const char *image, char out[SPEC_NAME_MAX + 1]);
