/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pure v1, pure v2, hybrid and odd hosts as folders of plain files: what is found, what is refused, what is written into
 * which file. Needs no root and no control groups. */
#include "tests/unit/cgroups/tree.h"
#include <errno.h>

static void test_detect(void)
{
    struct cg_host *h = detect(v2_mounts);
    is_int(cg_layout_of(h), CG_V2, "v2");
    is_int(cg_online_cpus(h), 4, "CPUs");
    char *c = strv_join((char **)cg_controllers(h), " ");
    is_str(c, "cpu cpuset memory io pids hugetlb", "controllers of v2");
    free(c);
    is_int(strv_len((char **)cg_v1_view(h)), 0, "nothing of v1 to see");
    cg_host_free(h);

    h = detect(hybrid_mounts);
    is_int(cg_layout_of(h), CG_HYBRID, "hybrid");
    ok(h->of[CG_CPU] == h->of[CG_CPUACCT] && h->of[CG_CPU] >= 0, "cpu and cpuacct share a hierarchy");
    ok(h->of[CG_MEMORY] >= 0, "an escaped mount point");
    ok(!strv_has((char **)cg_v1_view(h), "freezer"), "no v1 freezer beside v2");
    ok(strv_has((char **)cg_v1_view(h), "cpu,cpuacct") && !strv_has((char **)cg_v1_view(h), "cpu"),
       "a hierarchy of two controllers is seen as one");
    cg_host_free(h);

    h = detect("34 24 0:30 / %s/v1/freezer rw - cgroup cgroup rw,freezer\n36 24 0:32 / %s/v1/pids rw - "
               "cgroup cgroup rw,pids\n"
               "39 24 0:32 /docker/x %s/v1/cpuset rw - cgroup cgroup rw,pids\n");
    is_int(cg_layout_of(h), CG_V1, "v1");
    is_int(h->n, 2, "a second mount of a hierarchy is left out");
    ok(h->at[h->of[CG_FREEZER]].used, "the v1 freezer is used");
    is_str(strrchr(h->at[h->of[CG_PIDS]].path, '/'), "/pids", "the whole one is taken");
    cg_host_free(h);

    h = detect("34 24 0:30 / %s/v1/pids rw - cgroup cgroup rw,pids,net_cls,noprefix,release_agent=/cpu\n");
    char *view = strv_join((char **)cg_v1_view(h), " ");
    is_str(view, "pids,net_cls", "a controller that zones have no use for belongs to its hierarchy's name");
    free(view);
    limits.system = true;
    is_int(complaints(h, "init", ERR_UNSUPPORTED), 1, "a system zone without cgroup2");
    limits.system = false;
    is_int(complaints(h, "init", ERR_UNSUPPORTED), 0, "another needs none");
    cg_host_free(h);

    struct err e = {0};
    put("mountinfo", "24 1 0:22 / /sys rw - sysfs sysfs rw\n");
    auto_free char *file = path_join(top, "mountinfo");
    h = NULL;
    ok(cg_detect(file, &h, &e) == -ENOENT && e.kind == ERR_UNSUPPORTED && e.hint[0] && !h, "none: %s",
       e.text);
}

