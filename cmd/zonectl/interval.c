/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two answers of /v1/stats become the use in between: a row per zone, [host] (what runs outside of zones),
 * [others] (zones that are not listed or have ended) and [total], so that the sums come out. Pure. What is
 * not known is null. */
#include "cmd/zonectl/zonectl.h"
#include <string.h>

static const char *const io_rates[] = {"read", "write", "read_ops", "write_ops"};

static json *named(const json *list, const char *name)
{
    for (size_t i = 0; i < js_len(list); i++)
        if (str_eq(js_get_str(js_at(list, i), "name", NULL), name))
            return js_at(list, i);
    return NULL;
}

/* The same start of a zone. NULL: it had no groups, even where it was asked for by name, or those of another start. */
static json *earlier(const json *stats, const json *zone)
{
    json *z = named(js_get(stats, "zones"), js_get_str(zone, "name", NULL));
    bool same = js_get_int(z, "group", 0) == js_get_int(zone, "group", 0);
    return same && js_type_of(js_get(js_get(z, "cpu"), "usage_usec")) == JS_INT ? z : NULL;
}

/* Between two looks at a zone, which the daemon takes when it can: of CPU time and links, of all the others. 0: there was
 * none in between, or but one. A zone that has come, or gone, is counted over the host's time. */
struct window {
    double brief, full;
};
#define NEARLY 0.02 /* so near the host's it is the same, and the sums come out */
static double window(const json *was, const json *is, const char *key, double host)
{
    const json *a = js_get(was, key), *b = js_get(is, key);
    if (js_type_of(a) != JS_INT || js_type_of(b) != JS_INT || host <= 0)
        return host;
    double own = (double)(js_int_of(b, 0) - js_int_of(a, 0)) / 1e6;
    return own > host * (1 - NEARLY) && own < host * (1 + NEARLY) ? host : own;
}

/* Difference of one counter per second, scaled; < 0: not known. A counter that went back belongs to another
 * start: what it counts now is all there is; as of what was not there before (was NULL), which began at nothing. */
static double rate(const json *was, const json *is, const char *key, double seconds, double scale)
{
    const json *a = js_get(was, key), *b = js_get(is, key);
    if (js_type_of(b) != JS_INT || (was && js_type_of(a) != JS_INT) || seconds <= 0)
        return -1;
    int64_t from = js_int_of(a, 0), to = js_int_of(b, 0);
    return (double)(to >= from ? to - from : to) * scale / seconds;
}

static void set_known(json *o, const char *key, double v)
{
    js_set(o, key, v < 0 ? js_null() : js_real(v));
}

static double percent(double part, double whole)
{
    return part < 0 || whole <= 0 ? -1 : 100 * part / whole;
}

static double number(const json *o, const char *key)
{
    enum js_type t = js_type_of(js_get(o, key));
    return t == JS_INT || t == JS_REAL ? js_get_real(o, key, -1) : -1;
}

/* Of the time, in which some task waited. */
static void set_waiting(json *o, const char *key, const json *was, const json *is, const char *counter,
                        double seconds)
{
    double part = rate(was, is, counter, seconds, 1e-4);
    set_known(o, key, part > 100 ? 100 : part); /* a look takes time, too */
}

static json *cpu_row(const json *was, const json *is, struct window w)
{
    json *o = js_object();
    double used = rate(was, is, "usage_usec", w.brief, 1e-6);
    if (!was && w.brief <= 0)
        used = number(is, "use");
    double entitled = number(is, "entitled"), cap = number(is, "cap"), sure = number(is, "guaranteed");
    set_known(o, "used", used);
    set_known(o, "user", rate(was, is, "user_usec", w.full, 1e-6));
    set_known(o, "system", rate(was, is, "system_usec", w.full, 1e-6));
    js_set_int(o, "shares", js_get_int(is, "shares", 0));
    set_known(o, "entitled", entitled);
    set_known(o, "guaranteed", sure);
    set_known(o, "cap", cap);
    set_known(o, "percent_entitled", percent(used, entitled));
    set_known(o, "percent_guaranteed", percent(used, sure));
    set_known(o, "percent_cap", percent(used, cap));
    set_known(o, "throttled", rate(was, is, "throttled_usec", w.full, 1e-6));
    double periods = rate(was, is, "periods", w.full, 1);
    set_known(o, "percent_throttled", percent(rate(was, is, "throttled_periods", w.full, 1), periods));
    set_waiting(o, "percent_waiting", was, is, "psi_some_usec", w.full);
    return o;
}

