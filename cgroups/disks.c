/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which disks the io limits go to, and whether a weight works on them. Reads /sys only. The kernel wants
 * whole disks: a partition is ENODEV on v1. */
#include "base/path.h"
#include "cgroups/internal.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static bool parse_dev(const char *text, uint64_t *dev)
{
    unsigned ma, mi;
    if (sscanf(text, "%u:%u", &ma, &mi) != 2)
        return false;
    *dev = (uint64_t)ma << 32 | mi;
    return true;
}

static bool read_dev(const struct cg_host *h, const char *fmt, const char *a, uint64_t *dev)
{
    char path[CG_PATH_MAX], rel[300], buf[64];
    snprintf(rel, sizeof(rel), "%s/%.200s/%s", fmt, a, "dev");
    snprintf(path, sizeof(path), "%.150s/%s", h->sys, rel);
    return cg_read_at(AT_FDCWD, path, buf, sizeof(buf)) > 0 && parse_dev(buf, dev);
}

/* The whole disk of a device number: the folder above a partition's. */
static bool whole_disk(const struct cg_host *h, uint64_t st_dev, uint64_t *disk)
{
    char name[64], path[CG_PATH_MAX];
    snprintf(name, sizeof(name), "%u:%u", major((dev_t)st_dev), minor((dev_t)st_dev));
    snprintf(path, sizeof(path), "%.150s/dev/block/%s/partition", h->sys, name);
    if (access(path, F_OK) == 0)
        strcat(name, "/..");
    return read_dev(h, "dev/block", name, disk);
}

/* Memory disks, loops and optical drives hold no data folder; a device mapper or md above a disk counts for
 * itself. */
static bool counts(const char *name)
{
    static const char *const not [] = {"loop", "ram", "zram", "sr", "fd", "nbd", "pmem"};
    for (unsigned i = 0; i < ARRAY_LEN(not ); i++)
        if (str_starts(name, not [i]))
            return false;
    return name[0] != '.';
}

bool cg_disk_is_real(const struct cg_host *h, const char *name)
{
    char path[CG_PATH_MAX];
    snprintf(path, sizeof(path), "%.150s/block/%.64s/slaves", h->sys, name);
    for (char *p = strstr(path, "/block/") + strlen("/block/"); *p && !str_eq(p, "/slaves"); p++)
        if (*p == '/') /* as sysfs writes cciss/c0d0 */
            *p = '!';
    auto_dir DIR *dir = counts(name) ? opendir(path) : NULL; /* a partition has no folder there */
    if (!dir)
        return false;
    for (struct dirent *de; (de = readdir(dir));)
        if (de->d_name[0] != '.')
            return false;
    return true;
}

uint64_t cg_io_dev(const char *folder)
{
    struct stat st;
    return folder && stat(folder, &st) == 0 ? st.st_dev : 0;
}

unsigned cg_disks(const struct cg_host *h, const struct cg_limits *l, uint64_t disks[CG_DISKS_MAX])
{
    if (l->io_dev && whole_disk(h, l->io_dev, &disks[0]))
        return 1; /* a file system without a device of its own (btrfs, overlay) has major 0: all disks, below
                   */
    unsigned n = 0;
    auto_free char *path = path_join(h->sys, "block");
    auto_dir DIR *dir = opendir(path);
    for (struct dirent *de; dir && n < CG_DISKS_MAX && (de = readdir(dir));)
        if (counts(de->d_name) && read_dev(h, "block", de->d_name, &disks[n]))
            n++;
    return n;
}

static bool is_bfq(const struct cg_host *h, uint64_t disk)
{
    char path[CG_PATH_MAX], buf[256];
    snprintf(path, sizeof(path), "%.150s/dev/block/%u:%u/queue/scheduler", h->sys, (unsigned)(disk >> 32),
             (unsigned)disk);
    return cg_read_at(AT_FDCWD, path, buf, sizeof(buf)) > 0 && strstr(buf, "[bfq]");
}

/* io.cost.qos of the root group has a line "MAJ:MIN enable=1 …" for each disk where io.cost works. */
static bool is_iocost(const struct cg_host *h, uint64_t disk)
{
    char buf[4096], want[64];
    int hier = h->of[CG_BLKIO];
    if (hier < 0 || !h->at[hier].v2 || cg_read_at(h->at[hier].fd, "io.cost.qos", buf, sizeof(buf)) <= 0)
        return false;
    snprintf(want, sizeof(want), "%u:%u enable=1", (unsigned)(disk >> 32), (unsigned)disk);
    return strstr(buf, want) != NULL;
}

/* All disks must be of one kind, else the weight would be inert on some. */
enum cg_io_weight cg_io_weight_of(const struct cg_host *h, const struct cg_limits *l)
{
    uint64_t disks[CG_DISKS_MAX];
    unsigned n = cg_disks(h, l, disks), bfq = 0, cost = 0;
    for (unsigned i = 0; i < n; i++) {
        bfq += is_bfq(h, disks[i]);
        cost += is_iocost(h, disks[i]);
    }
    return n && bfq == n ? CG_IOW_BFQ : n && cost == n ? CG_IOW_COST : CG_IOW_NONE;
}