static void test_values(const char *mounts, bool v2)
{
    struct cg_host *h = detect(mounts);
    enum cg_val val;
    reset();
    is_str(value(h, v2 ? "cpu.weight" : "cpu.shares", &val), v2 ? "100" : "1024", "default shares");
    is_int(val, CG_VAL_DEFAULT, "need no write");
    is_str(value(h, v2 ? "cpu.max" : "cpu.cfs_quota_us", &val), v2 ? "max 100000" : "-1", "no cap");
    is_str(value(h, v2 ? "memory.max" : "memory.limit_in_bytes", &val), v2 ? "max" : "-1", "no memory cap");
    is_str(value(h, "pids.max", &val), "512", "tasks");
    is_int(val, CG_VAL_GIVEN, "given");
    cpu.shares = 10000;
    is_str(value(h, v2 ? "cpu.weight" : "cpu.shares", &val), v2 ? "10000" : "102400", "most shares");
    cpu.shares = 1;
    is_str(value(h, v2 ? "cpu.weight" : "cpu.shares", &val), v2 ? "1" : "10", "fewest shares");
    cpu.cap = 0.01;
    is_str(value(h, v2 ? "cpu.max" : "cpu.cfs_quota_us", &val), v2 ? "1000 100000" : "1000", "smallest cap");
    cpu.idle = true;
    is_str(value(h, v2 ? "cpu.weight" : "cpu.shares", &val), "-", "an idle zone has no shares");
    memory.cap = 64u << 20;
    memory.swap = 1u << 20;
    is_str(value(h, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", &val),
           v2 ? "1048576" : "68157440", "swap");
    is_str(value(h, "memory.oom.group", &val), v2 ? "1" : "-", "oom: zone");
    io.read = 1000;
    is_str(value(h, v2 ? "io.max" : "blkio.throttle.read_bps_device", &val),
           v2 ? "254:0 rbps=1000" : "254:0 1000", "io");
    is_str(value(h, v2 ? "-" : "blkio.throttle.write_bps_device", &val), v2 ? "-" : "254:0 0",
           "no write limit");
    uint64_t quota, period;
    cg_cpu_quota(0.004, &quota, &period);
    ok(quota >= 1000 && period <= 1000000 && period > 200000, "a longer period for a tiny cap (%llu/%llu)",
       (unsigned long long)quota, (unsigned long long)period);
    cg_host_free(h);
}

static void test_check(const char *mounts, bool v2)
{
    struct cg_host *h = detect(mounts);
    struct problems ps = {0};
    reset();
    cg_check(h, &limits, &ps);
    is_int(ps.len, 0, "the default passes");
    problems_done(&ps);
    cpu.cap = 5;
    cpu.burst = 6;
    cpu.set = (char *)"0,4";
    cpu.dedicated = 1;
    cpu.reserved = 0.5;
    cpu.pool = (char *)"batch";
    memory.cap = 1 << 20;
    memory.soft = 1 << 20;
    memory.swap = 0;
    io.weight = 100;
    io.read = 0;
    is_int(complaints(h, "cpu.cap", ERR_INVALID), 1, "cap above the CPUs");
    is_int(complaints(h, "cpu.burst", ERR_INVALID), 1, "burst above the cap");
    is_int(complaints(h, "cpu.set", ERR_INVALID), 1, "CPU that is not there");
    is_int(complaints(h, "cpu.dedicated", ERR_UNSUPPORTED), 1, "dedicated in a pool");
    cpu.pool = NULL;
    cpu.dedicated = 5;
    cpu.reserved = 4.5;
    is_int(complaints(h, "cpu.dedicated", ERR_UNSUPPORTED), 0, "dedicated alone");
    is_int(complaints(h, "cpu.dedicated", ERR_INVALID), 1, "more dedicated CPUs than there are");
    is_int(complaints(h, "cpu.reserved", ERR_INVALID), 1, "reserved above the CPUs");
    is_int(complaints(h, "memory.cap", ERR_INVALID), 1, "too little memory");
    is_int(complaints(h, "memory.soft", ERR_UNSUPPORTED), v2 ? 0 : 1, "soft");
    is_int(complaints(h, "io.weight", ERR_UNSUPPORTED), 1, "weight without bfq");
    is_int(complaints(h, "io.read", ERR_INVALID), 1, "no bytes a second");
    memory.cap = SPEC_UNSET;
    is_int(complaints(h, "memory.swap", ERR_UNSUPPORTED), v2 ? 0 : 1, "swap without a cap");
    put("sys/dev/block/254:0/queue/scheduler", "mq-deadline [bfq] none\n");
    is_int(complaints(h, "io.weight", ERR_UNSUPPORTED), 0, "weight with bfq");
    io.weight = 5000;
    is_int(complaints(h, "io.weight", ERR_INVALID), 1, "bfq's bound");
    put("sys/dev/block/254:0/queue/scheduler", "[mq-deadline] bfq none\n");
    if (v2) {
        put("v2/io.cost.qos", "254:0 enable=1 ctrl=auto\n");
        is_int(complaints(h, "io.weight", ERR_UNSUPPORTED), 0, "weight with io.cost");
        is_int(complaints(h, "io.weight", ERR_INVALID), 0, "goes to 10000");
        put("v2/io.cost.qos", "");
    }
    cg_host_free(h);
}

static void test_lacking(void)
{
    struct cg_host *h = detect("36 24 0:32 / %s/v1/systemd rw - cgroup cgroup rw,freezer\n");
    reset();
    cpu.cap = 1;
    memory.cap = 64u << 20;
    memory.hugepages = 4u << 20;
    is_int(complaints(h, "memory.hugepages", ERR_UNSUPPORTED), 1, "no hugetlb controller");
    is_int(complaints(h, "cpu.cap", ERR_UNSUPPORTED), 1, "no cpu controller");
    is_int(complaints(h, "memory.cap", ERR_UNSUPPORTED), 1, "no memory controller");
    is_int(complaints(h, "tasks", ERR_UNSUPPORTED), 1, "no pids controller");
    is_int(complaints(h, "devices", ERR_UNSUPPORTED), 1, "no devices controller");
    cg_host_free(h);
}

static void v2_stats(struct cg_group *g)
{
    struct err e = {0};
    struct cg_stats s;
    put("v2/z.slice/web/cpu.stat",
        "usage_usec 7\nuser_usec 4\nsystem_usec 3\nnr_periods 2\nnr_throttled 1\nthrottled_usec 9\n");
    put("v2/z.slice/web/memory.current", "4096\n");
    put("v2/z.slice/web/memory.stat", "anon 11\nfile 12\nkernel 13\nshmem 14\n");
    put("v2/z.slice/web/memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 2\n");
    put("v2/z.slice/web/io.stat",
        "254:0 rbytes=1 wbytes=2 rios=3 wios=4\n8:0 rbytes=10 wbytes=20 rios=30 wios=40\n");
    put("v2/z.slice/web/memory.pressure",
        "some avg10=0 avg60=0 avg300=0 total=5\nfull avg10=0 avg60=0 avg300=0 total=6\n");
    ok(cg_read(g, true, &s, &e) == 0 && s.cpu_usage == 7 && s.mem_usage == 4096 && s.tasks == UINT64_MAX,
       "brief");
    ok(cg_read(g, false, &s, &e) == 0 && s.cpu_throttled == 9 && s.mem_kernel == 13 && s.oom_kills == 2,
       "full");
    ok(s.io_read == 11 && s.io_write_ops == 44, "io of all disks");
    ok(s.psi_mem_some == 5 && s.psi_mem_full == 6 && s.psi_cpu_some == UINT64_MAX, "pressure");
}

static void test_v2_files(void)
{
    static const char *const files[] = {
        "cgroup.procs",     "cpuset.cpus", "cpu.idle",        "cpu.weight",  "cpu.max",
        "cpu.max.burst",    "memory.max",  "memory.swap.max", "memory.high", "memory.min",
        "memory.oom.group", "pids.max",    "io.max"};
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        auto_free char *path = xasprintf("v2/z.slice/web/%s", files[i]);
        put(path, "");
    }
    put("v2/z.slice/cgroup.subtree_control", "");
    put("v2/z.slice/memory.min", "");
    put("v2/z.slice/db/memory.min", "1048576\n");
    struct cg_host *h = detect(v2_mounts);
    struct err e = {0};
    struct cg_group *g = NULL;
    reset();
    cpu.cap = 1.5;
    cpu.set = (char *)"0-1";
    memory.cap = 64u << 20;
    memory.soft = 32u << 20;
    memory.reserved = 8u << 20;
    ok(cg_parent_ensure(h, "z.slice", &e) == 0, "parent %s", e.text);
    ok(str_starts(got("v2/cgroup.subtree_control"), "+"), "controllers are enabled: %s",
       got("v2/cgroup.subtree_control"));
    ok(cg_create(h, "z.slice", "web", &limits, &g, &e) == 0, "create %s", e.text);
    is_str(got("v2/z.slice/web/cpu.max"), "150000 100000", "cpu.max");
    is_str(got("v2/z.slice/web/cpuset.cpus"), "0-1", "cpuset.cpus");
    is_str(got("v2/z.slice/web/memory.max"), "67108864", "memory.max");
    is_str(got("v2/z.slice/web/memory.high"), "33554432", "memory.high");
    is_str(got("v2/z.slice/web/memory.swap.max"), "0", "memory.swap.max");
    is_str(got("v2/z.slice/web/memory.oom.group"), "1", "memory.oom.group");
    is_str(got("v2/z.slice/web/pids.max"), "512", "pids.max");
    is_str(got("v2/z.slice/memory.min"), "9437184", "the parent's memory.min is the sum");
    ok(cg_clone_fd(g) >= 0, "a folder to clone into");
    const int *fds;
    is_int(cg_join_fds(g, &fds), 0, "nothing to join by hand");
    put("v2/z.slice/web/io.max", "254:0 rbps=max wbps=max riops=max wiops=max\n");
    json *d = cg_drift(g, &limits);
    char *text = js_dump(d, false);
    is_str(text, "[]", "no drift");
    free(text);
    js_free(d);
    put("v2/z.slice/web/memory.max", "max\n");
    d = cg_drift(g, &limits);
    is_str(js_get_str(js_at(d, 0), "key", ""), "memory.cap", "drift is seen");
    js_free(d);

    v2_stats(g);
    cg_close(g);
    put("v2/z.slice/web/cgroup.procs", "17\n");
    ok(cg_create(h, "z.slice", "web", &limits, &g, &e) == -EBUSY, "a group with processes is not taken");
    err_clear(&e);
    ok(cg_create(h, "z.slice", "../x", &limits, &g, &e) == -EINVAL, "no way out");
    ok(cg_open(h, "z.slice", "nobody", &g, NULL) == -ENOENT, "not there");
    char **names = NULL;
    cg_list(h, "z.slice", &names, &e);
    is_int(strv_len(names), 2, "list");
    strv_free(names);
    ok(cg_parent_remove(h, "z.slice", NULL) == -EBUSY, "a parent in use stays");
    cg_host_free(h);
}

