/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dnsmasq and the networks whose names it answers. Inside zoned only, for names.c. */
#pragma once
#include "zoned/service.h"
#include "zoned/zoned.h"

#define RESOLVER_PROGRAM "/usr/sbin/dnsmasq"
#define RESOLVER_PORT 53u

struct resolver {
    struct service process;
    char **networks;         /* sorted */
    char **bridges, **shown; /* of each: its link, the folder with hosts/ in it */
    bool forwards;           /* one of them has a way out */
    unsigned port;           /* 53, or one of its own, where zones on these networks are sent */
};
/* Starts or adopts it. nets: sorted by name; dir: its folder below RUN/names. */
struct resolver *resolver_start(struct zd *d, const char *dir, struct net_entry *const *nets, unsigned n,
                                unsigned port);
void resolver_close(struct resolver *r, bool end); /* end: its process and folder go too */
bool resolver_is_for(const struct resolver *r, struct net_entry *const *nets, unsigned n);
