/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's inside: what its rooms share. zoned coordinates and may die at any moment; it is never the
 * parent of a zone. Truth lives outside it: specs in ETC/zones, data and leases in LIB, run folders and
 * supervisors in RUN. The registry is a picture of that, rebuilt at every start before the first connection
 * is accepted. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "base/vec.h"
#include "cgroups/cgroups.h"
#include "netstack/netstack.h"
#include "specs/specs.h"
#include "storage/storage.h"
#include "zoned/http/http.h"
#include "zoned/service.h"
#include "zoned/sup/sup.h"

struct sd_event;
struct sd_event_source;

/* ---- states (contract.md) ---- */
enum zone_state {
    ZONE_CONFIGURED,
    ZONE_INCOMPLETE,
    ZONE_INSTALLED,
    ZONE_READY,
    ZONE_RUNNING,
    ZONE_PAUSED,
    ZONE_SHUTTING_DOWN,
    ZONE_DOWN,
    ZONE_FAILED,
    ZONE_STATE_MAX
};
enum zone_verb {
    VERB_START,
    VERB_STOP,
    VERB_RESTART,
    VERB_PAUSE,
    VERB_RESUME,
    VERB_KILL,
    VERB_DELETE,
    VERB_EXEC,
    VERB_CLEAR,
    VERB_RENAME,
    VERB_CLONE,
    VERB_SET,
    VERB_COPY,
    VERB_INSTALL,
    VERB_MAX
};
enum verb_answer { VERB_REFUSED, VERB_OK, VERB_ALREADY };
const char *state_name(enum zone_state s);
/* What a verb does in a state: table, no side effects. Refused: e says the state and the remedy. */
enum verb_answer state_allows(enum zone_state s, enum zone_verb v, const char *zone, struct err *e);
/* May a zone go from one state to the other? Asserted at every move. */
bool state_may_follow(enum zone_state from, enum zone_state to);

/* ---- a zone in the registry ---- */
struct zone_lease { /* what is the zone's own for life: written once, read at every start */
    char machine_id[33];
    struct lease_link {
        char network[SPEC_NAME_MAX + 1];
        struct net_addr addr4, addr6;
    } * links;
    unsigned nlinks;
};
enum op_kind { OP_NONE, OP_START, OP_STOP, OP_RESTART, OP_DELETE, OP_CREATE, OP_COPY };
struct waiter {
    struct zd_request *r;
    bool want_zone;
};
struct zone {
    struct zd *d;
    char name[SPEC_NAME_MAX + 1];
    enum zone_state state;
    struct spec *spec;      /* as the file was read last */
    bool ephemeral, remove; /* spec in run state only; delete after the stop */
    struct zone_lease lease;
    uint64_t start_no, started_us;
    int exit_status; /* -1: never ran */
    int healthy;     /* -1: no check */
    bool oom, pending, operator_stop, drifted;
    char *error;
    bool *new_volumes;  /* by index of filesystems: made by a create that has not ended; NULL */
    json *image_labels; /* what the image says, or NULL */
    uint64_t restarts;
    /* while it runs */
    struct plan *plan;
    int range; /* uid range, -1 */
    pid_t pid;
    int sup_fd, lock_fd, pidfd;
    struct sd_event_source *sup_io, *deadline, *pidfd_io;
    struct cg_group *group;
    struct zone_sample *sample; /* its statistics as they were read last, or NULL */
    uint64_t cpu_last_usec, cpu_last_time;
    double cpu_use;
    double entitled, guaranteed; /* CPUs; sample_entitle */
    struct port_claim *claims;   /* ports.c */
    struct alias_claim *aliases; /* aliases.c */
    uint64_t boot_start_no;
    /* the one operation under way */
    enum op_kind op;
    unsigned holders; /* of OP_COPY */
    VEC(struct waiter) waiters;
    struct json_t *messages;
    bool dry_run, updating;
    bool judged;                   /* firewall.c: its addresses are in the sets of rules */
    struct session_start *session; /* run: the stream to hand over */
    VEC(struct sup_reply) replies; /* requests sent to the supervisor that wait for an answer */
    struct zone *next;
};
/* An answer of a supervisor to a request with an id. */
struct sup_reply {
    int64_t id;
    void (*done)(struct zone *z, const json *reply, const struct err *e, void *arg);
    void *arg;
};
struct session_start {
    struct zd_request *request; /* until the upgrade */
    int fd;
    bool tty, wants_stdin;
    int rows, cols;
};

