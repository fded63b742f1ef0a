/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zonectl's arithmetic between two answers of /v1/stats. */
#include "cmd/zonectl/interval.c"
#include "tests/unit/tap.h"

static json *answer(const char *text)
{
    struct err e = {0};
    json *j = js_parse(text, strlen(text), &e);
    ok(j != NULL, "an answer %s", e.text);
    return j;
}

static json *row(const json *interval, const char *name)
{
    json *rows = js_get(interval, "rows");
    for (size_t i = 0; i < js_len(rows); i++)
        if (str_eq(js_get_str(js_at(rows, i), "name", ""), name))
            return js_at(rows, i);
    return NULL;
}

static void is_near(const json *interval, const char *name, const char *section, const char *key, double want)
{
    double got = js_get_real(js_get(row(interval, name), section), key, -1);
    ok(got > want - 0.001 && got < want + 0.001, "%s %s.%s: %.3f, want %.3f", name, section, key, got, want);
}

#define HOST(time, busy, zones, own)                                                                         \
    "{\"host\": {\"cpus\": 2, \"time_us\": " #time ", \"cpu_busy_usec\": " #busy                             \
    ", \"cpu_zones_usec\": " #zones ", \"cpu_host_usec\": " #own                                             \
    ", \"memory\": 1000, \"memory_used\": 600, \"memory_zones\": 400, "                                      \
    "\"memory_host\": 200, \"tasks\": 9, \"tasks_zones\": 4, \"tasks_host\": 5}, \"zones\": ["

#define ZONE(name, usage, io, bytes)                                                                         \
    "{\"name\": \"" name "\", \"state\": \"running\", \"cpu\": {\"usage_usec\": " #usage                     \
    ", \"use\": 1.8, \"cap\": 1}, \"memory\": {\"usage\": 50}, \"tasks\": {\"current\": 1}, "                \
    "\"network\": [{\"rx_bytes\": " #bytes ", \"tx_bytes\": 0}], \"io\": {\"read\": " #io "}}"

static void names_are(const json *interval, const char *want)
{
    struct str s = {0};
    json *rows = js_get(interval, "rows");
    for (size_t i = 0; i < js_len(rows); i++)
        str_addf(&s, "%s%s", i ? " " : "", js_get_str(js_at(rows, i), "name", "?"));
    auto_free char *got = str_take(&s);
    is_str(got, want, "rows");
}

/* A zone comes while an interval runs, and another goes. */
static void test_come_and_go(void)
{
    auto_js json *a = answer(HOST(0, 0, 0, 0) ZONE("m", 5000000, 700, 900) "]}");
    auto_js json *b = answer(HOST(2000000, 2000000, 1600000, 400000)
                                 ZONE("a", 600000, 80, 100) ", " ZONE("m", 6000000, 740, 900) "]}");
    auto_js json *c = answer(HOST(4000000, 3000000, 2600000, 400000) ZONE("a", 1600000, 80, 100) "]}");
    auto_js json *came = ctl_interval(a, b);
    is_near(came, "a", "cpu", "used", 0.3);
    is_near(came, "a", "cpu", "percent_cap", 30);
    is_near(came, "a", "io", "read", 40);
    is_near(came, "a", "network", "received", 50);
    is_near(came, "[others]", "cpu", "used", 0);
    auto_js json *stopped = answer(HOST(0, 0, 0, 0) ZONE("a", null, null, 0) "]}");
    auto_js json *by_name = ctl_interval(stopped, b);
    is_near(by_name, "a", "cpu", "used", 0.3);
    auto_js json *went = ctl_interval(b, c), *high = js_object();
    js_set(high, "rows", js_array());
    ctl_interval_high(high, went);
    ctl_interval_high(high, came);
    names_are(high, "a m [others] [host] [total]");
    auto_js json *seen = ctl_interval_seen(a, b), *last = ctl_interval_seen(seen, c);
    auto_js json *average = ctl_interval(a, last);
    names_are(average, "a m [others] [host] [total]");
    is_near(average, "m", "cpu", "used", 0.25);
    is_near(average, "m", "memory", "used", -1);
    is_near(average, "[others]", "memory", "used", 350);
    is_near(average, "[others]", "cpu", "used", 0);
    ctl_interval_total(average);
    is_near(average, "a", "cpu", "used", 1.6);
    is_near(average, "m", "cpu", "used", 1);
}

