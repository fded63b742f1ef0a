/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part that all zones have together, v1 and v2 as folders of plain files: written, compared with what is there,
 * healed; its quota and what that held back. Needs no root and no control groups. */
#include "tests/unit/cgroups/tree.h"

static struct err e;

/* A write replaces a kernel's file; of a plain one it changes the beginning. */
static void empty(const char *folder, const char *const *files, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        auto_free char *file = xasprintf("%s/%s", folder, files[i]);
        put(file, "");
    }
}

static void differs(const struct cg_host *h, const struct cg_part *p, const char *want, const char *name)
{
    auto_js json *d = cg_parent_drift(h, "z.slice", p);
    struct str s = {0};
    for (size_t i = 0; i < js_len(d); i++)
        str_addf(&s, "%s%s=%s", i ? " " : "", js_get_str(js_at(d, i), "key", "?"),
                 js_get_str(js_at(d, i), "have", "?"));
    auto_free char *got = str_take(&s);
    is_str(got ? got : "", want, "%s", name);
}

static void test_v2(void)
{
    static const char *const files[] = {"cpu.idle", "cpu.weight", "cpu.max", "cpuset.cpus.exclusive",
                                        "memory.min"};
    put("v2/cgroup.controllers", "cpuset cpu io memory pids\n");
    put("v2/z.slice/web/memory.min", "8192\n");
    empty("v2/z.slice", files, ARRAY_LEN(files));
    struct cg_host *h = detect("30 24 0:26 / %s/v2 rw - cgroup2 cgroup2 rw\n");
    struct cg_part part = {.cap = 2.5, .weight = 300, .exclusive = "3"};
    ok(cg_parent_heal(h, "z.slice", &part, &e) == 0, "written %s", e.text);
    differs(h, &part, "", "v2: what was written is there");
    put("v2/z.slice/cpu.idle", "1\n");
    put("v2/z.slice/cpu.weight", "1\n");
    put("v2/z.slice/cpu.max", "max 100000\n");
    put("v2/z.slice/cpuset.cpus.exclusive", "\n");
    put("v2/z.slice/memory.min", "4096\n");
    differs(h, &part, "cpu.idle=1 cpu.shares=1 cpu.reserved=max 100000 cpu.dedicated= memory.reserved=4096",
            "foreign writes are seen");
    differs(h, NULL, "memory.reserved=4096", "of a pool's group, this alone");
    empty("v2/z.slice", files, ARRAY_LEN(files));
    ok(cg_parent_heal(h, "z.slice", &part, &e) == 0, "healed %s", e.text);
    differs(h, &part, "", "... all of it");
    struct cg_held held;
    put("v2/z.slice/cpu.stat", "usage_usec 5\nnr_periods 20\nnr_throttled 7\n");
    cg_read_held(h, "z.slice", NULL, &held);
    ok(held.periods == 20 && held.held == 7 && held.cap > 2.49 && held.cap < 2.51,
       "its quota and what that held");
    put("v2/z.slice/web/cpu.max", "max 100000\n");
    cg_read_held(h, "z.slice", "web", &held);
    ok(held.periods == UINT64_MAX && held.cap < 0, "none");
    cg_host_free(h);
}

static void test_v1(void)
{
    static const char *const files[] = {"cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us"};
    put("v1/cpu/tasks", "");
    empty("v1/cpu/z.slice", files, ARRAY_LEN(files));
    struct cg_host *h = detect("31 24 0:27 / %s/v1/cpu rw - cgroup cgroup rw,cpu\n");
    struct cg_part part = {.cap = 1.5, .weight = 10000};
    ok(cg_parent_part(h, "z.slice", &part, &e) == 0, "v1, without cpu.idle: written %s", e.text);
    differs(h, &part, "", "... and there");
    put("v1/cpu/z.slice/cpu.shares", "2\n");
    put("v1/cpu/z.slice/cpu.cfs_quota_us", "-1\n");
    differs(h, &part, "cpu.shares=2 cpu.reserved=-1", "foreign writes are seen");
    struct cg_held held;
    cg_read_held(h, "z.slice", NULL, &held);
    ok(held.cap < 0, "no quota");
    empty("v1/cpu/z.slice", files, ARRAY_LEN(files));
    ok(cg_parent_heal(h, "z.slice", &part, &e) == 0, "healed %s", e.text);
    differs(h, &part, "", "... all of it");
    cg_read_held(h, "z.slice", NULL, &held);
    ok(held.cap > 1.49 && held.cap < 1.51, "its quota");
    ok(cg_parent_part(h, "gone.slice", &part, &e) < 0, "a group that is gone: %s", e.text);
    cg_host_free(h);
}

int main(void)
{
    if (!mkdtemp(top))
        return 1;
    put("sys/devices/system/cpu/online", "0-3\n");
    put("proc/swaps", "Filename\n");
    test_v2();
    test_v1();
    tear_down();
    return done_testing();
}
