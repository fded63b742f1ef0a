/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dnsmasq and the networks that it serves. Inside zoned only, for names.c and dhcp.c. */
#pragma once
#include "zoned/service.h"
#include "zoned/zoned.h"

#define RESOLVER_PROGRAM "/usr/sbin/dnsmasq"
#define RESOLVER_PORT 53u
#define RESOLVER_SHOWN "/mnt" /* where the process finds NETWORK/hosts/ */

struct resolver {
    struct service process;
    char **networks;         /* sorted */
    char **bridges, **shown; /* of each: its link, the folder with hosts/ in it */
    char **subnets;          /* their addresses' names are ours to know */
    bool forwards;           /* one of them has a way out */
    unsigned port;           /* 53, or one of its own, where zones on these networks are sent */
};
/* Without its words and not started. kind: of its folders, RUN/KIND/DIR for its own and RUN/KIND/NETWORK/shown. */
struct resolver *resolver_make(struct zd *d, const char *kind, const char *dir, struct net_entry *const *nets,
                               unsigned n);
void resolver_word(char ***argv, char *word /* taken */);
/* DIR/shown/hosts, which the process reads; a file in it; all of it away. */
int resolver_folders(const char *dir, int *hosts_fd, struct err *e);
int resolver_put(int hosts_fd, const char *file, const char *text, struct err *e);
void resolver_drop_folders(const char *dir);
/* Starts or adopts it. nets: sorted by name; dir: its folder below RUN/names. */
struct resolver *resolver_start(struct zd *d, const char *dir, struct net_entry *const *nets, unsigned n,
                                unsigned port);
void resolver_close(struct resolver *r, bool end); /* end: its process and folder go too */
bool resolver_is_for(const struct resolver *r, struct net_entry *const *nets, unsigned n);