/* A zone in a pool, with a CPU of its own; the zones' part; foreign writes healed; a file that refuses. */
static void test_division(void)
{
    static const char *const files[] = {"cpuset.cpus",
                                        "cpuset.cpus.exclusive",
                                        "cpuset.cpus.partition",
                                        "cpu.idle",
                                        "cpu.weight",
                                        "cpu.max",
                                        "cpu.max.burst",
                                        "memory.max",
                                        "memory.swap.max",
                                        "memory.high",
                                        "memory.min",
                                        "memory.oom.group",
                                        "pids.max",
                                        "cgroup.procs"};
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        auto_free char *zone = xasprintf("v2/d.slice/batch.pool/web/%s", files[i]),
                       *pool = xasprintf("v2/d.slice/batch.pool/%s", files[i]),
                       *up = xasprintf("v2/d.slice/%s", files[i]);
        put(zone, "");
        put(pool, "");
        put(up, "");
    }
    put("v2/d.slice/cgroup.subtree_control", "");
    put("v2/d.slice/batch.pool/cgroup.subtree_control", "");
    put("v2/user.slice/cpu.weight", "150\n");
    put("v2/system.slice/cpu.weight", "50\n");
    put("v2/cgroup.procs", "");
    struct cg_host *h = detect(v2_mounts);
    struct err e = {0};
    struct cg_group *g = NULL;
    reset();
    ok(cg_can_exclude(h), "this host can take CPUs away");
    cpu.dedicated = 1;
    cpu.set = (char *)"3";
    memory.reserved = 4096;
    ok(cg_parent_ensure(h, "d.slice/batch.pool", &e) == 0, "a pool %s", e.text);
    ok(cg_create(h, "d.slice/batch.pool", "web", &limits, &g, &e) == 0, "a zone in it %s", e.text);
    is_str(got("v2/d.slice/batch.pool/web/cpuset.cpus.exclusive"), "3", "its CPU is exclusive");
    is_str(got("v2/d.slice/batch.pool/web/cpuset.cpus.partition"), "root", "in a partition");
    is_str(got("v2/d.slice/batch.pool/memory.min"), "4096", "the pool's memory.min");
    is_str(got("v2/d.slice/memory.min"), "4096", "and its parent's");
    struct cg_part part = {.cap = 2.5, .weight = 300, .exclusive = "3"};
    ok(cg_parent_part(h, "d.slice", &part, &e) == 0, "the zones' part %s", e.text);
    is_str(got("v2/d.slice/cpu.max"), "250000 100000", "cpu.max");
    is_str(got("v2/d.slice/cpu.weight"), "300", "cpu.weight");
    is_str(got("v2/d.slice/cpuset.cpus.exclusive"), "3", "the partition's CPU is named above");
    is_int(cg_top_weights(h, "d.slice"), 200, "the other top groups");
    ok(!cg_host_in_root(h), "nobody sits in the root group");

    put("v2/d.slice/batch.pool/web/cpu.weight", "777\n");
    put("v2/d.slice/batch.pool/web/pids.max", "max\n");
    put("v2/d.slice/batch.pool/web/cpuset.cpus.partition",
        "root invalid (Cpu list in cpuset.cpus not exclusive)\n");
    auto_free char *foreign = drifted(g);
    is_str(foreign, "cpu.dedicated cpu.shares tasks", "foreign writes, and a partition that broke");
    for (unsigned i = 0; i < ARRAY_LEN(files);
         i++) { /* a kernel file is replaced by a write, a plain one overwritten */
        auto_free char *zone = xasprintf("v2/d.slice/batch.pool/web/%s", files[i]);
        put(zone, "");
    }
    put("v2/d.slice/batch.pool/web/cpuset.cpus.partition",
        "---- invalid\n"); /* of which "root\n" leaves a part */
    ok(cg_heal(g, &limits, &e) < 0 && e.kind == ERR_LIMIT, "a partition that the kernel calls invalid: %s",
       e.text);
    put("v2/d.slice/batch.pool/web/cpuset.cpus.partition", "");
    err_clear(&e);
    ok(cg_heal(g, &limits, &e) == 0, "healed %s", e.text);
    put("v2/d.slice/batch.pool/web/cpu.max.burst", "0\n");
    auto_free char *healed = drifted(g);
    is_str(healed, "", "all of it");

    struct spec_cpu more = cpu;
    struct cg_limits after = limits;
    auto_free char *file = xasprintf("%s/v2/d.slice/batch.pool/web/cpu.max", top);
    after.cpu = &more;
    more.cap = 2;
    more.shares = 900;
    unlink(file);
    mkdir(file, 0700);
    ok(cg_update(g, &limits, &after, &e) < 0 && strstr(e.text, "cpu.cap") && strstr(e.text, "of web"),
       "a file that refuses the write is named: %s", e.text);
    ok(str_starts(got("v2/d.slice/batch.pool/web/cpu.weight"), "100"), "and the rest is set back");
    rmdir(file);
    err_clear(&e);
    ok(cg_update(g, &limits, &after, &e) == -ENOENT && e.kind == ERR_UNSUPPORTED,
       "a group that was removed: %s", e.text);
    json *none = cg_remarks(h, &limits);
    is_int(js_len(none), 0, "nothing is kept less well than its name says");
    js_free(none);
    io.write = 4u << 20;
    memory.cap = 64u << 20;
    put("proc/meminfo", "MemTotal:          65536 kB\nMemFree: 1 kB\n");
    none = cg_remarks(h, &limits);
    is_int(js_len(none), 0, "nor a rate, nor all of the memory");
    js_free(none);
    memory.cap++;
    none = cg_remarks(h, &limits);
    is_str(js_str_of(js_at(none, 0), ""),
           "memory.cap: more than the 0.1 GiB of this machine, so it bounds nothing", "more than all of it");
    js_free(none);
    memory.cap = SPEC_UNSET;
    io.write = SPEC_UNSET;
    cg_close(g);
    cg_host_free(h);
    h = detect(hybrid_mounts);
    none = cg_remarks(h, &limits);
    is_int(js_len(none), 2, "on v1 dedicated CPUs and reserved memory are");
    js_free(none);
    io.write = 4u << 20;
    none = cg_remarks(h, &limits);
    ok(strstr(js_str_of(js_at(none, 2), ""), "io.write: on cgroup v1 direct"), "and a rate of writes");
    js_free(none);
    ok(cg_host_in_root(h), "and host tasks sit in the root group");
    cg_host_free(h);
}

