/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan of one start: everything that zone-sup needs, decided beforehand, as data. zoned builds it
 * (purely) and writes it to the zone's run folder; zone-sup reads it once. Every name that a step makes is in
 * it, so the same list of steps is start, rollback, stop and recovery after kill -9. Append-only format: a
 * newer zoned speaks to older supervisors. */
#pragma once
#include "base/json.h"
#include "cgroups/cgroups.h"
#include "netstack/netstack.h"
#include "specs/specs.h"
#include "storage/storage.h"

#define PLAN_FORMAT 1
#define PLAN_FILE "plan.json"  /* in the run folder */
#define PLAN_NEXT "plan.next"  /* beside it while an update is under way */
#define PLAN_JOURNAL "journal" /* append-only, in the run folder */
#define PLAN_LOCK "lock"       /* flock = proof of life */
#define PLAN_SOCKET "sup.sock" /* SOCK_SEQPACKET, zoned connects to adopt */
#define ZONE_HISTORY                                                                                         \
    "history"              /* in the zone's data folder: one JSON line a start or end, the last one counts */
#define ZONE_LOG_DIR "log" /* in the zone's data folder: console.log, console.log.1, .2 (CRI line format) */

struct plan {
    int format;
    char *instance; /* names everything in the kernel: "zoned" or "zoned-HASH" */
    char *zone;
    uint64_t start_no;   /* counts starts; makes kernel names unique */
    char *run_dir;       /* absolute, this zone's own: …/run/zones/NAME */
    char *data_dir;      /* the storage pool */
    char **own_dirs;     /* of zoned and of others like it; never given to a zone */
    char *keeper_socket; /* the fork server, which keeps duplicates of descriptors */
    char *cgroup_parent, *cgroup_name;
    uint32_t uid_base;
    struct spec *spec;   /* the immutable snapshot */
    bool divided;        /* cpu is given (plans of an older zoned: the spec's own) */
    struct spec_cpu cpu; /* what the spec's cpu section comes to among all who run: CPUs, weight, cap */
    struct stor_root_plan root;
    bool remove; /* run --rm: zoned deletes the zone after the stop */
    bool host_network;
    bool part;       /* lxcfs over /proc and /sys: the zone's part of the machine */
    char *join_zone; /* link: zone:NAME */
    char *join_run_dir;
    VEC(struct net_link_plan) links;
    VEC(struct stor_file) files; /* written into the zone's own upper before each start */
    char **env;                  /* K=V that the start adds */
    uint64_t log_size;           /* bytes a file, default 10 MiB */
    unsigned log_files;          /* default 3 */
    char *fault; /* "STEP:fail|kill-begin|kill-done": builds with -DZONED_FAULTS only, else ignored */
};
void plan_free(struct plan *p);
DEFINE_AUTO(struct plan, plan_free);
json *plan_to_json(const struct plan *p);
/* Bounds and types of everything are checked: the decoder is fuzzed. */
int plan_from_json(const json *j, struct plan **out, struct err *e);

/* The limits that the plan's group gets; they borrow from the plan. Asks for the data folder's disk. */
void plan_limits(const struct plan *p, struct cg_limits *l);

/* The steps in their order; undo runs them backwards. */
enum plan_step { STEP_ROOTFS, STEP_CGROUP, STEP_CONSOLE, STEP_SPAWN, STEP_NET, STEP_GO, STEP_COUNT };
const char *plan_step_name(enum plan_step s);
/* For --dry-run: [{step, does: [text…]}], from the plan alone. */
json *plan_describe(const struct plan *p);
