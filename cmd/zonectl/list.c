/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list and show. Tables are for people; -o json is the API's own object. */
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>

/* The items of the arrays under key in every link, joined by commas. */
static char *of_links(const json *zone, const char *key)
{
    struct str s = {0};
    json *links = js_get(zone, "network");
    for (size_t i = 0; i < js_len(links); i++) {
        json *list = js_get(js_at(links, i), key);
        for (size_t k = 0; k < js_len(list); k++) {
            if (s.len)
                str_add(&s, ",");
            ctl_value(js_at(list, k), &s);
        }
    }
    return str_take(&s);
}

static void cpu_cell(struct ctl_table *t, const json *zone)
{
    json *cpu = js_get(zone, "cpu");
    double use = js_get_real(cpu, "use", -1);
    long long shares = js_get_int(cpu, "shares", 100);
    if (use >= 0 && js_get_int(zone, "pid", 0) > 0)
        ctl_cellf(t, "%lld/%.2f", shares, use);
    else
        ctl_cellf(t, "%lld/-", shares);
}

static void memory_cell(struct ctl_table *t, const json *zone)
{
    json *memory = js_get(zone, "memory");
    char use[24] = "-", cap[24] = "-";
    if (js_get_int(memory, "usage", -1) >= 0)
        ctl_size(js_get_int(memory, "usage", 0), use);
    if (js_get_int(memory, "cap", -1) >= 0)
        ctl_size(js_get_int(memory, "cap", 0), cap);
    ctl_cellf(t, "%s/%s", use, cap);
}

static void zone_row(struct ctl_table *t, const json *zone)
{
    auto_free char *addresses = of_links(zone, "addresses"), *ports = of_links(zone, "ports");
    json *uptime = js_get(zone, "uptime");
    char up[24] = "-";
    ctl_cell(t, js_get_str(zone, "name", ""));
    ctl_cell(t, js_get_str(zone, "state", "?"));
    ctl_cell(t, js_get_str(zone, "image", "-"));
    ctl_cell(t, addresses);
    ctl_cell(t, ports);
    cpu_cell(t, zone);
    memory_cell(t, zone);
    if (js_type_of(uptime) == JS_INT || js_type_of(uptime) == JS_REAL)
        ctl_duration((int64_t)js_real_of(uptime, 0), up);
    ctl_cell(t, up);
}

static void list_table(const json *zones)
{
    static const char *const heads[] = {"NAME",  "STATE", "IMAGE",  "ADDRESS",
                                        "PORTS", "CPU",   "MEMORY", "UPTIME"};
    struct ctl_table t = {.columns = ARRAY_LEN(heads)};
    for (unsigned i = 0; i < t.columns; i++)
        ctl_cell(&t, heads[i]);
    for (size_t i = 0; i < js_len(zones); i++)
        zone_row(&t, js_at(zones, i));
    ctl_table_print(&t, stdout);
}

int ctl_list(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    struct str path = {0};
    bool quiet = false;
    int id, at, status = 0;
    str_add(&path, "/zones");
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD) {
            str_done(&path);
            return status;
        }
        quiet |= id == 'q';
        if (id == 'l') {
            auto_free char *q = api_quote(a.value);
            str_addf(&path, "%slabel=%s", strchr(path.p, '?') ? "&" : "?", q);
        }
    }
    if (quiet || c->format <= CTL_TABLE)
        str_addf(&path, "%sspec=0", strchr(path.p, '?') ? "&" : "?");
    auto_free char *p = str_take(&path);
    auto_js json *zones = NULL;
    if (at < argc)
        return ctl_usage(c, "%s: list takes no name; see show", argv[at]);
    if ((status = ctl_call(c, "GET", p, NULL, &zones, "list")))
        return status;
    for (size_t i = 0; quiet && i < js_len(zones); i++)
        puts(js_get_str(js_at(zones, i), "name", ""));
    if (!quiet && !ctl_print_data(c, zones))
        list_table(zones);
    return 0;
}

static void show_value(const char *key, const json *v, unsigned depth)
{
    enum js_type type = js_type_of(v);
    if (type == JS_NULL || ((type == JS_OBJECT || type == JS_ARRAY) && !js_len(v)))
        return;
    if (type == JS_OBJECT) {
        printf("%*s%s:\n", (int)depth * 2, "", key);
        for (void *it = js_iter((json *)v); it; it = js_next((json *)v, it))
            show_value(js_iter_key(it), js_iter_value(it), depth + 1);
        return;
    }
    struct str s = {0};
    for (size_t i = 0; type == JS_ARRAY && i < js_len(v); i++) {
        if (i)
            str_add(&s, ", ");
        ctl_value(js_at(v, i), &s);
    }
    if (type != JS_ARRAY)
        ctl_value(v, &s);
    for (char *p = s.p; p && *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    printf("%*s%s: %s\n", (int)depth * 2, "", key, s.p ? s.p : "");
    str_done(&s);
}

static void show_network(const json *links)
{
    for (size_t i = 0; i < js_len(links); i++) {
        json *l = js_at(links, i);
        char key[40];
        snprintf(key, sizeof(key), "network[%zu]", i);
        show_value(key, l, 0);
    }
}

static void show_zone(const json *z)
{
    for (void *it = js_iter((json *)z); it; it = js_next((json *)z, it)) {
        const char *key = js_iter_key(it);
        json *v = js_iter_value(it);
        char up[24];
        if (!strcmp(key, "network")) {
            show_network(v);
        } else if (!strcmp(key, "uptime") && (js_type_of(v) == JS_INT || js_type_of(v) == JS_REAL)) {
            ctl_duration((int64_t)js_real_of(v, 0), up);
            printf("uptime: %s\n", up);
        } else {
            show_value(key, v, 0);
        }
    }
}

int ctl_show(struct ctl *c, int argc, char **argv)
{
    int status, first = 0, at = ctl_positionals(c, argc, argv, 1, -1, &status);
    if (at < 0)
        return status;
    for (int start = at; at < argc; at++) {
        bool host = str_eq(argv[at], "@host");
        auto_free char *path = host ? xstrdup("/host") : ctl_zone_path(argv[at], ""),
                       *what = xasprintf("show %s", argv[at]);
        auto_js json *zone = NULL;
        status = ctl_call(c, "GET", path, NULL, &zone, what);
        first = first ? first : status;
        if (status)
            continue;
        if (at > start && c->format <= CTL_TABLE)
            putchar('\n');
        if (!ctl_print_data(c, zone))
            show_zone(zone);
    }
    return first;
}
