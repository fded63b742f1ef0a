/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data model: what a zone is. One table of keys (schema.c) drives parse, check, default, print, diff,
 * live-or-reboot and the reference documentation. Spec structs are plain data; every string in them is owned.
 * Nothing here touches the host: all checks are of the text alone. Source: contract.md, "Zone spec, version
 * 1". */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "base/vec.h"
#include <stdbool.h>
#include <stdint.h>

#define SPEC_TEXT_MAX (1u << 20)
#define SPEC_NAME_MAX 32
#define SPEC_UNSET UINT64_MAX /* a size, count or time that the spec does not give */

struct spec_kv {
    char *key, *value;
};
typedef VEC(struct spec_kv) spec_map;

enum spec_init { SPEC_INIT_APP, SPEC_INIT_SYSTEM };
enum spec_restart_policy {
    SPEC_RESTART_NO,
    SPEC_RESTART_ON_FAILURE,
    SPEC_RESTART_ALWAYS,
    SPEC_RESTART_UNLESS_STOPPED
};
enum spec_oom { SPEC_OOM_ZONE, SPEC_OOM_PROCESS };
enum spec_seccomp { SPEC_SECCOMP_DEFAULT, SPEC_SECCOMP_UNCONFINED };
enum spec_health_kind { SPEC_HEALTH_NONE, SPEC_HEALTH_EXEC, SPEC_HEALTH_HTTP, SPEC_HEALTH_TCP };
enum spec_health_action { SPEC_HEALTH_ACTION_NONE, SPEC_HEALTH_ACTION_RESTART, SPEC_HEALTH_ACTION_STOP };
enum spec_proto { SPEC_TCP = 6, SPEC_UDP = 17, SPEC_SCTP = 132 };
enum spec_mount_kind { SPEC_MOUNT_BIND, SPEC_MOUNT_VOLUME, SPEC_MOUNT_TMPFS };

struct spec_process {
    char **entrypoint; /* NULL: the image's; empty: none */
    char **args;
    spec_map env;
    char *user;             /* NULL = root */
    char *cwd;              /* NULL = / */
    int stop_signal;        /* never 0: where not given, SIGTERM, or SIGRTMIN+3 for init: system */
    bool stop_signal_given; /* false: the image's own stop signal goes first */
    uint64_t stop_timeout_ms;
    bool terminal;
};
struct spec_restart {
    enum spec_restart_policy policy;
    uint64_t max; /* SPEC_UNSET = no limit */
    uint64_t backoff_ms;
};
struct spec_health {
    enum spec_health_kind kind;
    char **exec;
    char *http;
    uint64_t tcp;
    uint64_t interval_ms, timeout_ms, start_period_ms, retries;
    enum spec_health_action action;
};
struct spec_cpu { /* in CPUs; < 0 = not given */
    uint64_t shares;
    double cap, burst, reserved;
    uint64_t dedicated; /* 0 = none */
    char *set;          /* "0-3,6", normalised, or NULL */
    bool idle;
    char *pool;
};
struct spec_memory { /* bytes, SPEC_UNSET = not given */
    uint64_t cap, soft, reserved, swap, hugepages;
    enum spec_oom oom;
    uint64_t warn_percent; /* 0 = none */
    char *on_warn;
};
struct spec_io { /* weight 0 = not given; the rest SPEC_UNSET */
    uint64_t weight, read, write, read_ops, write_ops;
};
/* "[IP:]HOST[-HOST]:ZONE[-ZONE][/udp|/sctp]"; both ranges have the same length. */
struct spec_port {
    char *host_ip; /* NULL = all addresses and localhost; 0.0.0.0 or :: = those of the family */
    uint16_t host_first, host_last, zone_first;
    enum spec_proto proto;
};
struct spec_link {
    char *link;     /* a network's name, "none", "host", "zone:NAME" */
    char **address; /* empty = auto */
    VEC(struct spec_port) ports;
    uint64_t rate_in, rate_out; /* bits per second, SPEC_UNSET */
    char **aliases;
    bool trusted; /* no anti-spoofing */
    bool dhcp;    /* the zone asks for its addresses itself */
};
struct spec_mount {
    char *target;
    enum spec_mount_kind kind;
    char *source;  /* host path or volume name; NULL for tmpfs */
    uint64_t size; /* tmpfs */
    bool read_only;
};
struct spec_security {
    char **caps_add, **caps_drop; /* "NET_ADMIN", without CAP_, upper case */
    enum spec_seccomp seccomp;
    bool no_new_privs; /* default: true for app, false for system */
    bool read_only_root;
};
struct spec_limits { /* SPEC_UNSET = default profile */
    uint64_t nofile, memlock, core;
};

