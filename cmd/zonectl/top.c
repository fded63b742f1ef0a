/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top: a live view of all zones, keys as in top(1). What it shows is `stats` of the last interval; the
 * picture is made as text (pure, for any size) and shown in one write. */
#include "base/clock.h"
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>

#define BAR 10

struct order {
    char key;
    const char *word, *section, *field;
};
static const struct order orders[] = {
    {'P', "CPU", "cpu", "used"},
    {'M', "memory", "memory", "used"},
    {'N', "name", NULL, "name"},
    {'T', "tasks", "tasks", "used"},
    {'W', "waiting", "cpu", "percent_waiting"},
    {'D', "disk", "io", "read"},
    {'I', "network", "network", "received"},
    {'E', "entitled", "cpu", "percent_entitled"},
};
struct view {
    const struct order *order;
    bool reverse, help, idle_hidden, colour;
    uint64_t ms;
    char note[80];
};

static double number(const json *row, const char *section, const char *key)
{
    return js_get_real(js_get(row, section), key, -1);
}

static int compare(const json *a, const json *b, const struct view *v)
{
    if (!v->order->section)
        return strcmp(js_get_str(a, "name", ""), js_get_str(b, "name", ""));
    double x = number(a, v->order->section, v->order->field),
           y = number(b, v->order->section, v->order->field);
    if (!strcmp(v->order->section, "io")) {
        x += number(a, "io", "write");
        y += number(b, "io", "write");
    } else if (!strcmp(v->order->section, "network")) {
        x += number(a, "network", "sent");
        y += number(b, "network", "sent");
    }
    return x == y ? strcmp(js_get_str(a, "name", ""), js_get_str(b, "name", "")) : x < y ? 1 : -1;
}

/* Zones in order, then [others], [host], [total] as they came. n counts the zones. */
static json **sorted(const json *rows, const struct view *v, size_t *n)
{
    json **at = xcalloc(js_len(rows) + 1, sizeof(*at));
    *n = 0;
    for (size_t i = 0; i < js_len(rows); i++) {
        json *row = js_at(rows, i);
        if (js_get_str(row, "name", "")[0] == '[')
            continue;
        if (v->idle_hidden && number(row, "cpu", "used") < 0.005)
            continue;
        size_t k = (*n)++;
        for (; k > 0 && (compare(at[k - 1], row, v) > 0) != v->reverse; k--)
            at[k] = at[k - 1];
        at[k] = row;
    }
    return at;
}

static void bar(struct str *out, double part, unsigned width, bool colour)
{
    unsigned full = part <= 0 ? 0 : part >= 1 ? width : (unsigned)(part * width + 0.5);
    if (colour)
        str_add(out, part > 0.9 ? "\033[31m" : part > 0.6 ? "\033[33m" : "\033[32m");
    str_add(out, "[");
    for (unsigned i = 0; i < width; i++)
        str_add(out, i < full ? "|" : " ");
    str_add(out, "]");
    if (colour)
        str_add(out, "\033[0m");
}

static void percent(struct str *out, double v, int width)
{
    if (v < 0)
        str_addf(out, "%*s", width, "-");
    else
        str_addf(out, "%*.0f", width, v > 9999 ? 9999 : v);
}

static void size(struct str *out, double v, int width)
{
    char buf[24] = "-";
    if (v >= 0)
        ctl_size((int64_t)v, buf);
    str_addf(out, "%*s", width, buf);
}

static double plus(double a, double b)
{
    return a < 0 ? b : b < 0 ? a : a + b;
}

