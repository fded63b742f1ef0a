/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who follows a zone's log (h_logs.c) is told of the zone's end by these. */
#pragma once
struct zd;
struct zone;
void logs_check(struct zd *d, const struct zone *z); /* its state has changed */
void logs_gone(struct zd *d, const char *zone);
void logs_rename(struct zd *d, const char *from, const char *to);