struct host_facts {
    char *kernel;
    unsigned cpus;
    uint64_t memory;
    char *host_resolv; /* text for zones, made at start and refreshed when the host's file changes */
};
struct uid_ranges;
struct event_hub;
struct net_entry {
    struct net_network net;
    struct spec_network *spec;
    struct net_pool *pool;
    unsigned links; /* leases of zones, running or not */
    bool up;
    struct names *names; /* its dnsmasq, NULL = none */
};

struct pool_entry; /* division.h */
struct build_job;  /* h_build.c */
struct zd {
    struct sd_event *event;
    struct sd_event_source *drift;
    unsigned drift_slot;
    struct sd_event_source *tidy; /* when idle: deletes folders of ended one-off zones, prepares the next */
    struct zd_server *server;
    char *etc_dir, *lib_dir, *run_dir, *socket_path, *instance, *bin_dir, *cgroup_parent, *keeper_socket,
        *root;
    int lock_fd, etc_fd, run_fd, tmp_fd;
    struct cg_host *cgroups;
    struct stor_pool *pool;
    struct net_ctx *net;
    VEC(struct net_entry) networks;
    VEC(struct pool_entry *) pools;
    VEC(struct build_job *) builds; /* under way */
    struct sd_event_source *build_again;
    struct spec_party *host; /* the host's part, ETC/host.yaml */
    bool host_in_root;
    struct cg_part part;                /* what the parent group has */
    const struct pool_entry *pool_asks; /* whose change is held against the ledger, or NULL */
    struct net_watch *net_watch;        /* of neighbour.c */
    struct sd_event_source *net_changed, *net_pause;
    char **judged;                    /* whom rules of networks name, sorted; of firewall.c */
    VEC(struct resolver *) resolvers; /* for zones on several networks, of names.c */
    json *net_saved;                  /* the host's switches as they were before the first network came up */
    struct host_facts facts;
    struct uid_ranges *ranges;
    struct event_hub *events;
    struct zone **table; /* hash of chains by name */
    unsigned table_size, nzones;
    struct port_claim *ports[1024];    /* by port modulo 1024 */
    struct alias_claim *aliases[1024]; /* by name */
    int64_t next_id;
    bool division_moved; /* since sample_entitle */
    uint64_t sampled_us; /* when all zones' statistics were taken last */
    bool shutting_down, booting, in_boot;
    struct zd_request *shutdown_request;
    int exit_code;
    uint64_t started_us;
    struct lxcfs *lxcfs;
    VEC(void *) waits; /* of waits.c */
};

/* registry.c */
struct zone *registry_find(struct zd *d, const char *name);
struct zone *registry_add(struct zd *d, const char *name);
void registry_remove(struct zd *d, struct zone *z); /* frees it */
int registry_rename(struct zd *d, struct zone *z, const char *name);
/* All zones sorted by name; free() the array. */
struct zone **registry_sorted(struct zd *d, unsigned *n);
int registry_get(struct zd *d, const char *name, struct zone **out, struct err *e); /* not_found */
void zone_set_state(struct zone *z, enum zone_state s);
void zone_set_error(struct zone *z, const char *text);

/* store.c: specs on disk */
int store_load_all(struct zd *d, struct err *e);
int store_read_text(struct zd *d, const struct zone *z, char **text, struct err *e);
int store_write_text(struct zd *d, const struct zone *z, const char *text, struct err *e);
int store_reload(struct zd *d, struct zone *z, struct problems *ps, struct err *e); /* reads the file again */
int store_delete(struct zd *d, const struct zone *z, struct err *e);
int store_add_text(struct zd *d, const char *name, const char *text,
                   struct err *e); /* of no zone yet; conflict */