struct spec {
    char *zone;
    char *image;
    enum spec_init init;
    struct spec_process process;
    char *hostname; /* NULL = the zone's name */
    bool autoboot;
    char **depends;
    struct spec_restart restart;
    struct spec_health health;
    struct spec_cpu cpu;
    struct spec_memory memory;
    uint64_t tasks;
    struct spec_io io;
    VEC(struct spec_link) network; /* absent in the text: one link `default`, address auto */
    VEC(struct spec_mount) filesystems;
    struct spec_security security;
    char **devices;
    spec_map sysctls;
    uint64_t shm;
    struct spec_limits limits;
    spec_map labels;
};

void spec_free(struct spec *s);                  /* NULL is fine */
void spec_drop_link(struct spec *s, unsigned i); /* the last one leaves `none` */
DEFINE_AUTO(struct spec, spec_free);
#define auto_spec auto_of(spec_free)

/* Parses YAML or JSON text (at most SPEC_TEXT_MAX bytes), fills defaults, checks every key. `file` is used in
 * messages only. All problems are added to ps (kind invalid); on any the result is -EINVAL and *out
 * untouched. */
int spec_parse(const char *text, size_t n, const char *file, struct spec **out, struct problems *ps);
/* Problems without a file are of this spec: each gets the file, and the line of its key in the text. */
void spec_locate(const char *text, const char *file, struct problems *ps);
/* Problems of a key that came with one of the edits are those of PROBLEM_SET, not of a line: before spec_locate. */
void spec_blame_edits(char *const *edits, struct problems *ps);
/* A spec as JSON with every effective key (defaults included): the "spec" member of the API's zone object,
 * the snapshot in a plan. spec_from_json(spec_to_json(s)) equals s. */
json *spec_to_json(const struct spec *s);
int spec_from_json(const json *j, struct spec **out, struct err *e);
struct spec *spec_copy(const struct spec *s);

/* One edit of a spec's text: "cpu.shares=200", "network[0].ports[]=8080:80" ([] appends), "labels.tier=web",
 * "cpu.cap=" (unset). All edits are one transaction. Comments and order are kept; where a flow-style or
 * otherwise intricate place forces re-writing a part without its comments, *lost_comments is set. The result
 * is checked like a file: problems go to ps. text may be "" (a new spec). Returns new text in *out. */
int spec_edit(const char *text, const char *file, char *const *edits, char **out, bool *lost_comments,
              struct problems *ps);

/* The host's own part (ETC/host.yaml) and a pool (ETC/pools/NAME.yaml): keys of zones, with the same meanings,
 * in files of their own and through the same table machinery. */
enum spec_party_kind { SPEC_PARTY_HOST, SPEC_PARTY_POOL };
struct spec_party {
    char *name; /* a pool's; NULL for the host */
    struct spec_cpu cpu;
    struct spec_memory memory;
};
int spec_party_parse(enum spec_party_kind kind, const char *text, size_t n, const char *file,
                     struct spec_party **out, struct problems *ps);
int spec_party_edit(enum spec_party_kind kind, const char *text, const char *file, char *const *edits,
                    char **out, bool *lost_comments, struct problems *ps);
char *spec_pool_text(const char *name); /* of a pool with defaults; malloc'd */
json *spec_party_to_json(enum spec_party_kind kind, const struct spec_party *p);
void spec_party_free(struct spec_party *p);
DEFINE_AUTO(struct spec_party, spec_party_free);

/* ---- networks ---- */
enum spec_network_type { SPEC_NET_NAT, SPEC_NET_SEALED, SPEC_NET_ROUTED, SPEC_NET_BRIDGE, SPEC_NET_MACVLAN };
struct spec_network { /* lists: NULL = none given */
    char *network;
    enum spec_network_type type;
    char **subnets, **gateways, **ranges; /* at most one a family; a range is "FIRST-LAST" */
    char *parent;
    char **reach;
    uint64_t mtu; /* 0 = not given */
    bool big_tcp;
    char **rules; /* spec_rule_parse takes each */
    int deny;     /* policy: deny */
};
void spec_network_free(struct spec_network *n);
DEFINE_AUTO(struct spec_network, spec_network_free);
#define auto_spec_network auto_of(spec_network_free)
int spec_network_parse(const char *text, size_t n, const char *file, struct spec_network **out,
                       struct problems *ps);
