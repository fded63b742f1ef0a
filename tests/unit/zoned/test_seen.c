/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pure parts of what is seen: entitlement, and the one cause that `why` names. */
#include "base/cpus.h"
#include "base/str.h"
#include "tests/unit/tap.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"
#include <math.h>

static bool near(double a, double b)
{
    return fabs(a - b) < 0.001;
}

static void test_sets(void)
{
    is_int(cpus_in_set("0-3,6"), 5, "five CPUs");
    is_int(cpus_in_set(NULL), 0, "no set");
    ok(cpu_in_set("0-3,6", 6) && !cpu_in_set("0-3,6", 5) && cpu_in_set(NULL, 7), "members");
    ok(cpu_in_set("1,4\n", 4) && !cpu_in_set("\n", 0) && !cpu_in_set("", 0), "as files have them");
}

static void test_entitle(void)
{
    struct entitlement a[] = {
        {.weight = 100, .limit = 2}, {.weight = 200, .limit = 2}, {.weight = 400, .limit = 2}};
    entitle(a, 3, "0-1", 2);
    ok(near(a[0].cpus, 2 / 7.0) && near(a[1].cpus, 4 / 7.0) && near(a[2].cpus, 8 / 7.0), "shares 1:2:4");
    a[2].limit = 0.5;
    entitle(a, 3, "0-1", 2);
    ok(near(a[2].cpus, 0.5) && near(a[0].cpus, 0.5) && near(a[1].cpus, 1), "a cap leaves the rest by weight");
    a[0].limit = a[1].limit = 0.25;
    entitle(a, 3, "0-1", 2);
    ok(near(a[0].cpus, 0.25) && near(a[1].cpus, 0.25) && near(a[2].cpus, 0.5),
       "all capped: nobody gets more");
    struct entitlement b[] = {{.weight = 100, .limit = 1, .set = "0"},
                              {.weight = 10, .limit = 1, .set = "0"},
                              {.weight = 0, .limit = 2},
                              {.weight = 100, .limit = 1, .set = "1"}};
    entitle(b, 4, "0-1", 2);
    ok(near(b[0].cpus, 100 / 110.0) && near(b[1].cpus, 10 / 110.0), "a set is divided among its own");
    ok(b[2].cpus == 0 && near(b[3].cpus, 1), "who asks for nothing gets nothing, the other CPU is whole");
    entitle(b, 0, "0-1", 2);
    entitle(b, 4, "0-1", 0);
    ok(near(b[0].cpus, 0), "nothing to divide");
    struct entitlement many[200];
    for (unsigned i = 0; i < 200; i++)
        many[i] = (struct entitlement){.weight = 1 + i, .limit = 0.001 * (i % 20 + 1)};
    entitle(many, 200, "0-1", 2);
    double sum = 0;
    bool within = true;
    for (unsigned i = 0; i < 200; i++) {
        sum += many[i].cpus;
        within &= many[i].cpus <= many[i].limit + 1e-9;
    }
    ok(within && sum <= 2.0001 && sum > 1.5, "200 with limits: within them, and %.2f of 2 given out", sum);
}

static struct why_facts quiet(void)
{
    return (struct why_facts){.self = {.name = "web",
                                       .state = ZONE_RUNNING,
                                       .used = 0.1,
                                       .entitled = 1,
                                       .cap = -1,
                                       .mem = 10 << 20,
                                       .mem_cap = SPEC_UNSET},
                              .cpus = 2,
                              .seconds = 1};
}

static void says(const struct why_facts *f, const char *cause, const char *who, const char *counter)
{
    auto_js json *o = why_decide(f);
    const char *text = js_get_str(o, "text", "");
    ok(str_eq(js_get_str(o, "cause", ""), cause) && str_eq(js_get_str(o, "neighbour", NULL), who) &&
           strstr(text, "web") && strstr(text, counter),
       "%s: %s", cause, text);
}

