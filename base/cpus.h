/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of CPUs in the kernel's own words: "0-3,6", a newline at their end is fine. Source: cpuset(7), List format. */
#pragma once
#include <stdbool.h>

#define CPU_NUMBERS 1024u                       /* their numbers are below */
bool cpu_in_set(const char *set, unsigned cpu); /* NULL: all are in it; "": none */
unsigned cpus_in_set(const char *set);          /* "0-3,6": 5; NULL: 0 */
