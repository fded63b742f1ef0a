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
enum zone_boot { BOOT_NOT, BOOT_WAITS, BOOT_REFUSED }; /* what the boot of the host still does for it */
enum op_kind { OP_NONE, OP_START, OP_STOP, OP_RESTART, OP_DELETE, OP_CREATE, OP_COPY };
struct waiters {
    struct zd_request **at;
    unsigned len, cap;
};
struct zone {
    struct zd *d;
    char name[SPEC_NAME_MAX + 1];
    enum zone_state state;
    struct spec *spec;      /* as the file was read last */
    uint64_t read_stamp;    /* which file that was */
    bool file_bad;          /* … and could not be read */
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
    uint64_t cpu_use_us;         /* over which time */
    double entitled, guaranteed; /* CPUs; sample_entitle */
    struct port_claim *claims;   /* ports.c */
    struct alias_claim *aliases; /* aliases.c */
    enum zone_boot boot;
    uint64_t boot_start_no; /* while it waits */
    bool boot_way;          /* boot.c: it waits for no circle, while that is looked for */
    bool links_told;        /* something was told of its links while they were not at rest */
    /* the one operation under way */
    enum op_kind op;
    unsigned holders;       /* of OP_COPY */
    struct waiters waiters; /* for its end */
    struct json_t *messages;
    bool dry_run, updating;
    bool unanswered;               /* … and its supervisor has not answered in time */
    unsigned missing;              /* links of its plan that are gone, a bit each; of parents.c and ends.c */
    const char *refresh;           /* zone_refresh, once the update that is under way has ended */
    bool shared;                   /* sharers.c: another zone has joined its network */
    bool asks;                     /* division.c: among those that ask, while it reckons */
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
    struct sd_event_source *deadline; /* NULL: none */
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
    bool judged;           /* it has rules; of firewall.c */
    char *lost;            /* why it is cut off from the host's link, or NULL; of parents.c */
    char *hides;           /* what of the host it hides, or would, or NULL; of hides.c */
    char *untaken;         /* at our start: why its file could not be taken, or NULL; of networks.c */
    bool gone;             /* … which is that there was none */
    unsigned parent_index; /* of that link, as it was seen last */
    unsigned in_the_way;   /* the link that had its bridge's name when a repair failed; of parents.c */
    uint64_t tried, pause; /* when that was, how long until the next; µs, pause 0 = none failed */
    struct names *names;   /* its dnsmasq, NULL = none */
    struct dhcp *dhcp;     /* the one for zones that ask for their addresses, NULL = none does */
};

struct later;      /* look_later.h */
struct pool_entry; /* division.h */
struct build_job;  /* h_build.c */
struct zd {
    struct sd_event *event;
    struct sd_event_source *drift;
    unsigned drift_at, drift_round; /* of the look: which bucket, how many looks */
    struct sd_event_source *tidy;   /* when idle: deletes folders of ended one-off zones, prepares the next */
    struct sd_event_source *keeper_io; /* the fork server's end */
    struct zd_server *server;
    char *etc_dir, *lib_dir, *run_dir, *socket_path, *instance, *bin_dir, *cgroup_parent, *keeper_socket,
        *root;
    int lock_fd, etc_fd, run_fd, tmp_fd;
    struct cg_host *cgroups;
    struct stor_pool *pool;
    struct net_ctx *net;
    VEC(struct net_entry *) networks;
    VEC(struct pool_entry *) pools;
    VEC(struct build_job *) builds; /* under way */
    struct sd_event_source *build_again;
    struct spec_party *host;            /* the host's part, ETC/host.yaml */
    bool host_in_root, exclusive_cpus;  /* as struct ledger has them */
    uint64_t top_weights;               /* of the other top groups, as the division was made last */
    struct cg_part part;                /* what the parent group has */
    bool drifted;                       /* … by us, and not in the kernel */
    const struct pool_entry *pool_asks; /* whose change is held against the ledger, or NULL */
    struct net_watch *net_watch;        /* of neighbour.c */
    struct sd_event_source *net_changed;
    struct later *hooks_later, *hides_later, *ends_later, *links_later, *mend_later,
        *repair_later;     /* looks that were asked for */
    uint64_t repair_pause; /* µs from a repair of the tables that failed to the next; 0: none failed */
    struct firewalld *firewalld;
    char **judged;                    /* whom rules of networks name, sorted; of firewall.c */
    VEC(struct resolver *) resolvers; /* for zones on several networks, of names.c */
    json *net_saved;                  /* the host's switches as they were before the first network came up */
    struct host_facts facts;
    struct uid_ranges *ranges;
    char **closed_folders; /* given to no zone */
    struct event_hub *events;
    struct zone **table; /* hash of chains by name */
    unsigned table_size, nzones;
    struct port_claim *ports[1024];    /* by port modulo 1024 */
    struct alias_claim *aliases[1024]; /* by name */
    int64_t next_id;
    uint64_t divisions;                   /* made so far */
    bool division_moved;                  /* since sample_entitle */
    struct cg_io io_zones, io_zones_seen; /* told; what the kernel said last */
    uint64_t cpu_host_usec;               /* what ran outside of zones: the highest told */
    bool shutting_down, booting, in_boot, boot_unsaved;
    struct zd_request *shutdown_request;
    int exit_code;
    uint64_t started_us;
    struct lxcfs *lxcfs;
    VEC(void *) waits; /* of waits.c */
    VEC(void *) logs;  /* of h_logs.c */
};