void store_drop_text(struct zd *d, const char *name);
char *store_path(struct zd *d, const struct zone *z); /* of the spec file */

/* lease.c */
int lease_load(struct zd *d, struct zone *z, struct err *e);
int lease_make(
    struct zd *d, struct zone *z,
    struct err *e); /* fits the spec: keeps what fits, takes what lacks; on failure all is as before */
/* The same in two steps, for a running zone: what is not needed any more stays taken until commit. */
struct lease_change {
    struct lease_link *before;
    unsigned nbefore;
    bool *kept, *known; /* old links that the new spec uses; new links that have an old one */
};
int lease_begin(struct zd *d, struct zone *z, const struct spec *spec, struct lease_change *t, struct err *e);
void lease_commit(struct zd *d, struct zone *z, struct lease_change *t);
void lease_rollback(struct zd *d, struct zone *z, struct lease_change *t);
void lease_claim(struct zd *d,
                 struct lease_link *l); /* what a link has, at start; clears what is not to be had */
int lease_save(struct zd *d, const struct zone *z, struct err *e);
void lease_release(struct zd *d, struct zone *z);
void lease_machine_id(char out[33]);

/* imagespec.c */
void image_volume_name(const char *zone, const char *target, char out[SPEC_NAME_MAX + 1]);
void zone_know_image(struct zone *z, const json *config);
json *zone_labels(const struct zone *z); /* the spec's over the image's */

/* networks.c */
int networks_open(struct zd *d, struct err *e);
struct net_entry *network_find(struct zd *d, const char *name); /* valid until one is created or deleted */
int network_create(struct zd *d, struct spec_network *spec /* stolen */, struct err *e);
/* patch: keys of its spec with new values; rules, policy and reach change at once, others are refused. */
int network_change(struct zd *d, struct net_entry *n, const json *patch, struct problems *ps, struct err *e);
int network_delete(struct zd *d, struct net_entry *n, struct err *e); /* busy: who uses it */
char **network_zones(struct zd *d, const char *name);                 /* whose spec or start names it; strv */
int network_repair(struct zd *d, struct net_entry *n, struct err *e); /* its place in our tables */
int network_ensure_up(struct zd *d, struct net_entry *n, struct err *e);
int networks_needed(struct zd *d, const struct spec *s,
                    struct err *e);     /* up, all that the spec's links join */
bool network_is_name(const char *link); /* not none, host, zone:NAME */
void networks_check(struct zd *d, const struct spec *s, struct problems *ps); /* what a type cannot do */
void networks_down(struct zd *d);                                             /* all, when no zone runs */
void networks_free(struct zd *d);

/* names.c: zones find each other by name; a dnsmasq for each network, and for each set of networks that zones are on */
bool names_there(const struct zd *d); /* dnsmasq is installed */
void names_network_up(struct zd *d, struct net_entry *n);
void names_network_down(struct zd *d, struct net_entry *n, bool end); /* end: its process too */
void names_publish(struct zone *z);
void names_withdraw(struct zone *z);
void names_follow(struct zone *z, const struct plan *old); /* a running zone's links changed */
void names_adopt(struct zd *d);                            /* at our start: exactly the running zones */
int names_check(const struct zd *d, struct err *e);        /* for doctor */

/* neighbour.c: other firewalls */
int neighbour_open(struct zd *d, struct err *e); /* after adoption */
void neighbour_close(struct zd *d);
void neighbour_repair(struct zd *d); /* all of our tables, from what runs */
void neighbour_hooks(struct zd *d);  /* the networks that are up changed */

/* firewall.c: rules of networks */
int firewall_load(struct zd *d, const char *without,
                  struct err *e);                 /* all rules, all running zones, at once */
