/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource limits of a zone's processes. Raising a hard limit needs CAP_SYS_RESOURCE in the host's user
 * namespace, which zoned may lack: so never above our own hard limit, and not an error unless the spec asked
 * for it. */
#include "namespaces/inner.h"
#include <errno.h>

#define NOFILE_SOFT 1024
#define NOFILE_HARD 65536
#define MEMLOCK (64u << 10)

static int set(int which, const char *name, uint64_t soft, uint64_t hard, bool asked, struct err *e)
{
    struct rlimit own;
    if (getrlimit(which, &own) < 0)
        return err_sys(e, "limit %s", name);
    if (own.rlim_max != RLIM_INFINITY && hard > own.rlim_max) {
        if (asked) {
            err_set(e, ERR_LIMIT, EPERM, "limits.%s %llu is above zoned's own hard limit %llu", name,
                    (unsigned long long)hard, (unsigned long long)own.rlim_max);
            return err_hint(e, "raise Limit%s in zoned.service", name);
        }
        hard = own.rlim_max;
    }
    struct rlimit rl = {.rlim_cur = soft < hard ? soft : hard, .rlim_max = hard};
    return setrlimit(which, &rl) < 0 ? err_sys(e, "limit %s", name) : 0;
}

int nspace_limits_set(const struct spec_limits *l, struct err *e)
{
    bool files = l->nofile != SPEC_UNSET && l->nofile >= NOFILE_SOFT, lock = l->memlock != SPEC_UNSET,
         core = l->core != SPEC_UNSET;
    int r = set(RLIMIT_NOFILE, "nofile", files ? l->nofile : NOFILE_SOFT, files ? l->nofile : NOFILE_HARD,
                files, e);
    uint64_t m = lock ? l->memlock : MEMLOCK, c = core ? l->core : 0;
    if (r == 0)
        r = set(RLIMIT_MEMLOCK, "memlock", m, m, lock, e);
    if (r == 0)
        r = set(RLIMIT_CORE, "core", c, c, core, e);
    return r;
}

int nspace_limits_last(const struct spec_limits *l, struct err *e)
{
    return l->nofile < NOFILE_SOFT ? set(RLIMIT_NOFILE, "nofile", l->nofile, l->nofile, true, e) : 0;
}