int spec_network_from_json(const json *j, struct spec_network **out, struct problems *ps);
json *spec_network_to_json(const struct spec_network *n);
char *spec_network_text(const struct spec_network *n); /* YAML that spec_network_parse takes; malloc'd */
/* The text with the keys of patch as they are there; comments as in spec_edit. *network: what it says then. */
int spec_network_edit(const char *text, const char *file, const json *patch, char **out, bool *lost_comments,
                      struct spec_network **network, struct problems *ps);
const char *spec_network_type_name(enum spec_network_type t);
bool spec_network_joins_lan(enum spec_network_type t); /* bridge, macvlan: the LAN's addresses, not ours */

/* One rule of a network's firewall: "from label tier=web to label tier=db allow tcp 5432". NULL, or what is wrong with
 * it. */
enum spec_side_kind { SPEC_SIDE_ANY, SPEC_SIDE_LABEL, SPEC_SIDE_ZONE, SPEC_SIDE_NETWORK, SPEC_SIDE_ADDRESS };
enum spec_rule_proto { SPEC_RULE_ANY, SPEC_RULE_TCP, SPEC_RULE_UDP, SPEC_RULE_SCTP, SPEC_RULE_ICMP };
struct spec_rule_side {
    enum spec_side_kind kind;
    char name[200]; /* KEY=VALUE, a name, an address or subnet */
};
struct spec_rule {
    struct spec_rule_side from, to;
    bool allow;
    enum spec_rule_proto proto;
    uint16_t first, last; /* ports; 0 = all */
};
#define SPEC_RULES_MAX 10000u /* of a network */
const char *spec_rule_parse(const char *text, struct spec_rule *out);

enum spec_change_when { SPEC_LIVE, SPEC_NEXT_BOOT };
struct spec_change {
    char *key, *before, *after; /* as they would be written; NULL = not given */
    enum spec_change_when when;
};
typedef VEC(struct spec_change) spec_changes;
/* Differences per key, in the table's order. */
void spec_diff(const struct spec *a, const struct spec *b, spec_changes *out);
/* s as a zone that runs with `running` can have it before its next boot: what is live as in s, all else as it runs. Both with
 * what the image says. Fails where the two do not go together. */
int spec_stay(const struct spec *running, const struct spec *s, struct spec **out, struct err *e);
void spec_party_diff(enum spec_party_kind kind, const struct spec_party *a, const struct spec_party *b,
                     spec_changes *out);
void spec_changes_done(spec_changes *c);

/* Fills what the spec leaves to the image (config: an OCI config object, or NULL; a stranger's data): args with the entrypoint
 * before them, user, cwd, stop signal, health check. *env: its K=V, which go under the spec's; caller's. What the image says
 * wrongly goes to ps. Once per spec: afterwards entrypoint is part of args. */
void spec_apply_image(struct spec *s, const json *config, char ***env, struct problems *ps);

/* [a-z0-9]([a-z0-9-]{0,30}[a-z0-9])? ; what names the kind of object in the message ("zone", "volume",
 * "network"). */
int spec_check_name(const char *what, const char *name, struct err *e);
bool spec_host_ips_meet(const char *a, const char *b);                       /* one packet may be for both */
int spec_parse_port(const char *text, struct spec_port *out, struct err *e); /* host_ip malloc'd */
char *spec_print_port(const struct spec_port *p);
const char *spec_proto_name(enum spec_proto p);
int spec_parse_signal(const char *text, int *sig); /* "SIGTERM", "TERM", "15" */
const char *spec_signal_name(int sig);
/* "0-3,6" -> sorted list of CPU numbers below 4096; 0 or -EINVAL */
int spec_parse_cpuset(const char *text, uint16_t **cpus, unsigned *n);
const char *spec_restart_name(enum spec_restart_policy p);

/* A copy of one section, and its end. */
void spec_cpu_copy(struct spec_cpu *to, const struct spec_cpu *from);
void spec_cpu_done(struct spec_cpu *c);
json *spec_cpu_to_json(const struct spec_cpu *c); /* as in spec_to_json */
int spec_cpu_from_json(const json *j, struct spec_cpu *out, struct err *e);

/* The reference of all keys as troff (for zone.yaml(5)) or markdown, from the table. malloc'd. */
char *spec_reference(bool markdown);
/* Every dotted key of the table, one a line: shell completion and tests use it. malloc'd. */
char *spec_keys(void);
