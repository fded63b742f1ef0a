/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks as objects, and what zones hold on them: leases, names, ports, rules. */
#pragma once
#include "zoned/zoned.h"

/* networks.c */
int networks_open(struct zd *d, struct err *e);
struct net_entry *network_find(struct zd *d, const char *name); /* valid until it is deleted */
/* The same; one that is not known yet is read from its file. NULL: not found, or what is wrong with the file. */
struct net_entry *network_get(struct zd *d, const char *name, struct err *e);
/* Reads all files of networks that are not known yet: [{name, error}] of those that cannot be taken. */
json *networks_look(struct zd *d);
int network_create(struct zd *d, struct spec_network *spec /* stolen */, struct err *e);
/* patch: keys of its spec with new values, put into what its file says; rules, policy and reach change at once, others are
 * refused. *lost: comments went. */
int network_change(struct zd *d, struct net_entry *n, const json *patch, bool *lost, struct problems *ps,
                   struct err *e);
int network_delete(struct zd *d, struct net_entry *n, struct err *e); /* busy: who uses it */
int network_repair(struct zd *d, struct net_entry *n, struct err *e); /* undoes nothing where it fails */
int network_ensure_up(struct zd *d, struct net_entry *n, struct err *e);
/* Undoes what a zoned that was killed left halfway, and what has neither file nor zones; what has a broken file and is not up is
 * not known. */
void networks_adopted(struct zd *d);
void networks_down(struct zd *d); /* all, when no zone runs */
void networks_free(struct zd *d);

/* network_file.c */
char *network_path(struct zd *d, const char *name);
int network_file(struct zd *d, const char *name, struct spec_network **out,
                 struct err *e);                           /* -ENOENT: none */
int network_check_patch(const json *patch, struct err *e); /* keys that may change, and no other */
int network_check_edit(const struct spec_network *has, const struct spec_network *wants, const char *path,
                       struct err *e);
/* What is wrong with its file, or NULL; *pending: it says something else. malloc'd. */
char *network_file_told(struct zd *d, const struct net_entry *n, bool *pending);

/* network_state.c */
char *network_state_path(struct zd *d, const char *name);
char **network_states(struct zd *d); /* the names of all that are kept; strv */
/* *taken: the spec as it was last taken from its file, or NULL: an older zoned kept none. */
int network_state_load(struct zd *d, const char *name, struct net_network *n, struct spec_network **taken,
                       struct err *e);
int network_state_save(struct zd *d, const struct net_network *n, const struct spec_network *taken,
                       struct err *e); /* durable; nothing where it says so already */
void network_switches_save(struct zd *d);
void network_switches_load(struct zd *d);

/* network_gone.c: networks without a file that zones run on */
bool network_runs(const struct zd *d, const char *name); /* zones do */
char **networks_gone(struct zd *d);                      /* strv */
char *network_gone_text(struct zd *d, const char *name); /* what is to be said of one of these; malloc'd */
void networks_gone_tell(struct zd *d);
void networks_gone_add(struct zd *d,
                       json *broken); /* those of which nothing is known, as networks_look has them */
json *network_refused(const char *name, const char *why);

/* network_use.c: what zones ask of networks */
int network_check_reach(struct zd *d, const struct spec_network *s, struct err *e);
char **network_zones(struct zd *d, const char *name); /* whose spec or start names it; strv */
/* "zones a, b": who is on it, or will be by its file as it is now; NULL: nobody; malloc'd */
char *network_users(struct zd *d, const char *name);
int network_check_unused(struct zd *d, const struct net_entry *n, struct err *e); /* busy: who uses it */
int networks_needed(struct zd *d, const struct spec *s,
                    struct err *e); /* up, all that the spec's links join */
int networks_there(struct zd *d, const struct spec *s, struct err *e);        /* could they come up? */
bool network_is_name(const char *link);                                       /* not none, host, zone:NAME */
void networks_check(struct zd *d, const struct spec *s, struct problems *ps); /* what a type cannot do */

/* names.c: zones find each other by name; a dnsmasq for each network, and for each set of networks that zones are on */
bool names_there(const struct zd *d); /* dnsmasq is installed */
void names_network_up(struct zd *d, struct net_entry *n);
void names_network_down(struct zd *d, struct net_entry *n, bool end); /* end: its process too */
void names_publish(struct zone *z);
void names_withdraw(struct zone *z);
void names_follow(struct zone *z, const struct plan *old); /* a running zone's links changed */
void names_adopt(struct zd *d);                            /* at our start: exactly the running zones */
int names_check(const struct zd *d, struct err *e);        /* for doctor */

/* dhcp.c: a DHCP server and router for zones that ask (dhcp: true), while one of a network does */
void dhcp_publish(struct zone *z);                        /* what its plan has; before the zone asks */
void dhcp_withdraw(struct zone *z);                       /* idempotent */
void dhcp_follow(struct zone *z, const struct plan *old); /* a running zone's links changed */
void dhcp_network_changed(struct net_entry *n);           /* its type stays, what it reaches may not */
void dhcp_network_down(struct zd *d, struct net_entry *n, bool end);
void dhcp_adopt(struct zd *d); /* at our start: exactly the running zones */
int dhcp_check(const struct zd *d, struct err *e);

