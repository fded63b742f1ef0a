/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control groups, v1, v2 and hybrid, behind one table from key to file and value. Knows nothing of zones but
 * a name. Sources: cgroups(7), cgroup-v1/ and cgroup-v2.rst of the kernel, libcgroup. */
#pragma once
#include "base/err.h"
#include "specs/specs.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cg_layout { CG_V1, CG_V2, CG_HYBRID };
struct cg_host; /* which controller is where; detected once, inherited by forks */
/* mountinfo: path of a mountinfo file ("/proc/self/mountinfo"; tests give their own). */
int cg_detect(const char *mountinfo, struct cg_host **out, struct err *e);
void cg_host_free(struct cg_host *h);
enum cg_layout cg_layout_of(const struct cg_host *h);
/* Controllers that zones can use here, v1 names ("cpu", "memory", "pids", "blkio"/"io", …); borrowed strv. */
char *const *cg_controllers(const struct cg_host *h);
/* The v1 hierarchies whose own group a zone sees read-only (hybrid and v1), each by all of its controllers
 * ("cpu,cpuacct", "memory"); empty on v2. */
char *const *cg_v1_view(const struct cg_host *h);
unsigned cg_online_cpus(const struct cg_host *h);
const char *cg_online(const struct cg_host *h); /* "0-3" */

struct cg_limits { /* a zone's sections of the spec; borrowed */
    const struct spec_cpu *cpu;
    const struct spec_memory *memory;
    const struct spec_io *io;
    uint64_t tasks;
    char *const *devices; /* extra device nodes allowed */
    bool system;          /* init: system (delegation on v2) */
    uint32_t uid_base;    /* owner of a delegated subtree */
    uint64_t io_dev;      /* st_dev of the data folder (io limits go to its disk); 0 = unknown: all disks */
};
/* For io_dev: the file system that holds this folder; 0 = unknown. */
uint64_t cg_io_dev(const char *folder);
/* Every key that this host cannot enforce: kind unsupported (or invalid for a CPU that does not exist, a cap
 * above the machine, memory below 4 MiB), with key and remedy. No side effects. */
void cg_check(const struct cg_host *h, const struct cg_limits *l, struct problems *ps);

/* What is kept less well on this host than its name says, for people: an array of sentences. */
json *cg_remarks(const struct cg_host *h, const struct cg_limits *l);

/* Groups are named "PARENT/NAME" below each hierarchy's root; PARENT is e.g. "zoned.slice", or
 * "zoned.slice/batch.pool": a pool, which is made and removed like the parent. */
int cg_parent_ensure(const struct cg_host *h, const char *parent, struct err *e);
int cg_parent_remove(const struct cg_host *h, const char *parent,
                     struct err *e); /* if empty; missing is success */
/* The zones' part of the machine against everybody else's. What was not asked for gets the kernel's default. */
struct cg_part {
    double cap;            /* CPUs for all zones together; <= 0 = no bound */
    uint64_t weight;       /* against the other top groups, 1-10000; 0 = default */
    const char *exclusive; /* CPUs that groups below take for themselves (v2), or NULL */
};
int cg_parent_part(const struct cg_host *h, const char *parent, const struct cg_part *p, struct err *e);
/* The same again, after drift, with what the zones below have reserved; p NULL: that alone (a pool's group). */
int cg_parent_heal(const struct cg_host *h, const char *parent, const struct cg_part *p, struct err *e);
/* What the parent has where it differs, as cg_drift tells it; p as above. */
json *cg_parent_drift(const struct cg_host *h, const char *parent, const struct cg_part *p);
/* Do tasks of the host sit in the root group of the cpu controller, where no weight holds them (v1, bare hosts)? */
bool cg_host_in_root(const struct cg_host *h);
/* Can CPUs be taken away from everybody else, the host's tasks too (partitions at any depth: v2, 6.7)? */
bool cg_can_exclude(const struct cg_host *h);
/* The weights of the other top groups (v2), which parent's weight stands against. */
uint64_t cg_top_weights(const struct cg_host *h, const char *parent);
struct cg_held {            /* by a quota; UINT64_MAX = this host does not tell */
    uint64_t periods, held; /* all, and those in which it held the group back */
    double cap;             /* CPUs, as the kernel has it now; < 0 = none */
};
/* name NULL: of the parent itself. */
void cg_read_held(const struct cg_host *h, const char *parent, const char *name, struct cg_held *out);
struct cg_group;
/* Makes the group in every hierarchy and writes all limits, before any task is in it. Existing and empty:
 * reused. */
int cg_create(const struct cg_host *h, const char *parent, const char *name, const struct cg_limits *l,
              struct cg_group **out, struct err *e);
/* Opens an existing group (adopt, statistics). -ENOENT if it is not there. */
int cg_open(const struct cg_host *h, const char *parent, const char *name, struct cg_group **out,
            struct err *e);
void cg_close(struct cg_group *g); /* NULL is fine; removes nothing */
DEFINE_AUTO(struct cg_group, cg_close);
/* The v2 folder (v2 and hybrid), for CLONE_INTO_CGROUP; -1 on pure v1. Borrowed. */
int cg_clone_fd(const struct cg_group *g);
/* The same for a process that joins a running zone with this PID 1: where the zone hands controllers down to
 * child groups (its own systemd), the group itself takes no processes (cgroup-v2.rst, "No Internal Process
 * Constraint") and PID 1's child group is meant. Borrowed until the next call. */
int cg_exec_fd(struct cg_group *g, pid_t init);
/* The fast way in on v1 and hybrid (0.1 ms; cg_attach waits up to 14 ms for an RCU grace period): the
 * single-threaded child itself writes the one byte "0" to each of these, after clone3 and before exec. Opened
 * by us, so the child may be in its own user namespace. Borrowed, close-on-exec; 0 on pure v2. cg_attach
 * afterwards verifies and does what is missing. */
