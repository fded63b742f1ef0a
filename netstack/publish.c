/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing the published ports of a running zone. Adds before it deletes: a port that stays is never away;
 * one whose port in the zone changes is away for the time between two transactions. Undo: what was published
 * before is put back. */
#include "netstack/priv.h"

static int change(struct net_nft *nft, const char *table, const net_elems *old, const net_elems *new,
                  const net_elems *changed, const net_elems *gone, struct err *e)
{
    struct err own = {0};
    int busy = -1, r = net_nft_del(nft, table, changed, e);
    if (r < 0)
        return r;
    r = net_nft_add(nft, table, new, &busy, &own);
    if (r == 0)
        return net_nft_del(nft, table, gone, e);
    if (busy >= 0) {
        char what[96];
        net_elem_describe(&new->at[busy], what, sizeof(what));
        err_set(e, ERR_CONFLICT, own.code, "%s is published by another zone", what);
    } else {
        err_set(e, own.kind, own.code, "%s", own.text);
    }
    net_nft_add(nft, table, old, &busy, NULL);
    return r;
}

int net_zone_ports(struct net_ctx *c, const struct net_link_plan *before, const struct net_link_plan *after,
                   unsigned nlinks, struct err *e)
{
    struct net_nft *nft;
    net_elems old = {0}, new = {0}, gone = {0}, changed = {0};
    for (unsigned i = 0; i < nlinks; i++) {
        net_elems_of_ports(&old, &before[i]);
        net_elems_of_ports(&new, &after[i]);
    }
    for (unsigned i = 0; i < old.len; i++) {
        const struct net_elem *same = net_elems_find(&new, &old.at[i]);
        if (!same)
            *vec_add(&gone) = old.at[i];
        else if (memcmp(same->data, old.at[i].data, sizeof(same->data)) != 0)
            *vec_add(&changed) = old.at[i];
    }
    int r = net_ctx_nft(c, &nft, e);
    if (r == 0)
        r = change(nft, c->instance, &old, &new, &changed, &gone, e);
    vec_done(&old);
    vec_done(&new);
    vec_done(&gone);
    vec_done(&changed);
    return r;
}
