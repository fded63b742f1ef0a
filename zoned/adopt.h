/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the rooms of adoption: adopt.c, orphan.c. */
#pragma once
#include "zoned/zoned.h"

/* orphan.c: a zone without run folder. 0: its folder is there again, with a plan; -ENOENT: nothing of it is in the
 * kernel; -EOWNERDEAD: its processes were ended. */
int orphan_reclaim(struct zone *z, struct err *e);
/* Adds the names of zones that have a group and are not among zones. strv. */
void orphan_groups(struct zd *d, char ***zones);