int firewall_join(struct zone *z, struct err *e); /* before a start: z->plan */
void firewall_leave(struct zone *z);              /* after the end; idempotent */
void firewall_follow(struct zone *z);             /* its labels or links changed */
json *firewall_warnings(struct zd *d, const struct spec_network *s);         /* rules that name nobody */
struct spec_rule *firewall_rules(const struct spec_network *s, unsigned *n); /* free() */

/* update.c: z->spec, just written and read again, becomes what the running zone has; done tells when, unless the call
 * fails. old_text: what the file said before, put back when the supervisor refuses (the caller does it when the call fails).
 */
typedef void (*zone_update_done)(struct zone *z, const struct err *e, void *arg);
int zone_update(struct zd *d, struct zone *z, const char *old_text, struct problems *ps,
                zone_update_done done, void *arg, struct err *e);
void zone_put_back(struct zd *d, struct zone *z, const char *old_text);

/* ports.c: which zone publishes what; refuses a conflict before the start */
/* ask_host: also look for programs of the host that hold a port that the zone has not published yet (not when adopting: the
 * holder is our supervisor). */
int ports_find_free(struct zd *d, enum spec_proto proto, uint16_t first, uint16_t last, uint16_t *port,
                    struct err *e); /* of the host; limit */
int ports_claim(struct zd *d, struct zone *z, const struct spec *s, bool ask_host, struct problems *ps);
void ports_release(struct zd *d, struct zone *z);

/* aliases.c: which running zone answers to which name on a network; refuses a clash before the start */
int aliases_claim(struct zd *d, struct zone *z, const struct spec *s, struct problems *ps);
void aliases_release(struct zd *d, struct zone *z);

/* ranges.c: uid ranges, machine-wide */
int ranges_open(const char *owner_dir, struct uid_ranges **out, struct err *e);
int ranges_take(struct uid_ranges *r, uint32_t *base, struct err *e); /* index, or -errno */
int ranges_claim(struct uid_ranges *r, uint32_t base);                /* adopt; index or -errno */
void ranges_release(struct uid_ranges *r, int index);
void ranges_free(struct uid_ranges *r, bool give_back);

/* plan.c: pure */
struct plan_inputs {
    const char *instance, *run_dir, *data_dir, *keeper_socket, *cgroup_parent;
    const struct spec *spec;
    const struct zone_lease *lease;
    const struct net_entry *networks;
    unsigned nnetworks;
    const struct stor_root_plan *root;
    const char *host_resolv;
    uint64_t start_no;
    uint32_t uid_base;
    bool remove;
    bool part;  /* lxcfs is there */
    bool names; /* the networks have a resolver of their own */
    const char *join_run_dir;
    const struct plan *running; /* an update: links that stay keep their names and MACs */
};
int plan_build(const struct plan_inputs *in, struct plan **out, struct problems *ps, struct err *e);

/* division.c: everybody's part of the machine, and its way into the kernel */
/* Fills p->cpu and p->cgroup_parent for z with its spec as it is; a promise that would break is a problem. */
int division_plan(struct zd *d, struct zone *z, struct plan *p, struct problems *ps);
/* Writes what all running zones but `except`, their pools and the zones' part are to have now. All or nothing. */
int division_apply(struct zd *d, const struct zone *except, struct err *e);
/* The same after somebody left: there is nobody to tell of an error but the log. */
void division_left(struct zd *d);
void division_save_plan(struct zone *z);        /* the running plan, for whoever adopts the zone */
int division_open(struct zd *d, struct err *e); /* host.yaml, pools */
void division_adopted(struct zd *d);            /* what ran before us is known */
void division_free(struct zd *d);
json *plan_remarks(struct zd *d, const struct plan *p);                     /* cg_remarks of it */
void check_limits(struct zd *d, const struct spec *s, struct problems *ps); /* and the pool */

