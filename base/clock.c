/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

uint64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_boot_us(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

uint64_t clock_real_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_rfc3339(uint64_t real_us, char buf[32])
{
    time_t s = (time_t)(real_us / 1000000u);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, 32 - n, ".%06uZ", (unsigned)(real_us % 1000000u));
}
