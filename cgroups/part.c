/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the machine that all zones have together: what the parent group has of it, against what it is to
 * have. One list of files and values for the write and for the look. Must never touch another top group; reads
 * their weights. Undo of cg_parent_part: the same with the part before. */
#include "cgroups/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define V1_SHARES_MAX 262144u /* the kernel's MAX_SHARES */

struct value {
    const char *key, *file;
    char want[64];
};

/* In the order in which they are written: an idle group takes no weight (EINVAL), a period comes before its
 * quota. */
static unsigned values(const struct cg_host *h, const struct cg_part *p, struct value out[4])
{
    bool v2 = h->at[h->of[CG_CPU]].v2, capped = p->cap > 0;
    uint64_t weight = p->weight ? p->weight : 100, quota = 0, period = 100000;
    if (capped)
        cg_cpu_quota(p->cap, &quota, &period);
    unsigned n = 0;
    out[n++] = (struct value){"cpu.idle", "cpu.idle", "0"};
    struct value *w = &out[n++];
    *w = (struct value){"cpu.shares", v2 ? "cpu.weight" : "cpu.shares", ""};
    uint64_t shares = weight >= 10000 ? V1_SHARES_MAX : weight * 1024 / 100;
    snprintf(w->want, sizeof(w->want), "%llu", (unsigned long long)(v2 ? weight : shares));
    struct value *q = &out[n++];
    *q = (struct value){"cpu.reserved", v2 ? "cpu.max" : "cpu.cfs_period_us", ""};
    if (v2 && capped)
        snprintf(q->want, sizeof(q->want), "%llu %llu", (unsigned long long)quota,
                 (unsigned long long)period);
    else
        snprintf(q->want, sizeof(q->want), "%s%llu", v2 ? "max " : "", (unsigned long long)period);
    if (v2)
        return n;
    q = &out[n++];
    *q = (struct value){"cpu.reserved", "cpu.cfs_quota_us", "-1"};
    if (capped)
        snprintf(q->want, sizeof(q->want), "%llu", (unsigned long long)quota);
    return n;
}

static bool names_cpus(const struct cg_host *h)
{
    int set = h->of[CG_CPUSET];
    return set >= 0 && h->at[set].v2 && cg_can_exclude(h);
}

static int write_value(const struct cg_host *h, const char *parent, const struct value *v)
{
    char path[CG_PATH_MAX];
    int r = cg_path(path, parent, NULL, v->file);
    if (r == 0)
        r = cg_write_at(h->at[h->of[CG_CPU]].fd, path, v->want);
    return r == -ENOENT && str_eq(v->file, "cpu.idle") ? 0 : r; /* since 5.15 */
}

int cg_parent_part(const struct cg_host *h, const char *parent, const struct cg_part *p, struct err *e)
{
    struct value v[4];
    unsigned n = h->of[CG_CPU] >= 0 ? values(h, p, v) : 0, bad = 0;
    int r = 0;
    for (int pass = 0; pass < 2 && (pass == 0 || r < 0);
         pass++) { /* v1: a period may have to wait for its quota */
        r = 0;
        for (unsigned i = 0; i < n; i++) {
            int w = write_value(h, parent, &v[i]);
            if (w < 0 && r == 0) {
                r = w;
                bad = i;
            }
        }
    }
    if (r < 0)
        return err_sysk(e, ERR_INTERNAL, -r, "cannot write \"%s\" to %s of %s", v[bad].want, v[bad].file,
                        parent);
    return names_cpus(h) ? cg_partition_name(h, parent, p->exclusive ? p->exclusive : "", e) : 0;
}

int cg_parent_heal(const struct cg_host *h, const char *parent, const struct cg_part *p, struct err *e)
{
    int r = p ? cg_parent_part(h, parent, p, e) : 0;
    return r < 0 ? r : cg_parent_reserve(h, parent, e);
}

/* ---- against what the kernel has ---- */
static bool read_line(const struct cg_host *h, int hier, const char *parent, const char *file, char *buf,
                      size_t size)
{
    char path[CG_PATH_MAX];
    ssize_t n = cg_path(path, parent, NULL, file) < 0 ? -1 : cg_read_at(h->at[hier].fd, path, buf, size);
    if (n >= 0)
        buf[strcspn(buf, "\n")] = 0;
    return n >= 0;
}

