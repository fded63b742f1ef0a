/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats (= zonestat): what zones use, against what they are entitled to, promised and allowed; one look, one
 * interval, several with reports at the end, or for ever. The arithmetic is interval.c's. */
#include "base/clock.h"
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>

enum form { AS_TEXT, AS_CPUS, AS_PERCENT, AS_SIZE, AS_RATE, AS_COUNT };
struct column {
    const char *head, *section, *key;
    enum form form;
};
#define NAME                                                                                                 \
    {                                                                                                        \
        "NAME", NULL, "name", AS_TEXT                                                                        \
    }
static const struct column summary[] = {NAME,
                                        {"STATE", NULL, "state", AS_TEXT},
                                        {"CPU", "cpu", "used", AS_CPUS},
                                        {"ENTITLED", "cpu", "entitled", AS_CPUS},
                                        {"%ENT", "cpu", "percent_entitled", AS_PERCENT},
                                        {"SURE", "cpu", "guaranteed", AS_CPUS},
                                        {"CAP", "cpu", "cap", AS_CPUS},
                                        {"%CAP", "cpu", "percent_cap", AS_PERCENT},
                                        {"%HELD", "cpu", "percent_throttled", AS_PERCENT},
                                        {"%WAIT", "cpu", "percent_waiting", AS_PERCENT},
                                        {"MEMORY", "memory", "used", AS_SIZE},
                                        {"%CAP", "memory", "percent_cap", AS_PERCENT},
                                        {"%WAIT", "memory", "percent_waiting", AS_PERCENT},
                                        {"TASKS", "tasks", "used", AS_COUNT},
                                        {"READ/s", "io", "read", AS_SIZE},
                                        {"WRITE/s", "io", "write", AS_SIZE},
                                        {"%WAIT", "io", "percent_waiting", AS_PERCENT},
                                        {"IN/s", "network", "received", AS_SIZE},
                                        {"OUT/s", "network", "sent", AS_SIZE},
                                        {0}};
static const struct column cpu[] = {NAME,
                                    {"USED", "cpu", "used", AS_CPUS},
                                    {"USER", "cpu", "user", AS_CPUS},
                                    {"SYSTEM", "cpu", "system", AS_CPUS},
                                    {"SHARES", "cpu", "shares", AS_COUNT},
                                    {"ENTITLED", "cpu", "entitled", AS_CPUS},
                                    {"%ENT", "cpu", "percent_entitled", AS_PERCENT},
                                    {"SURE", "cpu", "guaranteed", AS_CPUS},
                                    {"%SURE", "cpu", "percent_guaranteed", AS_PERCENT},
                                    {"CAP", "cpu", "cap", AS_CPUS},
                                    {"%CAP", "cpu", "percent_cap", AS_PERCENT},
                                    {"THROTTLED", "cpu", "throttled", AS_RATE},
                                    {"%HELD", "cpu", "percent_throttled", AS_PERCENT},
                                    {"%WAIT", "cpu", "percent_waiting", AS_PERCENT},
                                    {0}};
static const struct column memory[] = {NAME,
                                       {"USED", "memory", "used", AS_SIZE},
                                       {"PEAK", "memory", "peak", AS_SIZE},
                                       {"SURE", "memory", "reserved", AS_SIZE},
                                       {"CAP", "memory", "cap", AS_SIZE},
                                       {"%CAP", "memory", "percent_cap", AS_PERCENT},
                                       {"ANON", "memory", "anon", AS_SIZE},
                                       {"FILE", "memory", "file", AS_SIZE},
                                       {"SHMEM", "memory", "shmem", AS_SIZE},
                                       {"KERNEL", "memory", "kernel", AS_SIZE},
                                       {"SWAP", "memory", "swap", AS_SIZE},
                                       {"OOM", "memory", "oom_kills", AS_COUNT},
                                       {"%WAIT", "memory", "percent_waiting", AS_PERCENT},
                                       {"%STALL", "memory", "percent_stalled", AS_PERCENT},
                                       {0}};
static const struct column io[] = {NAME,
                                   {"READ/s", "io", "read", AS_SIZE},
                                   {"WRITE/s", "io", "write", AS_SIZE},
                                   {"READS/s", "io", "read_ops", AS_RATE},
                                   {"WRITES/s", "io", "write_ops", AS_RATE},
                                   {"%WAIT", "io", "percent_waiting", AS_PERCENT},
                                   {"%STALL", "io", "percent_stalled", AS_PERCENT},
                                   {0}};
