/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of cgroups/ share: the host's hierarchies, a group, the table of limits. Not for other
 * folders. */
#pragma once
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "cgroups/cgroups.h"

#define CG_HIERS_MAX 16
#define CG_DISKS_MAX 16
#define CG_PATH_MAX 512
#define CG_VALUE_MAX 1024
#define CG_IO_NEVER (1ull << 40) /* bytes a second, which no disk reaches */

enum cg_ctrl {
    CG_CPU,
    CG_CPUACCT,
    CG_CPUSET,
    CG_MEMORY,
    CG_DEVICES,
    CG_FREEZER,
    CG_BLKIO, /* "io" on v2 */
    CG_PIDS,
    CG_HUGETLB,
    CG_CTRL_MAX,
};
#define CG_BIT(c) (1u << (c))

struct cg_hier {
    char *path; /* mount point */
    int fd;     /* its folder */
    unsigned ctrls;
    bool v2;
    bool used;      /* zones get a group here */
    char *v1_names; /* all controllers of a v1 hierarchy: "cpu,cpuacct" */
};
struct cg_host {
    enum cg_layout layout;
    struct cg_hier at[CG_HIERS_MAX];
    unsigned n;
    int v2;              /* index of the cgroup2 mount, or -1 */
    int of[CG_CTRL_MAX]; /* index of the hierarchy that has the controller, or -1 */
    bool real;           /* the machine's own mounts, not a test's tree */
    char *sys, *proc;    /* "/sys", "/proc" */
    char *online;        /* "0-3" */
    unsigned cpus;
    int fd_keep_max; /* statistics descriptors above this number are not kept */
    char **controllers, **view;
    char **v1_known;     /* the kernel's controllers, v1 names */
    struct cg_key *keys; /* the table, with this host's rows for huge pages */
    unsigned nkeys;
    uint64_t huge_least; /* the smallest huge page, bytes; 0 = none */
    bool io_by_rule; /* v1 before Linux 6.5: a group's I/O is counted only below a throttle rule of its own */
};

struct cg_kept {
    const char *file;
    int hier, fd;
};
struct cg_group {
    const struct cg_host *h;
    char *parent, *name;
    int v2_fd, exec_fd;    /* exec_fd: PID 1's own child group, where the top takes no processes */
    bool in[CG_HIERS_MAX]; /* the group exists there */
    int join[CG_HIERS_MAX];
    unsigned njoin;
    bool join_open;
    struct cg_kept kept[24];
    unsigned nkept;
    uint64_t number; /* of what the kept ones are open on; 0: not asked yet */
    struct cg_oom {
        int control_fd; /* v1: memory.oom_control */
        uint64_t seen;  /* v2: count of memory.events */
    } * oom;
};

/* detect.c */
int cg_detect_roots(const char *mountinfo, const char *sys, const char *proc, struct cg_host **out,
                    struct err *e);
const char *cg_ctrl_name(enum cg_ctrl c, bool v2);
bool cg_host_has_swap(const struct cg_host *h);

/* file.c: small files of a group, relative to a hierarchy's folder. All return 0 or -errno and set no error.
 */
int cg_path(char buf[CG_PATH_MAX], const char *parent, const char *name, const char *file);
const char *cg_name_of_folder(const char *folder);
int cg_write_at(int dirfd, const char *path, const char *text);
ssize_t cg_read_at(int dirfd, const char *path, char *buf, size_t size);
int cg_group_write(const struct cg_group *g, int hier, const char *file, const char *text);
bool cg_gone_in(const struct cg_group *g, int hier); /* its folder is not in that hierarchy (any more) */
void cg_forget_kept(struct cg_group *g);             /* the descriptors of statistics; idempotent */
ssize_t cg_group_read(const struct cg_group *g, int hier, const char *file, char *buf, size_t size);
/* "KEY VALUE" lines as in memory.stat; UINT64_MAX if not there. */
uint64_t cg_field(const char *text, const char *key);
int cg_check_names(const char *parent, const char *name, struct err *e);
/* Waits for KEY of a cgroup.events-like file to become want, by poll, at most until the deadline
 * (CLOCK_MONOTONIC µs). */
int cg_wait_event(int dirfd, const char *path, const char *key, uint64_t want, uint64_t deadline_us);

