/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all zones together use, ended ones included, and the whole machine: read from the parent group and
 * from the root groups, which count their descendants. So the rest is the host's, and sums come out. */
#include "base/file.h"
#include "base/path.h"
#include "cgroups/internal.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

static uint64_t number_at(const struct cg_host *h, int hier, const char *parent, const char *file)
{
    char path[CG_PATH_MAX], buf[64];
    const char *at = file;
    if (parent) {
        snprintf(path, sizeof(path), "%s/%s", parent, file);
        at = path;
    }
    if (hier < 0 || cg_read_at(h->at[hier].fd, at, buf, sizeof(buf)) <= 0 || buf[0] < '0' || buf[0] > '9')
        return UINT64_MAX;
    return strtoull(buf, NULL, 10);
}

static uint64_t cpu_at(const struct cg_host *h, const char *parent)
{
    char path[CG_PATH_MAX], buf[2048];
    int hier = h->of[CG_CPUACCT];
    if (hier >= 0 && !h->at[hier].v2) {
        uint64_t ns = number_at(h, hier, parent, "cpuacct.usage");
        return ns == UINT64_MAX ? ns : ns / 1000;
    }
    snprintf(path, sizeof(path), "%s%scpu.stat", parent ? parent : "", parent ? "/" : "");
    if (h->v2 < 0 || cg_read_at(h->at[h->v2].fd, path, buf, sizeof(buf)) <= 0)
        return UINT64_MAX;
    return cg_field(buf, "usage_usec");
}

/* ---- disks ---- */
static void add(struct cg_io *to, const struct cg_io *more)
{
    if (to->read == UINT64_MAX)
        *to = (struct cg_io){0};
    to->read += more->read;
    to->write += more->write;
    to->read_ops += more->read_ops;
    to->write_ops += more->write_ops;
}

/* N of the line "DEV KEYN" or, on v2, of "DEV … KEYN"; 0 where there is none. */
static uint64_t of_disk(const char *text, const char *dev, const char *key)
{
    size_t n = strlen(dev);
    for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
        const char *end = strchr(p, '\n'), *at = strstr(p, key);
        if (!strncmp(p, dev, n) && p[n] == ' ' && at && (!end || at < end))
            return strtoull(at + strlen(key), NULL, 10);
    }
    return 0;
}

/* The zones' files of one kind of group: bytes and operations, or both in one. */
struct counts {
    bool v2;
    char *bytes, *ops;
};

static char *text_at(const struct cg_host *h, int hier, const char *parent, const char *file)
{
    char path[CG_PATH_MAX], *buf = xcalloc(1, 65536);
    if (cg_path(path, parent, NULL, file) == 0 && cg_read_at(h->at[hier].fd, path, buf, 65536) >= 0)
        return buf;
    free(buf);
    return NULL;
}

static void zones_of_disk(const struct counts *c, const char *dev, struct cg_io *to)
{
    struct cg_io io = {of_disk(c->bytes, dev, c->v2 ? " rbytes=" : " Read "),
                       of_disk(c->bytes, dev, c->v2 ? " wbytes=" : " Write "),
                       of_disk(c->ops, dev, c->v2 ? " rios=" : " Read "),
                       of_disk(c->ops, dev, c->v2 ? " wios=" : " Write ")};
    if (c->bytes && c->ops)
        add(to, &io);
}

/* "254 0 vda READS merged SECTORS ms WRITES merged SECTORS …" of proc_diskstats(5); a sector is 512 bytes here whatever
 * the disk's. */
static void take_disk(const struct cg_host *h, const char *line, const struct counts *c, struct cg_total *out)
{
    unsigned major, minor;
    char name[64], dev[32];
    unsigned long long v[7];
    if (sscanf(line, "%u %u %63s %llu %llu %llu %llu %llu %llu %llu", &major, &minor, name, &v[0], &v[1],
               &v[2], &v[3], &v[4], &v[5], &v[6]) != 10 ||
        !cg_disk_is_real(h, name))
        return;
    struct cg_io io = {v[2] * 512, v[6] * 512, v[0], v[4]};
    snprintf(dev, sizeof(dev), "%u:%u", major, minor);
    add(&out->io_machine, &io);
    zones_of_disk(c, dev, &out->io_zones);
}

static void read_disks(const struct cg_host *h, const char *parent, struct cg_total *out)
{
    int hier = h->of[CG_BLKIO];
    struct counts c = {.v2 = hier >= 0 && h->at[hier].v2};
    auto_free char *path = path_join(h->proc, "diskstats"), *stats = NULL;
    memset(&out->io_machine, 0xff, sizeof(out->io_machine));
    memset(&out->io_zones, 0xff, sizeof(out->io_zones));
    if (file_read(AT_FDCWD, path, 1u << 20, &stats, NULL, NULL) < 0)
        return;
    if (hier >= 0) {
        c.bytes = text_at(h, hier, parent, c.v2 ? "io.stat" : "blkio.throttle.io_service_bytes_recursive");
        c.ops = c.v2 ? c.bytes : text_at(h, hier, parent, "blkio.throttle.io_serviced_recursive");
    }
    for (char *save = NULL, *line = strtok_r(stats, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        take_disk(h, line, &c, out);
    if (c.ops != c.bytes)
        free(c.ops);
    free(c.bytes);
}

void cg_read_total(const struct cg_host *h, const char *parent, struct cg_total *out)
{
    int mem = h->of[CG_MEMORY];
    out->cpu_machine = cpu_at(h, NULL);
    out->cpu_zones = cpu_at(h, parent);
    out->mem_zones =
        number_at(h, mem, parent, mem >= 0 && h->at[mem].v2 ? "memory.current" : "memory.usage_in_bytes");
    out->tasks_zones = number_at(h, h->of[CG_PIDS], parent, "pids.current");
    read_disks(h, parent, out);
}