static json *memory_row(const json *was, const json *is, double seconds)
{
    static const char *const kinds[] = {"anon", "file", "shmem", "kernel", "swap", "peak", "reserved"};
    json *o = js_object();
    set_known(o, "used", number(is, "usage"));
    set_known(o, "cap", number(is, "cap"));
    set_known(o, "percent_cap", percent(number(is, "usage"), number(is, "cap")));
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        set_known(o, kinds[i], number(is, kinds[i]));
    set_waiting(o, "percent_waiting", was, is, "psi_some_usec", seconds);
    set_waiting(o, "percent_stalled", was, is, "psi_full_usec", seconds);
    set_known(o, "oom_kills", rate(was, is, "oom_kills", seconds, seconds));
    return o;
}

static json *io_row(const json *was, const json *is, double seconds)
{
    json *o = js_object();
    for (unsigned i = 0; i < ARRAY_LEN(io_rates); i++)
        set_known(o, io_rates[i], rate(was, is, io_rates[i], seconds, 1));
    set_waiting(o, "percent_waiting", was, is, "psi_some_usec", seconds);
    set_waiting(o, "percent_stalled", was, is, "psi_full_usec", seconds);
    return o;
}

/* A link is told by its number on the host: one made anew under the same name counts from nothing, and one that is kept
 * may come to stand elsewhere in the list. */
static json *link_in(const json *links, const json *link)
{
    int64_t index = js_get_int(link, "index", -1);
    for (size_t i = 0; i < js_len(links); i++)
        if (js_get_int(js_at(links, i), "index", -1) == index)
            return js_at(links, i);
    return NULL;
}

static json *network_row(const json *was, const json *is, double seconds)
{
    static const char *const keys[] = {"rx_bytes", "tx_bytes"}, *const names[] = {"received", "sent"};
    json *o = js_object();
    for (unsigned k = 0; k < 2; k++) {
        double sum = js_len(is) ? 0 : -1;
        for (size_t i = 0; i < js_len(is); i++) {
            double r = rate(link_in(was, js_at(is, i)), js_at(is, i), keys[k], seconds, 1);
            sum = r < 0 ? sum : sum + r;
        }
        set_known(o, names[k], seconds > 0 ? sum : -1);
    }
    return o;
}

static json *zone_row(const json *was, const json *is, double seconds)
{
    json *o = js_object(), *tasks = js_object();
    struct window w = {window(was, is, "read_us", seconds), window(was, is, "looked_us", seconds)};
    js_set_str(o, "name", js_get_str(is, "name", "?"));
    js_set_str(o, "state", js_get_str(is, "state", NULL));
    js_set(o, "cpu", cpu_row(js_get(was, "cpu"), js_get(is, "cpu"), w));
    js_set(o, "memory", memory_row(js_get(was, "memory"), js_get(is, "memory"), w.full));
    set_known(tasks, "used", number(js_get(is, "tasks"), "current"));
    set_known(tasks, "cap", number(js_get(is, "tasks"), "cap"));
    js_set(o, "tasks", tasks);
    js_set(o, "io", io_row(js_get(was, "io"), js_get(is, "io"), w.full));
    js_set(o, "network", network_row(js_get(was, "network"), js_get(is, "network"), w.brief));
    return o;
}

/* ---- the rows that make the sums come out ---- */
static json *sum_row(const char *name, double cpu, double memory, double tasks)
{
    json *o = js_object(), *c = js_object(), *m = js_object(), *t = js_object();
    js_set_str(o, "name", name);
    js_set(o, "state", js_null());
    set_known(c, "used", cpu);
    set_known(m, "used", memory);
    set_known(t, "used", tasks);
    js_set(o, "cpu", c);
    js_set(o, "memory", m);
    js_set(o, "tasks", t);
    return o;
}

static double sum_of(const json *rows, const char *section, const char *key)
{
    double sum = 0;
    for (size_t i = 0; i < js_len(rows); i++) {
        double v = number(js_get(js_at(rows, i), section), key);
        sum += v > 0 ? v : 0;
    }
    return sum;
}

/* Differences of sums read one after the other: a hair below nothing is nothing. */
static double rest(double whole, double part)
{
    return whole < 0 ? -1 : whole > part ? whole - part : 0;
}

/* A zone that runs was not looked at in this interval: nobody knows what is its part. */
static bool some_unknown(const json *rows, const char *section, const char *key)
{
    for (size_t i = 0; i < js_len(rows); i++)
        if (number(js_get(js_at(rows, i), "cpu"), "used") >= 0 &&
            number(js_get(js_at(rows, i), section), key) < 0)
            return true;
    return false;
}