static void row_text(struct str *out, const json *row, const struct view *v, double cpus)
{
    double used = number(row, "cpu", "used"), entitled = number(row, "cpu", "entitled"),
           whole = number(row, "cpu", "cap");
    str_addf(out, "%-16.16s ", js_get_str(row, "name", "?"));
    bar(out, used < 0 ? 0 : used / (whole > 0 ? whole : cpus), BAR, v->colour);
    if (used < 0)
        str_add(out, "      -");
    else
        str_addf(out, " %6.2f", used);
    if (entitled < 0)
        str_add(out, "      -");
    else
        str_addf(out, " %6.2f", entitled);
    percent(out, number(row, "cpu", "percent_entitled"), 6);
    percent(out, number(row, "cpu", "percent_throttled"), 6);
    percent(out, number(row, "cpu", "percent_waiting"), 6);
    size(out, number(row, "memory", "used"), 8);
    percent(out, number(row, "memory", "percent_cap"), 5);
    percent(out, number(row, "memory", "percent_waiting"), 6);
    str_addf(out, " %6.0f", number(row, "tasks", "used") < 0 ? 0 : number(row, "tasks", "used"));
    size(out, plus(number(row, "io", "read"), number(row, "io", "write")), 8);
    percent(out, number(row, "io", "percent_waiting"), 6);
    size(out, plus(number(row, "network", "received"), number(row, "network", "sent")), 8);
    str_add(out, "\n");
}

static void help_text(struct str *out)
{
    str_add(out,
            "zonectl top: keys\n\n"
            "  P CPU   M memory   N name   T tasks   W waiting   D disk   I network   E part of the "
            "entitlement\n"
            "  r reverse the order      i hide idle zones      + - longer, shorter interval\n"
            "  space look now           h ? this help          q leave\n\n"
            "  ENTITL  CPUs that a zone gets now if all want them     %ENT  of them used\n"
            "  %HELD   of the cap's periods in which it was held back %WAIT of the time some task waited\n");
}

static void head_text(struct str *out, const json *interval, const json *total, size_t zones,
                      const struct view *v, double cpus)
{
    char used[24], all[24];
    ctl_size((int64_t)number(total, "memory", "used"), used);
    ctl_size((int64_t)number(total, "memory", "cap"), all);
    str_addf(out, "zonectl top: %zu zones, %.1f s, by %s%s%s%s\n", zones, js_get_real(interval, "seconds", 0),
             v->order->word, v->reverse ? " reversed" : "", v->note[0] ? "  " : "", v->note);
    str_add(out, "CPU    ");
    bar(out, number(total, "cpu", "used") / (cpus > 0 ? cpus : 1), 40, v->colour);
    str_addf(out, " %.2f of %.0f\nMemory ", number(total, "cpu", "used"), cpus);
    bar(out, number(total, "memory", "percent_cap") / 100, 40, v->colour);
    str_addf(out, " %s of %s\n\n", used, all);
}

static json *row_named(const json *rows, const char *name)
{
    for (size_t i = 0; i < js_len(rows); i++)
        if (!strcmp(js_get_str(js_at(rows, i), "name", ""), name))
            return js_at(rows, i);
    return NULL;
}

/* No line is longer than the window: colours take no room. */
static void cut_lines(struct str *text, int cols)
{
    struct str out = {0};
    int at = 0;
    for (const char *p = text->p; p && *p; p++) {
        if (*p == '\033') {
            size_t n = strcspn(p, "m") + 1;
            str_addn(&out, p, n);
            p += n - 1;
        } else if (*p == '\n') {
            str_add(&out, "\n");
            at = 0;
        } else if (at++ < cols) {
            str_addn(&out, p, 1);
        }
    }
    str_done(text);
    *text = out;
}

static void picture(struct str *out, const json *interval, const struct view *v, int rows, int cols)
{
    static const char *const ends[] = {"[others]", "[host]", "[total]"};
    json *list = js_get(interval, "rows"), *total = row_named(list, "[total]");
    double cpus = number(total, "cpu", "cap");
    size_t n;
    auto_free json **at = sorted(list, v, &n);
    if (v->help) {
        help_text(out);
    } else {
        head_text(out, interval, total, js_len(list) > 3 ? js_len(list) - 3 : 0, v, cpus);
        str_addf(out, "%s%-16s %-12s %6s %6s %5s %5s %5s %7s %4s %5s %6s %7s %5s %7s%s\n",
                 v->colour ? "\033[7m" : "", "ZONE", "CPU", "USED", "ENTITL", "%ENT", "%HELD", "%WAIT",
                 "MEMORY", "%CAP", "%WAIT", "TASKS", "DISK/s", "%WAIT", "NET/s", v->colour ? "\033[0m" : "");
        int room = rows - 5 - 3;
        for (size_t i = 0; i < n && (int)i < room; i++)
            row_text(out, at[i], v, cpus);
        for (unsigned i = 0; i < 3; i++)
            row_text(out, row_named(list, ends[i]), v, cpus);
    }
    cut_lines(out, cols);
}