/* drift.c: what the kernel has against what the spec says */
json *drift_check(struct zd *d, struct zone *z); /* array; sets z->drifted, tells of a change by an event */
int drift_heal(struct zd *d, struct zone *z, struct err *e);
int drift_watch(struct zd *d, struct err *e); /* looks at all running zones, a part of them each second */

/* keeper.c: the fork server */
int keeper_ensure(struct zd *d, struct err *e);
int keeper_start(struct zd *d, struct zone *z, const char *op, int run_dirfd, const struct session_start *s,
                 struct err *e);
void keeper_drop(struct zd *d, const char *zone);
int keeper_part(struct zd *d, const int *files, unsigned n, struct err *e); /* lxcfs's, for new zones */
int keeper_quit(struct zd *d);

/* lxcfs.c: the file system that shows each zone its part of the machine */
int lxcfs_open(struct zd *d, struct err *e); /* adopts or starts it, waits until it serves */
void lxcfs_close(struct zd *d, bool end);    /* end: no zone is left that needs it */
bool lxcfs_there(const struct zd *d);        /* installed: new zones get it, at the latest when it serves */
int lxcfs_check(const struct zd *d, struct err *e); /* for doctor */
void lxcfs_tell_keeper(struct zd *d);

/* supconn.c: one connection per running zone */
int sup_attach_zone(struct zd *d, struct zone *z, int fd, struct err *e);
void sup_detach_zone(struct zone *z);
int sup_request(struct zone *z, json *message, const int *fds, unsigned nfds,
                void (*done)(struct zone *, const json *, const struct err *, void *), void *arg,
                struct err *e);

/* ops.c: the operations */
int op_start(struct zd *d, struct zone *z, struct zd_request *r, struct session_start *s, struct err *e);
int op_stop(struct zd *d, struct zone *z, struct zd_request *r, uint64_t timeout_ms, bool force,
            enum op_kind kind, struct err *e);
int op_delete(struct zd *d, struct zone *z, struct zd_request *r, bool force, struct err *e);
int op_create(struct zd *d, const char *name, const char *text, bool ephemeral, struct zone **out,
              struct problems *ps, struct err *e);
void op_tidy_soon(struct zd *d);
void op_running(struct zone *z);                    /* the supervisor says so */
void op_stopped(struct zone *z, const json *event); /* … */
void op_lost(struct zone *z);                       /* the supervisor's connection ended */
/* Files of the zone are read (shared: several may) or written by a worker: no other operation begins until unhold. */
int op_hold(struct zone *z, enum op_kind kind, bool shared, struct err *e);
void op_unhold(struct zone *z);
/* running: the plan that an update changes; its links keep their names. NULL: the next start's. */
int op_plan(struct zd *d, struct zone *z, const struct plan *running, struct plan **out, struct problems *ps,
            struct err *e);