/* limits.c: the one table */
enum cg_fmt {
    F_NONE,
    F_SET,
    F_EXCLUSIVE,
    F_PARTITION,
    F_IDLE,
    F_SHARES,
    F_WEIGHT,
    F_PERIOD,
    F_QUOTA,
    F_CPUMAX,
    F_BURST,
    F_CAP_V1,
    F_CAP,
    F_MEMSW,
    F_SWAP,
    F_SOFT,
    F_RESERVED_V1,
    F_RESERVED,
    F_HUGE_V1,
    F_HUGE,
    F_OOM_V1,
    F_OOM,
    F_TASKS,
    F_BFQ,
    F_IOCOST,
    F_RBPS,
    F_WBPS,
    F_RIOPS,
    F_WIOPS,
};
struct cg_key {
    const char *key; /* of the spec */
    enum cg_ctrl ctrl;
    const char *v1;
    enum cg_fmt v1_fmt;
    const char *v2;
    enum cg_fmt v2_fmt;
    uint64_t unit; /* bytes that the kernel counts in; 0 = pages */
};
extern const struct cg_key cg_table[];
extern const unsigned cg_table_len;
/* huge.c: the table of this host, h->keys; cg_keys_free with the host. */
void cg_keys_make(struct cg_host *h);
void cg_keys_free(struct cg_host *h);
enum cg_val { CG_VAL_NONE, CG_VAL_DEFAULT, CG_VAL_GIVEN };
/* The value of one row on this host: NONE = the row says nothing here, DEFAULT = what a fresh group has.
 * Several lines are several writes. *hier and *file tell where. */
enum cg_val cg_value(const struct cg_host *h, const struct cg_key *k, const struct cg_limits *l,
                     char buf[CG_VALUE_MAX], int *hier, const char **file);
void cg_cpu_quota(double cap, uint64_t *quota_us, uint64_t *period_us);
/* apply.c: writes all rows; fresh: defaults need no write. */
int cg_apply(const struct cg_group *g, const struct cg_limits *l, bool fresh, struct err *e);
/* partition.c. Writes "root" or "member"; -EADDRINUSE: the kernel took it and calls the partition invalid. */
int cg_partition_write(int fd, const char *path, const char *state);
bool cg_is_partition_file(const char *file);
/* The CPUs that partitions below the parent may have ("" = none); who has others is a partition no more. */
int cg_partition_name(const struct cg_host *h, const char *parent, const char *cpus, struct err *e);
/* Any key of io given? Only then /sys is asked for disks. */
bool cg_io_asked(const struct spec_io *io);
bool cg_counts_io(const struct cg_host *h, const struct cg_key *k); /* this rule is needed for counting */
/* v2: the parent's memory.min is the sum of its children's, else a child's protection is void. */
int cg_parent_reserve(const struct cg_host *h, const char *parent, struct err *e);
uint64_t cg_reserved_below(const struct cg_host *h, const char *parent); /* that sum; 0 on v1 */
/* drift.c */
void cg_drift_add(json *list, const char *key, const char *want, const char *have, const char *file);
bool cg_same_set(const char *have, const char *want);

/* disks.c */
/* A whole disk that stands on no other (no partition, loop, device mapper, md): NAME of /proc/diskstats. */
bool cg_disk_is_real(const struct cg_host *h, const char *name);
unsigned cg_disks(const struct cg_host *h, const struct cg_limits *l, uint64_t disks[CG_DISKS_MAX]);
enum cg_io_weight { CG_IOW_NONE, CG_IOW_BFQ, CG_IOW_COST };
enum cg_io_weight cg_io_weight_of(const struct cg_host *h, const struct cg_limits *l);

/* devices.c, bpf.c */
struct cg_dev {
    char type; /* 'c' or 'b' */
    uint32_t major, minor;
    bool any_minor;
};
#define CG_DEVS_MAX 128
int cg_devs(const struct cg_limits *l, struct cg_dev devs[CG_DEVS_MAX], unsigned *n, struct err *e);
int cg_devices_apply(const struct cg_group *g, const struct cg_limits *l, struct err *e);
int cg_devices_update(const struct cg_group *g, const struct cg_limits *before, const struct cg_limits *after,
                      struct err *e);
/* Replaces all device programs that are attached to the v2 group. */
int cg_bpf_devices(int v2_fd, const struct cg_dev *devs, unsigned n, struct err *e);

/* pids.c: pids of one hierarchy's group and below */
int cg_tree_pids(const struct cg_host *h, int hier, const char *path, pid_t **pids, unsigned *n);
/* freeze.c */
int cg_thaw_v1(const struct cg_host *h, const char *parent, const char *name);

/* lib.c: the only room that knows libcgroup */
int cg_lib_make(const struct cg_host *h, const char *group);