static bool take_key(struct view *v, int key)
{
    v->note[0] = '\0';
    if (v->help) {
        v->help = false;
        return key != 'q' && key != CTL_KEY_END;
    }
    for (unsigned i = 0; i < ARRAY_LEN(orders); i++)
        if (orders[i].key == key)
            v->order = &orders[i];
    if (key == 'r' || key == 'R')
        v->reverse = !v->reverse;
    if (key == 'i')
        v->idle_hidden = !v->idle_hidden;
    if (key == 'h' || key == '?')
        v->help = true;
    if (key == '+' && v->ms < 60000)
        v->ms *= 2;
    if (key == '-' && v->ms > 250)
        v->ms /= 2;
    if (key == '+' || key == '-')
        snprintf(v->note, sizeof(v->note), "every %.2g s", (double)v->ms / 1000);
    return key != 'q' && key != CTL_KEY_END && key != 3;
}

static int show(const json *interval, const struct view *v)
{
    int rows, cols;
    struct str text = {0};
    ctl_window(&rows, &cols);
    picture(&text, interval, v, rows, cols);
    int r = ctl_screen_show(&text, rows);
    str_done(&text);
    return r;
}

/* Keys until it is time for the next look; false: leave. */
static bool keys(const json *interval, struct view *v)
{
    uint64_t until = clock_mono_us() + v->ms * 1000;
    for (;;) {
        uint64_t now = clock_mono_us();
        int key = ctl_screen_key(now < until ? (int)((until - now) / 1000) + 1 : 0);
        if (key == CTL_KEY_NONE && clock_mono_us() >= until)
            return true;
        if (key == ' ' && !v->help)
            return true;
        if (key != CTL_KEY_WINDOW && key != CTL_KEY_NONE && !take_key(v, key))
            return false;
        if (show(interval, v) < 0)
            return false;
    }
}

static int live(struct ctl *c, char **names, struct view *v)
{
    auto_js json *before = NULL;
    auto_free char *first = ctl_stats_path(names, true), *path = ctl_stats_path(names, false);
    int status = ctl_call(c, "GET", first, NULL, &before, c->called);
    if (status)
        return status;
    if (ctl_screen_begin() < 0)
        return ctl_usage(c, "top needs a terminal; stats --watch does without");
    auto_js json *interval = ctl_interval(NULL, before);
    uint64_t ms = v->ms;
    v->ms = 500; /* the first figures soon */
    if (show(interval, v) < 0 || !keys(interval, v)) {
        ctl_screen_end();
        return 0;
    }
    v->ms = ms == 0 ? v->ms : ms;
    for (;;) {
        struct api_answer a = {0};
        struct err e = {0};
        if (api_call(c->client, "GET", path, NULL, &a, &e, NULL) < 0) {
            ctl_screen_end();
            api_answer_done(&a);
            return ctl_fail(c, &e, NULL, c->called);
        }
        js_free(interval);
        interval = ctl_interval(before, a.body);
        js_free(before);
        before = take_ptr(&a.body);
        api_answer_done(&a);
        if (show(interval, v) < 0 || !keys(interval, v))
            break;
    }
    ctl_screen_end();
    return 0;
}

int ctl_top(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    struct view v = {.order = &orders[0], .ms = 2000, .colour = ctl_colours(1)};
    int id, at, status = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        if (id == 'i' && ctl_seconds(a.value, &v.ms) < 0)
            return ctl_usage(c, "-i %s: seconds are wanted, 0.1 s to an hour", a.value);
    }
    return live(c, argv + at, &v);
}
