/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone uses. Descriptors are opened at the first read and kept: open, read, close costs 7 µs a file
 * (6.18), pread on a kept one 1-3 (memory.stat 9). In a process that comes near its descriptor limit new ones
 * are closed again instead. A file that is not there leaves its numbers at UINT64_MAX; a group that is gone
 * is -ENOENT. */
#include "cgroups/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 16384
#define USER_HZ 100 /* of cpuacct.stat, the same on every architecture that Debian builds */

static struct cg_kept *kept_find(struct cg_group *g, int hier, const char *file)
{
    for (unsigned i = 0; i < g->nkept; i++)
        if (g->kept[i].hier == hier && g->kept[i].file == file)
            return &g->kept[i];
    return NULL;
}

/* The descriptor, or -errno; *kept tells whether it stays. That a file is missing is kept too (-1: not of this kernel), but
 * not of a group that somebody has removed, which a restart may make again. */
static int open_file(struct cg_group *g, int hier, const char *file, bool *kept)
{
    const struct cg_kept *k = kept_find(g, hier, file);
    char path[CG_PATH_MAX];
    *kept = k;
    if (k)
        return k->fd < 0 ? -ENOENT : k->fd;
    if (cg_path(path, g->parent, g->name, file) < 0)
        return -ENAMETOOLONG;
    int fd = openat(g->h->at[hier].fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int err = errno;
    bool keep = (fd >= 0 && fd < g->h->fd_keep_max) || (fd < 0 && err == ENOENT && !cg_gone_in(g, hier));
    *kept = keep && g->nkept < ARRAY_LEN(g->kept);
    if (*kept)
        g->kept[g->nkept++] = (struct cg_kept){.file = file, .hier = hier, .fd = fd};
    return fd < 0 ? -err : fd;
}

/* file must be a string constant of this room: it is compared by address. */
static ssize_t get(struct cg_group *g, int hier, const char *file, char *buf, size_t size)
{
    ssize_t n = -ENODEV;
    for (int tries = 0; tries < 2 && n == -ENODEV; tries++) {
        bool kept;
        int fd = open_file(g, hier, file, &kept);
        if (fd < 0)
            return fd;
        n = pread(fd, buf, size - 1, 0);
        n = n < 0 ? -errno : n;
        if (!kept)
            close(fd);
        if (n == -ENODEV) /* removed; who has the name now is read by new descriptors */
            cg_forget_kept(g);
    }
    if (n >= 0)
        buf[n] = 0;
    return n;
}

static uint64_t number(struct cg_group *g, int hier, const char *file)
{
    char buf[64] = "";
    if (get(g, hier, file, buf, sizeof(buf)) <= 0 || buf[0] < '0' || buf[0] > '9')
        return UINT64_MAX;
    return strtoull(buf, NULL, 10);
}

static uint64_t scaled(uint64_t v, uint64_t mul, uint64_t div)
{
    return v == UINT64_MAX ? v : v * mul / div;
}

static int hier_of(const struct cg_group *g, enum cg_ctrl c)
{
    int hier = g->h->of[c];
    return hier >= 0 && g->in[hier] ? hier : -1;
}

static void cpu_v2(struct cg_group *g, int hier, char *buf, struct cg_stats *s)
{
    if (get(g, hier, "cpu.stat", buf, TEXT_MAX) <= 0)
        return;
    s->cpu_usage = cg_field(buf, "usage_usec");
    s->cpu_user = cg_field(buf, "user_usec");
    s->cpu_system = cg_field(buf, "system_usec");
    s->cpu_periods = cg_field(buf, "nr_periods");
    s->cpu_throttled_periods = cg_field(buf, "nr_throttled");
    s->cpu_throttled = cg_field(buf, "throttled_usec");
}

static void cpu_v1(struct cg_group *g, char *buf, struct cg_stats *s)
{
    int acct = hier_of(g, CG_CPUACCT), cpu = hier_of(g, CG_CPU);
    if (acct >= 0) {
        s->cpu_usage = scaled(number(g, acct, "cpuacct.usage"), 1, 1000);
        if (get(g, acct, "cpuacct.stat", buf, TEXT_MAX) > 0) {
            s->cpu_user = scaled(cg_field(buf, "user"), 1000000, USER_HZ);
            s->cpu_system = scaled(cg_field(buf, "system"), 1000000, USER_HZ);
        }
    }
    if (cpu >= 0 && get(g, cpu, "cpu.stat", buf, TEXT_MAX) > 0) {
        s->cpu_periods = cg_field(buf, "nr_periods");
        s->cpu_throttled_periods = cg_field(buf, "nr_throttled");
        s->cpu_throttled = scaled(cg_field(buf, "throttled_time"), 1, 1000);
    }
}

/* Many "KEY VALUE" lines in one pass: memory.stat has forty, and a search for each key from the start costs more
 * than the kernel takes to write them. */
struct wanted {
    const char *key;
    uint64_t *to;
};
static void fields(const char *text, const struct wanted *w, unsigned n)
{
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, " \n");
        for (unsigned i = 0; i < n; i++)
            if (!strncmp(p, w[i].key, len) && !w[i].key[len]) {
                *w[i].to = strtoull(p + len, NULL, 10);
                break;
            }
        p = strchr(p + len, '\n');
        if (!p)
            return;
        p++;
    }
}