static const struct column network[] = {
    NAME, {"IN/s", "network", "received", AS_SIZE}, {"OUT/s", "network", "sent", AS_SIZE}, {0}};
static const struct {
    const char *name;
    const struct column *columns;
} resources[] = {{"summary", summary}, {"cpu", cpu}, {"memory", memory}, {"io", io}, {"network", network}};

enum { REPORT_TOTAL = 1, REPORT_AVERAGE = 2, REPORT_HIGH = 4 };
struct look {
    uint64_t ms, count; /* 0: one look, no interval; count 0: for ever */
    bool clear, watch;
    unsigned reports;
    const struct column *columns;
};

static void cell(struct ctl_table *t, const json *row, const struct column *c)
{
    char buf[24];
    const json *v = js_get(c->section ? js_get(row, c->section) : row, c->key);
    enum js_type type = js_type_of(v);
    double d = type == JS_REAL || type == JS_INT ? js_real_of(v, 0) : 0;
    if (type == JS_STRING)
        ctl_cell(t, js_str_of(v, "-"));
    else if (type != JS_REAL && type != JS_INT)
        ctl_cell(t, "-");
    else if (c->form == AS_SIZE) {
        ctl_size((int64_t)d, buf);
        ctl_cell(t, buf);
    } else
        ctl_cellf(t, c->form == AS_CPUS ? "%.2f" : c->form == AS_RATE ? "%.1f" : "%.0f", d);
}

/* A row of what nobody asked for and that is next to nothing is left out of tables. */
static bool negligible(const json *row)
{
    return str_eq(js_get_str(row, "name", ""), "[others]") &&
           js_get_real(js_get(row, "cpu"), "used", 0) < 0.005 &&
           js_get_real(js_get(row, "memory"), "used", 0) < 4 << 20;
}

/* Amounts are not "a second". */
static void heads(struct ctl_table *t, const struct column *columns, bool amounts)
{
    for (const struct column *c = columns; c->key; c++, t->columns++) {
        const char *per = strstr(c->head, "/s");
        if (per && amounts)
            ctl_cellf(t, "%.*s", (int)(per - c->head), c->head);
        else
            ctl_cell(t, c->head);
    }
}

static void print_rows(const json *interval, const struct column *columns, bool amounts)
{
    struct ctl_table t = {0};
    json *rows = js_get(interval, "rows");
    heads(&t, columns, amounts);
    for (size_t i = 0; i < js_len(rows); i++)
        for (const struct column *c = columns; c->key && !negligible(js_at(rows, i)); c++)
            cell(&t, js_at(rows, i), c);
    ctl_table_print(&t, stdout);
}

static void print(const struct ctl *c, const json *interval, const struct look *l, const char *report)
{
    bool amounts = str_eq(report, "total");
    double seconds = js_get_real(interval, "seconds", 0);
    if (report)
        js_set_str((json *)interval, "report", report);
    if (ctl_print_data(c, interval))
        return;
    if (report)
        printf("\n[%s of %.*f s%s]\n", report, seconds < 10, seconds, amounts ? ", CPU in seconds" : "");
    print_rows(interval, l->columns, amounts);
}

char *ctl_stats_path(char **names, bool use_now)
{
    struct str s = {0};
    str_add(&s, "/stats");
    if (use_now)
        str_add(&s, "?use=now");
    for (unsigned i = 0; names[i]; i++) {
        auto_free char *q = api_quote(names[i]);
        str_addf(&s, "%szone=%s", i || use_now ? "&" : "?", q);
    }
    return str_take(&s);
}

static void reports(const struct ctl *c, const struct look *l, const json *first, const json *last,
                    json *high)
{
    if (l->reports & REPORT_TOTAL) {
        auto_js json *sum = ctl_interval(first, last);
        ctl_interval_total(sum);
        print(c, sum, l, "total");
    }
    if (l->reports & REPORT_AVERAGE) {
        auto_js json *mean = ctl_interval(first, last);
        print(c, mean, l, "average");
    }
    if (l->reports & REPORT_HIGH)
        print(c, high, l, "high");
}

static void look_back(const json *interval, const json *now, json *high, json **seen)
{
    json *more = ctl_interval_seen(*seen, now);
    js_free(*seen);
    *seen = more;
    ctl_interval_high(high, interval);
}

