/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats, top, ps. Rates are differences of two answers; a single look shows zoned's own rate, or totals. */
#include "base/clock.h"
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>

static json *zone_in(const json *stats, const char *name)
{
    json *zones = js_get(stats, "zones");
    for (size_t i = 0; i < js_len(zones); i++)
        if (str_eq(js_get_str(js_at(zones, i), "name", NULL), name))
            return js_at(zones, i);
    return NULL;
}

static void size_cell(struct ctl_table *t, const json *obj, const char *a, const char *b)
{
    char buf[24];
    json *v = js_get(obj, a) ? js_get(obj, a) : js_get(obj, b);
    if (js_type_of(v) == JS_INT) {
        ctl_size(js_int_of(v, 0), buf);
        ctl_cell(t, buf);
    } else {
        ctl_cell(t, js_str_of(v, "-"));
    }
}

static void row(struct ctl_table *t, const json *z, const json *before, double seconds)
{
    json *cpu = js_get(z, "cpu"), *was = js_get(before, "cpu"), *memory = js_get(z, "memory");
    double use = js_get_real(cpu, "use", -1);
    int64_t now_us = js_get_int(cpu, "usage_usec", 0), throttled = js_get_int(cpu, "throttled_usec", 0);
    ctl_cell(t, js_get_str(z, "name", "?"));
    ctl_cell(t, js_get_str(z, "state", "-"));
    ctl_cellf(t, "%lld", (long long)js_get_int(cpu, "shares", 0));
    if (was && seconds > 0)
        use = (double)(now_us - js_get_int(was, "usage_usec", 0)) / 1e6 / seconds;
    if (use >= 0)
        ctl_cellf(t, "%.2f", use);
    else
        ctl_cell(t, "-");
    ctl_cellf(t, "%.1fs", (double)now_us / 1e6);
    ctl_cellf(t, "%.1fs", (double)throttled / 1e6);
    size_cell(t, memory, "usage", "current");
    size_cell(t, memory, "cap", "max");
    json *tasks = js_get(z, "tasks");
    int64_t n = js_type_of(tasks) == JS_INT
                    ? js_int_of(tasks, -1)
                    : js_get_int(tasks, "current", js_get_int(js_get(z, "pids"), "current", -1));
    if (n >= 0)
        ctl_cellf(t, "%lld", (long long)n);
    else
        ctl_cell(t, "-");
}

static void print_stats(const json *now, const json *before, double seconds)
{
    static const char *const heads[] = {"NAME",      "STATE",  "SHARES", "CPU",  "CPU-TIME",
                                        "THROTTLED", "MEMORY", "CAP",    "TASKS"};
    struct ctl_table t = {.columns = ARRAY_LEN(heads)};
    json *zones = js_get(now, "zones");
    for (unsigned i = 0; i < t.columns; i++)
        ctl_cell(&t, heads[i]);
    for (size_t i = 0; i < js_len(zones); i++) {
        json *z = js_at(zones, i);
        row(&t, z, zone_in(before, js_get_str(z, "name", NULL)), seconds);
    }
    ctl_table_print(&t, stdout);
}

static char *stats_path(char **names)
{
    struct str s = {0};
    str_add(&s, "/stats");
    for (unsigned i = 0; names[i]; i++) {
        auto_free char *q = api_quote(names[i]);
        str_addf(&s, "%szone=%s", i ? "&" : "?", q);
    }
    return str_take(&s);
}

static int watch(struct ctl *c, const char *path, uint64_t interval_ms, bool clear)
{
    auto_js json *before = NULL;
    uint64_t then = 0;
    for (;;) {
        json *now = NULL;
        int status = ctl_call(c, "GET", path, NULL, &now, c->called);
        if (status)
            return status;
        uint64_t at = clock_mono_us();
        if (clear)
            fputs("\033[H\033[J", stdout);
        if (!ctl_print_data(c, now))
            print_stats(now, before, before ? (double)(at - then) / 1e6 : 0);
        if (fflush(stdout) != 0)
            return 1;
        js_free(before);
        before = now;
        then = at;
        usleep((useconds_t)(interval_ms * 1000));
    }
}

int ctl_stats(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    bool again = !strcmp(c->verb->name, "top");
    uint64_t ms = 2000;
    int id, at, status = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        again |= id == 'w';
        if (id == 'i' && (parse_u64(a.value, 3600, &ms) < 0 ? parse_time(a.value, &ms) : (ms *= 1000, 0)) < 0)
            return ctl_usage(c, "-i %s: seconds are wanted", a.value);
    }
    if (ms < 100 || ms > 3600000)
        return ctl_usage(c, "-i: between 0.1 s and an hour is wanted");
    auto_free char *path = stats_path(argv + at);
    if (again)
        return watch(c, path, ms, isatty(1) && c->format <= CTL_TABLE);
    auto_js json *now = NULL;
    if ((status = ctl_call(c, "GET", path, NULL, &now, c->called)))
        return status;
    if (!ctl_print_data(c, now))
        print_stats(now, NULL, 0);
    return 0;
}

int ctl_ps(struct ctl *c, int argc, char **argv)
{
    static const char *const heads[] = {"PID", "HOST-PID", "USER", "CPU-TIME", "RSS", "COMMAND"};
    int status, at = ctl_positionals(c, argc, argv, 1, 1, &status);
    if (at < 0)
        return status;
    auto_free char *path = ctl_zone_path(argv[at], "ps"), *what = xasprintf("ps %s", argv[at]);
    auto_js json *list = NULL;
    if ((status = ctl_call(c, "GET", path, NULL, &list, what)) || ctl_print_data(c, list))
        return status;
    struct ctl_table t = {.columns = ARRAY_LEN(heads)};
    for (unsigned i = 0; i < t.columns; i++)
        ctl_cell(&t, heads[i]);
    for (size_t i = 0; i < js_len(list); i++) {
        json *p = js_at(list, i);
        struct str user = {0};
        ctl_value(js_get(p, "user"), &user);
        ctl_cellf(&t, "%lld", (long long)js_get_int(p, "pid", 0));
        ctl_cellf(&t, "%lld", (long long)js_get_int(p, "host_pid", 0));
        ctl_cell(&t, user.p);
        ctl_cellf(&t, "%.2fs", (double)js_get_int(p, "cpu_usec", 0) / 1e6);
        size_cell(&t, p, "rss", "rss");
        ctl_cell(&t, js_get_str(p, "command", ""));
        str_done(&user);
    }
    ctl_table_print(&t, stdout);
    return 0;
}