/* registry.c */
bool zone_is_up(const struct zone *z); /* runs or pauses by a plan that can be changed live */
/* As it runs; at rest as its file was read, NULL where that is broken. */
const struct spec *zone_has(const struct zone *z);
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
void store_fresh(struct zd *d,
                 struct zone *z); /* the same where it is another file; what is wrong is z's error */
/* Whether its file, as it is now, names what; one that cannot be read says what it said last. */
bool store_names(struct zd *d, struct zone *z, bool (*names)(const struct spec *s, const char *what),
                 const char *what);
void store_locate(struct zd *d, const struct zone *z,
                  struct problems *ps); /* problems of its spec: file and line */
int store_delete(struct zd *d, const struct zone *z, struct err *e);
int store_add_text(struct zd *d, const char *name, const char *text,
                   struct err *e); /* of no zone yet; conflict */
void store_drop_text(struct zd *d, const char *name);
char *store_path(struct zd *d, const struct zone *z); /* of the spec file */

/* ranges.c: uid ranges, machine-wide */
int ranges_open(const char *owner_dir, struct uid_ranges **out, struct err *e);
int ranges_take(struct uid_ranges *r, uint32_t *base, struct err *e); /* index, or -errno */
int ranges_claim(struct uid_ranges *r, uint32_t base);                /* adopt; index or -errno */
void ranges_release(struct uid_ranges *r, int index);
void ranges_free(struct uid_ranges *r, bool give_back);
/* Run folders of the other daemons of this machine that live, or have zones that may; strv, NULL: none. */
int ranges_others(const struct uid_ranges *r, char ***others, struct err *e);

/* closed_folders.c: folders that are given to no zone */
void closed_folders_tell(struct zd *d); /* ours, to the other daemons */
/* d->closed_folders and the pool's: ours and theirs, as of now. s: a spec that is about to get its folders; nothing is looked up
 * where it wants none of the host. NULL: look. */
void closed_folders_refresh(struct zd *d, const struct spec *s);

/* plan.c: pure */
struct plan_inputs {
    const char *instance, *run_dir, *data_dir, *keeper_socket, *cgroup_parent;
    char *const *own_dirs;
    const struct spec *spec;
    const struct zone_lease *lease;
    struct net_entry *const *networks;
    unsigned nnetworks;
    const struct stor_root_plan *root;
    const char *host_resolv;
    uint64_t start_no;
    uint32_t uid_base;
    bool remove;
    bool part;               /* lxcfs is there */
    bool names;              /* the networks have a resolver of their own */
    const struct plan *join; /* of the zone whose network it shares, while that runs */
    const struct plan
        *stack;       /* of the zone whose links these are: join's, or that of whom join shares with */
    unsigned missing; /* links of that one that are not there */
    const struct plan *running; /* an update: links that stay keep their names and MACs */
};
int plan_build(const struct plan_inputs *in, struct plan **out, struct problems *ps, struct err *e);