unsigned cg_join_fds(struct cg_group *g, const int **fds);
/* Puts a process into all hierarchies where it is not yet (v1 ones, and v2 without CLONE_INTO_CGROUP).
 * cloned_into: it was used. One read of /proc/PID/cgroup and no write when the process joined by itself. */
int cg_attach(const struct cg_group *g, pid_t pid, bool cloned_into, struct err *e);
/* Whether what the group uses and cannot give back (memory.stat: anon, shmem) fits below the new cap; -EBUSY with how much. */
int cg_cap_holds(const struct cg_group *g, const struct spec_memory *now, const struct spec_memory *will,
                 struct err *e);
/* Writes what differs; every key or, on failure, none (written ones are set back). */
int cg_update(const struct cg_group *g, const struct cg_limits *before, const struct cg_limits *after,
              struct err *e);
int cg_freeze(const struct cg_group *g, bool on, uint64_t timeout_ms, struct err *e);
bool cg_frozen(const struct cg_group *g); /* as cg_freeze left it, or is about to */
void cg_thaw(const struct cg_group *g);   /* whoever froze it, in whichever freezer; does not wait */
/* Kills every process in it, thawing first (v1-frozen tasks do not die); waits at most timeout_ms until
 * empty. */
int cg_kill(const struct cg_host *h, const char *parent, const char *name, uint64_t timeout_ms,
            struct err *e);
/* The dying need CPU: takes idle class, cap and a small weight off, before a kill. Errors do not matter. */
void cg_lift(const struct cg_group *g);
int cg_signal(const struct cg_group *g, int sig, struct err *e);
/* 1 populated, 0 empty, -errno. */
int cg_populated(const struct cg_group *g);
/* Host pids in it and below; malloc'd, *n count. */
int cg_pids(const struct cg_group *g, pid_t **pids, unsigned *n, struct err *e);
/* Removes the group, and groups that the zone made below it, in every hierarchy. Missing is success; busy
 * names the child group or a pid. */
int cg_remove(const struct cg_host *h, const char *parent, const char *name, struct err *e);
/* Names below the parent (all hierarchies united): recovery looks for leftovers. strv. */
int cg_list(const struct cg_host *h, const char *parent, char ***names, struct err *e);

struct cg_stats {   /* times in µs, sizes in bytes; UINT64_MAX = this host does not tell */
    uint64_t group; /* whose totals these are: those of another number began at 0 */
    uint64_t cpu_usage, cpu_user, cpu_system, cpu_throttled, cpu_periods, cpu_throttled_periods;
    uint64_t mem_usage, mem_peak, mem_anon, mem_file, mem_shmem, mem_kernel, mem_swap;
    uint64_t mem_dirty;    /* waits to be written to a disk, or is being; v2 */
    uint64_t mem_refaults; /* bytes read in again that had been dropped for lack of memory */
    uint64_t oom_kills, tasks;
    uint64_t io_read, io_write, io_read_ops, io_write_ops;
    uint64_t psi_cpu_some, psi_mem_some, psi_mem_full, psi_io_some, psi_io_full; /* total stall µs */
};
/* Descriptors are opened at the first read and kept. brief: only group, cpu_usage and mem_usage (for
 * list; 2 preads). */
int cg_read(struct cg_group *g, bool brief, struct cg_stats *out, struct err *e);
/* Somebody has removed its folder in a hierarchy that holds limits. */
bool cg_gone(const struct cg_group *g);
/* Writes every limit again (after drift). */
int cg_heal(const struct cg_group *g, const struct cg_limits *l, struct err *e);
struct cg_io { /* bytes, operations */
    uint64_t read, write, read_ops, write_ops;
};
struct cg_total { /* µs, bytes; UINT64_MAX = this host does not tell */
    uint64_t cpu_machine, cpu_zones, mem_zones, tasks_zones; /* zones: all below the parent, ended ones too */
    /* Of whole disks that stand on no other. The zones' may step back on v1, where groups take their counts along. */
    struct cg_io io_machine, io_zones;
};
void cg_read_total(const struct cg_host *h, const char *parent, struct cg_total *out);
/* What the kernel has for each limit key, as the spec would write it: [{key, want, have, file}] where it
 * differs from the limits. For drift and for tests. */
json *cg_drift(const struct cg_group *g, const struct cg_limits *l);
/* Adds a line with the key "pid" for each hierarchy in which this process is neither in the group nor below it. */
void cg_drift_pid(const struct cg_group *g, pid_t pid, json *out);
/* An fd that becomes readable (POLLIN or POLLPRI, *poll_events tells) when the group ran out of memory; and
 * reading it: 1 = out of memory since the last call. With SPEC_OOM_ZONE the caller then kills the group (v1;
 * on v2 the kernel does by memory.oom.group). -EOPNOTSUPP where there is none. */
int cg_oom_fd(const struct cg_group *g, short *poll_events, struct err *e);
int cg_oom_read(const struct cg_group *g, int oom_fd);
struct cg_victim {
    char name[32];
    pid_t pid;    /* of the host */
    uint64_t rss; /* bytes; 0 = not known */
};
/* The last process that was killed because this group reached its cap, not before since_us after boot; false: not
 * known. From the kernel's log. */
bool cg_oom_victim(const struct cg_group *g, uint64_t since_us, struct cg_victim *out);
/* Memory without the page cache that could be dropped at once; 0 or -errno. */
int cg_memory_used(struct cg_group *g, uint64_t *used);