json *cg_parent_drift(const struct cg_host *h, const char *parent, const struct cg_part *p)
{
    json *out = js_array();
    struct value v[4];
    unsigned n = p && h->of[CG_CPU] >= 0 ? values(h, p, v) : 0;
    char have[4096];
    for (unsigned i = 0; i < n; i++) {
        bool there = read_line(h, h->of[CG_CPU], parent, v[i].file, have, sizeof(have));
        if (!there && str_eq(v[i].file, "cpu.idle"))
            continue;
        if (!there || !str_eq(have, v[i].want))
            cg_drift_add(out, v[i].key, v[i].want, there ? have : "(missing)", v[i].file);
    }
    const char *cpus = p && p->exclusive ? p->exclusive : "";
    if (p && names_cpus(h) &&
        read_line(h, h->of[CG_CPUSET], parent, "cpuset.cpus.exclusive", have, sizeof(have)) &&
        !cg_same_set(have, cpus))
        cg_drift_add(out, "cpu.dedicated", cpus, have, "cpuset.cpus.exclusive");
    uint64_t sum = cg_reserved_below(h, parent), min;
    if (sum && read_line(h, h->of[CG_MEMORY], parent, "memory.min", have, sizeof(have)) &&
        parse_u64(have, UINT64_MAX, &min) == 0 && min < sum) {
        char want[32];
        snprintf(want, sizeof(want), "%llu", (unsigned long long)sum);
        cg_drift_add(out, "memory.reserved", want, have, "memory.min");
    }
    return out;
}

void cg_read_held(const struct cg_host *h, const char *parent, const char *name, struct cg_held *out)
{
    char group[CG_PATH_MAX], file[CG_PATH_MAX], text[4096], period[32] = "";
    int hier = h->of[CG_CPU];
    *out = (struct cg_held){UINT64_MAX, UINT64_MAX, -1};
    if (hier < 0 || cg_path(group, parent, name, NULL) < 0 || cg_path(file, group, NULL, "cpu.stat") < 0)
        return;
    if (cg_read_at(h->at[hier].fd, file, text, sizeof(text)) > 0) {
        out->periods = cg_field(text, "nr_periods");
        out->held = cg_field(text, "nr_throttled");
    }
    bool v2 = h->at[hier].v2;
    if (!read_line(h, hier, group, v2 ? "cpu.max" : "cpu.cfs_quota_us", text, sizeof(text)) ||
        text[0] < '0' || text[0] > '9') /* "max", "-1" */
        return;
    if (!v2)
        (void)read_line(h, hier, group, "cpu.cfs_period_us", period, sizeof(period));
    double us = strtod(v2 ? text + strcspn(text, " ") : period, NULL);
    out->cap = us > 0 ? strtod(text, NULL) / us : -1;
}

/* ---- everybody else ---- */
/* Kernel threads sit in the root group of every host and have no program. */
bool cg_host_in_root(const struct cg_host *h)
{
    int hier = h->of[CG_CPU];
    if (hier < 0 || !h->at[hier].v2)
        return true;
    int fd = openat(h->at[hier].fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    bool found = false;
    for (int pid; f && !found && fscanf(f, "%d", &pid) == 1;) {
        char path[64], exe[8];
        snprintf(path, sizeof(path), "%.40s/%d/exe", h->proc, pid);
        found = readlink(path, exe, sizeof(exe)) > 0;
    }
    if (f)
        fclose(f);
    return found;
}

uint64_t cg_top_weights(const struct cg_host *h, const char *parent)
{
    int hier = h->of[CG_CPU];
    int fd =
        hier >= 0 && h->at[hier].v2 ? openat(h->at[hier].fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    uint64_t sum = 0, w;
    for (struct dirent *de; dir && (de = readdir(dir));) {
        char path[CG_PATH_MAX], text[32];
        if (de->d_type != DT_DIR || de->d_name[0] == '.' || str_eq(de->d_name, parent) ||
            cg_path(path, de->d_name, NULL, "cpu.weight") < 0)
            continue;
        ssize_t n = cg_read_at(h->at[hier].fd, path, text, sizeof(text));
        text[n > 0 ? strcspn(text, "\n") : 0] = 0;
        sum += n > 0 && parse_u64(text, 10000, &w) == 0 ? w : 0;
    }
    return sum;
}
