/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource limits of a zone's processes. Raising a hard limit needs CAP_SYS_RESOURCE in the host's user
 * namespace, which zoned may lack: so never above our own hard limit, and not an error unless the spec asked
 * for it. */
#include "namespaces/inner.h"
#include <errno.h>

#define NOFILE_SOFT 1024
#define NOFILE_HARD 65536
#define MEMLOCK (64u << 10)

struct kind {
    int which;
    const char *key, *directive; /* of a unit of systemd */
};
static const struct kind nofile = {RLIMIT_NOFILE, "limits.nofile", "LimitNOFILE="},
                         memlock = {RLIMIT_MEMLOCK, "limits.memlock", "LimitMEMLOCK="},
                         core = {RLIMIT_CORE, "limits.core", "LimitCORE="};

/* Refuses what is above our own hard limit; 0: *own is that. */
static int may_give(const struct kind *k, uint64_t hard, uint64_t *own, struct err *e)
{
    struct rlimit rl;
    if (getrlimit(k->which, &rl) < 0)
        return err_sys(e, "the limit");
    *own = rl.rlim_max; /* RLIM_INFINITY is the highest number */
    if (hard <= *own)
        return 0;
    err_set(e, ERR_LIMIT, EPERM, "%llu is above zoned's own hard limit %llu", (unsigned long long)hard,
            (unsigned long long)*own);
    return err_hint(e, "raise %s in zoned.service and start zoned again, or ask for at most %llu",
                    k->directive, (unsigned long long)*own);
}

static int set(const struct kind *k, uint64_t soft, uint64_t hard, bool asked, struct err *e)
{
    uint64_t own;
    int r = may_give(k, asked ? hard : 0, &own, e);
    if (r < 0)
        return err_prefix(e, "%s", k->key), r;
    hard = hard < own ? hard : own;
    struct rlimit rl = {.rlim_cur = soft < hard ? soft : hard, .rlim_max = hard};
    return setrlimit(k->which, &rl) < 0 ? err_sys(e, "%s", k->key) : 0;
}

static void check(const struct kind *k, uint64_t asked, struct problems *ps)
{
    struct err e = {0};
    uint64_t own;
    if (asked == SPEC_UNSET || may_give(k, asked, &own, &e) == 0)
        return;
    problem_add(ps, e.kind, NULL, 0, k->key, "%s", e.text);
    problem_hint(ps, "%s", e.hint);
}

void nspace_check_limits(const struct spec_limits *l, struct problems *ps)
{
    check(&nofile, l->nofile, ps);
    check(&memlock, l->memlock, ps);
    check(&core, l->core, ps);
}

int nspace_limits_set(const struct spec_limits *l, struct err *e)
{
    bool files = l->nofile != SPEC_UNSET && l->nofile >= NOFILE_SOFT, lock = l->memlock != SPEC_UNSET,
         dumps = l->core != SPEC_UNSET;
    int r = set(&nofile, files ? l->nofile : NOFILE_SOFT, files ? l->nofile : NOFILE_HARD, files, e);
    uint64_t m = lock ? l->memlock : MEMLOCK, c = dumps ? l->core : 0;
    if (r == 0)
        r = set(&memlock, m, m, lock, e);
    if (r == 0)
        r = set(&core, c, c, dumps, e);
    return r;
}

int nspace_limits_last(const struct spec_limits *l, struct err *e)
{
    return l->nofile < NOFILE_SOFT ? set(&nofile, l->nofile, l->nofile, true, e) : 0;
}
