/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's files for commit, export and pack. */
#pragma once
#include "zoned/zoned.h"

/* Answers r with what the job op says of the zone that the path names, at rest or running. args gets the zone and its root. note:
 * told before a good end, or NULL. args and note are stolen. */
int save_zone(struct zd *d, struct zd_request *r, const char *op, json *args, char *note, struct err *e);
/* What the root is made of, as it runs or as it would start; conflict: it has none yet. */
int save_root_of(struct zd *d, struct zone *z, json **out, struct err *e);