/* The disks': [total] of the machine, [others] of what the zones have beyond the listed ones, [host] the rest. */
static void add_io(json *rows, const json *h0, const json *h1, double seconds, json *others, json *host,
                   json *total)
{
    json *o = js_object(), *h = js_object(), *t = js_object();
    for (unsigned i = 0; i < ARRAY_LEN(io_rates); i++) {
        double all = rate(js_get(h0, "io"), js_get(h1, "io"), io_rates[i], seconds, 1);
        double zones = rate(js_get(h0, "io_zones"), js_get(h1, "io_zones"), io_rates[i], seconds, 1);
        bool unknown = some_unknown(rows, "io", io_rates[i]);
        set_known(o, io_rates[i], unknown ? -1 : rest(zones, sum_of(rows, "io", io_rates[i])));
        set_known(h, io_rates[i], zones < 0 ? -1 : rest(all, zones));
        set_known(t, io_rates[i], all);
    }
    js_set(others, "io", o);
    js_set(host, "io", h);
    js_set(total, "io", t);
}

static json *host_row(const json *host, double used)
{
    json *o = sum_row("[host]", used, number(host, "memory_host"), number(host, "tasks_host"));
    double sure = number(host, "cpu_reserved");
    set_known(js_get(o, "cpu"), "guaranteed", sure);
    set_known(js_get(o, "cpu"), "percent_guaranteed", percent(used, sure));
    set_known(js_get(o, "memory"), "reserved", number(host, "memory_reserved"));
    return o;
}

static json *total_row(const json *host, double used)
{
    json *o = sum_row("[total]", used, number(host, "memory_used"), number(host, "tasks"));
    json *c = js_get(o, "cpu"), *m = js_get(o, "memory");
    set_known(c, "cap", number(host, "cpus"));
    set_known(c, "percent_cap", percent(used, number(host, "cpus")));
    set_known(m, "cap", number(host, "memory"));
    set_known(m, "percent_cap", percent(number(host, "memory_used"), number(host, "memory")));
    return o;
}

json *ctl_interval(const json *was, const json *is)
{
    json *o = js_object(), *rows = js_array(), *zones = js_get(is, "zones");
    const json *h0 = js_get(was, "host"), *h1 = js_get(is, "host");
    double seconds = was ? rate(h0, h1, "time_us", 1, 1e-6) : 0;
    for (size_t i = 0; i < js_len(zones); i++) {
        const json *z = js_at(zones, i);
        js_add(rows, zone_row(earlier(was, z), z, seconds));
    }
    double busy = rate(h0, h1, "cpu_busy_usec", seconds, 1e-6),
           in_zones = rate(h0, h1, "cpu_zones_usec", seconds, 1e-6);
    double own = in_zones < 0 ? -1 : rest(busy, in_zones); /* not of cpu_host_usec, which may step back */
    json *others = sum_row("[others]", rest(in_zones, sum_of(rows, "cpu", "used")),
                           rest(number(h1, "memory_zones"), sum_of(rows, "memory", "used")),
                           rest(number(h1, "tasks_zones"), sum_of(rows, "tasks", "used")));
    json *host = host_row(h1, own), *total = total_row(h1, busy);
    add_io(rows, h0, h1, seconds, others, host, total);
    js_add(rows, others);
    js_add(rows, host);
    js_add(rows, total);
    set_known(o, "seconds", was ? seconds : -1);
    js_set(o, "rows", rows);
    return o;
}

/* ---- reports over several intervals ---- */
/* Numbers of `with` into `into`: the greater one stays. */
static void raise_numbers(json *into, json *with)
{
    for (void *it = js_iter(with); it; it = js_next(with, it)) {
        const char *key = js_iter_key(it);
        json *have = js_get(into, key), *new = js_iter_value(it);
        enum js_type t = js_type_of(new);
        if (t == JS_OBJECT && js_type_of(have) == JS_OBJECT)
            raise_numbers(have, new);
        else if ((t == JS_REAL || t == JS_INT) &&
                 (js_type_of(have) == JS_NULL || !have || js_real_of(have, 0) < js_real_of(new, 0)))
            js_set(into, key, js_ref(new));
    }
}

/* Among the zones, by name as the daemon has them; the sums come last. */
static void add_in_order(json *list, json *item)
{
    const char *name = js_get_str(item, "name", "");
    size_t at = 0;
    for (; at < js_len(list); at++) {
        const char *other = js_get_str(js_at(list, at), "name", "");
        if (name[0] != '[' && (other[0] == '[' || strcmp(other, name) > 0))
            break;
    }
    js_insert(list, at, item);
}

void ctl_interval_high(json *high, const json *interval)
{
    json *rows = js_get(interval, "rows"), *have = js_get(high, "rows");
    for (size_t i = 0; i < js_len(rows); i++) {
        json *row = js_at(rows, i), *mine = named(have, js_get_str(row, "name", ""));
        if (mine)
            raise_numbers(mine, row);
        else
            add_in_order(have, js_ref(row));
    }
}