static void take_refaults(struct cg_stats *s, uint64_t anon, uint64_t file)
{
    if (file != UINT64_MAX)
        s->mem_refaults = (file + (anon == UINT64_MAX ? 0 : anon)) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void memory_v2(struct cg_group *g, int hier, char *buf, struct cg_stats *s)
{
    uint64_t anon = UINT64_MAX, file = UINT64_MAX, writing = 0;
    const struct wanted keys[] = {{"anon", &s->mem_anon},
                                  {"file_dirty", &s->mem_dirty},
                                  {"file_writeback", &writing},
                                  {"file", &s->mem_file},
                                  {"shmem", &s->mem_shmem},
                                  {"kernel", &s->mem_kernel}, /* 5.18 */
                                  {"workingset_refault_anon", &anon},
                                  {"workingset_refault_file", &file}};
    s->mem_usage = number(g, hier, "memory.current");
    s->mem_peak = number(g, hier, "memory.peak"); /* 5.19 */
    s->mem_swap = number(g, hier, "memory.swap.current");
    if (get(g, hier, "memory.stat", buf, TEXT_MAX) > 0)
        fields(buf, keys, ARRAY_LEN(keys));
    if (s->mem_dirty != UINT64_MAX)
        s->mem_dirty += writing;
    take_refaults(s, anon, file);
    if (get(g, hier, "memory.events", buf, TEXT_MAX) > 0)
        s->oom_kills = cg_field(buf, "oom_kill");
}

static void memory_v1(struct cg_group *g, int hier, char *buf, struct cg_stats *s)
{
    uint64_t anon = UINT64_MAX, file = UINT64_MAX;
    const struct wanted keys[] = {{"total_rss", &s->mem_anon},
                                  {"total_cache", &s->mem_file},
                                  {"total_shmem", &s->mem_shmem},
                                  {"total_swap", &s->mem_swap},
                                  {"total_workingset_refault_anon", &anon},
                                  {"total_workingset_refault_file", &file}};
    s->mem_usage = number(g, hier, "memory.usage_in_bytes");
    s->mem_peak = number(g, hier, "memory.max_usage_in_bytes");
    s->mem_kernel = number(g, hier, "memory.kmem.usage_in_bytes");
    if (get(g, hier, "memory.stat", buf, TEXT_MAX) > 0)
        fields(buf, keys, ARRAY_LEN(keys));
    take_refaults(s, anon, file);
    if (get(g, hier, "memory.oom_control", buf, TEXT_MAX) > 0)
        s->oom_kills = cg_field(buf, "oom_kill");
}

static void add(uint64_t *sum, uint64_t v)
{
    *sum = *sum == UINT64_MAX ? v : *sum + v;
}

/* v2 io.stat: "254:0 rbytes=1 wbytes=2 rios=3 wios=4 …", one line a disk */
static void io_v2(struct cg_group *g, int hier, char *buf, struct cg_stats *s)
{
    if (get(g, hier, "io.stat", buf, TEXT_MAX) < 0)
        return;
    s->io_read = s->io_write = s->io_read_ops = s->io_write_ops = 0;
    const struct {
        const char *key;
        uint64_t *to;
    } keys[] = {{" rbytes=", &s->io_read},
                {" wbytes=", &s->io_write},
                {" rios=", &s->io_read_ops},
                {" wios=", &s->io_write_ops}};
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
        for (const char *p = buf; (p = strstr(p, keys[i].key));)
            add(keys[i].to, strtoull(p += strlen(keys[i].key), NULL, 10));
}

/* v1: "254:0 Read 1", "254:0 Write 2", …, "Total 3" */
static void io_v1(struct cg_group *g, int hier, const char *file, char *buf, uint64_t *rd, uint64_t *wr)
{
    if (get(g, hier, file, buf, TEXT_MAX) < 0)
        return;
    *rd = *wr = 0;
    for (const char *p = buf; (p = strstr(p, " Read "));)
        add(rd, strtoull(p += 6, NULL, 10));
    for (const char *p = buf; (p = strstr(p, " Write "));)
        add(wr, strtoull(p += 7, NULL, 10));
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=123\nfull … total=45" */
static void pressure(struct cg_group *g, const char *file, char *buf, uint64_t *some, uint64_t *full)
{
    int hier = g->h->v2;
    if (hier < 0 || !g->in[hier] || get(g, hier, file, buf, TEXT_MAX) <= 0)
        return;
    const char *p = strstr(buf, "total=");
    if (!p)
        return;
    *some = strtoull(p + 6, NULL, 10);
    if (full && (p = strstr(p + 6, "total=")))
        *full = strtoull(p + 6, NULL, 10);
}

int cg_memory_used(struct cg_group *g, uint64_t *used)
{
    char buf[TEXT_MAX];
    int mem = hier_of(g, CG_MEMORY);
    if (mem < 0)
        return -EOPNOTSUPP;
    bool v2 = g->h->at[mem].v2;
    uint64_t all = number(g, mem, v2 ? "memory.current" : "memory.usage_in_bytes");
    if (all == UINT64_MAX || get(g, mem, "memory.stat", buf, sizeof(buf)) <= 0)
        return -ENOENT;
    uint64_t idle = cg_field(buf, v2 ? "inactive_file" : "total_inactive_file");
    *used = idle != UINT64_MAX && idle < all ? all - idle : all;
    return 0;
}

static int read_brief(struct cg_group *g, struct cg_stats *s)
{
    char buf[2048];
    int cpu = hier_of(g, CG_CPUACCT), mem = hier_of(g, CG_MEMORY);
    if (cpu >= 0)
        s->cpu_usage = scaled(number(g, cpu, "cpuacct.usage"), 1, 1000);
    else if (g->h->v2 >= 0 &&
             get(g, g->h->v2, "cpu.stat", buf, sizeof(buf)) > 0) /* there without a controller too */
        s->cpu_usage = cg_field(buf, "usage_usec");
    if (mem >= 0)
        s->mem_usage = number(g, mem, g->h->at[mem].v2 ? "memory.current" : "memory.usage_in_bytes");
    return s->cpu_usage == UINT64_MAX && s->mem_usage == UINT64_MAX ? -ENOENT : 0;
}

static void read_rest(struct cg_group *g, struct cg_stats *s)
{
    char buf[TEXT_MAX];
    int cpu = hier_of(g, CG_CPU), mem = hier_of(g, CG_MEMORY), pids = hier_of(g, CG_PIDS),
        blk = hier_of(g, CG_BLKIO);
    if (hier_of(g, CG_CPUACCT) < 0 && g->h->v2 >= 0)
        cpu_v2(g, g->h->v2, buf, s);
    else if (cpu >= 0 || hier_of(g, CG_CPUACCT) >= 0)
        cpu_v1(g, buf, s);
    if (mem >= 0)
        (g->h->at[mem].v2 ? memory_v2 : memory_v1)(g, mem, buf, s);
    if (pids >= 0)
        s->tasks = number(g, pids, "pids.current");
    if (blk >= 0 && g->h->at[blk].v2)
        io_v2(g, blk, buf, s);
    else if (blk >= 0) {
        io_v1(g, blk, "blkio.throttle.io_service_bytes_recursive", buf, &s->io_read, &s->io_write);
        io_v1(g, blk, "blkio.throttle.io_serviced_recursive", buf, &s->io_read_ops, &s->io_write_ops);
    }
    pressure(g, "cpu.pressure", buf, &s->psi_cpu_some, NULL);
    pressure(g, "memory.pressure", buf, &s->psi_mem_some, &s->psi_mem_full);
    pressure(g, "io.pressure", buf, &s->psi_io_some, &s->psi_io_full);
}

/* A group that is made again under its name has other files. */
static uint64_t group_number(struct cg_group *g)
{
    int acct = hier_of(g, CG_CPUACCT), hier = acct >= 0 ? acct : g->h->v2;
    bool kept;
    struct stat st;
    if (g->number)
        return g->number;
    int fd = hier < 0 ? hier : open_file(g, hier, acct >= 0 ? "cpuacct.usage" : "cpu.stat", &kept);
    if (fd < 0)
        return UINT64_MAX;
    int r = fstat(fd, &st);
    uint64_t ino = r < 0 ? UINT64_MAX : st.st_ino & INT64_MAX;
    if (!kept)
        close(fd);
    else if (r == 0)
        g->number = ino;
    return ino;
}

int cg_read(struct cg_group *g, bool brief, struct cg_stats *out, struct err *e)
{
    struct cg_stats s;
    memset(&s, 0xff, sizeof(s));
    if (brief) {
        int r = read_brief(g, &s);
        if (r < 0)
            return err_set(e, ERR_NOT_FOUND, ENOENT, "the group %s is gone", g->name);
    } else {
        read_rest(g, &s);
        if (s.cpu_usage == UINT64_MAX && s.mem_usage == UINT64_MAX && s.tasks == UINT64_MAX)
            return err_set(e, ERR_NOT_FOUND, ENOENT, "the group %s is gone", g->name);
    }
    s.group = group_number(g); /* after a descriptor of a removed one has been noticed */
    *out = s;
    return 0;
}
