/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cpus.h"
#include <stdlib.h>
#include <string.h>

bool cpu_in_set(const char *set, unsigned cpu)
{
    for (const char *p = set; p && *p;) {
        char *end;
        unsigned long a = strtoul(p, &end, 10), b = *end == '-' ? strtoul(end + 1, &end, 10) : a;
        if (end == p)
            return false;
        if (cpu >= a && cpu <= b)
            return true;
        p = *end == ',' ? end + 1 : end + strlen(end);
    }
    return !set;
}

unsigned cpus_in_set(const char *set)
{
    unsigned n = 0;
    for (unsigned i = 0; set && i < CPU_NUMBERS; i++)
        n += cpu_in_set(set, i);
    return n;
}
