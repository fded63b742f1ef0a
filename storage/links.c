/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/links.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

/* The slot of this file, or the free one where it belongs. At most half of the slots are taken, so there is one. */
static unsigned *slot_of(struct stor_links *l, ino_t ino, dev_t dev)
{
    const uint64_t key[2] = {ino, dev};
    unsigned mask = l->nslots - 1, at = (unsigned)hash64(key, sizeof(key)) & mask;
    for (;; at = (at + 1) & mask) {
        l->probes++;
        unsigned k = l->slots[at];
        if (!k || (l->all.at[k - 1].ino == ino && l->all.at[k - 1].dev == dev))
            return &l->slots[at];
    }
}

static void grow(struct stor_links *l)
{
    l->nslots = l->nslots ? l->nslots * 2 : 64;
    free(l->slots);
    l->slots = xcalloc(l->nslots, sizeof(*l->slots));
    for (unsigned i = 0; i < l->all.len; i++)
        *slot_of(l, l->all.at[i].ino, l->all.at[i].dev) = i + 1;
}

const char *stor_links_seen(struct stor_links *l, const struct stat *st, const char *path)
{
    if (l->all.len * 2 >= l->nslots)
        grow(l);
    unsigned *slot = slot_of(l, st->st_ino, st->st_dev);
    if (*slot)
        return l->all.at[*slot - 1].path;
    *vec_add(&l->all) = (struct stor_link){st->st_ino, st->st_dev, xstrdup(path)};
    *slot = l->all.len;
    return NULL;
}

void stor_links_done(struct stor_links *l)
{
    for (unsigned i = 0; i < l->all.len; i++)
        free(l->all.at[i].path);
    vec_done(&l->all);
    free(l->slots);
    *l = (struct stor_links){0};
}