#define LOOKED(group, read, looked, usage, user, waited, links)                                              \
    "{\"name\": \"z\", \"state\": \"running\", \"group\": " #group ", \"read_us\": " #read                   \
    ", \"looked_us\": " #looked ", \"cpu\": {\"usage_usec\": " #usage ", \"user_usec\": " #user              \
    ", \"psi_some_usec\": " #waited "}, \"memory\": {}, \"tasks\": {}, \"io\": {\"read\": " #waited          \
    "}, \"network\": [" links "]}]}"
#define LINK(name, index, bytes)                                                                             \
    "{\"ifname\": \"" name "\", \"index\": " #index ", \"rx_bytes\": " #bytes ", \"tx_bytes\": 0}"

/* The host is asked every second; the zone is looked at when there is time. */
static void test_windows(void)
{
    auto_js json *a = answer(HOST(1000000, 0, 0, 0) LOOKED(7, 990000, 500000, 100000, 0, 0, ""));
    auto_js json *b = answer(HOST(2000000, 0, 0, 0) LOOKED(7, 1490000, 500000, 600000, 0, 0, ""));
    auto_js json *c =
        answer(HOST(3000000, 0, 0, 0) LOOKED(7, 2990000, 2990000, 2100000, 1245000, 2500000, ""));
    auto_js json *early = ctl_interval(a, b), *late = ctl_interval(b, c);
    is_near(early, "z", "cpu", "used", 1);
    ok(js_type_of(js_get(js_get(row(early, "z"), "cpu"), "user")) == JS_NULL, "nobody looked: not known");
    is_near(late, "z", "cpu", "used", 1);
    is_near(late, "z", "cpu", "user", 0.5);
    is_near(late, "z", "cpu", "percent_waiting", 100); /* 100.4: a look takes time */
    auto_js json *same = ctl_interval(b, b);
    ok(js_type_of(js_get(js_get(row(same, "z"), "cpu"), "used")) == JS_NULL, "the same look: not known");
}

static void test_links_change(void)
{
    auto_js json *a = answer(HOST(0, 0, 0, 0) LOOKED(7, 1, 1, 0, 0, 0, LINK("eth0", 4, 28000000)));
    auto_js json *b = answer(HOST(1000000, 0, 0, 0) LOOKED(
        7, 1000001, 1000001, 0, 0, 0, LINK("eth0", 9, 300) ", " LINK("eth1", 4, 28000050)));
    auto_js json *c =
        answer(HOST(2000000, 0, 0, 0) LOOKED(7, 2000001, 2000001, 0, 0, 0, LINK("eth0", 10, 40000000)));
    auto_js json *added = ctl_interval(a, b), *anew = ctl_interval(b, c);
    is_near(added, "z", "network", "received", 350);
    is_near(anew, "z", "network", "received", 40000000); /* another link under that name */
}

/* Seen at 5 s of CPU time, it uses 2, is started anew twice, is away for a while in between. */
static void test_total_over_restarts(void)
{
    auto_js json *a = answer(HOST(0, 0, 0, 0) LOOKED(7, 1, 1, 5000000, 5000000, 900, LINK("eth0", 4, 1000)));
    auto_js json *b = answer(HOST(2000000, 2000000, 2000000, 0)
                                 LOOKED(7, 2000001, 2000001, 7000000, 7000000, 950, LINK("eth0", 4, 1100)));
    auto_js json *c = answer(HOST(4000000, 4000000, 4000000, 0)
                                 LOOKED(8, 4000001, 4000001, 1500000, 1500000, 20, LINK("eth0", 5, 10)));
    auto_js json *d = answer(HOST(6000000, 4000000, 4000000, 0) "]}");
    auto_js json *e = answer(HOST(8000000, 6000000, 6000000, 0)
                                 LOOKED(9, 8000001, 8000001, 2000000, 2000000, 30, LINK("eth0", 6, 5)));
    auto_js json *f = answer(HOST(10000000, 8000000, 8000000, 0)
                                 LOOKED(9, 10000001, 10000001, 4000000, 4000000, 40, LINK("eth0", 6, 7)));
    json *of[] = {b, c, d, e, f}, *seen = js_ref(a);
    for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
        json *more = ctl_interval_seen(seen, of[i]);
        js_free(seen);
        seen = more;
    }
    auto_js json *sum = ctl_interval(a, seen);
    is_near(sum, "z", "cpu", "used", 0.75);
    ctl_interval_total(sum);
    is_near(sum, "z", "cpu", "used", 7.5);
    is_near(sum, "z", "cpu", "user", 7.5);
    is_near(sum, "z", "io", "read", 110);
    is_near(sum, "z", "network", "received", 117);
    is_near(sum, "[others]", "cpu", "used", 0.5); /* before it was seen again */
    js_free(seen);
}

