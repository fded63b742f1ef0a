/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation that does not fail: out of memory ends the process with status 1 and one line. zones outlive
 * zoned and supervisors, so ending is the safe answer; callers bound every size that comes from outside
 * first. */
#pragma once
#include <stddef.h>
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *xmemdup(const void *p, size_t n);