static void test_why_limits(void)
{
    struct why_facts f = quiet();
    says(&f, "none", NULL, "is not slow");
    f.self.state = ZONE_PAUSED;
    says(&f, "paused", NULL, "frozen");
    f.self.state = ZONE_FAILED;
    says(&f, "not_running", NULL, "failed");
    f = quiet();
    f.self.cap = 0.5;
    f.self.held = 0.9;
    f.self.wait_cpu = 0.99;
    says(&f, "cap", NULL, "nr_throttled");
    f.pool = "batch";
    f.pool_held = 0.95;
    says(&f, "pool", "batch", "of the pool");
    f.all_cap = 1.5;
    f.all_held = 0.97;
    says(&f, "reserved", "@host", "@host cpu.reserved: all zones together may use 1.50 of 2 CPUs");
    f.all_foreign = true;
    says(&f, "reserved", "@host", "somebody else wrote");
    f.self.wait_cpu = 0.05;
    says(&f, "pool", "batch", "of the pool"); /* others are held back, it does not wait */
    f.pool_cap = 0.2;
    f.pool_foreign = true;
    says(&f, "pool", "batch", "cap of 0.20 CPUs");
    says(&f, "pool", "batch", "Somebody else wrote");
    f.gone = true;
    says(&f, "no_groups", NULL, "zonectl restart web");
    f.gone = false;
    f.moved = "/elsewhere";
    says(&f, "moved", NULL, "moved it to /elsewhere");
    f.moved = NULL;
    f.all_held = 0;
    f.self.held = 0.09;
    f.pool_held = 0.05;
    f.self.wait_cpu = 0.05;
    says(&f, "none", NULL, "is not slow");
    f.self.blind = true;
    f.self.wait_cpu = 0;
    says(&f, "unknown", NULL, "is not counted here");
    f.self.cap = 0.5;
    f.self.held = 0.9;
    says(&f, "cap", NULL, "nr_throttled");
    f.self.cut = true; /* to what is above it: v1 */
    f.pool_cap = 0.5;
    says(&f, "pool", "batch", "in 90 % of the periods");
    f.pool_cap = -1;
    f.all_cap = -1;
    says(&f, "cap", NULL, "zonectl pool set batch cpu.cap"); /* somebody took away what it was cut for */
    f.all_cap = 0.5;
    says(&f, "reserved", "@host", "in 90 % of the periods");
    f.pool = NULL;
    says(&f, "reserved", "@host", "in 90 % of the periods");
}

static void test_why_memory(void)
{
    struct why_facts f = quiet();
    f.self.wait_mem = 0.2;
    says(&f, "memory", NULL, "memory.pressure");
    f.self.wait_io = 0.5;
    says(&f, "io", NULL, "io.pressure");
    f.self.mem = f.self.mem_cap = 64 << 20;
    says(&f, "memory", NULL, "64M of its cap of 64M");
    f.self.wait_mem = 0;
    f.self.read = 1e6;
    says(&f, "io", NULL, "io.pressure");
    f.self.refaults = 9e5;
    says(&f, "memory", NULL, "workingset_refault");
    f.self.oom_kills = 2;
    says(&f, "memory", NULL, "oom_kill");
    f = quiet();
    f.self.wait_io = 0.3;
    f.self.io_capped = true;
    says(&f, "io", NULL, "I/O limit of its own");
}

static void test_why_cpu(void)
{
    struct why_facts f = quiet();
    struct why_zone others[] = {{.name = "idle", .used = 0}, {.name = "hog", .used = 1.6, .entitled = 1}};
    f.others = others;
    f.nothers = 2;
    f.self.wait_cpu = 0.8;
    f.self.used = 0.3;
    says(&f, "neighbour", "hog", "cpu.pressure");
    f.self.set = "0";
    others[1].set = "1";
    f.host_used = 0.7;
    says(&f, "host", "[host]", "outside of zones");
    others[1].set = NULL;
    says(&f, "neighbour", "hog", "hog");
    f.self.used = 0.97;
    says(&f, "set", NULL, "its set 0");
    f.bound = WHY_DEDICATED;
    says(&f, "dedicated", NULL, "1 dedicated CPU (0)");
    f.bound = WHY_POOL;
    f.pool = "batch";
    says(&f, "pool", "batch", "the 1 CPU of the pool (0)");
    f.bound = WHY_OTHERS;
    says(&f, "machine", NULL, "not dedicated to others");
    f.pool = NULL;
    f.self.set = NULL;
    f.self.used = 1.95;
    others[1].used = 0;
    says(&f, "machine", NULL, "of 2 itself");
    f = quiet();
    f.others = others;
    f.nothers = 2;
    others[1].used = 1.9;
    f.self.wait_cpu = 0.9;
    f.self.idle = true;
    says(&f, "idle", NULL, "cpu.idle=false");
    f.self.idle = false;
    f.pool = "batch";
    f.pool_idle = true;
    says(&f, "pool", "batch", "zonectl pool set batch cpu.idle=false");
    others[1].mate = true;
    says(&f, "neighbour", "hog", "cpu.shares");
    f.pool_idle = false;
    others[1].idle = true; /* that one yields */
    others[1].used = 0.1;
    f.host_used = 1.8;
    says(&f, "host", "[host]", "outside of zones");
    f = quiet();
    f.self.wait_cpu = 0.5;
    f.host_used = 1.9;
    says(&f, "host", "[host]", "1.90 of 2");
}

int main(void)
{
    test_sets();
    test_entitle();
    test_why_limits();
    test_why_memory();
    test_why_cpu();
    return done_testing();
}
