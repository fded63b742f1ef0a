/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams of text: logs and events. */
#include "base/clock.h"
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* RFC 3339 or a plain date in local time, @seconds, or how long ago. */
static int parse_since(const char *text, uint64_t *us)
{
    uint64_t v;
    if (text[0] == '@' && parse_u64(text + 1, UINT64_MAX / 1000000, &v) == 0) {
        *us = v * 1000000;
        return 0;
    }
    if (parse_time(text, &v) == 0) {
        uint64_t now = clock_real_us();
        *us = v * 1000 < now ? now - v * 1000 : 0;
        return 0;
    }
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%d"};
    for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        uint64_t fraction = 0, scale = 100000;
        if (!end)
            continue;
        for (end += *end == '.'; *end >= '0' && *end <= '9'; end++, scale /= 10)
            fraction += (uint64_t)(*end - '0') * scale;
        bool utc = *end == 'Z' && !end[1];
        if (!utc && *end)
            continue;
        time_t t = utc ? timegm(&tm) : mktime(&tm);
        if (t < 0)
            return -EINVAL;
        *us = (uint64_t)t * 1000000 + fraction;
        return 0;
    }
    return -EINVAL;
}

int ctl_logs(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts};
    bool follow = false, times = false;
    uint64_t tail = UINT64_MAX, since = 0;
    int id, at, status = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        follow |= id == 'f';
        times |= id == 257;
        if (id == 'n' && parse_u64(a.value, INT32_MAX, &tail) < 0)
            return ctl_usage(c, "-n %s: a number of lines is wanted", a.value);
        if (id == 256 && parse_since(a.value, &since) < 0)
            return ctl_usage(
                c, "--since %s: a time such as 2026-11-21T04:00:00Z, @1795233600 or 10m is wanted", a.value);
    }
    if (argc - at != 1)
        return ctl_usage(c, "one zone's name is wanted");
    struct str q = {0};
    str_addf(&q, "logs?follow=%d&timestamps=%d", follow, times);
    if (tail != UINT64_MAX)
        str_addf(&q, "&tail=%llu", (unsigned long long)tail);
    if (since)
        str_addf(&q, "&since=%llu", (unsigned long long)since);
    auto_free char *query = str_take(&q), *path = ctl_zone_path(argv[at], query),
                   *what = xasprintf("logs %s", argv[at]);
    struct err e = {0};
    struct problems details = {0};
    int r = ctl_connect(c, &e);
    if (r == 0)
        r = api_transfer(c->client, "GET", path, -1, 1, &e, &details);
    status = r < 0 ? ctl_fail(c, &e, &details, what) : 0;
    problems_done(&details);
    return status;
}

static int event_line(void *arg, const char *text, size_t n)
{
    const struct ctl *c = arg;
    auto_js json *j = n ? js_parse(text, n, NULL) : NULL;
    if (!n)
        return 0;
    if (c->format == CTL_JSON || !j) {
        fwrite(text, 1, n, stdout);
        putchar('\n');
    } else if (c->format == CTL_YAML) {
        fputs("---\n", stdout);
        ctl_print_data(c, j);
    } else {
        struct str rest = {0}, when = {0};
        ctl_value(js_get(j, "time"), &when);
        for (void *it = js_iter(j); it; it = js_next(j, it)) {
            const char *key = js_iter_key(it);
            if (!strcmp(key, "time") || !strcmp(key, "event") || !strcmp(key, "zone"))
                continue;
            str_addf(&rest, " %s=", key);
            ctl_value(js_iter_value(it), &rest);
        }
        printf("%s  %-12s %s%s\n", when.p ? when.p : "-", js_get_str(j, "event", "?"),
               js_get_str(j, "zone", "-"), rest.p ? rest.p : "");
        str_done(&rest);
        str_done(&when);
    }
    fflush(stdout);
    return 0;
}

int ctl_events(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    bool follow = false;
    int id, at, status = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        follow |= id == 'f';
    }
    if (at < argc)
        return ctl_usage(c, "too many arguments");
    struct err e = {0};
    struct problems details = {0};
    int r = ctl_connect(c, &e);
    if (r == 0)
        r = api_follow(c->client, "GET", follow ? "/events?follow=1" : "/events", NULL, event_line, c, &e,
                       &details);
    status = r < 0 ? ctl_fail(c, &e, &details, "events") : 0;
    problems_done(&details);
    return status;
}