static int intervals(struct ctl *c, const char *path, const struct look *l)
{
    auto_js json *first = NULL, *before = NULL, *seen = NULL, *high = js_object();
    js_set(high, "rows", js_array());
    int status = ctl_call(c, "GET", path, NULL, &first, c->called);
    if (status)
        return status;
    before = js_ref(first);
    seen = js_ref(first);
    uint64_t next = clock_mono_us();
    for (uint64_t i = 0; !l->count || i < l->count; i++) {
        json *now = NULL;
        next += l->ms * 1000; /* from the beginning on: no drift */
        uint64_t at = clock_mono_us();
        if (next > at)
            usleep((useconds_t)(next - at));
        if ((status = ctl_call(c, "GET", path, NULL, &now, c->called)))
            return status;
        auto_js json *interval = ctl_interval(before, now);
        js_free(before);
        before = now;
        if (l->clear)
            fputs("\033[H\033[J", stdout);
        print(c, interval, l, NULL);
        if (fflush(stdout) != 0)
            return 1;
        if (l->reports)
            look_back(interval, now, high, &seen);
    }
    js_set_real(high, "seconds", (double)(l->ms * l->count) / 1e3);
    reports(c, l, first, seen, high);
    return 0;
}

static int once(struct ctl *c, const char *path, const struct look *l)
{
    auto_js json *now = NULL;
    int status = ctl_call(c, "GET", path, NULL, &now, c->called);
    if (status || ctl_print_data(c, now))
        return status;
    auto_js json *interval = ctl_interval(NULL, now);
    print_rows(interval, l->columns, false);
    return 0;
}

static int parse_reports(const char *text, unsigned *out)
{
    static const char *const names[] = {"total", "average", "high"};
    char **words = str_split(text, ",");
    int r = strv_len(words) ? 0 : -1;
    for (unsigned i = 0; r == 0 && i < strv_len(words); i++) {
        unsigned k = 0;
        while (k < 3 && strcmp(words[i], names[k]))
            k++;
        if (k == 3)
            r = -1;
        else
            *out |= 1u << k;
    }
    strv_free(words);
    return r;
}

static int take_option(struct ctl *c, int id, const char *value, struct look *l)
{
    if (id == 'w') {
        l->clear = isatty(1) && c->format <= CTL_TABLE;
        l->watch = true;
    }
    if (id == 'i' && ctl_seconds(value, &l->ms) < 0)
        return ctl_usage(c, "-i %s: seconds are wanted, 0.1 s to an hour (5, 500ms)", value);
    if (id == 'n' && (parse_u64(value, 1000000, &l->count) < 0 || !l->count))
        return ctl_usage(c, "-n %s: a number of intervals is wanted", value);
    if (id == 'R' && parse_reports(value, &l->reports) < 0)
        return ctl_usage(c, "-R %s: total, average, high are wanted, by commas", value);
    if (id == 'r') {
        unsigned i = 0;
        while (i < ARRAY_LEN(resources) && strcmp(resources[i].name, value))
            i++;
        if (i == ARRAY_LEN(resources))
            return ctl_usage(c, "-r %s: summary, cpu, memory, io or network is wanted", value);
        l->columns = resources[i].columns;
    }
    return 0;
}

/* As zonestat: `stats 5`, `stats 0.5 3`, `stats 500ms`. 1 taken, 0 a zone's name, < 0 neither. */
static int take_interval(const char *word, uint64_t *ms)
{
    uint64_t given = 0;
    if (!word || word[0] < '0' || word[0] > '9')
        return 0;
    if (ctl_seconds(word, &given) < 0)
        return str_eq(word, "0") || strchr(word, '.') ? -1 : 0;
    *ms = given;
    return 1;
}

int ctl_stats(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    struct look l = {.columns = summary};
    int id, at, status = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD || (status = take_option(c, id, a.value, &l)))
            return status;
    }
    int taken =
        l.ms ? 0 : take_interval(argv[at], &l.ms); /* a zone of such a name is meant where -i is given */
    if (taken < 0)
        return ctl_usage(c, "an interval of %s s: 0.1 s to an hour is wanted (5, 0.5, 500ms)", argv[at]);
    at += taken;
    if (taken && !l.count && argv[at] && parse_u64(argv[at], 1000000, &l.count) == 0 && l.count)
        at++;
    if (!l.ms && (l.count || l.reports || l.watch))
        l.ms = l.watch ? 2000 : 1000;
    if (!l.count && !l.watch)
        l.count = 1;
    auto_free char *path = ctl_stats_path(argv + at, !l.ms);
    return l.ms ? intervals(c, path, &l) : once(c, path, &l);
}