int main(void)
{
    test_total_over_restarts();
    test_come_and_go();
    test_windows();
    test_links_change();
    auto_js json *a = answer(HOST(
        1000000, 500, 100,
        400) "{\"name\": \"web\", \"state\": \"running\", \"cpu\": "
             "{\"usage_usec\": 100, \"cap\": 0.5, \"entitled\": 0.5, \"guaranteed\": 0, \"periods\": 10, "
             "\"throttled_periods\": 0}, \"memory\": {\"usage\": 300, \"cap\": null}, \"network\": "
             "[{\"rx_bytes\": 0, \"tx_bytes\": 7}], \"io\": {\"read\": 500}}]}");
    auto_js json *b = answer(HOST(
        3000000, 3000500, 1200100,
        1800400) "{\"name\": \"web\", \"state\": \"running\", \"cpu\": "
                 "{\"usage_usec\": 1000100, \"cap\": 0.5, \"entitled\": 0.5, \"guaranteed\": 0, \"periods\": "
                 "30, \"throttled_periods\": 15}, \"memory\": {\"usage\": 300, \"cap\": null}, \"network\": "
                 "[{\"rx_bytes\": 400, \"tx_bytes\": 7}], \"io\": {\"read\": 100}}]}");
    auto_js json *i = ctl_interval(a, b);
    is_near(i, "web", "cpu", "used", 0.5);
    is_near(i, "web", "cpu", "percent_cap", 100);
    is_near(i, "web", "cpu", "percent_entitled", 100);
    is_near(i, "web", "cpu", "percent_guaranteed", -1);
    is_near(i, "web", "cpu", "percent_throttled", 75);
    is_near(i, "web", "network", "received", 200);
    is_near(i, "web", "network", "sent", 0);
    is_near(i, "web", "io", "read", 50); /* it went back: another start, whose count is all there is */
    is_near(i, "[others]", "cpu", "used", 0.1);
    is_near(i, "[others]", "memory", "used", 100);
    is_near(i, "[host]", "cpu", "used", 0.9);
    is_near(i, "[total]", "cpu", "used", 1.5);
    is_near(i, "[total]", "cpu", "percent_cap", 75);
    /* The kernel counts the machine in ticks and groups to the nanosecond: their difference may step back. */
    auto_js json *c = answer(HOST(5000000, 3100500, 1300200, 1800300) "]}");
    auto_js json *idle = ctl_interval(b, c);
    is_near(idle, "[host]", "cpu", "used", 0);
    is_near(idle, "[total]", "cpu", "used", 0.05);
    auto_js json *high = js_object();
    js_set(high, "rows", js_array());
    auto_js json *still = ctl_interval(b, b), *again = ctl_interval(a, b);
    ctl_interval_high(high, still);
    ctl_interval_high(high, again);
    ctl_interval_high(high, still);
    is_near(high, "web", "cpu", "used", 0.5);
    ctl_interval_total(i);
    is_near(i, "web", "cpu", "used", 1);
    is_near(i, "web", "network", "received", 400);
    auto_js json *d0 = answer(
        "{\"host\": {\"time_us\": 0, \"io\": {\"write\": 100, \"read\": 5}, \"io_zones\": {\"write\": 10, "
        "\"read\": 0}, \"cpu_reserved\": 0.5}, \"zones\": [{\"name\": \"web\", \"io\": {\"write\": 0, "
        "\"read\": 0}}]}");
    auto_js json *d1 = answer(
        "{\"host\": {\"time_us\": 1000000, \"io\": {\"write\": 1100, \"read\": 10}, \"io_zones\": "
        "{\"write\": "
        "710, \"read\": 20}, \"cpu_reserved\": 0.5}, \"zones\": [{\"name\": \"web\", \"io\": {\"write\": "
        "600, \"read\": 20}}]}");
    auto_js json *disks = ctl_interval(d0, d1);
    is_near(disks, "[total]", "io", "write", 1000);
    is_near(disks, "[others]", "io", "write", 100);
    is_near(disks, "[host]", "io", "write", 300);
    is_near(disks, "[host]", "io", "read", 0); /* counted at other moments: never below nothing */
    is_near(disks, "[host]", "cpu", "guaranteed", 0.5);
    auto_js json *one = ctl_interval(NULL, b);
    ok(js_type_of(js_get(one, "seconds")) == JS_NULL, "one look has no interval");
    is_near(one, "web", "cpu", "used", -1);
    is_near(one, "web", "memory", "used", 300);
    auto_js json *none = ctl_interval(NULL, NULL);
    is_int(js_len(js_get(none, "rows")), 3, "nothing gives the three sums");
    return done_testing();
}