/* The parent stops naming CPUs: only who has them is a partition no more (6.12 would lose them for ever). */
/* v1 before Linux 6.5: a group's I/O is counted below a throttle rule alone, so each zone has one that never limits. */
static void test_counted(void)
{
    static const char mounts[] = "37 24 0:33 / %s/v1/blkio rw - cgroup cgroup rw,blkio\n"
                                 "38 24 0:34 / %s/v1/devices rw - cgroup cgroup rw,devices\n";
    static const char *const files[] = {"v1/devices/c.slice/web/devices.deny",
                                        "v1/devices/c.slice/web/devices.allow",
                                        "v1/devices/c.slice/db/devices.deny",
                                        "v1/devices/c.slice/db/devices.allow",
                                        "v1/blkio/c.slice/web/blkio.throttle.read_bps_device",
                                        "v1/blkio/c.slice/web/blkio.throttle.write_bps_device"};
    struct err e = {0};
    struct cg_group *g = NULL;
    enum cg_val val;
    reset();
    put("v1/blkio/blkio.throttle.io_service_bytes", "254:0 Read 7\n254:0 Total 0\nTotal 7\n");
    struct cg_host *h = detect(mounts);
    is_str(value(h, "blkio.throttle.write_bps_device", &val), "254:0 0", "no limit where the kernel counts");
    cg_host_free(h);
    put("v1/blkio/blkio.throttle.io_service_bytes", "254:0 Read 0\n254:0 Total 0\nTotal 0\n");
    h = detect(mounts);
    is_str(value(h, "blkio.throttle.write_bps_device", &val), "254:0 1099511627776",
           "a rule that never limits");
    is_int(val, CG_VAL_DEFAULT, "is no limit");
    is_str(value(h, "blkio.throttle.write_iops_device", &val), "254:0 0", "one rule for each way is enough");
    for (unsigned i = 0; i < ARRAY_LEN(files); i++)
        put(files[i], "");
    ok(cg_parent_ensure(h, "c.slice", &e) == 0 && cg_create(h, "c.slice", "web", &limits, &g, &e) == 0,
       "a zone %s", e.text);
    is_str(got("v1/blkio/c.slice/web/blkio.throttle.read_bps_device"), "254:0 1099511627776",
           "has it for what it reads");
    is_str(got("v1/blkio/c.slice/web/blkio.throttle.write_bps_device"), "254:0 1099511627776", "and writes");
    is_str(got("v1/blkio/c.slice/web/blkio.throttle.write_iops_device"), "(missing)", "and nothing else");
    auto_free char *kept = drifted(g);
    ok(!strstr(kept, "io."), "as the spec says: %s", kept);
    put("v1/blkio/c.slice/web/blkio.throttle.write_bps_device", "254:0 4096\n");
    auto_free char *foreign = drifted(g);
    ok(strstr(foreign, "io.write"), "a foreign limit is told: %s", foreign);
    put("v1/blkio/c.slice/web/blkio.throttle.write_bps_device", "");
    auto_free char *without = drifted(g);
    ok(!strstr(without, "io."), "a rule that is not there limits nothing: %s", without);
    cg_close(g);
    auto_free char *file = xasprintf("%s/v1/blkio/c.slice/db/blkio.throttle.read_bps_device", top);
    ok(path_mkdirs(file, 0755, &e) == 0 && cg_create(h, "c.slice", "db", &limits, &g, &e) == 0,
       "a disk that takes no rule is no reason not to start %s", e.text);
    cg_close(g);
    cg_host_free(h);
}