/* neighbour.c: other firewalls */
int neighbour_open(struct zd *d, struct err *e); /* after adoption */
void neighbour_close(struct zd *d);
void neighbour_repair(struct zd *d); /* all of our tables, from what runs */
void neighbour_hooks(struct zd *d);  /* the networks that are up, or their resolvers, changed */
struct net_pass neighbour_pass(const struct zd *d); /* what other firewalls must let pass now */
void neighbour_pass_done(struct net_pass *pass);

/* parents.c: the host's links that networks hang on */
void parents_follow(struct zd *d);    /* there are other networks */
void parents_look(struct zd *d);      /* such a link came, went or changed */
void parents_look_soon(struct zd *d); /* … and there may be more to come */
/* Makes what is missing of a network that is up. What fails is told once, and tried again after pauses that grow. True: it
 * had been lost, and the ends of its zones are to be looked at. */
bool parents_mend(struct zd *d, struct net_entry *n, bool at_once);
void parents_look_at(struct zone *z); /* at one zone that was not known to run */
void parents_look_at_told(
    struct zone *z); /* … or of whose links something was told while they were changed */
int parents_doctor(const struct zd *d, struct err *e);

/* hides.c: routes and addresses of the host that networks hide */
int hides_look_at(struct zd *d, struct net_entry *n, struct err *e); /* conflict: it does, or would */
void hides_look(struct zd *d);
void hides_look_soon(struct zd *d); /* the host's addresses changed */
int hides_doctor(const struct zd *d, struct err *e);
/* ends.c: the host's ends of zones' links */
void ends_told(struct zd *d); /* the kernel named some */
void ends_look_at_all(struct zd *d);
void ends_look_at(struct zone *z); /* at one zone, all of its */
/* The zone's links are as its plan says, nothing changes them, and it has a PID 1, without which they go; what is told of them
 * meanwhile waits (z->links_told). */
bool links_at_rest(const struct zone *z);

/* firewalld.c */
/* These bridges, and no other of ours, are in firewalld's zone "trusted", now and whenever it comes. Returns at once. */
void firewalld_trust(struct zd *d, char *const *bridges);
void firewalld_close(struct zd *d); /* what it was asked for stays */

/* firewall.c: rules of networks */
int firewall_load(struct zd *d, const char *without,
                  struct err *e);                                 /* all rules, all running zones, at once */
int firewall_join(struct zone *z, struct err *e);                 /* before a start: z->plan */
void firewall_leave(struct zone *z);                              /* after the end; idempotent */
void firewall_follow(struct zone *z);                             /* its labels or links changed */
json *firewall_warnings(struct zd *d, const struct net_entry *n); /* rules that name nobody, or never fit */
bool zone_is_on(const struct zone *z, const char *network);       /* as it runs; at rest, by its spec */
char **firewall_naming(struct zd *d, enum spec_side_kind kind,
                       const char *name); /* networks whose rules name that zone or network; strv */
char **firewall_rules_naming(const struct spec_network *s, enum spec_side_kind kind,
                             const char *name);                              /* which of its rules; strv */
struct spec_rule *firewall_rules(const struct spec_network *s, unsigned *n); /* free() */

/* ports.c: which zone publishes what; refuses a conflict before the start */
/* ask_host: also look for programs of the host that hold a port that the zone has not published yet (not when adopting: the
 * holder is our supervisor). */
int ports_find_free(struct zd *d, enum spec_proto proto, uint16_t first, uint16_t last, uint16_t *port,
                    struct err *e); /* of the host; limit */
int ports_check(struct zd *d, const struct zone *z, const struct spec *s, bool ask_host, struct problems *ps);
int ports_claim(struct zd *d, struct zone *z, const struct spec *s, bool ask_host, struct problems *ps);
void ports_check_host(struct zd *d, const struct spec *s,
                      struct problems *ps); /* for programs of the host alone, of ports that no zone has */
void ports_release(struct zd *d, struct zone *z);

/* aliases.c: which running zone answers to which name on a network; refuses a clash before the start */
int aliases_check(struct zd *d, const struct zone *z, const struct spec *s, struct problems *ps);
int aliases_claim(struct zd *d, struct zone *z, const struct spec *s, struct problems *ps);
void aliases_release(struct zd *d, struct zone *z);

/* lease.c */
/* What the file says, where nothing is known yet; -ENOENT: none. A file that is not understood is an error always. */
int lease_load(struct zd *d, struct zone *z, struct err *e);
void lease_network_there(struct zd *d,
                         const char *network); /* it was not known before: what leases have of it */
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
void lease_claim(
    struct zd *d,
    struct lease_link *
        l); /* what a link has, at start; clears what is not to be had, keeps it while the network is not known */
/* Adds what an earlier lease had on networks that the zone has none of, but what is somebody else's by now, or of a family
 * that the spec (or NULL) fixes. */
void lease_recall(struct zd *d, struct zone *z, const struct zone_lease *was, const struct spec *s);
int lease_save(struct zd *d, const struct zone *z, struct err *e);
void lease_release(struct zd *d, struct zone *z);
void lease_machine_id(char out[33]);