void zone_note(struct zone *z, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* install.c: what the zone's root is made of, kept with it. Slow unless ready: then prepare calls done later, unless
 * the zone is gone. */
int zone_root(struct zd *d, const struct zone *z, struct stor_root_plan *out, struct err *e);
int zone_root_check(struct zd *d, const struct zone *z, struct err *e);
/* s as a start would take it: with what the zone's image says. The caller's. */
struct spec *zone_effective(struct zd *d, const struct zone *z, const struct spec *s);
bool zone_root_ready(struct zd *d, const struct zone *z);
int zone_root_prepare(struct zone *z, void (*done)(struct zone *z, const struct err *e, void *arg), void *arg,
                      struct err *e);
/* For a zone that is being made: its binds are there (not_found, denied); its volumes are made where they are not, with a
 * note. made (caller frees) tells by index which; drop is the undo. */
int mounts_check(struct zd *d, const struct spec *s, struct err *e);
bool volume_is_used(const struct zone *z, const char *volume); /* h_volumes.c: by its spec, or as it runs */
int mounts_make_volumes(struct zd *d, struct zone *z, bool **made, struct err *e);
/* A one-off zone's volumes that its image named go with it: marked when they are made, dropped at its end. */
int mounts_own(struct zd *d, const struct zone *z, const bool *made, struct err *e);
void mounts_drop_own(struct zd *d, const struct zone *z);
bool mounts_want_fill(struct zd *d, const struct spec *s); /* a volume is new */
int mounts_fill(struct zd *d, const struct spec *s, const struct stor_root_plan *root,
                struct err *e); /* in a worker */
void mounts_drop_volumes(struct zd *d, const struct spec *s, const bool *made);
int op_install(struct zd *d, struct zone *z, struct zd_request *r, struct err *e); /* answers a create */

/* adopt.c */
int adopt_all(struct zd *d, struct err *e);
int adopt_reclaim(struct zd *d, struct zone *z, struct err *e);

/* boot.c */
void boot_autostart(struct zd *d);
bool boot_dependencies_ready(struct zd *d, const struct zone *z);
void boot_zone_changed(struct zd *d);
void boot_shutdown_step(struct zd *d);

/* worker.c: a forked process for slow work; result is a JSON object */
int worker_run(struct zd *d, json *(*work)(struct zd *d, void *arg), void *arg,
               void (*done)(struct zd *d, json *result, void *arg), struct err *e);

/* Answers r with what make returns in a worker, where the registry is a copy; NULL: e says why. */
int worker_answer(struct zd *d, struct zd_request *r, const char *name,
                  json *(*make)(struct zd *d, const char *name, struct err *e), struct err *e);

/* images.c: one job of the program zone-image in a process of its own. args (stolen) are completed by op and pool. How r is
 * answered: not at all, by the result alone, or by a stream of its lines ({"progress"}, {"note"}, and last {"result"} or
 * {"error"}; an error before any other line is an ordinary error answer). When the client has gone the worker is killed.
 * done, where given, is called once with the result or the error and must call image_finish, now or later. */
enum image_answer { IMAGE_QUIET, IMAGE_RESULT, IMAGE_STREAM };
struct image_job;
typedef void (*image_done)(struct image_job *j, const json *result, const struct err *e, void *arg);
int image_run(struct zd *d, const char *op, json *args, enum image_answer how, struct zd_request *r,
              image_done done, void *arg, struct err *e);
void image_note(struct image_job *j, const char *text);
void image_finish(
    struct image_job *j, const json *result, const struct err *e,
    const struct problems *ps /* details of the error, or NULL */); /* j may be gone afterwards */

/* h_build.c: takes away zones of builds that have ended, or were a former daemon's, as soon as it can. check: for a zone that is
 * being made. */
void build_clear(struct zd *d);
int build_zone_check(const struct zd *d, const struct zone *z, struct err *e);

/* trash.c: removes what was discarded, in a worker where it is much, and then answers the requests with {}. */
void trash_empty(struct zd *d, struct zd_request *const *requests, unsigned n);

/* view.c: zone object */
json *zone_to_json(struct zd *d, struct zone *z, bool with_spec);

/* entitle.c: pure */
struct entitlement {
    uint64_t weight; /* 0: asks for nothing */
    const char *set; /* CPUs that it may use; NULL: all */
    double limit;    /* CPUs that it can use at most: cap, set */
    double cpus;     /* out */
    bool settled;
};
/* whole: CPUs to divide, at most ncpus (what is dedicated or kept for the host is not theirs). */
void entitle(struct entitlement *at, unsigned n, unsigned ncpus, double whole);
bool cpu_in_set(const char *set, unsigned cpu); /* NULL: all are in it */
unsigned cpus_in_set(const char *set);          /* "0-3,6": 5; NULL: 0 */

/* sample.c: taking statistics of many zones cheaply */
struct zone_sample {
    struct cg_stats stats;
    uint64_t full_us; /* when all of it was read; CPU time and memory are newer */
    bool ran;         /* since then */
    VEC(struct net_count) links;
    uint64_t links_of; /* start_no + 1 */
    char *text;        /* the API's object, while nothing in it moved */
    enum zone_state text_state;
};
struct zone_sample *sample_of(struct zone *z);
void sample_drop(struct zone *z);
void sample_stale(struct zone *z); /* another spec, other links */
/* everything: in full and now; else what a tenth of a second or a bounded look gives. */
void sample_take(struct zd *d, struct zone **all, unsigned n, bool everything);
void sample_entitle(struct zd *d); /* entitled, guaranteed of all, if the division has changed */
void sample_use(struct zone *z, uint64_t usage_usec); /* keeps z->cpu_use */

/* stats.c: statistics as the API tells them */
json *host_stats(struct zd *d);
char *stats_text(struct zd *d, char *const *names, struct err *e); /* malloc'd JSON; NULL: no such zone */

/* why.c: pure */
struct why_zone {
    const char *name, *set;
    enum zone_state state;
    double used, entitled, cap;         /* CPUs */
    double held, throttled;             /* of the cap's periods; seconds */
    double wait_cpu, wait_mem, wait_io; /* parts of the time */
    double read, write, refaults;       /* bytes a second */
    uint64_t mem, mem_cap, oom_kills;   /* mem_cap: SPEC_UNSET = none */
    bool io_capped;
};
struct why_facts {
    struct why_zone self;
    const struct why_zone *others; /* names, sets and CPUs of the other running zones */
    unsigned nothers, cpus;
    double seconds, host_used;
    const char *pool; /* or NULL */
    double pool_cap, pool_held;
};
/* {zone, cause, neighbour, text, seconds, counters}: cap, pool, memory, io, set, machine, neighbour, host,
 * none, paused, not_running. */
json *why_decide(const struct why_facts *f);

/* events.c */
struct event_hub *event_hub_new(void);
void event_hub_free(struct event_hub *h);
void event_publish(struct zd *d, const char *event, const char *zone, json *extra /* stolen, may be NULL */);
void event_follow(struct zd *d, struct zd_request *r, bool follow);

/* waits.c: requests that wait for a zone's state */
void waits_add(struct zd *d, struct zd_request *r, struct zone *z, const char *what, uint64_t timeout_ms);
void waits_check(struct zd *d, struct zone *z);
void waits_rename(struct zd *d, const char *from, const char *to);
void waits_gone(struct zd *d, const char *zone); /* it will never be what they wait for */

/* dispatch.c */
extern const struct zd_route zd_routes[];
extern const unsigned zd_nroutes;
/* handlers, by file */
int h_list_zones(struct zd *, struct zd_request *, struct err *);
int h_create_zone(struct zd *, struct zd_request *, struct err *);
int h_run_zone(struct zd *, struct zd_request *, struct err *);
int h_get_zone(struct zd *, struct zd_request *, struct err *);
int h_patch_zone(struct zd *, struct zd_request *, struct err *);
int h_put_zone(struct zd *, struct zd_request *, struct err *);
int h_delete_zone(struct zd *, struct zd_request *, struct err *);
int h_get_zone_spec(struct zd *, struct zd_request *, struct err *);
int h_start_zone(struct zd *, struct zd_request *, struct err *);
int h_stop_zone(struct zd *, struct zd_request *, struct err *);
int h_restart_zone(struct zd *, struct zd_request *, struct err *);
int h_pause_zone(struct zd *, struct zd_request *, struct err *);
int h_resume_zone(struct zd *, struct zd_request *, struct err *);
int h_clear_zone(struct zd *, struct zd_request *, struct err *);
int h_kill_zone(struct zd *, struct zd_request *, struct err *);
int h_rename_zone(struct zd *, struct zd_request *, struct err *);
int h_clone_zone(struct zd *, struct zd_request *, struct err *);
int h_exec_zone(struct zd *, struct zd_request *, struct err *);
int h_attach_zone(struct zd *, struct zd_request *, struct err *);
int h_console_zone(struct zd *, struct zd_request *, struct err *);
int h_zone_logs(struct zd *, struct zd_request *, struct err *);
int h_zone_stats(struct zd *, struct zd_request *, struct err *);
int h_list_stats(struct zd *, struct zd_request *, struct err *);
int h_zone_ps(struct zd *, struct zd_request *, struct err *);
int h_zone_holders(struct zd *, struct zd_request *, struct err *);
int h_zone_diff(struct zd *, struct zd_request *, struct err *);
int h_get_archive(struct zd *, struct zd_request *, struct err *);
int h_put_archive(struct zd *, struct zd_request *, struct err *);
int h_wait_zone(struct zd *, struct zd_request *, struct err *);
int h_verify_spec(struct zd *, struct zd_request *, struct err *);
int h_apply_specs(struct zd *, struct zd_request *, struct err *);
int h_list_volumes(struct zd *, struct zd_request *, struct err *);
int h_create_volume(struct zd *, struct zd_request *, struct err *);
int h_get_volume(struct zd *, struct zd_request *, struct err *);
int h_delete_volume(struct zd *, struct zd_request *, struct err *);
int h_create_network(struct zd *, struct zd_request *, struct err *);
int h_delete_network(struct zd *, struct zd_request *, struct err *);
int h_commit_zone(struct zd *, struct zd_request *, struct err *);
int h_export_zone(struct zd *, struct zd_request *, struct err *);
int h_patch_network(struct zd *, struct zd_request *, struct err *);
int h_explain_zone(struct zd *, struct zd_request *, struct err *);
int h_list_images(struct zd *, struct zd_request *, struct err *);
int h_get_image(struct zd *, struct zd_request *, struct err *);
int h_delete_image(struct zd *, struct zd_request *, struct err *);
int h_import_image(struct zd *, struct zd_request *, struct err *);
int h_export_image(struct zd *, struct zd_request *, struct err *);
int h_tag_image(struct zd *, struct zd_request *, struct err *);
int h_install(struct zd *, struct zd_request *, struct err *);
int h_back_zone(struct zd *, struct zd_request *, struct err *);
int h_pack_zone(struct zd *, struct zd_request *, struct err *);
int h_pull_image(struct zd *, struct zd_request *, struct err *);
int h_build_image(struct zd *, struct zd_request *, struct err *);
int h_push_image(struct zd *, struct zd_request *, struct err *);
int h_prune_images(struct zd *, struct zd_request *, struct err *);
int h_verify_images(struct zd *, struct zd_request *, struct err *);
int h_list_networks(struct zd *, struct zd_request *, struct err *);
int h_get_network(struct zd *, struct zd_request *, struct err *);
int h_list_pools(struct zd *, struct zd_request *, struct err *);
int h_create_pool(struct zd *, struct zd_request *, struct err *);
int h_get_pool(struct zd *, struct zd_request *, struct err *);
int h_patch_pool(struct zd *, struct zd_request *, struct err *);
int h_delete_pool(struct zd *, struct zd_request *, struct err *);
int h_plan(struct zd *, struct zd_request *, struct err *);
int h_patch_host(struct zd *, struct zd_request *, struct err *);
int h_follow_events(struct zd *, struct zd_request *, struct err *);
int h_why(struct zd *, struct zd_request *, struct err *);
int h_metrics(struct zd *, struct zd_request *, struct err *);
int h_get_host(struct zd *, struct zd_request *, struct err *);
int h_doctor(struct zd *, struct zd_request *, struct err *);
int h_df(struct zd *, struct zd_request *, struct err *);
int h_version(struct zd *, struct zd_request *, struct err *);
int h_openapi(struct zd *, struct zd_request *, struct err *);
int h_shutdown(struct zd *, struct zd_request *, struct err *);

/* daemon.c */
struct zd_options {
    const char *root, *socket;
    bool foreground, shutdown, debug;
};
void zd_exit(struct zd *d, int code); /* leaves the loop; zones run on */
void zd_exit_soon(struct zd *d);      /* when answers under way have had time to leave */
int zd_main(const struct zd_options *o, const char *bin_dir);