/* keeper.c: the fork server */
int keeper_ensure(struct zd *d, struct err *e);
int keeper_start(struct zd *d, struct zone *z, const char *op, int run_dirfd, const struct session_start *s,
                 struct err *e);
void keeper_drop(struct zd *d, const char *zone);
/* What it keeps of a zone; *n in: room, out: descriptors, the caller's as names are (strv). */
int keeper_kept(struct zd *d, const char *zone, char ***names, int *fds, unsigned *n, struct err *e);
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
#define SUP_PATIENCE_US                                                                                      \
    20000000u /* what it is asked it answers at once, but where it is stopped or its machine stands */
/* done: with the answer, or an error after SUP_PATIENCE_US; what it answers then is told by events alone. */
int sup_request(struct zone *z, json *message, const int *fds, unsigned nfds,
                void (*done)(struct zone *, const json *, const struct err *, void *), void *arg,
                struct err *e);
/* The same for what may take long, or whose end must be known whenever it comes: done waits for the answer. */
int sup_request_long(struct zone *z, json *message, const int *fds, unsigned nfds,
                     void (*done)(struct zone *, const json *, const struct err *, void *), void *arg,
                     struct err *e);
int sup_silent(const struct zone *z, const char *then,
               struct err *e); /* says that it does not answer; then: what comes of it, or "" */

/* adopt.c */
int adopt_all(struct zd *d, struct err *e);
int adopt_reclaim(struct zone *z, struct err *e);

/* boot.c */
void boot_autostart(struct zd *d);
void boot_zone_changed(struct zd *d);
void boot_refused(struct zone *z, const char *why); /* it does not start, and nobody waits to be told */
void boot_started(struct zone *z);
json *boot_doctor(struct zd *d); /* what the boot did not start: an array of sentences */
void boot_shutdown_step(struct zd *d);

/* worker.c: a forked process for slow work; result is a JSON object */
int worker_run(struct zd *d, json *(*work)(struct zd *d, void *arg), void *arg,
               void (*done)(struct zd *d, json *result, void *arg), struct err *e);

/* Answers r with what make returns in a worker, where the registry is a copy; NULL: e says why. */
int worker_answer(struct zd *d, struct zd_request *r, const char *name,
                  json *(*make)(struct zd *d, const char *name, struct err *e), struct err *e);

/* trash.c: removes what was discarded, in a worker where it is much, and then gives the requests that answer, which it takes. */
void trash_empty(struct zd *d, struct zd_request *const *requests, unsigned n, json *answer);

/* named.c: who names a zone by its name */
int zone_check_unnamed(struct zd *d, const struct zone *z, struct err *e);
json *zone_gone_remarks(struct zd *d,
                        const struct zone *z);             /* who will name it still; an array of sentences */
json *depends_remarks(struct zd *d, const struct spec *s); /* on zones that are not there; the same */

/* view.c: zone object */
json *zone_to_json(struct zd *d, struct zone *z, bool with_spec);
/* The same for who asks: the values of the environment are for those alone who may read them in the zone too. */
json *zone_view(const struct zd_request *r, struct zd *d, struct zone *z, bool with_spec);

/* events.c */
struct event_hub *event_hub_new(void);
void event_hub_free(struct event_hub *h);
void event_publish(struct zd *d, const char *event, const char *zone, json *extra /* stolen, may be NULL */);
void event_of(struct zd *d, const char *event, const char *what,
              const char *name); /* {what: name}: of no zone */
void event_follow(struct zd *d, struct zd_request *r, bool follow);

/* waits.c: requests that wait for a zone's state */
void waits_add(struct zd *d, struct zd_request *r, struct zone *z, const char *what, uint64_t timeout_ms);
void waits_check(struct zd *d, struct zone *z);
void waits_rename(struct zd *d, const char *from, const char *to);
void waits_gone(struct zd *d, const char *zone); /* it will never be what they wait for */

/* dispatch.c */
extern const struct zd_route zd_routes[];
extern const unsigned zd_nroutes;
/* daemon.c */
struct zd_options {
    const char *root, *socket;
    bool foreground, shutdown, debug;
};
void zd_exit(struct zd *d, int code); /* leaves the loop; zones run on */
void zd_exit_soon(struct zd *d);      /* when answers under way have had time to leave */
int zd_main(const struct zd_options *o, const char *bin_dir);
