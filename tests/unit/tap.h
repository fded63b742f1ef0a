/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest TAP writer: ok(), is_int(), is_str(), done_testing() as main's return value. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;
__attribute__((format(printf, 2, 3), unused)) static bool ok(bool cond, const char *fmt, ...)
{
    va_list ap;
    tap_failed += !cond;
    printf("%sok %d - ", cond ? "" : "not ", ++tap_count);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    return cond;
}
#define is_int(got, want, ...)                                                                               \
    ({                                                                                                       \
        long long g_ = (long long)(got), w_ = (long long)(want);                                             \
        if (!ok(g_ == w_, __VA_ARGS__))                                                                      \
            printf("#   got %lld, want %lld (%s:%d)\n", g_, w_, __FILE__, __LINE__);                         \
    })
#define is_str(got, want, ...)                                                                               \
    ({                                                                                                       \
        const char *g_ = (got), *w_ = (want);                                                                \
        if (!ok(g_ && w_ ? !strcmp(g_, w_) : g_ == w_, __VA_ARGS__))                                         \
            printf("#   got  \"%s\"\n#   want \"%s\" (%s:%d)\n", g_ ? g_ : "(null)", w_ ? w_ : "(null)",     \
                   __FILE__, __LINE__);                                                                      \
    })
__attribute__((unused)) static int done_testing(void)
{
    printf("1..%d\n", tap_count);
    fflush(stdout);
    return tap_failed ? 1 : 0;
}