static const struct {
    const char *section, *keys[8];
} counters[] = {{"cpu",
                 {"usage_usec", "user_usec", "system_usec", "throttled_usec", "periods", "throttled_periods",
                  "psi_some_usec"}},
                {"memory", {"oom_kills", "psi_some_usec", "psi_full_usec"}},
                {"io", {"read", "write", "read_ops", "write_ops", "psi_some_usec", "psi_full_usec"}}};

static json *members(json *from)
{
    json *o = js_object();
    for (void *it = js_iter(from); it; it = js_next(from, it))
        js_set(o, js_iter_key(it), js_ref(js_iter_value(it)));
    return o;
}

static bool is_int(const json *o, const char *key)
{
    return js_type_of(js_get(o, key)) == JS_INT;
}

/* A section of a zone with its counters as they would stand had it never started anew: those of its groups now, and what
 * earlier ones had counted. What is not known now stays as it was. */
static json *counted_on(unsigned at, json *now, const json *ended, const json *so_far)
{
    json *o = members(now);
    for (const char *const *k = counters[at].keys; *k; k++)
        if (is_int(now, *k))
            js_set_int(o, *k, js_get_int(now, *k, 0) + js_get_int(ended, *k, 0));
        else if (is_int(so_far, *k))
            js_set(o, *k, js_ref(js_get(so_far, *k)));
    return o;
}

/* Links that are no more have sent what they sent. */
static json *all_links(const json *now, const json *so_far)
{
    json *all = js_array();
    js_add_all(all, now);
    for (size_t i = 0; i < js_len(so_far); i++)
        if (!link_in(now, js_at(so_far, i)))
            js_add(all, js_ref(js_at(so_far, i)));
    return all;
}

/* A zone as it is now, or the name of one that has ended and holds nothing any more, with all that it was seen to use. It
 * keeps the number of the groups that it was first seen with; `counted` are those of now. */
static json *seen_zone(json *mine, json *now)
{
    json *o = members(now);
    int64_t was = js_get_int(mine, "counted", js_get_int(mine, "group", 0));
    int64_t is = is_int(now, "group") ? js_get_int(now, "group", 0) : was;
    json *ended = is == was ? js_ref(js_get(mine, "ended")) : members(mine);
    if (is != was)
        js_del(ended, "ended"); /* it is in its counters */
    js_set_int(o, "counted", is);
    js_set(o, "group", js_ref(js_get(mine, "group")));
    for (unsigned i = 0; i < ARRAY_LEN(counters); i++) {
        const char *section = counters[i].section;
        js_set(o, section,
               counted_on(i, js_get(now, section), js_get(ended, section), js_get(mine, section)));
    }
    js_set(o, "network", all_links(js_get(now, "network"), js_get(mine, "network")));
    js_set(o, "ended", ended);
    return o;
}

json *ctl_interval_seen(const json *before, const json *now)
{
    json *o = js_object(), *zones = js_array(), *is = js_get(now, "zones"), *was = js_get(before, "zones");
    for (size_t i = 0; i < js_len(is); i++) {
        json *z = js_at(is, i), *mine = named(was, js_get_str(z, "name", ""));
        js_add(zones, mine ? seen_zone(mine, z) : js_ref(z));
    }
    for (size_t i = 0; i < js_len(was); i++) {
        const char *name = js_get_str(js_at(was, i), "name", "?");
        if (named(is, name))
            continue;
        auto_js json *gone = js_object();
        js_set_str(gone, "name", name);
        js_set(gone, "state", js_null());
        add_in_order(zones, seen_zone(js_at(was, i), gone));
    }
    js_set(o, "host", js_ref(js_get(now, "host")));
    js_set(o, "zones", zones);
    return o;
}

/* Amounts instead of rates: CPU seconds, bytes, operations. */
static void multiply(json *o, const char *section, const char *const *keys, double by)
{
    json *s = js_get(o, section);
    for (; s && *keys; keys++)
        if (number(s, *keys) >= 0)
            js_set_real(s, *keys, number(s, *keys) * by);
}

void ctl_interval_total(json *average)
{
    static const char *const cpu[] = {"used", "user", "system", "throttled", NULL};
    static const char *const io[] = {"read", "write", "read_ops", "write_ops", NULL};
    static const char *const net[] = {"received", "sent", NULL};
    double seconds = number(average, "seconds");
    json *rows = js_get(average, "rows");
    for (size_t i = 0; seconds > 0 && i < js_len(rows); i++) {
        multiply(js_at(rows, i), "cpu", cpu, seconds);
        multiply(js_at(rows, i), "io", io, seconds);
        multiply(js_at(rows, i), "network", net, seconds);
    }
}
