/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all zones together use, ended ones included, and the whole machine: read from the parent group and
 * from the root groups, which count their descendants. So the rest is the host's, and sums come out. */
#include "cgroups/internal.h"

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

void cg_read_total(const struct cg_host *h, const char *parent, struct cg_total *out)
{
    int mem = h->of[CG_MEMORY];
    out->cpu_machine = cpu_at(h, NULL);
    out->cpu_zones = cpu_at(h, parent);
    out->mem_zones =
        number_at(h, mem, parent, mem >= 0 && h->at[mem].v2 ? "memory.current" : "memory.usage_in_bytes");
    out->tasks_zones = number_at(h, h->of[CG_PIDS], parent, "pids.current");
}
