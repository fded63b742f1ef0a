/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts as folders of plain files, for tests that need no root and no control groups. */
#pragma once
#pragma GCC diagnostic ignored "-Wunused-function" /* no test needs all of it */
#include "base/path.h"
#include "cgroups/internal.h"
#include "tests/unit/cgroups/limits.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static char top[] = "/tmp/zoned-cgtree-XXXXXX";

/* A file below top with its folders; %s in text is top. */
static void put(const char *path, const char *text)
{
    struct err e = {0};
    auto_free char *full = xasprintf("%s/%s", top, path);
    auto_free char *dir = xstrdup(full);
    *strrchr(dir, '/') = 0;
    path_mkdirs(dir, 0755, &e);
    FILE *f = fopen(full, "w");
    for (; f && *text; text++)
        if (text[0] == '%' && text[1] == 's')
            fputs(top, f), text++;
        else
            fputc(*text, f);
    if (f)
        fclose(f);
}

static const char *got(const char *path)
{
    static char buf[4096];
    auto_free char *full = xasprintf("%s/%s", top, path);
    if (cg_read_at(AT_FDCWD, full, buf, sizeof(buf)) < 0)
        return "(missing)";
    buf[strcspn(buf, "\n")] = 0;
    return buf;
}

static struct cg_host *detect(const char *mountinfo)
{
    struct err e = {0};
    struct cg_host *h = NULL;
    put("mountinfo", mountinfo);
    auto_free char *file = path_join(top, "mountinfo"), *sys = path_join(top, "sys"),
                   *proc = path_join(top, "proc");
    ok(cg_detect_roots(file, sys, proc, &h, &e) == 0, "detect %s", e.text);
    return h;
}

static const char v2_mounts[] =
    "24 1 0:22 / /sys rw - sysfs sysfs rw\n30 24 0:26 / %s/v2 rw,nosuid - cgroup2 cgroup2 rw\n";
static const char hybrid_mounts[] = "30 24 0:26 / %s/v1/unified rw - cgroup2 cgroup2 rw\n"
                                    "31 24 0:27 / %s/v1/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                                    "32 24 0:28 / %s/v1/mem\\040ory rw - cgroup cgroup rw,memory\n"
                                    "33 24 0:29 / %s/v1/cpuset rw - cgroup cgroup rw,cpuset\n"
                                    "34 24 0:30 / %s/v1/freezer rw - cgroup cgroup rw,freezer\n"
                                    "35 24 0:31 / %s/v1/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
                                    "36 24 0:32 / %s/v1/pids rw - cgroup cgroup rw,pids\n"
                                    "37 24 0:33 / %s/v1/blkio rw - cgroup cgroup rw,blkio\n"
                                    "38 24 0:34 / %s/v1/devices rw - cgroup cgroup rw,devices\n";

static void build(void)
{
    put("sys/devices/system/cpu/online", "0-3\n");
    put("sys/block/vda/dev", "254:0\n");
    put("sys/block/loop0/dev", "7:0\n");
    put("sys/dev/block/254:0/dev", "254:0\n");
    put("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    put("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0\n");
    put("sys/kernel/mm/hugepages/hugepages-64kB/nr_hugepages", "0\n");
    put("sys/dev/block/254:0/queue/scheduler", "[mq-deadline] bfq none\n");
    put("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/vdb partition 1 0 -2\n");
    put("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\npids\t8\t1\t1\nnet_cls\t0\t1\t1\n");
    put("v2/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
    put("v2/cgroup.subtree_control", "memory pids\n");
    static const char *const v1[] = {"cpu,cpuacct", "mem ory", "cpuset", "freezer",
                                     "systemd",     "pids",    "blkio",  "devices"};
    for (unsigned i = 0; i < ARRAY_LEN(v1); i++) {
        auto_free char *file = xasprintf("v1/%s/tasks", v1[i]);
        put(file, "");
    }
    put("v1/unified/cgroup.controllers", "hugetlb\n");
    put("v1/mem ory/memory.memsw.limit_in_bytes", "9223372036854771712\n");
}

static void tear_down(void)
{
    auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    path_remove_tree(tmp, top + 5, NULL); /* a name, not a path: it walks beneath */
}

/* The value that one key has on this host; "-" where it says nothing. */
static const char *value(const struct cg_host *h, const char *file_wanted, enum cg_val *val)
{
    static char buf[CG_VALUE_MAX];
    for (unsigned i = 0; i < h->nkeys; i++) {
        const char *file = NULL;
        int hier;
        *val = cg_value(h, &h->keys[i], &limits, buf, &hier, &file);
        if (*val != CG_VAL_NONE && str_eq(file, file_wanted))
            return buf;
    }
    return "-";
}

static unsigned complaints(const struct cg_host *h, const char *key, enum err_kind kind)
{
    struct problems ps = {0};
    unsigned n = 0;
    cg_check(h, &limits, &ps);
    for (unsigned i = 0; i < ps.len; i++)
        n += str_eq(ps.at[i].key, key) && ps.at[i].kind == kind;
    problems_done(&ps);
    return n;
}

static char *drifted(struct cg_group *g)
{
    json *d = cg_drift(g, &limits);
    struct str s = {0};
    for (size_t i = 0; i < js_len(d); i++)
        str_addf(&s, "%s%s", i ? " " : "", js_get_str(js_at(d, i), "key", "?"));
    js_free(d);
    return str_take(&s);
}
