/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge pages: which files, what is written into them, what is refused, and what counts as a foreign write. */
#include "tests/unit/cgroups/tree.h"

static const char huge_mount[] = "34 24 0:30 / %s/v1/freezer rw - cgroup cgroup rw,freezer\n40 24 0:34 / "
                                 "%s/v1/hugetlb rw - cgroup cgroup rw,hugetlb\n";

/* Each size has a limit of what is used and one of what is reserved, in whole pages of that size. */
static void test_huge(const char *mounts, bool v2)
{
    struct cg_host *h = detect(mounts);
    const char *limit = v2 ? "max" : "limit_in_bytes";
    static const char *const sizes[] = {"64KB", "64KB.rsvd", "2MB", "2MB.rsvd", "1GB", "1GB.rsvd"};
    static const char *const want[] = {"5177344", "5177344", "4194304", "4194304", "0", "0"};
    for (int given = 0; given < 2; given++) {
        reset();
        if (given)
            memory.hugepages = (5u << 20) - 65000;
        for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
            enum cg_val val = CG_VAL_NONE;
            auto_free char *file = xasprintf("hugetlb.%s.%s", sizes[i], limit);
            is_str(value(h, file, &val), given ? want[i] : v2 ? "max" : "-1", "%s", file);
            is_int(val, given ? CG_VAL_GIVEN : CG_VAL_DEFAULT, "... %s", given ? "given" : "as it is");
        }
    }
    is_int(complaints(h, "memory.hugepages", ERR_UNSUPPORTED), 0, "can be kept");
    memory.hugepages = 60u << 10;
    is_int(complaints(h, "memory.hugepages", ERR_INVALID), 1, "less than a page");
    memory.hugepages = 0;
    is_int(complaints(h, "memory.hugepages", ERR_INVALID), 0, "none at all");
    cg_host_free(h);
}

/* What v1 shows for no limit differs by the size of the page. */
static void test_huge_drift(void)
{
    static const char *const sizes[] = {"64KB", "2MB", "1GB"};
    struct cg_host *h = detect(huge_mount);
    struct cg_group *g = NULL;
    struct err e = {0};
    reset();
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        auto_free char *max = xasprintf("v1/hugetlb/z.slice/web/hugetlb.%s.limit_in_bytes", sizes[i]);
        auto_free char *rsvd = xasprintf("v1/hugetlb/z.slice/web/hugetlb.%s.rsvd.limit_in_bytes", sizes[i]);
        put(max, i == 0   ? "9223372036854710272\n"
                 : i == 1 ? "9223372036852678656\n"
                          : "9223372035781033984\n");
        put(rsvd, got(max));
    }
    put("v1/freezer/z.slice/web/tasks", "");
    ok(cg_open(h, "z.slice", "web", &g, &e) == 0, "a group %s", e.text);
    auto_free char *free_of_it = drifted(g);
    is_str(free_of_it, "", "no limit of any size is no drift");
    memory.hugepages = 100000;
    json *said = cg_remarks(h, &limits);
    is_str(js_str_of(js_at(said, 0), ""), "memory.hugepages: cut to whole pages of 64 KiB: 64 KiB",
           "what is cut");
    js_free(said);
    memory.hugepages = 4u << 20;
    ok(cg_heal(g, &limits, &e) == 0, "written %s", e.text);
    ok(str_starts(got("v1/hugetlb/z.slice/web/hugetlb.2MB.rsvd.limit_in_bytes"), "4194304"),
       "... into its files");
    put("v1/hugetlb/z.slice/web/hugetlb.1GB.limit_in_bytes", "1073741824\n");
    put("v1/hugetlb/z.slice/web/hugetlb.1GB.rsvd.limit_in_bytes", "0\n");
    for (unsigned i = 0; i < 2; i++) {
        auto_free char *max = xasprintf("v1/hugetlb/z.slice/web/hugetlb.%s.limit_in_bytes", sizes[i]);
        auto_free char *rsvd = xasprintf("v1/hugetlb/z.slice/web/hugetlb.%s.rsvd.limit_in_bytes", sizes[i]);
        put(max, "4194304\n");
        put(rsvd, "4194304\n");
    }
    auto_free char *foreign = drifted(g);
    is_str(foreign, "memory.hugepages", "a foreign write is one");
    cg_close(g);
    cg_host_free(h);
}

int main(void)
{
    if (!mkdtemp(top))
        return 1;
    build();
    put("v1/hugetlb/tasks", "");
    test_huge(v2_mounts, true);
    test_huge(huge_mount, false);
    test_huge_drift();
    tear_down();
    return done_testing();
}
