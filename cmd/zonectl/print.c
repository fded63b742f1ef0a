/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data on standard output: JSON, YAML, tables, sizes and times for people. */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

bool ctl_print_data(const struct ctl *c, const json *j)
{
    if (!j || (c->format != CTL_JSON && c->format != CTL_YAML))
        return false;
    if (c->format == CTL_JSON) {
        auto_free char *text = js_dump(j, true);
        puts(text ? text : "null");
    } else {
        struct str s = {0};
        ctl_yaml(j, &s);
        fwrite(s.p, 1, s.len, stdout);
        str_done(&s);
    }
    return true;
}

void ctl_size(int64_t bytes, char buf[24])
{
    static const char units[] = "BKMGTPE";
    double v = bytes < 0 ? 0 : (double)bytes;
    unsigned u = 0;
    while (v >= 1023.5 && u < 6) {
        v /= 1024;
        u++;
    }
    if (u == 0)
        snprintf(buf, 24, "%lld", (long long)v);
    else if (v < 9.95 && v - (double)(int64_t)v > 0.04)
        snprintf(buf, 24, "%.1f%c", v, units[u]);
    else
        snprintf(buf, 24, "%.0f%c", v, units[u]);
}

int ctl_seconds(const char *text, uint64_t *ms)
{
    size_t n = strspn(text, "0123456789");
    bool plain = n && (!text[n] ||
                       (text[n] == '.' && text[n + 1] && !text[n + 1 + strspn(text + n + 1, "0123456789")]));
    if (plain && strlen(text) < 12)
        *ms = (uint64_t)(strtod(text, NULL) * 1000 + 0.5);
    else if (plain || parse_time(text, ms) < 0)
        return -EINVAL;
    return *ms < 100 || *ms > 3600000 ? -ERANGE : 0;
}

void ctl_duration(int64_t s, char buf[24])
{
    if (s < 60)
        snprintf(buf, 24, "%llds", (long long)(s < 0 ? 0 : s));
    else if (s < 3600)
        snprintf(buf, 24, "%lldm%02llds", (long long)s / 60, (long long)s % 60);
    else if (s < 86400)
        snprintf(buf, 24, "%lldh%02lldm", (long long)s / 3600, (long long)s / 60 % 60);
    else
        snprintf(buf, 24, "%lldd%02lldh", (long long)s / 86400, (long long)s / 3600 % 24);
}

void ctl_value(const json *j, struct str *out)
{
    if (js_type_of(j) == JS_STRING) {
        str_add(out, js_str_of(j, ""));
    } else if (js_type_of(j) == JS_NULL || !j) {
        str_add(out, "-");
    } else {
        auto_free char *text = js_dump(j, false);
        str_add(out, text ? text : "-");
    }
}

void ctl_cell(struct ctl_table *t, const char *text)
{
    char *s = xstrdup(text && *text ? text : "-");
    for (char *p = s; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    strv_take(&t->cells, s);
}

void ctl_cellf(struct ctl_table *t, const char *fmt, ...)
{
    char buf[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    ctl_cell(t, buf);
}

/* Columns on a terminal: the characters of UTF-8, not its bytes. */
static unsigned width(const char *s)
{
    unsigned n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void ctl_table_print(struct ctl_table *t, FILE *to)
{
    unsigned n = strv_len(t->cells), widths[24] = {0}, cols = t->columns < 24 ? t->columns : 24;
    bool colour = ctl_colours(fileno(to));
    if (!t->cells)
        return;
    for (unsigned i = 0; i < n; i++)
        if (width(t->cells[i]) > widths[i % cols])
            widths[i % cols] = width(t->cells[i]);
    for (unsigned i = 0; i < n; i++) {
        bool last = i % cols == cols - 1;
        if (colour && i == 0)
            fputs("\033[1m", to);
        fputs(t->cells[i], to);
        for (unsigned w = width(t->cells[i]); !last && w < widths[i % cols] + 2; w++)
            fputc(' ', to);
        if (colour && i == cols - 1)
            fputs("\033[0m", to);
        if (last)
            fputc('\n', to);
    }
    strv_free(t->cells);
    t->cells = NULL;
}

static void cell(struct ctl_table *t, const json *v, bool size)
{
    char human[24];
    struct str s = {0};
    if (size && js_type_of(v) == JS_INT) {
        ctl_size(js_int_of(v, 0), human);
        ctl_cell(t, human);
        return;
    }
    if (js_type_of(v) == JS_ARRAY) {
        for (size_t i = 0; i < js_len(v); i++) {
            if (i)
                str_add(&s, ",");
            ctl_value(js_at(v, i), &s);
        }
    } else {
        ctl_value(v, &s);
    }
    ctl_cell(t, s.p);
    str_done(&s);
}

void ctl_rows(const json *list, const struct ctl_column *cols, unsigned n)
{
    struct ctl_table t = {.columns = n};
    for (unsigned i = 0; i < n; i++)
        ctl_cell(&t, cols[i].head);
    for (size_t k = 0; k < js_len(list); k++)
        for (unsigned i = 0; i < n; i++)
            cell(&t, js_get(js_at(list, k), cols[i].key), cols[i].size);
    ctl_table_print(&t, stdout);
}
