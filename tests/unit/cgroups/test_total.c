/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the machine's disks did and what of it the zones did: whole disks, each once. */
#include "tests/unit/cgroups/tree.h"

static const char diskstats[] = " 254       0 vda 10 0 20 5 30 0 40 6 0 7 8 0 0 0 0 0 0\n"
                                " 254       1 vda1 9 0 19 5 29 0 39 6 0 7 8 0 0 0 0 0 0\n"
                                "   7       0 loop0 1000 0 1000 5 1000 0 1000 6 0 7 8\n"
                                " 253       0 dm-0 500 0 500 5 500 0 500 6 0 7 8\n"
                                " 104       0 cciss/c0d0 1 0 2 5 3 0 4 6 0 7 8\n"
                                "nonsense\n";

static void test_disks(const char *mounts, const char *name)
{
    struct cg_total t;
    struct cg_host *h = detect(mounts);
    cg_read_total(h, "z.slice", &t);
    is_int(t.io_machine.read, (uint64_t)(20 + 2) * 512, "%s: read", name);
    is_int(t.io_machine.write, (40 + 4) * 512, "written");
    is_int(t.io_machine.read_ops, 11, "reads");
    is_int(t.io_machine.write_ops, 33, "writes");
    is_int(t.io_zones.read, 512, "the zones read");
    is_int(t.io_zones.write, 1024 + 7, "... wrote, on both disks");
    is_int(t.io_zones.read_ops, 1, "... reads");
    is_int(t.io_zones.write_ops, 2, "... writes");
    cg_read_total(h, "none.slice", &t);
    ok(t.io_zones.read == UINT64_MAX && t.io_machine.write_ops == 33,
       "without a group the zones' part is not known");
    cg_host_free(h);
}

int main(void)
{
    if (!mkdtemp(top))
        return 1;
    build();
    struct cg_total t;
    struct cg_host *h = detect(v2_mounts);
    cg_read_total(h, "z.slice", &t);
    ok(t.io_machine.read == UINT64_MAX && t.io_zones.read == UINT64_MAX, "no diskstats");
    cg_host_free(h);
    put("proc/diskstats", diskstats);
    put("sys/block/vda/slaves/.keep", "");
    put("sys/block/loop0/slaves/.keep", "");
    put("sys/block/cciss!c0d0/slaves/.keep", "");
    put("sys/block/dm-0/slaves/vda/dev", "254:0\n");
    put("v2/z.slice/io.stat",
        "254:0 rbytes=512 wbytes=1024 rios=1 wios=2 dbytes=0 dios=0\n253:0 rbytes=512 wbytes=1024 "
        "rios=1 wios=2\n104:0 rbytes=0 wbytes=7 rios=0 wios=0\n");
    put("v1/blkio/z.slice/blkio.throttle.io_service_bytes_recursive",
        "254:0 Read 512\n254:0 Write 1024\n254:0 Sync 3\n254:0 Total 1536\n253:0 Read 512\n253:0 Write "
        "1024\n104:0 Read "
        "0\n104:0 Write 7\nTotal 1543\n");
    put("v1/blkio/z.slice/blkio.throttle.io_serviced_recursive", "254:0 Read 1\n254:0 Write 2\nTotal 3\n");
    test_disks(v2_mounts, "v2");
    test_disks(hybrid_mounts, "v1");
    tear_down();
    return done_testing();
}