static void test_partitions(void)
{
    static const struct {
        const char *name, *cpus, *state, *then;
    } groups[] = {{"keeps", "2,4-5", "root", "root"},
                  {"loses", "5-6", "root", "member"},
                  {"broke", "7", "root invalid (why)", "member"},
                  {"plain", "", "member", "member"}};
    for (unsigned i = 0; i < ARRAY_LEN(groups); i++) {
        auto_free char *set = xasprintf("v2/e.slice/%s/cpuset.cpus.exclusive", groups[i].name),
                       *state = xasprintf("v2/e.slice/%s/cpuset.cpus.partition", groups[i].name),
                       *line = xasprintf("%s\n", groups[i].state), *cpus = xasprintf("%s\n", groups[i].cpus);
        put(set, cpus);
        put(state, line);
    }
    put("v2/e.slice/cpuset.cpus.exclusive", "2-7\n");
    put("v2/e.slice/cpu.weight", "");
    put("v2/e.slice/cpu.max", "");
    struct cg_host *h = detect(v2_mounts);
    struct err e = {0};
    struct cg_part part = {.exclusive = "0,2-5"};
    ok(cg_parent_part(h, "e.slice", &part, &e) == 0, "the parent names others %s", e.text);
    is_str(got("v2/e.slice/cpuset.cpus.exclusive"), "0,2-5", "... it does");
    for (unsigned i = 0; i < ARRAY_LEN(groups); i++) {
        auto_free char *state = xasprintf("v2/e.slice/%s/cpuset.cpus.partition", groups[i].name);
        ok(str_starts(got(state), groups[i].then), "%s is %s", groups[i].name, groups[i].then);
    }
    cg_host_free(h);
}

/* A zone named like a file of v1. */
static void test_name(void)
{
    char path[CG_PATH_MAX];
    cg_path(path, "p", "tasks", "pids.max");
    is_str(path, "p/tasks.zone/pids.max", "tasks");
    is_str(cg_name_of_folder("tasks.zone"), "tasks", "and back");
    char longname[CG_PATH_MAX + 1];
    memset(longname, 'x', sizeof(longname) - 1);
    longname[sizeof(longname) - 1] = 0;
    is_int(cg_path(path, "p", longname, NULL), -ENAMETOOLONG, "too long");
}

int main(void)
{
    if (!mkdtemp(top))
        return 1;
    build();
    test_detect();
    test_values(v2_mounts, true);
    test_values(hybrid_mounts, false);
    test_check(v2_mounts, true);
    test_check(hybrid_mounts, false);
    test_lacking();
    test_v2_files();
    test_division();
    test_counted();
    test_partitions();
    test_name();
    tear_down();
    return done_testing();
}
