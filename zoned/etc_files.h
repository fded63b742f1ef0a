/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files below ETC that an operator edits. */
#pragma once
#include "zoned/zoned.h"

char **etc_names(struct zd *d, const char *folder); /* NAME of each NAME.yaml there, sorted; strv or NULL */
int etc_tidy(struct zd *d, const char *folder, struct err *e); /* at start: what a kill left of writes */
typedef void (*etc_told)(const struct err *e, void *arg);
void etc_doctor(struct zd *d, etc_told told, void *arg); /* each file that cannot be read */
