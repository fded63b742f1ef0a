/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "zoned/sup/kept.h"
#include "base/str.h"

static void clear(struct keeper *k)
{
    fd_close_all(k->fds, k->n);
    js_free(k->names);
    k->names = NULL;
    k->n = 0;
    k->ended = false;
    k->pid = 0;
}

struct keeper *kept_find(const struct keepers *k, const char *zone)
{
    for (unsigned i = 0; i < k->len; i++)
        if (str_eq(k->at[i].zone, zone))
            return &k->at[i];
    return NULL;
}

void kept_put(struct keepers *all, const char *zone, pid_t pid, json *names, int *fds)
{
    struct keeper *k = kept_find(all, zone);
    if (!k) {
        k = vec_add(all);
        k->zone = xstrdup(zone);
    }
    bool ended = k->ended && k->pid == pid;
    clear(k);
    k->ended = ended;
    k->pid = pid;
    k->names = js_ref(names);
    k->n = (unsigned)js_len(names);
    for (unsigned i = 0; i < k->n; i++)
        k->fds[i] = take_fd(&fds[i]);
}

void kept_drop(struct keepers *all, const char *zone)
{
    struct keeper *k = kept_find(all, zone);
    if (!k)
        return;
    clear(k);
    free(k->zone);
    vec_remove(all, k - all->at);
}

void kept_ended(struct keepers *all, pid_t pid, int wait_status)
{
    for (unsigned i = 0; i < all->len; i++)
        if (all->at[i].pid == pid) {
            all->at[i].ended = true;
            all->at[i].wait_status = wait_status;
        }
}
