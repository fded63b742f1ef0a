/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the rooms of adoption: adopt.c, orphan.c. */
#pragma once
#include "zoned/zoned.h"

/* orphan.c: a zone whose run folder is not there or not whole; why: what is wrong with it */
/* -ENOENT: nothing of it lives, or the fork server has nothing of it; 0: its plan and journal are there again. */
int orphan_kept(struct zone *z, const struct err *why, struct err *e);
/* What the fork server has is of no use either. 0: a plan is there that ends the zone; -ENOENT: nothing of it lives;
 * -EOWNERDEAD: its processes were ended. */
int orphan_end(struct zone *z, const struct err *why, struct err *e);
/* Whoever holds the zone's lock, or held it before it was taken away. Its end is waited for. */
void orphan_end_supervisor(const struct zone *z);
/* Adds the names of zones that have a group and are not among zones. strv. */
void orphan_groups(struct zd *d, char ***zones);
