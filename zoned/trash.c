/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was deleted is renamed into the pool's trash first: its name is free. A little is removed at once; a tree that a
 * zone filled with a million files is a worker's, and whoever deleted it waits for that, not the loop. */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <errno.h>

#define AT_ONCE 1000u /* entries: some 10 ms */

struct emptying {
    struct zd_request **requests;
    unsigned n;
    json *answer;
};

static void answer_all(struct zd_request *const *requests, unsigned n, json *answer)
{
    for (unsigned i = 0; i < n; i++)
        zd_reply_json(requests[i], 200, js_ref(answer));
    js_free(answer);
}

static json *empty_work(struct zd *d, void *arg)
{
    struct err e = {0};
    json *o = js_object();
    if (stor_trash_empty(d->pool, 0, &e) < 0)
        js_set_str(o, "failed", e.text);
    return o;
}

static void empty_done(struct zd *d, json *result, void *arg)
{
    struct emptying *t = arg;
    const char *failed = js_get_str(result, "failed", NULL);
    if (failed)
        log_warning("%s; it stays in the trash until zoned starts again", failed);
    answer_all(t->requests, t->n, t->answer);
    free(t->requests);
    free(t);
}

void trash_empty(struct zd *d, struct zd_request *const *requests, unsigned n, json *answer)
{
    struct err e = {0};
    int r = stor_trash_empty(d->pool, AT_ONCE, &e);
    if (r == -EAGAIN) {
        struct emptying *t = xcalloc(1, sizeof(*t));
        t->requests = xcalloc(n + 1, sizeof(struct zd_request *));
        t->n = n;
        t->answer = answer;
        for (unsigned i = 0; i < n; i++)
            t->requests[i] = requests[i];
        if (worker_run(d, empty_work, t, empty_done, &e) == 0)
            return;
        free(t->requests);
        free(t);
    }
    if (r < 0)
        log_warning("%s; it stays in the trash until zoned starts again", e.text);
    answer_all(requests, n, answer);
}
